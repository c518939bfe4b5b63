//! The server of Agent Keys: permissions, calls of Elasticsearch, and the application's own database.
//!
//! * [`config`]: the settings, read once.
//! * [`application`]: everything put together, started and stopped.
//! * [`http`] and [`backend`]: the web, and the pages' backend. Both call the use cases.
//! * The use cases: [`keys`], [`users`], [`role`], [`apm_settings`], [`audit`], [`sessions`], [`viewer`]. Each takes a
//!   [`context::RequestContext`], changes Elasticsearch through the ledger, and uses
//! * [`access`] (permissions), [`store`] (SQL), [`elasticsearch`] (the client) and [`audit`] (the audit log).
//!
//! Each of the lower modules has its own error type; the use cases have [`error::Error`], which also decides what the
//! browser learns.

pub mod access;
pub mod apm_settings;
pub mod application;
pub mod audit;
pub mod backend;
pub mod backup;
pub mod certificate;
pub mod config;
pub mod context;
pub mod credential;
pub mod data_lock;
pub mod database;
pub mod doctor;
pub mod elasticsearch;
pub mod error;
pub mod health;
pub mod http;
pub mod identifier;
pub mod keys;
mod ledger;
pub mod log;
pub mod made_elsewhere;
pub mod maintenance;
pub mod metrics;
pub mod role;
pub mod sessions;
pub mod store;
pub mod users;
pub mod viewer;
