//! Events of the audit log: action, outcome, and one event as the page shows it.

use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// What was done, or tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Somebody signed in, or was refused.
    UserLogin,
    /// Somebody tried to sign in too often, and was turned away.
    LoginThrottled,
    /// Somebody who is signed in entered the password again.
    Reauth,
    /// Somebody signed out.
    UserLogout,
    /// A session ended without its browser asking.
    SessionEnded,
    /// An agent key was made.
    AgentKeyCreate,
    /// A new key's secret was handed to the connection.
    AgentKeySecretSent,
    /// The page drew a new key's secret, and said so.
    AgentKeySecretAcknowledged,
    /// A key exists whose secret nobody has, or may never have had.
    AgentKeyNeverDelivered,
    /// Elasticsearch and our database contradict each other.
    AgentKeyDrift,
    /// An agent key was revoked.
    AgentKeyInvalidate,
    /// The agent key role was created or repaired.
    RoleUpdate,
    /// A user was created.
    UserCreate,
    /// A user was given the agent key role, or lost it.
    UserRolesChange,
    /// A user may sign in again.
    UserEnable,
    /// A user may no longer sign in.
    UserDisable,
    /// A user was deleted.
    UserDelete,
    /// A user was given a new password.
    UserPasswordChange,
    /// The application started and found operations that an earlier process had left open.
    AppRecovered,
    /// The settings of the APM integration were saved.
    ApmSettingsChange,
    /// The audit log was exported.
    AuditExport,
    /// Events of the audit log were removed because of their age.
    AuditRetentionCut,
    /// Elasticsearch was given up because it cannot be reached, or was there again.
    EsConnectionState,
}

impl Action {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 23] = [
        Self::AgentKeyCreate,
        Self::AgentKeySecretSent,
        Self::AgentKeySecretAcknowledged,
        Self::AgentKeyNeverDelivered,
        Self::AgentKeyInvalidate,
        Self::AgentKeyDrift,
        Self::UserLogin,
        Self::LoginThrottled,
        Self::Reauth,
        Self::UserLogout,
        Self::SessionEnded,
        Self::RoleUpdate,
        Self::UserRolesChange,
        Self::UserCreate,
        Self::UserEnable,
        Self::UserDisable,
        Self::UserDelete,
        Self::UserPasswordChange,
        Self::ApmSettingsChange,
        Self::AuditExport,
        Self::AuditRetentionCut,
        Self::AppRecovered,
        Self::EsConnectionState,
    ];

    /// The event's name, as it is stored and as it stands in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserLogin => "user_login",
            Self::LoginThrottled => "login_throttled",
            Self::Reauth => "reauth",
            Self::UserLogout => "user_logout",
            Self::SessionEnded => "session_ended",
            Self::AgentKeyCreate => "agent_key_create",
            Self::AgentKeySecretSent => "agent_key_secret_sent",
            Self::AgentKeySecretAcknowledged => "agent_key_secret_acknowledged",
            Self::AgentKeyNeverDelivered => "agent_key_never_delivered",
            Self::AgentKeyDrift => "agent_key_drift",
            Self::AgentKeyInvalidate => "agent_key_invalidate",
            Self::AppRecovered => "app_recovered",
            Self::RoleUpdate => "role_update",
            Self::UserCreate => "user_create",
            Self::UserRolesChange => "user_roles_change",
            Self::UserEnable => "user_enable",
            Self::UserDisable => "user_disable",
            Self::UserDelete => "user_delete",
            Self::UserPasswordChange => "user_password_change",
            Self::ApmSettingsChange => "apm_settings_change",
            Self::AuditExport => "audit_export",
            Self::AuditRetentionCut => "audit_retention_cut",
            Self::EsConnectionState => "es_connection_state",
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The words on the page. They name what was wanted: whether it was done is the outcome.
    pub fn label(self) -> &'static str {
        match self {
            Self::UserLogin => "Sign in",
            Self::LoginThrottled => "Sign in too often",
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
            Self::RoleUpdate => "Write agent key role",
            Self::UserCreate => "Create user",
            Self::UserRolesChange => "Change roles of user",
            Self::UserEnable => "Enable user",
            Self::UserDisable => "Disable user",
            Self::UserDelete => "Delete user",
            Self::UserPasswordChange => "Reset password",
            Self::ApmSettingsChange => "Change APM settings",
            Self::AuditExport => "Export audit log",
            Self::AuditRetentionCut => "Remove old events",
            Self::EsConnectionState => "KeyScope Elasticsearch",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not done.
    Failure,
    /// It was about to be tried, or it was tried and nobody can know.
    Unknown,
}

impl Outcome {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Unknown];

    /// The word that is stored, and that stands in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The words on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failure => "Failure",
            Self::Unknown => "Not known yet",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Its number: 1, 2, 3, without gaps.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who; `None` when nobody was signed in.
    pub person: Option<String>,
    /// The realm of who did it.
    pub realm: Option<String>,
    /// What, in plain words.
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The name of what it was done to.
    pub target_name: Option<String>,
    /// Elasticsearch's id of it.
    pub target_id: Option<String>,
    /// In which request.
    pub request_id: String,
    /// Everything that was written down, as JSON for people.
    pub record: String,
    /// The code that ties it to the event before.
    pub mac: String,
}
