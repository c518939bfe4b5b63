//! States of operations, and their stored names.

use crate::audit::{Action, Outcome};

/// State of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// The call is in flight, or was when the process ended.
    Intended,
    /// The key exists, and its secret has not left yet.
    Created,
    /// The response with the key's secret was sent.
    Sent,
    /// The browser confirmed that it displayed the secret.
    Delivered,
    /// The key exists, and its secret was lost: the answer that held it never arrived.
    NeverDelivered,
    /// Certainly not applied.
    Rejected,
    /// It may or may not have been applied.
    Unknown,
    /// The key may or may not have been revoked. If it was, some nodes still have it in their cache.
    UnknownInCache,
    /// A revocation is in flight, or was when the process ended.
    Revoking,
    /// The key was revoked.
    Revoked,
    /// The key was revoked, and Elasticsearch could not remove it from the cache of every node.
    RevokedInCache,
    /// Any other change was applied.
    Done,
}

impl OperationState {
    const ALL: [Self; 12] = [
        Self::Intended,
        Self::Created,
        Self::Sent,
        Self::Delivered,
        Self::NeverDelivered,
        Self::Rejected,
        Self::Unknown,
        Self::UnknownInCache,
        Self::Revoking,
        Self::Revoked,
        Self::RevokedInCache,
        Self::Done,
    ];

    /// Returns the state in which this action begins.
    pub fn intent(action: Action) -> Self {
        match action {
            Action::AgentKeyInvalidate => Self::Revoking,
            _ => Self::Intended,
        }
    }

    /// Returns the state after a success of this action.
    pub fn success(action: Action) -> Self {
        match action {
            Action::AgentKeyCreate => Self::Created,
            Action::AgentKeyInvalidate => Self::Revoked,
            _ => Self::Done,
        }
    }

    /// Returns the stored name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::NeverDelivered => "never_delivered",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::UnknownInCache => "unknown_in_cache",
            Self::Revoking => "revoking",
            Self::Revoked => "revoked",
            Self::RevokedInCache => "revoked_in_cache",
            Self::Done => "done",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Intended | Self::Revoking | Self::Unknown | Self::UnknownInCache => {
                Outcome::Unknown
            }
            Self::Created
            | Self::Sent
            | Self::Delivered
            | Self::Revoked
            | Self::RevokedInCache
            | Self::Done => Outcome::Success,
            Self::NeverDelivered | Self::Rejected => Outcome::Failure,
        }
    }
}
