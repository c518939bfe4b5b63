//! Everything put together, started and stopped.

use crate::{
    access::Gate,
    agent_keys::elsewhere,
    audit::{Trail, anchor::Anchors},
    audit_log::{anchor, forward::Forwarder},
    clock::Clock,
    config::{self, Config},
    context::{AppState, Background},
    elasticsearch::{self, Elasticsearch},
    error::Error,
    housekeeping,
    http::{
        self, Web,
        listener::{ListenError, Listener},
    },
    metrics::Metrics,
    random::Random,
    sessions::{ServerKey, ServerKeyError, rate_limit::SignInQueue},
    store::{OpenError, Store, make_private_dir},
};
use embedded::PasswordHashing;
use secrecy::SecretString;
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Changes that are still under way when the listener has ended get this long.
const DRAIN: Duration = Duration::from_secs(20);
/// The last lines of the audit log get this long. What is not written by then is at the next start.
const LAST_LINES: Duration = Duration::from_secs(5);

/// The application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("AGENT_KEYS_DATA_DIR: cannot make {path}: {source}", path = path.display())]
    DataDir {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The embedded engine cannot start.
    #[error("the embedded engine cannot start: {source}")]
    Engine {
        /// Why.
        source: embedded::StartError,
    },
    /// The client of Elasticsearch cannot be made.
    #[error(transparent)]
    Elasticsearch(#[from] elasticsearch::ClientError),
    /// The engine's own address makes no URL: a mistake of ours.
    #[error("the embedded engine's address makes no URL")]
    EngineAddress(#[from] url::ParseError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// What an earlier process left open cannot be taken up.
    #[error(transparent)]
    Recovery(#[from] Error),
    /// The lines of the audit log have nowhere to go.
    #[error("AGENT_KEYS_AUDIT_LOG: cannot write there: {0}")]
    AuditLog(#[source] io::Error),
    /// The server's key cannot be had.
    #[error(transparent)]
    ServerKey(#[from] ServerKeyError),
    /// The listener cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// The application, running.
pub struct Application {
    listener: Listener,
    metrics: Option<Listener>,
    tls: bool,
    state: Arc<AppState>,
    engine: Option<embedded::Engine>,
    housekeeping: JoinHandle<()>,
    connection: JoinHandle<()>,
    anchors: Anchors,
    anchoring: JoinHandle<()>,
    forwarding: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Application {
    /// Starts everything. When this returns, requests are answered.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        Self::start_with(config, clock, PasswordHashing::Standard).await
    }

    /// The same, with the engine's passwords hashed as a test wants it.
    #[doc(hidden)]
    pub async fn start_with(
        config: Config,
        clock: Clock,
        hashing: PasswordHashing,
    ) -> Result<Self, StartError> {
        // Both fail only when they were done before: another application runs in this process, as in tests.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let _ = any_spawner::Executor::init_tokio();
        make_private_dir(&config.data_dir).map_err(|source| StartError::DataDir {
            path: config.data_dir.clone(),
            source,
        })?;
        let random = Random::default();
        let gate = Gate::new(&config.access);
        let engine_file = config.engine_file();
        let server_key = match config.server_key {
            Some(key) => ServerKey::given(key),
            None => ServerKey::load_or_make(&config.data_dir, &random)?,
        };
        let forwarder = config.audit_log.map(Forwarder::new).transpose();
        let forwarder = forwarder.map_err(StartError::AuditLog)?;
        let trail = Trail::new(server_key.audit_key()?, random);
        let (engine, store) = tokio::join!(
            connect(config.elasticsearch, engine_file, &clock, hashing),
            Store::open_with(
                config.database_url.as_ref(),
                &config.data_dir,
                trail,
                config.durability
            ),
        );
        let (engine, elasticsearch) = engine?;
        let state = Arc::new(AppState {
            store: store?,
            elasticsearch,
            gate,
            server_key,
            sign_in_queue: SignInQueue::default(),
            metrics: Metrics::default(),
            audit_retention_days: config.audit_retention_days,
            clock,
            random,
            background: Background::default(),
            made_elsewhere: elsewhere::Cache::default(),
        });
        let tls = config.tls.is_some();
        let web = Web {
            state: state.clone(),
            tls,
            plain_http: !tls && !config.listen.ip().is_loopback(),
            trusted_proxies: config.trusted_proxies,
            base_path: config.base_path.clone(),
            public_origin: config
                .public_url
                .map(|url| url.origin().ascii_serialization()),
            limits: config.limits,
        };
        let router = http::router(web);
        let listener = http::listener::listen(
            "AGENT_KEYS_LISTEN",
            config.listen,
            config.tls.as_ref(),
            &config.limits,
            router,
        )
        .await?;
        let metrics = match config.metrics_listen {
            Some(address) => {
                let forwarding = forwarder.as_ref().map(Forwarder::forwarding);
                let connections = listener.connections().clone();
                let router = http::metrics::router(state.clone(), connections, forwarding);
                let setting = "AGENT_KEYS_METRICS_LISTEN";
                Some(http::listener::listen(setting, address, None, &config.limits, router).await?)
            }
            None => None,
        };
        housekeeping::recover(&state).await?;
        let housekeeping = tokio::spawn(housekeeping::keep(state.clone(), config.service));
        let connection = tokio::spawn(housekeeping::connection::write_down(state.clone()));
        let anchors = Anchors::new(&config.data_dir);
        let anchoring = tokio::spawn(anchor::go_on(state.clone(), anchors.clone()));
        let forwarding = forwarder.map(|forwarder| {
            let stop = CancellationToken::new();
            let task = tokio::spawn(forwarder.run(state.clone(), stop.clone()));
            (stop, task)
        });
        Ok(Self {
            listener,
            metrics,
            tls,
            state,
            engine,
            housekeeping,
            connection,
            anchors,
            anchoring,
            forwarding,
        })
    }

    /// Where browsers connect.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Where `/metrics` is, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Listener::address)
    }

    /// Where the embedded engine listens; `None` with a cluster.
    pub fn engine_address(&self) -> Option<SocketAddr> {
        self.engine.as_ref().map(embedded::Engine::address)
    }

    /// The URL of Elasticsearch.
    pub fn elasticsearch_url(&self) -> &str {
        self.state.elasticsearch.address()
    }

    /// The first password of `elastic`, when the engine has just generated one.
    pub fn first_password(&self) -> Option<&SecretString> {
        self.engine
            .as_ref()
            .and_then(embedded::Engine::first_password)
    }

    /// Connections of browsers that are open.
    pub fn connections(&self) -> usize {
        self.listener.connections().open()
    }

    /// The use cases' own, for tests that look behind the pages.
    #[doc(hidden)]
    pub fn state(&self) -> &Arc<AppState> {
        &self.state
    }

    /// Ends everything in peace: requests first, then the changes they left behind, then what those need.
    pub async fn stop(self) {
        self.housekeeping.abort();
        self.connection.abort();
        self.anchoring.abort();
        self.listener.stop().await;
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        if timeout(DRAIN, self.state.drain()).await.is_err() {
            tracing::error!("changes were still under way at the end");
        }
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
        anchor::anchor_the_end(&self.state, self.anchors).await;
        if let Some((stop, mut task)) = self.forwarding {
            stop.cancel();
            if timeout(LAST_LINES, &mut task).await.is_err() {
                tracing::warn!(
                    "AGENT_KEYS_AUDIT_LOG: the last lines are written at the next start"
                );
                task.abort();
            }
        }
        self.state.store.close().await;
    }
}

async fn connect(
    settings: config::Elasticsearch,
    engine_file: PathBuf,
    clock: &Clock,
    hashing: PasswordHashing,
) -> Result<(Option<embedded::Engine>, Elasticsearch), StartError> {
    match settings {
        config::Elasticsearch::Cluster(cluster) => Ok((None, Elasticsearch::new(*cluster, false)?)),
        config::Elasticsearch::Embedded {
            listen,
            elastic_password,
        } => {
            let mut config = embedded::Config::new(listen, engine_file);
            config.elastic_password = elastic_password;
            config.clock = clock.for_engine();
            config.password_hashing = hashing;
            let engine = embedded::Engine::start(config)
                .await
                .map_err(|source| StartError::Engine { source })?;
            let url = Url::parse(&format!("http://{}/", reachable(engine.address())))?;
            let elasticsearch = Elasticsearch::new(url.into(), true)?;
            Ok((Some(engine), elasticsearch))
        }
    }
}

/// An address that listens everywhere is reached on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
