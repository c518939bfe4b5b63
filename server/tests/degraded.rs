//! Elasticsearch is away, and people see what their lists showed before.

use crate::support::{Answer, App, Browser, NOW, PASSWORD, eventually, requirement, soak};
use app::model::{
    access::{Permit, Reach},
    agent_key::{CreatedAgentKey, FoundAgentKey, KeyStatus},
    key_list::{KeyListPage, KeyListQuery, PageAnchor, SortField, SortOrder, StatusFilter},
    outage::Memory,
    problem::{ElasticsearchFault, ProblemKind},
    viewer::Viewer,
};
use http::{Method, StatusCode};
use serde_json::json;
use server::{access::Identity, housekeeping};
use std::time::{Duration, Instant};

const UNREACHABLE: ProblemKind = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);
const LIST: &str = "/settings/agent-keys";

async fn list(browser: &Browser) -> KeyListPage {
    browser.list(|_| {}).await.value()
}

async fn viewer(browser: &Browser) -> Viewer {
    browser.post("read_viewer", &[]).await.value()
}

async fn find(browser: &Browser, id: &str) -> Answer {
    browser.post("find_agent_key", &[("id", id)]).await
}

fn names(page: &KeyListPage) -> Vec<&str> {
    page.keys.iter().map(|key| key.name.as_str()).collect()
}

async fn identity(browser: &Browser) -> Identity {
    let Viewer {
        username, realm, ..
    } = viewer(browser).await;
    Identity {
        username,
        realm,
        full_name: None,
    }
}

async fn make(browser: &Browser, name: &str) -> String {
    let created: CreatedAgentKey = browser.create(name).await.value();
    created.id.as_str().to_owned()
}

/// Opens the list, and waits until it is remembered as it is now.
pub(crate) async fn remembers(app: &App, browser: &Browser) {
    let identity = identity(browser).await;
    let summary = list(browser).await.summary;
    let figures = format!(
        "{} {} {} {}",
        summary.active, summary.expires_soon, summary.expired, summary.revoked
    );
    eventually("the list is remembered", async || {
        let mark = app.store().list_mark(&identity).await.unwrap();
        mark.is_some_and(|mark| mark.figures == figures)
    })
    .await;
}

#[tokio::test]
async fn the_list_is_there_while_elasticsearch_is_not_dated_and_read_only() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let id = make(&ada, "checkout").await;
    make(&ada, "payments").await;
    remembers(&app, &ada).await;
    let live = list(&ada).await;
    assert!(live.memory.is_none() && live.keys.iter().all(|key| key.revocable));
    app.clock.advance(Duration::from_secs(90));
    proxy.refuse().await;

    let remembered = list(&ada).await;
    assert_eq!(names(&remembered), names(&live));
    let memory = remembered.memory.unwrap();
    assert_eq!((memory.kept, memory.of), (2, 2));
    assert_eq!(memory.outage.fault, ElasticsearchFault::Unreachable);
    assert_eq!(
        (remembered.read_at, memory.outage.now),
        (NOW, NOW.plus_ms(90_000))
    );
    assert!(remembered.keys.iter().all(|key| !key.revocable));
    assert_eq!(remembered.summary, live.summary);
    let found: FoundAgentKey = find(&ada, &id).await.value();
    assert_eq!((found.key.name.as_str(), found.read_at), ("checkout", NOW));
    assert!(found.outage.is_some() && !found.key.revocable);
    let viewer = viewer(&ada).await;
    assert_eq!(
        (viewer.username.as_str(), viewer.access.create),
        ("ada", Permit::Unknown)
    );

    for (path, what) in [
        (LIST.to_owned(), "This list"),
        (format!("{LIST}/{id}"), "This page"),
    ] {
        let page = ada.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let text = page.text();
        for words in [
            "Elasticsearch cannot be reached",
            ": no answer since",
            what,
            "14 Dec 2026, 10:42:07 UTC",
            "Retry now",
            "checkout",
        ] {
            assert!(text.contains(words), "{path}: {words}");
        }
        // Nothing leads to what cannot be done.
        assert!(
            !text.contains("/revoke") && !text.contains(&format!("{LIST}/new")),
            "{path}"
        );
    }
    // Whoever goes there all the same is told so, and nothing is sent.
    let revoke = ada.get(&format!("{LIST}/{id}/revoke")).await.text();
    assert!(revoke.contains("Nothing was changed") && !revoke.contains("Revoke key</button>"));
    assert_eq!(ada.create("not now").await.problem(), UNREACHABLE);
    let revoked = ada.post("revoke_agent_key", &[("id", &id)]).await;
    assert_eq!(revoked.problem(), UNREACHABLE);
    for page in ["users", "apm-integration", "audit"] {
        let page = ada.get(&format!("/settings/{page}")).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.text().contains("Elasticsearch cannot be reached"));
    }

    proxy.stop_refusing().await;
    let live = list(&ada).await;
    assert_eq!((live.memory, live.keys.len()), (None, 2));
    requirement("R41", 1, 1, None);
}

#[tokio::test]
async fn nobody_sees_what_another_persons_list_showed() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let ben = app.with_key_user("ben").await;
    let cleo = app.with_key_user("cleo").await;
    let admin = app.as_admin().await;
    let (adas, bens) = (make(&ada, "of ada").await, make(&ben, "of ben").await);
    for browser in [&ada, &ben, &admin] {
        remembers(&app, browser).await;
    }
    proxy.refuse().await;
    assert_eq!(names(&list(&ada).await), ["of ada"]);
    assert_eq!(names(&list(&ben).await), ["of ben"]);
    assert_eq!(find(&ada, &bens).await.problem(), UNREACHABLE);
    assert_eq!(find(&ben, &adas).await.problem(), UNREACHABLE);
    // Nothing is remembered of a list that was never opened.
    assert_eq!(cleo.list(|_| {}).await.problem(), UNREACHABLE);
    assert_eq!(find(&cleo, &adas).await.problem(), UNREACHABLE);
    assert_eq!(
        app.nobody().list(|_| {}).await.problem(),
        ProblemKind::SignedOut
    );
    // The control: both are remembered, for those who saw them.
    assert_eq!(names(&list(&admin).await).len(), 2);
    for (browser, id) in [
        (&admin, &adas),
        (&admin, &bens),
        (&ada, &adas),
        (&ben, &bens),
    ] {
        assert_eq!(find(browser, id).await.status, StatusCode::OK);
    }
    requirement("R41", 1, 1, None);
}

#[tokio::test]
async fn what_somebody_may_no_longer_see_is_forgotten() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    make(&ada, "of ada").await;
    let everybodys = json!({
        "cluster": ["manage_own_api_key", "read_security"],
        "applications": [
            { "application": "kibana-.kibana", "privileges": ["feature_apm.read"], "resources": ["space:default"] },
        ],
    });
    app.engine.put_role("sees_all", everybodys).await;
    let own = ["apm_agent_key_role"];
    let people = [
        ("keeps", &["sees_all"][..], &["sees_all"][..], true),
        ("sees_less", &["sees_all"], &own, false),
        ("sees_nothing", &["sees_all"], &[], false),
    ];
    let mut browsers = Vec::new();
    for (name, before, _, _) in people {
        let browser = app.with_user(name, before).await;
        remembers(&app, &browser).await;
        browsers.push(browser);
    }
    for ((name, _, after, _), browser) in people.into_iter().zip(&browsers) {
        app.engine.put_user(name, after).await;
        // Whatever they ask: the answer tells what they may do.
        viewer(browser).await;
    }
    proxy.refuse().await;
    for ((name, _, _, kept), browser) in people.into_iter().zip(&browsers) {
        let answer = browser.list(|_| {}).await;
        assert_eq!(answer.status == StatusCode::OK, kept, "{name}");
        if !kept {
            assert_eq!(answer.problem(), UNREACHABLE, "{name}");
        }
    }
    proxy.stop_refusing().await;

    // Who sees less is remembered anew, with less. Whose password is no longer accepted is forgotten.
    remembers(&app, &browsers[1]).await;
    let who = identity(&browsers[1]).await;
    let mark = app.store().list_mark(&who).await.unwrap();
    assert_eq!(mark.unwrap().reach, Reach::Own);
    let who = identity(&browsers[0]).await;
    assert!(app.store().list_mark(&who).await.unwrap().is_some());
    let password = json!({ "password": "another password" });
    let path = "/_security/user/keeps/_password";
    app.engine.ask(Method::PUT, path, Some(password)).await;
    let ended = browsers[0].list(|_| {}).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    assert!(app.store().list_mark(&who).await.unwrap().is_none());
    requirement("R41", 4, 4, None);
}

#[tokio::test]
async fn a_list_is_forgotten_with_the_last_session() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let elsewhere = app.as_user("ada").await;
    remembers(&app, &ada).await;
    let who = identity(&ada).await;
    let is_kept = async || app.store().list_mark(&who).await.unwrap().is_some();
    let services = app.application.services();
    elsewhere.post("sign_out", &[]).await;
    housekeeping::tidy(services, None).await;
    assert!(is_kept().await);
    ada.post("sign_out", &[]).await;
    housekeeping::tidy(services, None).await;
    assert!(!is_kept().await);
}

/// Time goes on, and so does this application's own memory.
#[tokio::test]
async fn a_key_that_ended_or_was_revoked_here_meanwhile_is_shown_so() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let revoked = make(&ada, "revoked").await;
    make(&ada, "works").await;
    let body = json!({
        "name": "ends", "expiration": "5m", "metadata": { "application": "apm" }, "role_descriptors": {},
    });
    let path = "/_security/api_key";
    app.engine
        .ask_as("ada", Method::POST, path, Some(body))
        .await;
    remembers(&app, &ada).await;
    let admin = app.as_admin().await;
    let answer = admin.post("revoke_agent_key", &[("id", &revoked)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    app.clock.advance(Duration::from_secs(6 * 60));
    proxy.refuse().await;
    let page: KeyListPage = ada.list(|query| query.sort = SortField::Name).await.value();
    let status = |name: &str| {
        page.keys
            .iter()
            .find(|key| key.name == name)
            .unwrap()
            .status
    };
    assert!(matches!(
        status("revoked"),
        KeyStatus::Revoked { at: Some(_) }
    ));
    assert!(matches!(status("ends"), KeyStatus::Expired { .. }));
    assert!(matches!(status("works"), KeyStatus::Active { .. }));
}

/// What can be asked of the list.
fn questions() -> Vec<KeyListQuery> {
    let default = KeyListQuery {
        rows: 15,
        ..KeyListQuery::default()
    };
    let sorts = [
        SortField::Name,
        SortField::Owner,
        SortField::Created,
        SortField::Expires,
    ];
    let orders = [SortOrder::Ascending, SortOrder::Descending];
    let sorted = sorts.into_iter().flat_map(|sort| {
        orders.map(|order| KeyListQuery {
            sort,
            order,
            ..default.clone()
        })
    });
    let searches = ["KEY 01", "  key 02 ", "check", "nothing", "*", "?"];
    let searched = searches.map(|search| KeyListQuery {
        search: search.to_owned(),
        ..default.clone()
    });
    let by_status = StatusFilter::ALL.map(|status| KeyListQuery {
        status: vec![status],
        ..default.clone()
    });
    let by_owner = KeyListQuery {
        owner: vec!["ben".to_owned()],
        status: vec![StatusFilter::Active, StatusFilter::Revoked],
        ..default.clone()
    };
    let by_realm = KeyListQuery {
        realm: vec!["elsewhere".to_owned()],
        ..default.clone()
    };
    sorted
        .chain(searched)
        .chain(by_status)
        .chain([by_owner, by_realm])
        .collect()
}

/// The names on every page of the answer.
async fn walk(browser: &Browser, query: &KeyListQuery) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut anchor = PageAnchor::First;
    let mut offset = 0;
    loop {
        let at = anchor.clone();
        let answer = browser.list(|asked| {
            *asked = KeyListQuery {
                anchor: at,
                offset,
                ..query.clone()
            };
        });
        let page: KeyListPage = answer.await.value();
        assert_eq!(page.previous.is_some(), offset > 0, "{query:?}");
        offset += page.keys.len() as u64;
        pages.push(page.keys.into_iter().map(|key| key.name).collect());
        match page.next {
            Some(next) => anchor = PageAnchor::After(next),
            None => {
                assert_eq!(offset, page.total, "{query:?}");
                return pages;
            }
        }
    }
}

#[tokio::test]
async fn what_is_remembered_is_searched_filtered_sorted_and_paged_as_elasticsearch_does() {
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_agent_key_role().await;
    for name in ["ada", "ben"] {
        app.engine.put_user(name, &["apm_agent_key_role"]).await;
    }
    for number in 0..35 {
        let mut body = json!({
            "name": format!("key {number:03}"),
            "metadata": { "application": "apm", "agent_keys": { "service": "Checkout" } },
            "role_descriptors": {},
        });
        if number % 5 != 0 {
            body["expiration"] = json!(format!("{}d", 5 + number % 3 * 20));
        }
        let owner = if number % 3 == 0 { "ada" } else { "ben" };
        let path = "/_security/api_key";
        let key = app
            .engine
            .ask_as(owner, Method::POST, path, Some(body))
            .await;
        if number % 7 == 0 && number % 5 == 0 {
            let ids = json!({ "ids": [key["id"]] });
            app.engine.ask(Method::DELETE, path, Some(ids)).await;
        }
        app.clock.advance(Duration::from_millis(number % 2));
    }
    let admin = app.as_admin().await;
    remembers(&app, &admin).await;
    let mut live = Vec::new();
    for query in questions() {
        live.push(walk(&admin, &query).await);
    }
    proxy.refuse().await;
    for (query, live) in questions().into_iter().zip(live) {
        assert_eq!(walk(&admin, &query).await, live, "{query:?}");
    }
    // A place in the list that was found during the outage is one after it.
    let first: KeyListPage = admin.list(|query| query.rows = 15).await.value();
    let second = |page: &KeyListPage| {
        let next = page.next.clone().unwrap();
        admin.list(|query| {
            (query.rows, query.offset) = (15, 15);
            query.anchor = PageAnchor::After(next);
        })
    };
    let remembered: KeyListPage = second(&first).await.value();
    proxy.stop_refusing().await;
    let live: KeyListPage = second(&first).await.value();
    assert!(live.memory.is_none());
    assert_eq!(names(&live), names(&remembered));
}

#[tokio::test]
async fn of_very_many_keys_the_newest_are_remembered_and_that_is_said() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    for batch in 0..51 {
        let keys = (0..20).map(|number| {
            let body = json!({
                "name": format!("key {:04}", batch * 20 + number),
                "metadata": { "application": "apm" },
                "role_descriptors": {},
            });
            let path = "/_security/api_key";
            app.engine.ask_as("ada", Method::POST, path, Some(body))
        });
        futures::future::join_all(keys).await;
        app.clock.advance(Duration::from_millis(1));
    }
    remembers(&app, &ada).await;
    proxy.refuse().await;
    let page = list(&ada).await;
    let Memory { kept, of, .. } = page.memory.unwrap();
    assert_eq!(
        (kept, of, page.total, page.summary.active),
        (1_000, 1_020, 1_000, 1_020)
    );
    assert!(page.keys[0].name.starts_with("key 10"));
    let text = ada.get(LIST).await.text();
    assert!(text.contains("newest 1000 of 1020 keys"), "{text}");
}

/// Twenty people turn pages while nothing is answered at all.
#[tokio::test]
async fn pages_are_there_through_an_outage_that_many_people_sit_out() {
    const PEOPLE: usize = 20;
    let (app, mut machine) = App::behind_machine().await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let person = app.with_key_user(&format!("person-{number}")).await;
        make(&person, &format!("key of {number}")).await;
        remembers(&app, &person).await;
        people.push(person);
    }
    machine.switch_off().await;
    // Those who come first wait for a connection; after that it is known that there is none.
    futures::future::join_all(people.iter().take(5).map(|person| person.list(|_| {}))).await;
    assert!(crate::outage::is_given_up(&app));
    let end = Instant::now() + Duration::from_secs(soak(0, 60) as u64);
    let (mut held, mut took) = (0, Vec::new());
    loop {
        for (number, person) in people.iter().enumerate() {
            let began = Instant::now();
            let page = person.get(LIST).await;
            took.push(began.elapsed());
            let text = page.text();
            let whole = page.status == StatusCode::OK
                && text.contains(&format!("key of {number}<"))
                && text.contains("14 Dec 2026, 10:42:07 UTC")
                && !text.contains("/revoke");
            held += usize::from(whole);
        }
        if Instant::now() >= end {
            break;
        }
    }
    took.sort();
    let p95 = took[took.len() * 95 / 100];
    println!(
        "{} pages during the outage, p95 {} ms",
        took.len(),
        p95.as_millis()
    );
    assert_eq!(held, took.len());
    // Nobody waits for a connection any more. Only the long run is judged by the time that is asked for.
    let waited = took[took.len() / 2];
    assert!(waited < Duration::from_millis(1_900), "{took:?}");
    assert!(
        soak(0, 1) == 0 || p95 < Duration::from_millis(300),
        "{p95:?}"
    );
    machine.switch_on();
    let is_back = async || list(&people[0]).await.memory.is_none();
    eventually("the list is back", is_back).await;
    requirement("R41", held, took.len(), None);
}

#[tokio::test]
async fn a_password_still_opens_nothing_while_elasticsearch_is_away() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    remembers(&app, &ada).await;
    proxy.refuse().await;
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.problem(), UNREACHABLE);
    assert!(answer.cookie().is_none());
}
