//! Events that are written down without anything having happened.

use super::NOW;
use app::model::audit::Action;
use serde_json::json;
use server::{
    audit::{Event, Origin, Outcome, Stamp, Target},
    request_id::RequestId,
};

/// When the event of this number happened.
pub(crate) fn stamp(number: i64) -> Stamp {
    Stamp {
        at: NOW.plus_ms(number),
        request_id: RequestId::new("request"),
        origin: Origin::default(),
    }
}

/// Somebody wants to create the key of this number.
pub(crate) fn intent(number: i64) -> Event<'static> {
    Event {
        actor: None,
        action: Action::AgentKeyCreate,
        outcome: Outcome::Unknown,
        target: Target {
            id: None,
            name: Some(format!("k-{number}")),
        },
        operation: Some("operation"),
        details: json!({ "n": number }),
    }
}
