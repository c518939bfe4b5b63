//! Audit log: an append-only chain of events in the database.
//!
//! An event is one line of JSON in the names of the Elastic Common Schema ([`record`]). An HMAC ties it to the event
//! before ([`chain`]), so that an edit, removal or reordering shows without the key, which is not in the database.
//! [`anchors`] keep some codes outside the database, so that a removed end shows as well. Events hold no secrets: no
//! password, no key, no cookie, no response of Elasticsearch.

pub mod anchors;
pub mod chain;
mod event;
pub mod export;
pub(crate) mod forward;
pub(crate) mod line_writer;
pub mod query;
pub mod record;
pub mod refusals;
pub mod verify;

pub use app::model::audit::{Action, Outcome};
pub use chain::AuditWriter;
pub use event::{Event, EventContext, EventSource, Target};
