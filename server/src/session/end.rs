//! Ending a session.

use super::Session;
use crate::{
    audit::{Action, Event, Outcome, Stamp, Target},
    services::Services,
    store,
};
use serde_json::json;

/// Why a session ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The person signed out.
    SignedOut,
    /// Elasticsearch no longer accepts the credential.
    NotAccepted,
}

/// Ends the session for good. Ending one that has ended does nothing.
pub async fn end(
    services: &Services,
    session: &Session,
    reason: EndReason,
    stamp: &Stamp,
) -> Result<(), store::Error> {
    let (action, reason) = match reason {
        EndReason::SignedOut => (Action::UserLogout, "signed_out"),
        EndReason::NotAccepted => (Action::SessionEnded, "es_401"),
    };
    let event = Event {
        actor: Some(&session.identity),
        action,
        outcome: Outcome::Success,
        target: Target::default(),
        operation: None,
        details: json!({ "reason": reason }),
    };
    services
        .store
        .end_session(&session.id_hash, &event, stamp)
        .await?;
    Ok(())
}
