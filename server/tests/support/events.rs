//! Events that are written down without anything having happened.

use super::NOW;
use app::model::audit::Action;
use serde_json::json;
use server::{
    audit::{Event, EventContext, EventSource, Outcome, Target},
    identifier::RequestId,
};

/// When the event of this number happened.
pub(crate) fn event_context(number: i64) -> EventContext {
    EventContext {
        at: NOW.plus_ms(number),
        request_id: RequestId::new("request"),
        origin: EventSource::default(),
    }
}

/// Somebody wants to create the key of this number.
pub(crate) fn intent(number: i64) -> Event<'static> {
    Event::new(Action::AgentKeyCreate)
        .outcome(Outcome::Unknown)
        .on(Target {
            id: None,
            name: Some(format!("k-{number}")),
        })
        .operation("operation")
        .details(json!({ "n": number }))
}
