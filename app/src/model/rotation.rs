//! The form that rotates a key: a successor, and the end of the key that it replaces.

use super::{
    agent_key::{AgentPrivilege, AgentPrivileges, KeyId, KeyRights},
    new_agent_key::{
        Expiration, ExpirationError, KeyName, KeyNameError, LIFETIME_DAYS_MAX, NAME_UNITS_MAX,
        OperationId, UTC_OFFSET_MS_MAX, parse_date,
    },
    timestamp::{DAY_MS, HOUR_MS, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Maximum time for which both keys work, in days.
pub const OVERLAP_DAYS_MAX: i64 = 90;
/// Choice of the form for a key that no one but the user ends.
pub const OPEN: &str = "open";

/// The form's fields, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RotationForm {
    /// Created by the server with the form. The same value never creates a second key.
    pub operation: String,
    /// Id of the key to rotate.
    pub key: String,
    /// Name of the new key.
    pub name: String,
    /// Lifetime of the new key in days, or `never`.
    pub expires: String,
    /// End of the old key: `now`, `1h`, `24h`, `7d`, `custom`, or `open` if the user revokes it later.
    pub overlap: String,
    /// A date and time such as `2026-12-14T09:30`, for `custom`.
    pub overlap_on: String,
    /// That moment in the user's time zone, in milliseconds since 1970. Empty without script.
    pub overlap_at: String,
}

/// A validated rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRotation {
    /// Id of this request. The same value never creates a second key.
    pub operation: OperationId,
    /// The key to rotate.
    pub key: KeyId,
    /// Name of the new key.
    pub name: KeyName,
    /// Lifetime of the new key.
    pub expiration: Expiration,
    /// End of the old key; `None` if the user revokes it later.
    pub ends_at: Option<Timestamp>,
}

/// Validation errors of the form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationErrors {
    pub name: Vec<KeyNameError>,
    pub expiration: Option<ExpirationError>,
    pub overlap: Option<OverlapError>,
    /// True if the id of the operation or of the key is missing or invalid.
    pub operation: bool,
}

/// Reason for rejecting the end of the old key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OverlapError {
    /// “At another time” was chosen without a valid date and time.
    NotAMoment,
    NotInTheFuture,
    /// More than [`OVERLAP_DAYS_MAX`] ahead.
    TooFar,
    UnknownChoice,
}

impl fmt::Display for OverlapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAMoment => "Enter a date and a time.",
            Self::NotInTheFuture => "Choose a time in the future.",
            Self::TooFar => "Choose a time within the next 90 days.",
            Self::UnknownChoice => "Choose when the old key stops working.",
        })
    }
}

impl RotationForm {
    /// Parses the form, or returns the errors of all fields.
    pub fn parse(&self, now: Timestamp) -> Result<NewRotation, RotationErrors> {
        let operation = OperationId::parse(&self.operation);
        let key = KeyId::parse(&self.key);
        let name = KeyName::parse(&self.name);
        let expiration = lifetime(&self.expires);
        let end = end(&self.overlap, &self.overlap_on, &self.overlap_at, now);
        match (operation, key, name, expiration, end) {
            (Some(operation), Some(key), Ok(name), Ok(expiration), Ok(ends_at)) => {
                Ok(NewRotation {
                    operation,
                    key,
                    name,
                    expiration,
                    ends_at,
                })
            }
            (operation, key, name, expiration, end) => Err(RotationErrors {
                operation: operation.is_none() || key.is_none(),
                name: name.err().unwrap_or_default(),
                expiration: expiration.err(),
                overlap: end.err(),
            }),
        }
    }
}

/// Parses a lifetime in days, or `never`.
fn lifetime(choice: &str) -> Result<Expiration, ExpirationError> {
    match choice.parse() {
        _ if choice == "never" => Ok(Expiration::Never),
        Ok(days) if (1..=LIFETIME_DAYS_MAX).contains(&days) => Ok(Expiration::InDays(days)),
        _ => Err(ExpirationError::UnknownChoice),
    }
}

/// Parses the end of the old key.
fn end(
    choice: &str,
    moment: &str,
    at: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, OverlapError> {
    let in_hours = |hours| Ok(Some(now.plus_ms(hours * HOUR_MS)));
    match choice {
        "now" => in_hours(0),
        "1h" => in_hours(1),
        "24h" => in_hours(24),
        "7d" => in_hours(7 * 24),
        "custom" => at_moment(moment, at, now).map(Some),
        OPEN => Ok(None),
        _ => Err(OverlapError::UnknownChoice),
    }
}

/// Parses a moment: in the user's time zone if the script has computed `at`, else in UTC.
fn at_moment(moment: &str, at: &str, now: Timestamp) -> Result<Timestamp, OverlapError> {
    let in_utc = parse_moment(moment).ok_or(OverlapError::NotAMoment)?;
    let end = match at {
        "" => in_utc,
        at => at
            .parse()
            .map(Timestamp)
            .map_err(|_| OverlapError::NotAMoment)?,
    };
    // No time zone is further from UTC.
    if end.0.abs_diff(in_utc.0) > UTC_OFFSET_MS_MAX {
        return Err(OverlapError::NotAMoment);
    }
    if end <= now {
        return Err(OverlapError::NotInTheFuture);
    }
    if end > now.plus_ms(OVERLAP_DAYS_MAX * DAY_MS) {
        return Err(OverlapError::TooFar);
    }
    Ok(end)
}

/// Parses the value of a field of type `datetime-local`, as UTC.
fn parse_moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let mut parts = time.splitn(3, ':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let time = time::Time::from_hms(hour, minute, 0).ok()?;
    let moment = parse_date(date)?.with_time(time).assume_utc();
    Some(Timestamp(moment.unix_timestamp() * 1_000))
}

/// Returns the name that the form suggests: with `-2` at the end, or the next number.
pub fn successor_name(name: &str) -> String {
    let name = name.trim();
    let (start, number) = name
        .rsplit_once('-')
        .and_then(|(start, end)| Some((start, end.parse::<u8>().ok()?)))
        .filter(|(start, number)| !start.is_empty() && (2..99).contains(number))
        .map_or((name, 2), |(start, number)| (start, number + 1));
    let suffix = format!("-{number}");
    let mut units = suffix.len();
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= NAME_UNITS_MAX
    };
    let start: String = start.chars().take_while(fits).collect();
    start + &suffix
}

/// Returns the privileges of a successor: those of the old key that agents use. Both, if the old key's are unknown.
pub fn successor_privileges(rights: &KeyRights) -> AgentPrivileges {
    let held = rights
        .privileges()
        .iter()
        .filter_map(|name| AgentPrivilege::parse(name));
    AgentPrivileges::new(held).unwrap_or_else(AgentPrivileges::both)
}

/// Returns the lifetime of a key in whole days, at least one; `None` for a key that never expires.
pub fn lifetime_days(created: Timestamp, end: Option<Timestamp>) -> Option<u32> {
    let ms = end?.0.saturating_sub(created.0);
    let days = u32::try_from(ms.saturating_add(DAY_MS / 2) / DAY_MS).unwrap_or(1);
    Some(days.clamp(1, LIFETIME_DAYS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_000);

    fn form(overlap: &str, on: &str, at: &str) -> RotationForm {
        RotationForm {
            operation: "op-1".to_owned(),
            key: "kX3mRZkB7tQ2hVn0aLwd".to_owned(),
            name: "checkout-2".to_owned(),
            expires: "90".to_owned(),
            overlap: overlap.to_owned(),
            overlap_on: on.to_owned(),
            overlap_at: at.to_owned(),
        }
    }

    #[test]
    fn end_of_the_old_key_is_the_chosen_one() {
        let end = |overlap, on, at| form(overlap, on, at).parse(NOW).map(|new| new.ends_at);
        let after = |hours| Ok(Some(NOW.plus_ms(hours * HOUR_MS)));
        assert_eq!(end("now", "", ""), after(0));
        assert_eq!(end("1h", "", ""), after(1));
        assert_eq!(end("24h", "", ""), after(24));
        assert_eq!(end("7d", "", ""), after(168));
        assert_eq!(end("open", "", ""), Ok(None));
        // 15 December 2026, 09:30 UTC; and the same where the user is an hour ahead.
        let in_utc = Timestamp(1_797_327_000_000);
        assert_eq!(end("custom", "2026-12-15T09:30", ""), Ok(Some(in_utc)));
        assert_eq!(
            end("custom", "2026-12-15T09:30", "1797323400000"),
            Ok(Some(in_utc.plus_ms(-HOUR_MS)))
        );
    }

    #[test]
    fn impossible_end_is_refused_at_its_field() {
        for (overlap, on, at, expected) in [
            ("custom", "", "", OverlapError::NotAMoment),
            ("custom", "2026-12-15", "", OverlapError::NotAMoment),
            ("custom", "2026-12-15T25:00", "", OverlapError::NotAMoment),
            ("custom", "2026-12-15T09:30", "0", OverlapError::NotAMoment),
            ("custom", "2026-12-15T09:30", "x", OverlapError::NotAMoment),
            (
                "custom",
                "2026-12-14T10:00",
                "",
                OverlapError::NotInTheFuture,
            ),
            ("custom", "2027-03-15T00:00", "", OverlapError::TooFar),
            ("", "", "", OverlapError::UnknownChoice),
            ("1y", "", "", OverlapError::UnknownChoice),
        ] {
            let errors = form(overlap, on, at).parse(NOW).unwrap_err();
            assert_eq!(errors.overlap, Some(expected), "{overlap} {on} {at}");
            assert!(errors.name.is_empty() && errors.expiration.is_none() && !errors.operation);
        }
    }

    #[test]
    fn lifetime_is_days_or_never() {
        assert_eq!(lifetime("never"), Ok(Expiration::Never));
        assert_eq!(lifetime("14"), Ok(Expiration::InDays(14)));
        for bad in ["", "0", "3651", "-1", "1e9", "90d"] {
            assert_eq!(lifetime(bad), Err(ExpirationError::UnknownChoice), "{bad}");
        }
        assert_eq!(lifetime_days(NOW, None), None);
        assert_eq!(
            lifetime_days(NOW, Some(NOW.plus_ms(90 * DAY_MS - 500))),
            Some(90)
        );
        assert_eq!(lifetime_days(NOW, Some(NOW.plus_ms(HOUR_MS))), Some(1));
    }

    #[test]
    fn successor_has_the_next_number() {
        for (name, expected) in [
            ("checkout", "checkout-2"),
            ("checkout-2", "checkout-3"),
            ("checkout-9", "checkout-10"),
            ("checkout-2026", "checkout-2026-2"),
            ("checkout-1", "checkout-1-2"),
            ("-2", "-2-2"),
        ] {
            assert_eq!(successor_name(name), expected);
        }
        for long in ["a".repeat(256), "🚀".repeat(128)] {
            let name = successor_name(&long);
            assert!(
                name.ends_with("-2") && KeyName::parse(&name).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn successor_has_the_privileges_that_agents_use() {
        let described = |names: &[&str]| KeyRights::Described {
            privileges: names.iter().map(|name| (*name).to_owned()).collect(),
            more: false,
        };
        let names = |rights| successor_privileges(&rights).names();
        let both = ["config_agent:read", "event:write"];
        assert_eq!(names(described(&["event:write"])), ["event:write"]);
        assert_eq!(
            names(described(&["event:write", "sourcemap:write"])),
            ["event:write"]
        );
        for unknown in [KeyRights::NotTold, KeyRights::OwnersAll, described(&["*"])] {
            assert_eq!(names(unknown), both);
        }
    }
}
