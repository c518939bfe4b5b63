//! How Agent Keys answers: who may, what Elasticsearch does, what is remembered.
//!
//! * [`config`]: the settings, read once.
//! * [`application`]: everything put together, started and stopped.
//! * [`http`] and [`backend`]: the web, and the pages' backend for one request. Both call
//! * the use cases: [`agent_keys`], [`users`], [`role`], [`apm`], [`audit_log`], [`sessions`], which share [`services`], and use
//! * [`access`] (who may), [`store`] (what is remembered), [`elasticsearch`] (what is asked there) and [`audit`]
//!   (what is written down).
//!
//! Errors grow towards the browser: each of the lower modules has its own, the use cases have
//! [`failure::Failure`], and [`problem`] says what a person learns of it.

pub mod access;
pub mod agent_keys;
pub mod apm;
pub mod application;
pub mod audit;
pub mod audit_log;
pub mod backend;
pub mod backup;
pub mod clock;
pub mod config;
pub mod credential;
pub mod elasticsearch;
pub mod failure;
pub mod housekeeping;
pub mod http;
pub mod metrics;
mod operation;
pub mod problem;
pub mod random;
pub mod request_id;
pub mod role;
pub mod services;
pub mod sessions;
pub mod store;
pub mod users;
pub mod visit;
