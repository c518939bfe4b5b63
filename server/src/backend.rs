//! The pages' backend for one request: names the person, calls the use case, and turns what went wrong into a
//! [`Problem`].

use crate::{
    agent_keys, apm,
    audit::{Origin, Stamp},
    audit_log::{
        self,
        export::{Export, Format},
    },
    elasticsearch,
    failure::Failure,
    problem::{is_expected, problem_kind},
    role,
    services::{Person, Services},
    sessions::{self, EndReason},
    users,
    visit::Visit,
};
use app::{
    backend::{AgentKeyPreparation, Backend},
    model::{
        agent_key::{CreatedAgentKey, FoundAgentKey, KeyId, RevokedAgentKey},
        apm_settings::{ApmIntegration, ApmSettings},
        audit_query::{AuditPage, AuditQuery, SearchText},
        key_list::{KeyListPage, KeyListQuery},
        new_agent_key::{NewAgentKey, OperationId},
        problem::{ElasticsearchFault, Problem},
        revocation::{FoundAgentKeys, KeyRevocation, KeySelection},
        role::AgentKeyRole,
        secret::Secret,
        session::{EndedSession, SessionId, SessionList},
        timestamp::Timestamp,
        user::{Credentials, NewPassword, NewUser, UserList, Username},
        viewer::{Access, Cluster, ClusterAbout, LoginInfo, Viewer},
    },
};
use async_trait::async_trait;

/// The backend of one request.
#[derive(Debug)]
pub struct RequestBackend {
    services: Services,
    visit: Visit,
    /// `None` when nobody is signed in.
    person: Option<Person>,
    now: Timestamp,
    /// As it was before this request signed anybody in or out.
    origin: Origin,
    plain_http: bool,
}

/// Calls a use case in the person's name.
macro_rules! ask {
    ($backend:ident, $use_case:path $(, $argument:expr)*) => {{
        let result = match $backend.person() {
            Ok(person) => $use_case(&$backend.services, person $(, $argument)*).await,
            Err(failure) => Err(failure),
        };
        $backend.answer(result).await
    }};
}

impl RequestBackend {
    /// The backend of `visit`. `plain_http` says that passwords travel unprotected beyond this machine.
    pub fn new(services: &Services, visit: &Visit, plain_http: bool) -> Self {
        let person = visit
            .session()
            .map(|session| Person::new(services, session, visit));
        Self {
            services: services.clone(),
            visit: visit.clone(),
            origin: visit.origin(),
            person,
            now: services.clock.now(),
            plain_http,
        }
    }

    fn person(&self) -> Result<&Person, Failure> {
        let why = || match self.visit.end_of_session() {
            Some(end) => Failure::SessionEnded(end),
            None => Failure::SignedOut,
        };
        self.person.as_ref().ok_or_else(why)
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            at: self.now,
            request_id: self.visit.request_id().clone(),
            origin: self.origin.clone(),
        }
    }

    /// The one place where a failure becomes a problem and is logged.
    async fn answer<T>(&self, result: Result<T, Failure>) -> Result<T, Problem> {
        let failure = match result {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        if let Failure::Elasticsearch(elasticsearch::Error::Unauthorized) = failure {
            self.end_sign_in().await;
        }
        let kind = problem_kind(&failure);
        let error: &dyn std::error::Error = &failure;
        let status = kind.status();
        self.visit.met_problem(status);
        if is_expected(&kind) {
            tracing::info!(http.response.status_code = status, error, "refused");
        } else {
            tracing::error!(http.response.status_code = status, error, "failed");
        }
        Err(Problem {
            kind,
            request_id: Some(self.visit.request_id().as_str().to_owned()),
            reason: failure.reason().map(str::to_owned),
        })
    }

    /// Elasticsearch no longer accepts this person's password, so the session is worth nothing.
    async fn end_sign_in(&self) {
        let Some(person) = &self.person else { return };
        self.visit.ended();
        let (session, stamp) = (person.session(), self.stamp());
        let ended = sessions::end(&self.services, session, EndReason::NotAccepted, &stamp).await;
        if let Err(error) = ended {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a session that is not accepted could not be ended");
        }
    }

    /// The audit log as a file. No page asks for it, so it is not in the trait.
    pub async fn export_audit(&self, query: AuditQuery, format: Format) -> Result<Export, Problem> {
        ask!(self, audit_log::export::export, query, format)
    }

    async fn view(&self) -> Result<Viewer, Failure> {
        let person = self.person()?;
        let (actor, info) =
            tokio::join!(person.actor(&self.services), person.elasticsearch().info());
        let actor = actor.map(|actor| actor.access().clone());
        let (access, fault) = match actor {
            Ok(access) => (access, None),
            // The session is enough for the top bar, the user's own sessions and sign-out.
            Err(Failure::Elasticsearch(elasticsearch::Error::Unreachable)) => {
                (Access::none(), Some(ElasticsearchFault::Unreachable))
            }
            Err(Failure::Elasticsearch(elasticsearch::Error::TimedOut)) => {
                (Access::none(), Some(ElasticsearchFault::TimedOut))
            }
            Err(failure) => return Err(failure),
        };
        // Who it is, the session knows.
        let identity = &person.session().identity;
        if let Err(error @ elasticsearch::Error::Fault { fault, .. }) = &info
            && matches!(
                fault,
                ElasticsearchFault::TooOld { .. } | ElasticsearchFault::OpenSearch
            )
        {
            return Err(error.clone().into());
        }
        // Agent key users lack the privilege to see name and version, and do not need it.
        let about = info.ok().map(|info| ClusterAbout {
            name: info.cluster_name,
            version: info.version.number,
        });
        let needs_help = !access.list.is_granted() && fault.is_none();
        let role_request = needs_help.then(|| role::request(self.services.gate.resource()));
        Ok(Viewer {
            role_request,
            username: identity.username.clone(),
            realm: identity.realm.clone(),
            full_name: identity.full_name.clone(),
            access,
            cluster: Cluster {
                url: self.services.elasticsearch.address().to_owned(),
                embedded: self.services.elasticsearch.is_embedded(),
                about,
                fault,
            },
        })
    }
}

#[async_trait]
impl Backend for RequestBackend {
    async fn login_info(&self) -> LoginInfo {
        let elasticsearch = &self.services.elasticsearch;
        LoginInfo {
            url: elasticsearch.address().to_owned(),
            embedded: elasticsearch.is_embedded(),
            reachable: elasticsearch.is_reachable().await,
            plain_http: self.plain_http,
        }
    }

    async fn sign_in(&self, credentials: Credentials) -> Result<(), Problem> {
        let before = self.visit.session().map(|session| session.id_hash);
        let stamp = self.stamp();
        let browser = self.visit.browser();
        let (services, before) = (&self.services, before.as_deref());
        let began = sessions::sign_in(services, &credentials, before, browser, &stamp).await;
        self.visit.began(self.answer(began).await?);
        Ok(())
    }

    async fn reauthenticate(&self, password: Secret) -> Result<(), Problem> {
        let (browser, stamp) = (self.visit.browser(), self.stamp());
        let result = match self.person() {
            Ok(person) => {
                let session = person.session();
                sessions::reauthenticate(&self.services, session, password, browser, &stamp).await
            }
            Err(failure) => Err(failure),
        };
        self.visit.began(self.answer(result).await?);
        Ok(())
    }

    async fn sign_out(&self) -> Result<(), Problem> {
        self.visit.signed_out();
        let Some(person) = &self.person else {
            return Ok(());
        };
        let (session, stamp) = (person.session(), self.stamp());
        let ended = sessions::end(&self.services, session, EndReason::SignedOut, &stamp).await;
        self.answer(ended.map_err(Failure::from)).await
    }

    async fn viewer(&self) -> Result<Viewer, Problem> {
        self.answer(self.view().await).await
    }

    async fn list_own_sessions(&self) -> Result<SessionList, Problem> {
        ask!(self, sessions::manage::own)
    }

    async fn list_others_sessions(&self, name: SearchText) -> Result<SessionList, Problem> {
        ask!(self, sessions::manage::others, name)
    }

    async fn end_session(&self, id: SessionId) -> Result<EndedSession, Problem> {
        let ended = ask!(self, sessions::manage::end_by_id, id)?;
        if ended == EndedSession::This {
            self.visit.signed_out();
        }
        Ok(ended)
    }

    async fn end_other_sessions(&self) -> Result<u64, Problem> {
        ask!(self, sessions::manage::end_all_others)
    }

    async fn list_agent_keys(&self, query: KeyListQuery) -> Result<KeyListPage, Problem> {
        ask!(self, agent_keys::list::list, query)
    }

    async fn find_agent_key(&self, id: KeyId) -> Result<FoundAgentKey, Problem> {
        ask!(self, agent_keys::find::look_at, &id)
    }

    async fn find_agent_keys(&self, keys: KeySelection) -> Result<FoundAgentKeys, Problem> {
        ask!(self, agent_keys::find_many::find_many, keys)
    }

    async fn prepare_agent_key(&self) -> Result<AgentKeyPreparation, Problem> {
        ask!(self, agent_keys::prepare::prepare)
    }

    async fn create_agent_key(&self, new: NewAgentKey) -> Result<CreatedAgentKey, Problem> {
        ask!(self, agent_keys::create::create, new)
    }

    async fn acknowledge_agent_key(&self, operation: OperationId) -> Result<(), Problem> {
        ask!(self, agent_keys::acknowledge::acknowledge, operation)
    }

    async fn revoke_agent_key(&self, id: KeyId) -> Result<RevokedAgentKey, Problem> {
        let reason = agent_keys::revocation::Reason::Asked;
        ask!(self, agent_keys::revoke::revoke, id, reason)
    }

    async fn revoke_agent_keys(&self, keys: KeySelection) -> Result<Vec<KeyRevocation>, Problem> {
        ask!(self, agent_keys::revoke_many::revoke_many, keys)
    }

    async fn agent_key_role(&self) -> Result<AgentKeyRole, Problem> {
        ask!(self, role::read::read)
    }

    async fn put_agent_key_role(&self) -> Result<(), Problem> {
        ask!(self, role::put::put)
    }

    async fn list_users(&self, search: SearchText) -> Result<UserList, Problem> {
        ask!(self, users::list::list, search)
    }

    async fn create_user(&self, new: NewUser) -> Result<(), Problem> {
        ask!(self, users::create::create, new)
    }

    async fn assign_agent_key_role(
        &self,
        username: Username,
        assigned: bool,
    ) -> Result<(), Problem> {
        ask!(self, users::assign_role::assign_role, username, assigned)
    }

    async fn set_user_enabled(&self, username: Username, enabled: bool) -> Result<(), Problem> {
        ask!(self, users::set_enabled::set_enabled, username, enabled)
    }

    async fn delete_user(&self, username: Username) -> Result<(), Problem> {
        ask!(self, users::delete::delete, username)
    }

    async fn reset_password(
        &self,
        username: Username,
        password: NewPassword,
    ) -> Result<(), Problem> {
        ask!(
            self,
            users::reset_password::reset_password,
            username,
            password
        )
    }

    async fn apm_integration(&self) -> Result<ApmIntegration, Problem> {
        ask!(self, apm::read::read)
    }

    async fn save_apm_settings(&self, settings: ApmSettings) -> Result<(), Problem> {
        ask!(self, apm::save::save, settings)
    }

    async fn read_audit(&self, query: AuditQuery) -> Result<AuditPage, Problem> {
        ask!(self, audit_log::list::list, query)
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}
