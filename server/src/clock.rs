//! The time, passed in.

use app::model::timestamp::Timestamp;
use std::{
    time::Duration,
    time::{SystemTime, UNIX_EPOCH},
};

/// Source of the time. Cheap to clone; clones of a manual clock move together.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's own clock.
    #[default]
    System,
    /// A clock that only tests move. The engine's own type, so that both sides of a test live at the same time.
    Manual(platform::Clock),
}

impl Clock {
    /// A clock that stands at `now` until it is moved.
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(platform::Clock::manual(now.0))
    }

    /// This moment. A machine whose clock stands before 1970 is answered with 1970.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Manual(clock) => Timestamp(clock.now_ms()),
        }
    }

    /// Moves a manual clock forward. The machine's clock is not ours to move.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(clock) = self {
            clock.advance(by);
        }
    }

    /// The same clock, for the embedded engine.
    pub(crate) fn for_engine(&self) -> platform::Clock {
        match self {
            Self::System => platform::Clock::system(),
            Self::Manual(clock) => clock.clone(),
        }
    }
}
