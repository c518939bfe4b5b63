//! Starts and stops an engine.

use std::{
    convert::Infallible,
    future::ready,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum_server::{
    Handle, Server,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use platform::{
    Clock, Random,
    connection_limit::{ConnectionLimiter, ConnectionLimits},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};
use tower::service_fn;

use crate::{
    cpu::Cpu,
    error::ApiError,
    guard::{Guard, GuardedBy, Lane, Peer},
    oidc::{self, OidcRealm},
    passwords::{PASSWORD_CHARACTERS_MIN, PasswordHashing, Passwords},
    roles::has_privileges_cache::HasPrivilegesCache,
    serve::serve,
    state::AppState,
    store::Store,
    version::Version,
};

/// Time limit for the headers of a connection's first request.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Time limit for requests in flight when the engine stops. The application has ended its own.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval between deletions of keys past their retention, and of expired tokens.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3_600);

/// Default of [`Config::body_bytes_max`].
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Default of [`Config::connections`].
const CONNECTION_LIMITS: ConnectionLimits = ConnectionLimits {
    connections_max: 256,
    connections_per_address_max: 128,
    idle_timeout: Duration::from_secs(75),
};

/// Configuration of an engine. The engine reads no environment variables and no files.
#[derive(Clone)]
pub struct Config {
    /// Address of the listener. Port 0 picks a free port; see [`crate::Engine::address`].
    pub listen: SocketAddr,
    /// The SQLite file. A missing file is created, readable by its owner only.
    pub database_file: PathBuf,
    /// Password of `elastic`, set on the first start. `None` generates one. Later starts ignore
    /// it.
    pub elastic_password: Option<SecretString>,
    /// Certificate and key of the listener. `None` serves plain HTTP.
    pub tls: Option<RustlsConfig>,
    pub clock: Clock,
    /// True if OAuth2 tokens are issued. False by default, as in Elasticsearch over plain HTTP.
    pub token_service: bool,
    /// Realms whose users sign in at a provider. One or more switch the token service on.
    pub oidc_realms: Vec<OidcRealm>,
    /// Maximum size of a request body after decompression, in bytes. Larger ones get 413. 16 MiB
    /// by default, which ten thousand keys or roles in one request do not reach.
    pub body_bytes_max: usize,
    /// Limits of the connections of [`Engine::address`]. Those of [`Engine::local_address`] are
    /// counted apart.
    pub connections: ConnectionLimits,
    /// Limits guessed passwords and records changes of the port's clients. None by default.
    pub guard: Option<Arc<dyn Guard>>,
    /// Cost of password hashes. Only tests change it.
    #[doc(hidden)]
    pub password_hashing: PasswordHashing,
    /// Version to answer as. Only tests change it.
    #[doc(hidden)]
    pub version: Version,
}

impl Config {
    /// A configuration with the system's clock and a generated first password.
    #[must_use]
    pub fn new(listen: SocketAddr, database_file: PathBuf) -> Self {
        Self {
            listen,
            database_file,
            elastic_password: None,
            tls: None,
            clock: Clock::system(),
            token_service: false,
            oidc_realms: Vec::new(),
            body_bytes_max: BODY_BYTES_MAX,
            connections: CONNECTION_LIMITS,
            guard: None,
            password_hashing: PasswordHashing::Standard,
            version: Version::CURRENT,
        }
    }
}

/// A running engine. Dropping it leaves its tasks running; [`Engine::stop`] ends them.
pub struct Engine {
    address: SocketAddr,
    local_address: SocketAddr,
    first_password: Option<SecretString>,
    handle: Handle<SocketAddr>,
    stopping: watch::Sender<bool>,
    servers: Vec<JoinHandle<io::Result<()>>>,
    sweeper: JoinHandle<()>,
    state: Arc<AppState>,
}

/// The reason why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use.
    #[error(
        "{address} is already in use. Set AGENT_KEYS_EMBEDDED_LISTEN to another address (port 0 \
         picks a free one), or set AGENT_KEYS_ELASTICSEARCH_URL to use a real cluster instead"
    )]
    AddressInUse { address: SocketAddr },
    /// The listener failed for another reason.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        address: SocketAddr,
        cause: io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error("cannot open the embedded engine's database: {0}")]
    Database(String),
    /// A realm cannot be used.
    #[error("the OpenID Connect realm [{name}] cannot be used: {cause}")]
    Realm { name: String, cause: String },
    /// The superuser `elastic` cannot be given a password.
    #[error("cannot set up the superuser elastic: {0}")]
    FirstUser(String),
}

impl Engine {
    /// Opens the listener and the database, creates the superuser `elastic` on the first start,
    /// and serves requests in the background.
    ///
    /// # Errors
    ///
    /// When the address is in use or the database cannot be opened. No task keeps running then.
    pub async fn start(config: Config) -> Result<Engine, StartError> {
        let first_user = |error: String| StartError::FirstUser(error);
        let given = config
            .elastic_password
            .as_ref()
            .map(ExposeSecret::expose_secret);
        if given.is_some_and(|given| given.chars().count() < PASSWORD_CHARACTERS_MIN) {
            let reason =
                format!("its password needs at least {PASSWORD_CHARACTERS_MIN} characters");
            return Err(first_user(reason));
        }
        let oidc_realms =
            oidc::open(config.oidc_realms).map_err(|(name, error)| StartError::Realm {
                name,
                cause: error.to_string(),
            })?;
        let listener = listen(config.listen)?;
        let address = listener.local_addr().map_err(|cause| StartError::Listen {
            address: config.listen,
            cause,
        })?;
        let random = Random;
        let passwords = Passwords::new(config.password_hashing, config.clock.clone(), random)
            .map_err(|error| first_user(error.to_string()))?;
        let store = Store::open(&config.database_file, random)
            .await
            .map_err(|error| StartError::Database(error.to_string()))?;
        let guard = config.guard.map(|guard| GuardedBy::new(guard, random));
        let guard = guard
            .transpose()
            .map_err(|error| first_user(error.to_string()))?;
        let state = Arc::new(AppState {
            store,
            passwords,
            has_privileges_cache: HasPrivilegesCache::default(),
            cpu: Cpu::default(),
            clock: config.clock,
            random,
            guard,
            token_service: config.token_service || !oidc_realms.is_empty(),
            oidc_realms,
            body_bytes_max: config.body_bytes_max,
            address,
            version: config.version,
        });
        let first_password = set_first_password(&state, config.elastic_password)
            .await
            .map_err(|error| first_user(format!("{error:?}")))?;

        let handle = Handle::new();
        // One service for all paths, because `routes` matches them.
        let service = {
            let state = state.clone();
            move |peer: SocketAddr, encrypted: bool| {
                let state = state.clone();
                let peer = Peer {
                    address: peer.ip(),
                    encrypted,
                };
                service_fn(move |request| {
                    let answering = serve(state.clone(), peer, request);
                    async { Ok::<_, Infallible>(answering.await) }
                })
            }
        };
        let make_service = |encrypted| {
            let service = service.clone();
            service_fn(move |peer| ready(Ok::<_, Infallible>(service(peer, encrypted))))
        };
        let plain = |listener, connections| {
            let server = server(listener, &handle)?.acceptor(connections);
            Ok(tokio::spawn(server.serve(make_service(false))))
        };
        let listen_failed = |cause| StartError::Listen { address, cause };
        // A listener of its own: other clients cannot take the application's connections, and the
        // certificate has another name than this machine's own address.
        let local = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let local_address = local.local_addr().map_err(listen_failed)?;
        let local = plain(
            local,
            ConnectionLimiter::new("engine, for the application", config.connections, |_| true),
        );
        let local = local.map_err(listen_failed)?;
        let guarded = state.clone();
        let is_proxy = move |address| {
            let guard = guarded.guard.as_ref();
            guard.is_some_and(|guarded_by| guarded_by.guard.is_proxy(address))
        };
        let connections =
            ConnectionLimiter::new("AGENT_KEYS_EMBEDDED_LISTEN", config.connections, is_proxy);
        let public = match config.tls {
            None => plain(listener, connections).map_err(listen_failed)?,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(connections);
                let server = server(listener, &handle).map_err(listen_failed)?;
                tokio::spawn(server.acceptor(acceptor).serve(make_service(true)))
            }
        };
        let servers = vec![public, local];
        let (stopping, stop) = watch::channel(false);
        Ok(Engine {
            address,
            local_address,
            first_password,
            handle,
            stopping,
            servers,
            sweeper: tokio::spawn(sweep(state.clone(), stop)),
            state,
        })
    }

    /// Address of the listener. With port 0 in the configuration, the port that was picked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address for this process: another port on loopback, in plain HTTP.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Secret with which the application shows in [`crate::APPLICATION_TOKEN`] that a request is its
    /// own. `None` without a guard.
    #[must_use]
    pub fn application_token(&self) -> Option<&SecretString> {
        self.state
            .guard
            .as_ref()
            .map(|guarded_by| &guarded_by.token)
    }

    /// The generated password of `elastic`, on the first start only.
    #[must_use]
    pub fn first_password(&self) -> Option<&SecretString> {
        self.first_password.as_ref()
    }

    /// Waits for requests in flight, one second at most, and closes the database.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(SHUTDOWN_TIMEOUT));
        // Sending fails only if the sweeper has ended already.
        let _ = self.stopping.send(true);
        for server in self.servers {
            report(server.await.map(|_| ()));
        }
        report(self.sweeper.await);
        self.state.store.close().await;
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of the embedded engine failed");
    }
}

/// A server of HTTP/1.1 with time limits.
fn server(listener: TcpListener, handle: &Handle<SocketAddr>) -> io::Result<Server<SocketAddr>> {
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle.clone())
        .http1_only()
        .first_request_timeout(FIRST_REQUEST_TIMEOUT);
    server
        .http_builder()
        .http1()
        .header_read_timeout(crate::http::REQUEST_TIMEOUT)
        .max_buf_size(128 * 1024);
    Ok(server)
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
        _ => StartError::Listen { address, cause },
    })?;
    listener
        .set_nonblocking(true)
        .map_err(|cause| StartError::Listen { address, cause })?;
    Ok(listener)
}

/// Sets the password of `elastic` unless it has one. Returns a generated password.
async fn set_first_password(
    state: &AppState,
    given: Option<SecretString>,
) -> Result<Option<SecretString>, ApiError> {
    let elastic = state.store.user("elastic").await?;
    if elastic.is_none_or(|user| user.password_hash.is_some()) {
        return Ok(None);
    }
    let (password, generated) = match given {
        Some(password) => (password, false),
        None => (state.random.password()?, true),
    };
    let hash = state.passwords.hash(Lane::Application, &password).await?;
    let first = state.store.set_first_password("elastic", &hash).await?;
    Ok((first && generated).then_some(password))
}

/// Deletes keys past their retention and expired tokens, at intervals.
async fn sweep(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    loop {
        let now_ms = state.clock.now_ms();
        match state.store.sweep_keys(now_ms).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "deleted keys that ended long ago"),
            Err(error) => tracing::error!(?error, "cannot delete keys that ended long ago"),
        }
        if let Err(error) = state.store.sweep_tokens(now_ms).await {
            tracing::error!(?error, "cannot delete expired tokens");
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
            _ = stop.changed() => return,
        }
    }
}
