//! Revoking many keys at once: the selection, and the result of each key.

use super::{
    agent_key::{AgentKey, KeyId},
    key_list::Cursor,
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Maximum number of keys in one selection.
pub const KEYS_MAX: usize = 1_000;
/// Maximum number of keys to revoke without typing the number and without a recently entered password.
pub const KEYS_UNCONFIRMED_MAX: usize = 20;
/// Maximum time for which a node of Elasticsearch may accept a revoked key from its cache.
///
/// This is the maximum of `xpack.security.authc.api_key.doc_cache.ttl`, whose default is 5 minutes.
pub const CACHED_MS_MAX: i64 = 15 * 60 * 1_000;

/// Selected keys: 1 to [`KEYS_MAX`] exact, distinct ids. No value means “all”.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySelection(Vec<KeyId>);

/// Reason for rejecting a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectionError {
    Empty,
    TooMany,
    /// One of them is not an exact id, but for example a pattern or a list.
    NotAnId,
    /// The typed number is missing or wrong.
    NotConfirmed,
}

impl KeySelection {
    pub fn parse<T: AsRef<str>>(ids: &[T]) -> Result<Self, SelectionError> {
        if ids.is_empty() {
            return Err(SelectionError::Empty);
        }
        if ids.len() > KEYS_MAX {
            return Err(SelectionError::TooMany);
        }
        let mut chosen = Vec::with_capacity(ids.len());
        for id in ids {
            let id = KeyId::parse(id.as_ref()).ok_or(SelectionError::NotAnId)?;
            if !chosen.contains(&id) {
                chosen.push(id);
            }
        }
        Ok(Self(chosen))
    }

    /// Returns the ids, in the given order.
    pub fn ids(&self) -> &[KeyId] {
        &self.0
    }

    /// Accepts few keys, or many if `typed` is their number.
    pub fn confirmed_by(self, typed: &str) -> Result<Self, SelectionError> {
        let number = self.0.len();
        if !is_many(number) || typed.trim() == number.to_string() {
            Ok(self)
        } else {
            Err(SelectionError::NotConfirmed)
        }
    }
}

/// Returns true if so many keys need the typed number and a recently entered password.
pub fn is_many(keys: usize) -> bool {
    keys > KEYS_UNCONFIRMED_MAX
}

/// The selected keys, as read before the revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAgentKeys {
    /// Keys that the user may see, in the given order.
    pub keys: Vec<AgentKey>,
    /// Ids that do not exist or that the user may not see.
    pub missing: Vec<KeyId>,
    /// True if the user must enter the password again first.
    pub password_needed: bool,
    /// Time of the query.
    pub read_at: Timestamp,
}

/// Keys that match a search and filters and that the user may revoke, before all of them are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchingKeys {
    /// Number of keys that are not revoked yet.
    pub count: u64,
    /// The oldest of them, at most [`SAMPLE_MAX`].
    pub sample: Vec<AgentKey>,
    /// True if the user must enter the password again first.
    pub password_needed: bool,
    /// Time of the query. Keys that are created later are left out.
    pub read_at: Timestamp,
}

/// Maximum number of keys in [`MatchingKeys::sample`].
pub const SAMPLE_MAX: u16 = 15;

/// Form that revokes the next [`KEYS_MAX`] of all keys that match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatchingForm {
    /// Search and filters, as in the address of the list.
    pub query: String,
    /// The number of keys, typed by the user as the confirmation.
    pub typed: String,
    /// [`MatchingKeys::read_at`], in milliseconds since 1970.
    pub read_at: String,
    /// Position after the keys of the batches before; empty for the first batch.
    pub after: String,
    /// Number of keys in the batches before.
    pub done: u64,
}

/// Result of one batch of a revocation of all keys that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchingBatch {
    pub results: Vec<KeyRevocation>,
    /// The form of the next batch; `None` if this was the last.
    pub next: Option<MatchingForm>,
    /// Number of keys in this batch and those before.
    pub done: u64,
    /// Number of keys that the user confirmed.
    pub total: u64,
}

/// One batch of a revocation of all keys that match, parsed from a [`MatchingForm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchingRequest {
    /// The number that the user typed.
    pub confirmed: u64,
    pub read_at: Timestamp,
    /// Position after the batch before; `None` for the first batch.
    pub after: Option<Cursor>,
}

impl MatchingForm {
    pub fn parse(&self) -> Result<MatchingRequest, SelectionError> {
        let confirmed = self.typed.trim().parse().ok();
        let read_at = self.read_at.parse().ok().map(Timestamp);
        let (confirmed, read_at) = confirmed.zip(read_at).ok_or(SelectionError::NotConfirmed)?;
        Ok(MatchingRequest {
            confirmed,
            read_at,
            after: (!self.after.is_empty()).then(|| Cursor(self.after.clone())),
        })
    }

    /// Returns the state in which this form was sent and refused, or `None` for the first batch.
    pub fn refused(self) -> Option<MatchingBatch> {
        let request = self.parse().ok()?;
        request.after.is_some().then(|| MatchingBatch {
            results: Vec::new(),
            done: self.done,
            total: request.confirmed,
            next: Some(self),
        })
    }
}

/// Result of the revocation of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevocation {
    pub id: KeyId,
    /// `None` if the user may not see the key.
    pub name: Option<String>,
    pub ending: RevocationEnding,
}

/// Result of a revocation, as confirmed by Elasticsearch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RevocationEnding {
    /// Elasticsearch did not revoke it.
    StillActive,
    /// No usable response: the key may or may not be revoked.
    Unconfirmed,
    /// The key does not exist, or the user may not see it.
    NotFound,
    /// Revoked, but Elasticsearch could not remove it from the cache of every node.
    RevokedInCache,
    Revoked,
    /// The key had been revoked before; nothing changed.
    Already,
}

impl RevocationEnding {
    /// Returns true if the revocation can be tried again.
    pub fn can_be_retried(self) -> bool {
        matches!(self, Self::StillActive | Self::Unconfirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_holds_one_to_a_thousand_exact_ids() {
        let ids = |count: usize| (0..count).map(|n| format!("id-{n}")).collect::<Vec<_>>();
        assert_eq!(KeySelection::parse(&ids(0)), Err(SelectionError::Empty));
        assert_eq!(KeySelection::parse(&ids(1)).unwrap().ids().len(), 1);
        assert_eq!(KeySelection::parse(&ids(1_000)).unwrap().ids().len(), 1_000);
        assert_eq!(
            KeySelection::parse(&ids(1_001)),
            Err(SelectionError::TooMany)
        );
        for bad in ["", "*", "a,b", "a*", "_all,x", " a", "a b"] {
            let error = KeySelection::parse(&["good", bad]);
            assert_eq!(error, Err(SelectionError::NotAnId), "{bad:?}");
        }
        let twice = KeySelection::parse(&["a", "b", "a"]).unwrap();
        assert_eq!(twice.ids().len(), 2);
    }

    #[test]
    fn refused_batch_can_be_sent_again_unless_it_was_the_first() {
        let form = MatchingForm {
            typed: "1001".to_owned(),
            read_at: "1".to_owned(),
            after: "cursor".to_owned(),
            done: 1_000,
            ..MatchingForm::default()
        };
        let batch = form.clone().refused().unwrap();
        assert_eq!((batch.done, batch.total), (1_000, 1_001));
        assert_eq!(batch.next, Some(form.clone()));
        let first = MatchingForm {
            after: String::new(),
            ..form
        };
        assert_eq!(first.refused(), None);
    }

    #[test]
    fn selection_of_many_keys_needs_their_number() {
        let ids: Vec<_> = (0..21).map(|n| format!("id-{n}")).collect();
        let many = || KeySelection::parse(&ids).unwrap();
        assert!(many().confirmed_by(" 21 ").is_ok());
        for typed in ["", "20", "twenty-one", "021", "yes"] {
            let refused = many().confirmed_by(typed);
            assert_eq!(refused, Err(SelectionError::NotConfirmed), "{typed:?}");
        }
        let few = KeySelection::parse(&ids[..20]).unwrap();
        assert!(few.confirmed_by("").is_ok());
    }
}
