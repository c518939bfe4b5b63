//! Where the audit log goes as documents.

use super::{Error, elasticsearch_url, source::Values};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use url::Url;

/// The data stream when none is named: the one that belongs to the events' own data set.
const NAME_DEFAULT: &str = "logs-agent_keys.audit-default";
/// Elasticsearch's own limit.
const NAME_BYTES_MAX: usize = 255;

/// A data stream of an Elasticsearch, which may be another than the one whose keys these are.
#[derive(Clone, Debug)]
pub struct AuditStream {
    /// `audit_stream_url`, `AGENT_KEYS_AUDIT_STREAM_URL`: `http` or `https`, without user and password.
    pub url: Url,
    /// `audit_stream_name`, `AGENT_KEYS_AUDIT_STREAM_NAME`. Default `logs-agent_keys.audit-default`.
    pub name: String,
    /// `audit_stream_api_key`, `AGENT_KEYS_AUDIT_STREAM_API_KEY` (a secret): in its encoded form, with `create_doc` on
    /// the data stream, and `auto_configure` until there is one.
    pub api_key: SecretString,
    /// `audit_stream_ca_file`, `AGENT_KEYS_AUDIT_STREAM_CA_FILE`: PEM certificates that alone are trusted. Default:
    /// those the operating system trusts.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn read(values: &mut Values) -> Result<Option<AuditStream>, Error> {
    let name = values.named_text("audit_stream_name");
    let ca_file = values.path("audit_stream_ca_file");
    let api_key = values.secret("audit_stream_api_key")?;
    let (given, api_key) = match (values.named_text("audit_stream_url"), api_key) {
        (Some(url), Some(api_key)) => (url, api_key),
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err(Error::Half {
                given: "AGENT_KEYS_AUDIT_STREAM_URL",
                missing: "AGENT_KEYS_AUDIT_STREAM_API_KEY",
            });
        }
        (None, Some(_)) => {
            return Err(Error::Half {
                given: "AGENT_KEYS_AUDIT_STREAM_API_KEY",
                missing: "AGENT_KEYS_AUDIT_STREAM_URL",
            });
        }
    };
    let (setting, text) = given;
    let reason = "leave out user and password: the API key is for that";
    let url = elasticsearch_url(setting, &text, reason)?;
    let (setting, api_key) = api_key;
    if !api_key
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        let reason = "use the key in its encoded form";
        return Err(Error::Invalid {
            name: setting,
            reason,
        });
    }
    let name = match name {
        None => NAME_DEFAULT.to_owned(),
        Some((_, name)) if can_be_data_stream(&name) => name,
        Some((name, _)) => {
            let reason = "a data stream has lower-case letters, digits, and - _ . between them";
            return Err(Error::Invalid { name, reason });
        }
    };
    Ok(Some(AuditStream {
        url,
        name,
        api_key,
        ca_file,
    }))
}

/// Narrower than Elasticsearch, which would also take what no path should hold.
fn can_be_data_stream(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    name.len() <= NAME_BYTES_MAX
        && name.chars().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}
