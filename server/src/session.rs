//! Who is signed in, between two requests.
//!
//! The cookie holds a random token of 256 bits. The database holds a digest of it, under which the row is found,
//! and the person's identity and credential, sealed with a key that is derived from the token *and* the server's
//! key: neither the database, nor the database together with the server's key, tells a password. A session ends
//! after [`IDLE_MS_MAX`] without use and [`LIFE_MS_MAX`] after it began, whatever happens; a session that was ended
//! is deleted, and no late request can bring it back.

mod begin;
mod end;
mod find;
pub mod limit;
mod seal;

use crate::{access::Identity, elasticsearch::Credential};

pub use begin::begin;
pub use end::{EndReason, end};
pub use find::find;
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
    /// Who.
    pub identity: Identity,
    /// What they signed in with.
    pub credential: Credential,
}
