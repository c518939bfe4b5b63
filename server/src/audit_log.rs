//! The audit log: reading it, handing it out, forwarding it, anchoring it, and proving that it is whole.

pub mod anchor;
pub mod export;
pub(crate) mod forward;
pub mod list;
pub mod verify;
