//! Recent rejections of sessions and other signs that credentials cannot be checked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Window in which rejections of different users count as one event.
const WINDOW: Duration = Duration::from_secs(10);
/// Number of users with rejected sessions that makes an outage.
const USERS_MIN: usize = 2;
/// Lifetime of a sign of an outage, such as a 503.
const SIGN_LIFETIME: Duration = Duration::from_secs(30);

/// Recent rejections and signs of an outage. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct RejectedSessions(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Time of the last rejected session of each user.
    rejected: HashMap<Arc<str>, Instant>,
    /// Time of the last sign of an outage.
    sign_at: Option<Instant>,
    /// True while credentials cannot be checked.
    is_outage: bool,
}

impl RejectedSessions {
    /// Records that a session of `user` was rejected.
    pub(super) fn record_rejection(&self, user: &Arc<str>, now: Instant) {
        self.with(|inner| {
            inner.forget_before(now);
            inner.rejected.insert(Arc::clone(user), now);
        });
    }

    /// Records that a credential of `user` was accepted, which ends an outage.
    pub(super) fn record_acceptance(&self, user: &str) {
        self.with(|inner| {
            inner.rejected.remove(user);
            inner.is_outage = false;
        });
    }

    /// Records a sign of an outage: a server error, or no response.
    pub(super) fn record_outage_sign(&self, now: Instant) {
        self.with(|inner| inner.sign_at = Some(now));
    }

    pub(super) fn begin_outage(&self) {
        self.with(|inner| inner.is_outage = true);
    }

    pub(super) fn end_outage(&self) {
        self.with(|inner| inner.is_outage = false);
    }

    pub(super) fn is_outage(&self) -> bool {
        self.with(|inner| inner.is_outage)
    }

    pub(super) fn is_of_several_users(&self, now: Instant) -> bool {
        self.with(|inner| {
            inner.forget_before(now);
            inner.rejected.len() >= USERS_MIN
        })
    }

    pub(super) fn has_outage_sign(&self, now: Instant) -> bool {
        let sign_at = self.with(|inner| inner.sign_at);
        sign_at.is_some_and(|at| now.saturating_duration_since(at) < SIGN_LIFETIME)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn forget_before(&mut self, now: Instant) {
        self.rejected
            .retain(|_, at| now.saturating_duration_since(*at) < WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_users_rejected_within_ten_seconds_are_an_outage() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let rejections = RejectedSessions::default();
        let (ada, ben): (Arc<str>, Arc<str>) = ("native/ada".into(), "native/ben".into());
        rejections.record_rejection(&ada, start);
        rejections.record_rejection(&ada, after(1));
        assert!(!rejections.is_of_several_users(after(1)), "one user twice");
        rejections.record_rejection(&ben, after(9));
        assert!(rejections.is_of_several_users(after(10)));
        assert!(
            !rejections.is_of_several_users(after(12)),
            "the first is long ago"
        );
        rejections.record_rejection(&ada, after(13));
        rejections.record_acceptance("native/ben");
        assert!(!rejections.is_of_several_users(after(13)));
    }

    #[test]
    fn sign_of_an_outage_counts_for_half_a_minute() {
        let now = Instant::now();
        let rejections = RejectedSessions::default();
        assert!(!rejections.has_outage_sign(now));
        rejections.record_outage_sign(now);
        assert!(rejections.has_outage_sign(now + Duration::from_secs(29)));
        assert!(!rejections.has_outage_sign(now + Duration::from_secs(31)));
    }
}
