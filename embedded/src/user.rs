//! Users.

pub(crate) mod change_password;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod put;
pub(crate) mod set_enabled;
