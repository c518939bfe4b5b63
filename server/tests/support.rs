//! The vocabulary of the tests: an application of one's own, people who sign in to it, and their answers.

pub(crate) mod attacker;
pub(crate) mod blackhole_server;
mod browser;
pub(crate) mod engine;
pub(crate) mod events;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod trace;

use app::model::{base_path::BasePath, timestamp::Timestamp};
use blackhole_server::BlackholeServer;
pub(crate) use browser::{Answer, Browser, client, client_with, mark, shown};
use engine::Engine;
use http::StatusCode;
use platform::{Clock, Random};
use proxy::Proxy;
use server::{
    application::Application,
    audit::AuditWriter,
    config::{
        Access, AuditDestination, Config, Durability, Elasticsearch, KibanaFeature, Limits,
        LogFormat, TlsFiles, TrustedProxies,
    },
    sessions::ServerKey,
    store::{Store, StoredEvent},
};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use url::Url;

/// The password of `elastic`, and of everybody else.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// When every test begins: 14 December 2026, 10:42:07 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_797_244_927_000);

/// An application with an engine, both of this test alone.
pub(crate) struct App {
    pub(crate) application: Application,
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Clock,
    pub(crate) data_dir: TempDir,
    url: String,
}

/// How an application differs from the usual one.
#[derive(Default)]
pub(crate) struct Setup {
    /// Elasticsearch's address, where it is not the engine's own.
    pub(crate) elasticsearch: Option<String>,
    /// The Kibana space, where it is not `default`.
    pub(crate) kibana_space: Option<&'static str>,
    /// Whether Kibana's gate is switched off.
    pub(crate) without_kibana: bool,
    /// Certificate and key.
    pub(crate) tls: Option<TlsFiles>,
    /// Where its own database is, where it is not SQLite.
    pub(crate) database_url: Option<String>,
    /// Whether the lines of the audit log also go to `audit.jsonl` in the data directory.
    pub(crate) audit_log: bool,
    /// Whose word on a request's origin counts.
    pub(crate) trusted_proxies: TrustedProxies,
    /// The path below which browsers find the pages.
    pub(crate) base_path: BasePath,
    /// The address in the browser's address bar, where a proxy changes `Host`.
    pub(crate) public_url: Option<Url>,
    /// How much a caller may take, where it is not the usual.
    pub(crate) limits: Option<Limits>,
    /// The service user.
    pub(crate) service: Option<server::credential::Credential>,
    /// Where `/metrics` is.
    pub(crate) metrics_listen: Option<std::net::SocketAddr>,
}

/// What events are written down with where no application does it.
pub(crate) fn trail() -> AuditWriter {
    let key = ServerKey::given("a key for tests, with enough characters".into());
    AuditWriter::new(key.audit_key().unwrap(), Random)
}

/// Makes two tests of each rule: on SQLite, and on PostgreSQL. A rule is an `async fn` that takes the application.
macro_rules! on_each_database {
    ($($rule:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $rule() {
                    super::$rule(&crate::support::App::start().await).await;
                }
            )+
        }
        mod on_postgresql {
            $(
                #[tokio::test]
                async fn $rule() {
                    let postgres = crate::support::postgres::Postgres::start();
                    let setup = crate::support::Setup {
                        database_url: Some(postgres.url().to_owned()),
                        ..Default::default()
                    };
                    let app = crate::support::App::start_with(setup).await;
                    super::$rule(&app).await;
                    app.application.stop().await;
                }
            )+
        }
    };
}
pub(crate) use on_each_database;

impl App {
    /// The usual one.
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    /// One that differs.
    pub(crate) async fn start_with(setup: Setup) -> Self {
        let clock = Clock::manual(NOW.0);
        Self::start_at(Arc::new(Engine::start(&clock).await), clock, setup).await
    }

    /// One in front of an engine that is there.
    pub(crate) async fn start_at(engine: Arc<Engine>, clock: Clock, setup: Setup) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let address = setup.elasticsearch.unwrap_or_else(|| engine.url());
        let base_path = setup.base_path.clone();
        let config = Config {
            elasticsearch: Elasticsearch::Cluster(Box::new(server::config::Cluster::from(
                Url::parse(&format!("{address}/")).unwrap(),
            ))),
            access: Access {
                kibana_feature: if setup.without_kibana {
                    KibanaFeature::Ignore
                } else {
                    KibanaFeature::Require
                },
                kibana_space: setup.kibana_space.unwrap_or("default").to_owned(),
            },
            tls: setup.tls,
            trusted_proxies: setup.trusted_proxies,
            base_path: setup.base_path,
            public_url: setup.public_url,
            limits: setup.limits.unwrap_or_else(limits),
            metrics_listen: setup.metrics_listen,
            service: setup.service,
            database_url: setup.database_url.map(Into::into),
            audit_log: setup
                .audit_log
                .then(|| AuditDestination::File(data_dir.path().join("audit.jsonl"))),
            ..config(data_dir.path())
        };
        let application = Application::start(config, clock.clone()).await.unwrap();
        let url = format!("{}{}", application.url(), base_path.as_str());
        Self {
            application,
            engine,
            clock,
            data_dir,
            url,
        }
    }

    /// One that reaches its engine through a proxy.
    pub(crate) async fn behind_proxy() -> (Self, Proxy) {
        let clock = Clock::manual(NOW.0);
        let engine = Arc::new(Engine::start(&clock).await);
        let proxy = Proxy::start(engine.address()).await;
        let setup = Setup {
            elasticsearch: Some(proxy.url()),
            ..Setup::default()
        };
        (Self::start_at(engine, clock, setup).await, proxy)
    }

    /// An application whose engine is behind a server that can stop answering.
    pub(crate) async fn behind_blackhole() -> (Self, BlackholeServer) {
        let clock = Clock::manual(NOW.0);
        let engine = Arc::new(Engine::start(&clock).await);
        let server = BlackholeServer::start(engine.address()).await;
        let setup = Setup {
            elasticsearch: Some(server.url()),
            ..Setup::default()
        };
        (Self::start_at(engine, clock, setup).await, server)
    }

    /// A browser that nobody has signed in with.
    pub(crate) fn nobody(&self) -> Browser {
        Browser {
            url: self.url.clone(),
            cookie: None,
            user: None,
            http: client(),
        }
    }

    /// A browser with which the superuser has signed in.
    pub(crate) async fn as_admin(&self) -> Browser {
        self.as_user("elastic").await
    }

    /// A browser with which this user has signed in.
    pub(crate) async fn as_user(&self, username: &str) -> Browser {
        let mut browser = self.nobody();
        let answer = browser.sign_in(username, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        browser
    }

    /// A user with these roles, who has signed in.
    pub(crate) async fn with_user(&self, username: &str, roles: &[&str]) -> Browser {
        self.engine.put_user(username, roles).await;
        self.as_user(username).await
    }

    /// A user with the documented role, who has signed in.
    pub(crate) async fn with_key_user(&self, username: &str) -> Browser {
        self.engine.put_agent_key_role().await;
        self.with_user(username, &["apm_agent_key_role"]).await
    }

    /// What the application remembers.
    pub(crate) fn store(&self) -> &Store {
        &self.application.state().store
    }

    /// The audit log, from its beginning.
    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        self.store().audit_events(0, 100_000).await.unwrap()
    }

    /// Everything that was ever written to disk.
    pub(crate) fn bytes_on_disk(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(self.data_dir.path()).unwrap() {
            bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        bytes
    }
}

/// The usual limits, for tests that all come from one address.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.connections.connections_per_address_max = limits.connections.connections_max;
    limits
}

/// Settings for a test: a free port, its own directory.
pub(crate) fn config(data_dir: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        insecure_http: false,
        trusted_proxies: TrustedProxies::default(),
        base_path: BasePath::default(),
        public_url: None,
        host_names: Vec::new(),
        limits: limits(),
        metrics_listen: None,
        redirect_listen: None,
        data_dir: data_dir.to_owned(),
        database_url: None,
        server_key: None,
        elasticsearch: Elasticsearch::Embedded {
            listen: "127.0.0.1:0".parse().unwrap(),
            elastic_password: Some(PASSWORD.into()),
        },
        service: None,
        durability: Durability::Full,
        access: Access {
            kibana_feature: KibanaFeature::Require,
            kibana_space: "default".to_owned(),
        },
        log: "off".to_owned(),
        log_format: LogFormat::Text,
        audit_log: None,
        audit_retention_days: server::config::AUDIT_RETENTION_DAYS,
    }
}

/// A certificate for a day, and its key.
pub(crate) fn self_signed(directory: &Path) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    TlsFiles { cert, key }
}

/// Waits for a condition, without a runtime.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so() {
        assert!(
            std::time::Instant::now() < patience,
            "it never came: {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so().await {
        assert!(
            std::time::Instant::now() < patience,
            "it never came: {what}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Returns the number of rounds: `few`, or `many` in a soak test.
pub(crate) fn soak(few: usize, many: usize) -> usize {
    if std::env::var_os("AGENT_KEYS_SOAK").is_some() {
        many
    } else {
        few
    }
}

/// Randomness that can be repeated from its seed, which is printed.
pub(crate) fn seeded() -> fastrand::Rng {
    let seed = fastrand::u64(..);
    println!("seed={seed}");
    fastrand::Rng::with_seed(seed)
}

/// The form for a new key, filled in.
pub(crate) fn key_form<'a>(operation: &'a str, name: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("form[operation]", operation),
        ("form[name]", name),
        ("form[event_write]", "on"),
        ("form[config_agent_read]", "on"),
        ("form[expires]", "90"),
        ("form[service]", "checkout"),
    ]
}
