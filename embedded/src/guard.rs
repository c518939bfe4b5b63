//! Limits and audit events for the clients of the engine's port.

use std::{net::IpAddr, pin::Pin, sync::Arc};

use http::{HeaderMap, HeaderName, Uri, request::Parts};
use platform::{Random, RandomError};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Header in which the application shows [`crate::Engine::application_token`].
pub const APPLICATION_TOKEN: HeaderName = HeaderName::from_static("x-agent-keys-application");

/// A boxed future.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The application's part in protecting the engine's port. Its own requests pass it by.
pub trait Guard: Send + Sync {
    /// Returns true for a proxy, to which the limit of connections from one address does not apply.
    fn is_proxy(&self, address: IpAddr) -> bool;

    /// Returns the client's address, which `peer` may have forwarded in the headers.
    fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr;

    /// Returns false for a request over plain HTTP whose host name is not one of the listener's.
    fn answers_for(&self, peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> bool;

    /// Runs the check of a password if the limits allow it, counts the result, and returns it.
    /// Returns false without a check while guesses are paused, and `None` if the check returns
    /// `None` or guesses cannot be counted.
    fn limit_guesses<'a>(
        &'a self,
        username: &'a str,
        client: IpAddr,
        check: Boxed<'a, Option<bool>>,
    ) -> Boxed<'a, Option<bool>>;

    /// Records a change.
    fn record_change(&self, change: Change) -> Boxed<'static, ()>;

    /// Records that a request was refused, because its user lacks the privilege.
    fn record_refusal(&self, refused: Change) -> Boxed<'static, ()>;
}

/// A change that a client of the port made, or whose outcome is unknown because the client left; or a request that was
/// refused.
#[derive(Clone, Debug)]
pub struct Change {
    /// Elasticsearch's name of the action.
    pub action: &'static str,
    /// Name of the user, and of the realm, that made the change.
    pub username: String,
    pub realm: String,
    /// Id of the API key with which the user authenticated.
    pub api_key: Option<String>,
    pub client: IpAddr,
    /// Names and ids in the path, and ids in the response; for a token its user.
    pub targets: Vec<String>,
    /// True if the response was sent.
    pub succeeded: bool,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// True if the listener speaks TLS.
    pub(crate) encrypted: bool,
}

/// The client that sent a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// The application itself, or any client while there is no guard.
    Application,
    Other(IpAddr),
}

/// A queue for hashes. Strangers wait for each other, and the application never waits for more than
/// one of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Application,
    Other,
}

impl Client {
    /// The queue in which the client's passwords are checked.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Application => Lane::Application,
            Self::Other(_) => Lane::Other,
        }
    }
}

/// The guard of an engine, with the token that shows which requests are the application's own.
pub(crate) struct GuardedBy {
    pub(crate) guard: Arc<dyn Guard>,
    pub(crate) token: SecretString,
}

impl GuardedBy {
    pub(crate) fn new(guard: Arc<dyn Guard>, random: Random) -> Result<Self, RandomError> {
        let token = random.secret()?;
        Ok(Self { guard, token })
    }

    /// Returns true if a request is for a host name of the listener.
    pub(crate) fn answers(&self, peer: Peer, parts: &Parts) -> bool {
        let (uri, headers) = (&parts.uri, &parts.headers);
        peer.encrypted || self.guard.answers_for(peer.address, uri, headers)
    }

    /// Returns the client of a request that came from `peer`.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Client {
        let expected = self.token.expose_secret().as_bytes();
        let shown = headers.get(APPLICATION_TOKEN);
        if shown.is_some_and(|shown| shown.as_bytes().ct_eq(expected).into()) {
            return Client::Application;
        }
        Client::Other(self.guard.client_address(peer.address, headers))
    }
}
