//! What is too old goes, and nobody else can make anything go.

use crate::support::{
    App, NOW,
    attacker::Attacker,
    config,
    events::{event_context, intent},
};
use app::model::timestamp::{DAY_MS, Timestamp};
use platform::Clock;
use server::{
    application::Application,
    audit::{
        anchors::Anchor,
        verify::{Error, Wrong, verify},
    },
    database::resume_retention,
    maintenance,
    store::StoredEvent,
};
use std::time::Duration;

const OLD: i64 = 40;
const YOUNG: i64 = 20;

/// A log with old events and younger ones, and an anchor of each kind.
async fn with_history() -> (App, Vec<Anchor>) {
    let app = App::start().await;
    let mut anchors = Vec::new();
    for number in 0..OLD + YOUNG {
        let mut event_context = event_context(number);
        if number >= OLD {
            event_context.at = event_context.at.plus_ms(2 * DAY_MS);
        }
        app.store()
            .record(&intent(number), &event_context)
            .await
            .unwrap();
        if number == OLD / 2 || number == OLD + YOUNG / 2 {
            let head = app.store().audit_head().await.unwrap();
            anchors.push(Anchor {
                at: NOW.iso_ms(),
                sequence: head.sequence,
                mac: head.mac,
            });
        }
    }
    (app, anchors)
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

async fn tidy(app: &App) -> Vec<StoredEvent> {
    maintenance::run_once(app.application.state(), None).await;
    app.events().await
}

async fn found(app: &App, anchors: &[Anchor]) -> Wrong {
    match verify(app.store(), anchors).await {
        Err(Error::Wrong(wrong)) => wrong,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn expired_events_are_removed_and_the_rest_verifies() {
    let (app, anchors) = with_history().await;
    let before = app.events().await;
    // The control: on the first day of their age, nothing goes.
    app.clock.advance(days(400));
    assert_eq!(tidy(&app).await.len(), before.len());
    app.clock.advance(days(1) + Duration::from_secs(1));
    let after = tidy(&app).await;
    // The younger ones are what they were, and one tells what was removed.
    let young = &before[usize::try_from(OLD).unwrap()..];
    let records = |events: &[StoredEvent]| -> Vec<_> {
        events.iter().map(|event| event.record.clone()).collect()
    };
    let (tombstone, rest) = after.split_last().unwrap();
    assert_eq!(records(rest), records(young));
    assert_eq!(tombstone.action, "audit_retention_cut");
    let last_of_old = &before[usize::try_from(OLD).unwrap() - 1];
    assert!(tombstone.details.contains(&last_of_old.mac));
    let verified = verify(app.store(), &anchors).await.unwrap();
    assert_eq!((verified.rows, verified.last), (YOUNG + 1, OLD + YOUNG + 1));
    // Nothing is too old any more.
    assert_eq!(tidy(&app).await.len(), after.len());
    // And at last everything: what was said of it is what is left.
    app.clock.advance(days(2));
    let after = tidy(&app).await;
    assert_eq!(after.len(), 2);
    let verified = verify(app.store(), &anchors).await.unwrap();
    assert_eq!(verified.rows, 2);
    app.as_admin().await;
    verify(app.store(), &anchors).await.unwrap();
}

#[tokio::test]
async fn only_retention_removes_events() {
    let (app, anchors) = with_history().await;
    app.clock.advance(days(401) + Duration::from_secs(1));
    tidy(&app).await;
    let mut attacker = Attacker::of(&app).await;
    // The database takes the wrong delete for what it is, and the right one is the application's.
    for sql in [
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE sequence = 41",
        "UPDATE audit_events SET outcome = 'success'",
    ] {
        let refused = attacker.try_to(sql).await.unwrap_err().to_string();
        assert!(refused.contains("only ever added"), "{refused}");
    }
    verify(app.store(), &anchors).await.unwrap();
    // A cut that somebody else makes goes through the triggers, and is found out.
    let last = app.events().await[4].clone();
    let claim = format!(
        "UPDATE audit_cut SET sequence = {}, mac = '{}'; DELETE FROM audit_events WHERE sequence <= {}",
        last.sequence, last.mac, last.sequence
    );
    attacker
        .run("CREATE TABLE kept AS SELECT * FROM audit_events")
        .await;
    attacker
        .run("CREATE TABLE kept_cut AS SELECT * FROM audit_cut")
        .await;
    attacker.run(&claim).await;
    assert_eq!(found(&app, &anchors).await, Wrong::FalseCut(last.sequence));
    // Nor is it a cut with the code of an earlier one, nor none at all.
    attacker
        .run("UPDATE audit_cut SET sequence = (SELECT sequence FROM kept_cut), mac = (SELECT mac FROM kept_cut)")
        .await;
    assert_eq!(found(&app, &anchors).await, Wrong::Missing(OLD + 1));
    attacker.run("DELETE FROM audit_cut").await;
    assert_eq!(found(&app, &anchors).await, Wrong::Missing(1));
    // The control: put back as it was, it is whole again.
    attacker
        .run("INSERT INTO audit_cut SELECT * FROM kept_cut")
        .await;
    attacker
        .run("INSERT INTO audit_events SELECT * FROM kept WHERE sequence <= (SELECT MAX(sequence) FROM kept) AND sequence NOT IN (SELECT sequence FROM audit_events)")
        .await;
    verify(app.store(), &anchors).await.unwrap();
}

#[tokio::test]
async fn no_edit_of_the_database_makes_retention_remove_events() {
    let (app, anchors) = with_history().await;
    let before = app.events().await.len();
    let mut attacker = Attacker::of(&app).await;
    attacker.drop_triggers().await;
    attacker
        .run("CREATE TABLE kept AS SELECT * FROM audit_events")
        .await;
    // Young events look old. Each round of maintenance refuses.
    attacker.run("UPDATE audit_events SET at = 0").await;
    assert_eq!(tidy(&app).await.len(), before);
    assert_eq!(found(&app, &anchors).await, Wrong::Edited(1));
    // The control: as they were written, the old ones go.
    attacker
        .run("UPDATE audit_events SET at = (SELECT kept.at FROM kept WHERE kept.sequence = audit_events.sequence)")
        .await;
    app.clock.advance(days(401) + Duration::from_secs(1));
    assert!(tidy(&app).await.len() < before);
    verify(app.store(), &anchors).await.unwrap();
}

/// A quiet installation writes less than one event a minute, and looks for old ones each minute.
#[tokio::test]
async fn retention_records_less_than_it_removes() {
    let app = App::start().await;
    for hour in 0..48 {
        let mut event_context = event_context(hour);
        event_context.at = NOW.plus_ms(hour * DAY_MS / 24);
        app.store()
            .record(&intent(hour), &event_context)
            .await
            .unwrap();
    }
    app.clock.advance(days(401));
    let mut told = 0;
    for _ in 0..48 {
        app.clock.advance(Duration::from_secs(60 * 60));
        let events = tidy(&app).await;
        told = events
            .iter()
            .filter(|event| event.action == "audit_retention_cut")
            .count();
    }
    assert_eq!((told, app.events().await.len()), (2, 2));
    verify(app.store(), &[]).await.unwrap();
}

#[tokio::test]
async fn clock_that_jumps_removes_nothing_until_it_is_confirmed() {
    let data_dir = tempfile::tempdir().unwrap();
    let start = async |at: Timestamp| {
        let (config, clock) = (config(data_dir.path()), Clock::manual(at.0));
        let hashing = embedded::PasswordHashing::FastForTests;
        Application::start_with(config, clock, hashing)
            .await
            .unwrap()
    };
    let actions = async |application: Application| {
        maintenance::run_once(application.state(), None).await;
        let events = application
            .state()
            .store
            .audit_events(0, 100)
            .await
            .unwrap();
        application.stop().await;
        events
            .into_iter()
            .map(|event| event.action.clone())
            .collect::<Vec<_>>()
    };
    let application = start(NOW).await;
    for number in 0..3 {
        let store = &application.state().store;
        store
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
    }
    let before = actions(application).await;
    assert_eq!(before.len(), 3);
    // The control: thirty days without an event are no jump.
    assert_eq!(actions(start(NOW.plus(days(30))).await).await, before);
    // The exploit: the application is started for a moment with a wrong clock.
    let wrong = NOW.plus(days(405));
    let paused = [before, vec!["audit_retention_pause".to_owned()]].concat();
    assert_eq!(actions(start(wrong).await).await, paused);
    // Its own event is young, and explains nothing.
    assert_eq!(actions(start(wrong.plus(days(1))).await).await, paused);
    assert_eq!(actions(start(NOW.plus(days(1))).await).await, paused);
    // An administrator says that the clock is right.
    let clock = Clock::manual(wrong.0);
    let resume = async || {
        resume_retention(&config(data_dir.path()), &clock)
            .await
            .unwrap()
    };
    assert!(resume().await);
    assert!(!resume().await);
    let after = actions(start(wrong.plus(days(1))).await).await;
    assert_eq!(
        after,
        [
            "audit_retention_pause",
            "audit_retention_resume",
            "audit_retention_cut"
        ]
    );
}
