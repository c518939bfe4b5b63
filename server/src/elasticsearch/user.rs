//! `/_security/user`.

pub mod delete;
pub mod get;
pub mod put;
pub mod set_enabled;
pub mod set_password;
