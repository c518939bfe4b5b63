//! Elasticsearch does not answer, and what is shown meanwhile.

use super::{problem::ElasticsearchFault, timestamp::Timestamp};
use serde::{Deserialize, Serialize};

/// A time in which Elasticsearch does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// What became of the last question.
    pub fault: ElasticsearchFault,
    /// Since when there is no answer.
    pub since: Timestamp,
    /// The moment at which that was so.
    pub now: Timestamp,
}

/// Rows that stand in for Elasticsearch's, and how many there would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Why they are needed.
    pub outage: Outage,
    /// Keys that are remembered: the newest.
    pub kept: u64,
    /// Keys that there were.
    pub of: u64,
}
