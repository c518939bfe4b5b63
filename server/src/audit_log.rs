//! The audit log: anchoring it, and proving that it is whole.

pub mod anchor;
pub mod verify;
