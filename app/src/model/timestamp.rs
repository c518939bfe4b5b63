//! Points in time, and their absolute and relative formats.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Milliseconds of a day. Elasticsearch's `d` is always 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Adds milliseconds, saturating.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Adds a duration, saturating.
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_ms(duration_ms(duration))
    }

    /// Subtracts a duration, saturating.
    pub fn minus(self, duration: Duration) -> Self {
        self.plus_ms(-duration_ms(duration))
    }

    fn utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.div_euclid(SECOND_MS))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Formats the day, for example `14 Dec 2026`.
    pub fn date(self) -> String {
        let utc = self.utc();
        format!("{} {} {}", utc.day(), month(utc), utc.year())
    }

    /// Formats day and minute, for example `14 Dec 2026, 10:42 UTC`.
    pub fn date_and_minute(self) -> String {
        let utc = self.utc();
        format!("{}, {:02}:{:02} UTC", self.date(), utc.hour(), utc.minute())
    }

    /// Formats day and second, for example `14 Dec 2026, 10:42:07 UTC`.
    pub fn date_and_second(self) -> String {
        format!("{}, {}", self.date(), self.time_of_day())
    }

    /// Formats the time of day, for example `10:42:07 UTC`.
    pub fn time_of_day(self) -> String {
        let utc = self.utc();
        format!(
            "{:02}:{:02}:{:02} UTC",
            utc.hour(),
            utc.minute(),
            utc.second()
        )
    }

    /// Formats a `datetime` attribute, for example `2026-12-14T10:42:07Z`.
    pub fn iso(self) -> String {
        let utc = self.utc();
        format!(
            "{}T{:02}:{:02}:{:02}Z",
            self.iso_date(),
            utc.hour(),
            utc.minute(),
            utc.second()
        )
    }

    /// Formats a `datetime` attribute with milliseconds, for example `2026-12-14T10:42:07.042Z`.
    pub fn iso_ms(self) -> String {
        let seconds = self.iso();
        let ms = self.0.rem_euclid(SECOND_MS);
        format!("{}.{ms:03}Z", seconds.trim_end_matches('Z'))
    }

    /// Formats the value of a date field, for example `2026-12-14`.
    pub fn iso_date(self) -> String {
        let utc = self.utc();
        format!(
            "{:04}-{:02}-{:02}",
            utc.year(),
            u8::from(utc.month()),
            utc.day()
        )
    }

    /// Formats the time since, for example `12 minutes ago`.
    pub fn ago(self, now: Self) -> String {
        let ms = now.0.saturating_sub(self.0);
        if ms < MINUTE_MS {
            "just now".to_owned()
        } else {
            format!("{} ago", span(ms))
        }
    }

    /// Formats the time until, for example `6 days`.
    pub fn until(self, now: Self) -> String {
        span(self.0.saturating_sub(now.0).max(MINUTE_MS))
    }
}

/// Formats a span in the largest unit that fits at least once. Weeks and months start where a number of days gets hard to
/// read.
fn span(ms: i64) -> String {
    let (count, unit) = if ms < HOUR_MS {
        (ms / MINUTE_MS, "minute")
    } else if ms < DAY_MS {
        (ms / HOUR_MS, "hour")
    } else if ms < 28 * DAY_MS {
        (ms / DAY_MS, "day")
    } else if ms < 84 * DAY_MS {
        (ms / (7 * DAY_MS), "week")
    } else if ms < 730 * DAY_MS {
        (ms / (30 * DAY_MS), "month")
    } else {
        (ms / (365 * DAY_MS), "year")
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn month(utc: OffsetDateTime) -> &'static str {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    MONTHS[usize::from(u8::from(utc.month())) - 1]
}

fn duration_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_797_244_927_000);

    #[test]
    fn timestamp_is_formatted_in_utc() {
        assert_eq!(NOON.date(), "14 Dec 2026");
        assert_eq!(NOON.date_and_minute(), "14 Dec 2026, 10:42 UTC");
        assert_eq!(NOON.time_of_day(), "10:42:07 UTC");
        assert_eq!(NOON.iso(), "2026-12-14T10:42:07Z");
        assert_eq!(NOON.plus_ms(42).iso_ms(), "2026-12-14T10:42:07.042Z");
        assert_eq!(NOON.date_and_second(), "14 Dec 2026, 10:42:07 UTC");
    }

    #[test]
    fn span_uses_the_largest_unit_that_fits() {
        assert_eq!(NOON.ago(NOON.plus_ms(59_000)), "just now");
        assert_eq!(NOON.ago(NOON.plus_ms(60_000)), "1 minute ago");
        assert_eq!(NOON.ago(NOON.plus_ms(23 * HOUR_MS)), "23 hours ago");
        assert_eq!(NOON.ago(NOON.plus_ms(27 * DAY_MS)), "27 days ago");
        assert_eq!(NOON.ago(NOON.plus_ms(83 * DAY_MS)), "11 weeks ago");
        assert_eq!(NOON.plus_ms(6 * DAY_MS).until(NOON), "6 days");
    }

    #[test]
    fn timestamp_beyond_the_calendar_is_formatted() {
        assert_eq!(Timestamp(i64::MAX).date(), "1 Jan 1970");
    }
}
