//! Privileges as data: names turned into actions.

pub(crate) mod application;
pub(crate) mod cluster;
pub(crate) mod index;
