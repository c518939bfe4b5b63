//! The application's whole story against every version of Elasticsearch, as the engine answers in its place.
//!
//! What the story saw is the table in `docs/versions.md`. With `AGENT_KEYS_UPDATE_DOCS` set, the table is written anew.

use crate::support::{App, Browser, PASSWORD, Setup, proxy::Fault, proxy::Proxy, shown};
use app::model::{
    agent_key::{FoundAgentKey, KeyRights, KeyStatus},
    key_list::{KeyListPage, SortField, StatusFilter},
    new_agent_key::CreatedAgentKey,
    problem::{ElasticsearchFault, ProblemKind},
    revocation::KeyRevocation,
    user::{AgentKeyRole, RoleState},
    user_list::UserList,
};
use embedded::Version;
use http::{Method, StatusCode};
use platform::Clock;
use serde_json::json;
use std::sync::Arc;

const VERSIONS: [Version; 6] = [
    Version::new(8, 0),
    Version::new(8, 5),
    Version::new(8, 13),
    Version::new(8, 19),
    Version::new(9, 0),
    Version::CURRENT,
];

async fn app_on(version: Version) -> App {
    let clock = Clock::manual(crate::support::NOW.0);
    let engine = Arc::new(crate::support::engine::Engine::start_as(&clock, version).await);
    App::start_at(engine, clock, Setup::default()).await
}

/// What the pages show with one version.
#[derive(Debug)]
struct Seen {
    privileges: bool,
    revoked_at: bool,
    owner_filter: bool,
    keys_per_user: bool,
}

async fn ok(browser: &Browser, function: &str, fields: &[(&str, &str)]) {
    let answer = browser.post(function, fields).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{function}: {}",
        answer.text()
    );
}

async fn list(browser: &Browser) -> KeyListPage {
    let answer = browser.list(|_| {}).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.value()
}

/// Sign in, role, users, create, list, search, filter, sort, page, details, revoke one and many, sign out.
async fn story(version: Version) -> Seen {
    let app = app_on(version).await;
    let admin = app.as_admin().await;
    // The role is created, changed elsewhere, and repaired.
    let role = async || -> AgentKeyRole { admin.post("read_agent_key_role", &[]).await.value() };
    assert_eq!(role().await.state, RoleState::Missing);
    ok(&admin, "put_agent_key_role", &[]).await;
    assert_eq!(role().await.state, RoleState::AsDocumented);
    let changed = json!({ "cluster": ["monitor"] });
    app.engine.put_role("apm_agent_key_role", changed).await;
    assert!(matches!(role().await.state, RoleState::NeedsRepair { .. }));
    ok(&admin, "put_agent_key_role", &[]).await;
    assert!(matches!(role().await.state, RoleState::GrantsMore { .. }));
    // A user is created, and given the role.
    let form = [
        ("form[username]", "dana"),
        ("form[password]", PASSWORD),
        ("form[full_name]", ""),
        ("form[email]", ""),
    ];
    ok(&admin, "create_user", &form).await;
    let fields = [("username", "dana"), ("assigned", "true")];
    ok(&admin, "assign_agent_key_role", &fields).await;

    let dana = app.as_user("dana").await;
    assert_eq!(list(&dana).await.total, 0);
    let mut created = Vec::new();
    for number in 0..30 {
        let answer = dana.create(&format!("service-{number:02}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        created.push(answer.value::<CreatedAgentKey>());
    }
    let first = list(&dana).await;
    assert_eq!((first.keys.len(), first.total), (25, 30));
    assert_eq!(first.summary.active, 30);
    let next = first.next.unwrap();
    let anchor = app::model::key_list::PageAnchor::After(next);
    let second: KeyListPage = dana.list(|query| query.anchor = anchor).await.value();
    assert_eq!(second.keys.len(), 5);
    let found: KeyListPage = dana
        .list(|query| query.search = "SERVICE-07".to_owned())
        .await
        .value();
    assert_eq!(found.total, 1, "search");
    for sort in [
        SortField::Name,
        SortField::Owner,
        SortField::Created,
        SortField::Expires,
    ] {
        let answer = dana.list(|query| query.sort = sort).await;
        assert_eq!(answer.value::<KeyListPage>().keys.len(), 25, "{sort:?}");
    }
    for status in StatusFilter::ALL.iter().copied() {
        let answer = dana.list(|query| query.status = vec![status]).await;
        let expected = if status == StatusFilter::Active {
            30
        } else {
            0
        };
        assert_eq!(answer.value::<KeyListPage>().total, expected, "{status:?}");
    }
    let id = created[0].id.as_str();
    let details: FoundAgentKey = dana.post("find_agent_key", &[("id", id)]).await.value();
    let privileges = matches!(&details.key.rights, KeyRights::Described { privileges, .. } if privileges.len() == 2);
    assert!(privileges || details.key.rights == KeyRights::NotTold);
    // One is revoked, and then two more.
    ok(&dana, "revoke_agent_key", &[("id", id)]).await;
    let details: FoundAgentKey = dana.post("find_agent_key", &[("id", id)]).await.value();
    let KeyStatus::Revoked { at } = details.key.status else {
        panic!("not revoked");
    };
    let ids = [
        ("ids[0]", created[1].id.as_str()),
        ("ids[1]", created[2].id.as_str()),
    ];
    let revoked: Vec<KeyRevocation> = dana.post("revoke_agent_keys", &ids).await.value();
    assert_eq!(revoked.len(), 2);
    let after = list(&dana).await;
    assert_eq!((after.summary.active, after.summary.revoked), (27, 3));

    // The administrator sees users and keys, and takes the user away.
    let users: UserList = admin.post("list_users", &[]).await.value();
    let user = users
        .users
        .iter()
        .find(|user| user.username == "dana")
        .unwrap();
    assert!(user.has_agent_key_role());
    assert!(
        matches!(user.active_keys, None | Some(27)),
        "{:?}",
        user.active_keys
    );
    let everybody = list(&admin).await;
    assert_eq!(everybody.total, 30);
    let fields = [
        ("username", "dana"),
        ("password", "another good passphrase"),
    ];
    ok(&admin, "reset_password", &fields).await;
    for enabled in ["false", "true"] {
        let fields = [("username", "dana"), ("enabled", enabled)];
        ok(&admin, "set_user_enabled", &fields).await;
    }
    ok(&admin, "delete_user", &[("username", "dana")]).await;
    for page in [
        "/settings/agent-keys",
        "/settings/users",
        "/settings/apm-integration",
        "/settings/audit",
    ] {
        assert_eq!(admin.get(page).await.status, StatusCode::OK, "{page}");
    }
    ok(&admin, "sign_out", &[]).await;
    Seen {
        privileges,
        revoked_at: at.is_some(),
        owner_filter: everybody.filters.lists_owners,
        keys_per_user: user.active_keys.is_some(),
    }
}

#[tokio::test]
async fn every_version_works_with_the_documented_limits() {
    let mut table = TABLE_HEAD.to_owned();
    for version in VERSIONS {
        let seen = story(version).await;
        let word = |there: bool| if there { "yes" } else { "no" };
        table.push_str(&format!(
            "| {}.{} | yes | {} | {} | {} | {} |\n",
            version.major,
            version.minor,
            word(seen.privileges),
            word(seen.revoked_at),
            word(seen.owner_filter),
            word(seen.keys_per_user),
        ));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/versions.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let expected = format!("{head}{BEGIN}\n{table}{END}{tail}");
    if std::env::var_os("AGENT_KEYS_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert_eq!(
        text, expected,
        "run this test with AGENT_KEYS_UPDATE_DOCS=1"
    );
}

const BEGIN: &str = "<!-- table -->";
const END: &str = "<!-- end of table -->";
const TABLE_HEAD: &str = "\
| version | whole story | privileges of a key | when it was revoked | filters by owner and realm | keys of each user |
| --- | --- | --- | --- | --- | --- |
";

/// What is missing is found out once, and not asked for again.
#[tokio::test]
async fn refused_capability_is_requested_once() {
    let clock = Clock::manual(crate::support::NOW.0);
    let engine = crate::support::engine::Engine::start_as(&clock, Version::new(8, 0)).await;
    let engine = Arc::new(engine);
    let proxy = crate::support::proxy::Proxy::start(engine.address()).await;
    let setup = Setup {
        elasticsearch: Some(proxy.url()),
        ..Setup::default()
    };
    let app = App::start_at(engine, clock, setup).await;
    // She may not read the version, so only refusals tell.
    let ada = app.with_key_user("ada").await;
    list(&ada).await;
    const PRIVILEGES: &str = "POST /_security/user/_has_privileges";
    const QUERY: &str = "POST /_security/_query/api_key";
    let (privileges, queries) = (proxy.count(PRIVILEGES), proxy.count(QUERY));
    list(&ada).await;
    assert_eq!(proxy.count(PRIVILEGES) - privileges, 1);
    assert_eq!(proxy.count(QUERY) - queries, 5, "the page and four counts");
}

#[tokio::test]
async fn version_before_8_is_refused_by_name() {
    let app = app_on(Version::new(7, 17)).await;
    let answer = app.nobody().sign_in("elastic", PASSWORD).await;
    let fault = ElasticsearchFault::TooOld {
        major: 7,
        minor: 17,
    };
    assert_eq!(answer.problem(), ProblemKind::Elasticsearch(fault));
    let fields = [("username", "elastic"), ("password", PASSWORD)];
    let page = app
        .nobody()
        .submit("/login", "sign_in", &fields)
        .await
        .text();
    assert!(page.contains("Elasticsearch 7.17 is too old"), "{page}");
    assert!(page.contains("Elasticsearch 8.0 or later"));
}

/// The answer of Elasticsearch Serverless to a call that it keeps to itself.
const NOT_ON_SERVERLESS: &str = "HTTP/1.1 410 Gone\r\nConnection: close\r\nX-elastic-product: Elasticsearch\r\n\
    Content-Type: application/json\r\n\r\n{\"error\":{\"root_cause\":[{\"type\":\"api_not_available_exception\",\
    \"reason\":\"Request for uri [/_security/user] with method [GET] exists but is not available when running in \
    serverless mode\"}],\"type\":\"api_not_available_exception\",\"reason\":\"Request for uri [/_security/user] with \
    method [GET] exists but is not available when running in serverless mode\"},\"status\":410}";

#[tokio::test]
async fn serverless_manages_users_in_elastic_cloud_and_keys_work() {
    const GET_USERS: &str = "GET /_security/user";
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_agent_key_role().await;
    let admin = app.as_admin().await;
    let users = async || shown(&admin.get("/settings/users").await.text());
    assert!(!users().await.contains("Elastic Cloud"));

    proxy.fail(GET_USERS, Fault::Answer(NOT_ON_SERVERLESS));
    let answer = admin.post("list_users", &[]).await;
    let fault = ElasticsearchFault::NotOnServerless;
    assert_eq!(answer.problem(), ProblemKind::Elasticsearch(fault));
    let text = users().await;
    assert!(
        text.contains("Manage users in the Elastic Cloud console"),
        "{text}"
    );
    assert!(text.contains("exists but is not available when running in serverless mode"));
    assert!(
        !text.contains("Nothing was changed"),
        "the page was only read"
    );
    assert!(text.contains("As documented"), "roles work here");

    let created = admin.create("on-serverless").await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.text());
    let keys = admin.get("/settings/agent-keys").await;
    assert_eq!(keys.status, StatusCode::OK);
    assert!(keys.text().contains("on-serverless"));
    assert!(proxy.count(GET_USERS) > 0);
}

#[tokio::test]
async fn opensearch_is_refused_by_name() {
    const ROOT: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n\
        {\"name\":\"node-1\",\"cluster_name\":\"opensearch\",\"cluster_uuid\":\"u\",\"version\":{\"distribution\":\
        \"opensearch\",\"number\":\"2.11.0\"},\"tagline\":\"The OpenSearch Project: https://opensearch.org/\"}";
    let no_such_path = [
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n\
            {\"error\":\"no handler found for uri [/_security/_authenticate] and method [GET]\"}",
        "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n\
            {\"error\":\"Incorrect HTTP method for uri [/_security/_authenticate] and method [GET], allowed: [POST]\",\
            \"status\":405}",
    ];
    let clock = Clock::manual(crate::support::NOW.0);
    let engine = Arc::new(crate::support::engine::Engine::start(&clock).await);
    let security = Proxy::start(engine.address()).await;
    let root = Proxy::start(security.address()).await;
    let setup = Setup {
        elasticsearch: Some(root.url()),
        ..Setup::default()
    };
    let app = App::start_at(engine, clock, setup).await;
    let fields = [("username", "elastic"), ("password", PASSWORD)];
    for answer in no_such_path {
        security.fail("GET /_security/", Fault::Answer(answer));
        root.fail("GET / ", Fault::Answer(ROOT));
        let told = app.nobody().sign_in("elastic", PASSWORD).await;
        let fault = ElasticsearchFault::OpenSearch;
        assert_eq!(
            told.problem(),
            ProblemKind::Elasticsearch(fault),
            "{answer}"
        );
        assert!(told.cookie().is_none());
        let page = app.nobody().submit("/login", "sign_in", &fields).await;
        let text = shown(&page.text());
        assert!(
            text.contains("The configured address is an OpenSearch cluster"),
            "{text}"
        );
    }
    // The control: it is the answers that are judged.
    security.heal();
    root.heal();
    app.as_admin().await;
}

/// A key without descriptors holds everything that its owner could do.
#[tokio::test]
async fn key_without_descriptors_is_a_finding() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for (name, descriptors) in [
        ("none", json!({})),
        ("broad", json!({ "all": { "cluster": ["all"] } })),
    ] {
        let body = json!({ "name": name, "metadata": { "application": "apm" }, "role_descriptors": descriptors });
        app.engine
            .ask(Method::POST, "/_security/api_key", Some(body))
            .await;
    }
    let page = list(&admin).await;
    let rights = |name: &str| {
        page.keys
            .iter()
            .find(|key| key.name == name)
            .unwrap()
            .rights
            .clone()
    };
    assert_eq!(rights("none"), KeyRights::OwnersAll);
    assert!(matches!(
        rights("broad"),
        KeyRights::Described { more: true, .. }
    ));
    let html = admin.get("/settings/agent-keys").await.text();
    assert!(
        html.contains("All privileges of its owner") && html.contains("More than an agent needs")
    );
    let id = page
        .keys
        .iter()
        .find(|key| key.name == "broad")
        .unwrap()
        .id
        .to_string();
    let html = admin
        .get(&format!("/settings/agent-keys/{id}"))
        .await
        .text();
    assert!(html.contains("This key grants more than an agent needs") && html.contains("\"all\""));
}
