#![doc = include_str!("../README.md")]

mod auth;
mod cache;
mod compatibility;
mod cpu;
mod date;
mod engine;
mod error;
mod fields;
#[cfg(test)]
mod fuzz;
mod generate;
mod guard;
mod handlers;
mod http;
mod identity;
mod oidc;
mod passwords;
mod pattern;
mod privileges;
mod query;
mod recording;
mod reset_password;
mod roles;
mod routes;
mod serve;
mod state;
mod store;
mod time_value;
mod version;

pub use engine::{Config, Engine, StartError};
pub use guard::{APPLICATION_TOKEN, Boxed, Change, Guard};
pub use oidc::{Claims, ClientAuth, IdTokenAlgorithm, OidcRealm};
pub use passwords::PasswordHashing;
pub use reset_password::{ResetPasswordError, reset_password};
pub use version::Version;
