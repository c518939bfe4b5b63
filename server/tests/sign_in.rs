//! Sign-in, sign-out and the lifetime of a session.

use crate::support::{App, PASSWORD};
use app::model::{
    problem::{ElasticsearchFault, ProblemKind},
    session::LoginInfo,
};
use http::{Method, StatusCode};
use std::time::Duration;

#[tokio::test]
async fn refused_sign_ins_get_the_same_answer() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    app.engine.put_user("gone", &[]).await;
    app.engine
        .ask(Method::PUT, "/_security/user/gone/_disable", None)
        .await;
    let long = "x".repeat(5_000);
    let cases = [
        ("ada", "wrong"),
        ("ada", long.as_str()),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("ada:", PASSWORD),
        ("ada ", PASSWORD),
        (long.as_str(), PASSWORD),
    ];
    for (username, password) in cases {
        let mut browser = app.nobody();
        let answer = browser.sign_in(username, password).await;
        assert_eq!(answer.problem(), ProblemKind::SignInRejected, "{username}");
        assert!(browser.cookie.is_none());
    }
}

#[tokio::test]
async fn password_is_used_exactly_as_typed() {
    let app = App::start().await;
    for password in [
        "      ",
        " spaces around ",
        "pass:word:",
        "línea\u{1f680}",
        "a+b&c=d%",
    ] {
        let body = serde_json::json!({ "password": password, "roles": [] });
        app.engine
            .ask(Method::PUT, "/_security/user/exact", Some(body))
            .await;
        let answer = app.nobody().sign_in("exact", password).await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "{password:?}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn session_cookie_is_http_only_and_same_site() {
    let app = App::start().await;
    let answer = app.nobody().sign_in("elastic", PASSWORD).await;
    let cookie = answer.header("set-cookie").unwrap();
    let (pair, flags) = cookie.split_once("; ").unwrap();
    assert_eq!(flags, "HttpOnly; SameSite=Lax; Path=/");
    let (name, token) = pair.split_once('=').unwrap();
    assert!(name.starts_with("agent-keys_"), "with the port: {name}");
    assert_eq!(token.len(), 22, "128 bits");
    // Signing in goes to the list, and nowhere else.
    assert_eq!(answer.header("location"), Some("/settings/agent-keys"));
    // Neither the token nor the password is on the disk.
    let bytes = app.bytes_on_disk();
    for secret in [token, PASSWORD] {
        assert!(!contains(&bytes, secret.as_bytes()));
    }
}

#[tokio::test]
async fn sign_in_ends_the_session_before() {
    let app = App::start().await;
    let first = app.as_admin().await;
    let mut second = first.clone();
    second.sign_in("elastic", PASSWORD).await;
    assert_ne!(first.cookie, second.cookie);
    assert_eq!(
        first.post("read_viewer", &[]).await.problem(),
        ProblemKind::SignedOut
    );
    assert_eq!(second.post("read_viewer", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sign_in_over_the_session_of_another_user_is_recorded() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let mut browser = app.as_admin().await;
    browser.sign_in("ada", PASSWORD).await;
    let events = app.events().await;
    let ended = events.iter().find(|event| event.action == "session_ended");
    let ended = ended.unwrap();
    assert_eq!(ended.actor.as_deref(), Some("ada"));
    assert_eq!(ended.target_name.as_deref(), Some("elastic"));
    assert!(
        ended.details.contains(r#""reason":"replaced""#),
        "{}",
        ended.details
    );
}

#[tokio::test]
async fn sign_out_ends_the_session_for_good() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let answer = admin.post("sign_out", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(
        admin.post("read_viewer", &[]).await.problem(),
        ProblemKind::SignedOut
    );
    // Twice is no fault.
    assert_eq!(admin.post("sign_out", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn late_request_does_not_revive_a_session() {
    let app = App::start().await;
    for _ in 0..20 {
        let admin = app.as_admin().await;
        // Past the minute after which use is noted: these requests want to write.
        app.clock.advance(Duration::from_secs(90));
        let late = (0..4).map(|_| admin.post("read_viewer", &[]));
        let (_, _) = tokio::join!(futures::future::join_all(late), admin.post("sign_out", &[]));
        assert_eq!(
            admin.post("read_viewer", &[]).await.problem(),
            ProblemKind::SignedOut
        );
    }
}

#[tokio::test]
async fn session_ends_after_half_an_hour_without_use() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(admin.post("read_viewer", &[]).await.status, StatusCode::OK);
    app.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(admin.post("read_viewer", &[]).await.status, StatusCode::OK);
    app.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(
        admin.post("read_viewer", &[]).await.problem(),
        ProblemKind::SignedOut
    );
    let page = admin.get("/settings/agent-keys").await;
    let location = page.header("location").unwrap();
    assert!(
        location.starts_with("/login?reason=ended&next="),
        "{location}"
    );
}

#[tokio::test]
async fn session_ends_after_twelve_hours_in_use() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for _ in 0..35 {
        app.clock.advance(Duration::from_secs(20 * 60));
        assert_eq!(admin.post("read_viewer", &[]).await.status, StatusCode::OK);
    }
    app.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(
        admin.post("read_viewer", &[]).await.problem(),
        ProblemKind::SignedOut
    );
}

#[tokio::test]
async fn forged_cookie_opens_nothing_and_is_removed() {
    let app = App::start().await;
    let real = app.as_admin().await.cookie.unwrap();
    let (name, token) = real.split_once('=').unwrap();
    let token = token.to_owned();
    let mut flipped = token.clone().into_bytes();
    flipped[0] = if flipped[0] == b'A' { b'B' } else { b'A' };
    let hostile = [
        String::from_utf8(flipped).unwrap(),
        String::new(),
        "A".repeat(22),
        "A".repeat(43),
        "A".repeat(8_000),
        "%00".to_owned(),
        format!("{token}=="),
        format!("{token}; {name}={token}"),
    ];
    for token in hostile {
        let mut browser = app.nobody();
        browser.cookie = Some(format!("{name}={token}"));
        let answer = browser.post("read_viewer", &[]).await;
        assert_eq!(answer.problem(), ProblemKind::SignedOut, "{token}");
        let removal = answer.header("set-cookie").unwrap();
        assert!(removal.contains("Max-Age=0"), "{token}");
    }
    // A name that only reads like ours once its percent signs are decoded: no rule of browsers protects it.
    let mut browser = app.nobody();
    browser.cookie = Some(format!("%61{}={token}", name.strip_prefix('a').unwrap()));
    let answer = browser.post("read_viewer", &[]).await;
    assert_eq!(answer.problem(), ProblemKind::SignedOut);
    // The control.
    browser.cookie = Some(format!("{name}={token}"));
    let answer = browser.post("read_viewer", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn session_ends_when_elasticsearch_rejects_its_password() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let body = serde_json::json!({ "password": "something else" });
    app.engine
        .ask(Method::PUT, "/_security/user/ada/_password", Some(body))
        .await;
    let answer = ada.list(|_| {}).await;
    assert_eq!(answer.problem(), ProblemKind::SignInEnded);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(ada.list(|_| {}).await.problem(), ProblemKind::SignedOut);
}

#[tokio::test]
async fn sign_in_page_shows_that_elasticsearch_is_down() {
    let (app, proxy) = App::behind_proxy().await;
    proxy.refuse().await;
    let door: LoginInfo = app.nobody().post("read_login_info", &[]).await.value();
    assert!(!door.reachable);
    assert_eq!(door.url, proxy.url());
    let answer = app.nobody().sign_in("elastic", PASSWORD).await;
    let unreachable = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);
    assert_eq!(answer.problem(), unreachable);
    proxy.stop_refusing().await;
    assert_eq!(
        app.nobody().sign_in("elastic", PASSWORD).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn sign_in_events_do_not_contain_typed_text() {
    let app = App::start().await;
    app.nobody()
        .sign_in("hunter2-in-the-wrong-field", "x")
        .await;
    let admin = app.as_admin().await;
    admin.post("sign_out", &[]).await;
    let events = app
        .application
        .state()
        .store
        .audit_events(0, 10)
        .await
        .unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.sequence,
                event.action.as_str(),
                event.outcome.as_str(),
                event.actor.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "user_login", "failure", None),
            (2, "user_login", "success", Some("elastic")),
            (3, "user_logout", "success", Some("elastic")),
        ]
    );
    assert!(!contains(&app.bytes_on_disk(), b"hunter2"));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn told(app: &App, action: &str) -> usize {
    let events = app.events().await;
    events.iter().filter(|event| event.action == action).count()
}

#[tokio::test]
async fn flood_of_unusable_names_is_limited_before_it_is_recorded() {
    let app = App::start().await;
    for number in 0..40 {
        // A colon cannot be in a name that is sent to Elasticsearch.
        let name = format!("a:{number}");
        let answer = app.nobody().sign_in(&name, "wrong").await;
        assert_eq!(answer.problem(), ProblemKind::SignInRejected);
    }
    assert_eq!(told(&app, "user_login").await, 10);
    // Of the 30 others: 1, 2, 4, 8 and 16.
    assert_eq!(told(&app, "login_throttled").await, 5);
}

#[tokio::test]
async fn rate_limited_sign_in_looks_like_wrong_password_until_the_pause_ends() {
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_user("ada", &[]).await;
    // A name that nobody has is paused like any other.
    for name in ["ada", "nobody"] {
        for _ in 0..3 {
            let answer = app.nobody().sign_in(name, "wrong").await;
            assert_eq!(answer.problem(), ProblemKind::SignInRejected);
        }
        let asked = proxy.count("GET /_security/_authenticate");
        for _ in 0..12 {
            let answer = app.nobody().sign_in(name, PASSWORD).await;
            assert_eq!(answer.problem(), ProblemKind::SignInRejected);
        }
        // Elasticsearch was not asked at all.
        assert_eq!(proxy.count("GET /_security/_authenticate"), asked);
    }
    // The refusals 1, 2, 4 and 8 of each.
    assert_eq!(told(&app, "login_throttled").await, 8);
    app.clock.advance(Duration::from_secs(3));
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
    // After a success the account begins anew.
    app.nobody().sign_in("ada", "wrong").await;
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn concurrent_guesses_do_not_all_reach_elasticsearch() {
    let app = App::start().await;
    let guesses = (0..100).map(|number| {
        let app = &app;
        async move {
            let password = format!("guess {number}");
            app.nobody().sign_in("elastic", &password).await.status
        }
    });
    let statuses = futures::future::join_all(guesses).await;
    assert!(
        statuses
            .iter()
            .all(|status| *status == StatusCode::UNAUTHORIZED)
    );
    // Three reached Elasticsearch; the others were turned away.
    assert_eq!(told(&app, "user_login").await, 3);
}

#[tokio::test]
async fn address_limit_spans_user_names() {
    let app = App::start().await;
    for number in 0..40 {
        let name = format!("name-{number}");
        app.nobody().sign_in(&name, "Spring 2026").await;
    }
    assert_eq!(told(&app, "user_login").await, 10);
    // Whoever signs in well uses none of it up.
    app.clock.advance(Duration::from_secs(6));
    for _ in 0..20 {
        let answer = app.nobody().sign_in("elastic", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn elasticsearch_fault_counts_as_no_failure() {
    let (app, proxy) = App::behind_proxy().await;
    proxy.refuse().await;
    for _ in 0..20 {
        let answer = app.nobody().sign_in("elastic", PASSWORD).await;
        assert_eq!(
            answer.problem(),
            ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable)
        );
    }
    proxy.stop_refusing().await;
    let answer = app.nobody().sign_in("elastic", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn user_has_at_most_five_sessions() {
    let app = App::start().await;
    let people = futures::future::join_all((0..50).map(|_| app.as_admin())).await;
    let mut live = 0;
    for person in &people {
        if person.post("read_viewer", &[]).await.status == StatusCode::OK {
            live += 1;
        }
    }
    assert_eq!(live, 5);
    let events = app.events().await;
    let ended = events
        .iter()
        .filter(|event| event.details.contains("concurrent_limit"));
    assert_eq!(ended.count(), 45);
}
