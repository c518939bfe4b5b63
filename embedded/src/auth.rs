//! Authentication and authorization.

pub(crate) mod authenticate;
pub(crate) mod authorization;
pub(crate) mod credentials;
