//! `/_security/role`.

pub mod get;
pub mod put;
