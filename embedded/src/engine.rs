//! Starts and stops an engine.

use std::{
    convert::Infallible,
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum_server::Handle;
use secrecy::SecretString;
use tokio::{sync::watch, task::JoinHandle};
use tower::service_fn;

use crate::{
    clock::Clock,
    error::ApiError,
    passwords::{PasswordHashing, Passwords},
    random::Random,
    roles::has_privileges_cache::HasPrivilegesCache,
    serve::serve,
    state::AppState,
    store::Store,
    version::Version,
};

/// How long a client may take to send the headers of its first request, in seconds.
const FIRST_REQUEST_SECONDS_MAX: u64 = 15;
/// How long requests under way may take to end when the engine stops, in seconds.
const STOP_SECONDS_MAX: u64 = 10;
/// How often keys that ended long ago are looked for, in seconds.
const SWEEP_SECONDS: u64 = 3_600;

/// What an engine needs to start. Nothing else is read: no environment, no file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 picks a free port; see [`crate::Engine::address`].
    pub listen: SocketAddr,
    /// The SQLite file. It is created, readable by its owner only, when it is missing.
    pub database_file: PathBuf,
    /// The password `elastic` gets on the first start. `None` generates one.
    /// Later starts do not look at it.
    pub elastic_password: Option<SecretString>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether OAuth2 tokens are given out. As in Elasticsearch they are not, by default, where
    /// the listener speaks plain HTTP.
    pub token_service: bool,
    /// What a password costs to check. Only tests change it.
    #[doc(hidden)]
    pub password_hashing: PasswordHashing,
    /// The version that is answered as. Only tests ask for an older one.
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
            clock: Clock::system(),
            token_service: false,
            password_hashing: PasswordHashing::Standard,
            version: Version::CURRENT,
        }
    }
}

/// A running engine. Dropping it leaves its tasks running; [`Engine::stop`] ends them.
pub struct Engine {
    address: SocketAddr,
    first_password: Option<SecretString>,
    handle: Handle<SocketAddr>,
    stopping: watch::Sender<bool>,
    server: JoinHandle<io::Result<()>>,
    sweeper: JoinHandle<()>,
    state: Arc<AppState>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something else listens there.
    #[error(
        "{address} is already in use. Set AGENT_KEYS_EMBEDDED_LISTEN to another address (port 0 \
         picks a free one), or set AGENT_KEYS_ELASTICSEARCH_URL to use a real cluster instead"
    )]
    AddressInUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The database cannot be opened or brought up to date.
    #[error("cannot open the embedded engine's database: {0}")]
    Database(String),
    /// The superuser `elastic` could not be given a password.
    #[error("cannot set up the superuser elastic: {0}")]
    FirstUser(String),
}

impl Engine {
    /// Listens, brings the database up to date, makes the superuser `elastic` on the first
    /// start, and answers requests in the background.
    ///
    /// # Errors
    ///
    /// When the address is taken or the database cannot be opened; nothing keeps running then.
    pub async fn start(config: Config) -> Result<Engine, StartError> {
        let listener = listen(config.listen)?;
        let address = listener.local_addr().map_err(|cause| StartError::Listen {
            address: config.listen,
            cause,
        })?;
        let random = Random;
        let first_user = |error: String| StartError::FirstUser(error);
        let passwords = Passwords::new(config.password_hashing, config.clock.clone(), random)
            .map_err(|error| first_user(error.to_string()))?;
        let store = Store::open(&config.database_file, random)
            .await
            .map_err(|error| StartError::Database(error.to_string()))?;
        let state = Arc::new(AppState {
            store,
            passwords,
            has_privileges_cache: HasPrivilegesCache::default(),
            clock: config.clock,
            random,
            token_service: config.token_service,
            address,
            version: config.version,
        });
        let first_password = first_start(&state, config.elastic_password)
            .await
            .map_err(|error| first_user(format!("{error:?}")))?;

        let handle = Handle::new();
        // One service for every path: the menu of `http::routes` knows them, and a router before it would only cost.
        let service = {
            let state = state.clone();
            service_fn(move |request| {
                let answering = serve(state.clone(), request);
                async { Ok::<_, Infallible>(answering.await) }
            })
        };
        let mut server = axum_server::from_tcp(listener)
            .map_err(|cause| StartError::Listen { address, cause })?
            .handle(handle.clone())
            .http1_only()
            .first_request_timeout(Duration::from_secs(FIRST_REQUEST_SECONDS_MAX));
        server
            .http_builder()
            .http1()
            .header_read_timeout(Duration::from_secs(crate::http::REQUEST_SECONDS_MAX))
            .max_buf_size(128 * 1024);
        let server = server
            .acceptor(axum_server::accept::NoDelayAcceptor::new())
            .serve(service_fn(move |_connection| {
                ready(Ok::<_, Infallible>(service.clone()))
            }));
        let (stopping, stop) = watch::channel(false);
        Ok(Engine {
            address,
            first_password,
            handle,
            stopping,
            server: tokio::spawn(server),
            sweeper: tokio::spawn(sweep(state.clone(), stop)),
            state,
        })
    }

    /// Where the engine listens: with port 0 in the configuration, the port that was picked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The password of `elastic`, only when it was generated on this very start.
    #[must_use]
    pub fn first_password(&self) -> Option<&SecretString> {
        self.first_password.as_ref()
    }

    /// Lets requests under way end, for ten seconds at most, and closes the database.
    pub async fn stop(self) {
        self.handle
            .graceful_shutdown(Some(Duration::from_secs(STOP_SECONDS_MAX)));
        // Nobody listens any more when the sweeper has ended by itself.
        let _ = self.stopping.send(true);
        for ended in [self.server.await.map(|_| ()), self.sweeper.await] {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the embedded engine failed");
            }
        }
        self.state.store.close().await;
    }
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

/// Gives `elastic` its password unless it has one. Answers the password if it was generated.
async fn first_start(
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
    let hash = state.passwords.hash(&password).await?;
    let first = state.store.set_first_password("elastic", &hash).await?;
    Ok((first && generated).then_some(password))
}

/// Deletes what ended long ago, from time to time.
async fn sweep(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    loop {
        let now_ms = state.clock.now_ms();
        match state.store.sweep_keys(now_ms).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "deleted keys that ended long ago"),
            Err(error) => tracing::error!(?error, "cannot delete keys that ended long ago"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(SWEEP_SECONDS)) => {}
            _ = stop.changed() => return,
        }
    }
}
