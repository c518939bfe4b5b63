//! The audit log: reading it, handing it out, sending it elsewhere, anchoring it, and proving that it is whole.

pub mod anchor;
pub mod export;
pub mod list;
pub(crate) mod stream;
pub mod verify;
