//! Keeping what a person's list shows, for the time when Elasticsearch does not answer.
//!
//! Kept are the newest keys and the figures, as one question tells them at one moment, in this person's name. They are
//! kept for this person alone, and thrown away with the right to see them ([`Person::actor`](crate::services::Person)),
//! when Elasticsearch refuses the person, and with the last session.

use super::{
    elsewhere,
    ownership::Ownership,
    query,
    read::{agent_key, summary},
};
use crate::{
    access::Permission,
    elasticsearch::capabilities::Capability,
    failure::Failure,
    services::{Person, Services},
    store::ListMark,
};
use app::model::{
    access::Reach,
    agent_key::AgentKey,
    key_list::{KeyListPage, KeySummary},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

/// How many keys are kept: the newest. An answer of so many stays far below what is read of one.
pub const KEYS_MAX: usize = 1_000;
/// A list whose figures are as they were is read again after so long, for what figures do not show.
const KEPT_MS_MAX: i64 = 60_000;

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) keys: Vec<AgentKey>,
    pub(super) summary: KeySummary,
}

/// Keeps what the list shows, some time after `page` was shown. Nobody waits for it.
pub(super) fn remember(services: &Services, person: &Person, page: &KeyListPage) {
    let (figures, shown_at) = (figures(&page.summary), page.read_at);
    let (services, person) = (services.clone(), person.clone());
    let work = {
        let services = services.clone();
        async move {
            if let Err(failure) = try_remember(&services, &person, &figures, shown_at).await {
                let error: &dyn std::error::Error = &failure;
                tracing::info!(error, "a list could not be remembered");
            }
        }
    };
    services.in_background(work);
}

async fn try_remember(
    services: &Services,
    person: &Person,
    shown: &str,
    shown_at: Timestamp,
) -> Result<(), Failure> {
    // Whoever waited for the one before may find that nothing is left to do.
    let _turn = services.turn().await;
    if services.elasticsearch.silent_for().is_some() {
        return Ok(());
    }
    let viewer = &person.session().identity;
    let now = services.clock.now();
    let known = services.store.list_mark(viewer).await?;
    let access = person.actor(services).await?.access();
    let is_kept = known.is_some_and(|mark| {
        let is_newer = mark.read_at > shown_at;
        let is_alike = mark.figures == shown && mark.read_at.plus_ms(KEPT_MS_MAX) > now;
        mark.reach == access.list_reach && (is_newer || is_alike)
    });
    if is_kept {
        return Ok(());
    }
    if person.elasticsearch().lacks(Capability::Aggregations) {
        return Ok(());
    }
    let grant = person.grant(services, Permission::ListAgentKeys).await?;
    let mut found = person
        .elasticsearch()
        .query_api_keys(&query::newest(KEYS_MAX, now))
        .await?;
    let settings = services.store.read_apm_settings().await?;
    let mut summary = summary(&found).with_settings(&settings);
    summary.elsewhere = elsewhere::count(services, person).await?;
    summary.counts_everybody = access.list_reach == Reach::Everybody;
    let mark = ListMark {
        reach: access.list_reach,
        read_at: now,
        figures: figures(&summary),
    };
    // None of them can be revoked while it is shown.
    let ownership = Ownership::by_identity(viewer, access);
    let keys = found
        .api_keys
        .drain(..)
        .map(|key| agent_key(key, &ownership, access, now))
        .collect::<Result<_, _>>()?;
    let Ok(content) = serde_json::to_string(&Remembered { keys, summary }) else {
        // Texts and numbers always become text.
        return Ok(());
    };
    services
        .store
        .remember_list(&grant, &mark, &content)
        .await?;
    Ok(())
}

/// Every key that is made, ends or is revoked changes one of these.
fn figures(summary: &KeySummary) -> String {
    let KeySummary {
        active,
        expires_soon,
        expired,
        revoked,
        ..
    } = summary;
    format!("{active} {expires_soon} {expired} {revoked}")
}
