//! Settings, from a file and the environment.
//!
//! A setting has one name: `elasticsearch.url` in the file `agent-keys.toml` is
//! `AGENT_KEYS_ELASTICSEARCH_URL` in the environment, and the environment wins. A secret may also come from a
//! file: add `_FILE` (or `_file`) to its name. An unknown name is an error, so that a typing mistake never silently
//! means the default. Errors name the setting and never print its value.

mod check;
mod cluster;
mod database;
mod file;
mod kubernetes;
mod listener;
mod source;

use crate::credential::Credential;
use app::model::base_path::BasePath;
use secrecy::{ExposeSecret, SecretString};
use source::Values;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use url::Url;

pub use cluster::{Cluster, Trust};
pub use listener::{Limits, TlsFiles, TrustedProxies};
pub use source::{Environment, SecretFlaw, ShownSetting};

/// The settings file without `--config`, if it exists.
pub const FILE_DEFAULT: &str = "agent-keys.toml";
/// Default retention of audit events: a year, and some weeks to compare with the same month of the year before.
pub const AUDIT_RETENTION_DAYS: u32 = 400;
/// Shortest password of a user, as in Elasticsearch.
const PASSWORD_CHARACTERS_MIN: usize = 6;

/// All settings.
#[derive(Debug)]
pub struct Config {
    /// `listen`, `AGENT_KEYS_LISTEN`: address for browsers. Default `127.0.0.1:5680`; port 0 picks a free one.
    pub listen: SocketAddr,
    /// `tls.cert_file` and `tls.key_file`, `AGENT_KEYS_TLS_CERT_FILE` and `AGENT_KEYS_TLS_KEY_FILE`:
    /// PEM files; both or neither. Default: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `insecure_http`, `AGENT_KEYS_INSECURE_HTTP`: `true` allows plain HTTP beyond this machine. Default `false`.
    pub insecure_http: bool,
    /// `trusted_proxies`, `AGENT_KEYS_TRUSTED_PROXIES`: networks, separated by commas, of the proxies whose
    /// `X-Forwarded-For` and `X-Forwarded-Proto` count. Default: none.
    pub trusted_proxies: TrustedProxies,
    /// `base_path`, `AGENT_KEYS_BASE_PATH`: the path below which browsers find the pages, such as `/agent-keys`, where
    /// the host name is shared. Default: none.
    pub base_path: BasePath,
    /// `public_url`, `AGENT_KEYS_PUBLIC_URL`: the address in the browser's address bar, where a proxy does not pass
    /// `Host` on unchanged. Forms of this origin are accepted. Default: what `Host` says.
    pub public_url: Option<Url>,
    /// `host_names`, `AGENT_KEYS_HOST_NAMES`: further host names, separated by commas, under which browsers and other
    /// clients reach the listeners over plain HTTP. Default: none.
    pub host_names: Vec<String>,
    /// `connections_max`, `AGENT_KEYS_CONNECTIONS_MAX`: connections of browsers that may be open at once. Default 512.
    /// The other limits are no settings.
    pub limits: Limits,
    /// `metrics.listen`, `AGENT_KEYS_METRICS_LISTEN`: address of a listener for `/metrics`, without authentication.
    /// Default: none.
    pub metrics_listen: Option<SocketAddr>,
    /// `redirect.listen`, `AGENT_KEYS_REDIRECT_LISTEN`: address of a listener for plain HTTP that only leads browsers to
    /// `public_url`, which must then be an `https` address. Default: none.
    pub redirect_listen: Option<SocketAddr>,
    /// `data_dir`, `AGENT_KEYS_DATA_DIR`: databases and keys. Default `./data`; created if missing.
    pub data_dir: PathBuf,
    /// `database_url`, `AGENT_KEYS_DATABASE_URL` (a secret): `sqlite://…` or `postgres://…`.
    /// Default: `agent-keys.db` in the data directory.
    pub database_url: Option<SecretString>,
    /// `server_key`, `AGENT_KEYS_SERVER_KEY` (a secret): at least 32 characters that seal sessions; processes that
    /// share a database share it. Default: generated on the first start, in `server.key` in the data directory.
    pub server_key: Option<SecretString>,
    pub elasticsearch: Elasticsearch,
    /// `service.username` and `service.password`, `AGENT_KEYS_SERVICE_USERNAME` and `AGENT_KEYS_SERVICE_PASSWORD`
    /// (a secret): a user with `manage_api_key`, as which keys whose secret was lost are found and revoked every
    /// minute. Default: none; then this happens when a user opens the list.
    pub service: Option<Credential>,
    /// Not a setting; only for tests.
    #[doc(hidden)]
    pub durability: Durability,
    pub access: Access,
    /// `log`, `AGENT_KEYS_LOG`: what is logged, as in `info` or `server=debug,info`. Default `info`.
    pub log: String,
    /// `log_format`, `AGENT_KEYS_LOG_FORMAT`: `text` or `json`. Default `text`.
    pub log_format: LogFormat,
    /// `audit_log`, `AGENT_KEYS_AUDIT_LOG`: output of each audit event as a line of JSON, for a collector:
    /// `stdout`, or the path of a file that is appended to. Default: none.
    pub audit_log: Option<AuditDestination>,
    /// `audit_retention_days`, `AGENT_KEYS_AUDIT_RETENTION_DAYS`: the age at which events of the audit log are
    /// removed. Default [`AUDIT_RETENTION_DAYS`].
    pub audit_retention_days: u32,
}

/// The embedded engine, or a cluster.
#[derive(Debug)]
pub enum Elasticsearch {
    Embedded {
        /// `embedded.listen`, `AGENT_KEYS_EMBEDDED_LISTEN`: address for APM Server. Default `127.0.0.1:9200`;
        /// port 0 picks a free one. Beyond this machine it needs TLS or `insecure_http`, as `listen` does.
        listen: SocketAddr,
        /// `ELASTIC_PASSWORD` (a secret, only from the environment): the first password of `elastic`.
        /// Default: generated, and printed once.
        elastic_password: Option<SecretString>,
    },
    Cluster(Box<Cluster>),
}

/// Additional privileges of Kibana.
#[derive(Clone, Debug)]
pub struct Access {
    /// `access.kibana_feature`, `AGENT_KEYS_ACCESS_KIBANA_FEATURE`: `require` or `ignore`. Default `require`.
    pub kibana_feature: KibanaFeature,
    /// `access.kibana_space`, `AGENT_KEYS_ACCESS_KIBANA_SPACE`: the space for which the Kibana privilege is checked,
    /// or `*` for any space that the user's roles name. Default `default`.
    pub kibana_space: String,
}

/// Check of Kibana's own feature privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KibanaFeature {
    /// Reading needs `feature_apm.read` or better, changing `feature_apm.all`, as in Kibana.
    Require,
    /// For clusters without Kibana.
    Ignore,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

/// Output of the audit log's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditDestination {
    Stdout,
    /// A file that is appended to. Created if missing, and opened for each batch, so that it can be rotated.
    File(PathBuf),
}

/// Durability of a commit.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A commit survives a power cut.
    #[default]
    Full,
    /// A commit may be lost. No setting selects this: it is the negative control of the durability tests.
    MissedByTests,
}

/// Invalid settings. Each error names the setting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the settings file {path}: {source}", path = path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the settings file {path} is not TOML: line {line}", path = path.display())]
    NotToml {
        path: PathBuf,
        /// The text itself may be a secret, so only the line is shown.
        line: usize,
    },
    #[error("unknown setting: {name}{}", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// The setting as it was given.
        name: String,
        /// The known name that is most like it.
        nearest: Option<String>,
    },
    #[error("{name}: unknown parameter {parameter}{}", did_you_mean(nearest.as_deref()))]
    UnknownParameter {
        /// The setting as it was given.
        name: String,
        parameter: String,
        /// The known parameter that is most like it.
        nearest: Option<String>,
    },
    #[error("{name}: {reason}")]
    Invalid {
        /// The setting as it was given.
        name: String,
        /// The expected form.
        reason: &'static str,
    },
    #[error("{name}: cannot read the file it names: {source}")]
    SecretFile {
        /// The setting as it was given.
        name: String,
        source: std::io::Error,
    },
    #[error("{name}: {flaw}")]
    Secret {
        /// The setting as it was given.
        name: String,
        flaw: SecretFlaw,
    },
    #[error("{0} is given both as a value and as a file; give one")]
    Twice(String),
    #[error("{given} is set and {missing} is not; give both or neither")]
    Half {
        given: &'static str,
        missing: &'static str,
    },
    /// Plain HTTP on an address beyond this machine.
    #[error(
        "{setting} is {address}: plain HTTP beyond this machine would show passwords and keys to anyone on the \
         way. Set AGENT_KEYS_TLS_CERT_FILE and AGENT_KEYS_TLS_KEY_FILE, or AGENT_KEYS_INSECURE_HTTP=true if \
         something in front of it does TLS"
    )]
    PlainHttp {
        setting: &'static str,
        address: SocketAddr,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |known| format!("; did you mean {known}?"))
}

impl Config {
    /// Reads the settings. A named `file` must exist; otherwise [`FILE_DEFAULT`] is read if it exists.
    pub fn read(file: Option<&Path>, environment: &Environment) -> Result<Self, Error> {
        Self::read_without(file, environment, &BTreeSet::new())
    }

    /// The same, without the settings of these names.
    fn read_without(
        file: Option<&Path>,
        environment: &Environment,
        ignored: &BTreeSet<String>,
    ) -> Result<Self, Error> {
        let mut values = Values::read(file, environment, ignored)?;
        let mut config = Self {
            listen: values.address("listen", loopback(5680))?,
            tls: listener::tls_files(&mut values)?,
            insecure_http: values.switch("insecure_http", false)?,
            trusted_proxies: listener::trusted_proxies(&mut values)?,
            base_path: listener::base_path(&mut values)?,
            public_url: listener::public_url(&mut values)?,
            host_names: listener::host_names(&mut values)?,
            limits: listener::limits(&mut values)?,
            metrics_listen: values.address_if_given("metrics.listen")?,
            redirect_listen: None,
            data_dir: values.path("data_dir").unwrap_or_else(|| "data".into()),
            database_url: database::database_url(&mut values)?,
            server_key: server_key(&mut values)?,
            elasticsearch: elasticsearch(&mut values)?,
            service: service(&mut values)?,
            durability: Durability::Full,
            access: access(&mut values)?,
            log: log(&mut values)?,
            log_format: values.choice(
                "log_format",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                "use text or json",
            )?,
            audit_log: audit_log(&mut values)?,
            audit_retention_days: audit_retention_days(&mut values)?,
        };
        config.redirect_listen = redirect_listen(&mut values, config.public_url.as_ref())?;
        let mut listeners = vec![("AGENT_KEYS_LISTEN", config.listen)];
        if let Elasticsearch::Embedded { listen, .. } = config.elasticsearch {
            listeners.push(("AGENT_KEYS_EMBEDDED_LISTEN", listen));
        }
        let plain_http = config.tls.is_none() && !config.insecure_http;
        let exposed = listeners
            .into_iter()
            .find(|(_, address)| plain_http && !address.ip().is_loopback());
        match exposed {
            Some((setting, address)) => Err(Error::PlainHttp { setting, address }),
            None => Ok(config),
        }
    }

    /// Every address that is listened on, with the name of its setting.
    pub fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let embedded = match self.elasticsearch {
            Elasticsearch::Embedded { listen, .. } => Some(listen),
            Elasticsearch::Cluster(_) => None,
        };
        let listeners = [
            ("AGENT_KEYS_LISTEN", Some(self.listen)),
            ("AGENT_KEYS_METRICS_LISTEN", self.metrics_listen),
            ("AGENT_KEYS_REDIRECT_LISTEN", self.redirect_listen),
            ("AGENT_KEYS_EMBEDDED_LISTEN", embedded),
        ];
        let listeners = listeners.into_iter();
        listeners
            .filter_map(|(setting, address)| Some((setting, address?)))
            .collect()
    }

    /// Database file of the embedded engine.
    pub fn engine_file(&self) -> PathBuf {
        self.data_dir.join("engine.db")
    }
}

fn redirect_listen(
    values: &mut Values,
    public_url: Option<&Url>,
) -> Result<Option<SocketAddr>, Error> {
    let Some(address) = values.address_if_given("redirect.listen")? else {
        return Ok(None);
    };
    if public_url.is_some_and(|url| url.scheme() == "https") {
        return Ok(Some(address));
    }
    Err(Error::Invalid {
        name: "AGENT_KEYS_REDIRECT_LISTEN".to_owned(),
        reason: "set AGENT_KEYS_PUBLIC_URL to the https address to which browsers are led",
    })
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A level alone, or targets with levels. A word that is no level would otherwise be a target that logs nothing.
fn log(values: &mut Values) -> Result<String, Error> {
    let Some((name, text)) = values.named_text("log") else {
        return Ok("info".to_owned());
    };
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_directive = |part: &str| match part.rsplit_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(part),
    };
    if text.split(',').all(is_directive) && EnvFilter::try_new(&text).is_ok() {
        return Ok(text);
    }
    Err(Error::Invalid {
        name,
        reason: "use off, error, warn, info, debug or trace, or targets with levels, such as server=debug,info",
    })
}

fn audit_log(values: &mut Values) -> Result<Option<AuditDestination>, Error> {
    let Some((name, text)) = values.named_text("audit_log") else {
        return Ok(None);
    };
    match text.to_ascii_lowercase().as_str() {
        "stdout" => Ok(Some(AuditDestination::Stdout)),
        // Probably not meant as names of files.
        "stderr" | "-" | "true" | "false" => Err(Error::Invalid {
            name,
            reason: "use stdout, or the path of a file",
        }),
        _ => Ok(Some(AuditDestination::File(text.into()))),
    }
}

fn audit_retention_days(values: &mut Values) -> Result<u32, Error> {
    /// Incidents are often found after weeks, so less than a month is rejected. A hundred years are as good as forever.
    const RANGE: RangeInclusive<u32> = 30..=36_500;
    let Some((name, text)) = values.named_text("audit_retention_days") else {
        return Ok(AUDIT_RETENTION_DAYS);
    };
    let number = text.parse().ok().filter(|number| RANGE.contains(number));
    number.ok_or(Error::Invalid {
        name,
        reason: "use a number of days from 30 to 36500",
    })
}

fn server_key(values: &mut Values) -> Result<Option<SecretString>, Error> {
    const CHARACTERS_MIN: usize = 32;
    /// Decimal digits have ten. A key of fewer was not made at random.
    const DIFFERENT_MIN: usize = 8;
    let Some((name, key)) = values.secret("server_key", CHARACTERS_MIN)? else {
        return Ok(None);
    };
    let different: BTreeSet<char> = key.expose_secret().chars().collect();
    if different.len() < DIFFERENT_MIN {
        let reason =
            "repeats few characters; use random ones, such as from openssl rand -base64 32";
        return Err(Error::Invalid { name, reason });
    }
    Ok(Some(key))
}

fn elasticsearch(values: &mut Values) -> Result<Elasticsearch, Error> {
    let listen = values.address("embedded.listen", loopback(9200))?;
    let elastic_password = values
        .secret("embedded.elastic_password", PASSWORD_CHARACTERS_MIN)?
        .map(|(_, password)| password);
    Ok(match cluster::read(values)? {
        Some(cluster) => Elasticsearch::Cluster(Box::new(cluster)),
        None => Elasticsearch::Embedded {
            listen,
            elastic_password,
        },
    })
}

/// Parses a URL of Elasticsearch and appends a slash. `no_user` is the error for a URL with user or password.
fn elasticsearch_url(name: String, text: &str, no_user: &'static str) -> Result<Url, Error> {
    let invalid = |reason| Error::Invalid {
        name: name.clone(),
        reason,
    };
    let mut url: Url = text
        .parse()
        .map_err(|_| invalid("use an address such as https://elasticsearch.example.com:9200"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid("begin with https:// or http:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(no_user));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("leave out ? and #"));
    }
    // With the slash, the path is kept when the path of an operation is joined to it.
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn service(values: &mut Values) -> Result<Option<Credential>, Error> {
    let username = values.named_text("service.username");
    let password = values.secret("service.password", PASSWORD_CHARACTERS_MIN)?;
    match (username, password) {
        (None, None) => Ok(None),
        (Some((name, username)), Some((_, password))) => {
            let credential = Credential::basic(&username, password.expose_secret());
            let reason = "no user can have this name and this password";
            credential.map(Some).ok_or(Error::Invalid { name, reason })
        }
        (Some(_), None) => Err(Error::Half {
            given: "AGENT_KEYS_SERVICE_USERNAME",
            missing: "AGENT_KEYS_SERVICE_PASSWORD",
        }),
        (None, Some(_)) => Err(Error::Half {
            given: "AGENT_KEYS_SERVICE_PASSWORD",
            missing: "AGENT_KEYS_SERVICE_USERNAME",
        }),
    }
}

fn access(values: &mut Values) -> Result<Access, Error> {
    let kibana_feature = values.choice(
        "access.kibana_feature",
        &[
            ("require", KibanaFeature::Require),
            ("ignore", KibanaFeature::Ignore),
        ],
        "use require or ignore",
    )?;
    let (name, kibana_space) = values
        .named_text("access.kibana_space")
        .unwrap_or_else(|| ("access.kibana_space".to_owned(), "default".to_owned()));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let is_id = !kibana_space.is_empty() && kibana_space.chars().all(allowed);
    if !is_id && kibana_space != "*" {
        let reason = "use a space's id (lower-case letters, digits, - and _), or * for any space";
        return Err(Error::Invalid { name, reason });
    }
    Ok(Access {
        kibana_feature,
        kibana_space,
    })
}
