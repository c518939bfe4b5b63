//! Recent rejections of sessions and other signs that credentials cannot be checked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Failures of different people that are this close together are one event.
const TOGETHER: Duration = Duration::from_secs(10);
/// People whose sessions fail together in an outage.
const USERS_MIN: usize = 2;
/// Signs of an outage, such as a 503, count for this long.
const SIGNS_LAST: Duration = Duration::from_secs(30);

/// What is known about the checking of credentials. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rejections(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// When the session of each user was last rejected.
    rejected: HashMap<Arc<str>, Instant>,
    /// When an answer last spoke of an outage.
    sign_at: Option<Instant>,
    /// Credentials cannot be checked at the moment.
    is_outage: bool,
}

impl Rejections {
    /// A session of `user` was rejected.
    pub(super) fn record_rejection(&self, user: &Arc<str>, now: Instant) {
        self.with(|inner| {
            inner.forget_before(now);
            inner.rejected.insert(Arc::clone(user), now);
        });
    }

    /// A credential of `user` was accepted, so credentials are checked again.
    pub(super) fn record_acceptance(&self, user: &str) {
        self.with(|inner| {
            inner.rejected.remove(user);
            inner.is_outage = false;
        });
    }

    /// An answer, or none at all, spoke of an outage.
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
        sign_at.is_some_and(|at| now.saturating_duration_since(at) < SIGNS_LAST)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn forget_before(&mut self, now: Instant) {
        self.rejected
            .retain(|_, at| now.saturating_duration_since(*at) < TOGETHER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_of_two_people_within_ten_seconds_are_of_several() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let rejections = Rejections::default();
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
    fn signs_of_an_outage_count_for_half_a_minute() {
        let now = Instant::now();
        let rejections = Rejections::default();
        assert!(!rejections.has_outage_sign(now));
        rejections.record_outage_sign(now);
        assert!(rejections.has_outage_sign(now + Duration::from_secs(29)));
        assert!(!rejections.has_outage_sign(now + Duration::from_secs(31)));
    }
}
