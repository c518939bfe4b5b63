//! Changes the end of a key of the user's own.

use crate::{
    access::{Identity, UpdateAgentKey},
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch::{self, capabilities::Capability, keys::KeyUpdate},
    error::Error,
    ledger,
};
use app::model::{agent_key::AgentKey, timestamp::Timestamp};
use http::StatusCode;
use serde_json::json;

/// Elasticsearch counts in whole seconds: a nearer end cannot be set.
const AHEAD_MS_MIN: i64 = 1_000;

/// Returns true if the end is so near that Elasticsearch cannot set it.
pub(super) fn is_due(end: Timestamp, now: Timestamp) -> bool {
    end < now.plus_ms(AHEAD_MS_MIN)
}

/// Returns true if Elasticsearch lets this user change the end of the key, as far as it is known.
pub(super) fn can_set_end(ctx: &RequestContext, key: &AgentKey) -> Result<bool, Error> {
    let lacks = ctx.elasticsearch()?.lacks(Capability::UpdateExpiration);
    Ok(!lacks && is_own(&ctx.session()?.identity, key))
}

/// Returns true if the key is this user's own, in the realm of the session.
pub(super) fn is_own(identity: &Identity, key: &AgentKey) -> bool {
    key.owner == identity.username && key.realm == identity.realm
}

/// Sets the end of an active key. `reason` stands in the audit event.
#[tracing::instrument(name = "agent_keys.key.set_end", skip_all)]
pub(super) async fn set_end(
    ctx: &RequestContext,
    key: &AgentKey,
    end: Timestamp,
    reason: &'static str,
) -> Result<(), Error> {
    let grant = ctx.grant::<UpdateAgentKey>().await?;
    let target = Target {
        id: Some(key.id.as_str().to_owned()),
        name: Some(key.name.clone()),
    };
    let (connection, state) = (ctx.elasticsearch()?.clone(), ctx.state.clone());
    let id = key.id.clone();
    let call = async move || {
        let ms = end.0.saturating_sub(state.now().0).max(AHEAD_MS_MIN);
        let update = KeyUpdate {
            expiration: Some(format!("{ms}ms")),
            metadata: None,
        };
        if let Err(error) = connection.update_api_key(&id, &update).await {
            connection.lacks_by(&error, Capability::UpdateExpiration);
            return Err(Error::of_write(error));
        }
        Ok(json!({ "expiration": end.iso_ms(), "reason": reason }))
    };
    ledger::run_one(ctx, grant, Action::AgentKeyUpdate, target, call).await
}

/// Returns true if Elasticsearch refused, and would refuse again.
pub(super) fn is_refused(error: &Error) -> bool {
    use elasticsearch::Error as E;
    match error {
        Error::Elasticsearch(E::Forbidden { .. } | E::Invalid { .. } | E::NotFound)
        | Error::Missing(_)
        | Error::NotFound => true,
        // A version without this route, for example.
        Error::Elasticsearch(E::Fault { status, .. }) => {
            matches!(
                *status,
                StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED
            )
        }
        _ => false,
    }
}
