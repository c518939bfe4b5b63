//! Browsers in which a user has signed in before.

use crate::support::{App, Browser, PASSWORD, client_with};
use app::model::problem::ProblemKind;
use http::StatusCode;
use std::{net::Ipv4Addr, time::Duration};

/// A browser on another machine.
fn at(app: &App, last: u8) -> Browser {
    let address = Ipv4Addr::new(127, 0, 0, last);
    let mut browser = app.nobody();
    browser.http = client_with(|builder| builder.local_address(Some(address.into())));
    browser
}

/// A browser in which this person has signed in, and which was closed since.
async fn known_to(app: &App, username: &str, last: u8) -> Browser {
    let mut browser = at(app, last);
    let answer = browser.sign_in(username, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    browser.cookie = answer.device_cookie();
    assert!(browser.cookie.is_some());
    browser
}

/// Tries once, and keeps the browser as it was.
async fn try_with(browser: &Browser, username: &str, password: &str) -> StatusCode {
    browser.clone().sign_in(username, password).await.status
}

#[tokio::test]
async fn known_browser_signs_in_while_others_guess() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let known = known_to(&app, "ada", 2).await;
    let (unknown, attacker) = (at(&app, 3), at(&app, 4));
    for round in 0..20 {
        for _ in 0..3 {
            let status = try_with(&attacker, "ada", "guess").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
        // The control: from elsewhere, not even the right password helps.
        if round > 0 {
            assert_eq!(
                try_with(&unknown, "ada", PASSWORD).await,
                StatusCode::UNAUTHORIZED
            );
        }
        assert_eq!(try_with(&known, "ada", PASSWORD).await, StatusCode::OK);
        app.clock.advance(Duration::from_secs(2));
    }
    // That they got in gives those who guess nothing back.
    assert_eq!(
        try_with(&unknown, "ada", PASSWORD).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn known_browser_is_rate_limited_separately() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let (stolen, other) = (
        known_to(&app, "ada", 2).await,
        known_to(&app, "ada", 3).await,
    );
    for _ in 0..3 {
        assert_eq!(
            try_with(&stolen, "ada", "guess").await,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        try_with(&stolen, "ada", PASSWORD).await,
        StatusCode::UNAUTHORIZED
    );
    // Nobody else waits for it: not an unknown browser, and not another one that is known.
    assert_eq!(
        try_with(&at(&app, 4), "ada", PASSWORD).await,
        StatusCode::OK
    );
    assert_eq!(try_with(&other, "ada", PASSWORD).await, StatusCode::OK);
    app.clock.advance(Duration::from_secs(3));
    assert_eq!(try_with(&stolen, "ada", PASSWORD).await, StatusCode::OK);
}

#[tokio::test]
async fn browser_is_known_to_one_user_with_its_own_cookie() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    app.engine.put_user("ben", &[]).await;
    let (adas, bens) = (
        known_to(&app, "ada", 2).await,
        known_to(&app, "ben", 2).await,
    );
    for _ in 0..3 {
        try_with(&at(&app, 3), "ada", "guess").await;
    }
    let genuine = adas.cookie.clone().unwrap();
    let (name, value) = genuine.split_once('=').unwrap();
    let mut changed = value.as_bytes().to_vec();
    changed[0] = if changed[0] == b'A' { b'B' } else { b'A' };
    let hostile = [
        bens.cookie.clone().unwrap(),
        format!("{name}={}", String::from_utf8(changed).unwrap()),
        format!("{name}="),
        format!("{name}={}", "A".repeat(4_000)),
        format!("{genuine}; {genuine}"),
    ];
    for cookie in hostile {
        let browser = Browser {
            cookie: Some(cookie.clone()),
            ..at(&app, 2)
        };
        let answer = browser.clone().sign_in("ada", PASSWORD).await;
        assert_eq!(answer.problem(), ProblemKind::SignInRejected, "{cookie}");
    }
    // The control: the genuine one is known, and after a year it is not.
    assert_eq!(try_with(&adas, "ada", PASSWORD).await, StatusCode::OK);
    app.clock.advance(Duration::from_secs(365 * 24 * 60 * 60));
    for _ in 0..3 {
        try_with(&at(&app, 3), "ada", "guess").await;
    }
    assert_eq!(
        try_with(&adas, "ada", PASSWORD).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn address_limit_applies_to_known_browsers() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let known = known_to(&app, "ada", 2).await;
    for number in 0..10 {
        try_with(&at(&app, 2), &format!("name-{number}"), "Spring 2026").await;
    }
    assert_eq!(
        try_with(&known, "ada", PASSWORD).await,
        StatusCode::UNAUTHORIZED
    );
    // The control: from an address that has not guessed, the same cookie gets in.
    let moved = Browser {
        cookie: known.cookie.clone(),
        ..at(&app, 3)
    };
    assert_eq!(try_with(&moved, "ada", PASSWORD).await, StatusCode::OK);
}

#[tokio::test]
async fn device_cookie_is_http_only_and_opens_nothing() {
    let app = App::start().await;
    let mut browser = app.nobody();
    // Only who has signed in is known.
    assert_eq!(
        browser.sign_in("elastic", "wrong").await.device_cookie(),
        None
    );
    let answer = browser.sign_in("elastic", PASSWORD).await;
    let all = answer.headers.get_all("set-cookie");
    let cookies: Vec<_> = all.iter().map(|value| value.to_str().unwrap()).collect();
    let device = cookies
        .iter()
        .find(|cookie| cookie.contains("-device_"))
        .unwrap();
    let flags = device.split_once("; ").unwrap().1;
    assert_eq!(flags, "HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000");
    assert!(!device.contains("elastic"));
    let device = answer.device_cookie();
    let only_known = Browser {
        cookie: device.clone(),
        ..app.nobody()
    };
    let asked = only_known.post("read_viewer", &[]).await;
    assert_eq!(asked.problem(), ProblemKind::SignedOut);
    // Nor is such a person told that a session of theirs ended.
    let page = only_known.get("/settings/agent-keys").await;
    let location = page.header("location").unwrap();
    assert!(location.starts_with("/login?next="), "{location}");
    // It is not written down anywhere.
    let value = device.unwrap();
    let value = value.split_once('=').unwrap().1.as_bytes();
    let bytes = app.bytes_on_disk();
    assert!(!bytes.windows(value.len()).any(|window| window == value));
}
