//! When a key ends.

use super::timestamp::{DAY_MS, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest life a key may be given here, in days.
pub const LIFETIME_DAYS_MAX: u32 = 3_650;

/// When a new key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// It works until somebody revokes it.
    Never,
    /// It stops so many days after it was created: 1 to [`LIFETIME_DAYS_MAX`].
    InDays(u32),
}

/// Why an expiration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpirationError {
    /// “Custom” was chosen and no date was given, or it is not a date.
    NotADate,
    /// The date is today or earlier.
    NotInTheFuture,
    /// The date is further away than [`LIFETIME_DAYS_MAX`].
    TooFar,
    /// A choice that the form does not offer.
    UnknownChoice,
}

impl Expiration {
    /// Reads the form's choice: `30`, `60`, `90`, `365`, `never`, or `custom` with a date such as `2026-12-14`.
    /// A custom date means the end of that day in UTC, so that the key works on the day that was chosen.
    pub fn parse(choice: &str, date: &str, now: Timestamp) -> Result<Self, ExpirationError> {
        match choice {
            "never" => Ok(Self::Never),
            "custom" => Self::until_date(date, now),
            "30" => Ok(Self::InDays(30)),
            "60" => Ok(Self::InDays(60)),
            "90" => Ok(Self::InDays(90)),
            "365" => Ok(Self::InDays(365)),
            _ => Err(ExpirationError::UnknownChoice),
        }
    }

    fn until_date(date: &str, now: Timestamp) -> Result<Self, ExpirationError> {
        let date = parse_date(date).ok_or(ExpirationError::NotADate)?;
        let end_ms = date
            .midnight()
            .assume_utc()
            .unix_timestamp()
            .saturating_mul(1_000)
            .saturating_add(DAY_MS);
        let ms = end_ms.saturating_sub(now.0);
        if ms <= DAY_MS {
            return Err(ExpirationError::NotInTheFuture);
        }
        // Rounded up: the key may live a few hours into the next day, and never ends before the day chosen.
        let days = u32::try_from(ms.div_euclid(DAY_MS) + 1).map_err(|_| ExpirationError::TooFar)?;
        if days > LIFETIME_DAYS_MAX {
            return Err(ExpirationError::TooFar);
        }
        Ok(Self::InDays(days))
    }

    /// Elasticsearch's time value, for example `90d`; `None` for never.
    pub fn time_value(self) -> Option<String> {
        match self {
            Self::Never => None,
            Self::InDays(days) => Some(format!("{days}d")),
        }
    }
}

fn parse_date(text: &str) -> Option<time::Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()
}

impl fmt::Display for ExpirationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADate => "Enter the date on which the key ends.",
            Self::NotInTheFuture => "Choose a date after today.",
            Self::TooFar => "Choose a date within the next ten years.",
            Self::UnknownChoice => "Choose one of the offered times.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_000); // 14 Dec 2026, 10:42:07 UTC

    #[test]
    fn a_preset_is_so_many_days() {
        assert_eq!(Expiration::parse("90", "", NOW), Ok(Expiration::InDays(90)));
        assert_eq!(Expiration::parse("never", "", NOW), Ok(Expiration::Never));
        assert_eq!(
            Expiration::parse("1e9", "", NOW),
            Err(ExpirationError::UnknownChoice)
        );
    }

    #[test]
    fn a_custom_date_lasts_at_least_until_that_day_ends() {
        assert_eq!(
            Expiration::parse("custom", "2026-12-15", NOW),
            Ok(Expiration::InDays(2))
        );
        assert_eq!(
            Expiration::parse("custom", "2026-12-14", NOW),
            Err(ExpirationError::NotInTheFuture)
        );
        assert_eq!(
            Expiration::parse("custom", "2025-02-29", NOW),
            Err(ExpirationError::NotADate)
        );
        assert_eq!(
            Expiration::parse("custom", "", NOW),
            Err(ExpirationError::NotADate)
        );
        assert_eq!(
            Expiration::parse("custom", "9999-12-31", NOW),
            Err(ExpirationError::TooFar)
        );
    }
}
