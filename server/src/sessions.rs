//! Sign-in sessions.
//!
//! The cookie holds a random token of 128 bits. The database holds a digest of it, under which the row is found, and
//! the user's identity and credential. These are sealed with a key derived from the token *and* the server key, so
//! that the database together with the server key still reveals no password.
//!
//! A session ends after [`IDLE_MAX`] without use and [`LIFE_MAX`] after it began. An ended session is deleted,
//! and no late request brings it back. The reason is kept for as long as its cookie may still come, so that the
//! sign-in page can show it.
//!
//! The token changes whenever the password is entered ([`sign_in()`], [`reauthenticate()`]): a token that was planted
//! or stolen before is worth nothing after. [`known_device`] recognises the browsers in which a user has signed in.

pub mod known_device;
mod lookup;
pub mod manage;
pub mod notice;
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
use std::{net::IpAddr, time::Duration};

pub use lookup::{FoundSession, find, open};
pub use manage::{EndReason, end};
pub use seal::Token;
pub use server_key::{FILE as SERVER_KEY_FILE, KeySource, SealError, ServerKey, ServerKeyError};
pub use sign_in::{Verified, check_at_engine_port, reauthenticate, renew, sign_in, verify_again};

/// Longest time without use.
pub const IDLE_MAX: Duration = Duration::from_mins(30);
/// Longest time since sign-in.
pub const LIFE_MAX: Duration = Duration::from_hours(12);

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
    /// Cookie with the message for the next page.
    pub notice: Option<String>,
}

/// Cookies for the browser in which the right password was entered.
#[derive(Debug)]
pub struct IssuedCookies {
    /// Token of the session.
    pub token: Token,
    /// Makes the browser a known device.
    pub device: DeviceToken,
}

/// Time for which an entered password counts as recent.
pub const REAUTH_WINDOW: Duration = Duration::from_mins(5);

/// Proof that the user entered the password at most [`REAUTH_WINDOW`] ago. Only this module makes one.
///
/// Anyone who passes by can use an unattended browser. The most harmful actions therefore require the password again:
/// changing users, the agent key role and the APM settings, exporting the audit log, revoking many keys at once, and
/// ending the sessions of other users.
#[derive(Debug)]
pub struct RecentPassword(());

impl RecentPassword {
    /// The proof for a session as it was when the request began; `None` if the password was entered too long ago.
    pub fn of(session: &Session, now: Timestamp) -> Option<Self> {
        is_recent(session.authenticated_at, now).then_some(Self(()))
    }
}

/// The distance counts, in both directions: the clocks of two processes differ a little, and one that was set back
/// must not keep a proof alive for longer.
fn is_recent(authenticated_at: Timestamp, now: Timestamp) -> bool {
    Duration::from_millis(now.0.abs_diff(authenticated_at.0)) <= REAUTH_WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_000);

    #[test]
    fn password_counts_as_recent_for_five_minutes() {
        for (after_ms, good) in [
            (0, true),
            (5 * 60 * 1_000, true),
            (5 * 60 * 1_000 + 1, false),
            (i64::MAX - NOW.0, false),
            // The clock was set back: a little, and by hours.
            (-1_000, true),
            (-2 * 60 * 60 * 1_000, false),
        ] {
            let now = Timestamp(NOW.0 + after_ms);
            assert_eq!(is_recent(NOW, now), good, "{after_ms}");
        }
    }
}
