//! Privileges as data: names, and the actions they stand for.

pub(crate) mod application;
pub(crate) mod cluster;
pub(crate) mod index;
