//! Revoking an agent key.

use super::find::find;
use crate::{
    access::Permission,
    audit::{Action, Target},
    elasticsearch::Error,
    failure::Failure,
    operation::{self, Changed},
    services::{Person, Services},
};
use app::model::{
    access::Reach,
    agent_key::{AgentKey, KeyId, KeyStatus, RevokedAgentKey},
};
use serde_json::json;

/// Why a key is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody wants it gone.
    Asked,
    /// Nobody can have its secret.
    NeverDelivered,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Asked => "user",
            Self::NeverDelivered => "never_delivered_auto",
        }
    }
}

/// Revokes a key. Revoking a revoked key succeeds: the caller wanted it gone, and it is.
///
/// Keys that are no agent keys, that this person may not see, or that belong to somebody else and are out of this
/// person's reach, are answered like keys that do not exist.
#[tracing::instrument(name = "agent_keys.key.revoke", skip_all)]
pub async fn revoke(
    services: &Services,
    person: &Person,
    id: KeyId,
    reason: Reason,
) -> Result<RevokedAgentKey, Failure> {
    let grant = person.grant(services, Permission::RevokeAgentKey).await?;
    let key = find(services, person, &id).await?;
    if matches!(key.status, KeyStatus::Revoked { .. }) {
        return Ok(revoked(key, true));
    }
    if !key.revocable {
        return Err(Failure::NotFound);
    }
    let reach = person.actor(services).await?.access().revoke_reach;
    let target = Target {
        id: Some(id.as_str().to_owned()),
        name: Some(key.name.clone()),
    };
    let change = move |person| ask(person, key, reach, reason);
    let action = Action::AgentKeyInvalidate;
    operation::carry_out(services, person, grant, action, target, change).await
}

async fn ask(
    person: Person,
    key: AgentKey,
    reach: Reach,
    reason: Reason,
) -> Result<Changed<RevokedAgentKey>, Failure> {
    let only_own = reach == Reach::Own;
    let answer = person
        .elasticsearch()
        .invalidate_api_key(&key.id, only_own)
        .await
        .map_err(Failure::of_write)?;
    let listed = |ids: &[String]| ids.iter().any(|id| id == key.id.as_str());
    let already = if listed(&answer.invalidated_api_keys) {
        false
    } else if listed(&answer.previously_invalidated_api_keys) {
        true
    } else {
        // Elasticsearch passes over keys that are revoked already, and over those it does not find. Only a look tells.
        let query = super::query::by_id(&key.id);
        let found = person.elasticsearch().query_api_keys(&query).await;
        match found.map(|mut found| found.api_keys.pop()) {
            Ok(Some(stored)) if stored.invalidated => true,
            Ok(None) => return Err(Failure::NotFound),
            Ok(Some(_)) => return Err(Error::BadAnswer("the key was not revoked").into()),
            Err(error) => return Err(Failure::Unconfirmed(error)),
        }
    };
    Ok(Changed {
        details: json!({ "already": already, "reason": reason.word() }),
        value: revoked(key, already),
    })
}

fn revoked(key: AgentKey, already: bool) -> RevokedAgentKey {
    RevokedAgentKey {
        id: key.id,
        name: key.name,
        already,
    }
}
