//! Sources of settings: the file and the environment, under one set of names.

use super::{Error, FILE_DEFAULT};
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Names of the settings in the file.
const NAMES: [&str; 23] = [
    "listen",
    "insecure_http",
    "trusted_proxies",
    "connections_max",
    "data_dir",
    "log",
    "log_format",
    "audit_log",
    "audit_retention_days",
    "metrics.listen",
    "tls.cert_file",
    "tls.key_file",
    "embedded.listen",
    "elasticsearch.url",
    "elasticsearch.ca_file",
    "elasticsearch.ca_fingerprint",
    "elasticsearch.client_cert_file",
    "elasticsearch.client_key_file",
    "base_path",
    "public_url",
    "service.username",
    "access.kibana_feature",
    "access.kibana_space",
];
/// Secrets, which may also come from a file.
const SECRETS: [&str; 4] = [
    "database_url",
    "server_key",
    "service.password",
    "elasticsearch.proxy",
];
/// The one secret with another name, known from Elasticsearch's container image.
const ELASTIC_PASSWORD: &str = "ELASTIC_PASSWORD";
/// A larger settings file or secret file is a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Environment variables, of the process or of a test.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process, which is read only here.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }
}

impl<N: Into<String>, V: Into<String>, const COUNT: usize> From<[(N, V); COUNT]> for Environment {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        let pair = |(name, value): (N, V)| (name.into(), value.into());
        Self(pairs.into_iter().map(pair).collect())
    }
}

/// The given values, by their names in the file. Reading a value removes it.
pub(super) struct Values(BTreeMap<String, Given>);

/// A value, and the name under which it was given, for errors.
struct Given {
    name: String,
    value: String,
}

impl Values {
    pub(super) fn read(file: Option<&Path>, environment: &Environment) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        if let Some((path, text)) = read_settings_file(file)? {
            let not_toml = |error: toml::de::Error| Error::NotToml {
                line: line_of(&text, error.span().map_or(0, |span| span.start)),
                path: path.clone(),
            };
            let table: toml::Table = toml::from_str(&text).map_err(not_toml)?;
            flatten("", table, &mut values)?;
        }
        for (name, value) in &environment.0 {
            let Some(key) = key_of(name) else { continue };
            let key = key.ok_or_else(|| Error::Unknown(name.clone()))?;
            // A secret file in the environment also overrides a value in the settings file.
            let other = match key.strip_suffix("_file") {
                Some(plain) if is_secret(plain) => plain.to_owned(),
                _ => format!("{key}_file"),
            };
            if values.get(&other).is_some_and(|given| given.name == other) {
                values.remove(&other);
            }
            let given = Given {
                name: name.clone(),
                value: value.clone(),
            };
            values.insert(key, given);
        }
        Ok(Self(values))
    }

    pub(super) fn named_text(&mut self, key: &str) -> Option<(String, String)> {
        let given = self.0.remove(key)?;
        // Compose files unset a variable by an empty value.
        (!given.value.is_empty()).then_some((given.name, given.value))
    }

    /// A value and the name under which it was given. An empty value is an error: a variable that a template left empty
    /// would otherwise silently mean the default.
    pub(super) fn given(&mut self, key: &str) -> Result<Option<(String, String)>, Error> {
        self.refuse_empty(key)?;
        Ok(self.named_text(key))
    }

    /// The same for a secret, and for the file that holds it.
    pub(super) fn given_secret(
        &mut self,
        key: &str,
    ) -> Result<Option<(String, SecretString)>, Error> {
        self.refuse_empty(key)?;
        self.refuse_empty(&format!("{key}_file"))?;
        self.secret(key)
    }

    fn refuse_empty(&self, key: &str) -> Result<(), Error> {
        match self.0.get(key) {
            Some(given) if given.value.is_empty() => Err(Error::Invalid {
                name: given.name.clone(),
                reason: "is empty; give it a value or leave it out",
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.named_text(key).map(|(_, value)| value)
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(super) fn address(&mut self, key: &str, default: SocketAddr) -> Result<SocketAddr, Error> {
        Ok(self.address_if_given(key)?.unwrap_or(default))
    }

    pub(super) fn address_if_given(&mut self, key: &str) -> Result<Option<SocketAddr>, Error> {
        let Some((name, value)) = self.named_text(key) else {
            return Ok(None);
        };
        let address = value.parse().map_err(|_| Error::Invalid {
            name,
            reason: "use an IP address and a port, such as 127.0.0.1:5680",
        })?;
        Ok(Some(address))
    }

    pub(super) fn switch(&mut self, key: &str, default: bool) -> Result<bool, Error> {
        match self.named_text(key) {
            None => Ok(default),
            Some((_, value)) if value == "true" => Ok(true),
            Some((_, value)) if value == "false" => Ok(false),
            Some((name, _)) => Err(Error::Invalid {
                name,
                reason: "use true or false",
            }),
        }
    }

    /// One of the words in `choices`. The first is the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T); 2],
        reason: &'static str,
    ) -> Result<T, Error> {
        let Some((name, value)) = self.named_text(key) else {
            return Ok(choices[0].1);
        };
        choices
            .iter()
            .find(|(word, _)| *word == value)
            .map(|(_, choice)| *choice)
            .ok_or(Error::Invalid { name, reason })
    }

    /// A secret and the name under which it was given.
    pub(super) fn secret(&mut self, key: &str) -> Result<Option<(String, SecretString)>, Error> {
        let value = self.named_text(key);
        let file = self.named_text(&format!("{key}_file"));
        match (value, file) {
            (Some((name, _)), Some(_)) => Err(Error::Twice(name)),
            (Some((name, value)), None) => Ok(Some((name, value.into()))),
            (None, Some((name, path))) => {
                let read = read_limited(Path::new(&path));
                let text = read.map_err(|source| Error::SecretFile {
                    name: name.clone(),
                    source,
                })?;
                // The line break at the end of the file is not part of the secret.
                let secret = text.strip_suffix('\n').unwrap_or(&text);
                let secret = secret.strip_suffix('\r').unwrap_or(secret);
                Ok(Some((name, secret.to_owned().into())))
            }
            (None, None) => Ok(None),
        }
    }
}

fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key) || key == "embedded.elastic_password"
}

fn is_known(key: &str) -> bool {
    let secret_file = key.strip_suffix("_file").is_some_and(is_secret);
    NAMES.contains(&key) || is_secret(key) || secret_file
}

/// The setting of an environment variable: `None` without our prefix, `Some(None)` for an unknown name with it.
fn key_of(variable: &str) -> Option<Option<String>> {
    match variable.strip_prefix(ELASTIC_PASSWORD) {
        Some("") => return Some(Some("embedded.elastic_password".to_owned())),
        Some("_FILE") => return Some(Some("embedded.elastic_password_file".to_owned())),
        _ => {}
    }
    let rest = variable.strip_prefix("AGENT_KEYS_")?;
    // The tests' own variables share the prefix and are ignored.
    if rest.starts_with("TEST_") {
        return None;
    }
    let lower = rest.to_ascii_lowercase();
    let sections = [
        "metrics",
        "tls",
        "embedded",
        "elasticsearch",
        "service",
        "access",
    ];
    let dotted = lower
        .split_once('_')
        .filter(|(section, _)| sections.contains(section))
        .map_or(lower.clone(), |(section, key)| format!("{section}.{key}"));
    Some(is_known(&dotted).then_some(dotted))
}

fn flatten(
    prefix: &str,
    table: toml::Table,
    values: &mut BTreeMap<String, Given>,
) -> Result<(), Error> {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        let value = match value {
            toml::Value::Table(table) if prefix.is_empty() => {
                flatten(&name, table, values)?;
                continue;
            }
            toml::Value::String(text) => text,
            toml::Value::Boolean(switch) => switch.to_string(),
            toml::Value::Integer(number) => number.to_string(),
            _ if !is_known(&name) => return Err(Error::Unknown(name)),
            _ => {
                let reason = "use a text, a number, true or false";
                return Err(Error::Invalid { name, reason });
            }
        };
        if !is_known(&name) {
            return Err(Error::Unknown(name));
        }
        values.insert(name.clone(), Given { name, value });
    }
    Ok(())
}

fn read_settings_file(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, Error> {
    let path = file.unwrap_or(Path::new(FILE_DEFAULT));
    match read_limited(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            path: path.to_owned(),
            source,
        }),
    }
}

fn read_limited(path: &Path) -> std::io::Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            "not a file of at most 64 KiB",
        ));
    }
    fs::read_to_string(path)
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTATION: &str = include_str!("../../../docs/settings.md");

    /// The text in backticks at the beginning of a table's cell.
    fn code(cell: &str) -> Option<&str> {
        cell.trim().strip_prefix('`')?.split('`').next()
    }

    #[test]
    fn every_setting_is_documented_with_both_names() {
        let mut documented: Vec<&str> = Vec::new();
        for row in DOCUMENTATION.lines() {
            let mut cells = row.split('|').skip(1);
            let (variable, name) = (cells.next().and_then(code), cells.next().and_then(code));
            if let (Some(variable), Some(name)) = (variable, name) {
                assert_eq!(key_of(variable), Some(Some(name.to_owned())), "{variable}");
                documented.push(name);
            }
        }
        documented.sort_unstable();
        let mut known = [NAMES.as_slice(), SECRETS.as_slice()].concat();
        known.sort_unstable();
        assert_eq!(documented, known);
    }
}
