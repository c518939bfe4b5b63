//! The server's tests: over real HTTP, against the real engine and a real database, each test with its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod access;
mod audit;
mod audit_chain;
mod binary;
mod boundary;
mod configuration;
mod connections;
mod create;
mod durability;
mod faults;
mod forms;
mod known_device;
mod ledger;
mod list;
mod metrics;
mod outage;
mod proxies;
mod reauthenticate;
mod revoke;
mod sessions;
mod settings;
mod sign_in;
mod store;
mod support;
mod users;
