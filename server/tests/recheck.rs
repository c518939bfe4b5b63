//! A 401 in the middle of a session, and outages of every kind: nobody is signed out by mistake, and the end is noticed.

use crate::support::{App, Browser, PASSWORD, eventually, proxy::Fault};
use app::model::problem::{ElasticsearchFault, ProblemKind};
use http::{Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};

const CANNOT_CHECK: ProblemKind =
    ProblemKind::Elasticsearch(ElasticsearchFault::SecurityIndexUnavailable);

/// What a page that asks Elasticsearch says.
async fn ask(browser: &Browser) -> (StatusCode, Option<ProblemKind>) {
    let answer = browser.post("prepare_agent_key", &[]).await;
    let problem = (answer.status != StatusCode::OK).then(|| answer.problem());
    (answer.status, problem)
}

async fn is_signed_in(browser: &Browser) -> bool {
    ask(browser).await.0 == StatusCode::OK
}

async fn failed_sign_ins(app: &App) -> usize {
    let events = app.events().await.into_iter();
    events
        .filter(|event| event.action == "user_login" && event.outcome == "failure")
        .count()
}

#[tokio::test]
async fn unavailable_security_index_ends_no_session() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail("", Fault::SecurityIndexUnavailable);
    for _ in 0..3 {
        assert_eq!(ask(&ada).await.1, Some(CANNOT_CHECK));
    }
    proxy.heal();
    assert!(is_signed_in(&ada).await);
}

#[tokio::test]
async fn known_outage_is_reported_at_once() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail("", Fault::SecurityIndexUnavailable);
    assert_eq!(ask(&ada).await.1, Some(CANNOT_CHECK));
    let asked = proxy.count("");
    assert_eq!(ask(&ada).await.1, Some(CANNOT_CHECK));
    assert_eq!(proxy.count("") - asked, 2, "the question and one probe");
}

#[tokio::test]
async fn simultaneous_rejections_of_several_users_are_an_outage() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let ben = app.with_key_user("ben").await;
    let eve = app.with_key_user("eve").await;
    proxy.fail("", Fault::RealmAway(vec!["ada", "ben"]));
    let (of_ada, of_ben, of_eve) = tokio::join!(ask(&ada), ask(&ben), ask(&eve));
    assert_eq!(of_ada.1, Some(CANNOT_CHECK));
    assert_eq!(of_ben.1, Some(CANNOT_CHECK));
    assert_eq!(of_eve.0, StatusCode::OK, "another realm is not concerned");
    proxy.heal();
    assert!(is_signed_in(&ada).await && is_signed_in(&ben).await);
}

#[tokio::test]
async fn session_of_a_disabled_user_ends_within_seconds() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let ben = app.with_key_user("ben").await;
    let path = "/_security/user/ada/_disable";
    app.engine.ask(Method::PUT, path, None).await;
    let began = Instant::now();
    assert_eq!(ask(&ada).await.1, Some(ProblemKind::SignInEnded));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    // The session is gone: not even enabling the user again brings it back.
    let path = "/_security/user/ada/_enable";
    app.engine.ask(Method::PUT, path, None).await;
    assert_eq!(ask(&ada).await.0, StatusCode::UNAUTHORIZED);
    assert!(is_signed_in(&ben).await);
}

#[tokio::test]
async fn changed_password_ends_the_session() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let body = json!({ "password": "another password of hers" });
    let path = "/_security/user/ada/_password";
    app.engine.ask(Method::PUT, path, Some(body)).await;
    assert_eq!(ask(&ada).await.1, Some(ProblemKind::SignInEnded));
}

#[tokio::test]
async fn rejected_sign_in_counts_only_while_passwords_can_be_checked() {
    let (app, proxy) = App::behind_proxy().await;
    app.with_key_user("ada").await;
    proxy.fail("", Fault::SecurityIndexUnavailable);
    for _ in 0..8 {
        let answer = app.nobody().sign_in("ada", PASSWORD).await;
        assert_eq!(answer.problem(), CANNOT_CHECK);
    }
    proxy.heal();
    assert_eq!(failed_sign_ins(&app).await, 0);
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "no pause");
    // The control: a wrong password of a cluster that can check it is counted.
    let answer = app.nobody().sign_in("ada", "wrong").await;
    assert_eq!(answer.problem(), ProblemKind::SignInRejected);
    assert_eq!(failed_sign_ins(&app).await, 1);
}

#[tokio::test]
async fn wrong_passwords_of_several_users_are_no_outage() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for name in ["ben", "eve", "zoe", "kim"] {
        let answer = app.nobody().sign_in(name, "wrong").await;
        assert_eq!(answer.problem(), ProblemKind::SignInRejected);
    }
    let path = "/_security/user/ada/_disable";
    app.engine.ask(Method::PUT, path, None).await;
    assert_eq!(ask(&ada).await.1, Some(ProblemKind::SignInEnded));
}

const NO_MASTER: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
    Content-Type: application/json\r\n\r\n{\"error\":{\"type\":\"master_not_discovered_exception\",\
    \"reason\":null},\"status\":503}";
const NO_SHARDS: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
    Content-Type: application/json\r\n\r\n{\"error\":{\"type\":\"unavailable_shards_exception\",\
    \"reason\":\"at least one primary shard for the index [.security-7] is unavailable\"},\"status\":503}";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n\
    <html><body><h1>502 Bad Gateway</h1></body></html>";
const HAPROXY: &str = "HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\
    Content-Type: text/html\r\n\r\n<html><body><h1>503 Service Unavailable</h1>\n\
    No server is available to handle this request.\n</body></html>";

/// A cluster that restarts, seen by one person and by three who click all the time.
#[tokio::test]
async fn restarting_cluster_ends_no_session() {
    for names in [&["ada"][..], &["ada", "ben", "eve"]] {
        let (app, proxy) = App::behind_proxy().await;
        let mut people = Vec::new();
        for name in names {
            people.push(app.with_key_user(name).await);
        }
        let everybody_is_refused = async || {
            let answers = futures::future::join_all(people.iter().map(ask)).await;
            for (_, problem) in answers {
                let problem = problem.unwrap();
                assert!(
                    matches!(problem, ProblemKind::Elasticsearch(_)),
                    "{problem:?}"
                );
            }
        };
        proxy.refuse().await;
        everybody_is_refused().await;
        proxy.stop_refusing().await;
        for stage in [
            Fault::Answer(NO_MASTER),
            Fault::SecurityIndexUnavailable,
            Fault::Answer(NO_SHARDS),
        ] {
            proxy.fail("", stage);
            everybody_is_refused().await;
        }
        proxy.heal();
        for person in &people {
            assert!(is_signed_in(person).await);
        }
    }
}

/// Every kind of outage, one after the other: each ends within six seconds of traffic, with everybody signed in.
#[tokio::test]
async fn recovery_from_every_kind_of_outage_takes_at_most_six_seconds() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    for fault in [
        Fault::Hangup,
        Fault::Answer(BAD_GATEWAY),
        Fault::Answer(HAPROXY),
        Fault::Answer(NO_MASTER),
        Fault::Answer(NO_SHARDS),
        Fault::SecurityIndexUnavailable,
        Fault::Silence(Duration::from_secs(60)),
    ] {
        proxy.fail("", fault.clone());
        let (first, second) = tokio::join!(ask(&ada), ask(&ada));
        for (status, problem) in [first, second] {
            assert!(status.is_server_error(), "{fault:?}: {problem:?}");
        }
        proxy.heal();
        is_back(&ada, &format!("{fault:?}")).await;
    }
    proxy.refuse().await;
    assert!(!is_signed_in(&ada).await);
    proxy.stop_refusing().await;
    is_back(&ada, "refused").await;

    let (app, mut server) = App::behind_blackhole().await;
    let ada = app.with_key_user("ada").await;
    server.switch_off().await;
    futures::future::join_all((0..5).map(|_| ask(&ada))).await;
    assert!(crate::outage::is_circuit_open(&app));
    server.switch_on();
    is_back(&ada, "a full backlog").await;
}

async fn is_back(browser: &Browser, what: &str) {
    let ended = Instant::now();
    eventually(what, async || is_signed_in(browser).await).await;
    let took = ended.elapsed();
    println!("{what}: back after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(6), "{what}: {took:?}");
}

/// Behind a load balancer whose backend hangs, each call would wait for its whole deadline.
#[tokio::test]
async fn hang_is_reported_at_once_after_two_timeouts() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail("", Fault::Silence(Duration::from_secs(60)));
    let (first, second) = tokio::join!(ask(&ada), ask(&ada));
    let timed_out = ProblemKind::Elasticsearch(ElasticsearchFault::TimedOut);
    assert_eq!(
        (first.1, second.1),
        (Some(timed_out.clone()), Some(timed_out))
    );
    for _ in 0..10 {
        let began = Instant::now();
        let unreachable = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);
        assert_eq!(ask(&ada).await.1, Some(unreachable));
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }
}

/// A probe that takes longer than a call waits for it still ends the outage.
#[tokio::test]
async fn recovery_behind_a_slow_link_takes_at_most_six_seconds() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail("", Fault::Silence(Duration::from_secs(60)));
    tokio::join!(ask(&ada), ask(&ada));
    assert!(crate::outage::is_circuit_open(&app));
    proxy.delay(Duration::from_millis(150));
    proxy.heal();
    is_back(&ada, "a slow link").await;
}

#[tokio::test]
async fn end_of_an_outage_is_noticed_without_traffic() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail("", Fault::Silence(Duration::from_secs(60)));
    tokio::join!(ask(&ada), ask(&ada));
    assert!(crate::outage::is_circuit_open(&app));
    proxy.heal();
    let state = app.application.state();
    eventually("a round of maintenance notices it", async || {
        server::maintenance::run_once(state, None).await;
        !crate::outage::is_circuit_open(&app)
    })
    .await;
}

#[tokio::test]
async fn readiness_responds_during_every_fault() {
    let (app, proxy) = App::behind_proxy().await;
    assert_eq!(app.nobody().get("/health/ready").await.text(), "ready");
    proxy.fail("", Fault::Silence(Duration::from_secs(60)));
    eventually("it is known", async || {
        let began = Instant::now();
        let answer = app.nobody().get("/health/ready").await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(1), "{took:?}");
        answer.text() == "ready, without Elasticsearch"
    })
    .await;
}
