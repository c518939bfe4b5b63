//! Capabilities of the cluster, found once and remembered.
//!
//! The version decides, where the user may read it (`GET /` needs `monitor`). Otherwise the refusal of a call does: it
//! names the unknown field or privilege. Both are forgotten when another version is seen and after [`MAX_AGE`], so that
//! an upgrade is noticed.

use super::Error;
use app::model::problem::ElasticsearchFault;
use http::StatusCode;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Age at which a refusal is forgotten: the cluster may have been upgraded.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
/// The oldest supported version.
const VERSION_MIN: (u32, u32) = (8, 0);

/// A feature that not every supported version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// The cluster privilege `read_security`, since 8.5.
    ReadSecurity,
    /// `aggs` in `_query/api_key`, since 8.13.
    Aggregations,
    /// `expiration` in an update of a key, since 8.13.
    UpdateExpiration,
}

impl Capability {
    const ALL: [Self; 3] = [
        Self::ReadSecurity,
        Self::Aggregations,
        Self::UpdateExpiration,
    ];

    const fn since(self) -> (u32, u32) {
        match self {
            Self::ReadSecurity => (8, 5),
            Self::Aggregations | Self::UpdateExpiration => (8, 13),
        }
    }

    /// The word in a refusal.
    const fn word(self) -> &'static str {
        match self {
            Self::ReadSecurity => "[read_security]",
            Self::Aggregations => "[aggs]",
            Self::UpdateExpiration => "[expiration]",
        }
    }
}

/// Version and missing capabilities. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Capabilities(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    version: Option<String>,
    /// Time at which each capability was found missing.
    missing_since: [Option<Instant>; Capability::ALL.len()],
}

impl Capabilities {
    /// Returns true if the cluster was found to lack it.
    pub(super) fn lacks(&self, capability: Capability, now: Instant) -> bool {
        let since = self.with(|known| known.missing_since[capability as usize]);
        since.is_some_and(|since| now.saturating_duration_since(since) < MAX_AGE)
    }

    /// Returns true if the error says that the capability is unknown. It is then remembered.
    pub(super) fn learn_refusal(
        &self,
        capability: Capability,
        error: &Error,
        now: Instant,
    ) -> bool {
        let is_unknown =
            matches!(error, Error::Invalid { reason, .. } if reason.contains(capability.word()));
        if is_unknown {
            self.with(|known| known.missing_since[capability as usize] = Some(now));
        }
        is_unknown
    }

    /// Remembers the version. A version seen for the first time overrides every refusal before it.
    pub(super) fn learn_version(&self, number: &str, now: Instant) {
        let version = parse(number);
        self.with(|known| {
            if known.version.as_deref() != Some(number) {
                known.version = Some(number.to_owned());
                known.missing_since = [None; Capability::ALL.len()];
            }
            for capability in Capability::ALL {
                if version.is_some_and(|version| version < capability.since()) {
                    known.missing_since[capability as usize] = Some(now);
                }
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Rejects a version that is too old. An unreadable version is accepted: Serverless reports the next release.
pub(super) fn reject_too_old(number: &str) -> Result<(), Error> {
    match parse(number) {
        Some((major, minor)) if (major, minor) < VERSION_MIN => Err(Error::Fault {
            fault: ElasticsearchFault::TooOld { major, minor },
            status: StatusCode::OK,
            kind: String::new(),
            reason: String::new(),
        }),
        _ => Ok(()),
    }
}

fn parse(number: &str) -> Option<(u32, u32)> {
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reason: &str) -> Error {
        Error::Invalid {
            kind: "x_content_parse_exception".to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn version_decides_the_missing_capabilities() {
        let now = Instant::now();
        for (number, read_security, aggregations) in [
            ("8.0.0", true, true),
            ("8.5.3", false, true),
            ("8.12.2", false, true),
            ("8.13.0", false, false),
            ("9.5.0-SNAPSHOT", false, false),
            ("unreadable", false, false),
        ] {
            let known = Capabilities::default();
            known.learn_version(number, now);
            assert_eq!(
                known.lacks(Capability::ReadSecurity, now),
                read_security,
                "{number}"
            );
            assert_eq!(
                known.lacks(Capability::Aggregations, now),
                aggregations,
                "{number}"
            );
            assert_eq!(
                known.lacks(Capability::UpdateExpiration, now),
                aggregations,
                "{number}"
            );
        }
    }

    #[test]
    fn refusal_is_remembered_for_ten_minutes_or_until_an_upgrade() {
        let now = Instant::now();
        let lacks = |known: &Capabilities, at| known.lacks(Capability::Aggregations, at);
        let known = Capabilities::default();
        let refused = refusal("[1:2] [query_api_key_request_payload] unknown field [aggs]");
        assert!(known.learn_refusal(Capability::Aggregations, &refused, now));
        assert!(lacks(&known, now) && lacks(&known, now + Duration::from_secs(599)));
        assert!(!lacks(&known, now + Duration::from_secs(601)));
        known.learn_version("8.13.0", now);
        assert!(!lacks(&known, now));
    }

    #[test]
    fn other_errors_say_nothing_about_capabilities() {
        let now = Instant::now();
        let known = Capabilities::default();
        for error in [
            refusal("[1:2] unknown field [query]"),
            Error::Forbidden {
                reason: "[aggs]".to_owned(),
            },
            Error::TimedOut,
        ] {
            assert!(!known.learn_refusal(Capability::Aggregations, &error, now));
        }
        assert!(!known.lacks(Capability::Aggregations, now));
    }

    #[test]
    fn versions_before_8_are_rejected() {
        for (number, is_accepted) in [
            ("7.17.9", false),
            ("8.0.0", true),
            ("9.6.0", true),
            ("?", true),
        ] {
            assert_eq!(reject_too_old(number).is_ok(), is_accepted, "{number}");
        }
    }
}
