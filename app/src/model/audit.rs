//! Events of the audit log: action, outcome, and one event as the page shows it.

use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

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
    /// The application started and found unfinished operations of an earlier process.
    AppRecovered,
    /// The circuit to Elasticsearch opened or closed.
    EsConnectionState,
    /// The databases were replaced by a backup.
    DatabaseRestore,
    /// The database got another server key.
    ServerKeyChange,
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
            Self::AppRecovered => "Recover after a crash",
            Self::RoleUpdate => "Update agent key role",
            Self::UserCreate => "Create user",
            Self::UserRolesChange => "Change roles of user",
            Self::UserEnable => "Enable user",
            Self::UserDisable => "Disable user",
            Self::UserDelete => "Delete user",
            Self::UserPasswordChange => "Reset password",
            Self::ApmSettingsChange => "Change APM settings",
            Self::AuditExport => "Export audit log",
            Self::AuditRetentionCut => "Remove old events",
            Self::EsConnectionState => "Connect to Elasticsearch",
            Self::DatabaseRestore => "Restore from backup",
            Self::ServerKeyChange => "Replace server key",
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
                "agent_key_drift",
                "user_login",
                "login_throttled",
                "reauth",
                "user_logout",
                "session_ended",
                "role_update",
                "user_roles_change",
                "user_create",
                "user_enable",
                "user_disable",
                "user_delete",
                "user_password_change",
                "apm_settings_change",
                "audit_export",
                "audit_retention_cut",
                "app_recovered",
                "es_connection_state",
                "database_restore",
                "server_key_change",
            ]
        );
        let outcomes: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        assert_eq!(outcomes, ["success", "failure", "unknown"]);
    }
}
