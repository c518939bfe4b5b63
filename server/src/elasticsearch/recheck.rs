//! Second check of a 401 in the middle of a session: a rejected credential, or an outage of the security realm.
//!
//! While the security index is unavailable, Elasticsearch answers a native user with exactly the 401 of a wrong
//! password. While an LDAP server is down, it does the same to every user of that realm. So a 401 alone never ends a
//! session:
//!
//! - The security index is probed with an API key that cannot exist. A readable index answers that it found no such
//!   key; an unavailable one fails in another way.
//! - The credential is sent again a few times. Only a 401 that persists while the index is readable ends the session.
//! - Rejections of several users' sessions within seconds are an outage. Only sessions count, so that wrong passwords
//!   at the sign-in form cannot imitate one.

use super::{Connection, Error, call::CallKind, response::Response};
use app::model::problem::ElasticsearchFault;
use http::{Method, StatusCode, header::HeaderValue};
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Pauses before the credential is sent again.
const BACKOFF: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1_500),
];
/// An API key that cannot exist: ids have 20 characters. Base64 of `agent-keys-probe:-`.
const PROBE: &str = "ApiKey YWdlbnQta2V5cy1wcm9iZTot";
/// Part of the response to it while the security index can be read.
const KEY_NOT_FOUND: &str = "unable to find apikey with id";

/// The state of the security index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecurityIndex {
    Readable,
    Unavailable,
    /// API keys are off, or a proxy answered.
    Unknown,
}

/// Result of checking a rejected credential again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recheck {
    /// It is accepted now.
    Accepted,
    /// It stays rejected, and there is no outage.
    Rejected,
}

impl Connection {
    /// Sends one request and reads its whole response. `path` is joined segment by segment, each of them encoded.
    ///
    /// A 401 in the middle of a session is checked again: see [`Connection::recheck`].
    pub(super) async fn send<B: Serialize + ?Sized>(
        &self,
        kind: CallKind,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Response, Error> {
        let response = self
            .send_once(kind, method.clone(), path, query, body)
            .await?;
        let Some(user) = &self.session_of else {
            return Ok(response);
        };
        if response.status != StatusCode::UNAUTHORIZED {
            if response.status.is_success() {
                self.rejections().record_acceptance(user);
            }
            return Ok(response);
        }
        // Boxed: no other request needs room for it.
        match Box::pin(self.recheck(user)).await? {
            Recheck::Rejected => Ok(response),
            // The first request was refused before anything happened, so sending it again is safe.
            Recheck::Accepted => {
                let response = self.send_once(kind, method, path, query, body).await?;
                if response.status == StatusCode::UNAUTHORIZED {
                    return Err(cannot_check());
                }
                Ok(response)
            }
        }
    }

    /// Checks the credential of a session again after a 401.
    ///
    /// Errors: [`ElasticsearchFault::SecurityIndexUnavailable`] while credentials cannot be checked.
    pub(super) async fn recheck(&self, user: &Arc<str>) -> Result<Recheck, Error> {
        let rejections = self.rejections();
        rejections.record_rejection(user, Instant::now());
        let mut index = self.probe_security_index().await;
        if rejections.is_outage() {
            // During a known outage no request waits again. The first success ends the outage.
            if index != SecurityIndex::Readable || rejections.is_of_several_users(Instant::now()) {
                return Err(cannot_check());
            }
            rejections.end_outage();
        }
        for pause in BACKOFF {
            tokio::time::sleep(pause).await;
            if self.is_accepted_now().await? {
                rejections.record_acceptance(user);
                return Ok(Recheck::Accepted);
            }
            index = self.probe_security_index().await;
        }
        let now = Instant::now();
        let is_outage = match index {
            SecurityIndex::Readable => false,
            SecurityIndex::Unavailable => true,
            SecurityIndex::Unknown => rejections.has_outage_sign(now),
        };
        if is_outage || rejections.is_of_several_users(now) {
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
        let sent = self.send_once::<()>(CallKind::Read, Method::GET, &path, &[], None);
        let response = sent.await?;
        if response.status == StatusCode::UNAUTHORIZED {
            return Ok(false);
        }
        response.success()?;
        Ok(true)
    }

    async fn probe_security_index(&self) -> SecurityIndex {
        let probe = self.with_header(HeaderValue::from_static(PROBE));
        let path = ["_security", "_authenticate"];
        let sent = probe.send_once::<()>(CallKind::Read, Method::GET, &path, &[], None);
        match sent.await {
            Ok(response) if response.status == StatusCode::UNAUTHORIZED => {
                let detail = response.unsuccessful_credentials();
                if detail.contains(KEY_NOT_FOUND) {
                    SecurityIndex::Readable
                } else if detail.is_empty() {
                    SecurityIndex::Unknown
                } else {
                    SecurityIndex::Unavailable
                }
            }
            Ok(response) if response.status.is_server_error() => SecurityIndex::Unavailable,
            Ok(_) => SecurityIndex::Unknown,
            Err(_) => SecurityIndex::Unavailable,
        }
    }
}

/// The error while credentials cannot be checked.
pub(crate) fn cannot_check() -> Error {
    Error::Fault {
        fault: ElasticsearchFault::SecurityIndexUnavailable,
        status: StatusCode::UNAUTHORIZED,
        kind: "security_exception".to_owned(),
        reason: String::new(),
    }
}
