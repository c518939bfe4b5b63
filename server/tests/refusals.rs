//! Every use case against every refusal of Elasticsearch's, and against answers that are no answers: cut, endless, of
//! the wrong length or the wrong type.

use crate::support::{Answer, App, Browser, PASSWORD, proxy::Fault, proxy::Proxy, shown};
use app::model::{
    audit_query::{AuditQuery, SearchText},
    problem::{ElasticsearchFault, Problem, ProblemKind},
    revocation::{KeyRevocation, RevocationEnding},
    role::{AgentKeyRole, RoleState},
};
use http::{Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};

const PRIVILEGES: &str = "POST /_security/user/_has_privileges";
const QUERY: &str = "POST /_security/_query/api_key";
const AUTHENTICATE: &str = "GET /_security/_authenticate";
const CREATE: &str = "POST /_security/api_key";
const REVOKE: &str = "DELETE /_security/api_key";
const GET_ROLE: &str = "GET /_security/role/";
const GET_USER: &str = "GET /_security/user";

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UseCase {
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
enum Effect {
    Reads,
    /// Without a usable answer, it is not known whether it was done. The action is that of the audit log.
    Writes(&'static str),
}
use Effect::{Reads, Writes};

/// Each use case with each of its requests. Deleting the user is the last, because it is done in the end.
#[rustfmt::skip]
const REQUESTS: &[(UseCase, &str, Effect)] = &[
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
enum Told {
    Problem(ProblemKind),
    Role(RoleState),
    Endings(RevocationEnding),
}

impl Told {
    #[track_caller]
    fn of(case: UseCase, answer: &Answer) -> Self {
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
struct Stage {
    app: App,
    proxy: Proxy,
    admin: Browser,
    twin: Browser,
    key: String,
    keys: [String; 2],
}

impl Stage {
    async fn set() -> Self {
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
    async fn ask(&self, case: UseCase) -> Answer {
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
    async fn last_outcome(&self, action: &str) -> Option<String> {
        let mut events = self.app.events().await.into_iter();
        let last = events.rfind(|event| event.action == action);
        last.map(|event| event.outcome.clone())
    }
}

fn answer(status: u16, headers: &str, body: &str) -> Fault {
    let head = format!("HTTP/1.1 {status} Refused\r\nConnection: close\r\n{headers}\r\n");
    Fault::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

/// The head of a success of Elasticsearch's, with these headers more.
fn success(headers: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n{headers}\r\n"
    )
}

#[tokio::test]
async fn every_use_case_says_why_it_was_refused() {
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
async fn the_details_show_the_reason_unless_the_request_holds_a_password() {
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

/// Answers of Elasticsearch's, whole. Cut anywhere, none of them is an answer.
fn whole_answers(stage: &Stage) -> Vec<(UseCase, &'static str, Effect, String)> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let id = "kX3mRZkB7tQ2hVn0aLwd";
    let encoded = BASE64_STANDARD.encode(format!("{id}:CANARY-secret"));
    let privileges = json!({
        "username": "elastic", "has_all_requested": true, "index": {},
        "cluster": { "manage_security": true, "manage_own_api_key": true },
        "application": {
            "apm": { "*": { "event:write": true, "config_agent:read": true } },
            "kibana-.kibana": { "space:default": { "feature_apm.read": true, "feature_apm.all": true } },
        },
    });
    let dana = json!({
        "username": "dana", "roles": ["viewer"], "full_name": null, "email": null, "metadata": {}, "enabled": true,
    });
    let key = json!({
        "id": stage.key, "name": "one", "creation": 1_797_244_000_000_i64, "invalidated": false,
        "username": "elastic", "realm": "reserved", "metadata": { "application": "apm" },
        "role_descriptors": { "apm": { "applications": [
            { "application": "apm", "privileges": ["event:write"], "resources": ["*"] },
        ] } },
    });
    let who = json!({
        "username": "elastic", "roles": ["superuser"], "full_name": null, "enabled": true,
        "authentication_realm": { "name": "reserved", "type": "reserved" },
    });
    #[rustfmt::skip]
    let answers = [
        (SignIn, AUTHENTICATE, Reads, who),
        (PrepareKey, PRIVILEGES, Reads, privileges),
        (FindKey, QUERY, Reads, json!({ "total": 1, "count": 1, "api_keys": [key] })),
        (ListUsers, GET_USER, Reads, json!({ "dana": dana })),
        (ReadRole, GET_ROLE, Reads, json!({ "apm_agent_key_role": { "cluster": ["manage_own_api_key"] } })),
        (CreateKey, CREATE, Writes("agent_key_create"), json!({ "id": id, "name": "new", "api_key": "CANARY-secret", "encoded": encoded })),
        (RevokeKey, REVOKE, Writes("agent_key_invalidate"), json!({ "invalidated_api_keys": [stage.key], "error_count": 0 })),
        (CreateUser, "PUT /_security/user/newcomer", Writes("user_create"), json!({ "created": true })),
    ];
    answers
        .into_iter()
        .map(|(case, request, effect, body)| (case, request, effect, body.to_string()))
        .collect()
}

fn no_answer(effect: Effect) -> ProblemKind {
    match effect {
        Reads => ProblemKind::Elasticsearch(ElasticsearchFault::BadAnswer),
        Writes(_) => ProblemKind::Unconfirmed,
    }
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_no_answer() {
    let stage = Stage::set().await;
    for (case, request, effect, body) in whole_answers(&stage) {
        for end in 0..body.len() {
            let cut = [success("").as_bytes(), &body.as_bytes()[..end]].concat();
            stage.proxy.fail(request, Fault::Bytes(cut));
            let answer = stage.ask(case).await;
            assert_eq!(answer.problem(), no_answer(effect), "{case:?}, {end}");
            assert!(!answer.text().contains("CANARY"), "{case:?}, {end}");
        }
        // The control: whole, it is an answer.
        let whole = [success("").as_bytes(), body.as_bytes()].concat();
        stage.proxy.fail(request, Fault::Bytes(whole));
        let answer = stage.ask(case).await;
        assert_eq!(answer.status, StatusCode::OK, "{case:?}: {}", answer.text());
        stage.proxy.heal();
    }
}

#[tokio::test]
async fn an_answer_of_the_wrong_type_is_no_answer() {
    let stage = Stage::set().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let wrong = [
        "null",
        "true",
        "1",
        "\"CANARY\"",
        "[[]]",
        "<html>CANARY</html>",
        &deep,
    ];
    for &(case, request, effect) in REQUESTS {
        for body in wrong {
            let row = format!("{case:?}, {request}, {}", &body[..body.len().min(20)]);
            let bytes = [success("").as_bytes(), body.as_bytes()].concat();
            stage.proxy.fail(request, Fault::Bytes(bytes));
            let answer = stage.ask(case).await;
            assert!(!answer.text().contains("CANARY"), "{row}");
            // Of these, only the status counts.
            let is_unread = matches!(effect, Writes(_))
                && matches!(
                    case,
                    PutRole | DisableUser | EnableUser | ResetPassword | DeleteUser
                );
            match (case, effect) {
                _ if is_unread => assert_eq!(answer.status, StatusCode::OK, "{row}"),
                (RevokeKeys, Writes(_)) => {
                    let unconfirmed = Told::Endings(RevocationEnding::Unconfirmed);
                    assert_eq!(Told::of(case, &answer), unconfirmed, "{row}");
                }
                _ => assert_eq!(answer.problem(), no_answer(effect), "{row}"),
            }
        }
    }
}

/// Objects of the right form with parts of the wrong type, or with numbers that no clock shows.
#[rustfmt::skip]
const ODD_PARTS: &[(UseCase, &str, &str)] = &[
    (ListKeys, QUERY, r#"{"total":"1"}"#),
    (ListKeys, QUERY, r#"{"total":-1,"api_keys":[]}"#),
    (ListKeys, QUERY, r#"{"total":18446744073709551616,"api_keys":[]}"#),
    (ListKeys, QUERY, r#"{"total":18446744073709551615,"api_keys":[]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":{}}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[1]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"","creation":1}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":9223372036854775807}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":-9223372036854775808}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"expiration":9223372036854775807}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"expiration":-9223372036854775808}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"invalidated":true,"invalidation":-9223372036854775808}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1.5e300}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"metadata":[1],"role_descriptors":"x","_sort":[{},[]]}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"metadata":{"application":"apm","agent_keys":[]},"role_descriptors":{"apm":1}}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"role_descriptors":{"apm":{"applications":{},"cluster":1,"index":[1]}}}]}"#),
    (ListKeys, QUERY, r#"{"total":0,"api_keys":[],"aggregations":[]}"#),
    (ListKeys, QUERY, r#"{"total":0,"api_keys":[],"aggregations":{"owners":{"buckets":[{"key":1,"doc_count":"x"}]},"active":7}}"#),
    (ListUsers, GET_USER, r#"{"dana":[]}"#),
    (ListUsers, GET_USER, r#"{"dana":{"username":"dana","roles":"viewer"}}"#),
    (ListUsers, GET_USER, r#"{"dana":{"username":null}}"#),
    (ReadRole, GET_ROLE, r#"{"apm_agent_key_role":[[]]}"#),
    (ReadRole, GET_ROLE, r#"{"apm_agent_key_role":{"cluster":{},"applications":[1,{"privileges":{}}],"indices":null}}"#),
    (Viewer, PRIVILEGES, r#"{"cluster":[],"application":{}}"#),
    (Viewer, PRIVILEGES, r#"{"cluster":{"manage_security":"true"}}"#),
    (Viewer, PRIVILEGES, r#"{"application":{"apm":{"*":["event:write"]}}}"#),
    (SignIn, AUTHENTICATE, r#"{"username":"elastic"}"#),
    (SignIn, AUTHENTICATE, r#"{"username":"elastic","authentication_realm":"reserved"}"#),
];

/// The pages that draw them.
fn page_of(case: UseCase) -> &'static str {
    match case {
        ListUsers | ReadRole => "/settings/users",
        _ => "/settings/agent-keys",
    }
}

#[tokio::test]
async fn odd_parts_of_an_answer_break_no_page() {
    let stage = Stage::set().await;
    for &(case, request, body) in ODD_PARTS {
        let bytes = [success("").as_bytes(), body.as_bytes()].concat();
        stage.proxy.fail(request, Fault::Bytes(bytes));
        let answer = stage.ask(case).await;
        if answer.status != StatusCode::OK {
            assert_eq!(answer.problem(), no_answer(Reads), "{body}");
        }
        let page = stage.admin.get(page_of(case)).await;
        assert_eq!(
            page.status == StatusCode::OK,
            answer.status == StatusCode::OK || case == SignIn,
            "{body}: {}",
            page.status
        );
        stage.proxy.heal();
        assert_eq!(stage.ask(case).await.status, StatusCode::OK, "{body}");
    }
}

/// Messages that break the rules of HTTP, or are as long as no error is.
fn broken_messages() -> Vec<(&'static str, Vec<u8>, ElasticsearchFault)> {
    use ElasticsearchFault::{BadAnswer, Gateway, WrongProduct};
    const LIST: &str = r#"{"total":0,"api_keys":[]}"#;
    let with = |headers: &str, body: &str| [success(headers).as_bytes(), body.as_bytes()].concat();
    let long = "x".repeat(10 * 1024 * 1024);
    let long_error = format!(
        "HTTP/1.1 503 Unavailable\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\r\n\
         {{\"error\":{{\"type\":\"exception\",\"reason\":\"{long}\"}},\"status\":503}}"
    );
    let long_page = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>{long}</html>");
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03 no deflate stream";
    #[rustfmt::skip]
    let messages = vec![
        ("shorter than its length", with("Content-Length: 1000\r\n", LIST), BadAnswer),
        ("longer than its length", with("Content-Length: 10\r\n", LIST), BadAnswer),
        ("length zero", with("Content-Length: 0\r\n", LIST), BadAnswer),
        ("negative length", with("Content-Length: -1\r\n", LIST), BadAnswer),
        ("length of words", with("Content-Length: many\r\n", LIST), BadAnswer),
        ("length beyond 64 bits", with("Content-Length: 99999999999999999999\r\n", LIST), BadAnswer),
        ("two lengths", with("Content-Length: 25\r\nContent-Length: 10\r\n", LIST), BadAnswer),
        ("chunks without sizes", with("Transfer-Encoding: chunked\r\n", LIST), BadAnswer),
        ("chunk beyond 64 bits", with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}"), BadAnswer),
        ("chunks without an end", with("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n"), BadAnswer),
        ("no colon", with("Content-Length\r\n", LIST), BadAnswer),
        ("NUL in a header", with("X-A: \0\r\n", LIST), BadAnswer),
        ("no such version", b"HTTP/9.9 200 OK\r\n\r\n{}".to_vec(), BadAnswer),
        ("status of two digits", b"HTTP/1.1 20 OK\r\n\r\n{}".to_vec(), BadAnswer),
        ("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x28".to_vec(), BadAnswer),
        ("broken gzip", [success("Content-Encoding: gzip\r\n").as_bytes(), gzip].concat(), BadAnswer),
        ("gzip that is none", with("Content-Encoding: gzip\r\n", "<html>"), BadAnswer),
        ("10 MiB of text", with("", &long), BadAnswer),
        ("10 MiB of brackets", with("", &"[".repeat(10 * 1024 * 1024)), BadAnswer),
        ("an error of 10 MiB", long_error.into_bytes(), Gateway(503)),
        ("a page of 10 MiB", long_page.into_bytes(), WrongProduct),
    ];
    messages
}

#[tokio::test]
async fn broken_messages_are_no_answers() {
    let stage = Stage::set().await;
    for (name, message, fault) in broken_messages() {
        stage.proxy.fail(QUERY, Fault::Bytes(message.clone()));
        let answer = stage.ask(ListKeys).await;
        assert_eq!(
            answer.problem(),
            ProblemKind::Elasticsearch(fault),
            "{name}"
        );
        stage.proxy.fail(CREATE, Fault::Bytes(message));
        assert_eq!(
            stage.ask(CreateKey).await.problem(),
            ProblemKind::Unconfirmed,
            "{name}"
        );
    }
    // The control: a long answer is none the worse for it.
    let padding = "x".repeat(10 * 1024 * 1024);
    let long = success("") + &format!(r#"{{"total":0,"api_keys":[],"padding":"{padding}"}}"#);
    stage.proxy.fail(QUERY, Fault::Bytes(long.into_bytes()));
    assert_eq!(stage.ask(ListKeys).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_its_bound() {
    use ElasticsearchFault::{BadAnswer, Gateway, WrongProduct};
    const MIB: usize = 1024 * 1024;
    /// What the buffers of two sockets take, though it is never read.
    const BUFFERS: usize = 12 * MIB;
    let chunk = [b"10000\r\n", " ".repeat(65_536).as_bytes(), b"\r\n"].concat();
    let text = vec![b' '; 65_536];
    let error = "HTTP/1.1 503 Unavailable\r\nX-Elastic-Product: Elasticsearch\r\n\r\n";
    #[rustfmt::skip]
    let rows = [
        ("a success", success(""), &text, BadAnswer, 16 * MIB),
        ("a success in chunks", success("Transfer-Encoding: chunked\r\n"), &chunk, BadAnswer, 16 * MIB),
        ("a success that says so", success("Content-Length: 1099511627776\r\n"), &text, BadAnswer, 16 * MIB),
        ("something else's success", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), &text, WrongProduct, 0),
        ("an error", error.to_owned(), &text, Gateway(503), MIB),
        ("a head", "HTTP/1.1 200 OK\r\nX-A: ".to_owned(), &text, BadAnswer, MIB),
    ];
    let stage = Stage::set().await;
    for (name, head, body, fault, bytes_max) in &rows {
        let endless = || Fault::Endless {
            head: head.clone().into_bytes(),
            body: body.to_vec(),
            pause: Duration::ZERO,
        };
        // The form asks one question, so one answer is read.
        stage.proxy.fail(QUERY, endless());
        let answer = stage.ask(PrepareKey).await;
        let problem = ProblemKind::Elasticsearch(*fault);
        assert_eq!(answer.problem(), problem, "{name}");
        stage.proxy.settled().await;
        let taken = stage.proxy.taken();
        assert!(taken <= bytes_max + BUFFERS, "{name}: {taken} bytes");
    }
    for (name, head, body, ..) in rows {
        let endless = Fault::Endless {
            head: head.into_bytes(),
            body: body.clone(),
            pause: Duration::ZERO,
        };
        stage.proxy.fail(CREATE, endless);
        let answer = stage.ask(CreateKey).await;
        assert_eq!(answer.problem(), ProblemKind::Unconfirmed, "{name}");
        stage.proxy.settled().await;
        let taken = stage.proxy.taken();
        assert!(taken <= MIB + BUFFERS, "{name}: {taken} bytes");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_ends_at_the_deadline() {
    let rows = [
        ("a drip", success(""), " ", 50),
        (
            "a rest that never comes",
            success("Content-Length: 1000\r\n") + "{",
            "",
            1_000,
        ),
        (
            "interim answers",
            String::new(),
            "HTTP/1.1 100 Continue\r\n\r\n",
            1,
        ),
    ];
    let slow = rows.map(|(name, head, body, pause_ms)| async move {
        let stage = Stage::set().await;
        let endless = Fault::Endless {
            head: head.into_bytes(),
            body: body.as_bytes().to_vec(),
            pause: Duration::from_millis(pause_ms),
        };
        stage.proxy.fail(QUERY, endless);
        let began = Instant::now();
        let timed_out = ProblemKind::Elasticsearch(ElasticsearchFault::TimedOut);
        assert_eq!(stage.ask(PrepareKey).await.problem(), timed_out, "{name}");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(11_500), "{name}: {took:?}");
    });
    futures::future::join_all(slow).await;
}
