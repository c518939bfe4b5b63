//! What Agent Keys says and shows.
//!
//! * [`model`]: the vocabulary. Values that cannot be wrong once they exist.
//! * [`backend`]: the one trait between pages and everything behind them.
//! * [`questions`]: the server functions. Each turns a form into vocabulary and asks the backend.
//! * [`snippets`]: an agent's configuration, as the files its users write.
//! * [`components`], [`pages`], [`shell`]: what is drawn.
//!
//! The crate compiles twice: with the feature `server` it renders, with `hydrate` it runs in the browser.

pub mod backend;
pub mod model;
pub mod questions;
