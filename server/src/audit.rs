//! What is written down about who did what. Never a secret: no password, no key, no cookie, no answer of
//! Elasticsearch.
//!
//! Each event is written out once, as one line of JSON in the names of the Elastic Common Schema ([`record`]). A
//! code ties the line to the one before it ([`chain`]), so that whoever changes, removes or moves a line would have
//! to know a key that is not in the database. [`anchor`] keeps some of the codes elsewhere, so that a missing end is
//! seen as well, and [`destination`] writes the lines for a collector.

pub mod anchor;
pub mod chain;
pub mod destination;
pub mod record;
mod trail;

use crate::{access::Identity, request_id::RequestId};
use app::model::timestamp::Timestamp;
use serde_json::Value;
use std::net::IpAddr;

pub use app::model::audit::{Action, Outcome};
pub use trail::Trail;

/// What it was done to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Elasticsearch's id, where it has one.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// When, in which request, and from where.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// In which request.
    pub request_id: RequestId,
    /// From where; nothing for what the application does by itself.
    pub origin: Origin,
}

/// Where a request comes from, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The browser's machine, or the last proxy that the settings do not name.
    pub address: Option<IpAddr>,
    /// The digest under which the session is stored. A code of it is written down, never the digest itself.
    pub session: Option<String>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Who; `None` when nobody was signed in.
    pub actor: Option<&'a Identity>,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// To what.
    pub target: Target,
    /// The operation that links the intent's event with the outcome's.
    pub operation: Option<&'a str>,
    /// Whatever else is known, without secrets.
    pub details: Value,
}
