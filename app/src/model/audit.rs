//! Events of the audit log, and the query that selects them: filters, period and page, as in the page's address.

use super::timestamp::{DAY_MS, Timestamp};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use time::{Date, Month};

/// Kind of an event.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// An agent key was created.
    AgentKeyCreate,
    /// The response with a new key's secret was sent.
    AgentKeySecretSent,
    /// The browser confirmed that it displayed a new key's secret.
    AgentKeySecretAcknowledged,
    /// The secret of an existing key was lost or never confirmed.
    AgentKeyNeverDelivered,
    /// An agent key was revoked.
    AgentKeyInvalidate,
    /// The end or the labels of an agent key were changed.
    AgentKeyUpdate,
    /// The end of a key that was rotated was set, put off or reached.
    AgentKeyRotate,
    /// Elasticsearch and the database differ.
    AgentKeyDrift,
    /// A user signed in or was refused.
    UserLogin,
    /// A sign-in was refused by the rate limit.
    LoginThrottled,
    /// A signed-in user entered the password again.
    Reauth,
    /// A user signed out.
    UserLogout,
    /// A session ended without a request of its browser.
    SessionEnded,
    /// The agent key role was created or repaired.
    RoleUpdate,
    /// The agent key role was given to a user or taken away.
    UserRolesChange,
    /// A role mapping was created or changed.
    RoleMappingPut,
    /// A role mapping was deleted.
    RoleMappingDelete,
    /// A user was created.
    UserCreate,
    /// A user was enabled.
    UserEnable,
    /// A user was disabled.
    UserDisable,
    /// A user was deleted.
    UserDelete,
    /// The password of a user was reset.
    UserPasswordChange,
    /// The settings of the APM integration were saved.
    ApmSettingsChange,
    /// The audit log was exported.
    AuditExport,
    /// Events older than the retention period were deleted.
    AuditRetentionCut,
    /// Removal of old events was paused, because the clock had jumped.
    AuditRetentionPause,
    /// Removal of old events goes on after a pause.
    AuditRetentionResume,
    /// The application started and found unfinished operations of an earlier process.
    AppRecovered,
    /// The circuit to Elasticsearch opened or closed.
    EsConnectionState,
    /// The databases were replaced by a backup.
    DatabaseRestore,
    /// The database got another server key.
    ServerKeyChange,
    /// A client of the embedded engine's port changed something.
    EngineChange,
    /// Requests were refused: a permission was missing, or they came from another site.
    RequestRefused,
    /// The application started.
    AppStart,
    /// The application stopped.
    AppStop,
    /// Certificate and key were read again.
    TlsReload,
}

impl Action {
    /// All, in display order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the stored name, which addresses use too.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the label on the page. It names the attempt; the outcome is separate.
    pub fn label(self) -> &'static str {
        match self {
            Self::UserLogin => "Sign in",
            Self::LoginThrottled => "Exceed sign-in limit",
            Self::Reauth => "Enter password again",
            Self::UserLogout => "Sign out",
            Self::SessionEnded => "End session",
            Self::AgentKeyCreate => "Create agent key",
            Self::AgentKeySecretSent => "Send new key’s secret",
            Self::AgentKeySecretAcknowledged => "Show new key’s secret",
            Self::AgentKeyNeverDelivered => "Deliver new key’s secret",
            Self::AgentKeyDrift => "Find key without record",
            Self::AgentKeyInvalidate => "Revoke agent key",
            Self::AgentKeyUpdate => "Change agent key",
            Self::AgentKeyRotate => "Rotate agent key",
            Self::AppRecovered => "Recover after a crash",
            Self::RoleUpdate => "Update agent key role",
            Self::RoleMappingPut => "Save role mapping",
            Self::RoleMappingDelete => "Delete role mapping",
            Self::UserCreate => "Create user",
            Self::UserRolesChange => "Change roles of user",
            Self::UserEnable => "Enable user",
            Self::UserDisable => "Disable user",
            Self::UserDelete => "Delete user",
            Self::UserPasswordChange => "Reset password",
            Self::ApmSettingsChange => "Change APM settings",
            Self::AuditExport => "Export audit log",
            Self::AuditRetentionCut => "Remove old events",
            Self::AuditRetentionPause => "Pause removal of old events",
            Self::AuditRetentionResume => "Resume removal of old events",
            Self::EsConnectionState => "Connect to Elasticsearch",
            Self::DatabaseRestore => "Restore from backup",
            Self::ServerKeyChange => "Replace server key",
            Self::EngineChange => "Change through Elasticsearch port",
            Self::RequestRefused => "Request without permission",
            Self::AppStart => "Start Agent Keys",
            Self::AppStop => "Stop Agent Keys",
            Self::TlsReload => "Read certificate again",
        }
    }
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Success,
    Failure,
    /// The attempt has not ended, or its result cannot be determined.
    Unknown,
}

impl Outcome {
    /// All, in display order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the stored name, which addresses use too.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the label on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failure => "Failure",
            Self::Unknown => "Unknown",
        }
    }
}

/// A row of the log: an operation with its outcome, or a single event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Number of the event with the outcome: 1, 2, 3, without gaps.
    pub sequence: i64,
    pub at: Timestamp,
    pub actor: Actor,
    pub realm: Option<String>,
    /// Label of the action.
    pub action: String,
    pub outcome: Outcome,
    /// True if the operation may still be carried out. Then the outcome is `Unknown`.
    pub under_way: bool,
    pub target_name: Option<String>,
    pub target_id: Option<String>,
    /// Events of the operation, oldest first.
    pub events: Vec<AuditEvent>,
}

/// Originator of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// A signed-in user, or the name with which a sign-in was tried.
    User(String),
    /// A sign-in was tried with a name that has never signed in and was not created here.
    UnknownUser,
    /// Agent Keys itself.
    Application,
}

/// One event as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub sequence: i64,
    pub at: Timestamp,
    /// Label of the action.
    pub action: String,
    pub outcome: Outcome,
    pub request_id: String,
    /// The whole record, as indented JSON.
    pub record: String,
    /// Message authentication code that chains the event to the one before.
    pub mac: String,
}

/// Rows per page.
pub const ROWS: usize = 25;
/// Maximum length of a search text, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 256;

/// Search text of at most [`TEXT_CHARACTERS_MAX`] characters, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SearchText(String);

impl SearchText {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for SearchText {
    fn from(text: &str) -> Self {
        let printable = text.trim().chars().filter(|c| !c.is_control());
        Self(printable.take(TEXT_CHARACTERS_MAX).collect())
    }
}

impl From<String> for SearchText {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<SearchText> for String {
    fn from(text: SearchText) -> Self {
        text.0
    }
}

/// Page of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditPlace {
    #[default]
    Newest,
    /// Events before this number.
    Before(i64),
    /// Events after this number.
    After(i64),
}

/// Filters and page of the log, as in the page's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuery {
    pub action: Option<Action>,
    pub outcome: Option<Outcome>,
    /// Part of the user name.
    pub person: SearchText,
    /// Part of the target's name, or its whole id.
    pub target: SearchText,
    /// First day, as typed: `2026-12-14`.
    pub from: SearchText,
    /// Last day, as typed.
    pub to: SearchText,
    pub place: AuditPlace,
}

/// Half-open interval of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Inclusive start.
    pub from: Timestamp,
    /// Exclusive end.
    pub until: Timestamp,
}

/// Reason for rejecting the days of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeriodError {
    /// The first day is not a date.
    From,
    /// The last day is not a date.
    To,
    /// The first day is after the last.
    Backwards,
}

impl AuditQuery {
    /// Parses the parameters of the address. Ignores unknown values.
    pub fn from_parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let number = |value: &str| value.parse().ok().filter(|number: &i64| *number > 0);
        for (name, value) in parameters {
            match name {
                "action" => query.action = value.parse().ok(),
                "outcome" => query.outcome = value.parse().ok(),
                "person" => query.person = value.into(),
                "target" => query.target = value.into(),
                "from" => query.from = value.into(),
                "to" => query.to = value.into(),
                "before" => query.place = number(value).map_or(query.place, AuditPlace::Before),
                "after" => query.place = number(value).map_or(query.place, AuditPlace::After),
                _ => {}
            }
        }
        query
    }

    /// Returns the parameters of the address, without those that filter nothing.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("person", &self.person),
            ("target", &self.target),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let words = [
            ("action", self.action.map(Action::name)),
            ("outcome", self.outcome.map(Outcome::name)),
        ];
        let place = match self.place {
            AuditPlace::Newest => None,
            AuditPlace::Before(number) => Some(("before", number.to_string())),
            AuditPlace::After(number) => Some(("after", number.to_string())),
        };
        words
            .into_iter()
            .filter_map(|(name, word)| Some((name, word?.to_owned())))
            .chain(
                texts
                    .into_iter()
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(name, text)| (name, text.as_str().to_owned())),
            )
            .chain(place)
            .collect()
    }

    /// Returns the same filters on another page.
    pub fn at(&self, place: AuditPlace) -> Self {
        Self {
            place,
            ..self.clone()
        }
    }

    /// Returns true if any filter is set.
    pub fn is_filtered(&self) -> bool {
        !self.at(AuditPlace::Newest).parameters().is_empty()
    }

    /// Returns the period as whole days in UTC.
    pub fn period(&self) -> Result<Period, PeriodError> {
        let from = day(&self.from, Timestamp(i64::MIN)).ok_or(PeriodError::From)?;
        let to = day(&self.to, Timestamp(i64::MAX)).ok_or(PeriodError::To)?;
        if from > to {
            return Err(PeriodError::Backwards);
        }
        Ok(Period {
            from,
            until: to.plus_ms(DAY_MS),
        })
    }
}

/// Returns the start of the day; `otherwise` for an empty text.
fn day(text: &SearchText, otherwise: Timestamp) -> Option<Timestamp> {
    let text = text.as_str();
    if text.is_empty() {
        return Some(otherwise);
    }
    let digits = |part: &str, count: usize| {
        let plain = part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|_| plain)
    };
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4).filter(|year| *year >= 1970)?;
    let month = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let month = Month::try_from(month).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
    Some(Timestamp(
        date.midnight().assume_utc().unix_timestamp() * 1_000,
    ))
}

/// One page of the log, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub rows: Vec<AuditRow>,
    /// Page of older events; `None` on the last page.
    pub older: Option<AuditPlace>,
    /// Page of newer events; `None` on the first page.
    pub newer: Option<AuditPlace>,
    pub read_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names_do_not_change() {
        let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(
            actions,
            [
                "agent_key_create",
                "agent_key_secret_sent",
                "agent_key_secret_acknowledged",
                "agent_key_never_delivered",
                "agent_key_invalidate",
                "agent_key_update",
                "agent_key_rotate",
                "agent_key_drift",
                "user_login",
                "login_throttled",
                "reauth",
                "user_logout",
                "session_ended",
                "role_update",
                "user_roles_change",
                "role_mapping_put",
                "role_mapping_delete",
                "user_create",
                "user_enable",
                "user_disable",
                "user_delete",
                "user_password_change",
                "apm_settings_change",
                "audit_export",
                "audit_retention_cut",
                "audit_retention_pause",
                "audit_retention_resume",
                "app_recovered",
                "es_connection_state",
                "database_restore",
                "server_key_change",
                "engine_change",
                "request_refused",
                "app_start",
                "app_stop",
                "tls_reload",
            ]
        );
        let outcomes: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        assert_eq!(outcomes, ["success", "failure", "unknown"]);
    }

    #[test]
    fn query_survives_the_round_trip_through_an_address() {
        let query = AuditQuery {
            action: Some(Action::UserRolesChange),
            outcome: Some(Outcome::Failure),
            person: "d.whitfield".into(),
            target: "check out".into(),
            from: "2026-12-01".into(),
            to: "2026-12-14".into(),
            place: AuditPlace::Before(41),
        };
        let parameters = query.parameters();
        let pairs = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        assert_eq!(AuditQuery::from_parameters(pairs), query);
        assert!(AuditQuery::default().parameters().is_empty());
        for action in Action::ALL {
            assert_eq!(action.name().parse(), Ok(*action));
        }
    }

    #[test]
    fn unknown_values_in_an_address_are_ignored() {
        let query = AuditQuery::from_parameters([
            ("action", "drop_table"),
            ("outcome", "maybe"),
            ("before", "-1"),
            ("after", "99999999999999999999"),
            ("after", "abc"),
            ("person", "\u{0}\r\n"),
        ]);
        assert_eq!(query, AuditQuery::default());
        let long: AuditQuery =
            AuditQuery::from_parameters([("target", "x".repeat(9_999).as_str())]);
        assert_eq!(long.target.as_str().len(), TEXT_CHARACTERS_MAX);
    }

    #[test]
    fn period_is_whole_days_in_order() {
        let period = |from: &str, to: &str| {
            AuditQuery {
                from: from.into(),
                to: to.into(),
                ..AuditQuery::default()
            }
            .period()
        };
        let one = period("2026-12-14", "2026-12-14").unwrap();
        assert_eq!(one.from.iso(), "2026-12-14T00:00:00Z");
        assert_eq!(one.until.0 - one.from.0, DAY_MS);
        assert!(period("", "").is_ok() && period("2026-12-14", "").is_ok());
        assert_eq!(
            period("2026-12-15", "2026-12-14"),
            Err(PeriodError::Backwards)
        );
        for none in [
            "0000-01-01",
            "10000-01-01",
            "2026-02-30",
            "2026-13-01",
            "2026-1-1",
            "yesterday",
            "2026-12-14-1",
            "+026-12-14",
        ] {
            assert_eq!(period(none, ""), Err(PeriodError::From), "{none}");
            assert_eq!(period("", none), Err(PeriodError::To), "{none}");
        }
    }
}
