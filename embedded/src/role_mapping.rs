//! Role mappings: kept for those who manage them here, never applied, because no realm of
//! this engine maps roles.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod put;
