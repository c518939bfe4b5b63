//! Proof of a recently entered password.
//!
//! An unattended browser is open to everybody who passes by. What does most harm there requires the password again:
//! exporting the audit log, revoking many keys at once, and ending the sessions of other users. The session's row holds
//! the time of the last entry, by the server's clock. Signing in counts.

use crate::sessions::Session;
use app::model::timestamp::Timestamp;

/// Time for which an entered password counts as recent.
pub const REAUTH_WINDOW_MS: i64 = 5 * 60 * 1_000;

/// Proof that the user entered the password at most [`REAUTH_WINDOW_MS`] ago. Only this module makes one.
#[derive(Debug)]
pub struct RecentPassword(());

impl RecentPassword {
    /// The proof that a session as it is stored gives.
    pub fn of(session: &Session, now: Timestamp) -> Option<Self> {
        is_recent(session.authenticated_at, now).then_some(Self(()))
    }
}

/// The distance counts, in both directions: the clocks of two processes differ a little, and one that was set back
/// must not keep a proof alive for longer.
fn is_recent(authenticated_at: Timestamp, now: Timestamp) -> bool {
    now.0.abs_diff(authenticated_at.0) <= REAUTH_WINDOW_MS.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_000);

    #[test]
    fn a_proof_is_good_for_five_minutes() {
        for (after_ms, good) in [
            (0, true),
            (REAUTH_WINDOW_MS, true),
            (REAUTH_WINDOW_MS + 1, false),
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
