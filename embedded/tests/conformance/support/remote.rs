//! A remote Elasticsearch in a conformance run: one namespace for each test, removed when the test ends.

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use embedded::Version;
use serde_json::{Value, json};

use super::{
    http::{self, Response, Target},
    namespace::{Namespace, PREFIX},
    not_portable,
};

/// Environment variables that describe the cluster to the tests' process.
pub(crate) const RUN: &str = "AGENT_KEYS_CONFORMANCE_RUN";
pub(crate) const VERSION: &str = "AGENT_KEYS_CONFORMANCE_VERSION";
pub(crate) const TOKEN_SERVICE: &str = "AGENT_KEYS_CONFORMANCE_TOKEN_SERVICE";

/// Password of the tests' users. It is replaced in a shared cluster, because this one is public.
pub(crate) const PASSWORD: &str = "password of theirs";

fn own_password() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| URL_SAFE_NO_PAD.encode(platform::Random.bytes::<24>().unwrap()))
}

/// The namespace of one test in a remote cluster.
pub(crate) struct Remote {
    pub(crate) target: Arc<Target>,
    pub(crate) version: Version,
    pub(crate) token_service: bool,
    names: Namespace,
    /// Objects that the test may have created: paths to delete, and keys to invalidate.
    made: Arc<Mutex<Made>>,
}

#[derive(Default)]
struct Made {
    paths: BTreeSet<String>,
    keys: BTreeSet<String>,
    own_credentials: BTreeSet<String>,
    saw_admin: bool,
}

/// The cluster and its superuser.
pub(crate) struct Cluster {
    pub(crate) target: Arc<Target>,
    pub(crate) username: String,
    password: String,
}

impl Cluster {
    /// The cluster of this run, or `None` in an ordinary test run.
    pub(crate) fn from_environment(variables: &[(&str, String)]) -> Option<Result<Self, String>> {
        let given = |name: &str| {
            let of_test = variables.iter().find(|(known, _)| *known == name);
            of_test.map_or_else(|| env::var(name).ok(), |(_, value)| Some(value.clone()))
        };
        let needed = |name: &str| given(name).ok_or(format!("{name} is missing"));
        let url = given("AGENT_KEYS_CONFORMANCE_URL")?;
        Some(
            needed("AGENT_KEYS_CONFORMANCE_USERNAME").and_then(|username| {
                let password_file = needed("AGENT_KEYS_CONFORMANCE_PASSWORD_FILE")?;
                let ca_file = given("AGENT_KEYS_CONFORMANCE_CA_FILE");
                let ca_file = ca_file.as_deref().map(Path::new);
                Self::read(&url, username, Path::new(&password_file), ca_file)
            }),
        )
    }

    /// Reads the password and the CA's certificates.
    fn read(
        url: &str,
        username: String,
        password_file: &Path,
        ca_file: Option<&Path>,
    ) -> Result<Self, String> {
        let password = fs::read_to_string(password_file)
            .map_err(|error| format!("{}: {error}", password_file.display()))?;
        Ok(Self {
            target: Arc::new(Target::parse(url, ca_file)?),
            username,
            password: password.trim_end_matches(['\r', '\n']).to_owned(),
        })
    }

    /// Returns the cluster's response to a request without credentials.
    pub(crate) async fn challenge(&self) -> std::io::Result<Response> {
        http::try_send(&self.target, "GET", "/", &[], None).await
    }

    /// Sends a request as the superuser.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> std::io::Result<Response> {
        let pair = STANDARD.encode(format!("{}:{}", self.username, self.password));
        let authorization = format!("Basic {pair}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        let body = body.map(|body| body.to_string().into_bytes());
        if body.is_some() {
            headers.push(("Content-Type", "application/json"));
        }
        http::try_send(&self.target, method, path, &headers, body.as_deref()).await
    }
}

impl Remote {
    /// A new namespace in the cluster of this run, or `None` in an ordinary test run.
    pub(crate) fn from_environment() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = env::var(RUN).ok()?;
        let cluster = Cluster::from_environment(&[])?.unwrap();
        let version = env::var(VERSION).unwrap();
        let (major, minor) = version.split_once('.').unwrap();
        Some(Self {
            target: cluster.target,
            version: Version::new(major.parse().unwrap(), minor.parse().unwrap()),
            token_service: env::var(TOKEN_SERVICE).as_deref() == Ok("true"),
            names: Namespace {
                prefix: format!("{PREFIX}{run}-{}-", NEXT.fetch_add(1, Ordering::Relaxed)),
                admin: cluster.username,
                admin_password: cluster.password,
            },
            made: Arc::default(),
        })
    }

    /// `name:password` in the cluster.
    pub(crate) fn credentials(&self, username: &str, password: &str) -> String {
        let is_admin = username == "elastic" && password == super::ELASTIC_PASSWORD;
        let name = self.names.name(username);
        let password = &password.replace(PASSWORD, own_password());
        if is_admin {
            return format!("{name}:{}", self.names.admin_password);
        }
        let pair = format!("{name}:{password}");
        if name.contains(&self.names.prefix) {
            let header = format!("Basic {}", STANDARD.encode(&pair));
            self.made.lock().unwrap().own_credentials.insert(header);
        }
        pair
    }

    fn admin_header(&self) -> String {
        let Namespace {
            admin,
            admin_password,
            ..
        } = &self.names;
        format!(
            "Basic {}",
            STANDARD.encode(format!("{admin}:{admin_password}"))
        )
    }

    /// Sends a request in the namespace. Refuses changes outside of it.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Response {
        let asked = path;
        let path = self.names.target(path);
        let mut bytes = body.map(<[u8]>::to_vec);
        let mut parsed = None;
        if let Some(body) = body
            && let Ok(mut value) = serde_json::from_slice::<Value>(body)
        {
            let before = value.clone();
            self.names.body(method, &path, &mut value);
            let text = value.to_string();
            if value != before || text.contains(PASSWORD) {
                bytes = Some(text.replace(PASSWORD, own_password()).into_bytes());
            }
            parsed = Some(value);
        }
        let mut headers: Vec<(&str, String)> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        for (name, value) in &mut headers {
            if name.eq_ignore_ascii_case("es-security-runas-user") {
                *value = self.names.name(value);
                // The response contains the caller's realm, not the caller.
                self.made.lock().unwrap().saw_admin = true;
            }
        }
        let authorization = headers
            .iter()
            .find(|(name, _)| *name == "Authorization")
            .map(|(_, value)| value.as_str());
        {
            let mut made = self.made.lock().unwrap();
            let is_own = authorization.is_some_and(|header| made.own_credentials.contains(header));
            let permitted = self
                .names
                .permits(method, &path, parsed.as_ref(), is_own, &made.keys);
            let lists_all = body.is_none() && path.starts_with("/_security/_query/");
            let is_admin = authorization == Some(&self.admin_header());
            if lists_all && is_admin {
                drop(made);
                not_portable("lists the keys of everybody");
            }
            if let Err(reason) = permitted {
                drop(made);
                not_portable(&reason);
            }
            made.remember(method, &path, parsed.as_ref());
        }
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut response =
            http::send(&self.target, method, &path, &headers, bytes.as_deref()).await;
        let mut made = self.made.lock().unwrap();
        if path.starts_with("/_security/api_key")
            && let Ok(answer) = serde_json::from_str::<Value>(&response.text)
            && let Some(id) = answer.get("id").and_then(Value::as_str)
        {
            made.keys.insert(id.to_owned());
        }
        made.saw_admin |= response.text.contains(&self.names.admin);
        response.text = self.names.answer(asked, &response.text);
        response
    }
}

impl Made {
    /// Records the objects that a request may create, before it is sent.
    fn remember(&mut self, method: &str, path: &str, body: Option<&Value>) {
        if !["PUT", "POST"].contains(&method) {
            return;
        }
        let path = path
            .split('?')
            .next()
            .unwrap_or_default()
            .trim_end_matches('/');
        let segments: Vec<&str> = path.split('/').skip(2).collect();
        match segments[..] {
            ["user" | "role" | "role_mapping", name]
                if !name.starts_with("_") || name.contains(PREFIX) =>
            {
                self.paths.insert(path.to_owned());
            }
            ["privilege"] => {
                for (application, privileges) in
                    body.and_then(Value::as_object).into_iter().flatten()
                {
                    for name in privileges
                        .as_object()
                        .into_iter()
                        .flat_map(|them| them.keys())
                    {
                        self.paths.insert(format!("{path}/{application}/{name}"));
                    }
                }
            }
            _ => {}
        }
    }
}

impl Drop for Remote {
    /// Removes the test's objects, also after a failure.
    fn drop(&mut self) {
        let made =
            std::mem::take(&mut *self.made.lock().unwrap_or_else(|error| error.into_inner()));
        if std::thread::panicking() && made.saw_admin && self.names.admin != "elastic" {
            println!("not portable: it may be about the user elastic, and this run has another");
        }
        let cluster = Cluster {
            target: self.target.clone(),
            username: self.names.admin.clone(),
            password: self.names.admin_password.clone(),
        };
        // Drop cannot wait on the test's own runtime.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                for path in &made.paths {
                    // Leftovers are reported at the end of the run.
                    let _ = cluster.ask("DELETE", path, None).await;
                }
                if !made.keys.is_empty() {
                    let ids: Vec<&String> = made.keys.iter().collect();
                    let body = json!({ "ids": ids });
                    let _ = cluster
                        .ask("DELETE", "/_security/api_key", Some(body))
                        .await;
                }
            });
        });
        let _ = removal.join();
    }
}
