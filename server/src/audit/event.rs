//! An audit event before it is written.

use crate::{access::Identity, identifier::RequestId};
use app::model::{
    audit::{Action, Outcome},
    timestamp::Timestamp,
};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// One event. The default outcome is success.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The user; `None` for the application itself and for failed sign-ins.
    pub actor: Option<&'a Identity>,
    pub action: Action,
    pub outcome: Outcome,
    pub target: Target,
    /// Id of the operation, which the events of intent and outcome share.
    pub operation: Option<&'a str>,
    /// A JSON object without secrets.
    pub details: Value,
}

impl<'a> Event<'a> {
    pub fn new(action: Action) -> Self {
        Self {
            actor: None,
            action,
            outcome: Outcome::Success,
            target: Target::default(),
            operation: None,
            details: Value::Object(Map::new()),
        }
    }

    pub fn outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    pub fn by(self, actor: impl Into<Option<&'a Identity>>) -> Self {
        let actor = actor.into();
        Self { actor, ..self }
    }

    pub fn on(self, target: Target) -> Self {
        Self { target, ..self }
    }

    pub fn operation(self, id: &'a str) -> Self {
        let operation = Some(id);
        Self { operation, ..self }
    }

    /// Sets the details: a JSON object without secrets.
    pub fn details(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

/// The user, key or role that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Elasticsearch's id, if it has one.
    pub id: Option<String>,
    pub name: Option<String>,
}

/// Time, request and source of an event.
#[derive(Clone, Debug)]
pub struct EventContext {
    pub at: Timestamp,
    pub request_id: RequestId,
    /// Empty for events of the application itself.
    pub origin: EventSource,
}

/// Source of a request, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct EventSource {
    /// Address of the browser, or of the first proxy that is not trusted.
    pub address: Option<IpAddr>,
    /// Digest under which the session is stored. Events hold only a code of it.
    pub session: Option<String>,
}
