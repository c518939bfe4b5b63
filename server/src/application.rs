//! Start and shutdown of the application.

use crate::{
    access::KibanaFeatureCheck,
    audit::{
        Action, Event, Outcome,
        anchors::{self, Anchors},
        forward::Forwarder,
        refusals::Refusals,
    },
    config::{self, Config},
    context::{AppState, Background},
    data_lock::{DataLock, LockError},
    database,
    elasticsearch::{self, Elasticsearch},
    error::Error,
    health::{Health, written_directories},
    http::{
        self, Web,
        engine_port::EnginePort,
        host_names::HostNames,
        listener::{ListenError, Listener, Port, Reloads, Tls, TlsError, reachable},
        monitoring::Watched,
        redirect::Redirect,
    },
    made_elsewhere::MadeElsewhereCache,
    maintenance,
    metrics::Metrics,
    sessions::rate_limit::SignInQueue,
};
use axum_server::tls_rustls::RustlsConfig;
use embedded::PasswordHashing;
use platform::{Clock, Random, private_files::create_directory};
use secrecy::SecretString;
use serde_json::json;
use std::{future::ready, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Time between the first failed readiness check and the end of the listener, if anything asks.
const ANNOUNCE_TIME: Duration = Duration::from_secs(2);
/// Limit for the answers of Elasticsearch to changes in flight. Those without an answer are recorded as unconfirmed.
const ELASTICSEARCH_TIMEOUT: Duration = Duration::from_millis(4_500);
/// Limit for changes in flight to be recorded, from the same moment on.
const CHANGES_TIMEOUT: Duration = Duration::from_millis(5_500);
/// Limit for the last lines of the audit log. The rest is written at the next start.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Failed start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("AGENT_KEYS_DATA_DIR: cannot make {path}: {source}", path = path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error("the embedded engine cannot start: {source}")]
    Engine { source: embedded::StartError },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Elasticsearch(#[from] elasticsearch::ClientError),
    #[error("the embedded engine's address makes no URL")]
    EngineAddress(#[from] url::ParseError),
    #[error(transparent)]
    Database(#[from] database::Error),
    /// Operations of an earlier process cannot be recovered.
    #[error(transparent)]
    Recovery(#[from] Error),
    #[error("AGENT_KEYS_AUDIT_LOG: cannot write there: {0}")]
    AuditLog(#[source] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// A running application.
pub struct Application {
    listener: Listener,
    metrics: Option<Listener>,
    redirect: Option<Listener>,
    tls: bool,
    state: Arc<AppState>,
    engine: Option<embedded::Engine>,
    engine_tls: Option<Tls>,
    maintenance: JoinHandle<()>,
    connection: JoinHandle<()>,
    anchors: Anchors,
    anchoring: JoinHandle<()>,
    forwarding: Option<(CancellationToken, JoinHandle<()>)>,
    /// Dropped last.
    _lock: DataLock,
}

impl Application {
    /// Starts the application. When this returns, requests are answered.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        Self::start_with(config, clock, PasswordHashing::Standard).await
    }

    /// The same with another password hashing of the engine, for tests.
    #[doc(hidden)]
    pub async fn start_with(
        config: Config,
        clock: Clock,
        hashing: PasswordHashing,
    ) -> Result<Self, StartError> {
        // Both fail only if another application runs in this process, as in tests.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let _ = any_spawner::Executor::init_tokio();
        create_directory(&config.data_dir).map_err(|source| StartError::DataDir {
            path: config.data_dir.clone(),
            source,
        })?;
        let lock = DataLock::acquire(&config)?;
        // What can fail goes first: a first password that was made and not printed would be lost.
        let port = Port::open("AGENT_KEYS_LISTEN", config.listen)?;
        let metrics_port = config.metrics_listen;
        let metrics_port =
            metrics_port.map(|address| Port::open("AGENT_KEYS_METRICS_LISTEN", address));
        let metrics_port = metrics_port.transpose()?;
        let redirect_port = config.redirect_listen;
        let redirect_port =
            redirect_port.map(|address| Port::open("AGENT_KEYS_REDIRECT_LISTEN", address));
        let redirect_port = redirect_port.transpose()?;
        let web_tls = match &config.tls {
            Some(files) => Some(Tls::load(files)?),
            None => None,
        };
        let random = Random;
        let kibana_feature = KibanaFeatureCheck::new(&config.access);
        let engine_file = config.engine_file();
        let forwarder = config.audit_log.clone().map(Forwarder::new).transpose();
        let forwarder = forwarder.map_err(StartError::AuditLog)?;
        let engine_tls = match (&config.elasticsearch, &config.tls) {
            (config::Elasticsearch::Embedded { listen, .. }, Some(files))
                if !listen.ip().is_loopback() =>
            {
                Some(Tls::load_for_engine(files)?)
            }
            _ => None,
        };
        let public_host = config.public_url.as_ref().and_then(Url::host_str);
        let host_names = config.host_names.iter().map(String::as_str);
        let host_names = HostNames::new(host_names.chain(public_host).map(str::to_owned));
        let proxies = config.trusted_proxies.clone();
        let engine_port = Arc::new(EnginePort::new(proxies, host_names.clone()));
        let health = Health::new(written_directories(&config));
        let engine_setup = EngineSetup {
            port: Arc::clone(&engine_port),
            file: engine_file,
            clock: clock.clone(),
            hashing,
            tls: engine_tls.as_ref().map(Tls::config),
        };
        let (store, server_key) = database::open(&config).await?;
        tracing::info!("the database is open, and its tables are up to date");
        let (engine, elasticsearch) = connect(config.elasticsearch, engine_setup).await?;
        let state = Arc::new(AppState {
            store,
            elasticsearch,
            kibana_feature,
            server_key,
            sign_in_queue: SignInQueue::default(),
            engine_port_queue: SignInQueue::default(),
            metrics: Metrics::default(),
            refusals: Refusals::default(),
            audit_retention_days: config.audit_retention_days,
            has_service_user: config.service.is_some(),
            clock,
            random,
            background: Background::default(),
            health,
            made_elsewhere: MadeElsewhereCache::default(),
        });
        engine_port.begin(Arc::clone(&state));
        let tls = web_tls.is_some();
        let web = Web {
            state: state.clone(),
            tls,
            plain_http: !tls && !config.listen.ip().is_loopback(),
            trusted_proxies: config.trusted_proxies.clone(),
            base_path: config.base_path.clone(),
            host_names,
            public_url: config.public_url,
            limits: config.limits,
        };
        let redirect = match (redirect_port, &web.public_url) {
            (Some(port), Some(public_url)) => {
                let redirect = Redirect::new(public_url, web.host_names.clone());
                Some(
                    http::listener::listen(
                        port,
                        None,
                        &config.limits,
                        &config.trusted_proxies,
                        http::redirect::router(redirect),
                    )
                    .await?,
                )
            }
            _ => None,
        };
        let router = http::router(web);
        let listener = http::listener::listen(
            port,
            web_tls,
            &config.limits,
            &config.trusted_proxies,
            router,
        )
        .await?;
        let metrics = match metrics_port {
            Some(port) => {
                let forwarding = forwarder.as_ref().map(Forwarder::forwarding);
                let router = http::monitoring::router(Watched {
                    state: state.clone(),
                    connections: listener.connections().clone(),
                    forwarding,
                    data_dir: config.data_dir.clone(),
                    certificate_end: listener.certificate_end(),
                });
                Some(
                    http::listener::listen(
                        port,
                        None,
                        &config.limits,
                        &config.trusted_proxies,
                        router,
                    )
                    .await?,
                )
            }
            None => None,
        };
        maintenance::check_clock(&state).await?;
        maintenance::recover(&state).await?;
        for (setting, tls) in [
            ("AGENT_KEYS_LISTEN", listener.tls()),
            ("AGENT_KEYS_EMBEDDED_LISTEN", engine_tls.as_ref()),
        ] {
            if let Some(tls) = tls {
                let reloads = tls.reloads();
                tokio::spawn(record_reloads(state.clone(), setting, reloads));
            }
        }
        // The start does not wait for it.
        let elasticsearch = state.elasticsearch.clone();
        tokio::spawn(async move { elasticsearch.log_reachability().await });
        let maintenance = tokio::spawn(maintenance::run(state.clone(), config.service));
        let connection = tokio::spawn(maintenance::record_outages(state.clone()));
        let anchors = Anchors::new(&config.data_dir);
        let anchoring = tokio::spawn(anchors::run(state.clone(), anchors.clone()));
        let forwarding = forwarder.map(|forwarder| {
            let stop = CancellationToken::new();
            let task = tokio::spawn(forwarder.run(state.clone(), stop.clone()));
            (stop, task)
        });
        Ok(Self {
            listener,
            metrics,
            redirect,
            tls,
            state,
            engine,
            engine_tls,
            maintenance,
            connection,
            anchors,
            anchoring,
            forwarding,
            _lock: lock,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Address of `/metrics`, if configured.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Listener::address)
    }

    /// Address that leads browsers to the public one, if configured.
    pub fn redirect_address(&self) -> Option<SocketAddr> {
        self.redirect.as_ref().map(Listener::address)
    }

    /// Address of the embedded engine; `None` with a cluster.
    pub fn engine_address(&self) -> Option<SocketAddr> {
        self.engine.as_ref().map(embedded::Engine::address)
    }

    /// All addresses of Elasticsearch, separated by commas.
    pub fn elasticsearch_url(&self) -> &str {
        self.state.elasticsearch.address()
    }

    /// The first password of `elastic`, if the engine has just generated one.
    pub fn first_password(&self) -> Option<&SecretString> {
        self.engine
            .as_ref()
            .and_then(embedded::Engine::first_password)
    }

    /// Number of open connections of browsers.
    pub fn connections(&self) -> usize {
        self.listener.connections().open()
    }

    /// Reads certificates and keys again.
    pub fn reload(&self) {
        self.listener.reload();
        if let Some(tls) = &self.engine_tls {
            tls.reload();
        }
    }

    /// Records the start or the stop of the process in the audit log. A failure is logged.
    pub async fn record(&self, action: Action) {
        let details = json!({ "version": env!("CARGO_PKG_VERSION"), "address": self.url() });
        let event = Event::new(action).details(details);
        if let Err(error) = maintenance::record(&self.state, &event).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "{} could not be recorded in the audit log",
                action.name()
            );
        }
    }

    /// For tests.
    #[doc(hidden)]
    pub fn state(&self) -> &Arc<AppState> {
        &self.state
    }

    /// Has readiness checks fail, and waits until load balancers that ask have seen it.
    pub async fn announce_stop(&self) {
        if self.state.health.stop() {
            sleep(ANNOUNCE_TIME).await;
        }
    }

    /// Graceful shutdown: first requests, then running changes, then the services that they need.
    pub async fn stop(self) {
        self.maintenance.abort();
        self.connection.abort();
        self.anchoring.abort();
        // At once: nobody waits there for a change.
        for listener in self.metrics.into_iter().chain(self.redirect) {
            tokio::spawn(listener.stop(ready(())));
        }
        let deadline = Instant::now() + CHANGES_TIMEOUT;
        let stopping = self.state.elasticsearch.stopping().clone();
        let giving_up = tokio::spawn(async move {
            sleep(ELASTICSEARCH_TIMEOUT).await;
            tracing::warn!("Elasticsearch has not answered; changes in flight are unconfirmed");
            stopping.cancel();
        });
        let state = Arc::clone(&self.state);
        let changes = async move {
            let _ = timeout_at(deadline, state.drain()).await;
        };
        self.listener.stop(changes).await;
        let ended = timeout_at(deadline, self.state.drain()).await;
        giving_up.abort();
        if ended.is_err() {
            tracing::error!("changes were still under way at the end");
        }
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
        drop(self.engine_tls);
        anchors::anchor_at_shutdown(&self.state, self.anchors).await;
        if let Some((stop, mut task)) = self.forwarding {
            stop.cancel();
            if timeout(FORWARD_TIMEOUT, &mut task).await.is_err() {
                tracing::warn!(
                    "AGENT_KEYS_AUDIT_LOG: the last lines are written at the next start"
                );
                task.abort();
            }
        }
        self.state.store.close().await;
    }
}

/// Records in the audit log when the certificate of a listener was read again, and once while it cannot be used, until
/// the listener ends.
async fn record_reloads(
    state: Arc<AppState>,
    listener: &'static str,
    mut reloads: watch::Receiver<Reloads>,
) {
    while reloads.changed().await.is_ok() {
        let is_failing = reloads.borrow_and_update().failing;
        let outcome = if is_failing {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        let event = Event::new(Action::TlsReload)
            .outcome(outcome)
            .details(json!({ "listener": listener }));
        if let Err(error) = maintenance::record(&state, &event).await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the reload of a certificate could not be recorded");
        }
    }
}

struct EngineSetup {
    port: Arc<EnginePort>,
    file: PathBuf,
    clock: Clock,
    hashing: PasswordHashing,
    tls: Option<RustlsConfig>,
}

async fn connect(
    settings: config::Elasticsearch,
    setup: EngineSetup,
) -> Result<(Option<embedded::Engine>, Elasticsearch), StartError> {
    match settings {
        config::Elasticsearch::Cluster(cluster) => Ok((None, Elasticsearch::new(*cluster)?)),
        config::Elasticsearch::Embedded {
            listen,
            elastic_password,
        } => {
            let scheme = if setup.tls.is_some() { "https" } else { "http" };
            let mut config = embedded::Config::new(listen, setup.file);
            config.elastic_password = elastic_password;
            config.clock = setup.clock;
            config.password_hashing = setup.hashing;
            config.tls = setup.tls;
            config.guard = Some(setup.port);
            let engine = embedded::Engine::start(config)
                .await
                .map_err(|source| StartError::Engine { source })?;
            let url = Url::parse(&format!("http://{}/", reachable(engine.local_address())))?;
            let address = format!("{scheme}://{}", reachable(engine.address()));
            let elasticsearch = Elasticsearch::embedded(url, &address, engine.application_token())?;
            Ok((Some(engine), elasticsearch))
        }
    }
}
