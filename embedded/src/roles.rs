//! Roles: descriptors, the built-in ones, and the permissions that follow from them.

pub(crate) mod built_in;
pub(crate) mod descriptor;
pub(crate) mod has_privileges_cache;
pub(crate) mod mapping;
pub(crate) mod parse;
pub(crate) mod permission;
