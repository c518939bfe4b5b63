//! The form for a new key, and the request it parses into.

use super::{
    key_name::{KeyName, KeyNameError},
    secret::Secret,
    timestamp::{DAY_MS, Timestamp},
};
use crate::model::agent_key::{AgentPrivilege, AgentPrivileges, KeyId, Labels, parse_label};
use serde::{Deserialize, Serialize};
use std::fmt;

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
    pub expires_on: String,
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
        let expiration = Expiration::parse(&self.expires, &self.expires_on, now);
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

/// Lifetime of a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    Never,
    /// Days after the creation: 1 to [`LIFETIME_DAYS_MAX`].
    InDays(u32),
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
    /// A custom date means the end of that day in UTC, so that the key works on the chosen day.
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
        // Rounded up: the key may work a few hours into the next day, and never expires before the chosen day ends.
        let days = u32::try_from(ms.div_euclid(DAY_MS) + 1).map_err(|_| ExpirationError::TooFar)?;
        if days > LIFETIME_DAYS_MAX {
            return Err(ExpirationError::TooFar);
        }
        Ok(Self::InDays(days))
    }

    /// Returns Elasticsearch's time value, for example `90d`; `None` for never.
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
        assert_eq!(Expiration::parse("90", "", NOW), Ok(Expiration::InDays(90)));
        assert_eq!(Expiration::parse("never", "", NOW), Ok(Expiration::Never));
        assert_eq!(
            Expiration::parse("1e9", "", NOW),
            Err(ExpirationError::UnknownChoice)
        );
    }

    #[test]
    fn custom_expiration_includes_the_chosen_day() {
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
