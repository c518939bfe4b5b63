//! Domain types. Each is validated once, when it is parsed.

pub mod agent_key;
pub mod apm_settings;
pub mod audit;
pub mod audit_query;
pub mod base_path;
pub mod key_list;
pub mod key_name;
pub mod new_agent_key;
pub mod problem;
pub mod revocation;
pub mod role;
pub mod secret;
pub mod session;
pub mod timestamp;
pub mod user;
pub mod viewer;
