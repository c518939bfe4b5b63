//! The audit log: that it is whole, that it shows when it is not, that nobody reads it who may not, and that
//! nothing is changed that could not be written down.

use crate::support::{
    Answer, App, Browser, NOW, PASSWORD, Setup, eventually, postgres::Postgres, proxy::Proxy, trail,
};
use app::model::{
    agent_key::CreatedAgentKey,
    audit::{Action, AuditEvent, AuditPage, AuditPlace, AuditQuery, ROWS},
    problem::ProblemKind,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use server::{
    audit::{Event, Origin, Outcome, Stamp, Target, anchor::Anchors},
    audit_log::{
        anchor::{Anchoring, EVENTS, EVERY_MS},
        verify::{Error, Wrong, verify},
    },
    request_id::RequestId,
    store::Store,
};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use std::{collections::BTreeSet, path::Path, process::Command, sync::Arc, time::Duration};

const HOSTILE: &str = "a\r\nb\u{1b}[31m\",\"outcome\":\"success";

impl App {
    fn store(&self) -> &Store {
        &self.application.services().store
    }

    fn anchors(&self) -> Anchors {
        Anchors::new(self.data_dir.path())
    }
}

async fn page(browser: &Browser, change: impl FnOnce(&mut AuditQuery)) -> Answer {
    let mut query = AuditQuery::default();
    change(&mut query);
    let question = app::questions::audit::ReadAudit { query };
    let body = postcard::to_allocvec(&question).unwrap();
    browser.post_bytes("read_audit", body).await
}

async fn export(browser: &Browser, path: &str) -> Answer {
    Answer::of(browser.request(Method::GET, &format!("/settings/audit/export.{path}"))).await
}

/// Somebody who has the database and not the key.
struct Attacker(AnyConnection);

impl Attacker {
    async fn with(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        Self(AnyConnection::connect(url).await.unwrap())
    }

    async fn with_file(path: &Path) -> Self {
        Self::with(&format!("sqlite://{}", path.display())).await
    }

    async fn of(app: &App) -> Self {
        Self::with_file(&app.data_dir.path().join("agent-keys.db")).await
    }

    async fn try_to(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.0.execute(AssertSqlSafe(sql)).await.map(|_| ())
    }

    async fn run(&mut self, sql: &str) {
        self.try_to(sql).await.unwrap();
    }

    /// On SQLite.
    async fn drop_triggers(&mut self) {
        self.run("DROP TRIGGER audit_events_stay; DROP TRIGGER audit_events_remain")
            .await;
    }

    /// Makes the head fit what is left.
    async fn mend_head(&mut self) {
        self.run(
            "UPDATE audit_head SET sequence = (SELECT MAX(sequence) FROM audit_events), mac = \
             (SELECT mac FROM audit_events ORDER BY sequence DESC LIMIT 1)",
        )
        .await;
    }
}

/// Everything that can happen, once.
async fn work_for_a_day(app: &App) {
    let admin = app.as_admin().await;
    let ok = |answer: Answer| assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let wrong = app.nobody().sign_in("elastic", "wrong").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    ok(admin.post("put_agent_key_role", &[]).await);
    let newcomer = [
        ("form[username]", "newcomer"),
        ("form[password]", PASSWORD),
        ("form[agent_key_role]", "on"),
    ];
    ok(admin.post("create_user", &newcomer).await);
    let ada = app.as_user("newcomer").await;
    let created: CreatedAgentKey = ada.create("checkout").await.value();
    secrets_are_sent(app).await;
    let operation = [("operation", created.operation.as_str())];
    ok(ada.post("acknowledge_agent_key", &operation).await);
    ok(ada
        .post("revoke_agent_key", &[("id", created.id.as_str())])
        .await);
    let user = ("username", "newcomer");
    ok(admin
        .post("assign_agent_key_role", &[user, ("assigned", "false")])
        .await);
    let refused = ada.create("too late").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    ok(admin
        .post("reset_password", &[user, ("password", "another one")])
        .await);
    // The old password is worth nothing any more, and the session with it.
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::UNAUTHORIZED);
    ok(admin
        .post("set_user_enabled", &[user, ("enabled", "false")])
        .await);
    ok(admin
        .post("set_user_enabled", &[user, ("enabled", "true")])
        .await);
    ok(admin.post("delete_user", &[user]).await);
    let settings = [("form[server_url]", ""), ("form[api_key_limit]", "100")];
    ok(admin.post("save_apm_settings", &settings).await);
    ok(export(&admin, "jsonl").await);
    ok(admin.post("sign_out", &[]).await);
}

/// Waits for what is written down after the answer: that each new key's secret was sent.
async fn secrets_are_sent(app: &App) {
    eventually("the secrets are sent", async || {
        let events = app.events().await;
        let count = |action: &str| {
            let happened = events
                .iter()
                .filter(|event| event.action == action && event.outcome == "success");
            happened.count()
        };
        count("agent_key_create") == count("agent_key_secret_sent")
    })
    .await;
}

/// Runs the story on SQLite, and on PostgreSQL if there is one.
async fn on_both_engines(story: impl AsyncFn(&App, &str)) {
    story(&App::start().await, "SQLite").await;
    let Some(postgres) = Postgres::start() else {
        println!("skipped: no PostgreSQL to start, and AGENT_KEYS_TEST_POSTGRES_URL is not set");
        return;
    };
    let setup = Setup {
        database_url: Some(postgres.url().to_owned()),
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    story(&app, "PostgreSQL").await;
    app.application.stop().await;
}

#[tokio::test]
async fn the_chain_verifies_after_a_days_work() {
    on_both_engines(async |app, engine| {
        work_for_a_day(app).await;
        let verified = verify(app.store(), &[]).await.unwrap();
        assert_eq!(
            verified.last,
            app.store().audit_head().await.unwrap().sequence
        );
        println!("R34 pass {engine} rows={}", verified.rows);
    })
    .await;
}

#[tokio::test]
async fn everything_that_can_happen_is_written_down_with_what_every_event_has() {
    let setup = Setup {
        audit_log: true,
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    work_for_a_day(&app).await;
    let events = app.events().await;
    let seen: BTreeSet<_> = events.iter().map(|event| event.action.as_str()).collect();
    // What happens by itself, or not in a day that goes well, is in the stories of the ledger and of signing in.
    let by_itself = [
        Action::LoginThrottled,
        Action::AgentKeyNeverDelivered,
        Action::AgentKeyDrift,
        Action::AppRecovered,
    ];
    let all: BTreeSet<_> = Action::ALL
        .into_iter()
        .filter(|action| !by_itself.contains(action))
        .map(Action::name)
        .collect();
    assert_eq!(seen, all);
    let data_dir = app.data_dir.path().to_owned();
    let App {
        application,
        data_dir: _kept,
        ..
    } = app;
    application.stop().await;

    // Stopped, every committed event is a line of the shipped file, and nothing else is.
    let shipped = std::fs::read_to_string(data_dir.join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = shipped
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), events.len());
    let mut ids = BTreeSet::new();
    for (event, line) in events.iter().zip(&lines) {
        for mandatory in [
            "/@timestamp",
            "/event/id",
            "/event/sequence",
            "/event/kind",
            "/event/dataset",
            "/event/action",
            "/event/category/0",
            "/event/type/0",
            "/event/outcome",
            "/event/hash",
            "/agent_keys/audit/prev_hash",
            "/ecs/version",
            "/service/name",
            "/service/version",
            "/trace/id",
            "/message",
        ] {
            assert!(line.pointer(mandatory).is_some(), "{mandatory}: {line}");
        }
        assert_eq!(line["source"]["ip"], "127.0.0.1");
        assert_eq!(line["event"]["sequence"], event.sequence);
        assert_eq!(line["event"]["hash"], event.mac.as_str());
        assert!(ids.insert(line["event"]["id"].as_str().unwrap().to_owned()));
        if event.actor.is_some() {
            let session = line["agent_keys"]["session"]["ref"].as_str().unwrap();
            assert_eq!(session.len(), 16, "{line}");
        }
    }
    assert!(!shipped.contains(PASSWORD) && !shipped.contains("another one"));
    println!(
        "R36 pass {}/{} actions, {} lines",
        seen.len(),
        all.len(),
        lines.len()
    );
}

#[tokio::test]
async fn hostile_names_stay_within_one_line() {
    let setup = Setup {
        audit_log: true,
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    let admin = app.as_admin().await;
    // Past our own rules, as another client of Elasticsearch could.
    let key = app.engine.kibana_key("elastic", HOSTILE).await;
    admin.post("revoke_agent_key", &[("id", &key)]).await;
    let exported = export(&admin, "jsonl").await.text();
    let shown = admin.get("/settings/audit").await;
    assert_eq!(shown.status, StatusCode::OK);
    let events = app.events().await.len();
    let App {
        application,
        data_dir,
        ..
    } = app;
    application.stop().await;
    let shipped = std::fs::read_to_string(data_dir.path().join("audit.jsonl")).unwrap();
    for (text, place) in [(&exported, "/record"), (&shipped, "")] {
        let lines: Vec<_> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), events);
        assert!(!text.contains(['\r', '\u{1b}']));
        let named = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| {
                line.pointer(&format!("{place}/agent_keys/api_key/name")) == Some(&json!(HOSTILE))
            })
            .count();
        assert_eq!(named, 2, "intent and outcome");
    }
    println!("R36 pass hostile names: {events} events, {events} lines");
}

#[tokio::test]
async fn sixteen_writers_at_once_leave_no_gap() {
    const WRITERS: usize = 16;
    const EACH: usize = 4;
    on_both_engines(async |app, engine| {
        let admin = app.as_admin().await;
        let before = app.events().await.len();
        let writers = (0..WRITERS).map(|writer| {
            let admin = admin.clone();
            async move {
                for number in 0..EACH {
                    let answer = admin.create(&format!("{writer}-{number}")).await;
                    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
                }
            }
        });
        futures::future::join_all(writers).await;
        secrets_are_sent(app).await;
        let events = app.events().await;
        let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
        // Of each key: the intent, the outcome, the secret sent.
        let expected = before + 3 * WRITERS * EACH;
        let counted: Vec<_> = (1..).take(expected).collect();
        assert_eq!(sequences, counted);
        verify(app.store(), &[]).await.unwrap();
        println!("R35 pass {engine} writers={WRITERS} rows={expected}");
    })
    .await;
}

#[tokio::test]
async fn the_database_refuses_to_change_or_remove_an_event() {
    let app = App::start().await;
    app.as_admin().await;
    let mut attacker = Attacker::of(&app).await;
    let attempts = [
        "UPDATE audit_events SET outcome = 'failure' WHERE sequence = 1",
        "DELETE FROM audit_events",
    ];
    for attempt in attempts {
        let refused = attacker.try_to(attempt).await.unwrap_err().to_string();
        assert!(refused.contains("only ever added"), "{refused}");
    }
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.url().into();
    let store = Store::open(Some(&url), Path::new("/nonexistent"), trail());
    let store = store.await.unwrap();
    store.record(&refused_sign_in(), &stamp(1)).await.unwrap();
    let mut attacker = Attacker::with(postgres.url()).await;
    for attempt in attempts.into_iter().chain(["TRUNCATE audit_events"]) {
        let refused = attacker.try_to(attempt).await.unwrap_err().to_string();
        assert!(refused.contains("only ever added"), "{refused}");
    }
    store.close().await;
}

/// What a trial does, and the row at which it must be found.
struct Trial {
    name: &'static str,
    sql: Vec<String>,
    row: i64,
}

/// Events in the log that is attacked; the last anchor is this many before its end.
const LENGTH: i64 = 120;
const AFTER_ANCHOR: i64 = 3;

fn trial(number: usize, random: &mut Lcg) -> Trial {
    let row = random.between(2, LENGTH - 1);
    let (name, sql, row) = match number % 6 {
        0 => {
            let changes = [
                "outcome = 'failure'",
                "actor = 'somebody'",
                "at = at + 1",
                "target_name = 'another'",
                "details = '{}'",
                "request_id = 'r'",
                "record = REPLACE(record, 'unknown', 'success')",
                "record = REPLACE(record, '\"name\":\"k', '\"name\":\"x')",
                "record = record || ' '",
                "mac = REPLACE(mac, SUBSTR(mac, 1, 1), 'g')",
                "record = 'nonsense'",
            ];
            let change = changes[random.below(changes.len())];
            let sql = format!("UPDATE audit_events SET {change} WHERE sequence = {row}");
            ("edit", vec![sql], row)
        }
        1 => {
            let mut sql = vec![format!("DELETE FROM audit_events WHERE sequence = {row}")];
            if random.below(2) == 0 {
                sql.push(shift(row, -1));
                sql.push(unshift());
            }
            ("delete", sql, row)
        }
        2 => {
            let other = random.between(row + 1, LENGTH);
            let sql = vec![
                format!("UPDATE audit_events SET sequence = -1 WHERE sequence = {row}"),
                format!("UPDATE audit_events SET sequence = {row} WHERE sequence = {other}"),
                format!("UPDATE audit_events SET sequence = {other} WHERE sequence = -1"),
            ];
            ("swap", sql, row)
        }
        3 => {
            let copied = random.between(1, row - 1);
            let columns = "at, actor, actor_realm, action, outcome, target_id, target_name, \
                 operation, request_id, details, record, mac";
            let sql = vec![
                shift(row, 1),
                unshift(),
                format!(
                    "INSERT INTO audit_events (sequence, {columns}) SELECT {row}, {columns} FROM \
                     audit_events WHERE sequence = {copied}"
                ),
            ];
            ("insert", sql, row)
        }
        4 => {
            let sql = format!("DELETE FROM audit_events WHERE sequence > {LENGTH} - 10");
            ("cut", vec![sql], LENGTH - 9)
        }
        _ => {
            // Everything that can be computed without the key is made to fit, and the triggers are put back.
            let sql = format!(
                "UPDATE audit_events SET outcome = 'failure', record = REPLACE(record, \
                 '\"outcome\":\"unknown\"', '\"outcome\":\"failure\"') WHERE sequence = {row}"
            );
            let triggers = "CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events BEGIN \
                 SELECT RAISE(ABORT, 'no'); END";
            ("drop triggers, edit", vec![sql, triggers.to_owned()], row)
        }
    };
    Trial { name, sql, row }
}

/// Numbers are unique at every moment, so rows move by way of negative ones.
fn shift(from: i64, by: i64) -> String {
    format!("UPDATE audit_events SET sequence = -(sequence + {by}) WHERE sequence >= {from}")
}

fn unshift() -> String {
    "UPDATE audit_events SET sequence = -sequence WHERE sequence < 0".to_owned()
}

#[tokio::test]
async fn whatever_is_done_to_the_log_is_found_at_its_row() {
    const TRIALS: usize = 30;
    let seed = std::env::var("AGENT_KEYS_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_214);
    let mut random = Lcg(seed);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(None, directory.path(), trail()).await.unwrap();
    let anchors = Anchors::new(directory.path());
    for number in 1..=LENGTH {
        store.record(&intent(number), &stamp(number)).await.unwrap();
        if number == 50 || number == LENGTH - AFTER_ANCHOR {
            let head = store.audit_head().await.unwrap();
            anchors.add(NOW, head.sequence, &head.mac).unwrap();
        }
    }
    store.close().await;
    let anchors = anchors.read().unwrap();
    let file = directory.path().join("agent-keys.db");

    let mut found = 0;
    for number in 0..TRIALS {
        let Trial { name, sql, row } = trial(number, &mut random);
        let copy = tempfile::tempdir().unwrap();
        let attacked = copy.path().join("agent-keys.db");
        std::fs::copy(&file, &attacked).unwrap();
        let mut attacker = Attacker::with_file(&attacked).await;
        attacker.drop_triggers().await;
        for sql in sql {
            attacker.run(&sql).await;
        }
        attacker.mend_head().await;
        drop(attacker);
        let store = Store::open_to_read(None, copy.path(), trail())
            .await
            .unwrap();
        match verify(&store, &anchors).await {
            Err(Error::Wrong(wrong)) if wrong.row() == row => found += 1,
            other => println!("trial {number} ({name}) at row {row}: {other:?}"),
        }
        store.close().await;
    }
    println!("R34 pass {found}/{TRIALS} seed={seed}");
    assert_eq!(found, TRIALS);

    // The control: a log that nobody has touched is not accused, and a detector that accuses everybody is none.
    let store = Store::open_to_read(None, directory.path(), trail())
        .await
        .unwrap();
    let verified = verify(&store, &anchors).await.unwrap();
    assert_eq!((verified.rows, verified.anchors), (LENGTH, 2));
    store.close().await;
}

#[tokio::test]
async fn a_cut_end_is_found_only_by_an_anchor_beyond_it() {
    let app = App::start().await;
    for number in 0..20 {
        app.store()
            .record(&intent(number), &stamp(number))
            .await
            .unwrap();
    }
    let mut anchoring = Anchoring::resume(app.application.services(), app.anchors())
        .await
        .unwrap();
    assert!(anchoring.anchor(app.application.services()).await.unwrap());
    let mut attacker = Attacker::of(&app).await;
    attacker.drop_triggers().await;
    attacker
        .run("DELETE FROM audit_events WHERE sequence > 10")
        .await;
    attacker.mend_head().await;
    // This is what the chain alone cannot see, and why the anchors are elsewhere.
    assert_eq!(verify(app.store(), &[]).await.unwrap().rows, 10);
    let anchors = app.anchors().read().unwrap();
    let cut = verify(app.store(), &anchors).await;
    assert!(matches!(cut, Err(Error::Wrong(Wrong::Cut(11)))), "{cut:?}");
    // Nor does it help to go on writing until the log is long enough again.
    for number in 0..20 {
        app.store()
            .record(&intent(number), &stamp(number))
            .await
            .unwrap();
    }
    let grown = verify(app.store(), &anchors).await;
    assert!(
        matches!(grown, Err(Error::Wrong(Wrong::NotAnchored(20)))),
        "{grown:?}"
    );
}

#[tokio::test]
async fn events_from_before_the_chain_are_chained_once() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || Store::open(None, directory.path(), trail()).await.unwrap();
    let store = open().await;
    for number in 1..=5 {
        store.record(&intent(number), &stamp(number)).await.unwrap();
    }
    let anchors = Anchors::new(directory.path());
    anchors
        .add(NOW, 5, &store.audit_head().await.unwrap().mac)
        .unwrap();
    store.close().await;
    // As a database of the first migration is.
    let mut attacker = Attacker::with_file(&directory.path().join("agent-keys.db")).await;
    attacker.drop_triggers().await;
    attacker
        .run("UPDATE audit_events SET record = '', mac = ''; UPDATE audit_head SET mac = ''")
        .await;
    let store = open().await;
    store.record(&intent(6), &stamp(6)).await.unwrap();
    assert_eq!(verify(&store, &[]).await.unwrap().rows, 6);
    // Whoever takes the codes away to have the application chain an edited log gets another chain.
    let anew = verify(&store, &anchors.read().unwrap()).await;
    assert!(
        matches!(anew, Err(Error::Wrong(Wrong::NotAnchored(5)))),
        "{anew:?}"
    );
    let before = store.audit_head().await.unwrap();
    store.close().await;
    let store = open().await;
    assert_eq!(store.audit_head().await.unwrap(), before);
    store.close().await;
}

#[tokio::test]
async fn the_log_is_anchored_every_so_often_and_at_the_end() {
    let app = App::start().await;
    let services = app.application.services().clone();
    let mut anchoring = Anchoring::resume(&services, app.anchors()).await.unwrap();
    app.as_admin().await;
    assert!(!anchoring.anchor_if_due(&services).await.unwrap());
    app.clock.advance(Duration::from_millis(EVERY_MS as u64));
    assert!(anchoring.anchor_if_due(&services).await.unwrap());
    assert!(!anchoring.anchor_if_due(&services).await.unwrap());
    for number in 1..EVENTS {
        services
            .store
            .record(&intent(number), &stamp(number))
            .await
            .unwrap();
    }
    assert!(!anchoring.anchor_if_due(&services).await.unwrap());
    services.store.record(&intent(0), &stamp(0)).await.unwrap();
    assert!(anchoring.anchor_if_due(&services).await.unwrap());
    app.nobody().sign_in("elastic", "wrong").await;
    let anchors = app.anchors();
    let App {
        application,
        data_dir,
        ..
    } = app;
    application.stop().await;
    let sequences: Vec<_> = anchors
        .read()
        .unwrap()
        .iter()
        .map(|anchor| anchor.sequence)
        .collect();
    assert_eq!(sequences, [1, 1 + EVENTS, 2 + EVENTS]);
    let about = std::fs::metadata(data_dir.path().join("audit-anchors.jsonl")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn the_command_verifies_while_the_application_runs() {
    let app = App::start().await;
    work_for_a_day(&app).await;
    let verify = || {
        Command::new(env!("CARGO_BIN_EXE_agent-keys"))
            .env_clear()
            .env("AGENT_KEYS_DATA_DIR", app.data_dir.path())
            .current_dir(app.data_dir.path())
            .args(["audit", "verify"])
            .output()
            .unwrap()
    };
    let rows = app.events().await.len();
    let whole = verify();
    let told = String::from_utf8(whole.stdout).unwrap();
    assert!(whole.status.success(), "{:?}", whole.stderr);
    assert!(
        told.contains(&format!(
            "{rows} rows verified, the last one is number {rows};"
        )),
        "{told}"
    );
    let mut attacker = Attacker::of(&app).await;
    attacker.drop_triggers().await;
    attacker
        .run("UPDATE audit_events SET actor = 'somebody' WHERE sequence = 3")
        .await;
    let edited = verify();
    let told = String::from_utf8(edited.stderr).unwrap();
    assert_eq!(edited.status.code(), Some(1));
    assert!(told.contains("row 3 was edited"), "{told}");
    // Nothing was written, and it says so where there is nothing to read.
    assert_eq!(app.events().await.len(), rows);
    let elsewhere = tempfile::tempdir().unwrap();
    let nothing = Command::new(env!("CARGO_BIN_EXE_agent-keys"))
        .env_clear()
        .env("AGENT_KEYS_DATA_DIR", elsewhere.path())
        .args(["audit", "verify"])
        .output()
        .unwrap();
    assert!(!nothing.status.success());
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let outer = App::start().await;
    let proxy = Arc::new(Proxy::start(outer.engine.address()).await);
    let setup = Setup {
        elasticsearch: Some(proxy.url()),
        ..Setup::default()
    };
    let app = App::start_at(outer.engine.clone(), outer.clock.clone(), setup).await;
    let admin = app.as_admin().await;
    app.engine.put_user("bystander", &[]).await;
    let key = app.engine.kibana_key("elastic", "stays").await;
    let mut saboteur = Attacker::of(&app).await;
    saboteur
        .run(
            "CREATE TRIGGER disk_full BEFORE INSERT ON audit_events BEGIN \
             SELECT RAISE(ABORT, 'database or disk is full'); END",
        )
        .await;
    let user = ("username", "bystander");
    let refused = [
        admin.create("never").await,
        admin.post("revoke_agent_key", &[("id", &key)]).await,
        admin.post("put_agent_key_role", &[]).await,
        admin
            .post("assign_agent_key_role", &[user, ("assigned", "true")])
            .await,
        admin.post("delete_user", &[user]).await,
    ];
    for answer in &refused {
        assert_eq!(answer.problem(), ProblemKind::Storage);
    }
    let without_script = crate::support::key_form("op-no-script", "never either");
    let sentence = admin
        .submit(
            "/settings/agent-keys/new",
            "create_agent_key",
            &without_script,
        )
        .await;
    assert_eq!(sentence.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(sentence.text().contains("Nothing was changed"));
    for write in [
        "POST /_security/api_key",
        "DELETE /_security/api_key",
        "PUT /_security/",
        "POST /_security/user/bystander",
        "DELETE /_security/user",
    ] {
        assert_eq!(proxy.count(write), 0, "{write}");
    }
    // And the log is not handed out either, because that could not be written down.
    assert_eq!(
        export(&admin, "csv").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    saboteur.run("DROP TRIGGER disk_full").await;
    assert_eq!(admin.create("now it can").await.status, StatusCode::OK);
    verify(app.store(), &[]).await.unwrap();
    println!("R33 pass {} refused, 0 writes", refused.len() + 1);
}

#[tokio::test]
async fn only_who_manages_security_sees_the_log() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for path in [
        "/settings/audit",
        "/settings/audit/export.jsonl",
        "/settings/audit/export.csv?outcome=failure",
    ] {
        let refused = ada.get(path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        let text = refused.text();
        assert!(
            text.contains("manage_security (cluster)") && text.contains("ada"),
            "{text}"
        );
        assert!(!text.contains("user_login"));
    }
    let nobody = app
        .nobody()
        .get("/settings/audit/export.csv?person=a")
        .await;
    assert_eq!(
        nobody.header("location"),
        Some("/login?next=%2Fsettings%2Faudit%3Fperson%3Da")
    );
    app.engine
        .put_role("auditor", json!({ "cluster": ["manage_security"] }))
        .await;
    let auditor = app.with_user("auditor", &["auditor"]).await;
    let seen = auditor.get("/settings/audit").await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(seen.text().contains("Sign in"));
}

#[tokio::test]
async fn filters_and_pages_are_in_the_address() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for number in 0..ROWS as i64 {
        app.store()
            .record(&intent(number), &stamp(number))
            .await
            .unwrap();
    }
    let read = async |change: &dyn Fn(&mut AuditQuery)| -> AuditPage {
        page(&admin, |query| change(query)).await.value()
    };
    let numbers = |page: &AuditPage| page.events.iter().map(|event| event.sequence).collect();
    let first = read(&|_| {}).await;
    let shown: Vec<i64> = numbers(&first);
    assert_eq!(shown, (2..=26).rev().collect::<Vec<_>>());
    assert_eq!(
        (first.newer, first.older),
        (None, Some(AuditPlace::Before(2)))
    );
    let second = read(&|query| query.place = AuditPlace::Before(2)).await;
    let shown: Vec<i64> = numbers(&second);
    assert_eq!(shown, [1]);
    assert_eq!(second.older, None);
    let back = read(&|query| query.place = second.newer.unwrap()).await;
    assert_eq!(back.events, first.events);
    assert_eq!(back.newer, None);

    // By the address alone, as without a script.
    let get = async |parameters: &str| {
        let answer = admin.get(&format!("/settings/audit?{parameters}")).await;
        (answer.status, answer.text())
    };
    let (status, text) = get("action=user_login&person=ELAS&to=2026-12-14").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.contains("Event 1<") || text.contains("Events 1 to 1"),
        "{text}"
    );
    assert!(!text.contains("k-7"));
    let (_, text) = get("target=k-7").await;
    assert!(text.contains("k-7") && !text.contains("k-8"));
    let (_, text) = get("from=2027-01-01").await;
    assert!(text.contains("No event matches"));
    let (_, text) = get("").await;
    assert!(text.contains("href=\"/settings/audit?before=2\""));

    // Nonsense is passed over or named; it is never a fault.
    for nonsense in [
        "action=drop",
        "outcome=1",
        "before=abc",
        "before=-5",
        "after=9223372036854775807",
        "before=99999999999999999999999",
        "person=%00%ff",
        "target=%25%27%3B--",
    ] {
        assert_eq!(get(nonsense).await.0, StatusCode::OK, "{nonsense}");
    }
    for (days, sentence) in [
        (
            "from=2026-12-15&to=2026-12-14",
            "The first day is after the last",
        ),
        ("from=0000-00-00", "This is not a day of the calendar"),
        ("to=10000-01-01", "This is not a day of the calendar"),
    ] {
        let (status, text) = get(days).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{days}");
        assert!(text.contains(sentence), "{days}");
    }
}

#[tokio::test]
async fn an_event_is_shown_with_everything_that_was_written_down() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    admin.create("checkout").await;
    secrets_are_sent(&app).await;
    let page: AuditPage = page(&admin, |_| {}).await.value();
    let [_sent, outcome, intent, sign_in] = &page.events[..] else {
        panic!("{page:?}");
    };
    let shown = |event: &AuditEvent| (event.action.clone(), event.outcome);
    assert_eq!(
        shown(outcome),
        ("Create agent key".to_owned(), Outcome::Success)
    );
    assert_eq!(shown(intent).1, Outcome::Unknown);
    assert_eq!(shown(sign_in).0, "Sign in");
    assert_eq!(outcome.target_name.as_deref(), Some("checkout"));
    assert!(outcome.target_id.is_some());
    assert_eq!(outcome.request_id, intent.request_id);
    let record: Value = serde_json::from_str(&outcome.record).unwrap();
    assert_eq!(record["trace"]["id"], outcome.request_id.as_str());
    assert_eq!(record["agent_keys"]["api_key"]["name"], "checkout");
    let text = admin.get("/settings/audit").await.text();
    assert!(text.contains("Details of event ") && text.contains(&outcome.mac));
}

#[tokio::test]
async fn an_exports_lines_are_the_bytes_that_the_chain_covers() {
    let app = App::start().await;
    work_for_a_day(&app).await;
    let admin = app.as_admin().await;
    let answer = export(&admin, "jsonl").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let text = answer.text();
    let events = app.events().await;
    assert_eq!(text.lines().count(), events.len());
    // Whoever has the key and the file needs nothing else.
    let mut previous = String::new();
    for (line, event) in text.lines().zip(&events) {
        let (record, mac) = line
            .strip_prefix("{\"record\":")
            .and_then(|line| line.strip_suffix("\"}"))
            .and_then(|line| line.rsplit_once(",\"mac\":\""))
            .unwrap();
        assert_eq!(record, event.record);
        assert_eq!(mac, app.store().trail().key().mac(&previous, record));
        previous = mac.to_owned();
    }
    let last = events.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.actor.as_deref()),
        ("audit_export", Some("elastic"))
    );
    println!(
        "R36 pass export: {} of {} lines verified",
        events.len(),
        events.len()
    );

    // The same filters as on the page, and written down.
    let filtered = export(&admin, "jsonl?action=user_login&outcome=failure&before=1").await;
    assert_eq!(filtered.text().lines().count(), 1);
    let last = app.events().await.pop().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&last.details).unwrap(),
        json!({ "format": "jsonl", "filters": { "action": "user_login", "outcome": "failure" } })
    );
    let refused = export(&admin, "jsonl?from=2026-12-15&to=2026-12-14").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_export_is_read_in_parts_and_has_every_row_once() {
    let app = App::start().await;
    for number in 0..1_200 {
        app.store()
            .record(&intent(number), &stamp(number))
            .await
            .unwrap();
    }
    let admin = app.as_admin().await;
    let text = export(&admin, "jsonl").await.text();
    let sequences: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| line["record"]["event"]["sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(sequences, (1..=1_202).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_formula_in_a_name_is_text_in_a_spreadsheet() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "a,\"b\""] {
        assert_eq!(admin.create(name).await.status, StatusCode::OK, "{name}");
    }
    secrets_are_sent(&app).await;
    let answer = export(&admin, "csv").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    let text = answer.text();
    for cell in [
        "\"'=1+1\"",
        "\"'+1\"",
        "\"'-1\"",
        "\"'@SUM(A1)\"",
        "\"a,\"\"b\"\"\"",
    ] {
        assert_eq!(text.matches(cell).count(), 3, "{cell}: {text}");
    }
    assert!(!text.contains(",\"=") && !text.contains(",\"+") && !text.contains(",\"@"));
    assert_eq!(text.matches("\r\n").count(), app.events().await.len() + 1);
    println!("R32 pass cells starting with = + - @ are text");
}

fn stamp(number: i64) -> Stamp {
    Stamp {
        at: NOW.plus_ms(number),
        request_id: RequestId::new("request"),
        origin: Origin::default(),
    }
}

fn refused_sign_in() -> Event<'static> {
    Event {
        actor: None,
        action: Action::UserLogin,
        outcome: Outcome::Failure,
        target: Target::default(),
        operation: None,
        details: json!({ "reason": "not accepted" }),
    }
}

fn intent(number: i64) -> Event<'static> {
    Event {
        actor: None,
        action: Action::AgentKeyCreate,
        outcome: Outcome::Unknown,
        target: Target {
            id: None,
            name: Some(format!("k-{number}")),
        },
        operation: Some("operation"),
        details: json!({ "n": number }),
    }
}

/// A small generator of numbers that anybody can run again from its seed.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// Both ends included.
    fn between(&mut self, first: i64, last: i64) -> i64 {
        first + i64::try_from(self.below(usize::try_from(last - first + 1).unwrap())).unwrap()
    }
}
