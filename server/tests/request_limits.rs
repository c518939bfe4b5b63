//! What every answer carries, and what is not let in.

use crate::support::{Answer, App, PASSWORD, eventually, key_form};
use app::model::problem::ProblemKind;
use http::{Method, StatusCode};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let nobody = app.nobody();
    let too_long = format!("/settings/{}", "a".repeat(20_000));
    let answers = [
        ("page", admin.get("/settings/agent-keys").await),
        ("redirect", nobody.get("/settings/agent-keys").await),
        ("sign-in page", nobody.get("/login").await),
        ("not found", nobody.get("/nowhere").await),
        ("no such file", nobody.get("/pkg/nothing.js").await),
        (
            "method",
            Answer::of(admin.request(Method::DELETE, "/settings/agent-keys")).await,
        ),
        ("json", admin.post("read_viewer", &[]).await),
        ("problem", nobody.post("read_viewer", &[]).await),
        (
            "form",
            admin
                .submit("/login", "sign_in", &[("username", "x"), ("password", "y")])
                .await,
        ),
        (
            "refused",
            Answer::of(admin.request(Method::POST, "/api/sign_out")).await,
        ),
        ("health", nobody.get("/health/live").await),
    ];
    let mut nonces = BTreeSet::new();
    for (what, answer) in &answers {
        let header = |name| {
            answer
                .header(name)
                .unwrap_or_else(|| panic!("{what} lacks {name}"))
        };
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'nonce-"),
            "{what}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        nonces.insert(policy.split('\'').nth(3).unwrap().to_owned());
        assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(header("referrer-policy"), "same-origin", "{what}");
        assert_eq!(
            header("cross-origin-opener-policy"),
            "same-origin",
            "{what}"
        );
        assert_eq!(
            header("cross-origin-resource-policy"),
            "same-origin",
            "{what}"
        );
        assert_eq!(header("cache-control"), "no-store", "{what}");
        assert_eq!(header("x-request-id").len(), 36, "{what}");
        assert_eq!(
            answer.header("strict-transport-security"),
            None,
            "only with TLS"
        );
    }
    assert_eq!(
        nonces.len(),
        answers.len(),
        "each answer has a nonce of its own"
    );
    assert_eq!(answers[9].1.status, StatusCode::FORBIDDEN);
    // A request line beyond the limit is refused before any of this.
    let refused = admin.request(Method::GET, &too_long).send().await.unwrap();
    assert!(refused.status().is_client_error());
}

#[tokio::test]
async fn inline_scripts_carry_the_nonce_of_the_policy() {
    let app = App::start().await;
    let page = app.nobody().get("/login").await;
    let policy = page.header("content-security-policy").unwrap();
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let html = page.text();
    for script in html.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap();
        assert!(tag.contains(nonce), "{tag}");
    }
}

#[tokio::test]
async fn cross_site_forms_are_refused() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let own = ada.url.clone();
    let evil = "https://evil.example".to_owned();
    // What `Origin` and `Sec-Fetch-Site` say, and whether it passes.
    let cases = [
        (Some(&own), Some("same-origin"), true),
        (Some(&own), None, true),
        (None, Some("same-origin"), true),
        (Some(&evil), Some("cross-site"), false),
        (Some(&evil), None, false),
        (None, Some("cross-site"), false),
        (None, Some("same-site"), false),
        (Some(&own), Some("cross-site"), false),
        (None, None, false),
    ];
    for (number, (origin, site, passes)) in cases.into_iter().enumerate() {
        let operation = format!("op-{number}");
        let mut request = ada
            .request(Method::POST, "/api/create_agent_key")
            .form(&ada.form(&key_form(&operation, "boundary")));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let answer = Answer::of(request).await;
        let expected = if passes {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(
            answer.status,
            expected,
            "{origin:?} {site:?} {}",
            answer.text()
        );
        if !passes {
            let problem: app::model::problem::Problem = postcard::from_bytes(&answer.body).unwrap();
            assert_eq!(problem.kind, ProblemKind::CrossOrigin);
        }
    }
    assert_eq!(app.engine.keys().await.len(), 3);
    // Nor does another site sign anybody in.
    let request = app
        .nobody()
        .request(Method::POST, "/api/sign_in")
        .header("origin", &evil)
        .form(&[("username", "elastic"), ("password", PASSWORD)]);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.cookie().is_none());
}

#[tokio::test]
async fn refused_plain_form_gets_a_sentence() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let request = admin
        .request(Method::POST, "/api/sign_out")
        .header("origin", "https://evil.example")
        .header("accept", "text/html");
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer
            .text()
            .starts_with("This form did not come from a page of Agent Keys.")
    );
    // And the script, in its own language.
    let huge = "x".repeat(70_000);
    let answer = admin.post("find_agent_key", &[("id", &huge)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let problem: app::model::problem::Problem = postcard::from_bytes(&answer.body).unwrap();
    assert_eq!(problem.kind, ProblemKind::BadForm);
}

#[tokio::test]
async fn broken_database_is_reported_on_pages_and_health() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.application.state().store.close().await;
    let answer = admin.create("nothing").await;
    assert_eq!(answer.problem(), ProblemKind::Storage);
    let page = admin.get("/settings/agent-keys").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.text().contains("Nothing was changed."),
        "{}",
        page.text()
    );
    let ready = app.nobody().get("/health/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        app.nobody().get("/health/live").await.status,
        StatusCode::OK
    );
    assert!(app.engine.keys().await.is_empty());
}

#[tokio::test]
async fn hostile_names_are_rendered_as_text() {
    let app = App::start().await;
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    app.engine.kibana_key("elastic", hostile).await;
    let admin = app.as_admin().await;
    for page in [
        "/settings/agent-keys",
        "/settings/agent-keys?q=%3Cscript%3Ealert(3)%3C%2Fscript%3E",
    ] {
        let html = admin.get(page).await.text();
        for raw in ["<script>alert(", "<img src=x"] {
            assert!(!html.contains(raw), "{page}: {raw}");
        }
    }
}

#[tokio::test]
async fn invisible_characters_are_rendered_as_code_points() {
    let app = App::start().await;
    let id = app.engine.kibana_key("elastic", "check\u{202E}tuo").await;
    let admin = app.as_admin().await;
    let revoked = admin.post("revoke_agent_key", &[("id", &id)]).await;
    assert_eq!(revoked.status, StatusCode::OK);
    for page in ["/settings/agent-keys", "/settings/audit"] {
        let html = admin.get(page).await.text();
        assert!(html.contains("check⟨U+202E⟩tuo"), "{page}");
        let (_, body) = html.split_once("<body").unwrap();
        let (body, _) = body.split_once("<script").unwrap();
        assert!(!body.contains('\u{202E}'), "{page}");
    }
}

#[tokio::test]
async fn cookie_is_secure_with_tls() {
    let directory = tempfile::tempdir().unwrap();
    let files = crate::support::self_signed(directory.path());
    let setup = crate::support::Setup {
        tls: Some(files.clone()),
        ..Default::default()
    };
    let app = App::start_with(setup).await;
    let mut browser = app.nobody();
    let answer = browser.sign_in("elastic", PASSWORD).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-agent-keys_"));
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"));
    let all = answer.headers.get_all("set-cookie");
    let mut all = all.iter().map(|value| value.to_str().unwrap());
    let device = all.find(|cookie| cookie.starts_with("__Host-agent-keys-device_"));
    let flags = "; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=31536000";
    assert!(device.unwrap().ends_with(flags));
    // Other hosts below this one may have no TLS.
    let expected = "max-age=31536000";
    assert_eq!(answer.header("strict-transport-security"), Some(expected));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(
        browser.post("read_viewer", &[]).await.status,
        StatusCode::OK
    );
    // Browsers refuse a cookie with this prefix, also one that removes, without these attributes.
    let answer = browser.post("sign_out", &[]).await;
    let removal = answer.header("set-cookie").unwrap();
    let flags = "=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0";
    assert!(removal.starts_with("__Host-agent-keys_"), "{removal}");
    assert!(removal.contains(flags), "{removal}");
}

#[tokio::test]
async fn replaced_certificate_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let setup = crate::support::Setup {
        tls: Some(crate::support::self_signed(directory.path())),
        ..Default::default()
    };
    let app = App::start_with(setup).await;
    let before = certificate(&app).await;
    crate::support::self_signed(directory.path());
    eventually("the new certificate is served", async || {
        certificate(&app).await != before
    })
    .await;
}

async fn certificate(app: &App) -> Vec<u8> {
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .no_proxy()
        .build()
        .unwrap();
    let live = format!("{}/health/live", app.application.url());
    let answer = client.get(live).send().await.unwrap();
    let about = answer.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
    about.peer_certificate().unwrap().to_vec()
}

#[tokio::test]
async fn health_needs_no_session() {
    let app = App::start().await;
    assert_eq!(app.nobody().get("/health/live").await.text(), "live");
    let ready = app.nobody().get("/health/ready").await;
    assert_eq!(
        (ready.status, ready.text().as_str()),
        (StatusCode::OK, "ready")
    );
}
