//! Every use case against every refusal of Elasticsearch.

use crate::support::{Answer, App, Browser, PASSWORD, proxy::Fault, proxy::Proxy, shown};
use app::model::{
    audit::{AuditQuery, SearchText},
    problem::{ElasticsearchFault, Problem, ProblemKind},
    revocation::{KeyRevocation, RevocationEnding},
    user::{AgentKeyRole, RoleState},
};
use http::{Method, StatusCode};

pub(crate) const PRIVILEGES: &str = "POST /_security/user/_has_privileges";
pub(crate) const QUERY: &str = "POST /_security/_query/api_key";
pub(crate) const AUTHENTICATE: &str = "GET /_security/_authenticate";
pub(crate) const CREATE: &str = "POST /_security/api_key";
pub(crate) const REVOKE: &str = "DELETE /_security/api_key";
pub(crate) const GET_ROLE: &str = "GET /_security/role/";
const GET_MAPPINGS: &str = "GET /_security/role_mapping";
pub(crate) const GET_USER: &str = "GET /_security/user";

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UseCase {
    SignIn,
    Reauthenticate,
    Viewer,
    ListKeys,
    FindKey,
    FindKeys,
    PrepareKey,
    CreateKey,
    RevokeKey,
    RevokeKeys,
    ReadRole,
    PutRole,
    ListMappings,
    CreateMapping,
    ListUsers,
    CreateUser,
    AssignRole,
    DisableUser,
    EnableUser,
    ResetPassword,
    DeleteUser,
    ReadApmIntegration,
    SaveApmSettings,
    ListOthersSessions,
    ReadAudit,
    ExportAudit,
}
use UseCase::*;

/// What the request that is refused does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Reads,
    /// Without a usable answer, it is not known whether it was done. The action is that of the audit log.
    Writes(&'static str),
}
use Effect::{Reads, Writes};

/// Each use case with each of its requests. Deleting the user is the last, because it is done in the end.
#[rustfmt::skip]
pub(crate) const REQUESTS: &[(UseCase, &str, Effect)] = &[
    (SignIn, AUTHENTICATE, Reads),
    (Reauthenticate, AUTHENTICATE, Reads),
    (Viewer, PRIVILEGES, Reads),
    (ListKeys, PRIVILEGES, Reads),
    (ListKeys, QUERY, Reads),
    (FindKey, PRIVILEGES, Reads),
    (FindKey, QUERY, Reads),
    (FindKeys, PRIVILEGES, Reads),
    (FindKeys, QUERY, Reads),
    (PrepareKey, PRIVILEGES, Reads),
    (PrepareKey, QUERY, Reads),
    (CreateKey, PRIVILEGES, Reads),
    (CreateKey, CREATE, Writes("agent_key_create")),
    (RevokeKey, PRIVILEGES, Reads),
    (RevokeKey, QUERY, Reads),
    (RevokeKey, REVOKE, Writes("agent_key_invalidate")),
    (RevokeKeys, PRIVILEGES, Reads),
    (RevokeKeys, QUERY, Reads),
    (RevokeKeys, REVOKE, Writes("agent_key_invalidate")),
    (ReadRole, GET_ROLE, Reads),
    (PutRole, PRIVILEGES, Reads),
    (PutRole, "PUT /_security/role/", Writes("role_update")),
    (ListMappings, PRIVILEGES, Reads),
    (ListMappings, GET_MAPPINGS, Reads),
    (CreateMapping, PRIVILEGES, Reads),
    (CreateMapping, GET_MAPPINGS, Reads),
    (CreateMapping, "PUT /_security/role_mapping/", Writes("role_mapping_put")),
    (ListUsers, PRIVILEGES, Reads),
    (ListUsers, GET_USER, Reads),
    (CreateUser, PRIVILEGES, Reads),
    (CreateUser, "PUT /_security/user/newcomer", Writes("user_create")),
    (AssignRole, PRIVILEGES, Reads),
    (AssignRole, GET_USER, Reads),
    (AssignRole, "PUT /_security/user/dana", Writes("user_roles_change")),
    (DisableUser, PRIVILEGES, Reads),
    (DisableUser, GET_USER, Reads),
    (DisableUser, "PUT /_security/user/dana/_disable", Writes("user_disable")),
    (EnableUser, PRIVILEGES, Reads),
    (EnableUser, GET_USER, Reads),
    (EnableUser, "PUT /_security/user/dana/_enable", Writes("user_enable")),
    (ResetPassword, PRIVILEGES, Reads),
    (ResetPassword, GET_USER, Reads),
    (ResetPassword, "PUT /_security/user/dana/_password", Writes("user_password_change")),
    (ReadApmIntegration, PRIVILEGES, Reads),
    (ReadApmIntegration, QUERY, Reads),
    (SaveApmSettings, PRIVILEGES, Reads),
    (ListOthersSessions, PRIVILEGES, Reads),
    (ReadAudit, PRIVILEGES, Reads),
    (ExportAudit, PRIVILEGES, Reads),
    (DeleteUser, PRIVILEGES, Reads),
    (DeleteUser, GET_USER, Reads),
    (DeleteUser, "DELETE /_security/user/dana", Writes("user_delete")),
];

/// What Elasticsearch, or a proxy, answers instead, with the problem of a request that changes nothing.
fn refusals() -> Vec<(u16, &'static str, ProblemKind)> {
    use ElasticsearchFault as Fault;
    let fault = ProblemKind::Elasticsearch;
    #[rustfmt::skip]
    let refusals = vec![
        (400, r#"{"error":{"type":"illegal_argument_exception","reason":"no"},"status":400}"#, ProblemKind::Refused),
        (401, r#"{"error":{"type":"security_exception","reason":"unable to authenticate user [ada]"},"status":401}"#, fault(Fault::SecurityIndexUnavailable)),
        (403, r#"{"error":{"type":"security_exception","reason":"action [x] is unauthorized"},"status":403}"#, ProblemKind::Forbidden(Vec::new())),
        (404, r#"{"error":{"type":"resource_not_found_exception","reason":"no"},"status":404}"#, ProblemKind::NotFound),
        (409, r#"{"error":{"type":"version_conflict_engine_exception","reason":"no"},"status":409}"#, fault(Fault::Failed(409))),
        (413, "", fault(Fault::RequestTooLarge)),
        (429, r#"{"error":{"type":"es_rejected_execution_exception","reason":"no"},"status":429}"#, fault(Fault::Busy)),
        (500, r#"{"error":{"type":"null_pointer_exception","reason":null},"status":500}"#, fault(Fault::Failed(500))),
        (503, r#"{"error":{"type":"master_not_discovered_exception","reason":null},"status":503}"#, fault(Fault::NoMaster)),
        (502, "<html><body><h1>502 Bad Gateway</h1></body></html>", fault(Fault::Gateway(502))),
    ];
    refusals
}

/// The outcome of a use case whose request is answered with `status`, where it is not `problem`.
fn told(case: UseCase, effect: Effect, status: u16, problem: ProblemKind) -> Told {
    match (case, effect, status) {
        // Nothing was accepted before, so a 401 is a wrong password.
        (SignIn | Reauthenticate, _, 401) => Told::Problem(ProblemKind::SignInRejected),
        // The request is worth showing to those, too, who may not see the role.
        (ReadRole, _, 403) => Told::Role(RoleState::Unknown),
        (ReadRole, _, 404) => Told::Role(RoleState::Missing),
        (RevokeKeys, Writes(_), 500..) => Told::Endings(RevocationEnding::Unconfirmed),
        (_, Writes(_), 500..) => Told::Problem(ProblemKind::Unconfirmed),
        _ => Told::Problem(problem),
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Problem(ProblemKind),
    Role(RoleState),
    Endings(RevocationEnding),
}

impl Told {
    #[track_caller]
    pub(crate) fn of(case: UseCase, answer: &Answer) -> Self {
        match (case, answer.status) {
            (ReadRole, StatusCode::OK) => Self::Role(answer.value::<AgentKeyRole>().state),
            (RevokeKeys, StatusCode::OK) => {
                let endings: Vec<KeyRevocation> = answer.value();
                assert_eq!(endings.len(), 2);
                assert_eq!(endings[0].ending, endings[1].ending);
                Self::Endings(endings[0].ending)
            }
            _ => Self::Problem(answer.problem()),
        }
    }
}

/// An application with a key, two more, and a user, for the use cases to be about.
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) proxy: Proxy,
    pub(crate) admin: Browser,
    pub(crate) twin: Browser,
    pub(crate) key: String,
    pub(crate) keys: [String; 2],
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let (app, proxy) = App::behind_proxy().await;
        app.engine.put_agent_key_role().await;
        app.engine.put_user("dana", &["apm_agent_key_role"]).await;
        let key = app.engine.kibana_key("elastic", "one").await;
        let keys = [
            app.engine.kibana_key("elastic", "two").await,
            app.engine.kibana_key("elastic", "three").await,
        ];
        Self {
            admin: app.as_admin().await,
            twin: app.as_admin().await,
            app,
            proxy,
            key,
            keys,
        }
    }

    #[rustfmt::skip]
    pub(crate) async fn ask(&self, case: UseCase) -> Answer {
        let admin = &self.admin;
        let dana = ("username", "dana");
        let [two, three] = &self.keys;
        match case {
            SignIn => self.app.nobody().sign_in("elastic", PASSWORD).await,
            // It gives the session another cookie, so a browser of its own.
            Reauthenticate => self.twin.post("reauthenticate", &[("password", PASSWORD)]).await,
            Viewer => admin.post("read_viewer", &[]).await,
            ListKeys => admin.list(|_| {}).await,
            FindKey => admin.post("find_agent_key", &[("id", &self.key)]).await,
            FindKeys => {
                let question = app::api::agent_keys::FindAgentKeys { ids: self.keys.to_vec() };
                admin.post_bytes("find_agent_keys", postcard::to_allocvec(&question).unwrap()).await
            }
            PrepareKey => admin.post("prepare_agent_key", &[]).await,
            CreateKey => admin.create("new").await,
            RevokeKey => admin.post("revoke_agent_key", &[("id", &self.key)]).await,
            RevokeKeys => {
                let fields = [("ids[]", two.as_str()), ("ids[]", three), ("typed", "2")];
                admin.post("revoke_agent_keys", &fields).await
            }
            ReadRole => admin.post("read_agent_key_role", &[]).await,
            PutRole => admin.post("put_agent_key_role", &[]).await,
            ListMappings => admin.post("list_role_mappings", &[]).await,
            CreateMapping => {
                let fields = [("form[name]", "newcomers"), ("form[realm]", "saml1"), ("form[values]", "a")];
                admin.post("create_role_mapping", &fields).await
            }
            ListUsers => admin.post("list_users", &[]).await,
            CreateUser => {
                let fields = [("form[username]", "newcomer"), ("form[password]", PASSWORD)];
                admin.post("create_user", &fields).await
            }
            AssignRole => admin.post("assign_agent_key_role", &[dana, ("assigned", "false")]).await,
            DisableUser => admin.post("set_user_enabled", &[dana, ("enabled", "false")]).await,
            EnableUser => admin.post("set_user_enabled", &[dana, ("enabled", "true")]).await,
            ResetPassword => admin.post("reset_password", &[dana, ("password", PASSWORD)]).await,
            DeleteUser => admin.post("delete_user", &[dana]).await,
            ReadApmIntegration => admin.post("read_apm_integration", &[]).await,
            SaveApmSettings => {
                let fields = [("form[server_url]", ""), ("form[api_key_limit]", "100")];
                admin.post("save_apm_settings", &fields).await
            }
            ListOthersSessions => {
                let name = SearchText::from("");
                let question = app::api::sessions::ListOthersSessions { name };
                admin.post_bytes("list_others_sessions", postcard::to_allocvec(&question).unwrap()).await
            }
            ReadAudit => {
                let question = app::api::audit::ReadAudit { query: AuditQuery::default() };
                admin.post_bytes("read_audit", postcard::to_allocvec(&question).unwrap()).await
            }
            ExportAudit => {
                let request = admin.request(Method::GET, "/settings/audit/export.jsonl");
                Answer::of(request.header("accept", "application/x-postcard")).await
            }
        }
    }

    /// The outcome of the last event of this action.
    pub(crate) async fn last_outcome(&self, action: &str) -> Option<String> {
        let mut events = self.app.events().await.into_iter();
        let last = events.rfind(|event| event.action == action);
        last.map(|event| event.outcome.clone())
    }
}

pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Fault {
    let head = format!("HTTP/1.1 {status} Refused\r\nConnection: close\r\n{headers}\r\n");
    Fault::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

/// The head of a success of Elasticsearch's, with these headers more.
pub(crate) fn success(headers: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n{headers}\r\n"
    )
}

#[tokio::test]
async fn every_use_case_shows_the_reason_of_a_refusal() {
    let stage = Stage::set().await;
    for &(case, request, effect) in REQUESTS {
        for (status, body, problem) in refusals() {
            let row = format!("{case:?}, {request}, {status}");
            let expected = told(case, effect, status, problem);
            let before = stage.proxy.count(request);
            stage.proxy.fail(request, answer(status, "", body));
            let told = Told::of(case, &stage.ask(case).await);
            assert_eq!(told, expected, "{row}");
            assert!(stage.proxy.count(request) > before, "{row}: never asked");
            if let Writes(action) = effect {
                let outcome = if status < 500 { "failure" } else { "unknown" };
                let last = stage.last_outcome(action).await;
                assert_eq!(last.as_deref(), Some(outcome), "{row}");
            }
        }
        // The control: the same request is done when nothing refuses it, in the same session.
        stage.proxy.heal();
        let is_last = REQUESTS.iter().rfind(|row| row.0 == case).map(|row| row.1) == Some(request);
        if is_last {
            let answer = stage.ask(case).await;
            assert_eq!(answer.status, StatusCode::OK, "{case:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn details_show_the_reason_unless_the_request_holds_a_password() {
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<&'a str>);
    let stage = Stage::set().await;
    let body = r#"{"error":{"type":"illegal_argument_exception","reason":"unknown [field]"},"status":400}"#;
    #[rustfmt::skip]
    let rows: [Row; 3] = [
        ("PUT /_security/role/", "put_agent_key_role", &[], Some("unknown [field]")),
        ("PUT /_security/user/newcomer", "create_user", &[("form[username]", "newcomer"), ("form[password]", PASSWORD)], None),
        ("PUT /_security/user/dana/_password", "reset_password", &[("username", "dana"), ("password", PASSWORD)], None),
    ];
    for (request, function, fields, reason) in rows {
        stage.proxy.fail(request, answer(400, "", body));
        let scripted = stage.admin.post(function, fields).await;
        assert_eq!(scripted.problem(), ProblemKind::Refused, "{function}");
        let problem: Problem = postcard::from_bytes(&scripted.body).unwrap();
        assert_eq!(problem.reason.as_deref(), reason, "{function}");

        let page = match function {
            "create_user" => "/settings/users/new",
            "reset_password" => "/settings/users/password?user=dana",
            _ => "/settings/users",
        };
        let drawn = stage.admin.submit(page, function, fields).await;
        assert_eq!(drawn.status, StatusCode::UNPROCESSABLE_ENTITY, "{function}");
        let text = shown(&drawn.text());
        let (_, details) = text.split_once("<summary>Show details</summary>").unwrap();
        let (details, _) = details.split_once("</details>").unwrap();
        let is_there = details.contains("<q>unknown [field]</q>");
        assert_eq!(is_there, reason.is_some(), "{function}: {details}");
        assert!(details.contains("status 422"), "{function}: {details}");
    }
}
