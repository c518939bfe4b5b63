//! Whose word counts on where a request comes from.

use crate::support::{Answer, App, Browser, PASSWORD, Setup};
use http::{Method, StatusCode};
use server::config::TrustedProxies;

const FOR: &str = "x-forwarded-for";
const PEER: &str = "127.0.0.1";
const CALLER: &str = "203.0.113.9";

/// What is said, and which address it comes to.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a str);

async fn app(trusted: Option<&str>) -> App {
    let trusted_proxies = trusted.map_or_else(TrustedProxies::default, |text| {
        TrustedProxies::parse(text).unwrap()
    });
    let setup = Setup {
        trusted_proxies,
        ..Setup::default()
    };
    App::start_with(setup).await
}

async fn sign_in(browser: &Browser, password: &str, headers: &[(&str, &str)]) -> Answer {
    let is_tls = headers
        .iter()
        .any(|(_, value)| value.to_lowercase().ends_with("https"));
    let origin = match is_tls {
        true => browser.url.replacen("http:", "https:", 1),
        false => browser.url.clone(),
    };
    let mut request = browser
        .request(Method::POST, "/api/sign_in")
        .header("origin", origin)
        .form(&[("username", "elastic"), ("password", password)]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

/// What the audit log says of the last sign-in's address.
async fn told(app: &App) -> String {
    let events = app.events().await;
    let event: serde_json::Value = serde_json::from_str(&events.last().unwrap().record).unwrap();
    event["source"]["ip"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn forwarded_headers_count_only_from_trusted_proxies() {
    let table: [(Option<&str>, &[Row]); 4] = [
        // Nobody is trusted: nothing that is said counts.
        (
            None,
            &[
                (&[], PEER),
                (&[(FOR, CALLER)], PEER),
                (&[("forwarded", "for=203.0.113.9")], PEER),
                (&[("x-real-ip", CALLER)], PEER),
            ],
        ),
        // Somebody is, and this peer is not.
        (
            Some("10.0.0.0/8"),
            &[
                (&[(FOR, CALLER)], PEER),
                (&[(FOR, "203.0.113.9, 10.0.0.1")], PEER),
            ],
        ),
        // The peer is. What the caller wrote itself stands further left.
        (
            Some("127.0.0.0/8"),
            &[
                (&[], PEER),
                (&[(FOR, CALLER)], CALLER),
                (&[(FOR, "127.0.0.1, 203.0.113.9")], CALLER),
                (&[(FOR, "8.8.8.8,203.0.113.9")], CALLER),
                (&[(FOR, "8.8.8.8"), (FOR, CALLER)], CALLER),
                (&[(FOR, "203.0.113.9, 10.0.0.1")], "10.0.0.1"),
            ],
        ),
        // Two proxies, both ours.
        (
            Some("127.0.0.1, 10.0.0.0/8 ,fd00::/8"),
            &[
                (&[(FOR, "8.8.8.8, 203.0.113.9, 10.0.0.1")], CALLER),
                (&[(FOR, "203.0.113.9:4711, [fd00::1]:80")], CALLER),
                (&[(FOR, "2001:db8::7, fd00::1")], "2001:db8::7"),
                (&[(FOR, "::ffff:203.0.113.9, ::ffff:10.0.0.1")], CALLER),
                (&[(FOR, "10.0.0.2, 10.0.0.1")], "10.0.0.2"),
                // What is no address is nobody's, and what stands left of it is not looked at.
                (&[(FOR, "203.0.113.9, unknown, 10.0.0.1")], "10.0.0.1"),
                (&[(FOR, "203.0.113.9,")], PEER),
                // Other headers are whatever the caller sent.
                (&[("forwarded", "for=203.0.113.9")], PEER),
            ],
        ),
    ];
    for (trusted, rows) in table {
        let app = app(trusted).await;
        for (headers, expected) in rows {
            let answer = sign_in(&app.nobody(), PASSWORD, headers).await;
            assert_eq!(answer.status, StatusCode::OK);
            let told = told(&app).await;
            assert_eq!(told, *expected, "{trusted:?} {headers:?}");
        }
    }
}

/// Ten failures at once are an address's, however it calls itself; behind a proxy each caller has its own ten.
#[tokio::test]
async fn address_limit_uses_the_forwarded_address() {
    let guesses = 24;
    let mut asked = Vec::new();
    for trusted in [None, Some("127.0.0.0/8")] {
        let app = app(trusted).await;
        for number in 0..guesses {
            let (name, address) = (format!("nobody-{number}"), format!("198.51.100.{number}"));
            let request = app
                .nobody()
                .request(Method::POST, "/api/sign_in")
                .header("origin", &app.nobody().url)
                .header("x-forwarded-for", &address)
                .form(&[("username", name.as_str()), ("password", "wrong")]);
            assert_eq!(Answer::of(request).await.status, StatusCode::UNAUTHORIZED);
        }
        let paused = app.events().await;
        let paused = paused
            .iter()
            .filter(|event| event.action == "login_throttled")
            .count();
        asked.push(paused);
    }
    assert!(asked[0] > 0, "one machine with many names is paused");
    assert_eq!(asked[1], 0, "the control: many machines are not");
}

/// A browser without `Sec-Fetch-Site`, and somebody in its network who writes pages of the same host over plain HTTP.
#[tokio::test]
async fn form_over_tls_is_refused_from_a_page_over_plain_http() {
    let app = app(Some("127.0.0.1")).await;
    let plain = app.nobody().url;
    let encrypted = plain.replacen("http:", "https:", 1);
    for (origin, proto, site, expected) in [
        (&plain, "https", None, StatusCode::FORBIDDEN),
        (&encrypted, "https", None, StatusCode::OK),
        (&plain, "http", None, StatusCode::OK),
        // It compared the schemes itself.
        (&plain, "https", Some("same-origin"), StatusCode::OK),
        (
            &encrypted,
            "https",
            Some("same-site"),
            StatusCode::FORBIDDEN,
        ),
    ] {
        let mut request = app
            .nobody()
            .request(Method::POST, "/api/sign_in")
            .header("origin", origin)
            .header("x-forwarded-proto", proto)
            .form(&[("username", "elastic"), ("password", PASSWORD)]);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let status = Answer::of(request).await.status;
        assert_eq!(status, expected, "{origin} {proto} {site:?}");
    }
}

#[tokio::test]
async fn cookie_is_secure_behind_a_tls_proxy() {
    const PROTO: &str = "x-forwarded-proto";
    let rows: [(Option<&str>, &str, bool); 6] = [
        (None, "https", false),
        (Some("10.0.0.0/8"), "https", false),
        (Some("127.0.0.1"), "http", false),
        (Some("127.0.0.1"), "ftp", false),
        (Some("127.0.0.1"), "https", true),
        (Some("127.0.0.1"), "http, HTTPS", true),
    ];
    for (trusted, proto, secure) in rows {
        let app = app(trusted).await;
        let answer = sign_in(&app.nobody(), PASSWORD, &[(PROTO, proto)]).await;
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        assert_eq!(cookie.starts_with("__Host-"), secure, "{trusted:?} {proto}");
        assert_eq!(cookie.contains("; Secure"), secure, "{trusted:?} {proto}");
        // It opens the session for whoever comes by the same way, and by no other name.
        let mut browser = app.nobody();
        browser.cookie = answer.cookie();
        let page = browser
            .request(Method::GET, "/settings/agent-keys")
            .header(PROTO, proto)
            .header("accept", "text/html");
        assert_eq!(Answer::of(page).await.status, StatusCode::OK);
        let other = browser.get("/settings/agent-keys").await.status;
        assert_eq!(
            other == StatusCode::SEE_OTHER,
            secure,
            "{trusted:?} {proto}"
        );
    }
}
