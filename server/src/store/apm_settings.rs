//! The settings of the APM integration: one row, or none before the first save.

use super::{Error, Store};
use crate::{
    access::{Grant, SaveApmSettings},
    audit::{Action, Event, EventContext},
};
use app::model::apm_settings::{ApmSettings, ServerUrl};
use serde_json::json;
use sqlx::Row;

const ONLY_ROW: i64 = 1;

impl Store {
    /// The settings, or APM Server's own defaults before the first save.
    #[tracing::instrument(name = "store.apm_settings.read", skip_all)]
    pub async fn read_apm_settings(&self) -> Result<ApmSettings, Error> {
        let row = sqlx::query(
            "SELECT server_url, api_key_enabled, api_key_limit, keys_per_user_max \
             FROM apm_settings WHERE id = $1",
        )
        .bind(ONLY_ROW)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else {
            return Ok(ApmSettings::default());
        };
        let contradiction = |column| Error::Row {
            table: "apm_settings",
            column,
        };
        let server_url: Option<String> = row.try_get("server_url")?;
        let enabled: i64 = row.try_get("api_key_enabled")?;
        let limit: i64 = row.try_get("api_key_limit")?;
        let keys_per_user_max: Option<i64> = row.try_get("keys_per_user_max")?;
        Ok(ApmSettings {
            server_url: server_url
                .map(|url| ServerUrl::parse(&url))
                .transpose()
                .map_err(|_| contradiction("server_url"))?,
            api_key_enabled: enabled != 0,
            api_key_limit: u32::try_from(limit).map_err(|_| contradiction("api_key_limit"))?,
            keys_per_user_max: keys_per_user_max
                .map(u32::try_from)
                .transpose()
                .map_err(|_| contradiction("keys_per_user_max"))?,
        })
    }

    /// Saves the settings.
    #[tracing::instrument(name = "store.apm_settings.save", skip_all)]
    pub async fn save_apm_settings(
        &self,
        grant: &Grant<SaveApmSettings>,
        settings: &ApmSettings,
        event_context: &EventContext,
    ) -> Result<(), Error> {
        let identity = grant.identity();
        let server_url = settings.server_url.as_ref().map(ServerUrl::as_str);
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO apm_settings (id, server_url, api_key_enabled, api_key_limit, \
             keys_per_user_max, saved_at, saved_by) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (id) DO UPDATE SET \
             server_url = excluded.server_url, api_key_enabled = excluded.api_key_enabled, \
             api_key_limit = excluded.api_key_limit, \
             keys_per_user_max = excluded.keys_per_user_max, saved_at = excluded.saved_at, \
             saved_by = excluded.saved_by",
        )
        .bind(ONLY_ROW)
        .bind(server_url)
        .bind(i64::from(settings.api_key_enabled))
        .bind(i64::from(settings.api_key_limit))
        .bind(settings.keys_per_user_max.map(i64::from))
        .bind(event_context.at.0)
        .bind(identity.username.as_str())
        .execute(&mut *write)
        .await?;
        let event = Event::new(Action::ApmSettingsChange)
            .by(identity)
            .details(json!({
                "server_url": server_url,
                "api_key_enabled": settings.api_key_enabled,
                "api_key_limit": settings.api_key_limit,
                "keys_per_user_max": settings.keys_per_user_max,
            }));
        super::audit::append(&mut write, &event, event_context).await?;
        write.commit().await?;
        Ok(())
    }
}
