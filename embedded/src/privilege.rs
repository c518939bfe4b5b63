//! What privileges mean: names turned into actions, and questions about them answered.

pub(crate) mod answers;
pub(crate) mod application;
pub(crate) mod built_in_roles;
pub(crate) mod cluster;
pub(crate) mod index;
pub(crate) mod permission;
