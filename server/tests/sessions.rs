//! Lists and ends sessions.

use crate::support::{Answer, App, Browser, PASSWORD, client_with};
use app::model::{
    problem::ProblemKind,
    session::{LiveSession, SessionEnd, SessionList},
};
use http::StatusCode;
use server::maintenance;
use std::time::Duration;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const ENDED_ELSEWHERE: ProblemKind = ProblemKind::SessionEnded(SessionEnd::Elsewhere);

async fn own(browser: &Browser) -> Vec<LiveSession> {
    let list: SessionList = browser.post("list_own_sessions", &[]).await.value();
    list.sessions
}

async fn ask_for_others(browser: &Browser, name: &str) -> Answer {
    let question = app::api::sessions::ListOthersSessions { name: name.into() };
    let body = postcard::to_allocvec(&question).unwrap();
    browser.post_bytes("list_others_sessions", body).await
}

async fn others(browser: &Browser) -> Vec<LiveSession> {
    let list: SessionList = ask_for_others(browser, "").await.value();
    list.sessions
}

async fn this(browser: &Browser) -> LiveSession {
    let sessions = own(browser).await;
    sessions
        .into_iter()
        .find(|session| session.is_this)
        .unwrap()
}

async fn end(browser: &Browser, id: &str) -> Answer {
    browser.post("end_session", &[("id", id)]).await
}

async fn lives(browser: &Browser) -> bool {
    browser.post("read_viewer", &[]).await.status == StatusCode::OK
}

#[tokio::test]
async fn own_list_shows_only_the_users_sessions() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    app.engine.put_user("ben", &[]).await;
    let ben = app.as_user("ben").await;
    let first = app.as_user("ada").await;
    app.clock.advance(Duration::from_secs(120));
    let mut second = app.nobody();
    second.http = client_with(|builder| builder.user_agent(FIREFOX));
    second.sign_in("ada", PASSWORD).await;
    let sessions = own(&second).await;
    let told: Vec<_> = sessions
        .iter()
        .map(|session| {
            (
                session.username.as_str(),
                session.browser.as_deref(),
                session.is_this,
            )
        })
        .collect();
    // The one used last comes first.
    assert_eq!(
        told,
        [
            ("ada", Some("Firefox on Linux"), true),
            ("ada", None, false)
        ]
    );
    for session in &sessions {
        assert_eq!(session.address.as_deref(), Some("127.0.0.1"));
    }
    assert_eq!(
        sessions[0].signed_in_at.0 - sessions[1].signed_in_at.0,
        120_000
    );
    assert_eq!(this(&first).await.id, sessions[1].id);
    // The control: the other person's is another one.
    let bens = this(&ben).await;
    assert!(sessions.iter().all(|session| session.id != bens.id));
    // What nobody uses any more is not shown.
    app.clock.advance(Duration::from_secs(25 * 60));
    assert!(lives(&second).await);
    app.clock.advance(Duration::from_secs(25 * 60));
    assert_eq!(own(&second).await.len(), 1);
}

#[tokio::test]
async fn ended_session_shows_the_reason_at_the_next_request() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let (here, there) = (app.as_user("ada").await, app.as_user("ada").await);
    let untouched = app.as_user("ada").await;
    let id = this(&there).await.id;
    assert_eq!(end(&here, &id).await.status, StatusCode::OK);
    // A question, a page, and a form of a browser without a script.
    let asked = there.post("read_viewer", &[]).await;
    assert_eq!(asked.problem(), ENDED_ELSEWHERE);
    assert_eq!(asked.header("location"), Some("/login?reason=elsewhere"));
    let page = there.get("/settings/agent-keys?q=a").await;
    let login = "/login?reason=elsewhere&next=%2Fsettings%2Fagent-keys%3Fq%3Da";
    assert_eq!(page.header("location"), Some(login));
    let form = there
        .submit("/settings/users", "put_agent_key_role", &[])
        .await;
    let said = "You ended this session from another browser.";
    assert_eq!(form.status, StatusCode::UNAUTHORIZED);
    assert!(form.text().contains(said));
    assert!(there.get(login).await.text().contains(said));
    // The control: it is not said to those it did not happen to, and they go on.
    assert!(
        !app.nobody()
            .get("/login?reason=ended")
            .await
            .text()
            .contains(said)
    );
    assert!(lives(&here).await && lives(&untouched).await);
    // Ending it once more: it is not there.
    assert_eq!(end(&here, &id).await.problem(), ProblemKind::NotFound);
    let mut there = there;
    there.sign_in("ada", PASSWORD).await;
    assert!(lives(&there).await);
    let events = app.events().await;
    let ended: Vec<_> = events
        .iter()
        .filter(|event| event.action == "session_ended")
        .collect();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].actor.as_deref(), Some("ada"));
    assert_eq!(ended[0].target_name.as_deref(), Some("ada"));
    assert!(ended[0].details.contains(r#""reason":"user""#));
}

#[tokio::test]
async fn end_all_others_keeps_the_session_in_use() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let ben = app.with_user("ben", &[]).await;
    let here = app.as_user("ada").await;
    let others = [app.as_user("ada").await, app.as_user("ada").await];
    let ended: u64 = here.post("end_other_sessions", &[]).await.value();
    assert_eq!(ended, 2);
    for other in &others {
        assert_eq!(
            other.post("read_viewer", &[]).await.problem(),
            ENDED_ELSEWHERE
        );
    }
    assert!(lives(&here).await && lives(&ben).await);
    let ended: u64 = here.post("end_other_sessions", &[]).await.value();
    assert_eq!(ended, 0);
}

#[tokio::test]
async fn sessions_of_others_look_missing_without_manage_security() {
    let app = App::start().await;
    let ada = app.with_user("ada", &[]).await;
    let ben = app.with_user("ben", &[]).await;
    let bens = this(&ben).await.id;
    for id in [bens.as_str(), "no-such-session", "", "*", "_all", "a,b"] {
        let answer = end(&ada, id).await;
        assert_eq!(answer.problem(), ProblemKind::NotFound, "{id}");
    }
    assert!(lives(&ben).await);
    let refused = ask_for_others(&ada, "").await;
    assert!(matches!(refused.problem(), ProblemKind::Forbidden(_)));
    // The control: for who may, this very session is there.
    let admin = app.as_admin().await;
    assert!(
        others(&admin)
            .await
            .iter()
            .any(|session| session.id == bens)
    );
    assert!(
        others(&admin)
            .await
            .iter()
            .all(|session| session.username != "elastic")
    );
    assert_eq!(end(&admin, &bens).await.status, StatusCode::OK);
    let told = ben.post("read_viewer", &[]).await.problem();
    assert_eq!(told, ProblemKind::SessionEnded(SessionEnd::Administrator));
    let events = app.events().await;
    let event = events.last().unwrap();
    assert_eq!(event.action, "session_ended");
    assert_eq!(event.actor.as_deref(), Some("elastic"));
    assert_eq!(event.target_name.as_deref(), Some("ben"));
    assert!(event.details.contains(r#""reason":"admin""#));
}

#[tokio::test]
async fn sessions_of_others_are_found_by_part_of_the_user_name() {
    let app = App::start().await;
    for name in ["ada", "Adam", "b_n", "ben"] {
        app.with_user(name, &[]).await;
    }
    let admin = app.as_admin().await;
    let found = async |name: &str| {
        let list: SessionList = ask_for_others(&admin, name).await.value();
        let mut names: Vec<_> = list
            .sessions
            .into_iter()
            .map(|session| session.username)
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(found("").await, ["Adam", "ada", "b_n", "ben"]);
    assert_eq!(found("ADA").await, ["Adam", "ada"]);
    // What means something to the database is a character like any other.
    assert_eq!(found("b_n").await, ["b_n"]);
    for nothing in ["%", "' OR 1=1 --", "elastic"] {
        assert_eq!(found(nothing).await, [""; 0], "{nothing}");
    }
    let page = admin.get("/settings/sessions?person=ben").await.text();
    assert!(page.contains("session of ben:") && !page.contains("session of ada:"));
}

#[tokio::test]
async fn ending_the_session_in_use_signs_out() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let answer = end(&admin, &this(&admin).await.id).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("location"), Some("/login?reason=signed-out"));
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(
        admin.post("read_viewer", &[]).await.problem(),
        ProblemKind::SignedOut
    );
    assert_eq!(app.events().await.last().unwrap().action, "user_logout");
}

#[tokio::test]
async fn sign_out_clears_cache_and_storage_of_the_browser() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    // The control: a click that is no sign-out clears nothing.
    let page = admin.get("/settings/agent-keys").await;
    assert_eq!(page.header("clear-site-data"), None);
    let answer = admin.submit("/settings/agent-keys", "sign_out", &[]).await;
    let cleared = answer.header("clear-site-data");
    assert_eq!(cleared, Some(r#""cache", "storage""#));
}

#[tokio::test]
async fn sessions_can_be_ended_while_elasticsearch_is_down() {
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_user("ada", &[]).await;
    let (here, there) = (app.as_user("ada").await, app.as_user("ada").await);
    proxy.refuse().await;
    let sessions = own(&here).await;
    let other = sessions.iter().find(|session| !session.is_this).unwrap();
    assert_eq!(end(&here, &other.id).await.status, StatusCode::OK);
    assert_eq!(
        there.post("read_viewer", &[]).await.problem(),
        ENDED_ELSEWHERE
    );
}

#[tokio::test]
async fn late_request_does_not_revive_a_session_ended_elsewhere() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let here = app.as_user("ada").await;
    for _ in 0..20 {
        let there = app.as_user("ada").await;
        // Past the minute after which use is noted: these requests want to write.
        app.clock.advance(Duration::from_secs(90));
        let late = (0..4).map(|_| there.post("read_viewer", &[]));
        let ending = here.post("end_other_sessions", &[]);
        let (_, ended) = tokio::join!(futures::future::join_all(late), ending);
        assert_eq!(ended.value::<u64>(), 1);
        assert_eq!(
            there.post("read_viewer", &[]).await.problem(),
            ENDED_ELSEWHERE
        );
    }
}

#[tokio::test]
async fn expired_session_is_recorded_once() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let state = app.application.state();
    let ended = async || {
        maintenance::run_once(state, None).await;
        let events = app.events().await;
        let ended = events
            .iter()
            .filter(|event| event.action == "session_ended");
        let reason = |details: &str| -> String {
            let details: serde_json::Value = serde_json::from_str(details).unwrap();
            details["reason"].as_str().unwrap().to_owned()
        };
        ended
            .map(|event| (event.target_name.clone().unwrap(), reason(&event.details)))
            .collect::<Vec<_>>()
    };
    let _idle = app.as_user("ada").await;
    let busy = app.as_admin().await;
    // The control: while they live, nothing is said of them.
    assert_eq!(ended().await, []);
    for _ in 0..36 {
        app.clock.advance(Duration::from_secs(20 * 60));
        busy.post("read_viewer", &[]).await;
        ended().await;
    }
    let told = |name: &str, reason: &str| (name.to_owned(), reason.to_owned());
    let expected = [told("ada", "idle"), told("elastic", "lifespan")];
    assert_eq!(ended().await, expected);
    assert_eq!(ended().await, expected);
}

#[tokio::test]
async fn sessions_page_works_without_script() {
    let app = App::start().await;
    app.engine.put_user("ada", &[]).await;
    let there = app.as_user("ada").await;
    let mut here = app.nobody();
    here.http = client_with(|builder| builder.user_agent(FIREFOX));
    here.sign_in("ada", PASSWORD).await;
    let page = "/settings/sessions";
    let drawn = here.get(page).await;
    assert_eq!(drawn.status, StatusCode::OK);
    let text = drawn.text();
    for part in [
        "Your sessions",
        "Firefox on Linux",
        "This session",
        "127.0.0.1",
        "End all other sessions",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(
        !text.contains("Other users"),
        "only for who manages security"
    );
    let id = this(&there).await.id;
    assert!(text.contains(&id) && !text.contains(&this(&here).await.id));
    let fields = [("page", page), ("id", id.as_str())];
    let ended = here.submit(page, "end_session", &fields).await;
    assert_eq!(ended.status, StatusCode::OK);
    let text = ended.text();
    assert!(text.contains("Ended the session.") && !text.contains("End all other sessions"));
    assert!(!lives(&there).await);
    let admin = app.as_admin().await;
    let text = admin.get(page).await.text();
    assert!(text.contains("Other users") && text.contains("ada"));
}
