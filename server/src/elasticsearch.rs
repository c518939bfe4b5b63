//! Client of Elasticsearch's HTTP API, for the embedded engine and for a cluster alike.
//!
//! Every call carries the signed-in user's own credential, so Elasticsearch enforces its own privileges. No call
//! follows a redirect, none is sent twice, and each is bounded in time and size. After a failed change, [`Error`] says
//! whether it may have been applied.

pub mod breaker;
mod call;
pub mod capabilities;
mod client;
pub mod error;
pub mod keys;
mod recheck;
mod rejected_sessions;
mod response;
pub mod security;
mod tls;
mod transport;
pub mod users;

pub use client::{Connection, Elasticsearch};
pub use error::Error;
pub(crate) use recheck::cannot_check;
pub use tls::ClientError;
