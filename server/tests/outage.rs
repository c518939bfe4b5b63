//! Elasticsearch's machine goes away, and comes back.

use crate::support::{App, Browser, PASSWORD, eventually, requirement};
use app::model::problem::{ElasticsearchFault, ProblemKind};
use http::StatusCode;
use std::time::{Duration, Instant};

const UNREACHABLE: ProblemKind = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);

pub(crate) fn is_given_up(app: &App) -> bool {
    app.application.services().elasticsearch.is_given_up()
}

/// How long it took to be told that there is no Elasticsearch.
async fn is_refused(browser: &Browser) -> Duration {
    let began = Instant::now();
    assert_eq!(browser.list(|_| {}).await.problem(), UNREACHABLE);
    began.elapsed()
}

/// Asks until nobody waits any more; every wait.
async fn give_up(app: &App, browser: &Browser) -> Vec<Duration> {
    let waits = futures::future::join_all((0..5).map(|_| is_refused(browser))).await;
    assert!(is_given_up(app));
    waits
}

#[tokio::test]
async fn a_machine_that_is_gone_is_not_waited_for_again_and_again() {
    let (app, mut machine) = App::behind_machine().await;
    let ada = app.with_key_user("ada").await;
    machine.switch_off().await;
    // The control: who asks first has to wait, for a connection that nobody accepts.
    let first = give_up(&app, &ada).await;
    let waited = |took: &Duration| *took > Duration::from_millis(1_900);
    assert!(first.iter().all(waited), "{first:?}");
    let mut took = Vec::new();
    for _ in 0..100 {
        took.push(is_refused(&ada).await);
    }
    took.sort();
    println!("refused after {} ms at p95", took[94].as_millis());
    assert!(took[94] < Duration::from_millis(300), "{took:?}");
    // A change is refused before anything of it is sent, and may be asked for again.
    let answer = ada.create_as("op-1", "during the outage").await;
    assert_eq!(answer.problem(), UNREACHABLE);
    machine.switch_on();
    let ended = Instant::now();
    let is_back = async || ada.list(|_| {}).await.status == StatusCode::OK;
    eventually("the list is back", is_back).await;
    println!("the list is back after {} ms", ended.elapsed().as_millis());
    assert!(ended.elapsed() < Duration::from_secs(6));
    let answer = ada.create_as("op-1", "during the outage").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(app.engine.keys().await.len(), 1);
    requirement("R38", 100, 100, None);
}

/// No read comes first: the creation's own probe ends the outage, and the audit log has its beginning and its end.
#[tokio::test]
async fn a_creation_is_not_refused_for_an_outage_that_is_over() {
    let (app, mut machine) = App::behind_machine().await;
    let ada = app.with_key_user("ada").await;
    machine.switch_off().await;
    give_up(&app, &ada).await;
    machine.switch_on();
    let ended = Instant::now();
    let is_created = async || {
        let answer = ada.create_as("op-1", "after the outage").await;
        answer.status == StatusCode::OK
    };
    eventually("the key is created", is_created).await;
    let took = ended.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(app.engine.keys().await.len(), 1);
    let states = async || {
        let events = app.events().await.into_iter();
        let states = events.filter(|event| event.action == "es_connection_state");
        let states = states.map(|event| (event.outcome.clone(), event.details.clone()));
        states.collect::<Vec<_>>()
    };
    eventually("both are written down", async || states().await.len() == 2).await;
    let states = states().await;
    assert_eq!(
        (states[0].0.as_str(), states[1].0.as_str()),
        ("failure", "success")
    );
    let details = |at: usize| serde_json::from_str::<serde_json::Value>(&states[at].1).unwrap();
    let (opened, closed) = (details(0), details(1));
    assert_eq!(
        (&opened["state"], &closed["state"]),
        (&"open".into(), &"closed".into())
    );
    assert_eq!(opened["reason"], "unreachable");
    assert!(opened["since"].is_string() && opened["since"] == closed["since"]);
    requirement("R38", 1, 1, None);
}

#[tokio::test]
async fn a_restart_that_refuses_connections_keeps_nobody_out_afterwards() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.refuse().await;
    for _ in 0..50 {
        is_refused(&ada).await;
    }
    proxy.stop_refusing().await;
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
}
