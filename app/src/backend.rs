//! The one trait between the pages and everything behind them.

use crate::model::{
    agent_key::{CreatedAgentKey, FoundAgentKey, KeyId, RevokedAgentKey},
    apm_settings::{ApmIntegration, ApmSettings, KeysInUse},
    audit_query::{AuditPage, AuditQuery, SearchText},
    key_list::{KeyListPage, KeyListQuery},
    new_agent_key::{NewAgentKey, OperationId},
    problem::Problem,
    revocation::{FoundAgentKeys, KeyRevocation, KeySelection},
    role::AgentKeyRole,
    secret::Secret,
    session::{EndedSession, SessionId, SessionList},
    timestamp::Timestamp,
    user::{Credentials, NewPassword, NewUser, UserList, Username},
    viewer::{LoginInfo, Viewer},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
#[cfg(feature = "server")]
use std::sync::Arc;

/// Everything a page may ask, on behalf of the person whose request this is.
///
/// The server puts one into the reactive context of each request. Every method but `login_info`, `sign_in` and
/// `sign_out` answers `SignedOut` when nobody is signed in.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What the sign-in page shows before anybody is known. Never fails: an unreachable Elasticsearch is an answer.
    async fn login_info(&self) -> LoginInfo;

    /// Checks name and password at Elasticsearch and begins a session; the response carries its cookie.
    async fn sign_in(&self, credentials: Credentials) -> Result<(), Problem>;

    /// Checks the password of whoever is signed in once more. What asks for a recently entered password may be done for
    /// a while; the response carries another cookie.
    async fn reauthenticate(&self, password: Secret) -> Result<(), Problem>;

    /// Ends the session, if there is one.
    async fn sign_out(&self) -> Result<(), Problem>;

    /// The signed-in user and their permissions. While Elasticsearch does not answer, the permissions are empty.
    async fn viewer(&self) -> Result<Viewer, Problem>;

    /// This person's live sessions.
    async fn list_own_sessions(&self) -> Result<SessionList, Problem>;

    /// Everybody else's live sessions, of those whose user name holds `name`.
    async fn list_others_sessions(&self, name: SearchText) -> Result<SessionList, Problem>;

    /// Ends a session. Other people's are there only for those who manage security, and have just entered the password.
    async fn end_session(&self, id: SessionId) -> Result<EndedSession, Problem>;

    /// Ends this person's sessions but the one in use. How many.
    async fn end_other_sessions(&self) -> Result<u64, Problem>;

    /// One page of the agent keys this person may see.
    async fn list_agent_keys(&self, query: KeyListQuery) -> Result<KeyListPage, Problem>;

    /// One agent key.
    async fn find_agent_key(&self, id: KeyId) -> Result<FoundAgentKey, Problem>;

    /// The chosen keys, as far as they are there for this person, before they are revoked.
    async fn find_agent_keys(&self, keys: KeySelection) -> Result<FoundAgentKeys, Problem>;

    /// What the form for a new key needs.
    async fn prepare_agent_key(&self) -> Result<AgentKeyPreparation, Problem>;

    /// Makes a key and hands its secret out, once. The same operation never makes a second one.
    async fn create_agent_key(&self, new: NewAgentKey) -> Result<CreatedAgentKey, Problem>;

    /// Takes the page's word that it has drawn a new key's secret. Saying it twice changes nothing.
    async fn acknowledge_agent_key(&self, operation: OperationId) -> Result<(), Problem>;

    /// Revokes a key. Revoking a revoked key succeeds: the caller wanted it gone, and it is.
    async fn revoke_agent_key(&self, id: KeyId) -> Result<RevokedAgentKey, Problem>;

    /// Revokes many keys, and tells what became of each, in the order in which they were given. More than a few ask
    /// for a recently entered password.
    async fn revoke_agent_keys(&self, keys: KeySelection) -> Result<Vec<KeyRevocation>, Problem>;

    /// How `apm_agent_key_role` stands. Also answers those who may not see roles, with `RoleState::Unknown`.
    async fn agent_key_role(&self) -> Result<AgentKeyRole, Problem>;

    /// Creates or repairs `apm_agent_key_role`.
    async fn put_agent_key_role(&self) -> Result<(), Problem>;

    /// Users of the native realm, of those whose user name, name or e-mail address holds `search`.
    async fn list_users(&self, search: SearchText) -> Result<UserList, Problem>;

    /// Creates a user.
    async fn create_user(&self, new: NewUser) -> Result<(), Problem>;

    /// Gives the agent key role to a user or takes it away; the rest of the user's data stays.
    async fn assign_agent_key_role(
        &self,
        username: Username,
        assigned: bool,
    ) -> Result<(), Problem>;

    /// Lets a user sign in, or no longer.
    async fn set_user_enabled(&self, username: Username, enabled: bool) -> Result<(), Problem>;

    /// Deletes a user. Their keys keep working.
    async fn delete_user(&self, username: Username) -> Result<(), Problem>;

    /// Gives a user a new password.
    async fn reset_password(
        &self,
        username: Username,
        password: NewPassword,
    ) -> Result<(), Problem>;

    /// The settings of the APM integration, and what they are judged by.
    async fn apm_integration(&self) -> Result<ApmIntegration, Problem>;

    /// Saves the settings of the APM integration.
    async fn save_apm_settings(&self, settings: ApmSettings) -> Result<(), Problem>;

    /// One page of the audit log.
    async fn read_audit(&self, query: AuditQuery) -> Result<AuditPage, Problem>;

    /// The moment of this request, by the server's clock.
    fn now(&self) -> Timestamp;
}

/// What the form for a new key needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyPreparation {
    /// Goes into the form's hidden field.
    pub operation: String,
    /// The server's clock, from which the form computes dates.
    pub now: Timestamp,
    /// How many keys count for the limit now.
    pub active_keys: KeysInUse,
    /// APM Server's limit of unique keys, from the settings.
    pub limit: u32,
    /// Whether API-key authorization is on, from the settings.
    pub authorization_enabled: bool,
}

/// The backend of this request.
#[cfg(feature = "server")]
pub fn backend() -> Result<Arc<dyn Backend>, Problem> {
    use crate::model::problem::ProblemKind;
    leptos::prelude::use_context::<Arc<dyn Backend>>().ok_or_else(|| ProblemKind::Internal.into())
}
