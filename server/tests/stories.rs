//! The server's tests: over real HTTP, against the real engine and a real database, each test with its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod access;
mod audit;
mod audit_chain;
mod audit_forward;
mod audit_refusals;
mod audit_retention;
mod backups;
mod bad_responses;
mod base_path;
mod binary;
mod changed_elsewhere;
mod concurrent_edits;
mod configuration;
mod conformance;
mod connections;
mod contention;
mod create;
mod doctor;
mod domains;
mod durability;
mod engine_keys;
mod engine_port;
mod engine_tls;
mod faults;
mod forms;
mod guessing;
mod health;
mod known_device;
mod ledger;
mod list;
mod made_elsewhere;
mod metrics;
mod open_redirects;
mod outage;
mod own_password;
mod panics;
mod passwords;
mod postgres_tls;
mod process;
mod process_log;
mod proxies;
mod reauthenticate;
mod recheck;
mod redirect;
mod refusals;
mod request_limits;
mod reverse_proxies;
mod revoke;
mod revoke_many;
mod revoke_matching;
mod role_mappings;
mod rotate;
mod secrets;
mod server_key;
mod session_encryption;
mod sessions;
mod settings;
mod settings_check;
mod sign_in;
mod snippets;
mod soak;
mod store;
mod store_sessions;
mod support;
mod transport;
mod transport_tls;
mod unrecorded;
mod upgrade;
mod user_list;
mod users;
mod versions;
