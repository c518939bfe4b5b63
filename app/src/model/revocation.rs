//! Revoking many keys at once: which ones are asked for, and what became of each.

use super::{
    agent_key::{AgentKey, KeyId},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The most keys that are revoked at once.
pub const KEYS_MAX: usize = 1_000;
/// More keys than these are revoked only after their number was typed, and with a recently entered password.
pub const KEYS_UNCONFIRMED_MAX: usize = 20;
/// How long a node of Elasticsearch may accept a revoked key that could not be removed from its cache: the most that
/// `xpack.security.authc.api_key.doc_cache.ttl` can be, 5 minutes by default.
pub const CACHED_MS_MAX: i64 = 15 * 60 * 1_000;

/// The keys that somebody chose: 1 to [`KEYS_MAX`] exact ids, none of them twice. Nothing in it means “all”.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySelection(Vec<KeyId>);

/// These are no keys that can be revoked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectionError {
    /// None was chosen.
    Empty,
    /// More than [`KEYS_MAX`].
    TooMany,
    /// One of them is not the id of one key: a pattern, say, or a list.
    NotAnId,
    /// The number that must be typed for this many was not typed.
    NotConfirmed,
}

impl KeySelection {
    /// The keys of these ids.
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

    /// The ids, in the order in which they were given.
    pub fn ids(&self) -> &[KeyId] {
        &self.0
    }

    /// Passes when there are few keys, or when what was typed is their number.
    pub fn confirmed_by(self, typed: &str) -> Result<Self, SelectionError> {
        let number = self.0.len();
        if !is_many(number) || typed.trim() == number.to_string() {
            Ok(self)
        } else {
            Err(SelectionError::NotConfirmed)
        }
    }
}

/// Whether so many keys are revoked only after their number was typed, and with a recently entered password.
pub fn is_many(keys: usize) -> bool {
    keys > KEYS_UNCONFIRMED_MAX
}

/// What is known of the chosen keys before they are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAgentKeys {
    /// Those that are there for this person, in the order in which they were asked for.
    pub keys: Vec<AgentKey>,
    /// The others.
    pub missing: Vec<KeyId>,
    /// Whether the password must be entered again before those that can be revoked are.
    pub password_needed: bool,
    /// When Elasticsearch was asked.
    pub read_at: Timestamp,
}

/// What became of one of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevocation {
    /// Which key.
    pub id: KeyId,
    /// Its name; `None` for a key that is not there for this person.
    pub name: Option<String>,
    /// How it ended.
    pub ending: RevocationEnding,
}

/// How a revocation ended, as far as Elasticsearch confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RevocationEnding {
    /// Elasticsearch did not revoke it.
    StillActive,
    /// It was asked for, and nobody knows whether it was done.
    Unconfirmed,
    /// There is no such key, or not for this person.
    NotFound,
    /// Revoked now, and Elasticsearch could not remove it from the cache of every node.
    RevokedInCache,
    /// Revoked now.
    Revoked,
    /// It had been revoked before; nothing changed.
    Already,
}

impl RevocationEnding {
    /// Whether it makes sense to try the same again.
    pub fn can_be_retried(self) -> bool {
        matches!(self, Self::StillActive | Self::Unconfirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_one_to_a_thousand_exact_ids() {
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
    fn the_number_of_many_keys_is_typed() {
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
