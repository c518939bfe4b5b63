//! The audit log's chain: that it is whole, however many write, and that it shows whatever was done to it.

use crate::support::{
    App, NOW,
    attacker::Attacker,
    events::{event_context, intent, one_of_every_action, secrets_are_sent},
    on_each_database,
    postgres::Postgres,
    trail,
};
use app::model::audit::Action;
use http::StatusCode;
use serde_json::json;
use server::{
    audit::{
        Event, Outcome,
        anchors::{ANCHOR_EVENTS, ANCHOR_INTERVAL, Anchoring, Anchors},
        verify::{Error, Wrong, verify},
    },
    store::Store,
};
use std::{path::Path, process::Command};

on_each_database!(
    chain_of_every_action_verifies,
    concurrent_writers_leave_no_gap_in_the_chain
);

async fn chain_of_every_action_verifies(app: &App) {
    one_of_every_action(app).await;
    let verified = verify(app.store(), &[]).await.unwrap();
    assert_eq!(
        verified.last,
        app.store().audit_head().await.unwrap().sequence
    );
}

async fn concurrent_writers_leave_no_gap_in_the_chain(app: &App) {
    const WRITERS: usize = 16;
    const EACH: usize = 4;
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
}

#[tokio::test]
async fn database_refuses_to_change_or_remove_an_event() {
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
    let postgres = Postgres::start();
    let url = postgres.url().into();
    let store = Store::open(Some(&url), Path::new("/nonexistent"), trail());
    let store = store.await.unwrap();
    store
        .record(&refused_sign_in(), &event_context(1))
        .await
        .unwrap();
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

fn trial(number: usize, random: &mut fastrand::Rng) -> Trial {
    let row = random.i64(2..=LENGTH - 1);
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
            let change = changes[random.usize(..changes.len())];
            let sql = format!("UPDATE audit_events SET {change} WHERE sequence = {row}");
            ("edit", vec![sql], row)
        }
        1 => {
            let mut sql = vec![format!("DELETE FROM audit_events WHERE sequence = {row}")];
            if random.bool() {
                sql.push(shift(row, -1));
                sql.push(unshift());
            }
            ("delete", sql, row)
        }
        2 => {
            let other = random.i64(row + 1..=LENGTH);
            let sql = vec![
                format!("UPDATE audit_events SET sequence = -1 WHERE sequence = {row}"),
                format!("UPDATE audit_events SET sequence = {row} WHERE sequence = {other}"),
                format!("UPDATE audit_events SET sequence = {other} WHERE sequence = -1"),
            ];
            ("swap", sql, row)
        }
        3 => {
            let copied = random.i64(1..=row - 1);
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
async fn tampering_is_found_at_its_row() {
    const TRIALS: usize = 30;
    let seed = std::env::var("AGENT_KEYS_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_214);
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(None, directory.path(), trail()).await.unwrap();
    let anchors = Anchors::new(directory.path());
    for number in 1..=LENGTH {
        store
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
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
async fn removed_end_is_found_only_by_a_later_anchor() {
    let app = App::start().await;
    for number in 0..20 {
        app.store()
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
    }
    let mut anchoring = Anchoring::resume(app.application.state(), anchors(&app))
        .await
        .unwrap();
    assert!(anchoring.anchor(app.application.state()).await.unwrap());
    let mut attacker = Attacker::of(&app).await;
    attacker.drop_triggers().await;
    attacker
        .run("DELETE FROM audit_events WHERE sequence > 10")
        .await;
    attacker.mend_head().await;
    // This is what the chain alone cannot see, and why the anchors are elsewhere.
    assert_eq!(verify(app.store(), &[]).await.unwrap().rows, 10);
    let anchors = anchors(&app).read().unwrap();
    let cut = verify(app.store(), &anchors).await;
    assert!(matches!(cut, Err(Error::Wrong(Wrong::Cut(11)))), "{cut:?}");
    // Nor does it help to go on writing until the log is long enough again.
    for number in 0..20 {
        app.store()
            .record(&intent(number), &event_context(number))
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
async fn log_is_anchored_by_count_by_time_and_at_shutdown() {
    let app = App::start().await;
    let state = app.application.state().clone();
    // A file of its own: the application anchors to its own file meanwhile.
    let directory = tempfile::tempdir().unwrap();
    let own = Anchors::new(directory.path());
    let mut anchoring = Anchoring::resume(&state, own.clone()).await.unwrap();
    app.as_admin().await;
    assert!(!anchoring.anchor_if_due(&state).await.unwrap());
    app.clock.advance(ANCHOR_INTERVAL);
    assert!(anchoring.anchor_if_due(&state).await.unwrap());
    assert!(!anchoring.anchor_if_due(&state).await.unwrap());
    for number in 1..ANCHOR_EVENTS {
        state
            .store
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
    }
    assert!(!anchoring.anchor_if_due(&state).await.unwrap());
    state
        .store
        .record(&intent(0), &event_context(0))
        .await
        .unwrap();
    assert!(anchoring.anchor_if_due(&state).await.unwrap());
    let sequences = |anchors: &Anchors| -> Vec<i64> {
        let anchors = anchors.read().unwrap();
        anchors.iter().map(|anchor| anchor.sequence).collect()
    };
    assert_eq!(sequences(&own), [1, 1 + ANCHOR_EVENTS]);
    app.nobody().sign_in("elastic", "wrong").await;
    let anchors = anchors(&app);
    let App {
        application,
        data_dir,
        ..
    } = app;
    application.stop().await;
    assert_eq!(sequences(&anchors).last(), Some(&(2 + ANCHOR_EVENTS)));
    let about = std::fs::metadata(data_dir.path().join("audit-anchors.jsonl")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn verify_command_works_on_a_running_application() {
    let app = App::start().await;
    one_of_every_action(&app).await;
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

fn anchors(app: &App) -> Anchors {
    Anchors::new(app.data_dir.path())
}

fn refused_sign_in() -> Event<'static> {
    Event::new(Action::UserLogin)
        .outcome(Outcome::Failure)
        .details(json!({ "reason": "not accepted" }))
}
