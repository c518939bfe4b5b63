//! Delivery of a new key's secret, as far as the ledger knows it.

use crate::{
    access::{CreateAgentKey, Grant, ListAgentKeys},
    context::RequestContext,
    error::Error,
    store::{Acknowledged, OperationState},
};
use app::model::{
    agent_key::{AgentKey, Delivery, KeyId, KeySource},
    new_agent_key::OperationId,
    timestamp::Timestamp,
};
use std::{collections::HashMap, time::Duration};

/// Time in which the browser can confirm that it displayed the secret.
pub const ACKNOWLEDGE_MAX: Duration = Duration::from_mins(10);

/// Puts into each key the delivery state of its secret. A key that carries an operation of this application and is
/// missing from the database gets an audit event: the database is older than the key. A key that is in the database and
/// carries no operation was changed elsewhere.
pub(super) async fn recall(
    ctx: &RequestContext,
    keys: &mut [AgentKey],
    now: Timestamp,
) -> Result<(), Error> {
    let ids: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
    let creations = ctx.state.store.creations(&ids).await?;
    let creations: HashMap<_, _> = creations
        .iter()
        .map(|creation| (creation.key_id.as_str(), creation))
        .collect();
    let mut unrecorded = Vec::new();
    for key in keys {
        if let Some(creation) = creations.get(key.id.as_str()) {
            key.delivery = delivery(creation.state, creation.began_at, now);
            if key.source != KeySource::AgentKeys {
                key.source = KeySource::ChangedElsewhere;
            }
        } else if key.source == KeySource::AgentKeys {
            unrecorded.push(key.id.clone());
        }
    }
    if !unrecorded.is_empty() {
        let grant = ctx.grant::<ListAgentKeys>().await?;
        note_drift(ctx, &grant, &unrecorded, "unrecorded_ours").await;
    }
    Ok(())
}

fn delivery(state: OperationState, began_at: Timestamp, now: Timestamp) -> Delivery {
    match state {
        OperationState::Delivered => Delivery::Confirmed,
        OperationState::NeverDelivered => Delivery::Never,
        _ if began_at.plus(ACKNOWLEDGE_MAX) > now => Delivery::Awaited,
        _ => Delivery::Unconfirmed,
    }
}

/// Records, once for each key and kind, that Elasticsearch and the ledger contradict each other.
pub(super) async fn note_drift(
    ctx: &RequestContext,
    grant: &Grant<ListAgentKeys>,
    keys: &[KeyId],
    kind: &str,
) {
    let event_context = ctx.event_context();
    let noted = ctx
        .state
        .store
        .note_drift(grant, keys, kind, &event_context);
    if let Err(error) = noted.await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "a contradiction could not be noted");
    }
}

/// Records that the browser displayed the secret. Repeating it changes nothing.
#[tracing::instrument(name = "agent_keys.secret.acknowledge", skip_all)]
pub async fn confirm_displayed(ctx: &RequestContext, operation: OperationId) -> Result<(), Error> {
    let grant = ctx.grant::<CreateAgentKey>().await?;
    let event_context = ctx.event_context();
    let acknowledged =
        ctx.state
            .store
            .acknowledge_secret(&grant, operation.as_str(), &event_context);
    match acknowledged.await? {
        Acknowledged::Delivered => Ok(()),
        Acknowledged::NotCreated => Err(Error::ChangedMeanwhile),
        Acknowledged::Unknown => Err(Error::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_unseen_after_ten_minutes_without_acknowledgement() {
        let began = Timestamp(1_000);
        let last = began.plus(ACKNOWLEDGE_MAX).plus_ms(-1);
        let sent = OperationState::Sent;
        assert_eq!(delivery(sent, began, last), Delivery::Awaited);
        assert_eq!(
            delivery(sent, began, last.plus_ms(1)),
            Delivery::Unconfirmed
        );
        let delivered = OperationState::Delivered;
        assert_eq!(delivery(delivered, began, last), Delivery::Confirmed);
    }
}
