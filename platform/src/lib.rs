//! Code that the server and the embedded engine share. Pages and browser do not use it.

mod clock;
pub mod private_files;
mod random;
pub mod sql;

pub use clock::Clock;
pub use random::{Random, RandomError};
