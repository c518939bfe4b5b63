//! What a key is for, in the words of the people who run the service.

use serde::{Deserialize, Serialize};

/// The longest label, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 100;

/// Optional labels, kept in the key's metadata. They fill in the configuration snippets and can be searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// The service that uses the key.
    pub service: Option<String>,
    /// Where it runs, for example `production`.
    pub environment: Option<String>,
    /// Who answers for it.
    pub team: Option<String>,
}

/// A label that cannot be used: too long, or with control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelError;

/// Reads one label; an empty field is no label.
pub fn parse_label(text: &str) -> Result<Option<String>, LabelError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > LABEL_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return Err(LabelError);
    }
    Ok(Some(text.to_owned()))
}
