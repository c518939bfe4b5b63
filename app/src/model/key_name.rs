//! The name of an agent key, by Elasticsearch's rules.

use super::text::has_invisible;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Elasticsearch's maximum length of a name, in UTF-16 units, as Java counts them. An emoji counts as two.
pub const NAME_UNITS_MAX: usize = 256;

/// A key's name. Never empty, at most [`NAME_UNITS_MAX`] UTF-16 units, no white space at either end, no leading `_`.
///
/// Names are not unique; Elasticsearch identifies keys by id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// Reason for rejecting a key name. All that apply are reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyNameError {
    Empty,
    /// More than [`NAME_UNITS_MAX`] UTF-16 units.
    TooLong {
        /// Length of the input, in UTF-16 units.
        units: usize,
    },
    /// Elasticsearch reserves names that begin with `_`.
    LeadingUnderscore,
    ControlCharacter,
    /// A text direction mark or another character that cannot be seen.
    Invisible,
}

impl KeyName {
    /// Parses a name without the spaces around it, or returns all errors.
    pub fn parse(text: &str) -> Result<Self, Vec<KeyNameError>> {
        let text = text.trim();
        if text.is_empty() {
            return Err(vec![KeyNameError::Empty]);
        }
        let mut errors = Vec::new();
        let units = text.encode_utf16().count();
        if units > NAME_UNITS_MAX {
            errors.push(KeyNameError::TooLong { units });
        }
        if text.starts_with('_') {
            errors.push(KeyNameError::LeadingUnderscore);
        }
        if text.chars().any(char::is_control) {
            errors.push(KeyNameError::ControlCharacter);
        } else if has_invisible(text) {
            errors.push(KeyNameError::Invisible);
        }
        if errors.is_empty() {
            Ok(Self(text.to_owned()))
        } else {
            Err(errors)
        }
    }
}

string_newtype!(KeyName, KeyNameError, |text: &str| KeyName::parse(text)
    .map_err(|errors| errors[0]));

impl fmt::Display for KeyNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Enter a name."),
            Self::TooLong { units } => write!(
                f,
                "Use at most {NAME_UNITS_MAX} characters. This name has {units}; an emoji counts as two."
            ),
            Self::LeadingUnderscore => f.write_str("Start the name with something other than “_”."),
            Self::ControlCharacter => {
                f.write_str("Remove line breaks and other control characters.")
            }
            Self::Invisible => {
                f.write_str("Remove invisible characters, such as text direction marks.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_name_may_hold_inner_spaces_and_emoji() {
        for name in ["checkout", "check out", "é 🚀", "a_b", "-"] {
            assert_eq!(KeyName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn key_name_is_counted_in_utf16_units() {
        assert!(KeyName::parse(&"a".repeat(256)).is_ok());
        assert_eq!(
            KeyName::parse(&"a".repeat(257)),
            Err(vec![KeyNameError::TooLong { units: 257 }])
        );
        assert!(KeyName::parse(&"🚀".repeat(128)).is_ok());
        assert_eq!(
            KeyName::parse(&"🚀".repeat(129)),
            Err(vec![KeyNameError::TooLong { units: 258 }])
        );
    }

    #[test]
    fn every_broken_rule_of_a_key_name_is_reported() {
        assert_eq!(KeyName::parse(""), Err(vec![KeyNameError::Empty]));
        assert_eq!(
            KeyName::parse(&format!("_{}\ny", "a".repeat(256))),
            Err(vec![
                KeyNameError::TooLong { units: 259 },
                KeyNameError::LeadingUnderscore,
                KeyNameError::ControlCharacter
            ])
        );
    }

    #[test]
    fn outer_spaces_of_a_key_name_are_trimmed() {
        assert_eq!(
            KeyName::parse(" \u{3000}check out\t ").unwrap().as_str(),
            "check out"
        );
        assert_eq!(KeyName::parse(" "), Err(vec![KeyNameError::Empty]));
    }

    #[test]
    fn key_name_with_an_invisible_character_is_rejected() {
        for name in ["check\u{202E}tuo", "pay\u{200B}pal", "\u{2066}a"] {
            assert_eq!(KeyName::parse(name), Err(vec![KeyNameError::Invisible]));
        }
    }
}
