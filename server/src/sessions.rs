//! Sign-in sessions.
//!
//! The cookie holds a random token of 128 bits. The database holds a digest of it, under which the row is found, and
//! the user's identity and credential. These are sealed with a key derived from the token *and* the server key, so
//! that the database together with the server key still reveals no password.
//!
//! A session ends after [`IDLE_MS_MAX`] without use and [`LIFE_MS_MAX`] after it began. An ended session is deleted,
//! and no late request brings it back. The reason is kept for as long as its cookie may still come, so that the
//! sign-in page can show it.
//!
//! The token changes whenever the password is entered ([`sign_in()`], [`reauthenticate()`]): a token that was planted
//! or stolen before is worth nothing after. [`known_device`] recognises the browsers in which a user has signed in.

pub mod known_device;
mod lookup;
pub mod manage;
pub mod rate_limit;
mod seal;
mod server_key;
mod sign_in;
mod user_agent;

use crate::{access::Identity, credential::Credential};
use app::model::{
    session::{SessionEnd, SessionId},
    timestamp::Timestamp,
};
use known_device::DeviceToken;
use std::net::IpAddr;

pub use lookup::{FoundSession, find, open};
pub use manage::{EndReason, end};
pub use seal::Token;
pub use server_key::{SealError, ServerKey, ServerKeyError};
pub use sign_in::{reauthenticate, sign_in};

/// Longest time without use.
pub const IDLE_MS_MAX: i64 = 30 * 60 * 1_000;
/// Longest time since sign-in.
pub const LIFE_MS_MAX: i64 = 12 * 60 * 60 * 1_000;

/// Session of a signed-in user.
#[derive(Clone, Debug)]
pub struct Session {
    /// Digest of the token, under which the session is stored.
    pub id_hash: String,
    /// Public id. It stays when the token changes.
    pub id: SessionId,
    /// Time when the password was last entered.
    pub authenticated_at: Timestamp,
    pub identity: Identity,
    pub credential: Credential,
}

/// Result of looking up a request's cookie.
#[derive(Clone, Debug)]
pub enum SessionLookup {
    Live(Box<Session>),
    /// The session was ended, and not by its own browser.
    Ended(SessionEnd),
    /// The token was renewed. The browser has the new cookie, or receives it in a moment.
    Renewed,
    Nothing,
}

/// Properties of the browser that sent a request.
#[derive(Clone, Debug, Default)]
pub struct BrowserInfo {
    /// Client address.
    pub address: Option<IpAddr>,
    /// `User-Agent` header, as received.
    pub user_agent: Option<String>,
    /// Cookie by which the browser may be recognised.
    pub device: Option<DeviceToken>,
}

/// Cookies for the browser in which the right password was entered.
#[derive(Debug)]
pub struct IssuedCookies {
    /// Token of the session.
    pub token: Token,
    /// Makes the browser a known device.
    pub device: DeviceToken,
}
