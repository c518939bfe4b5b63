//! Reauthentication, and the actions that require a recent password.

use crate::support::{Answer, App, Browser, PASSWORD, mark};
use app::model::{
    problem::ProblemKind,
    session::{SessionEnd, SessionList},
};
use http::{Method, StatusCode};
use std::time::Duration;

const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);

/// Enters the password, and keeps the new cookie.
async fn enter(browser: &mut Browser, password: &str) -> Answer {
    let answer = browser
        .post("reauthenticate", &[("password", password)])
        .await;
    if let Some(cookie) = answer.cookie() {
        browser.cookie = Some(cookie);
    }
    answer
}

async fn file(browser: &Browser, format: &str) -> Answer {
    let path = format!("/settings/audit/export.{format}");
    Answer::of(browser.request(Method::GET, &path)).await
}

async fn session_of(browser: &Browser) -> String {
    let list: SessionList = browser.post("list_own_sessions", &[]).await.value();
    let this = list.sessions.into_iter().find(|session| session.is_this);
    this.unwrap().id
}

/// Everything that asks for a recently entered password, once.
async fn sensitive(app: &App, admin: &Browser) -> Vec<Answer> {
    let ada = app.as_user("ada").await;
    let id = session_of(&ada).await;
    vec![
        file(admin, "jsonl").await,
        file(admin, "csv").await,
        admin.post("end_session", &[("id", &id)]).await,
    ]
}

#[tokio::test]
async fn harmful_actions_require_a_recent_password() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let mut admin = app.as_admin().await;
    let mut held = 0;
    let mut check = |answers: Vec<Answer>, fresh: bool| {
        for answer in answers {
            if fresh {
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
            } else {
                assert_eq!(answer.problem(), ProblemKind::ReauthRequired);
                assert_eq!(answer.status, StatusCode::FORBIDDEN);
            }
            held += 1;
        }
    };
    // Signing in counts, for five minutes and no longer.
    app.clock.advance(FIVE_MINUTES);
    check(sensitive(&app, &admin).await, true);
    app.clock.advance(Duration::from_millis(1));
    check(sensitive(&app, &admin).await, false);
    // So does entering the password again.
    assert_eq!(enter(&mut admin, PASSWORD).await.status, StatusCode::OK);
    app.clock.advance(FIVE_MINUTES);
    check(sensitive(&app, &admin).await, true);
    app.clock.advance(Duration::from_millis(1));
    check(sensitive(&app, &admin).await, false);
    // The control: what does not ask for it goes on as before.
    assert_eq!(admin.post("list_users", &[]).await.status, StatusCode::OK);
    let exports = app.events().await;
    let exports = exports
        .iter()
        .filter(|event| event.action == "audit_export");
    assert_eq!(exports.count(), 4, "nothing was handed out without it");
}

#[tokio::test]
async fn changes_of_users_roles_and_settings_require_a_recent_password() {
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_user("dana", &[]).await;
    let mut admin = app.as_admin().await;
    app.clock.advance(FIVE_MINUTES + Duration::from_millis(1));
    let dana = ("username", "dana");
    let erin = [("form[username]", "erin"), ("form[password]", PASSWORD)];
    let settings = [("form[server_url]", ""), ("form[api_key_limit]", "50")];
    let changes: [(&str, &[(&str, &str)]); 7] = [
        ("create_user", &erin),
        ("assign_agent_key_role", &[dana, ("assigned", "true")]),
        ("set_user_enabled", &[dana, ("enabled", "false")]),
        ("reset_password", &[dana, ("password", "another long one")]),
        ("put_agent_key_role", &[]),
        ("save_apm_settings", &settings),
        ("delete_user", &[dana]),
    ];
    let writes = || {
        let methods = ["PUT /_security/", "DELETE /_security/"];
        methods.map(|method| proxy.count(method))
    };
    let before = writes();
    for (function, fields) in changes {
        let refused = admin.post(function, fields).await;
        assert_eq!(refused.problem(), ProblemKind::ReauthRequired, "{function}");
    }
    assert_eq!(writes(), before, "nothing was changed");
    enter(&mut admin, PASSWORD).await;
    for (function, fields) in changes {
        let done = admin.post(function, fields).await;
        assert_eq!(done.status, StatusCode::OK, "{function}: {}", done.text());
    }
    assert_ne!(writes(), before);
}

#[tokio::test]
async fn administrators_change_their_own_password_only_with_the_current_one() {
    let app = App::start().await;
    app.engine.put_user("dana", &["superuser"]).await;
    let dana = app.as_user("dana").await;
    let reset = |username| [("username", username), ("password", "another long one")];
    let own = dana.post("reset_password", &reset("dana")).await;
    assert_eq!(own.problem(), ProblemKind::OwnAccount);
    let of_another = dana.post("reset_password", &reset("elastic")).await;
    assert_eq!(of_another.status, StatusCode::OK, "{}", of_another.text());
}

#[tokio::test]
async fn wrong_password_is_not_accepted_as_recent() {
    let app = App::start().await;
    let mut admin = app.as_admin().await;
    app.clock.advance(Duration::from_secs(360));
    let before = admin.cookie.clone();
    let answer = enter(&mut admin, "wrong").await;
    assert_eq!(answer.problem(), ProblemKind::SignInRejected);
    assert_eq!(answer.headers.get("set-cookie"), None);
    assert_eq!(admin.cookie, before);
    assert_eq!(
        file(&admin, "csv").await.problem(),
        ProblemKind::ReauthRequired
    );
    // The person stays signed in.
    assert_eq!(admin.post("read_viewer", &[]).await.status, StatusCode::OK);
    let events = app.events().await;
    let event = events.last().unwrap();
    assert_eq!(
        (event.action.as_str(), event.outcome.as_str()),
        ("reauth", "failure")
    );
    assert_eq!(event.actor.as_deref(), Some("elastic"));
}

#[tokio::test]
async fn recent_password_counts_for_its_session_alone() {
    let app = App::start().await;
    let mut here = app.as_admin().await;
    let there = app.as_admin().await;
    app.clock.advance(Duration::from_secs(360));
    enter(&mut here, PASSWORD).await;
    assert_eq!(file(&here, "csv").await.status, StatusCode::OK);
    assert_eq!(
        file(&there, "csv").await.problem(),
        ProblemKind::ReauthRequired
    );
}

#[tokio::test]
async fn reauthentication_replaces_the_token() {
    let app = App::start().await;
    let mut admin = app.as_admin().await;
    for _ in 0..20 {
        let before = admin.clone();
        let id = session_of(&before).await;
        assert_eq!(enter(&mut admin, PASSWORD).await.status, StatusCode::OK);
        assert_ne!(admin.cookie, before.cookie);
        let late = before.post("read_viewer", &[]).await;
        assert_eq!(late.problem(), ProblemKind::SignedOut);
        // An answer that was under way must not take the new cookie away.
        assert_eq!(late.headers.get("set-cookie"), None);
        let again = before
            .post("reauthenticate", &[("password", PASSWORD)])
            .await;
        assert_eq!(again.problem(), ProblemKind::SignedOut);
        assert_eq!(session_of(&admin).await, id, "it is the same session");
    }
}

#[tokio::test]
async fn reauthentication_does_not_extend_the_lifetime() {
    let app = App::start().await;
    let mut admin = app.as_admin().await;
    for _ in 0..35 {
        app.clock.advance(Duration::from_secs(20 * 60));
        assert_eq!(enter(&mut admin, PASSWORD).await.status, StatusCode::OK);
    }
    app.clock.advance(Duration::from_secs(20 * 60));
    let answer = enter(&mut admin, PASSWORD).await;
    assert_eq!(answer.problem(), ProblemKind::SignedOut);
}

#[tokio::test]
async fn reauthentication_does_not_revive_an_ended_session() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let here = app.as_user("ada").await;
    for _ in 0..10 {
        let there = app.as_user("ada").await;
        let entering = there.post("reauthenticate", &[("password", PASSWORD)]);
        let (entered, _) = tokio::join!(entering, here.post("end_other_sessions", &[]));
        here.post("end_other_sessions", &[]).await;
        let after = Browser {
            cookie: entered.cookie().or(there.cookie.clone()),
            ..there
        };
        let told = after.post("read_viewer", &[]).await.problem();
        let ended = ProblemKind::SessionEnded(SessionEnd::Elsewhere);
        assert_eq!(told, ended);
    }
}

#[tokio::test]
async fn reauthentication_failures_count_as_sign_in_failures() {
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_user("ada", &[]).await;
    let mut ada = app.as_user("ada").await;
    for _ in 0..3 {
        enter(&mut ada, "wrong").await;
    }
    let asked = proxy.count("GET /_security/_authenticate");
    // The right password, here and at the front door: nobody is asked.
    let answer = enter(&mut ada, PASSWORD).await;
    assert_eq!(answer.problem(), ProblemKind::SignInRejected);
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.problem(), ProblemKind::SignInRejected);
    assert_eq!(proxy.count("GET /_security/_authenticate"), asked);
    app.clock.advance(Duration::from_secs(3));
    assert_eq!(enter(&mut ada, PASSWORD).await.status, StatusCode::OK);
    // And the other way round.
    for _ in 0..3 {
        app.nobody().sign_in("ada", "wrong").await;
    }
    let answer = enter(&mut ada, PASSWORD).await;
    assert_eq!(answer.problem(), ProblemKind::SignInRejected);
}

#[tokio::test]
async fn reauthentication_takes_over_a_changed_password() {
    let app = App::start().await;
    let mut ada = app.with_key_user("ada").await;
    let body = serde_json::json!({ "password": "something else" });
    app.engine
        .ask(Method::PUT, "/_security/user/ada/_password", Some(body))
        .await;
    assert_eq!(
        enter(&mut ada, "something else").await.status,
        StatusCode::OK
    );
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
}

#[tokio::test]
async fn reauthentication_page_returns_to_the_page_before() {
    let app = App::start().await;
    let mut admin = app.as_admin().await;
    app.clock.advance(Duration::from_secs(360));
    let export = admin.get("/settings/audit/export.csv?person=a").await;
    assert_eq!(export.status, StatusCode::SEE_OTHER);
    let page = "/reauthenticate?next=%2Fsettings%2Faudit%2Fexport.csv%3Fperson%3Da";
    assert_eq!(export.header("location"), Some(page));
    let file_address = "/settings/audit/export.csv?person=a";
    // The page says whose password, and why.
    let drawn = admin.get(page).await;
    assert_eq!(drawn.status, StatusCode::OK);
    let text = drawn.text();
    for part in [
        "Enter your password again",
        "elastic",
        "entered in the last five minutes",
    ] {
        assert!(text.contains(part), "{part}");
    }
    // Cancelling leads to the page of the export.
    assert!(text.contains(r#"href="/settings/audit?person=a""#));
    assert!(text.contains(r#"name="next" value="/settings/audit/export.csv?person=a""#));
    // A wrong one is answered on the page, which still knows where to go.
    let next = ("next", file_address);
    let fields = [("page", page), next, ("password", "wrong")];
    let wrong = admin.submit(page, "reauthenticate", &fields).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let text = wrong.text();
    assert!(text.contains("The password is wrong") && !text.contains(r#"value="wrong""#));
    assert!(text.contains(r#"name="next" value="/settings/audit/export.csv?person=a""#));
    let fields = [("page", page), next, ("password", PASSWORD)];
    let right = admin.submit(page, "reauthenticate", &fields).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    assert_eq!(right.header("location"), Some("/settings/audit?person=a"));
    admin.cookie = right.cookie();
    // The page starts the download, once.
    let audit = admin.get_after(&right, "/settings/audit?person=a").await;
    let refresh = format!("0; url={file_address}");
    assert_eq!(audit.header("refresh"), Some(refresh.as_str()));
    let again = admin.get("/settings/audit?person=a").await;
    assert_eq!(again.header("refresh"), None);
    assert_eq!(file(&admin, "csv").await.status, StatusCode::OK);
}

#[tokio::test]
async fn reauthentication_goes_on_with_the_form_that_it_interrupted() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let ada = app.with_user("ada", &[]).await;
    let id = session_of(&ada).await;
    app.clock.advance(Duration::from_secs(360));
    let fields = [("page", "/settings/sessions"), ("id", id.as_str())];
    // The script gets the problem, and posts the form as a plain one.
    let script = admin.post("end_session", &fields).await;
    assert_eq!(script.problem(), ProblemKind::ReauthRequired);
    assert!(!script.headers.contains_key("serverfnredirect"));
    let form = admin
        .submit("/settings/sessions", "end_session", &fields)
        .await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);
    let text = form.text();
    assert!(text.contains("Enter your password again"), "{text}");
    assert!(text.contains(r#"name="interrupted_path" value="/api/end_session""#));
    let input = format!(
        "page=%2Fsettings%2Fsessions&id={id}&user={}",
        mark("elastic")
    );
    let password = |password| {
        [
            ("page", "/reauthenticate?next=%2Fsettings%2Fsessions"),
            ("password", password),
            ("interrupted_path", "/api/end_session"),
            ("interrupted_input", input.as_str()),
        ]
    };
    let wrong = admin
        .submit("/reauthenticate", "reauthenticate", &password("wrong"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text().contains(r#"value="/api/end_session""#));
    assert_eq!(ada.post("read_viewer", &[]).await.status, StatusCode::OK);
    let right = admin
        .submit("/reauthenticate", "reauthenticate", &password(PASSWORD))
        .await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text());
    assert!(right.cookie().is_some());
    let text = right.text();
    assert!(text.contains("Your sessions") && text.contains("Ended the session."));
    let ended = ProblemKind::SessionEnded(SessionEnd::Administrator);
    assert_eq!(ada.post("read_viewer", &[]).await.problem(), ended);
}

#[tokio::test]
async fn reauthentication_page_redirects_only_to_own_pages() {
    let app = App::start().await;
    let mut admin = app.as_admin().await;
    for hostile in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let fields = [("password", PASSWORD), ("next", hostile)];
        let answer = admin.post("reauthenticate", &fields).await;
        assert_eq!(
            answer.header("location"),
            Some("/settings/agent-keys"),
            "{hostile}"
        );
        admin.cookie = answer.cookie();
    }
    let text = admin
        .get("/reauthenticate?next=https://evil.example/")
        .await
        .text();
    assert!(!text.contains(r#"href="https://evil"#));
    // Whoever is not signed in enters the password there, which is as good.
    let nobody = app.nobody();
    let answer = nobody
        .get("/reauthenticate?next=%2Fsettings%2Fsessions")
        .await;
    assert_eq!(
        answer.header("location"),
        Some("/login?next=%2Fsettings%2Fsessions")
    );
    let asked = nobody
        .post("reauthenticate", &[("password", PASSWORD)])
        .await;
    assert_eq!(asked.problem(), ProblemKind::SignedOut);
}
