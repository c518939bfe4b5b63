//! The MAC that ties an event to the event before, and the writer of records.
//!
//! `mac = HMAC-SHA256(key, len‖version ‖ len‖previous ‖ len‖record)`: `len` is the length in bytes as 64 bits, big
//! endian; `version` is `1`; `previous` is the stored MAC of the event before (64 hexadecimal digits), or empty for the
//! first; `record` is the stored line. With the lengths, no two triples have the same bytes. The key is derived from the
//! server key and is never in the database.

use super::{
    Event, EventContext,
    record::{self, EventExtras},
};
use crate::identifier::identifier;
use hmac::{Hmac, KeyInit, Mac};
use platform::{Random, RandomError};
use serde_json::Value;
use sha2::Sha256;
use std::{
    fmt::{self, Write},
    sync::Arc,
};
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// Length of the key: one block of SHA-256.
pub const KEY_BYTES: usize = 64;
const VERSION: &str = "1";
const SESSION_DIGITS: usize = 16;

/// The key of the chain. `Debug` does not print it.
#[derive(Clone)]
pub struct AuditKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey")
    }
}

impl AuditKey {
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// The MAC of an event, in hexadecimal digits.
    pub fn mac(&self, previous: &str, record: &str) -> String {
        self.code(&[VERSION, previous, record])
    }

    /// The code of a retention mark after this event, in hexadecimal digits. It proves that the application removed the
    /// events up to it.
    pub fn retention_code(&self, sequence: i64, mac: &str) -> String {
        self.code(&["cut", &sequence.to_string(), mac])
    }

    /// The code of an event that an earlier key has chained.
    pub fn seal_code(&self, sequence: i64, mac: &str, record: &str) -> String {
        self.code(&["seal", &sequence.to_string(), mac, record])
    }

    /// A code by which the key is recognised, and which does not reveal it.
    pub fn fingerprint(&self) -> String {
        self.code(&["fingerprint"])
    }

    /// A pseudonym of a session, by which its events belong together.
    pub fn session_ref(&self, id_hash: &str) -> String {
        let mut code = self.code(&["session", id_hash]);
        code.truncate(SESSION_DIGITS);
        code
    }

    fn code(&self, parts: &[&str]) -> String {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let mut digits = String::with_capacity(64);
        for byte in mac.finalize().into_bytes() {
            // Writing to a text cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

/// Writes records, and signals each commit to the forwarder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditWriter {
    key: AuditKey,
    random: Random,
    appended: Arc<Notify>,
}

impl AuditWriter {
    pub fn new(key: AuditKey, random: Random) -> Self {
        Self {
            key,
            random,
            appended: Arc::default(),
        }
    }

    /// The key of the chain.
    pub fn key(&self) -> &AuditKey {
        &self.key
    }

    /// The record of an event that happens now.
    pub(crate) fn to_record(
        &self,
        sequence: i64,
        event: &Event<'_>,
        context: &EventContext,
    ) -> Result<Value, RandomError> {
        let source = &context.origin;
        let extras = EventExtras {
            id: Some(identifier(self.random, context.at)?),
            source: source.address.map(|address| address.to_string()),
            session: source
                .session
                .as_deref()
                .map(|session| self.key.session_ref(session)),
        };
        Ok(record::to_record(sequence, event, context, extras))
    }

    /// Wakes the forwarder: events were committed.
    pub(crate) fn notify_appended(&self) {
        self.appended.notify_one();
    }

    /// Waits for events that this process commits.
    pub(crate) async fn appended(&self) {
        self.appended.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_depends_on_key_and_on_each_part() {
        let key = AuditKey::new(Zeroizing::new([7; KEY_BYTES]));
        let code = key.mac("ab", "c");
        assert_eq!(code.len(), 64);
        assert_eq!(code, key.mac("ab", "c"));
        assert_ne!(code, key.mac("a", "bc"));
        assert_ne!(code, key.mac("", "abc"));
        let other = AuditKey::new(Zeroizing::new([8; KEY_BYTES]));
        assert_ne!(code, other.mac("ab", "c"));
        assert_ne!(key.retention_code(1, "ab"), key.retention_code(2, "ab"));
        assert_ne!(key.retention_code(1, "ab"), key.mac("1", "ab"));
        assert_ne!(key.seal_code(1, "ab", "c"), other.seal_code(1, "ab", "c"));
        assert_ne!(key.seal_code(1, "ab", "c"), key.seal_code(2, "ab", "c"));
        assert_ne!(key.fingerprint(), other.fingerprint());
    }
}
