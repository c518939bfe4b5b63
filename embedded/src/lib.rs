#![doc = include_str!("../README.md")]

mod api_key;
mod application_privilege;
mod authentication;
mod authorization;
mod clock;
mod cluster;
mod config;
mod date;
mod engine;
mod error;
mod fields;
#[cfg(test)]
mod fuzz;
mod http;
mod pattern;
mod privilege;
mod query;
mod randomness;
mod reset_password;
mod role;
mod role_descriptor;
mod role_mapping;
mod state;
mod store;
mod subject;
mod time_value;
mod token;
mod user;
mod version;

pub use clock::Clock;
pub use config::{Config, PasswordHashing};
pub use engine::{Engine, StartError};
pub use reset_password::{ResetPasswordError, reset_password};
pub use version::Version;
