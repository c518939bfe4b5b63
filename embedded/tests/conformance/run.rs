//! Conformance run: the portable tests against one shared Elasticsearch, and a report of the
//! differences.
//!
//! `cargo xtask conformance` runs the first two tests here with an address. Without an address the
//! cluster is the engine, with other users, roles and keys in it.

use std::{env, fs, process::Command};

use embedded::Version;
use platform::{Clock, Random};

use crate::support::{
    namespace::PREFIX,
    remote::{Cluster, RUN, TOKEN_SERVICE, VERSION},
    *,
};

/// Modules that need the engine in the same process.
const PRIVATE: &[(&str, &str)] = &[
    ("passwords", "reads how the engine stores passwords"),
    ("properties", "sends thousands of random requests"),
    ("storage", "restarts the engine and reads its files"),
    ("versions", "chooses the engine's version"),
];

/// Modules that test the tests.
const OWN: &[&str] = &["run", "support"];

#[derive(Debug, PartialEq)]
enum Verdict {
    Held,
    Differs(String),
    NotPortable(String),
    NotInThisVersion(String),
}

/// A cluster's response to `GET /`.
struct About {
    version: Version,
    number: String,
    flavor: String,
    token_service: bool,
}

/// Verdicts by the name of the rule.
struct Report {
    verdicts: Vec<(String, Verdict)>,
    leftovers: Vec<String>,
}

#[tokio::test]
async fn shared_cluster_is_checked_before_any_change() {
    let engine = TestEngine::fresh(|_| {}).await;
    let (_folder, variables) = match env::var("AGENT_KEYS_CONFORMANCE_URL") {
        Ok(_) => (None, Vec::new()),
        Err(_) => {
            let (folder, variables) = as_remote(&engine, "elastic", ELASTIC_PASSWORD).await;
            (Some(folder), variables)
        }
    };
    let about = match cluster(&variables) {
        Ok(cluster) => about(&cluster).await,
        Err(error) => Err(error),
    };
    let about = about.unwrap_or_else(|error| panic!("{error}"));
    assert!(about.version >= Version::new(8, 0), "{}", about.number);
}

#[tokio::test]
async fn contract_holds_in_a_shared_cluster() {
    let (_engine, _folder, variables) = match env::var("AGENT_KEYS_CONFORMANCE_URL") {
        Ok(_) => (None, None, Vec::new()),
        Err(_) => {
            let engine = TestEngine::fresh(|config| config.clock = Clock::system()).await;
            let (folder, variables) = as_remote(&engine, "elastic", ELASTIC_PASSWORD).await;
            // Real clusters have another password than the tests.
            let other = "battery staple";
            let path = "/_security/user/elastic/_password";
            let password = json!({ "password": other });
            engine.elastic().put(path, password).await.assert_ok();
            fs::write(folder.path().join("password"), other).unwrap();
            (Some(engine), Some(folder), variables)
        }
    };
    let report = run(&variables)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    report.assert_held();
    // Control: most rules ran. A cleanup runs none.
    let held = report.count(|verdict| *verdict == Verdict::Held);
    assert!(held > 100 || report.verdicts.is_empty(), "{held}");
}

#[tokio::test]
async fn contract_holds_for_another_superuser_of_an_older_version() {
    let engine = TestEngine::fresh(|config| {
        config.clock = Clock::system();
        config.version = Version::new(8, 0);
        config.token_service = true;
    })
    .await;
    let user = json!({"password": "password of boss", "roles": ["superuser"]});
    let path = "/_security/user/boss";
    engine.elastic().put(path, user).await.assert_ok();
    let (_folder, variables) = as_remote(&engine, "boss", "password of boss").await;
    let report = run(&variables)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    report.assert_held();
    assert!(report.count(|verdict| matches!(verdict, Verdict::NotInThisVersion(_))) > 10);
}

#[tokio::test]
async fn difference_is_reported() {
    let engine = TestEngine::fresh(|config| config.clock = Clock::system()).await;
    let (_folder, mut variables) = as_remote(&engine, "elastic", ELASTIC_PASSWORD).await;
    // An older engine that claims to be newer lacks features.
    let old = TestEngine::fresh(|config| {
        config.clock = Clock::system();
        config.version = Version::new(8, 0);
    })
    .await;
    variables[0].1 = format!("http://{}", old.address());
    variables.push((RUN, "1".to_owned()));
    variables.push((VERSION, "9.5".to_owned()));
    let rule = vec!["aggregations::terms_aggregation_counts_values"];
    let verdicts = judge(variables, rule).await.unwrap();
    assert!(
        matches!(&verdicts[..], [(_, Verdict::Differs(text))] if text.contains("unknown field [aggs]")),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn run_requires_elasticsearch_and_manage_security() {
    let engine = TestEngine::fresh(|_| {}).await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    let (_folder, variables) = as_remote(&engine, "ann", "password of theirs").await;
    let refused = run(&variables).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("manage_security"), "{refused}");
    let (_folder, variables) = as_remote(&engine, "elastic", "wrong").await;
    let refused = run(&variables).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("user name or password"), "{refused}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            let _ = stream.write_all(answer).await;
        }
    });
    let mut variables = variables;
    variables[0].1 = format!("http://{address}");
    let refused = run(&variables).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("not Elasticsearch"), "{refused}");
}

#[tokio::test]
async fn cleanup_removes_leftovers_and_nothing_else() {
    let engine = TestEngine::fresh(|_| {}).await;
    let (folder, variables) = as_remote(&engine, "elastic", ELASTIC_PASSWORD).await;
    let name = format!("{PREFIX}broken-ann");
    engine.user_with_privileges(&name, &["monitor"]).await;
    let key = engine.elastic().create_key(json!({"name": name})).await;
    let cluster = cluster(&variables).unwrap();
    let found = leftovers(&cluster, PREFIX).await.unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
    remove(&cluster, &found).await.unwrap();
    assert_eq!(leftovers(&cluster, PREFIX).await.unwrap(), [""; 0]);
    assert_eq!(engine.key(&key).authentication_status().await, 401);
    // Control: data of other users is still there.
    let elastic = engine.elastic();
    elastic.get("/_security/user/other").await.assert_ok();
    assert_eq!(
        elastic
            .names(json!({"query": {"term": {"invalidated": false}}}))
            .await,
        ["other"]
    );
    drop(folder);
}

/// Fills an engine with data of other users. Returns the settings of a run against it.
async fn as_remote(
    engine: &TestEngine,
    username: &str,
    password: &str,
) -> (tempfile::TempDir, Vec<(&'static str, String)>) {
    let elastic = engine.elastic();
    engine
        .user_with_privileges("other", &["monitor", "manage_own_api_key"])
        .await;
    engine
        .user("other", "password of theirs")
        .create_key(json!({"name": "other"}))
        .await;
    let privilege = json!({"otherapp": {"read": {"actions": ["a:b"]}}});
    elastic
        .put("/_security/privilege", privilege)
        .await
        .assert_ok();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, format!("{password}\n")).unwrap();
    let variables = vec![
        (
            "AGENT_KEYS_CONFORMANCE_URL",
            format!("http://{}", engine.address()),
        ),
        ("AGENT_KEYS_CONFORMANCE_USERNAME", username.to_owned()),
        (
            "AGENT_KEYS_CONFORMANCE_PASSWORD_FILE",
            file.display().to_string(),
        ),
    ];
    (folder, variables)
}

fn cluster(variables: &[(&str, String)]) -> Result<Cluster, String> {
    Cluster::from_environment(variables).unwrap_or(Err("no cluster is named".to_owned()))
}

/// Checks the cluster, runs all portable tests, and prints their verdicts.
async fn run(variables: &[(&'static str, String)]) -> Result<Report, String> {
    let cluster = cluster(variables)?;
    let about = about(&cluster).await?;
    println!(
        "Elasticsearch {} ({}), as {}",
        about.number, about.flavor, cluster.username
    );
    let old = leftovers(&cluster, PREFIX).await?;
    if env::var_os("AGENT_KEYS_CONFORMANCE_CLEANUP").is_some() {
        println!("removing {} leftovers of earlier runs", old.len());
        remove(&cluster, &old).await?;
        return Ok(Report {
            verdicts: Vec::new(),
            leftovers: leftovers(&cluster, PREFIX).await?,
        });
    }
    let bytes = Random.bytes::<4>().map_err(|error| error.to_string())?;
    let run = format!("{:08x}", u32::from_be_bytes(bytes));
    println!(
        "This run creates users, roles, role mappings, application privileges and API keys whose names begin with\n\
         `{PREFIX}{run}-`, and nothing else. At the end of each test it deletes them. API keys are invalidated;\n\
         Elasticsearch deletes them later. {} leftovers of earlier runs (`--cleanup` removes them).",
        old.len()
    );
    let mut variables = variables.to_vec();
    let Version { major, minor } = about.version;
    variables.push((RUN, run.clone()));
    variables.push((VERSION, format!("{major}.{minor}")));
    variables.push((TOKEN_SERVICE, about.token_service.to_string()));
    let report = Report {
        verdicts: judge(variables, Vec::new()).await?,
        leftovers: leftovers(&cluster, &format!("{PREFIX}{run}-")).await?,
    };
    report.print();
    Ok(report)
}

/// Checks that the cluster is a supported version of Elasticsearch, and that the user may manage
/// users and roles.
async fn about(cluster: &Cluster) -> Result<About, String> {
    let ask = async |method: &str, path: &str, body| {
        let asked = cluster.ask(method, path, body).await;
        asked.map_err(|error| format!("cannot reach Elasticsearch: {error}"))
    };
    let root = ask("GET", "/", None).await?;
    let schemes = cluster.challenge().await;
    let schemes = schemes.map_err(|error| format!("cannot reach Elasticsearch: {error}"))?;
    match root.status {
        200 => {}
        401 => return Err("the user name or password is wrong (401)".to_owned()),
        403 => {
            return Err(
                "the user may not read the version: it needs the cluster privilege `monitor` (403)"
                    .to_owned(),
            );
        }
        status => {
            return Err(format!(
                "this is not Elasticsearch, or it is not well: GET / answers {status}"
            ));
        }
    }
    let info: Value = serde_json::from_str(&root.text).unwrap_or_default();
    let number = info.pointer("/version/number").and_then(Value::as_str);
    let (Some(number), ["Elasticsearch"]) = (number, &root.header("x-elastic-product")[..]) else {
        return Err("this is not Elasticsearch: GET / names no product and version".to_owned());
    };
    let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
    let version = Version::new(parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let flavor = info
        .pointer("/version/build_flavor")
        .and_then(Value::as_str);
    let flavor = flavor.unwrap_or("default").to_owned();
    if version < Version::new(8, 0) || flavor == "serverless" {
        return Err(format!(
            "Elasticsearch {number} ({flavor}) is not covered: the contract is that of 8.0 and later, not serverless"
        ));
    }
    let asked = json!({"cluster": ["manage_security"]});
    let held = ask("POST", "/_security/user/_has_privileges", Some(asked)).await?;
    if held.status != 200 || held.at("/has_all_requested") != true {
        return Err(format!(
            "{} may not manage users and roles: it needs the cluster privilege `manage_security`",
            cluster.username
        ));
    }
    Ok(About {
        version,
        number: number.to_owned(),
        flavor,
        token_service: schemes
            .header("www-authenticate")
            .iter()
            .any(|scheme| scheme.contains("Bearer")),
    })
}

/// Runs the named tests, or all portable ones, in another process.
async fn judge(
    variables: Vec<(&'static str, String)>,
    only: Vec<&'static str>,
) -> Result<Vec<(String, Verdict)>, String> {
    // The engine may run on this thread.
    tokio::task::spawn_blocking(move || judge_blocking(&variables, &only))
        .await
        .map_err(|error| error.to_string())?
}

fn judge_blocking(
    variables: &[(&str, String)],
    only: &[&str],
) -> Result<Vec<(String, Verdict)>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let tests = |change: &dyn Fn(&mut Command)| {
        let mut tests = Command::new(&program);
        tests.envs(variables.iter().map(|(name, value)| (*name, value)));
        tests.env_remove("RUST_BACKTRACE");
        change(&mut tests);
        let output = tests.output().map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let output = tests(&|tests| {
        tests.args(["--test-threads", "4"]).args(only);
        let modules = PRIVATE
            .iter()
            .map(|(module, _)| *module)
            .chain(OWN.iter().copied());
        for module in modules {
            tests.args(["--skip", &format!("{module}::")]);
        }
    })?;
    let mut verdicts = read(&output);
    if only.is_empty() {
        let listed = tests(&|tests| {
            tests.arg("--list");
        })?;
        for name in listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
        {
            let private = PRIVATE
                .iter()
                .find(|(module, _)| name.starts_with(&format!("{module}::")));
            if let Some((_, reason)) = private {
                verdicts.push((name.to_owned(), Verdict::NotPortable((*reason).to_owned())));
            }
        }
    }
    Ok(verdicts)
}

/// Parses the output of a test binary.
fn read(output: &str) -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    for line in output.lines() {
        let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|line| line.split_once(" ... "))
        else {
            continue;
        };
        let verdict = match outcome {
            "ok" => Verdict::Held,
            _ => failure(&section(output, name)),
        };
        verdicts.push((name.to_owned(), verdict));
    }
    verdicts
}

/// The output of a failed test.
fn section(output: &str, name: &str) -> String {
    let title = format!("---- {name} stdout ----");
    let lines = output.lines().skip_while(|line| *line != title).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("---- ") && *line != "failures:");
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("note: run with"));
    lines.collect::<Vec<_>>().join("\n")
}

fn failure(text: &str) -> Verdict {
    for line in text.lines() {
        if let Some(reason) = line.strip_prefix("not portable: ") {
            return Verdict::NotPortable(reason.to_owned());
        }
        if let Some(reason) = line.strip_prefix("not in this version: ") {
            return Verdict::NotInThisVersion(reason.to_owned());
        }
    }
    Verdict::Differs(text.to_owned())
}

impl Report {
    fn count(&self, is_counted: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts
            .iter()
            .filter(|(_, verdict)| is_counted(verdict))
            .count()
    }

    fn print(&self) {
        for (name, verdict) in &self.verdicts {
            match verdict {
                Verdict::Held => {}
                Verdict::Differs(text) => println!("\ndiffers: {name}\n{text}"),
                Verdict::NotPortable(reason) => println!("not portable: {name}: {reason}"),
                Verdict::NotInThisVersion(reason) => {
                    println!("not in this version: {name}: {reason}")
                }
            }
        }
        println!(
            "\n{} held, {} differ, {} not portable, {} not in this version",
            self.count(|verdict| *verdict == Verdict::Held),
            self.count(|verdict| matches!(verdict, Verdict::Differs(_))),
            self.count(|verdict| matches!(verdict, Verdict::NotPortable(_))),
            self.count(|verdict| matches!(verdict, Verdict::NotInThisVersion(_))),
        );
        for leftover in &self.leftovers {
            println!("left behind: {leftover}");
        }
    }

    #[track_caller]
    fn assert_held(&self) {
        let differing: Vec<&String> = self
            .verdicts
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Differs(_)))
            .map(|(name, _)| name)
            .collect();
        assert!(differing.is_empty(), "these rules differ: {differing:?}");
        assert!(
            self.leftovers.is_empty(),
            "left behind: {:?}",
            self.leftovers
        );
    }
}

/// Paths to delete everything with the name prefix `prefix`. Keys count until they are
/// invalidated.
async fn leftovers(cluster: &Cluster, prefix: &str) -> Result<Vec<String>, String> {
    let ask = async |method: &str, path: &str, body| {
        let answer = cluster
            .ask(method, path, body)
            .await
            .map_err(|error| error.to_string())?;
        serde_json::from_str::<Value>(&answer.text).map_err(|error| format!("{path}: {error}"))
    };
    let mut found = Vec::new();
    for kind in ["user", "role", "role_mapping"] {
        let path = format!("/_security/{kind}");
        let all = ask("GET", &path, None).await?;
        let names = all.as_object().into_iter().flat_map(|all| all.keys());
        let own = names.filter(|name| name.starts_with(prefix));
        found.extend(own.map(|name| format!("{path}/{}", name.replace(' ', "%20"))));
    }
    let path = "/_security/privilege";
    let all = ask("GET", path, None).await?;
    for (application, privileges) in all.as_object().into_iter().flatten() {
        let names = privileges
            .as_object()
            .into_iter()
            .flat_map(|them| them.keys());
        let own = names.filter(|_| application.starts_with(prefix));
        found.extend(own.map(|name| format!("{path}/{application}/{name}")));
    }
    let query = json!({"size": 1_000, "query": {"bool": {"filter": [
        {"prefix": {"name": prefix}}, {"term": {"invalidated": false}},
    ]}}});
    let keys = ask("POST", "/_security/_query/api_key", Some(query)).await?;
    let keys = keys["api_keys"].as_array().into_iter().flatten();
    let ids = keys.filter_map(|key| key["id"].as_str());
    found.extend(ids.map(|id| format!("/_security/api_key/{id}")));
    Ok(found)
}

async fn remove(cluster: &Cluster, found: &[String]) -> Result<(), String> {
    for path in found {
        let answer = match path.strip_prefix("/_security/api_key/") {
            Some(id) => {
                let body = json!({ "ids": [id] });
                cluster
                    .ask("DELETE", "/_security/api_key", Some(body))
                    .await
            }
            None => cluster.ask("DELETE", path, None).await,
        };
        answer.map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

#[test]
fn test_output_is_parsed() {
    let output = "\
test a::one ... ok
test a::two ... FAILED
test a::three ... FAILED

failures:

---- a::two stdout ----

thread 'a::two' panicked at x.rs:1:1:
not portable: moves the clock
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- a::three stdout ----
left: 1

failures:
    a::two
";
    let expected = [
        ("a::one".to_owned(), Verdict::Held),
        (
            "a::two".to_owned(),
            Verdict::NotPortable("moves the clock".to_owned()),
        ),
        (
            "a::three".to_owned(),
            Verdict::Differs("left: 1".to_owned()),
        ),
    ];
    assert_eq!(read(output), expected);
}
