//! The server functions: each turns a form into vocabulary, asks the backend, and does nothing else.
//!
//! A browser without JavaScript posts its forms to the same addresses. The server then answers
//! with the page the form stood on, drawn with the outcome (see [`crate::components::form`]).

pub mod agent_keys;
pub mod apm_settings;
pub mod role;
pub mod session;
pub mod users;
