//! How a request travels and what is accepted as an answer.

use super::{
    Credential, Error,
    answer::{Answer, is_marked},
    breaker::{Breaker, Circuit},
    capabilities::{Capabilities, Capability},
    queue::Queue,
    recheck::{Recheck, Rejections, cannot_check},
    transport::{Node, Transport, may_move_on},
};
use crate::{config::Cluster, metrics::Calls, request_id::RequestId};
use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use std::{
    error::Error as _,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout};
use url::Url;

const READ_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a call waits for its probe. The probe itself goes on, for the next call.
const LOOK_TIMEOUT: Duration = Duration::from_millis(200);
/// The largest answer to a change of one thing.
const WRITE_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The largest answer to a change of many: a thousand keys that could not be revoked, with an error for each.
const WRITE_MANY_ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// The largest error: Elasticsearch's hold a few sentences, or a list of shard failures.
const ERROR_BYTES_MAX: usize = 256 * 1024;
/// The largest answer to a question: a page of keys, or all users.
pub(super) const READ_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The client of one Elasticsearch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Elasticsearch {
    transport: Transport,
    embedded: bool,
    queue: Queue,
    calls: Calls,
    breaker: Breaker,
    rejections: Rejections,
    capabilities: Capabilities,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A certificate's or key's file cannot be read.
    #[error("{setting}: cannot read {path}: {source}", path = path.display())]
    CaFile {
        /// The setting that names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no certificates.
    #[error("{setting}: {path} holds no PEM certificates", path = path.display())]
    NoCertificates {
        /// The setting that names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The file holds no private key.
    #[error("{setting}: {path} holds no unencrypted PEM private key", path = path.display())]
    NoKey {
        /// The setting that names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The client's certificate and key cannot be used together.
    #[error(
        "AGENT_KEYS_ELASTICSEARCH_CLIENT_CERT_FILE and AGENT_KEYS_ELASTICSEARCH_CLIENT_KEY_FILE do not belong together"
    )]
    ClientCertificate,
    /// The HTTP proxy's address cannot be used.
    #[error(
        "AGENT_KEYS_ELASTICSEARCH_PROXY: use the address of an HTTP proxy such as http://proxy.example.com:3128"
    )]
    Proxy,
    /// The HTTP client could not be made.
    #[error("cannot make the HTTP client for Elasticsearch")]
    Client(#[from] reqwest::Error),
}

impl Elasticsearch {
    /// A client of this cluster.
    pub fn new(cluster: Cluster, embedded: bool) -> Result<Self, StartError> {
        Ok(Self {
            transport: Transport::new(cluster)?,
            embedded,
            queue: Queue::default(),
            calls: Calls::default(),
            breaker: Breaker::default(),
            rejections: Rejections::default(),
            capabilities: Capabilities::default(),
        })
    }

    /// Its addresses, without the slash at the end, separated by commas.
    pub fn address(&self) -> &str {
        self.transport.address()
    }

    /// The first of them.
    pub fn first_address(&self) -> &str {
        self.transport.first_address()
    }

    /// Whether it is our own engine.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Whether calls fail at once, because it cannot be reached.
    pub fn is_given_up(&self) -> bool {
        self.breaker.is_open()
    }

    /// Tells when it is given up, and when it is there again.
    pub fn watch(&self) -> watch::Receiver<Circuit> {
        self.breaker.watch()
    }

    /// For how long it has answered nothing; `None` when the last question was answered.
    pub fn silent_for(&self) -> Option<Duration> {
        self.breaker.silent_for(Instant::now())
    }

    /// Counts of calls, by operation and outcome.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// A connection with a credential that nothing is known about: of a person who signs in.
    pub fn connect(&self, credential: Credential, request_id: RequestId) -> Connection {
        Connection {
            elasticsearch: self.clone(),
            credential,
            instead: None,
            session_of: None,
            request_id,
        }
    }

    /// A connection with the credential of a session, which Elasticsearch accepted when it began.
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

    /// Whether anything answers there in Elasticsearch's name. Sends no credential.
    pub async fn is_reachable(&self) -> bool {
        if !self.breaker.admits_probe(Instant::now()) {
            return false;
        }
        // A task of its own: the caller may wait for less time than a slow link needs.
        let elasticsearch = self.clone();
        let probe = tokio::spawn(async move {
            let is_there = elasticsearch.transport.is_reachable().await;
            if is_there {
                elasticsearch.breaker.answered();
            }
            is_there
        });
        probe.await.unwrap_or(false)
    }

    /// Returns true if a call may be made. While the circuit is open, one call a second probes first, briefly; the
    /// others fail at once. The probe is a request of its own, so that no change is sent on a guess.
    async fn admits_call(&self) -> bool {
        let probe = || timeout(LOOK_TIMEOUT, self.is_reachable());
        !self.is_given_up() || probe().await.unwrap_or(false)
    }

    /// Logs why there is no answer, once at the beginning of each silence.
    fn log_cause(&self, error: &reqwest::Error) {
        if self.silent_for().is_some() {
            return;
        }
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.dedup();
        tracing::warn!(
            address = self.address(),
            cause = causes.join(": "),
            "no answer from Elasticsearch"
        );
    }

    /// What an exchange that began at `began` says about whether Elasticsearch is there.
    fn note(&self, result: &Result<Answer, Error>, began: Instant) {
        match result {
            Ok(answer) => {
                self.breaker.answered();
                if answer.status.is_server_error() {
                    self.rejections.sign(Instant::now());
                }
            }
            Err(error @ (Error::TimedOut | Error::Unreachable)) => {
                self.rejections.sign(Instant::now());
                self.breaker.unanswered(began);
                // Two requests without an answer are as long a wait as five without a connection.
                let weight = if *error == Error::TimedOut { 3 } else { 1 };
                let waited = began.elapsed();
                self.breaker.failed(Instant::now(), waited, weight);
            }
            Err(Error::Gateway(_) | Error::Interrupted) => self.rejections.sign(Instant::now()),
            // The others do not tell: nothing may have been sent.
            Err(_) => {}
        }
    }
}

/// Returns true if the body of the request holds a password.
fn holds_password(operation: &str) -> bool {
    matches!(operation, "put_user" | "set_password")
}

/// Elasticsearch, in one person's name, for one request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    elasticsearch: Elasticsearch,
    credential: Credential,
    /// Sent as `Authorization` in place of the credential.
    instead: Option<HeaderValue>,
    /// Realm and name of the person whose session this is.
    session_of: Option<Arc<str>>,
    request_id: RequestId,
}

/// Whether a call changes something: changes get more time, and a smaller answer.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    Reads,
    Writes,
    /// The answer tells of each of them.
    WritesMany,
}

impl Connection {
    /// Whose name this is in.
    pub fn username(&self) -> &str {
        self.credential.username()
    }

    /// Returns true if the cluster is known to lack this.
    pub fn lacks(&self, capability: Capability) -> bool {
        let capabilities = &self.elasticsearch.capabilities;
        capabilities.lacks(capability, Instant::now())
    }

    /// Returns true if this refusal says that the cluster lacks the capability. It is then remembered.
    pub fn lacks_by(&self, error: &Error, capability: Capability) -> bool {
        let capabilities = &self.elasticsearch.capabilities;
        capabilities.learn_refusal(capability, error, Instant::now())
    }

    pub(super) fn learn_version(&self, number: &str) {
        let capabilities = &self.elasticsearch.capabilities;
        capabilities.learn_version(number, Instant::now());
    }

    pub(super) fn rejections(&self) -> &Rejections {
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

    /// Sends one request and reads its whole answer. `path` is joined segment by segment, each of them encoded.
    ///
    /// A 401 in the middle of a session is checked again: see [`super::recheck`].
    pub(super) async fn send<B: Serialize + ?Sized>(
        &self,
        effect: Effect,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        let answer = self
            .send_once(effect, method.clone(), path, query, body)
            .await?;
        let Some(person) = &self.session_of else {
            return Ok(answer);
        };
        if answer.status != StatusCode::UNAUTHORIZED {
            if answer.status.is_success() {
                self.rejections().accepted(person);
            }
            return Ok(answer);
        }
        // Boxed: no other request needs room for it.
        match Box::pin(self.recheck(person)).await? {
            Recheck::Rejected => Ok(answer),
            // The first request was refused before anything happened, so sending it again is safe.
            Recheck::Accepted => {
                let answer = self.send_once(effect, method, path, query, body).await?;
                if answer.status == StatusCode::UNAUTHORIZED {
                    return Err(cannot_check());
                }
                Ok(answer)
            }
        }
    }

    pub(super) async fn send_once<B: Serialize + ?Sized>(
        &self,
        effect: Effect,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        let operation = match self.instead {
            Some(_) => "probe_security_index",
            None => operation(&method, path),
        };
        let began = Instant::now();
        let elasticsearch = &self.elasticsearch;
        let result = if elasticsearch.admits_call().await {
            let began = Instant::now();
            let secret = holds_password(operation);
            let result = self
                .exchange(effect, method, path, query, body, secret)
                .await;
            elasticsearch.note(&result, began);
            result
        } else {
            Err(Error::Unreachable)
        };
        let outcome = match result.as_ref().map(Answer::success) {
            Ok(Ok(())) => "success",
            Ok(Err(error)) => error.name(),
            Err(error) => error.name(),
        };
        elasticsearch
            .calls
            .ended(operation, outcome, began.elapsed());
        result
    }

    async fn exchange<B: Serialize + ?Sized>(
        &self,
        effect: Effect,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&B>,
        secret: bool,
    ) -> Result<Answer, Error> {
        let (timeout, bytes_max) = match effect {
            Effect::Reads => (READ_TIMEOUT, READ_ANSWER_BYTES_MAX),
            Effect::Writes => (WRITE_TIMEOUT, WRITE_ANSWER_BYTES_MAX),
            Effect::WritesMany => (WRITE_TIMEOUT, WRITE_MANY_ANSWER_BYTES_MAX),
        };
        let authorization = match &self.instead {
            Some(authorization) => authorization.clone(),
            None => self.credential.header()?,
        };
        let is_read = matches!(effect, Effect::Reads);
        let transport = &self.elasticsearch.transport;
        let _turn = self.elasticsearch.queue.turn().await?;
        let http = transport.http();
        let mut result = Err(Error::Unreachable);
        for node in transport.nodes() {
            let mut request = http
                .request(method.clone(), url(node, path, query)?)
                .timeout(timeout)
                .header(header::AUTHORIZATION, authorization.clone())
                .header(header::ACCEPT, "application/json")
                .header("x-opaque-id", self.request_id.as_str());
            if let Some(body) = body {
                request = request.json(body);
            }
            result = match request.send().await {
                Ok(response) => read_answer(response, bytes_max, secret).await,
                Err(error) => {
                    self.elasticsearch.log_cause(&error);
                    Err(explain(&error))
                }
            };
            match &result {
                Err(error) if may_move_on(error, is_read) => node.failed(),
                Err(Error::TimedOut | Error::Interrupted) => {
                    node.failed();
                    break;
                }
                _ => {
                    node.reached();
                    break;
                }
            }
        }
        result
    }
}

fn url(node: &Node, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
    // Such a segment would vanish from the path, and the request would mean something else.
    if path.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(Error::Invalid {
            kind: "path".to_owned(),
            reason: "a name that no path can hold".to_owned(),
        });
    }
    let mut url = node.url.clone();
    url.path_segments_mut()
        .map_err(|()| Error::Unreachable)?
        .pop_if_empty()
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// What is asked for, without whom it is about.
fn operation(method: &Method, path: &[&str]) -> &'static str {
    match (method.as_str(), path) {
        ("GET", []) => "info",
        ("GET", ["_security", "_authenticate"]) => "authenticate",
        ("POST", ["_security", "user", "_has_privileges"]) => "has_privileges",
        ("GET", ["_security", "user", "_privileges"]) => "list_privileges",
        ("POST", ["_security", "_query", "api_key"]) => "query_api_keys",
        ("GET", ["_security", "api_key"]) => "get_api_keys",
        ("POST", ["_security", "api_key"]) => "create_api_key",
        ("DELETE", ["_security", "api_key"]) => "invalidate_api_keys",
        ("GET", ["_security", "role", _]) => "get_role",
        ("PUT", ["_security", "role", _]) => "put_role",
        ("GET", ["_security", "user", ..]) => "get_users",
        ("PUT", ["_security", "user", _]) => "put_user",
        ("DELETE", ["_security", "user", _]) => "delete_user",
        ("PUT", ["_security", "user", _, "_password"]) => "set_password",
        ("PUT", ["_security", "user", _, "_enable" | "_disable"]) => "set_enabled",
        _ => "other",
    }
}

/// Reads the whole answer, up to `bytes_max`. `secret` says that the request holds a password.
pub(super) async fn read_answer(
    mut response: reqwest::Response,
    bytes_max: usize,
    secret: bool,
) -> Result<Answer, Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let is_success = status.is_success();
    let bytes_max = if is_success && is_marked(&headers) {
        bytes_max
    } else {
        ERROR_BYTES_MAX
    };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > bytes_max {
            // No error of Elasticsearch's is this long, so it is not Elasticsearch's.
            return Err(match is_success {
                true if is_marked(&headers) => Error::BadAnswer("size"),
                true => Error::WrongProduct,
                false => Error::Gateway(status),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Answer::judge(status, &headers, body, secret)
}

/// The error for a request without a complete answer. Only a failure to connect proves that nothing was sent.
pub(super) fn explain(error: &reqwest::Error) -> Error {
    if error.is_connect() {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if is_tls(inner) {
                return Error::Tls;
            }
            cause = inner.source();
        }
        Error::Unreachable
    } else if error.is_timeout() {
        Error::TimedOut
    } else if is_broken_encoding(error) {
        Error::BadAnswer("encoding")
    } else {
        Error::Interrupted
    }
}

/// An I/O error hides what it wraps from `source`, sometimes twice.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<rustls::Error>()
        || error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner))
}

/// Returns true if the body cannot be unpacked.
fn is_broken_encoding(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            let by_decoder = io
                .get_ref()
                .is_some_and(|inner| inner.is::<flate2::DecompressError>());
            // Broken header or checksum.
            if by_decoder || io.kind() == io::ErrorKind::InvalidData {
                return true;
            }
        }
        cause = inner.source();
    }
    false
}
