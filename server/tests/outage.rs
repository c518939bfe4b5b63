//! Elasticsearch goes down and comes back: what answers meanwhile, and how soon the end is seen.

use crate::support::{App, Browser, PASSWORD, eventually, soak};
use app::model::{
    key_list::KeyListPage,
    new_agent_key::CreatedAgentKey,
    problem::{ElasticsearchFault, ProblemKind},
    session::{SessionList, Viewer},
};
use http::StatusCode;
use std::time::{Duration, Instant};

const UNREACHABLE: ProblemKind = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);

const LIST: &str = "/settings/agent-keys";
const SESSIONS: &str = "/settings/sessions";

pub(crate) fn is_circuit_open(app: &App) -> bool {
    app.application.state().elasticsearch.is_circuit_open()
}

/// How long it took to be told that there is no Elasticsearch.
async fn is_refused(browser: &Browser) -> Duration {
    let began = Instant::now();
    assert_eq!(browser.list(|_| {}).await.problem(), UNREACHABLE);
    began.elapsed()
}

/// Asks until nobody waits any more; every wait.
async fn give_up(app: &App, browser: &Browser) -> Vec<Duration> {
    let waits = futures::future::join_all((0..5).map(|_| is_refused(browser))).await;
    assert!(is_circuit_open(app));
    waits
}

#[tokio::test]
async fn vanished_server_is_waited_for_once() {
    let (app, mut server) = App::behind_blackhole().await;
    let ada = app.with_key_user("ada").await;
    server.switch_off().await;
    // The control: who asks first has to wait, for a connection that nobody accepts.
    let first = give_up(&app, &ada).await;
    let waited = |took: &Duration| *took > Duration::from_millis(1_900);
    assert!(first.iter().all(waited), "{first:?}");
    let mut took = Vec::new();
    for _ in 0..100 {
        took.push(is_refused(&ada).await);
    }
    took.sort();
    println!("refused after {} ms at p95", took[94].as_millis());
    assert!(took[94] < Duration::from_millis(300), "{took:?}");
    // A change is refused before anything of it is sent, and may be asked for again.
    let answer = ada.create_as("op-1", "during the outage").await;
    assert_eq!(answer.problem(), UNREACHABLE);
    server.switch_on();
    let ended = Instant::now();
    let is_back = async || ada.list(|_| {}).await.status == StatusCode::OK;
    eventually("the list is back", is_back).await;
    println!("the list is back after {} ms", ended.elapsed().as_millis());
    assert!(ended.elapsed() < Duration::from_secs(6));
    let answer = ada.create_as("op-1", "during the outage").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(app.engine.keys().await.len(), 1);
}

/// No read comes first: the creation's own probe ends the outage, and the audit log has its beginning and its end.
#[tokio::test]
async fn creation_succeeds_after_an_outage() {
    let (app, mut server) = App::behind_blackhole().await;
    let ada = app.with_key_user("ada").await;
    server.switch_off().await;
    give_up(&app, &ada).await;
    server.switch_on();
    let ended = Instant::now();
    let is_created = async || {
        let answer = ada.create_as("op-1", "after the outage").await;
        answer.status == StatusCode::OK
    };
    eventually("the key is created", is_created).await;
    let took = ended.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(app.engine.keys().await.len(), 1);
    let states = async || {
        let events = app.events().await.into_iter();
        let states = events.filter(|event| event.action == "es_connection_state");
        let states = states.map(|event| (event.outcome.clone(), event.details.clone()));
        states.collect::<Vec<_>>()
    };
    eventually("both are written down", async || states().await.len() == 2).await;
    let states = states().await;
    assert_eq!(
        (states[0].0.as_str(), states[1].0.as_str()),
        ("failure", "success")
    );
    let details = |at: usize| serde_json::from_str::<serde_json::Value>(&states[at].1).unwrap();
    let (opened, closed) = (details(0), details(1));
    assert_eq!(
        (&opened["state"], &closed["state"]),
        (&"open".into(), &"closed".into())
    );
    assert_eq!(opened["reason"], "unreachable");
    assert!(opened["since"].is_string() && opened["since"] == closed["since"]);
}

#[tokio::test]
async fn refused_connections_do_not_open_the_circuit() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.refuse().await;
    for _ in 0..50 {
        is_refused(&ada).await;
    }
    proxy.stop_refusing().await;
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_name_the_cause_and_offer_a_retry_while_elasticsearch_is_down() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("checkout").await.value();
    let id = created.id.as_str();
    assert_eq!(ada.get(LIST).await.status, StatusCode::OK, "the control");
    proxy.refuse().await;

    let key = format!("{LIST}/{id}");
    for page in [
        LIST,
        key.as_str(),
        "/settings/users",
        "/settings/apm-integration",
        "/settings/audit",
    ] {
        let answer = ada.get(page).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{page}");
        let text = answer.text();
        for part in [
            "Elasticsearch cannot be reached",
            "Not responding",
            "Try again",
            &format!("href=\"{page}"),
            // The ways out: navigation, the user's own sessions, sign-out.
            "id=\"nav\"",
            "User menu: ada",
            SESSIONS,
            "sign_out",
        ] {
            assert!(text.contains(part), "{page}: {part}");
        }
        for part in ["checkout", "/revoke", "/new"] {
            assert!(!text.contains(part), "{page}: {part}");
        }
    }
    let revoke = ada.get(&format!("{key}/revoke")).await.text();
    assert!(revoke.contains("Nothing was changed") && !revoke.contains("Revoke key</button>"));
    assert_eq!(ada.create("not now").await.problem(), UNREACHABLE);
    for function in ["find_agent_key", "revoke_agent_key"] {
        let answer = ada.post(function, &[("id", id)]).await;
        assert_eq!(answer.problem(), UNREACHABLE, "{function}");
    }
    let viewer: Viewer = ada.post("read_viewer", &[]).await.value();
    assert_eq!(
        (viewer.username.as_str(), viewer.cluster.is_down),
        ("ada", true)
    );
    assert!(!viewer.access.list.is_granted() && !viewer.access.manage_security.is_granted());

    proxy.stop_refusing().await;
    let list: KeyListPage = ada.list(|_| {}).await.value();
    assert_eq!(list.keys.len(), 1);
}

#[tokio::test]
async fn own_sessions_and_sign_out_work_while_elasticsearch_is_down() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let second = app.as_user("ada").await;
    proxy.refuse().await;

    let page = ada.get(SESSIONS).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("Your sessions") && page.text().contains("Not responding"));
    let list: SessionList = ada.post("list_own_sessions", &[]).await.value();
    assert_eq!(list.sessions.len(), 2);
    let ended: u64 = ada.post("end_other_sessions", &[]).await.value();
    assert_eq!(ended, 1);
    assert_eq!(second.get(SESSIONS).await.status, StatusCode::SEE_OTHER);

    let signed_out = ada.submit(SESSIONS, "sign_out", &[]).await;
    assert_eq!(signed_out.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.list(|_| {}).await.problem(), ProblemKind::SignedOut);
}

#[tokio::test]
async fn sign_in_page_says_that_elasticsearch_is_down_and_no_password_is_accepted() {
    let (app, proxy) = App::behind_proxy().await;
    app.with_key_user("ada").await;
    proxy.refuse().await;
    let page = app.nobody().get("/login").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("Not reachable"));
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.problem(), UNREACHABLE);
    assert!(answer.cookie().is_none());
}

/// Twenty people open pages while no packet is answered.
#[tokio::test]
async fn pages_respond_at_once_during_an_outage_with_many_users() {
    const PEOPLE: usize = 20;
    let (app, mut server) = App::behind_blackhole().await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(app.with_key_user(&format!("person-{number}")).await);
    }
    server.switch_off().await;
    // The first requests wait for a connection and open the circuit.
    give_up(&app, &people[0]).await;
    let end = Instant::now() + Duration::from_secs(soak(0, 60) as u64);
    let (mut held, mut took) = (0, Vec::new());
    loop {
        for person in &people {
            for (path, status, part) in [
                (LIST, StatusCode::SERVICE_UNAVAILABLE, "Try again"),
                (SESSIONS, StatusCode::OK, "Your sessions"),
            ] {
                let began = Instant::now();
                let page = person.get(path).await;
                took.push(began.elapsed());
                held += usize::from(page.status == status && page.text().contains(part));
            }
        }
        if Instant::now() >= end {
            break;
        }
    }
    took.sort();
    let p95 = took[took.len() * 95 / 100];
    println!("{} pages, p95 {} ms", took.len(), p95.as_millis());
    assert_eq!(held, took.len());
    // No page waits for a connection any more. Only the long run is judged by the time that is asked for.
    let median = took[took.len() / 2];
    assert!(median < Duration::from_millis(1_900), "{took:?}");
    assert!(
        soak(0, 1) == 0 || p95 < Duration::from_millis(300),
        "{p95:?}"
    );
    server.switch_on();
    let is_back = async || people[0].list(|_| {}).await.status == StatusCode::OK;
    eventually("the list is back", is_back).await;
}
