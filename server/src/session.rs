//! Who is signed in, between two requests.
//!
//! The cookie holds a random token of 256 bits. The database holds a digest of it, under which the row is found,
//! and the person's identity and credential, sealed with a key that is derived from the token *and* the server's
//! key: neither the database, nor the database together with the server's key, tells a password. A session ends
//! after [`IDLE_MS_MAX`] without use and [`LIFE_MS_MAX`] after it began, whatever happens; a session that was ended
//! is deleted, and no late request can bring it back. Why another ended it is remembered for as long as its cookie
//! may still come, so that it can be said.
//!
//! The token changes whenever the password is entered ([`begin()`], [`reauthenticate()`]): one that was planted or
//! stolen before is worth nothing after. [`device`] knows the browsers in which a person has signed in before.

mod begin;
mod browser;
mod check;
pub mod device;
mod end;
pub mod end_one;
pub mod end_others;
mod find;
pub mod limit;
pub mod list;
mod reauthenticate;
mod seal;

use crate::{access::Identity, elasticsearch::Credential};
use app::model::{
    session::{SessionEnd, SessionId},
    timestamp::Timestamp,
};
use device::DeviceToken;
use std::net::IpAddr;

pub use begin::begin;
pub use end::{EndReason, end};
pub use find::find;
pub use reauthenticate::reauthenticate;
pub use seal::{SealError, ServerKey, ServerKeyError, Token};

/// The longest a session lives without use.
pub const IDLE_MS_MAX: i64 = 30 * 60 * 1_000;
/// The longest a session lives.
pub const LIFE_MS_MAX: i64 = 12 * 60 * 60 * 1_000;
/// Use is noted at most this often: reading a page should not write to the disk each time.
const TOUCH_MS_MIN: i64 = 60 * 1_000;

/// A person who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The digest under which the session is stored.
    pub id_hash: String,
    /// Its name outside. It stays when the token changes.
    pub id: SessionId,
    /// When the password was last entered.
    pub authenticated_at: Timestamp,
    /// Who.
    pub identity: Identity,
    /// What they signed in with.
    pub credential: Credential,
}

/// What a request's cookie opens.
#[derive(Clone, Debug)]
pub enum Found {
    /// A session that lives.
    Live(Box<Session>),
    /// One that ended, and not by its browser.
    Ended(SessionEnd),
    /// One whose token has been renewed: the browser has another cookie by now, or will have it in a moment.
    Renewed,
    /// Nothing.
    Nothing,
}

/// What a browser says of itself, and where it is.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The other end of the connection.
    pub address: Option<IpAddr>,
    /// Its `User-Agent`, as it came.
    pub user_agent: Option<String>,
    /// What it shows to be a known one.
    pub device: Option<DeviceToken>,
}

/// What the browser gets when somebody has entered the right password.
#[derive(Debug)]
pub struct Begun {
    /// Opens the session.
    pub token: Token,
    /// Makes the browser a known one.
    pub device: DeviceToken,
}
