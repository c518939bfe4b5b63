//! What is written down about who did what. Never a secret: no password, no key, no cookie, no answer of
//! Elasticsearch.

use crate::{access::Identity, request_id::RequestId};
use app::model::timestamp::Timestamp;
use serde_json::Value;

/// What was done, or tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Somebody signed in, or was refused.
    UserLogin,
    /// Somebody signed out.
    UserLogout,
    /// A session ended without its person asking.
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
}

impl Action {
    /// The event's name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserLogin => "user_login",
            Self::UserLogout => "user_logout",
            Self::SessionEnded => "session_ended",
            Self::AgentKeyCreate => "agent_key_create",
            Self::AgentKeySecretSent => "agent_key_secret_sent",
            Self::AgentKeySecretAcknowledged => "agent_key_secret_acknowledged",
            Self::AgentKeyNeverDelivered => "agent_key_never_delivered",
            Self::AgentKeyDrift => "agent_key_drift",
            Self::AgentKeyInvalidate => "agent_key_invalidate",
            Self::RoleUpdate => "role_update",
            Self::UserCreate => "user_create",
            Self::UserRolesChange => "user_roles_change",
            Self::UserEnable => "user_enable",
            Self::UserDisable => "user_disable",
            Self::UserDelete => "user_delete",
            Self::UserPasswordChange => "user_password_change",
            Self::AppRecovered => "app_recovered",
            Self::ApmSettingsChange => "apm_settings_change",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not done.
    Failure,
    /// It was about to be tried, or it was tried and nobody can know.
    Unknown,
}

impl Outcome {
    /// The word that is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

/// What it was done to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Elasticsearch's id, where it has one.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// When, and in which request.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// In which request.
    pub request_id: RequestId,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Who; `None` when nobody was signed in.
    pub actor: Option<&'a Identity>,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// To what.
    pub target: Target,
    /// The operation that links the intent's event with the outcome's.
    pub operation: Option<&'a str>,
    /// Whatever else is known, without secrets.
    pub details: Value,
}
