//! What a caller asks about itself.

pub(crate) mod authenticate;
pub(crate) mod has_privileges;
pub(crate) mod list_privileges;
