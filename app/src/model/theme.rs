//! The light or dark theme.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Name of the cookie that holds the user's choice, so that the server draws it with and without script.
pub const COOKIE: &str = "agent-keys-theme";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Theme {
    /// As the operating system has it.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// All, in display order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the value in the cookie and in the document.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Returns the label on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::System => "System theme",
            Self::Light => "Light theme",
            Self::Dark => "Dark theme",
        }
    }
}
