//! What goes wrong between the application and Elasticsearch: the right problem, the session kept, no secret told,
//! and nothing asked twice.

use crate::support::{App, Setup, key_form, proxy::Fault};
use app::model::{
    new_agent_key::CreatedAgentKey,
    problem::{ElasticsearchFault, ProblemKind},
};
use http::StatusCode;
use std::time::Duration;

const CREATE: &str = "POST /_security/api_key";
const REVOKE: &str = "DELETE /_security/api_key";
const QUERY: &str = "POST /_security/_query/api_key";

const PRODUCT: &str = "X-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n";

macro_rules! answer {
    ($status:literal, $headers:expr, $body:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\nConnection: close\r\n",
            $headers,
            "\r\n",
            $body
        )
    };
}

macro_rules! product {
    () => {
        "X-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n"
    };
}

/// What is answered in Elasticsearch's place, and the fault that a person is told.
fn canned() -> Vec<(&'static str, ElasticsearchFault)> {
    use ElasticsearchFault as Told;
    vec![
        (
            answer!(
                "429 Too Many Requests",
                product!(),
                "{\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"rejected\"},\"status\":429}"
            ),
            Told::Busy,
        ),
        (
            answer!("429 Too Many Requests", "", "slow down"),
            Told::Gateway(429),
        ),
        (
            answer!(
                "502 Bad Gateway",
                "Content-Type: text/html\r\n",
                "<h1>CANARY</h1>"
            ),
            Told::Gateway(502),
        ),
        (
            answer!(
                "503 Service Unavailable",
                "Content-Type: application/json\r\n",
                "<h1>CANARY</h1>"
            ),
            Told::Gateway(503),
        ),
        (
            answer!(
                "503 Service Unavailable",
                product!(),
                "{\"error\":{\"type\":\"exception\",\"reason\":null},\"status\":503}"
            ),
            Told::Failed(503),
        ),
        (
            answer!("200 OK", "Content-Type: application/json\r\n", "{}"),
            Told::WrongProduct,
        ),
        (
            answer!("200 OK", "X-Elastic-Product: OpenSearch\r\n", "{}"),
            Told::WrongProduct,
        ),
        (
            answer!("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
            Told::Gateway(302),
        ),
        (
            answer!("200 OK", product!(), "<h1>CANARY</h1>"),
            Told::BadAnswer,
        ),
        (
            answer!("200 OK", product!(), "{\"total\":\"CANARY\"}"),
            Told::BadAnswer,
        ),
        (answer!("200 OK", product!(), ""), Told::BadAnswer),
        ("garbage\r\n\r\n", Told::BadAnswer),
        ("", Told::BadAnswer),
    ]
}

#[tokio::test]
async fn unreadable_list_shows_the_cause_and_keeps_the_session() {
    assert!(PRODUCT.contains("Elastic"));
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    for (text, told) in canned() {
        proxy.fail(QUERY, Fault::Answer(text));
        let answer = ada.list(|_| {}).await;
        assert_eq!(answer.problem(), ProblemKind::Elasticsearch(told), "{text}");
        assert!(!answer.text().contains("CANARY"));
        let page = ada.get("/settings/agent-keys").await;
        assert!(!page.text().contains("CANARY"));
        proxy.heal();
        assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
    }
    proxy.fail(QUERY, Fault::CutAfter(200));
    let answer = ada.list(|_| {}).await;
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::BadAnswer)
    );
    proxy.refuse().await;
    for answer in [
        ada.list(|_| {}).await,
        ada.post("prepare_agent_key", &[]).await,
    ] {
        let unreachable = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);
        assert_eq!(answer.problem(), unreachable);
    }
    proxy.stop_refusing().await;
    proxy.heal();
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
}

#[tokio::test]
async fn creation_that_was_certainly_not_applied_may_be_repeated() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(
        CREATE,
        Fault::Answer(answer!("429 Too Many Requests", product!(), "{\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"rejected\"},\"status\":429}")),
    );
    let answer = ada.create_as("op-busy", "busy").await;
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::Busy)
    );
    let refused = answer!(
        "400 Bad Request",
        product!(),
        r#"{"error":{"type":"illegal_argument_exception","reason":"<b>CANARY</b>"},"status":400}"#
    );
    proxy.fail(CREATE, Fault::Answer(refused));
    let answer = ada.create_as("op-busy", "busy").await;
    assert_eq!(answer.problem(), ProblemKind::Refused);
    // Elasticsearch's reason is text on the page, never markup.
    let page = "/settings/agent-keys/new";
    let form = key_form("op-busy", "busy");
    let drawn = ada.submit(page, "create_agent_key", &form).await.text();
    assert!(drawn.contains("&lt;b&gt;CANARY&lt;/b&gt;"), "{drawn}");
    assert!(!drawn.contains("<b>CANARY"));
    let off = answer!(
        "400 Bad Request",
        product!(),
        r#"{"error":{"type":"feature_not_enabled_exception","reason":"x","disabled.feature":"api_keys"},"status":400}"#
    );
    proxy.fail(CREATE, Fault::Answer(off));
    assert_eq!(
        ada.create_as("op-busy", "busy").await.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::ApiKeysDisabled)
    );
    proxy.refuse().await;
    let answer = ada.create_as("op-busy", "busy").await;
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable)
    );
    proxy.stop_refusing().await;
    proxy.heal();
    assert_eq!(
        ada.create_as("op-busy", "busy").await.status,
        StatusCode::OK
    );
    assert_eq!(app.engine.keys().await.len(), 1);
}

#[tokio::test]
async fn creation_that_may_have_been_applied_is_not_repeated() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let another = answer!(
        "200 OK",
        product!(),
        r#"{"id":"kX3mRZkB7tQ2hVn0aLwd","name":"CANARY","api_key":"CANARY","encoded":"CANARY"}"#
    );
    let faults = [
        Fault::Hangup,
        Fault::CutAfter(0),
        Fault::CutAfter(90),
        Fault::AnswerAfterwards(answer!("502 Bad Gateway", "", "CANARY")),
        Fault::AnswerAfterwards(answer!(
            "503 Service Unavailable",
            product!(),
            "{\"error\":{\"type\":\"exception\",\"reason\":null},\"status\":503}"
        )),
        Fault::AnswerAfterwards(answer!("200 OK", product!(), "{\"id\":1}")),
        Fault::AnswerAfterwards(answer!("200 OK", "", "{}")),
        Fault::AnswerAfterwards(another),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let operation = format!("op-{number}");
        let before = proxy.count(CREATE);
        proxy.fail(CREATE, fault.clone());
        let answer = ada.create_as(&operation, "unsure").await;
        assert_eq!(answer.problem(), ProblemKind::Unconfirmed, "{fault:?}");
        assert!(!answer.text().contains("CANARY"));
        assert_eq!(proxy.count(CREATE), before + 1, "{fault:?}");
        proxy.heal();
        // The same form again asks nobody: it is still not known.
        assert_eq!(
            ada.create_as(&operation, "unsure").await.problem(),
            ProblemKind::Unconfirmed
        );
        assert_eq!(proxy.count(CREATE), before + 1);
    }
    let events = app
        .application
        .state()
        .store
        .audit_events(0, 1_000)
        .await
        .unwrap();
    let known = events
        .iter()
        .filter(|event| event.action == "agent_key_create" && event.outcome != "unknown");
    assert_eq!(known.count(), 0);
    // Whatever became of them, they can be found: each carries its operation.
    for key in app.engine.keys().await {
        assert!(
            key["metadata"]["agent_keys"]["operation"]
                .as_str()
                .unwrap()
                .starts_with("op-")
        );
    }
}

#[tokio::test]
async fn encoded_key_must_match_id_and_secret() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let swapped = answer!(
        "200 OK",
        product!(),
        r#"{"id":"kX3mRZkB7tQ2hVn0aLwd","name":"mine","api_key":"CANARY","encoded":"Q0FOQVJZ"}"#
    );
    proxy.fail(CREATE, Fault::Answer(swapped));
    let answer = ada.create_as("op-1", "mine").await;
    assert_eq!(answer.problem(), ProblemKind::Unconfirmed);
    assert!(!answer.text().contains("CANARY") && !answer.text().contains("Q0FOQVJZ"));
}

#[tokio::test]
async fn uncertain_revocation_is_unconfirmed() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("to revoke").await.value();
    let fields = [("id", created.id.as_str())];
    proxy.fail(REVOKE, Fault::CutAfter(10));
    assert_eq!(
        ada.post("revoke_agent_key", &fields).await.problem(),
        ProblemKind::Unconfirmed
    );
    proxy.heal();
    // It had happened; asking again finds that out.
    assert_eq!(
        ada.post("revoke_agent_key", &fields).await.status,
        StatusCode::OK
    );
    let created: CreatedAgentKey = ada.create("passed over").await.value();
    let fields = [("id", created.id.as_str())];
    let nothing = answer!(
        "200 OK",
        product!(),
        r#"{"invalidated_api_keys":[],"previously_invalidated_api_keys":[],"error_count":0}"#
    );
    proxy.fail(REVOKE, Fault::Answer(nothing));
    let answer = ada.post("revoke_agent_key", &fields).await;
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::NotRevoked)
    );
}

#[tokio::test]
async fn sign_in_shows_the_fault_of_elasticsearch() {
    let (app, proxy) = App::behind_proxy().await;
    for (text, told) in canned() {
        proxy.fail("", Fault::Answer(text));
        let answer = app
            .nobody()
            .sign_in("elastic", crate::support::PASSWORD)
            .await;
        assert_eq!(answer.problem(), ProblemKind::Elasticsearch(told), "{text}");
        assert!(answer.cookie().is_none());
    }
}

#[tokio::test]
async fn untrusted_certificate_is_named() {
    let outer = App::start().await;
    let setup = Setup {
        // The engine speaks plain HTTP: no certificate at all.
        elasticsearch: Some(outer.engine.url().replace("http://", "https://")),
        ..Setup::default()
    };
    let app = App::start_at(outer.engine.clone(), outer.clock.clone(), setup).await;
    let answer = app
        .nobody()
        .sign_in("elastic", crate::support::PASSWORD)
        .await;
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::Tls)
    );
}

#[tokio::test]
async fn unresponsive_elasticsearch_opens_the_circuit() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(QUERY, Fault::Silence(Duration::from_secs(60)));
    let began = std::time::Instant::now();
    let answer = ada.list(|_| {}).await;
    let timed_out = ElasticsearchFault::TimedOut;
    assert_eq!(answer.problem(), ProblemKind::Elasticsearch(timed_out));
    assert!(
        began.elapsed() < Duration::from_millis(11_500),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn unanswered_creation_is_unconfirmed() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(CREATE, Fault::Silence(Duration::from_secs(60)));
    let began = std::time::Instant::now();
    assert_eq!(
        ada.create("never").await.problem(),
        ProblemKind::Unconfirmed
    );
    assert!(
        began.elapsed() < Duration::from_millis(16_500),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn queued_requests_to_a_slow_elasticsearch_get_busy() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.fail(QUERY, Fault::Silence(Duration::from_secs(2)));
    let crowd = (0..200).map(|_| ada.list(|_| {}));
    let answers = futures::future::join_all(crowd).await;
    let busy = ProblemKind::Elasticsearch(ElasticsearchFault::Busy);
    assert!(answers.iter().any(|answer| answer.problem() == busy));
    proxy.heal();
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
}

#[tokio::test]
async fn endless_response_is_cut_off() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let huge = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n{PRODUCT}\r\n{}",
        " ".repeat(17 * 1024 * 1024)
    );
    proxy.fail(QUERY, Fault::Answer(Box::leak(huge.into_boxed_str())));
    let answer = ada.list(|_| {}).await;
    assert_eq!(
        answer.problem(),
        ProblemKind::Elasticsearch(ElasticsearchFault::BadAnswer)
    );
}
