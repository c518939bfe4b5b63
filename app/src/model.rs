//! Domain types. Each is validated once, when it is parsed.

/// Implements the conversions of a validated string type.
macro_rules! string_newtype {
    ($name:ident, $error:ty, $parse:expr) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                $parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub mod agent_key;
pub mod apm_settings;
pub mod audit;
pub mod base_path;
pub mod key_list;
pub mod new_agent_key;
pub mod notice;
pub mod problem;
pub mod revocation;
pub mod role_mapping;
pub mod rotation;
pub mod secret;
pub mod session;
pub mod text;
pub mod theme;
pub mod timestamp;
pub mod user;
pub mod user_list;
