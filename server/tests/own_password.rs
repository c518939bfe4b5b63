//! Users change their own password.

use crate::support::{Answer, App, Browser, PASSWORD, proxy::Fault, shown};
use app::model::{
    problem::ProblemKind,
    session::{SessionEnd, SessionList, Viewer},
    user::{CurrentPasswordError, OwnPasswordErrors, PasswordError},
};
use http::StatusCode;
use std::time::Duration;

const NEW_PASSWORD: &str = "another good passphrase";
const PAGE: &str = "/settings/password";

fn form<'a>(current: &'a str, new: &'a str, repeated: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("current_password", current),
        ("new_password", new),
        ("repeated_password", repeated),
    ]
}

async fn change(browser: &Browser, fields: &[(&str, &str)]) -> Answer {
    browser.post("change_own_password", fields).await
}

#[track_caller]
fn errors(answer: &Answer) -> OwnPasswordErrors {
    match answer.problem() {
        ProblemKind::OwnPassword(errors) => errors,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn own_password_is_changed_and_other_sessions_end() {
    let app = App::start().await;
    for (number, by_script) in [true, false].into_iter().enumerate() {
        let name = format!("ada-{number}");
        let mut ada = app.with_user(&name, &[]).await;
        let elsewhere = app.as_user(&name).await;
        let fields = form(PASSWORD, NEW_PASSWORD, NEW_PASSWORD);
        let changed = if by_script {
            change(&ada, &fields).await
        } else {
            ada.submit(PAGE, "change_own_password", &fields).await
        };
        assert_eq!(changed.header("location"), Some("/settings/sessions"));
        // This session goes on under a new token.
        let old_token = ada.clone();
        ada.cookie = changed.cookie();
        let page = ada.get_after(&changed, "/settings/sessions").await;
        assert!(shown(&page.text()).contains("Changed your password."));
        let sessions: SessionList = ada.post("list_own_sessions", &[]).await.value();
        assert_eq!(sessions.sessions.len(), 1);
        assert!(sessions.sessions[0].is_this);
        assert_eq!(ada.post("read_viewer", &[]).await.status, StatusCode::OK);
        assert_eq!(
            old_token.post("read_viewer", &[]).await.problem(),
            ProblemKind::SignedOut
        );
        let ended = ProblemKind::SessionEnded(SessionEnd::Elsewhere);
        assert_eq!(elsewhere.post("read_viewer", &[]).await.problem(), ended);
        // Only the new password signs in.
        let old = app.nobody().sign_in(&name, PASSWORD).await;
        assert_eq!(old.status, StatusCode::UNAUTHORIZED);
        let new = app.nobody().sign_in(&name, NEW_PASSWORD).await;
        assert_eq!(new.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn change_of_the_own_password_is_audited() {
    let app = App::start().await;
    let ada = app.with_user("ada", &[]).await;
    let changed = change(&ada, &form(PASSWORD, NEW_PASSWORD, NEW_PASSWORD)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let events = app.events().await;
    let mut of_change = events
        .iter()
        .filter(|event| event.action == "user_password_change");
    let (intent, outcome) = (of_change.next().unwrap(), of_change.next().unwrap());
    assert_eq!(intent.outcome, "unknown");
    assert_eq!(outcome.outcome, "success");
    assert_eq!(outcome.actor.as_deref(), Some("ada"));
    assert_eq!(of_change.count(), 0);
    let records: String = events.iter().map(|event| format!("{event:?}")).collect();
    assert!(!records.contains(NEW_PASSWORD));
}

#[tokio::test]
async fn errors_of_the_own_password_are_at_their_fields() {
    let app = App::start().await;
    let ada = app.with_user("ada", &[]).await;
    let empty = errors(&change(&ada, &form("", "", "")).await);
    assert_eq!(empty.current, Some(CurrentPasswordError::Empty));
    assert_eq!(empty.new, Some(PasswordError::TooShort));
    assert!(!empty.repeated);
    let differs = errors(&change(&ada, &form(PASSWORD, NEW_PASSWORD, PASSWORD)).await);
    assert_eq!((differs.current, differs.new), (None, None));
    assert!(differs.repeated);
    let wrong = form("wrong", NEW_PASSWORD, NEW_PASSWORD);
    let wrong_answer = change(&ada, &wrong).await;
    let rejected = errors(&wrong_answer);
    assert_eq!(rejected.current, Some(CurrentPasswordError::Rejected));
    assert_eq!(wrong_answer.cookie(), None);
    // The same at the page of a browser without script, which gets no password back.
    let page = ada.submit(PAGE, "change_own_password", &wrong).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = shown(&page.text());
    assert!(text.contains("The password is wrong"), "{text}");
    assert!(text.contains("id=\"current-password\""));
    assert!(!text.contains(NEW_PASSWORD) && !text.contains("value=\"wrong\""));
    // Nothing was changed.
    assert_eq!(ada.post("read_viewer", &[]).await.status, StatusCode::OK);
    app.as_user("ada").await;
}

#[tokio::test]
async fn wrong_current_password_counts_as_a_failed_sign_in() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_user("ada", &[]).await;
    for _ in 0..3 {
        change(&ada, &form("wrong", NEW_PASSWORD, NEW_PASSWORD)).await;
    }
    let checked = proxy.count("GET /_security/_authenticate");
    let right = form(PASSWORD, NEW_PASSWORD, NEW_PASSWORD);
    let paused = errors(&change(&ada, &right).await);
    assert_eq!(paused.current, Some(CurrentPasswordError::Rejected));
    let sign_in = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(sign_in.problem(), ProblemKind::SignInRejected);
    assert_eq!(proxy.count("GET /_security/_authenticate"), checked);
    app.clock.advance(Duration::from_secs(3));
    assert_eq!(change(&ada, &right).await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_passwords_that_elasticsearch_keeps_can_be_changed() {
    let (app, proxy) = App::behind_proxy().await;
    let menu_link = "href=\"/settings/password\"";
    for mut native in [app.as_admin().await, app.with_user("ada", &[]).await] {
        let viewer: Viewer = native.post("read_viewer", &[]).await.value();
        assert!(viewer.access.own_password.is_granted());
        let page = native.get("/settings/sessions").await.text();
        assert!(page.contains(menu_link));
        native.cookie = None;
    }
    proxy.fail(
        "GET /_security/_authenticate",
        Fault::Edited(|user| {
            let realm = serde_json::json!({ "name": "ldap1", "type": "ldap" });
            user["authentication_realm"] = realm;
        }),
    );
    let mut ben = app.nobody();
    app.engine.put_user("ben", &[]).await;
    assert_eq!(ben.sign_in("ben", PASSWORD).await.status, StatusCode::OK);
    let viewer: Viewer = ben.post("read_viewer", &[]).await.value();
    assert!(!viewer.access.own_password.is_granted());
    assert!(
        !ben.get("/settings/sessions")
            .await
            .text()
            .contains(menu_link)
    );
    let page = shown(&ben.get(PAGE).await.text());
    assert!(page.contains("Your password is not kept in Elasticsearch"));
    assert!(page.contains("ldap1") && !page.contains("current-password"));
}

#[tokio::test]
async fn session_keeps_its_password_if_the_change_fails() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_user("ada", &[]).await;
    let right = form(PASSWORD, NEW_PASSWORD, NEW_PASSWORD);
    let answer = "HTTP/1.1 503 Service Unavailable\r\nX-elastic-product: Elasticsearch\r\n\
        Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    proxy.fail("POST /_security/user/_password", Fault::Answer(answer));
    let failed = change(&ada, &right).await;
    assert!(failed.status.is_server_error(), "{}", failed.text());
    assert_eq!(failed.cookie(), None);
    assert_eq!(ada.post("read_viewer", &[]).await.status, StatusCode::OK);
    proxy.heal();
    assert_eq!(change(&ada, &right).await.status, StatusCode::OK);
}
