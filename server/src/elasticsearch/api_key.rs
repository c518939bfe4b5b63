//! `/_security/api_key`.

pub mod create;
pub mod get;
pub mod invalidate;
pub mod query;
