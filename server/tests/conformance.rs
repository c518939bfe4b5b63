//! The application's story against a shared Elasticsearch: the second half of `cargo xtask conformance`.
//!
//! Without an address the cluster is our own engine. Everything that is made has a name with the run's prefix. The
//! role `apm_agent_key_role` is only looked at.

use crate::support::{self, Browser, PASSWORD, engine::Engine};
use app::model::{
    agent_key::{FoundAgentKey, KeyRights, KeyStatus, RevokedAgentKey},
    key_list::KeyListPage,
    new_agent_key::CreatedAgentKey,
    user::AgentKeyRole,
    user_list::UserList,
};
use http::{Method, StatusCode};
use platform::Clock;
use serde_json::{Value, json};
use server::{
    application::Application,
    config::{Cluster, Config, Elasticsearch, Trust},
};
use std::{env, fs, path::PathBuf};
use url::Url;

/// The cluster, and what the run makes there.
#[derive(Clone)]
struct Run {
    url: Url,
    username: String,
    password: String,
    ca_file: Option<PathBuf>,
    http: reqwest::Client,
    /// The name of the user, of the role and of the key.
    name: String,
    /// The password of the user that is made.
    own_password: String,
}

impl Run {
    fn new(url: &str, username: String, password: String, ca_file: Option<PathBuf>) -> Self {
        let certificates = ca_file.as_ref().map(|file| {
            let pem = fs::read(file).unwrap();
            reqwest::Certificate::from_pem_bundle(&pem).unwrap()
        });
        let http = support::client_with(|builder| match certificates {
            Some(certificates) => builder
                .tls_danger_accept_invalid_certs(false)
                .tls_certs_only(certificates),
            None => builder.tls_danger_accept_invalid_certs(false),
        });
        let bytes = platform::Random.bytes::<24>().unwrap();
        let unique = uuid::Uuid::now_v7().simple().to_string();
        Self {
            url: Url::parse(&format!("{}/", url.trim_end_matches('/'))).unwrap(),
            username,
            password,
            ca_file,
            http,
            name: format!("agent-keys-conformance-{unique}"),
            own_password: base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes),
        }
    }

    /// Reads what `cargo xtask conformance` was given.
    fn from_environment() -> Option<Self> {
        let url = env::var("AGENT_KEYS_CONFORMANCE_URL").ok()?;
        let username = env::var("AGENT_KEYS_CONFORMANCE_USERNAME").unwrap();
        let file = env::var("AGENT_KEYS_CONFORMANCE_PASSWORD_FILE").unwrap();
        let password = fs::read_to_string(file).unwrap();
        let ca_file = env::var_os("AGENT_KEYS_CONFORMANCE_CA_FILE").map(PathBuf::from);
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        Some(Self::new(&url, username, password, ca_file))
    }

    /// Asks Elasticsearch directly, as the superuser or with an API key.
    async fn ask(
        &self,
        key: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = self.url.join(path.trim_start_matches('/')).unwrap();
        let mut request = self.http.request(method, url);
        request = match key {
            Some(key) => request.header("authorization", format!("ApiKey {key}")),
            None => request.basic_auth(&self.username, Some(&self.password)),
        };
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    /// Asks what APM Server asks when an agent comes with this key.
    async fn ask_as_apm_server(&self, key: &str) -> (StatusCode, Value) {
        let body = json!({"application": [{
            "application": "apm",
            "privileges": ["config_agent:read", "event:write", "sourcemap:write"],
            "resources": ["-"],
        }]});
        let path = "/_security/user/_has_privileges";
        self.ask(Some(key), Method::GET, path, Some(body)).await
    }

    async fn remove(&self) {
        let Self { name, .. } = self;
        let body = json!({ "name": name });
        let keys = Some(body);
        self.ask(None, Method::DELETE, "/_security/api_key", keys)
            .await;
        for kind in ["user", "role"] {
            let path = format!("/_security/{kind}/{name}");
            self.ask(None, Method::DELETE, &path, None).await;
        }
    }
}

#[track_caller]
fn held(step: &str, is_so: bool, answered: impl std::fmt::Debug) {
    assert!(is_so, "differs: {step}\nanswered: {answered:?}");
    println!("held: {step}");
}

async fn sign_in(application: &Application, username: &str, password: &str) -> Browser {
    let mut browser = Browser {
        url: application.url(),
        cookie: None,
        user: None,
        http: support::client(),
    };
    let answer = browser.sign_in(username, password).await;
    held(
        &format!("{username} signs in"),
        answer.status == StatusCode::OK,
        answer.text(),
    );
    browser
}

/// Sign in, see the role, create a user, create a key, list, details, check, revoke.
async fn story(run: Run) {
    let data_dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::from(run.url.clone());
    if let Some(file) = &run.ca_file {
        cluster.trust = Trust::CaFile(file.clone());
    }
    let config = Config {
        elasticsearch: Elasticsearch::Cluster(Box::new(cluster)),
        ..support::config(data_dir.path())
    };
    let application = Application::start(config, Clock::system()).await.unwrap();
    let name = run.name.as_str();
    let admin = sign_in(&application, &run.username, &run.password).await;
    let answer = admin.post("read_agent_key_role", &[]).await;
    held(
        "the state of the role is shown",
        answer.status == StatusCode::OK,
        answer.text(),
    );
    let role: AgentKeyRole = answer.value();
    println!("      apm_agent_key_role: {:?}", role.state);

    let documented = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            {"application": "apm", "privileges": ["event:write", "config_agent:read"], "resources": ["*"]},
            {"application": "kibana-.kibana", "privileges": ["feature_apm.all"], "resources": ["space:default"]},
        ],
    });
    let path = format!("/_security/role/{name}");
    let (status, body) = run.ask(None, Method::PUT, &path, Some(documented)).await;
    held("a role is created", status == 200, body);
    let form = [
        ("form[username]", name),
        ("form[password]", &run.own_password),
        ("form[full_name]", ""),
        ("form[email]", ""),
    ];
    let answer = admin.post("create_user", &form).await;
    held(
        "a user is created",
        answer.status == StatusCode::OK,
        answer.text(),
    );
    let user = json!({"roles": [name]});
    let path = format!("/_security/user/{name}");
    let (status, body) = run.ask(None, Method::PUT, &path, Some(user)).await;
    held("the user is given the role", status == 200, body);
    let answer = admin
        .post("list_users", &[("list", &format!("q={name}"))])
        .await;
    let users: UserList = answer.value();
    let is_listed = users.users.iter().any(|user| user.username == name);
    held("the user is in the list of users", is_listed, &users);

    let user = sign_in(&application, name, &run.own_password).await;
    let answer = user.create(name).await;
    held(
        "the user creates a key",
        answer.status == StatusCode::OK,
        answer.text(),
    );
    let created: CreatedAgentKey = answer.value();
    let id = created.id.as_str();
    let key = created.encoded.expose();
    let list: KeyListPage = user.list(|_| {}).await.value();
    let listed: Vec<&str> = list.keys.iter().map(|key| key.id.as_str()).collect();
    held("the list holds this key alone", listed == [id], &list);
    let find =
        async || -> FoundAgentKey { user.post("find_agent_key", &[("id", id)]).await.value() };
    let found = find().await;
    held(
        "the details show an active key with both privileges (before 8.5: without)",
        matches!(found.key.status, KeyStatus::Active { .. })
            && (found.key.rights == KeyRights::NotTold
                || found.key.rights.privileges() == ["config_agent:read", "event:write"]),
        &found,
    );
    let (status, body) = run.ask_as_apm_server(key).await;
    let expected =
        json!({"config_agent:read": true, "event:write": true, "sourcemap:write": false});
    held(
        "Elasticsearch answers APM Server that the key may send",
        status == 200 && body["application"]["apm"]["-"] == expected && body["username"] == name,
        body,
    );
    let answer = user.post("revoke_agent_key", &[("id", id)]).await;
    held(
        "the user revokes the key",
        answer.status == StatusCode::OK && !answer.value::<RevokedAgentKey>().already,
        answer.text(),
    );
    let (status, body) = run.ask_as_apm_server(key).await;
    held("the revoked key is refused", status == 401, body);
    let found = find().await;
    held(
        "the details show a revoked key",
        matches!(found.key.status, KeyStatus::Revoked { .. }),
        &found,
    );
    application.stop().await;
}

#[tokio::test]
async fn application_works_with_a_shared_cluster() {
    let (_engine, run) = match Run::from_environment() {
        Some(run) => (None, run),
        None => {
            let engine = Engine::start(&Clock::system()).await;
            let run = Run::new(&engine.url(), "elastic".into(), PASSWORD.into(), None);
            (Some(engine), run)
        }
    };
    println!("The application's story, with the name {}", run.name);
    let outcome = tokio::spawn(story(run.clone())).await;
    run.remove().await;
    for kind in ["user", "role"] {
        let path = format!("/_security/{kind}/{}", run.name);
        let (status, body) = run.ask(None, Method::GET, &path, None).await;
        assert_eq!(status, 404, "left behind: {path} {body}");
    }
    outcome.unwrap();
}
