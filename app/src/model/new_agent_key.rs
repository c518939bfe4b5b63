//! The form for a new key, and the request it parses into. Names follow Elasticsearch's rules.

use crate::model::{
    agent_key::{AgentPrivilege, AgentPrivileges, KeyId, Labels, parse_label},
    secret::Secret,
    text::has_invisible,
    timestamp::{DAY_MS, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Elasticsearch's maximum length of a name, in UTF-16 units, as Java counts them. An emoji counts as two.
pub const NAME_UNITS_MAX: usize = 256;

/// A key's name. Never empty, at most [`NAME_UNITS_MAX`] UTF-16 units, no white space at either end, no leading `_`.
///
/// Names are not unique; Elasticsearch identifies keys by id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// Reason for rejecting a key name. All that apply are reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyNameError {
    Empty,
    /// More than [`NAME_UNITS_MAX`] UTF-16 units.
    TooLong {
        /// Length of the input, in UTF-16 units.
        units: usize,
    },
    /// Elasticsearch reserves names that begin with `_`.
    LeadingUnderscore,
    ControlCharacter,
    /// A text direction mark or another character that cannot be seen.
    Invisible,
}

impl KeyName {
    /// Parses a name without the spaces around it, or returns all errors.
    pub fn parse(text: &str) -> Result<Self, Vec<KeyNameError>> {
        let text = text.trim();
        if text.is_empty() {
            return Err(vec![KeyNameError::Empty]);
        }
        let mut errors = Vec::new();
        let units = text.encode_utf16().count();
        if units > NAME_UNITS_MAX {
            errors.push(KeyNameError::TooLong { units });
        }
        if text.starts_with('_') {
            errors.push(KeyNameError::LeadingUnderscore);
        }
        if text.chars().any(char::is_control) {
            errors.push(KeyNameError::ControlCharacter);
        } else if has_invisible(text) {
            errors.push(KeyNameError::Invisible);
        }
        if errors.is_empty() {
            Ok(Self(text.to_owned()))
        } else {
            Err(errors)
        }
    }
}

string_newtype!(KeyName, KeyNameError, |text: &str| KeyName::parse(text)
    .map_err(|errors| errors[0]));

impl fmt::Display for KeyNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Enter a name."),
            Self::TooLong { units } => write!(
                f,
                "Use at most {NAME_UNITS_MAX} characters. This name has {units}; an emoji counts as two."
            ),
            Self::LeadingUnderscore => f.write_str("Start the name with something other than “_”."),
            Self::ControlCharacter => {
                f.write_str("Remove line breaks and other control characters.")
            }
            Self::Invisible => {
                f.write_str("Remove invisible characters, such as text direction marks.")
            }
        }
    }
}

/// The form's fields, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewAgentKeyForm {
    /// Created by the server with the form. The same value never creates a second key.
    pub operation: String,
    pub name: String,
    /// Present if `event:write` is ticked.
    pub event_write: Option<String>,
    /// Present if `config_agent:read` is ticked.
    pub config_agent_read: Option<String>,
    /// `30`, `60`, `90`, `365`, `custom` or `never`.
    pub expires: String,
    /// A date such as `2026-12-14`, for `custom`.
    pub expires_on: String,
    /// The end of that day in the user's time zone, in milliseconds since 1970. Empty without script.
    pub expires_at: String,
    pub service: String,
    pub environment: String,
    pub team: String,
}

/// A validated request for a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAgentKey {
    /// Id of this request. The same value never creates a second key.
    pub operation: OperationId,
    pub name: KeyName,
    pub privileges: AgentPrivileges,
    /// End of the lifetime; `None` for a key that never expires.
    pub expiration: Expiration,
    pub labels: Labels,
    /// The key that this one replaces, if it is a rotation.
    pub replaces: Option<ReplacedKey>,
}

/// A key that a new one replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedKey {
    pub id: KeyId,
    pub name: String,
    /// Its expiration before the rotation; `None` if it never expired.
    pub former_end: Option<Timestamp>,
    /// Its end after the rotation; `None` if the user revokes it later.
    pub ends_at: Option<Timestamp>,
    pub means: EndMeans,
}

/// What ends a key that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndMeans {
    /// Elasticsearch: the user owns the key and sets its expiration.
    Elasticsearch,
    /// The application revokes it as the service user of the settings.
    ServiceUser,
    /// The user, who must revoke it at the time.
    User {
        /// True if the user owns the key, and Elasticsearch is too old.
        own: bool,
    },
}

/// Id of an operation: 1 to 64 characters of `a-z A-Z 0-9 -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OperationId(String);

impl OperationId {
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (!text.is_empty() && text.len() <= 64 && text.chars().all(allowed))
            .then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A new key with its secret. Exists in one response and on one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedAgentKey {
    /// Id of the request that created the key. The browser confirms the display of the secret with it.
    pub operation: OperationId,
    pub id: KeyId,
    pub name: KeyName,
    /// End of the lifetime; `None` for a key that never expires.
    pub expiration: Option<Timestamp>,
    pub labels: Labels,
    /// The secret part of `id:key`.
    pub api_key: Secret,
    /// Base64 of `id:key`, the form that agents expect.
    pub encoded: Secret,
    /// Address of APM Server from the settings; `None` if not set.
    pub apm_server_url: Option<String>,
    /// The key that this one replaces, if it is a rotation.
    pub replaces: Option<ReplacedKey>,
}

/// Validation errors of the form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAgentKeyErrors {
    pub name: Vec<KeyNameError>,
    pub no_privilege: bool,
    pub expiration: Option<ExpirationError>,
    pub service: bool,
    pub environment: bool,
    pub team: bool,
    /// True if the id of the operation is missing or invalid.
    pub operation: bool,
}

impl NewAgentKeyForm {
    /// Parses the form, or returns the errors of all fields.
    pub fn parse(&self, now: Timestamp) -> Result<NewAgentKey, NewAgentKeyErrors> {
        let operation = OperationId::parse(&self.operation);
        let name = KeyName::parse(&self.name);
        let privileges = AgentPrivileges::new(
            [
                self.event_write
                    .as_ref()
                    .map(|_| AgentPrivilege::EventWrite),
                self.config_agent_read
                    .as_ref()
                    .map(|_| AgentPrivilege::ConfigAgentRead),
            ]
            .into_iter()
            .flatten(),
        );
        let expiration = Expiration::parse(&self.expires, &self.expires_on, &self.expires_at, now);
        let service = parse_label(&self.service);
        let environment = parse_label(&self.environment);
        let team = parse_label(&self.team);
        match (
            operation,
            name,
            privileges,
            expiration,
            service,
            environment,
            team,
        ) {
            (
                Some(operation),
                Ok(name),
                Some(privileges),
                Ok(expiration),
                Ok(service),
                Ok(environment),
                Ok(team),
            ) => Ok(NewAgentKey {
                operation,
                name,
                privileges,
                expiration,
                labels: Labels {
                    service,
                    environment,
                    team,
                },
                replaces: None,
            }),
            (operation, name, privileges, expiration, service, environment, team) => {
                Err(NewAgentKeyErrors {
                    operation: operation.is_none(),
                    name: name.err().unwrap_or_default(),
                    no_privilege: privileges.is_none(),
                    expiration: expiration.err(),
                    service: service.is_err(),
                    environment: environment.is_err(),
                    team: team.is_err(),
                })
            }
        }
    }
}

/// Maximum lifetime of a new key, in days.
pub const LIFETIME_DAYS_MAX: u32 = 3_650;

/// Maximum distance of a time zone from UTC, with an hour to spare, in milliseconds.
pub(super) const UTC_OFFSET_MS_MAX: u64 = 15 * 3_600_000;

/// Lifetime of a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    Never,
    /// Days after the creation: 1 to [`LIFETIME_DAYS_MAX`].
    InDays(u32),
    /// The last second of a chosen day.
    Until(Timestamp),
}

/// Reason for rejecting an expiration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpirationError {
    /// “Custom” was chosen without a valid date.
    NotADate,
    /// The date is today or earlier.
    NotInTheFuture,
    /// The date is more than [`LIFETIME_DAYS_MAX`] ahead.
    TooFar,
    UnknownChoice,
}

impl Expiration {
    /// Parses the form's choice: `30`, `60`, `90`, `365`, `never`, or `custom` with a date such as `2026-12-14`.
    ///
    /// A custom date means the last second of that day: in the user's time zone if `end` is given, else in UTC.
    pub fn parse(
        choice: &str,
        date: &str,
        end: &str,
        now: Timestamp,
    ) -> Result<Self, ExpirationError> {
        match choice {
            "never" => Ok(Self::Never),
            "custom" => Self::until_date(date, end, now),
            "30" => Ok(Self::InDays(30)),
            "60" => Ok(Self::InDays(60)),
            "90" => Ok(Self::InDays(90)),
            "365" => Ok(Self::InDays(365)),
            _ => Err(ExpirationError::UnknownChoice),
        }
    }

    fn until_date(date: &str, end: &str, now: Timestamp) -> Result<Self, ExpirationError> {
        let date = parse_date(date).ok_or(ExpirationError::NotADate)?;
        let midnight_ms = date.midnight().assume_utc().unix_timestamp() * 1_000 + DAY_MS;
        let in_utc = Timestamp(midnight_ms - 1_000);
        let end = match end {
            "" => in_utc,
            end => end
                .parse()
                .map(Timestamp)
                .map_err(|_| ExpirationError::NotADate)?,
        };
        // No time zone is further from UTC.
        if end.0.abs_diff(in_utc.0) > UTC_OFFSET_MS_MAX {
            return Err(ExpirationError::NotADate);
        }
        let ms = end.0 - now.0;
        if ms < DAY_MS - 1_000 {
            return Err(ExpirationError::NotInTheFuture);
        }
        if ms > i64::from(LIFETIME_DAYS_MAX) * DAY_MS {
            return Err(ExpirationError::TooFar);
        }
        Ok(Self::Until(end))
    }

    /// Returns Elasticsearch's time value for a key that is created at `now`, for example `90d`; `None` for never.
    pub fn time_value(self, now: Timestamp) -> Option<String> {
        match self {
            Self::Never => None,
            Self::InDays(days) => Some(format!("{days}d")),
            Self::Until(end) => Some(format!("{}ms", end.0.saturating_sub(now.0).max(1))),
        }
    }
}

pub(super) fn parse_date(text: &str) -> Option<time::Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()
}

impl fmt::Display for ExpirationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADate => "Enter an expiry date.",
            Self::NotInTheFuture => "Choose a date after today.",
            Self::TooFar => "Choose a date within the next ten years.",
            Self::UnknownChoice => "Choose one of the options.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_name_may_hold_inner_spaces_and_emoji() {
        for name in ["checkout", "check out", "é 🚀", "a_b", "-"] {
            assert_eq!(KeyName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn key_name_is_counted_in_utf16_units() {
        assert!(KeyName::parse(&"a".repeat(256)).is_ok());
        assert_eq!(
            KeyName::parse(&"a".repeat(257)),
            Err(vec![KeyNameError::TooLong { units: 257 }])
        );
        assert!(KeyName::parse(&"🚀".repeat(128)).is_ok());
        assert_eq!(
            KeyName::parse(&"🚀".repeat(129)),
            Err(vec![KeyNameError::TooLong { units: 258 }])
        );
    }

    #[test]
    fn every_broken_rule_of_a_key_name_is_reported() {
        assert_eq!(KeyName::parse(""), Err(vec![KeyNameError::Empty]));
        assert_eq!(
            KeyName::parse(&format!("_{}\ny", "a".repeat(256))),
            Err(vec![
                KeyNameError::TooLong { units: 259 },
                KeyNameError::LeadingUnderscore,
                KeyNameError::ControlCharacter
            ])
        );
    }

    #[test]
    fn outer_spaces_of_a_key_name_are_trimmed() {
        assert_eq!(
            KeyName::parse(" \u{3000}check out\t ").unwrap().as_str(),
            "check out"
        );
        assert_eq!(KeyName::parse(" "), Err(vec![KeyNameError::Empty]));
    }

    #[test]
    fn key_name_with_an_invisible_character_is_rejected() {
        for name in ["check\u{202E}tuo", "pay\u{200B}pal", "\u{2066}a"] {
            assert_eq!(KeyName::parse(name), Err(vec![KeyNameError::Invisible]));
        }
    }

    const NOW: Timestamp = Timestamp(1_797_244_927_000); // 14 Dec 2026, 10:42:07 UTC

    fn filled_in() -> NewAgentKeyForm {
        NewAgentKeyForm {
            operation: "0199-a".to_owned(),
            name: "checkout".to_owned(),
            event_write: Some("on".to_owned()),
            expires: "90".to_owned(),
            service: " checkout ".to_owned(),
            ..NewAgentKeyForm::default()
        }
    }

    #[test]
    fn valid_form_parses_into_a_request() {
        let key = filled_in().parse(NOW).unwrap();
        assert_eq!(key.privileges.names(), ["event:write"]);
        assert_eq!(key.expiration, Expiration::InDays(90));
        assert_eq!(key.labels.service.as_deref(), Some("checkout"));
        assert_eq!(key.labels.team, None);
    }

    #[test]
    fn errors_of_all_fields_are_reported_together() {
        let form = NewAgentKeyForm {
            name: "_x".to_owned(),
            event_write: None,
            expires: "custom".to_owned(),
            team: "a\u{7}".to_owned(),
            ..filled_in()
        };
        let errors = form.parse(NOW).unwrap_err();
        assert_eq!(errors.name, [KeyNameError::LeadingUnderscore]);
        assert!(errors.no_privilege && errors.team && !errors.service);
        assert_eq!(errors.expiration, Some(ExpirationError::NotADate));
    }

    #[test]
    fn preset_expiration_is_a_number_of_days() {
        let parse = |choice| Expiration::parse(choice, "", "", NOW);
        assert_eq!(parse("90"), Ok(Expiration::InDays(90)));
        assert_eq!(parse("never"), Ok(Expiration::Never));
        assert_eq!(parse("1e9"), Err(ExpirationError::UnknownChoice));
        assert_eq!(
            Expiration::InDays(90).time_value(NOW).as_deref(),
            Some("90d")
        );
    }

    const LAST_SECOND: Timestamp = Timestamp(1_797_379_199_000); // 15 Dec 2026, 23:59:59 UTC

    #[test]
    fn custom_expiration_is_the_end_of_the_chosen_day_in_the_users_time_zone() {
        let hours = |hours: i64| LAST_SECOND.plus_ms(hours * 3_600_000);
        let parse = |end: String| Expiration::parse("custom", "2026-12-15", &end, NOW);
        assert_eq!(parse(String::new()), Ok(Expiration::Until(LAST_SECOND)));
        for offset in [-14, -9, 0, 5, 12] {
            let end = hours(offset);
            let expected = if end.0 - NOW.0 < DAY_MS - 1_000 {
                Err(ExpirationError::NotInTheFuture)
            } else {
                Ok(Expiration::Until(end))
            };
            assert_eq!(parse(end.0.to_string()), expected, "{offset}");
        }
        for end in ["tomorrow", "0", "-1", "9223372036854775807"] {
            assert_eq!(
                parse(end.to_owned()),
                Err(ExpirationError::NotADate),
                "{end}"
            );
        }
        assert_eq!(
            parse(hours(16).0.to_string()),
            Err(ExpirationError::NotADate)
        );
        let time_value = Expiration::Until(NOW.plus_ms(42)).time_value(NOW);
        assert_eq!(time_value.as_deref(), Some("42ms"));
    }

    #[test]
    fn custom_expiration_is_a_day_after_today_within_ten_years() {
        let parse = |date| Expiration::parse("custom", date, "", NOW);
        assert_eq!(parse("2026-12-14"), Err(ExpirationError::NotInTheFuture));
        assert_eq!(parse("2025-02-29"), Err(ExpirationError::NotADate));
        assert_eq!(parse(""), Err(ExpirationError::NotADate));
        assert_eq!(parse("9999-12-31"), Err(ExpirationError::TooFar));
        // A day after today, even a second before midnight.
        let late = Timestamp(LAST_SECOND.0 - DAY_MS);
        let parsed = Expiration::parse("custom", "2026-12-15", "", late);
        assert_eq!(parsed, Ok(Expiration::Until(LAST_SECOND)));
    }
}
