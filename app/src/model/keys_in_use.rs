//! Keys that count for APM Server's limit.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Keys that grant privileges of `apm` without our or Kibana's mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MadeElsewhere {
    /// Elasticsearch before 8.5 does not tell what a key grants.
    #[default]
    NotTold,
    /// Elasticsearch refused to list them, or could not.
    Failed,
    /// So many were found.
    Counted {
        /// All of them, whatever their status.
        total: u64,
        /// Those that work now.
        active: u64,
        /// True if every key was read. If not, there may be more.
        all_read: bool,
    },
}

impl MadeElsewhere {
    /// Those that work now, as far as they are known.
    pub fn active(self) -> u64 {
        match self {
            Self::NotTold | Self::Failed => 0,
            Self::Counted { active, .. } => active,
        }
    }

    /// All of them, as far as they are known.
    pub fn total(self) -> u64 {
        match self {
            Self::NotTold | Self::Failed => 0,
            Self::Counted { total, .. } => total,
        }
    }
}

/// How many keys count for APM Server's limit, as far as a person may see them. As text: the number, with “At least”
/// where there may be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysInUse {
    /// Those that were counted.
    pub counted: u64,
    /// Why there may be more.
    pub uncounted: Option<Uncounted>,
}

/// Why keys are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uncounted {
    /// The person may not see any key.
    Hidden,
    /// The person may see only their own.
    OtherOwners,
    /// Elasticsearch before 8.5 does not tell what a key grants.
    MadeElsewhere,
    /// Keys without the mark could not be listed.
    Failed,
    /// There are more keys without the mark than are read.
    TooMany,
}

impl KeysInUse {
    /// The keys of a person who may not see any.
    pub const HIDDEN: Self = Self {
        counted: 0,
        uncounted: Some(Uncounted::Hidden),
    };

    /// `marked` keys that work now, and those made elsewhere.
    pub fn of(marked: u64, elsewhere: MadeElsewhere, counts_everybody: bool) -> Self {
        let uncounted = match elsewhere {
            _ if !counts_everybody => Some(Uncounted::OtherOwners),
            MadeElsewhere::NotTold => Some(Uncounted::MadeElsewhere),
            MadeElsewhere::Failed => Some(Uncounted::Failed),
            MadeElsewhere::Counted {
                all_read: false, ..
            } => Some(Uncounted::TooMany),
            MadeElsewhere::Counted { all_read: true, .. } => None,
        };
        Self {
            counted: marked + elsewhere.active(),
            uncounted,
        }
    }

    /// The same, after another key was made.
    pub fn and_one_more(self) -> Self {
        Self {
            counted: self.counted.saturating_add(1),
            ..self
        }
    }
}

impl fmt::Display for KeysInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.uncounted.is_some() {
            "At least "
        } else {
            ""
        };
        write!(f, "{at_least}{}", self.counted)
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "You may not see any keys, so none are counted.",
            Self::OtherOwners => "Only your own keys are counted.",
            Self::MadeElsewhere => {
                "Keys made elsewhere are not counted: Elasticsearch does not tell what they grant."
            }
            Self::Failed => "Keys made elsewhere could not be counted.",
            Self::TooMany => "There are too many keys to look at all of them.",
        })
    }
}
