//! How APM Server accepts agents: kept here, applied there.

pub mod read;
pub mod save;
