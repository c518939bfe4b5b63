//! The vocabulary: parsed once, then passed on as values that cannot be wrong.

pub mod access;
pub mod agent_key;
pub mod apm_settings;
pub mod audit;
pub mod base_path;
pub mod expiration;
pub mod key_list;
pub mod key_name;
pub mod keys_in_use;
pub mod labels;
pub mod new_agent_key;
pub mod password;
pub mod privilege;
pub mod problem;
pub mod revocation;
pub mod role;
pub mod secret;
pub mod session;
pub mod timestamp;
pub mod user;
pub mod viewer;
