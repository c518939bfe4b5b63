//! Decides what a 401 in the middle of a session means: an ended credential, or an outage of what checks it.
//!
//! While the security index is unavailable, Elasticsearch answers a native user with exactly the 401 of a wrong
//! password, and while an LDAP server is away it does the same to everybody of that realm. So a 401 never ends a
//! session by itself:
//!
//! - The security index is probed with an API key that cannot exist. A readable index answers that it found no such
//!   key; an unavailable one fails in another way.
//! - The credential is sent again a few times. Only a 401 that persists while the index is readable ends the session.
//! - Failures of several people's sessions within seconds are an outage. Only sessions count, so that wrong guesses at
//!   the sign-in form cannot pretend to be one.

use super::{Connection, Error, connection::Effect};
use app::model::problem::ElasticsearchFault;
use http::{Method, StatusCode, header::HeaderValue};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Pauses before the credential is sent again.
const BACKOFF: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1_500),
];
/// Failures of different people that are this close together are one event.
const TOGETHER: Duration = Duration::from_secs(10);
/// People whose sessions fail together in an outage.
const PEOPLE_MIN: usize = 2;
/// Signs of an outage, such as a 503, count for this long.
const SIGNS_LAST: Duration = Duration::from_secs(30);
/// An API key that nobody can have: ids have 20 characters. Base64 of `agent-keys-probe:-`.
const PROBE: &str = "ApiKey YWdlbnQta2V5cy1wcm9iZTot";
/// Part of the answer to it while the security index can be read.
const KEY_NOT_FOUND: &str = "unable to find apikey with id";

/// What is known about the checking of credentials. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rejections(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// When the session of each person was last rejected.
    rejected: HashMap<Arc<str>, Instant>,
    /// When an answer last spoke of an outage.
    sign_at: Option<Instant>,
    /// Credentials cannot be checked at the moment.
    is_outage: bool,
}

impl Rejections {
    /// A session of `person` was rejected.
    fn rejected(&self, person: &Arc<str>, now: Instant) {
        self.with(|inner| {
            inner.forget_before(now);
            inner.rejected.insert(Arc::clone(person), now);
        });
    }

    /// A credential of `person` was accepted, so credentials are checked again.
    pub(super) fn accepted(&self, person: &str) {
        self.with(|inner| {
            inner.rejected.remove(person);
            inner.is_outage = false;
        });
    }

    /// An answer, or none at all, spoke of an outage.
    pub(super) fn sign(&self, now: Instant) {
        self.with(|inner| inner.sign_at = Some(now));
    }

    fn begin_outage(&self) {
        self.with(|inner| inner.is_outage = true);
    }

    fn end_outage(&self) {
        self.with(|inner| inner.is_outage = false);
    }

    fn is_outage(&self) -> bool {
        self.with(|inner| inner.is_outage)
    }

    fn is_of_several_people(&self, now: Instant) -> bool {
        self.with(|inner| {
            inner.forget_before(now);
            inner.rejected.len() >= PEOPLE_MIN
        })
    }

    fn has_sign(&self, now: Instant) -> bool {
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

/// The state of the security index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecurityIndex {
    Readable,
    Unavailable,
    /// API keys are off, or a proxy answered.
    Unknown,
}

/// What a credential is worth that was rejected once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recheck {
    /// It is accepted now.
    Accepted,
    /// It stays rejected, and credentials are being checked.
    Rejected,
}

impl Connection {
    /// Checks the credential of a session again after a 401.
    ///
    /// Errors: [`ElasticsearchFault::SecurityIndexUnavailable`] while credentials cannot be checked.
    pub(super) async fn recheck(&self, person: &Arc<str>) -> Result<Recheck, Error> {
        let rejections = self.rejections();
        rejections.rejected(person, Instant::now());
        let mut index = self.probe_security_index().await;
        if rejections.is_outage() {
            // Nobody waits again for an outage that is known. The first success ends it.
            if index != SecurityIndex::Readable || rejections.is_of_several_people(Instant::now()) {
                return Err(cannot_check());
            }
            rejections.end_outage();
        }
        for pause in BACKOFF {
            tokio::time::sleep(pause).await;
            if self.is_accepted_now().await? {
                rejections.accepted(person);
                return Ok(Recheck::Accepted);
            }
            index = self.probe_security_index().await;
        }
        let now = Instant::now();
        let is_outage = match index {
            SecurityIndex::Readable => false,
            SecurityIndex::Unavailable => true,
            SecurityIndex::Unknown => rejections.has_sign(now),
        };
        if is_outage || rejections.is_of_several_people(now) {
            rejections.begin_outage();
            tracing::warn!(
                security_index = ?index,
                "Elasticsearch rejects sessions that it accepted before; this is taken for an outage"
            );
            return Err(cannot_check());
        }
        Ok(Recheck::Rejected)
    }

    /// Returns true if a rejected sign-in proves nothing, because credentials cannot be checked at the moment.
    pub(crate) async fn cannot_check_credentials(&self) -> bool {
        let index = self.probe_security_index().await;
        let is_unavailable = index == SecurityIndex::Unavailable;
        is_unavailable || (index == SecurityIndex::Unknown && self.rejections().is_outage())
    }

    async fn is_accepted_now(&self) -> Result<bool, Error> {
        let path = ["_security", "_authenticate"];
        let sent = self.send_once::<()>(Effect::Reads, Method::GET, &path, &[], None);
        let answer = sent.await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Ok(false);
        }
        answer.success()?;
        Ok(true)
    }

    async fn probe_security_index(&self) -> SecurityIndex {
        let probe = self.with_header(HeaderValue::from_static(PROBE));
        let path = ["_security", "_authenticate"];
        let sent = probe.send_once::<()>(Effect::Reads, Method::GET, &path, &[], None);
        match sent.await {
            Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                let detail = answer.unsuccessful_credentials();
                if detail.contains(KEY_NOT_FOUND) {
                    SecurityIndex::Readable
                } else if detail.is_empty() {
                    SecurityIndex::Unknown
                } else {
                    SecurityIndex::Unavailable
                }
            }
            Ok(answer) if answer.status.is_server_error() => SecurityIndex::Unavailable,
            Ok(_) => SecurityIndex::Unknown,
            Err(_) => SecurityIndex::Unavailable,
        }
    }
}

/// The problem of a person whose credential cannot be checked at the moment.
pub(crate) fn cannot_check() -> Error {
    Error::Fault {
        fault: ElasticsearchFault::SecurityIndexUnavailable,
        status: StatusCode::UNAUTHORIZED,
        kind: "security_exception".to_owned(),
        reason: String::new(),
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
        rejections.rejected(&ada, start);
        rejections.rejected(&ada, after(1));
        assert!(
            !rejections.is_of_several_people(after(1)),
            "one person twice"
        );
        rejections.rejected(&ben, after(9));
        assert!(rejections.is_of_several_people(after(10)));
        assert!(
            !rejections.is_of_several_people(after(12)),
            "the first is long ago"
        );
        rejections.rejected(&ada, after(13));
        rejections.accepted("native/ben");
        assert!(!rejections.is_of_several_people(after(13)));
    }

    #[test]
    fn signs_of_an_outage_count_for_half_a_minute() {
        let now = Instant::now();
        let rejections = Rejections::default();
        assert!(!rejections.has_sign(now));
        rejections.sign(now);
        assert!(rejections.has_sign(now + Duration::from_secs(29)));
        assert!(!rejections.has_sign(now + Duration::from_secs(31)));
    }
}
