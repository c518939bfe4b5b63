//! Every use case against broken responses: truncated, endless, of the wrong length or the wrong type.

use crate::{refusals::*, support::proxy::Fault};
use Effect::{Reads, Writes};
use UseCase::*;
use app::model::{
    problem::{ElasticsearchFault, ProblemKind},
    revocation::RevocationEnding,
};
use http::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

/// Answers of Elasticsearch's, whole. Cut anywhere, none of them is an answer.
fn whole_answers(stage: &Stage) -> Vec<(UseCase, &'static str, Effect, String)> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let id = "kX3mRZkB7tQ2hVn0aLwd";
    let encoded = BASE64_STANDARD.encode(format!("{id}:CANARY-secret"));
    let privileges = json!({
        "username": "elastic", "has_all_requested": true, "index": {},
        "cluster": { "manage_security": true, "manage_own_api_key": true },
        "application": {
            "apm": { "*": { "event:write": true, "config_agent:read": true } },
            "kibana-.kibana": { "space:default": { "feature_apm.read": true, "feature_apm.all": true } },
        },
    });
    let dana = json!({
        "username": "dana", "roles": ["viewer"], "full_name": null, "email": null, "metadata": {}, "enabled": true,
    });
    let key = json!({
        "id": stage.key, "name": "one", "creation": 1_797_244_000_000_i64, "invalidated": false,
        "username": "elastic", "realm": "reserved", "metadata": { "application": "apm" },
        "role_descriptors": { "apm": { "applications": [
            { "application": "apm", "privileges": ["event:write"], "resources": ["*"] },
        ] } },
    });
    let who = json!({
        "username": "elastic", "roles": ["superuser"], "full_name": null, "enabled": true,
        "authentication_realm": { "name": "reserved", "type": "reserved" },
    });
    #[rustfmt::skip]
    let answers = [
        (SignIn, AUTHENTICATE, Reads, who),
        (PrepareKey, PRIVILEGES, Reads, privileges),
        (FindKey, QUERY, Reads, json!({ "total": 1, "count": 1, "api_keys": [key] })),
        (ListUsers, GET_USER, Reads, json!({ "dana": dana })),
        (ReadRole, GET_ROLE, Reads, json!({ "apm_agent_key_role": { "cluster": ["manage_own_api_key"] } })),
        (CreateKey, CREATE, Writes("agent_key_create"), json!({ "id": id, "name": "new", "api_key": "CANARY-secret", "encoded": encoded })),
        (RevokeKey, REVOKE, Writes("agent_key_invalidate"), json!({ "invalidated_api_keys": [stage.key], "error_count": 0 })),
        (CreateUser, "PUT /_security/user/newcomer", Writes("user_create"), json!({ "created": true })),
    ];
    answers
        .into_iter()
        .map(|(case, request, effect, body)| (case, request, effect, body.to_string()))
        .collect()
}

fn no_answer(effect: Effect) -> ProblemKind {
    match effect {
        Reads => ProblemKind::Elasticsearch(ElasticsearchFault::BadAnswer),
        Writes(_) => ProblemKind::Unconfirmed,
    }
}

#[tokio::test]
async fn truncated_response_is_a_bad_answer() {
    let stage = Stage::set().await;
    for (case, request, effect, body) in whole_answers(&stage) {
        for end in 0..body.len() {
            let cut = [success("").as_bytes(), &body.as_bytes()[..end]].concat();
            stage.proxy.fail(request, Fault::Bytes(cut));
            let answer = stage.ask(case).await;
            assert_eq!(answer.problem(), no_answer(effect), "{case:?}, {end}");
            assert!(!answer.text().contains("CANARY"), "{case:?}, {end}");
        }
        // The control: whole, it is an answer.
        let whole = [success("").as_bytes(), body.as_bytes()].concat();
        stage.proxy.fail(request, Fault::Bytes(whole));
        let answer = stage.ask(case).await;
        assert_eq!(answer.status, StatusCode::OK, "{case:?}: {}", answer.text());
        stage.proxy.heal();
    }
}

#[tokio::test]
async fn response_of_the_wrong_type_is_a_bad_answer() {
    let stage = Stage::set().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let wrong = [
        "null",
        "true",
        "1",
        "\"CANARY\"",
        "[[]]",
        "<html>CANARY</html>",
        &deep,
    ];
    for &(case, request, effect) in REQUESTS {
        for body in wrong {
            let row = format!("{case:?}, {request}, {}", &body[..body.len().min(20)]);
            let bytes = [success("").as_bytes(), body.as_bytes()].concat();
            stage.proxy.fail(request, Fault::Bytes(bytes));
            let answer = stage.ask(case).await;
            assert!(!answer.text().contains("CANARY"), "{row}");
            // Of these, only the status counts.
            let is_unread = matches!(effect, Writes(_))
                && matches!(
                    case,
                    PutRole | DisableUser | EnableUser | ResetPassword | DeleteUser
                );
            match (case, effect) {
                _ if is_unread => assert_eq!(answer.status, StatusCode::OK, "{row}"),
                (RevokeKeys, Writes(_)) => {
                    let unconfirmed = Told::Endings(RevocationEnding::Unconfirmed);
                    assert_eq!(Told::of(case, &answer), unconfirmed, "{row}");
                }
                _ => assert_eq!(answer.problem(), no_answer(effect), "{row}"),
            }
        }
    }
}

/// Objects of the right form with parts of the wrong type, or with numbers that no clock shows.
#[rustfmt::skip]
const ODD_PARTS: &[(UseCase, &str, &str)] = &[
    (ListKeys, QUERY, r#"{"total":"1"}"#),
    (ListKeys, QUERY, r#"{"total":-1,"api_keys":[]}"#),
    (ListKeys, QUERY, r#"{"total":18446744073709551616,"api_keys":[]}"#),
    (ListKeys, QUERY, r#"{"total":18446744073709551615,"api_keys":[]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":{}}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[1]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"","creation":1}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":9223372036854775807}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":-9223372036854775808}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"expiration":9223372036854775807}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"expiration":-9223372036854775808}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"invalidated":true,"invalidation":-9223372036854775808}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1.5e300}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"metadata":[1],"role_descriptors":"x","_sort":[{},[]]}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"metadata":{"application":"apm","agent_keys":[]},"role_descriptors":{"apm":1}}]}"#),
    (ListKeys, QUERY, r#"{"total":1,"api_keys":[{"id":"kX3mRZkB7tQ2hVn0aLwd","creation":1,"role_descriptors":{"apm":{"applications":{},"cluster":1,"index":[1]}}}]}"#),
    (ListKeys, QUERY, r#"{"total":0,"api_keys":[],"aggregations":[]}"#),
    (ListKeys, QUERY, r#"{"total":0,"api_keys":[],"aggregations":{"owners":{"buckets":[{"key":1,"doc_count":"x"}]},"active":7}}"#),
    (ListUsers, GET_USER, r#"{"dana":[]}"#),
    (ListUsers, GET_USER, r#"{"dana":{"username":"dana","roles":"viewer"}}"#),
    (ListUsers, GET_USER, r#"{"dana":{"username":null}}"#),
    (ReadRole, GET_ROLE, r#"{"apm_agent_key_role":[[]]}"#),
    (ReadRole, GET_ROLE, r#"{"apm_agent_key_role":{"cluster":{},"applications":[1,{"privileges":{}}],"indices":null}}"#),
    (Viewer, PRIVILEGES, r#"{"cluster":[],"application":{}}"#),
    (Viewer, PRIVILEGES, r#"{"cluster":{"manage_security":"true"}}"#),
    (Viewer, PRIVILEGES, r#"{"application":{"apm":{"*":["event:write"]}}}"#),
    (SignIn, AUTHENTICATE, r#"{"username":"elastic"}"#),
    (SignIn, AUTHENTICATE, r#"{"username":"elastic","authentication_realm":"reserved"}"#),
];

/// The pages that draw them.
fn page_of(case: UseCase) -> &'static str {
    match case {
        ListUsers | ReadRole => "/settings/users",
        _ => "/settings/agent-keys",
    }
}

#[tokio::test]
async fn odd_values_in_a_response_break_no_page() {
    let stage = Stage::set().await;
    for &(case, request, body) in ODD_PARTS {
        let bytes = [success("").as_bytes(), body.as_bytes()].concat();
        stage.proxy.fail(request, Fault::Bytes(bytes));
        let answer = stage.ask(case).await;
        if answer.status != StatusCode::OK {
            assert_eq!(answer.problem(), no_answer(Reads), "{body}");
        }
        let page = stage.admin.get(page_of(case)).await;
        assert_eq!(
            page.status == StatusCode::OK,
            answer.status == StatusCode::OK || case == SignIn,
            "{body}: {}",
            page.status
        );
        stage.proxy.heal();
        assert_eq!(stage.ask(case).await.status, StatusCode::OK, "{body}");
    }
}

/// Messages that break the rules of HTTP, or are as long as no error is.
fn broken_messages() -> Vec<(&'static str, Vec<u8>, ElasticsearchFault)> {
    use ElasticsearchFault::{BadAnswer, Gateway, WrongProduct};
    const LIST: &str = r#"{"total":0,"api_keys":[]}"#;
    let with = |headers: &str, body: &str| [success(headers).as_bytes(), body.as_bytes()].concat();
    let long = "x".repeat(10 * 1024 * 1024);
    let long_error = format!(
        "HTTP/1.1 503 Unavailable\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\r\n\
         {{\"error\":{{\"type\":\"exception\",\"reason\":\"{long}\"}},\"status\":503}}"
    );
    let long_page = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>{long}</html>");
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03 no deflate stream";
    #[rustfmt::skip]
    let messages = vec![
        ("shorter than its length", with("Content-Length: 1000\r\n", LIST), BadAnswer),
        ("longer than its length", with("Content-Length: 10\r\n", LIST), BadAnswer),
        ("length zero", with("Content-Length: 0\r\n", LIST), BadAnswer),
        ("negative length", with("Content-Length: -1\r\n", LIST), BadAnswer),
        ("length of words", with("Content-Length: many\r\n", LIST), BadAnswer),
        ("length beyond 64 bits", with("Content-Length: 99999999999999999999\r\n", LIST), BadAnswer),
        ("two lengths", with("Content-Length: 25\r\nContent-Length: 10\r\n", LIST), BadAnswer),
        ("chunks without sizes", with("Transfer-Encoding: chunked\r\n", LIST), BadAnswer),
        ("chunk beyond 64 bits", with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}"), BadAnswer),
        ("chunks without an end", with("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n"), BadAnswer),
        ("no colon", with("Content-Length\r\n", LIST), BadAnswer),
        ("NUL in a header", with("X-A: \0\r\n", LIST), BadAnswer),
        ("no such version", b"HTTP/9.9 200 OK\r\n\r\n{}".to_vec(), BadAnswer),
        ("status of two digits", b"HTTP/1.1 20 OK\r\n\r\n{}".to_vec(), BadAnswer),
        ("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x28".to_vec(), BadAnswer),
        ("broken gzip", [success("Content-Encoding: gzip\r\n").as_bytes(), gzip].concat(), BadAnswer),
        ("gzip that is none", with("Content-Encoding: gzip\r\n", "<html>"), BadAnswer),
        ("10 MiB of text", with("", &long), BadAnswer),
        ("10 MiB of brackets", with("", &"[".repeat(10 * 1024 * 1024)), BadAnswer),
        ("an error of 10 MiB", long_error.into_bytes(), Gateway(503)),
        ("a page of 10 MiB", long_page.into_bytes(), WrongProduct),
    ];
    messages
}

#[tokio::test]
async fn broken_http_messages_are_bad_answers() {
    let stage = Stage::set().await;
    for (name, message, fault) in broken_messages() {
        stage.proxy.fail(QUERY, Fault::Bytes(message.clone()));
        let answer = stage.ask(ListKeys).await;
        assert_eq!(
            answer.problem(),
            ProblemKind::Elasticsearch(fault),
            "{name}"
        );
        stage.proxy.fail(CREATE, Fault::Bytes(message));
        assert_eq!(
            stage.ask(CreateKey).await.problem(),
            ProblemKind::Unconfirmed,
            "{name}"
        );
    }
    // The control: a long answer is none the worse for it.
    let padding = "x".repeat(10 * 1024 * 1024);
    let long = success("") + &format!(r#"{{"total":0,"api_keys":[],"padding":"{padding}"}}"#);
    stage.proxy.fail(QUERY, Fault::Bytes(long.into_bytes()));
    assert_eq!(stage.ask(ListKeys).await.status, StatusCode::OK);
}

#[tokio::test]
async fn endless_response_is_read_up_to_its_limit() {
    use ElasticsearchFault::{BadAnswer, Gateway, WrongProduct};
    const MIB: usize = 1024 * 1024;
    /// What the buffers of two sockets take, though it is never read.
    const BUFFERS: usize = 12 * MIB;
    let chunk = [b"10000\r\n", " ".repeat(65_536).as_bytes(), b"\r\n"].concat();
    let text = vec![b' '; 65_536];
    let error = "HTTP/1.1 503 Unavailable\r\nX-Elastic-Product: Elasticsearch\r\n\r\n";
    #[rustfmt::skip]
    let rows = [
        ("a success", success(""), &text, BadAnswer, 16 * MIB),
        ("a success in chunks", success("Transfer-Encoding: chunked\r\n"), &chunk, BadAnswer, 16 * MIB),
        ("a success that says so", success("Content-Length: 1099511627776\r\n"), &text, BadAnswer, 16 * MIB),
        ("something else's success", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), &text, WrongProduct, 0),
        ("an error", error.to_owned(), &text, Gateway(503), MIB),
        ("a head", "HTTP/1.1 200 OK\r\nX-A: ".to_owned(), &text, BadAnswer, MIB),
    ];
    let stage = Stage::set().await;
    for (name, head, body, fault, bytes_max) in &rows {
        let endless = || Fault::Endless {
            head: head.clone().into_bytes(),
            body: body.to_vec(),
            pause: Duration::ZERO,
        };
        // The form asks one question, so one answer is read.
        stage.proxy.fail(QUERY, endless());
        let answer = stage.ask(PrepareKey).await;
        let problem = ProblemKind::Elasticsearch(*fault);
        assert_eq!(answer.problem(), problem, "{name}");
        stage.proxy.settled().await;
        let taken = stage.proxy.taken();
        assert!(taken <= bytes_max + BUFFERS, "{name}: {taken} bytes");
    }
    for (name, head, body, ..) in rows {
        let endless = Fault::Endless {
            head: head.into_bytes(),
            body: body.clone(),
            pause: Duration::ZERO,
        };
        stage.proxy.fail(CREATE, endless);
        let answer = stage.ask(CreateKey).await;
        assert_eq!(answer.problem(), ProblemKind::Unconfirmed, "{name}");
        stage.proxy.settled().await;
        let taken = stage.proxy.taken();
        assert!(taken <= MIB + BUFFERS, "{name}: {taken} bytes");
    }
}

#[tokio::test]
async fn unfinished_response_ends_at_the_deadline() {
    let rows = [
        ("a drip", success(""), " ", 50),
        (
            "a rest that never comes",
            success("Content-Length: 1000\r\n") + "{",
            "",
            1_000,
        ),
        (
            "interim answers",
            String::new(),
            "HTTP/1.1 100 Continue\r\n\r\n",
            1,
        ),
    ];
    let slow = rows.map(|(name, head, body, pause_ms)| async move {
        let stage = Stage::set().await;
        let endless = Fault::Endless {
            head: head.into_bytes(),
            body: body.as_bytes().to_vec(),
            pause: Duration::from_millis(pause_ms),
        };
        stage.proxy.fail(QUERY, endless);
        let began = Instant::now();
        let timed_out = ProblemKind::Elasticsearch(ElasticsearchFault::TimedOut);
        assert_eq!(stage.ask(PrepareKey).await.problem(), timed_out, "{name}");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(11_500), "{name}: {took:?}");
    });
    futures::future::join_all(slow).await;
}
