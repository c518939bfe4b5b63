//! All errors of the settings at once, and the settings in effect without their secrets.

use super::{
    Config, Error,
    source::{Environment, ShownSetting, Values, names_of},
};
use std::{collections::BTreeSet, path::Path};

impl Config {
    /// Reads the settings as [`Config::read`] does, and returns every error. What is wrong is left out, so that the rest
    /// can be looked at.
    pub fn check(
        file: Option<&Path>,
        environment: &Environment,
    ) -> Result<Vec<ShownSetting>, Vec<Error>> {
        let mut errors = Vec::new();
        let mut ignored = BTreeSet::new();
        loop {
            let Err(error) = Self::read_without(file, environment, &ignored) else {
                break;
            };
            let before = ignored.len();
            ignored.extend(error.setting().into_iter().flat_map(names_of));
            errors.push(error);
            // Without a name, nothing can be left out.
            if ignored.len() == before {
                break;
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let values = Values::read(file, environment, &ignored).map_err(|error| vec![error])?;
        Ok(values.shown(file))
    }
}

impl Error {
    /// The setting that is to be corrected, as it was given.
    fn setting(&self) -> Option<&str> {
        match self {
            Self::Unknown { name, .. }
            | Self::UnknownParameter { name, .. }
            | Self::Invalid { name, .. }
            | Self::SecretFile { name, .. }
            | Self::Secret { name, .. }
            | Self::Twice(name) => Some(name),
            Self::Half { given, .. } => Some(given),
            Self::PlainHttp { setting, .. } => Some(setting),
            Self::File { .. } | Self::NotToml { .. } => None,
        }
    }
}
