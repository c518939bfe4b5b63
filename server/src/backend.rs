//! The pages' backend: hands each method on to its use case, and turns an [`Error`] into a [`Problem`].

use crate::{
    apm_settings, audit,
    context::RequestContext,
    elasticsearch,
    error::{self, Error},
    keys, role,
    sessions::{self, EndReason},
    users, viewer,
};
use app::{
    backend::{AgentKeyPreparation, Backend, RotationPreparation},
    model::{
        agent_key::{FoundAgentKey, KeyId, KeyReference, RevokedAgentKey},
        apm_settings::{ApmIntegration, ApmSettings},
        audit::{AuditPage, AuditQuery, SearchText},
        key_list::{Cursor, KeyListPage, KeyListQuery},
        new_agent_key::{CreatedAgentKey, NewAgentKey, OperationId},
        notice::Notice,
        problem::{Problem, ProblemKind},
        revocation::{FoundAgentKeys, KeyRevocation, KeySelection, MatchingKeys, MatchingRequest},
        role_mapping::{NewRoleMapping, RoleMapping},
        rotation::NewRotation,
        secret::Secret,
        session::{EndedSession, LoginInfo, SessionId, SessionList, Viewer},
        timestamp::Timestamp,
        user::{AgentKeyRole, Credentials, NewPassword, NewUser, OwnPasswordForm, Username},
        user_list::{UserList, UserQuery},
    },
};
use async_trait::async_trait;
use serde_json::json;

impl RequestContext {
    /// Awaits a use case. The one place where an error becomes a problem and is logged.
    pub async fn answer<T>(
        &self,
        use_case: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Problem> {
        let error = match use_case.await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if let Error::Elasticsearch(elasticsearch::Error::Unauthorized) = error {
            self.end_rejected_session().await;
        }
        let kind = error::problem_kind(&error);
        if let ProblemKind::Forbidden(missing) = &kind {
            let actor = self.session().ok().map(|session| &session.identity);
            let details = json!({ "missing": missing });
            let context = &self.event_context();
            let recording = self
                .state
                .record_refusal(actor, "forbidden", details, context);
            recording.await;
        }
        let status = kind.status();
        self.note_problem_status(status);
        let reason = error.reason().map(str::to_owned);
        let error: &dyn std::error::Error = &error;
        if error::is_expected(&kind) {
            tracing::info!(http.response.status_code = status, error, "refused");
        } else {
            tracing::error!(http.response.status_code = status, error, "failed");
        }
        Err(Problem {
            kind,
            request_id: Some(self.request_id().as_str().to_owned()),
            reason,
        })
    }

    /// Ends the session, because Elasticsearch no longer accepts its password.
    async fn end_rejected_session(&self) {
        if let Err(error) = sessions::end(self, EndReason::NotAccepted).await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a session that is not accepted could not be ended");
        }
    }
}

#[async_trait]
impl Backend for RequestContext {
    async fn login_info(&self) -> LoginInfo {
        viewer::login_info(self).await
    }

    async fn sign_in(&self, credentials: Credentials) -> Result<(), Problem> {
        self.answer(sessions::sign_in(self, &credentials)).await
    }

    async fn reauthenticate(&self, password: Secret) -> Result<(), Problem> {
        self.answer(sessions::reauthenticate(self, password)).await
    }

    async fn sign_out(&self) -> Result<(), Problem> {
        self.answer(sessions::end(self, EndReason::SignedOut)).await
    }

    async fn viewer(&self) -> Result<Viewer, Problem> {
        self.answer(viewer::load_viewer(self)).await
    }

    async fn list_own_sessions(&self) -> Result<SessionList, Problem> {
        self.answer(sessions::manage::own(self)).await
    }

    async fn list_others_sessions(&self, name: SearchText) -> Result<SessionList, Problem> {
        self.answer(sessions::manage::others(self, name)).await
    }

    async fn end_session(&self, id: SessionId) -> Result<EndedSession, Problem> {
        self.answer(sessions::manage::end_by_id(self, id)).await
    }

    async fn end_other_sessions(&self) -> Result<u64, Problem> {
        self.answer(sessions::manage::end_all_others(self)).await
    }

    async fn list_agent_keys(&self, query: KeyListQuery) -> Result<KeyListPage, Problem> {
        self.answer(keys::list::list(self, query)).await
    }

    async fn find_agent_key(&self, id: KeyId) -> Result<FoundAgentKey, Problem> {
        self.answer(keys::get::get(self, &id)).await
    }

    async fn find_agent_keys(&self, keys: KeySelection) -> Result<FoundAgentKeys, Problem> {
        self.answer(keys::get::get_selection(self, keys)).await
    }

    async fn prepare_agent_key(&self) -> Result<AgentKeyPreparation, Problem> {
        self.answer(keys::create::prepare(self)).await
    }

    async fn create_agent_key(&self, new: NewAgentKey) -> Result<CreatedAgentKey, Problem> {
        self.answer(keys::create::create(self, new)).await
    }

    async fn acknowledge_agent_key(&self, operation: OperationId) -> Result<(), Problem> {
        self.answer(keys::rotation_end::confirm_displayed(self, operation))
            .await
    }

    async fn prepare_rotation(&self, key: KeyId) -> Result<RotationPreparation, Problem> {
        self.answer(keys::rotate::prepare(self, key)).await
    }

    async fn rotate_agent_key(&self, new: NewRotation) -> Result<CreatedAgentKey, Problem> {
        self.answer(keys::rotate::rotate(self, new)).await
    }

    async fn undo_rotation(&self, key: KeyId) -> Result<KeyReference, Problem> {
        self.answer(keys::rotation_end::undo(self, key)).await
    }

    async fn revoke_agent_key(&self, id: KeyId) -> Result<RevokedAgentKey, Problem> {
        self.answer(keys::revoke::revoke(self, id, keys::revoke::Reason::Asked))
            .await
    }

    async fn revoke_agent_keys(&self, keys: KeySelection) -> Result<Vec<KeyRevocation>, Problem> {
        self.answer(keys::bulk_revoke::revoke_many(self, keys))
            .await
    }

    async fn find_matching_keys(&self, query: KeyListQuery) -> Result<MatchingKeys, Problem> {
        self.answer(keys::bulk_revoke::find_matching(self, query))
            .await
    }

    async fn revoke_matching_keys(
        &self,
        query: KeyListQuery,
        request: MatchingRequest,
    ) -> Result<(Vec<KeyRevocation>, Option<Cursor>), Problem> {
        self.answer(keys::bulk_revoke::revoke_matching(self, query, request))
            .await
    }

    async fn agent_key_role(&self) -> Result<AgentKeyRole, Problem> {
        self.answer(role::read(self)).await
    }

    async fn put_agent_key_role(&self) -> Result<(), Problem> {
        self.answer(role::put(self)).await
    }

    async fn list_role_mappings(&self) -> Result<Vec<RoleMapping>, Problem> {
        self.answer(role::mappings::list(self)).await
    }

    async fn create_role_mapping(&self, new: NewRoleMapping) -> Result<(), Problem> {
        self.answer(role::mappings::create(self, new)).await
    }

    async fn change_role_mapping(
        &self,
        changed: NewRoleMapping,
        version: String,
    ) -> Result<(), Problem> {
        self.answer(role::mappings::change(self, changed, version))
            .await
    }

    async fn delete_role_mapping(&self, name: String, version: String) -> Result<(), Problem> {
        self.answer(role::mappings::delete(self, name, version))
            .await
    }

    async fn list_users(&self, query: UserQuery) -> Result<UserList, Problem> {
        self.answer(users::list(self, query)).await
    }

    async fn create_user(&self, new: NewUser) -> Result<(), Problem> {
        self.answer(users::create(self, new)).await
    }

    async fn assign_agent_key_role(
        &self,
        username: Username,
        assigned: bool,
    ) -> Result<(), Problem> {
        self.answer(users::assign_role(self, username, assigned))
            .await
    }

    async fn set_user_enabled(&self, username: Username, enabled: bool) -> Result<(), Problem> {
        self.answer(users::set_enabled(self, username, enabled))
            .await
    }

    async fn delete_user(&self, username: Username) -> Result<(), Problem> {
        self.answer(users::delete(self, username)).await
    }

    async fn reset_password(
        &self,
        username: Username,
        password: NewPassword,
    ) -> Result<(), Problem> {
        self.answer(users::reset_password(self, username, password))
            .await
    }

    async fn change_own_password(&self, form: OwnPasswordForm) -> Result<(), Problem> {
        self.answer(users::change_own_password(self, form)).await
    }

    fn generate_password(&self) -> Result<Secret, Problem> {
        users::generate_password(self).map_err(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "no password could be generated");
            ProblemKind::Internal.into()
        })
    }

    async fn apm_integration(&self) -> Result<ApmIntegration, Problem> {
        self.answer(apm_settings::read(self)).await
    }

    async fn save_apm_settings(&self, settings: ApmSettings) -> Result<(), Problem> {
        self.answer(apm_settings::save(self, settings)).await
    }

    async fn read_audit(&self, query: AuditQuery) -> Result<AuditPage, Problem> {
        self.answer(audit::query::list(self, query)).await
    }

    fn leave_notice(&self, notice: Notice) {
        if let Err(error) = RequestContext::leave_notice(self, &notice) {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the next page will not say what was done");
        }
    }

    fn user_mark(&self) -> Option<String> {
        Some(self.session().ok()?.identity.mark())
    }

    fn now(&self) -> Timestamp {
        self.received_at()
    }
}
