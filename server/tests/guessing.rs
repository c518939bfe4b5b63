//! Sign-in under attack: failures are not forgotten, and refusals reveal no user name.

use crate::support::{
    Answer, App, Browser, PASSWORD, Setup, attacker::Attacker, client_with, config, engine::Engine,
    process::Process, proxy::Proxy, seeded, soak,
};
use app::model::problem::ProblemKind;
use http::{Method, StatusCode};
use platform::Clock;
use server::{
    application::Application,
    config::{Config, Elasticsearch},
    sessions::rate_limit::limit_keys,
};
use sqlx::{AnyConnection, Connection, Row};
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const AUTHENTICATE: &str = "GET /_security/_authenticate";

/// A browser on another machine.
fn at(url: &str, machine: usize) -> Browser {
    let [.., a, b, c] = u32::try_from(machine + 2).unwrap().to_be_bytes();
    let address = Ipv4Addr::new(127, a, b, c);
    Browser {
        url: url.to_owned(),
        cookie: None,
        user: None,
        http: client_with(|builder| builder.local_address(Some(address.into()))),
    }
}

/// What is counted of an account: failures, and when it may be tried again. And how many subjects there are.
async fn counted(data_dir: &Path, username: &str) -> (i64, i64, i64) {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", data_dir.join("agent-keys.db").display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let row = sqlx::query(
        "SELECT failures, next_at, (SELECT COUNT(*) FROM sign_in_attempts) AS subjects \
         FROM sign_in_attempts WHERE subject = $1",
    )
    .bind(limit_keys(username, None, None).account)
    .fetch_one(&mut connection)
    .await
    .unwrap();
    (row.get("failures"), row.get("next_at"), row.get("subjects"))
}

/// Two hundred thousand names that were tried lately.
const FULL: &str = "INSERT INTO sign_in_attempts (subject, failures, refusals, tried_at, next_at) \
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) \
     SELECT 'subject ' || i, 9, 0, 4102444800000, 4102444800000 FROM n";

#[tokio::test]
async fn full_table_of_attempts_locks_out_no_known_address() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    // The address is counted.
    app.nobody().sign_in("someone", "wrong").await;
    let mut database = Attacker::of(&app).await;
    database.run(FULL).await;
    drop(database);
    let signed_in = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK);
    // The control: guesses are still counted, by their address.
    for _ in 0..9 {
        app.nobody().sign_in("ada", "wrong").await;
    }
    let paused = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(paused.problem(), ProblemKind::SignInRejected);
}

#[tokio::test]
async fn failures_survive_a_flood_of_names_and_a_kill() {
    const NAMES_EACH: usize = 10;
    let machines = soak(10, 1_000);
    let engine = Engine::start(&Clock::system()).await;
    engine.put_user("ada", &[]).await;
    let proxy = Proxy::start(engine.address()).await;
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &proxy.url());
    let mut attacker = at(&process.url, 0);
    for _ in 0..3 {
        let answer = attacker.sign_in("ada", "guess").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let (failures, next_at, _) = counted(directory.path(), "ada").await;
    assert_eq!(failures, 3);
    let memory = process.memory_kib("VmRSS");
    for machine in 1..=machines {
        let browser = at(&process.url, machine);
        let tries = (0..NAMES_EACH).map(|number| {
            let mut browser = browser.clone();
            async move {
                let name = format!("name-{machine}-{number}");
                browser.sign_in(&name, "guess").await.status
            }
        });
        let statuses = futures::future::join_all(tries).await;
        assert!(
            statuses
                .iter()
                .all(|status| *status == StatusCode::UNAUTHORIZED)
        );
    }
    let growth = process.memory_kib("VmRSS") - memory;
    println!(
        "memory grew by {growth} KiB with {} names",
        machines * NAMES_EACH
    );
    assert!(growth < 65_536, "{growth} KiB");
    // `kill -9`.
    drop(process);
    let (failures, next_at_afterwards, subjects) = counted(directory.path(), "ada").await;
    assert_eq!((failures, next_at_afterwards), (3, next_at));
    let names = i64::try_from(machines * NAMES_EACH).unwrap();
    assert!(subjects > names, "the control: each name was counted");
    // The next process, a moment before the pause ends.
    let clock = Clock::manual(next_at - 1);
    let config = Config {
        elasticsearch: Elasticsearch::Cluster(Box::new(server::config::Cluster::from(
            format!("{}/", proxy.url()).parse::<url::Url>().unwrap(),
        ))),
        ..config(directory.path())
    };
    let next = Application::start(config, clock.clone()).await.unwrap();
    let mut ada = at(&next.url(), machines + 1);
    let asked = proxy.count(AUTHENTICATE);
    let answer = ada.sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(proxy.count(AUTHENTICATE), asked, "nobody was asked");
    clock.advance(Duration::from_millis(1));
    let answer = ada.sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Everything of an answer by which it could be told from another; what differs in every answer is left out.
fn face(answer: &Answer, username: &str) -> String {
    let policy = answer.header("content-security-policy").unwrap();
    let nonce = policy.split('\'').nth(3).unwrap();
    let nonce = nonce.strip_prefix("nonce-").unwrap().to_owned();
    let id = answer.header("x-request-id").unwrap().to_owned();
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    format!(
        "{}\n{}\n\n{}",
        answer.status,
        headers.join("\n"),
        answer.text()
    )
    .replace(&nonce, "NONCE")
    .replace(&id, "REQUEST")
    .replace(username, "NAME")
}

/// Why a sign-in is refused: what nobody shall find out.
const REASONS: [&str; 4] = ["unknown", "mistyped", "disabled", "locked-up"];

#[tokio::test]
async fn refusal_does_not_reveal_which_users_exist() {
    let rounds = soak(5, 50);
    // What a password really costs takes too long for the short version; the times then say nothing.
    let hashing = match rounds {
        5 => embedded::PasswordHashing::FastForTests,
        _ => embedded::PasswordHashing::Standard,
    };
    let clock = Clock::manual(crate::support::NOW.0);
    let engine = Arc::new(Engine::start_hashing(&clock, hashing).await);
    let app = App::start_at(engine, clock, Setup::default()).await;
    let mut faces: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut random = seeded();
    for round in 0..rounds {
        let mut reasons = REASONS;
        random.shuffle(&mut reasons);
        for reason in reasons {
            // Each name has the same length, for so has each body.
            let name = format!("{}-{round:03}", &reason[..6]);
            if reason != "unknown" {
                app.engine.put_user(&name, &[]).await;
            }
            if reason == "disabled" {
                let path = format!("/_security/user/{name}/_disable");
                app.engine.ask(Method::PUT, &path, None).await;
            }
            if reason == "locked-up" {
                for _ in 0..3 {
                    app.nobody().sign_in(&name, "guess").await;
                }
            }
            let password = match reason {
                "mistyped" => "correct horse batterx",
                _ => PASSWORD,
            };
            let fields = [("username", name.as_str()), ("password", password)];
            // Nothing but the answer itself shall be timed.
            let browser = app.nobody();
            browser.get("/health/live").await;
            let began = Instant::now();
            let by_script = browser.post("sign_in", &fields).await;
            times.entry(reason).or_default().push(began.elapsed());
            let by_form = app.nobody().submit("/login", "sign_in", &fields).await;
            for (way, answer) in [("script", by_script), ("form", by_form)] {
                *faces.entry((way, face(&answer, &name))).or_default() += 1;
            }
            // One address may not fail so often.
            app.clock.advance(Duration::from_secs(60));
        }
    }
    for (reason, times) in &mut times {
        times.sort();
        let median = times[times.len() / 2];
        println!("{reason}: median {} µs", median.as_micros());
    }
    // The control: somebody who gets in is told from them.
    let fields = [("username", "elastic"), ("password", PASSWORD)];
    let accepted = app.nobody().post("sign_in", &fields).await;
    assert!(!faces.contains_key(&("script", face(&accepted, "elastic"))));
    for way in ["script", "form"] {
        let mut of_way = faces.keys().filter(|(known, _)| *known == way);
        let (first, second) = (of_way.next().unwrap(), of_way.next());
        assert_eq!(second.map(|(_, face)| face), None, "not {}", first.1);
    }
}
