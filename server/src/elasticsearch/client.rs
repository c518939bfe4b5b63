//! The client of Elasticsearch, and the connection of one user and request.

use super::{
    ClientError, Error,
    breaker::{Breaker, Circuit},
    capabilities::{Capabilities, Capability},
    rejected_sessions::RejectedSessions,
    response::Response,
    transport::Transport,
};
use crate::{config::Cluster, credential::Credential, identifier::RequestId, metrics::Calls};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Limit for a call to wait for its probe. The probe itself continues, for the next call.
const PROBE_WAIT: Duration = Duration::from_millis(200);
/// Calls in flight at once; further calls wait.
const IN_FLIGHT_MAX: usize = 32;
/// Waiting calls; further calls fail with [`Error::Busy`].
const WAITING_MAX: usize = 64;
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of one Elasticsearch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Elasticsearch {
    pub(super) transport: Transport,
    /// Address of the embedded engine for other programs; `None` for a cluster.
    engine_address: Option<Arc<str>>,
    /// Shows the embedded engine that a call is the application's own.
    pub(super) engine_token: Option<HeaderValue>,
    call_limit: Arc<CallLimit>,
    calls: Calls,
    breaker: Breaker,
    rejections: RejectedSessions,
    capabilities: Capabilities,
    stopping: CancellationToken,
}

/// Elasticsearch on behalf of one user, for one request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) elasticsearch: Elasticsearch,
    credential: Credential,
    /// Sent as `Authorization` in place of the credential.
    pub(super) instead: Option<HeaderValue>,
    /// Realm and name of the user whose session this is.
    pub(super) session_of: Option<Arc<str>>,
    pub(super) request_id: RequestId,
}

impl Elasticsearch {
    /// The embedded engine, which is called at `url`. Other programs reach it at `address`.
    pub fn embedded(
        url: Url,
        address: &str,
        token: Option<&SecretString>,
    ) -> Result<Self, ClientError> {
        let engine_address = Some(address.into());
        let token = token.and_then(|token| HeaderValue::from_str(token.expose_secret()).ok());
        let engine_token = token.map(|mut token| {
            token.set_sensitive(true);
            token
        });
        Ok(Self {
            engine_address,
            engine_token,
            ..Self::new(url.into())?
        })
    }

    pub fn new(cluster: Cluster) -> Result<Self, ClientError> {
        Ok(Self {
            transport: Transport::new(cluster)?,
            engine_address: None,
            engine_token: None,
            call_limit: Arc::default(),
            calls: Calls::default(),
            breaker: Breaker::default(),
            rejections: RejectedSessions::default(),
            capabilities: Capabilities::default(),
            stopping: CancellationToken::new(),
        })
    }

    /// Cancelled when the process stops and waits no longer for Elasticsearch: calls in flight then have no answer, and
    /// no further call is made.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// All addresses, without the slash at the end, separated by commas.
    pub fn address(&self) -> &str {
        let engine = self.engine_address.as_deref();
        engine.unwrap_or_else(|| self.transport.address())
    }

    /// The first address, without the slash at the end.
    pub fn first_address(&self) -> &str {
        let engine = self.engine_address.as_deref();
        engine.unwrap_or_else(|| self.transport.first_address())
    }

    /// Returns true for the embedded engine.
    pub fn is_embedded(&self) -> bool {
        self.engine_address.is_some()
    }

    /// Returns true while the circuit is open: calls fail at once.
    pub fn is_circuit_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Reports when the circuit opens and closes.
    pub fn watch(&self) -> watch::Receiver<Circuit> {
        self.breaker.watch()
    }

    /// Time since the first call without a response; `None` if the last call had one.
    pub fn unavailable_for(&self) -> Option<Duration> {
        self.breaker.unavailable_for(Instant::now())
    }

    /// Ends of the certificates in the files of the settings, in seconds since 1970.
    pub fn certificate_ends(&self) -> Vec<(&'static str, i64)> {
        self.transport.certificate_ends()
    }

    /// Counts of calls, by operation and outcome.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// A connection with a credential that is not verified yet, for signing in.
    pub fn connect(&self, credential: Credential, request_id: RequestId) -> Connection {
        Connection {
            elasticsearch: self.clone(),
            credential,
            instead: None,
            session_of: None,
            request_id,
        }
    }

    /// A connection with the credential of a session, which Elasticsearch accepted at sign-in.
    pub fn connect_session(
        &self,
        credential: Credential,
        realm: &str,
        request_id: RequestId,
    ) -> Connection {
        let session_of = format!("{realm}/{}", credential.username());
        Connection {
            session_of: Some(session_of.into()),
            ..self.connect(credential, request_id)
        }
    }

    /// Returns true if a node responds in Elasticsearch's form. Sends no credential.
    pub async fn is_reachable(&self) -> bool {
        if !self.breaker.allows_probe(Instant::now()) {
            return false;
        }
        // A task of its own: the caller may wait for less time than a slow link needs.
        let elasticsearch = self.clone();
        let probe = tokio::spawn(async move {
            let is_reachable = elasticsearch.transport.is_reachable().await;
            if is_reachable {
                elasticsearch.breaker.record_response();
            }
            is_reachable
        });
        probe.await.unwrap_or(false)
    }

    /// Every address, with the cause if it does not answer in Elasticsearch's form. Sends no credential.
    pub async fn probe_each(&self) -> Vec<(String, Result<(), String>)> {
        self.transport.probe_each().await
    }

    /// Tries to reach Elasticsearch, and logs the result.
    pub async fn log_reachability(&self) {
        // A failure is logged with its cause.
        if self.is_reachable().await {
            tracing::info!(address = self.address(), "Elasticsearch answers");
        }
    }

    /// Returns true if a call may be made. While the circuit is open, one call a second probes first, briefly; the
    /// others fail at once. The probe is a request of its own, so that no change is sent on a guess.
    pub(super) async fn allows_call(&self) -> bool {
        let probe = || timeout(PROBE_WAIT, self.is_reachable());
        !self.is_circuit_open() || probe().await.unwrap_or(false)
    }

    /// Waits for a slot among the calls in flight. On [`Error::Busy`], nothing was sent.
    pub(super) async fn acquire_slot(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.call_limit.acquire().await
    }

    /// Updates the circuit breaker and the signs of an outage from an exchange that began at `began`.
    pub(super) fn record(&self, result: &Result<Response, Error>, began: Instant) {
        match result {
            Ok(response) => {
                self.breaker.record_response();
                if response.status.is_server_error() {
                    self.rejections.record_outage_sign(Instant::now());
                }
            }
            Err(error @ (Error::TimedOut | Error::Unreachable)) => {
                self.rejections.record_outage_sign(Instant::now());
                self.breaker.record_no_response(began);
                // Two requests without a response are as long a wait as five without a connection.
                let weight = if *error == Error::TimedOut { 3 } else { 1 };
                let waited = began.elapsed();
                self.breaker.record_failure(Instant::now(), waited, weight);
            }
            Err(Error::Gateway(_) | Error::Interrupted) => {
                self.rejections.record_outage_sign(Instant::now());
            }
            // The other errors prove nothing: the request may not have been sent.
            Err(_) => {}
        }
    }
}

impl Connection {
    pub fn username(&self) -> &str {
        self.credential.username()
    }

    /// Returns true if the cluster is known to lack this.
    pub fn lacks(&self, capability: Capability) -> bool {
        let capabilities = &self.elasticsearch.capabilities;
        capabilities.lacks(capability, Instant::now())
    }

    /// Returns true if this error says that the cluster lacks the capability. It is then remembered.
    pub fn lacks_by(&self, error: &Error, capability: Capability) -> bool {
        let capabilities = &self.elasticsearch.capabilities;
        capabilities.learn_refusal(capability, error, Instant::now())
    }

    pub(super) fn learn_version(&self, number: &str) {
        let capabilities = &self.elasticsearch.capabilities;
        capabilities.learn_version(number, Instant::now());
    }

    pub(super) fn rejections(&self) -> &RejectedSessions {
        &self.elasticsearch.rejections
    }

    /// The same connection with another `Authorization`.
    pub(super) fn with_header(&self, authorization: HeaderValue) -> Self {
        Self {
            instead: Some(authorization),
            session_of: None,
            ..self.clone()
        }
    }

    /// Value of `Authorization`.
    pub(super) fn authorization(&self) -> Result<HeaderValue, Error> {
        match &self.instead {
            Some(authorization) => Ok(authorization.clone()),
            None => self
                .credential
                .header()
                .map_err(|_| Error::BadAnswer("credential")),
        }
    }
}

/// Limit of concurrent calls, so that a slow Elasticsearch does not collect them without bound.
#[derive(Debug)]
struct CallLimit {
    in_flight: Semaphore,
    waiting: Semaphore,
}

impl Default for CallLimit {
    fn default() -> Self {
        Self {
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            waiting: Semaphore::new(WAITING_MAX),
        }
    }
}

impl CallLimit {
    async fn acquire(&self) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.in_flight.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Error::Busy)?;
        let permit = timeout(WAIT_TIMEOUT, self.in_flight.acquire()).await;
        permit.ok().and_then(Result::ok).ok_or(Error::Busy)
    }
}
