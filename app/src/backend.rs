//! The trait between the pages and the use cases. `server` implements it.

use crate::model::{
    agent_key::{AgentKey, AgentPrivileges, FoundAgentKey, KeyId, KeyReference, RevokedAgentKey},
    apm_settings::{ApmIntegration, ApmSettings, KeysInUse},
    audit::{AuditPage, AuditQuery, SearchText},
    key_list::{Cursor, KeyListPage, KeyListQuery},
    new_agent_key::{CreatedAgentKey, EndMeans, NewAgentKey, OperationId},
    notice::Notice,
    problem::Problem,
    revocation::{FoundAgentKeys, KeyRevocation, KeySelection, MatchingKeys, MatchingRequest},
    role_mapping::{NewRoleMapping, RoleMapping},
    rotation::NewRotation,
    secret::Secret,
    session::{EndedSession, LoginInfo, SessionId, SessionList, Viewer},
    timestamp::Timestamp,
    user::{AgentKeyRole, Credentials, NewPassword, NewUser, OwnPasswordForm, Username},
    user_list::{UserList, UserQuery},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
#[cfg(feature = "server")]
use std::sync::Arc;

/// Use cases that the pages call, for the user of one request.
///
/// The server provides it in the reactive context of each request. Without a session, every method but `login_info`,
/// `sign_in` and `sign_out` returns `SignedOut`.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Returns the content of the sign-in page. Never fails: the result says that Elasticsearch is unreachable.
    async fn login_info(&self) -> LoginInfo;

    /// Verifies user name and password with Elasticsearch and starts a session. The response sets its cookie.
    async fn sign_in(&self, credentials: Credentials) -> Result<(), Problem>;

    /// Verifies the password of the signed-in user again. For a while it counts as recently entered. The response sets a new
    /// cookie.
    async fn reauthenticate(&self, password: Secret) -> Result<(), Problem>;

    async fn sign_out(&self) -> Result<(), Problem>;

    /// Returns the signed-in user and their permissions. While Elasticsearch does not answer, the permissions are empty.
    async fn viewer(&self) -> Result<Viewer, Problem>;

    /// Returns the user's live sessions.
    async fn list_own_sessions(&self) -> Result<SessionList, Problem>;

    /// Returns the live sessions of other users whose user name contains `name`.
    async fn list_others_sessions(&self, name: SearchText) -> Result<SessionList, Problem>;

    /// Ends a session. Ending another user's session needs `manage_security` and a recently entered password.
    async fn end_session(&self, id: SessionId) -> Result<EndedSession, Problem>;

    /// Ends the user's sessions except the current one, and returns their number.
    async fn end_other_sessions(&self) -> Result<u64, Problem>;

    /// Returns one page of the agent keys that the user may see.
    async fn list_agent_keys(&self, query: KeyListQuery) -> Result<KeyListPage, Problem>;

    async fn find_agent_key(&self, id: KeyId) -> Result<FoundAgentKey, Problem>;

    /// Returns the selected keys that the user may see.
    async fn find_agent_keys(&self, keys: KeySelection) -> Result<FoundAgentKeys, Problem>;

    /// Data for the form of a new key.
    async fn prepare_agent_key(&self) -> Result<AgentKeyPreparation, Problem>;

    /// Creates a key and returns its secret, once. The same operation never creates a second key.
    async fn create_agent_key(&self, new: NewAgentKey) -> Result<CreatedAgentKey, Problem>;

    /// Records that the browser displayed a new key's secret. Idempotent.
    async fn acknowledge_agent_key(&self, operation: OperationId) -> Result<(), Problem>;

    /// Data for the form that rotates a key.
    async fn prepare_rotation(&self, key: KeyId) -> Result<RotationPreparation, Problem>;

    /// Creates the successor of a key and returns its secret, once. The same operation never creates a second key. The
    /// old key gets its end when the display of the secret is confirmed.
    async fn rotate_agent_key(&self, new: NewRotation) -> Result<CreatedAgentKey, Problem>;

    /// Undoes the end of a key that was rotated, and returns the key.
    async fn undo_rotation(&self, key: KeyId) -> Result<KeyReference, Problem>;

    /// Revokes a key. Succeeds if the key is revoked already.
    async fn revoke_agent_key(&self, id: KeyId) -> Result<RevokedAgentKey, Problem>;

    /// Revokes many keys and returns the result of each, in the given order. More than a few need a recently entered
    /// password.
    async fn revoke_agent_keys(&self, keys: KeySelection) -> Result<Vec<KeyRevocation>, Problem>;

    /// Returns the keys that match search and filters and that the user may revoke.
    async fn find_matching_keys(&self, query: KeyListQuery) -> Result<MatchingKeys, Problem>;

    /// Revokes the next batch of the keys that match. Returns their results, and the position after them if there are
    /// more. The first batch needs the number of all keys, typed by the user.
    async fn revoke_matching_keys(
        &self,
        query: KeyListQuery,
        request: MatchingRequest,
    ) -> Result<(Vec<KeyRevocation>, Option<Cursor>), Problem>;

    /// Returns the state of `apm_agent_key_role`: `RoleState::Unknown` for a user who may not see roles.
    async fn agent_key_role(&self) -> Result<AgentKeyRole, Problem>;

    /// Creates or updates `apm_agent_key_role`.
    async fn put_agent_key_role(&self) -> Result<(), Problem>;

    /// Returns the role mappings that give `apm_agent_key_role`, or may give it.
    async fn list_role_mappings(&self) -> Result<Vec<RoleMapping>, Problem>;

    /// Creates a role mapping. An existing one of that name stays as it is.
    async fn create_role_mapping(&self, new: NewRoleMapping) -> Result<(), Problem>;

    /// Changes rules and state of a role mapping, if it is still as in `version`.
    async fn change_role_mapping(
        &self,
        changed: NewRoleMapping,
        version: String,
    ) -> Result<(), Problem>;

    /// Deletes a role mapping, if it is still as in `version`.
    async fn delete_role_mapping(&self, name: String, version: String) -> Result<(), Problem>;

    /// Returns one page of the users of the native realm.
    async fn list_users(&self, query: UserQuery) -> Result<UserList, Problem>;

    async fn create_user(&self, new: NewUser) -> Result<(), Problem>;

    /// Gives the agent key role to a user or takes it away. Other data of the user stays.
    async fn assign_agent_key_role(
        &self,
        username: Username,
        assigned: bool,
    ) -> Result<(), Problem>;

    /// Enables or disables a user.
    async fn set_user_enabled(&self, username: Username, enabled: bool) -> Result<(), Problem>;

    /// Deletes a user. Their keys stay valid.
    async fn delete_user(&self, username: Username) -> Result<(), Problem>;

    async fn reset_password(
        &self,
        username: Username,
        password: NewPassword,
    ) -> Result<(), Problem>;

    /// Changes the user's own password, after verifying the current one. The user's other sessions end; the response
    /// sets a new cookie for this one.
    async fn change_own_password(&self, form: OwnPasswordForm) -> Result<(), Problem>;

    /// Returns a random password.
    fn generate_password(&self) -> Result<Secret, Problem>;

    /// Returns the settings of the APM integration, and the keys in use.
    async fn apm_integration(&self) -> Result<ApmIntegration, Problem>;

    async fn save_apm_settings(&self, settings: ApmSettings) -> Result<(), Problem>;

    async fn read_audit(&self, query: AuditQuery) -> Result<AuditPage, Problem>;

    /// Leaves a message for the next page.
    fn leave_notice(&self, notice: Notice);

    /// Returns the mark by which forms name the signed-in user. It reveals neither name nor password.
    fn user_mark(&self) -> Option<String>;

    /// Returns the time of this request by the server's clock.
    fn now(&self) -> Timestamp;
}

/// Data for the form of a new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyPreparation {
    /// Id of the operation, for the form's hidden field.
    pub operation: String,
    /// Time of the server's clock, from which the form computes dates.
    pub now: Timestamp,
    /// Keys that count against the limit.
    pub active_keys: KeysInUse,
    /// APM Server's limit of unique keys, from the settings.
    pub limit: u32,
    /// True if API-key authorization is on in the settings.
    pub authorization_enabled: bool,
    /// Tells of a key that was created a moment ago, and whose page was left before it was stored.
    pub notice: Option<Notice>,
}

/// Data for the form that rotates a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationPreparation {
    /// Id of the operation, for the form's hidden field.
    pub operation: String,
    /// Time of the server's clock, from which the form computes dates.
    pub now: Timestamp,
    /// The key to rotate.
    pub key: AgentKey,
    /// Suggested name of the new key.
    pub name: String,
    /// Privileges of the new key.
    pub privileges: AgentPrivileges,
    /// Lifetime of the key in days; `None` if it never expires.
    pub lifetime_days: Option<u32>,
    pub means: EndMeans,
    /// Keys that count against the limit.
    pub active_keys: KeysInUse,
    /// APM Server's limit of unique keys, from the settings.
    pub limit: u32,
}

#[cfg(feature = "server")]
pub fn backend() -> Result<Arc<dyn Backend>, Problem> {
    use crate::model::problem::ProblemKind;
    leptos::prelude::use_context::<Arc<dyn Backend>>().ok_or_else(|| ProblemKind::Internal.into())
}
