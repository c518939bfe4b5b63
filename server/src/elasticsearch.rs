//! Elasticsearch, over HTTP: the same client for the embedded engine and for a cluster.
//!
//! One file, one operation. Every call carries the signed-in person's own credential, so nobody can do here what
//! Elasticsearch would not let them do; no call follows a redirect, none is sent twice, and each is bounded in
//! time and size. [`Error`] tells not only what went wrong, but for a change also whether it is sure that nothing
//! happened.

mod answer;
pub mod api_key;
pub mod authenticate;
pub mod breaker;
pub mod capabilities;
pub mod connection;
pub mod credential;
pub mod error;
pub mod has_privileges;
pub mod info;
mod queue;
pub(crate) mod recheck;
pub mod role;
mod transport;
pub mod user;

pub use connection::{Connection, Elasticsearch, StartError};
pub use credential::Credential;
pub use error::Error;
