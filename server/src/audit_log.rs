//! The audit log: reading it, handing it out, anchoring it, and proving that it is whole.

pub mod anchor;
pub mod export;
pub mod list;
pub mod verify;
