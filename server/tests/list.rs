//! The list of agent keys.

use crate::support::{Answer, App, Browser, NOW, shown};
use app::model::{
    agent_key::{KeySource, KeyStatus},
    key_list::{Cursor, KeyListPage, KeyListQuery, PageAnchor, SortField, SortOrder, StatusFilter},
    problem::ProblemKind,
    timestamp::DAY_MS,
};
use http::{Method, StatusCode};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

fn names(page: &KeyListPage) -> Vec<&str> {
    page.keys.iter().map(|key| key.name.as_str()).collect()
}

async fn page(browser: &Browser, change: impl FnOnce(&mut KeyListQuery)) -> KeyListPage {
    browser.list(change).await.value()
}

/// Keys of two owners, in every status, made by us and by others.
async fn some_keys(app: &App) -> (Browser, Browser) {
    let ada = app.with_key_user("ada").await;
    let ben = app.with_user("ben", &["apm_agent_key_role"]).await;
    let make = |person: Browser, name: &'static str, expires: &'static str, team: &'static str| async move {
        let operation = format!("op-{}", uuid::Uuid::now_v7());
        let form = [
            ("form[operation]", operation.as_str()),
            ("form[name]", name),
            ("form[event_write]", "on"),
            ("form[expires]", expires),
            ("form[team]", team),
        ];
        let created: app::model::new_agent_key::CreatedAgentKey =
            person.post("create_agent_key", &form).await.value();
        created.id
    };
    make(ada.clone(), "Alpha", "30", "payments").await;
    app.clock.advance(Duration::from_secs(1));
    make(ada.clone(), "beta*?", "never", "").await;
    app.clock.advance(Duration::from_secs(1));
    let revoked = make(ben.clone(), "gamma", "90", "search").await;
    app.clock.advance(Duration::from_secs(1));
    ben.post("revoke_agent_key", &[("id", revoked.as_str())])
        .await;
    app.engine.kibana_key("ben", "from kibana").await;
    app.clock.advance(Duration::from_secs(1));
    // Not for this list: a key without the mark, and one that Kibana made for itself.
    let other = json!({ "name": "other", "metadata": {} });
    app.engine
        .ask(Method::POST, "/_security/api_key", Some(other))
        .await;
    let system = json!({ "name": "system", "metadata": { "application": "apm", "system": true } });
    app.engine
        .ask(Method::POST, "/_security/api_key", Some(system))
        .await;
    (ada, ben)
}

#[tokio::test]
async fn list_is_sorted_newest_first_with_a_status() {
    let app = App::start().await;
    some_keys(&app).await;
    let admin = app.as_admin().await;
    let list = page(&admin, |_| {}).await;
    assert_eq!(names(&list), ["from kibana", "gamma", "beta*?", "Alpha"]);
    assert_eq!((list.total, list.next, list.previous), (4, None, None));
    assert_eq!(list.keys[0].source, KeySource::Kibana);
    assert_eq!(list.keys[1].source, KeySource::AgentKeys);
    assert!(matches!(list.keys[1].status, KeyStatus::Revoked { .. }));
    assert!(!list.keys[1].revocable && list.keys[0].revocable);
    assert_eq!(list.keys[1].labels.team.as_deref(), Some("search"));
    assert_eq!(list.keys[2].status, KeyStatus::Active { until: None });
    assert_eq!(list.keys[3].rights.privileges(), ["event:write"]);
    let summary = &list.summary;
    assert_eq!(
        (
            summary.active,
            summary.expires_soon,
            summary.expired,
            summary.revoked
        ),
        (3, 0, 0, 1)
    );
    let owners: Vec<_> = list
        .filters
        .owners
        .iter()
        .map(|owner| (owner.value.as_str(), owner.count))
        .collect();
    assert_eq!(owners, [("ada", 2), ("ben", 2)]);
    assert_eq!(list.filters.realms.len(), 1);
}

#[tokio::test]
async fn status_follows_the_clock() {
    let app = App::start().await;
    some_keys(&app).await;
    app.clock.advance(Duration::from_secs(17 * 24 * 3_600));
    let ada = app.as_user("ada").await;
    let summary = page(&ada, |_| {}).await.summary;
    assert_eq!(
        (summary.active, summary.expires_soon, summary.expired),
        (2, 1, 0)
    );
    app.clock.advance(Duration::from_secs(14 * 24 * 3_600));
    let ada = app.as_user("ada").await;
    let list = page(&ada, |query| query.status = vec![StatusFilter::Expired]).await;
    assert_eq!(names(&list), ["Alpha"]);
    let KeyStatus::Expired { at } = list.keys[0].status else {
        panic!("{:?}", list.keys[0].status);
    };
    assert!(at.0 >= NOW.0 + 30 * DAY_MS);
}

#[tokio::test]
async fn list_shows_own_keys_without_permission_for_all() {
    let app = App::start().await;
    let (ada, _) = some_keys(&app).await;
    let list = page(&ada, |_| {}).await;
    assert_eq!(names(&list), ["beta*?", "Alpha"]);
    assert_eq!(list.filters.owners.len(), 1);
    // Asking for another's keys by name shows none.
    let others = page(&ada, |query| query.owner = vec!["ben".to_owned()]).await;
    assert!(others.keys.is_empty());
}

#[tokio::test]
async fn search_matches_parts_of_names_and_starts_of_labels_and_whole_ids() {
    let app = App::start().await;
    some_keys(&app).await;
    let admin = app.as_admin().await;
    let id = page(&admin, |_| {}).await.keys[1].id.clone();
    let cases = [
        ("ALPH", vec!["Alpha"]),
        ("a*?", vec!["beta*?"]),
        ("*", vec!["beta*?"]),
        ("?", vec!["beta*?"]),
        ("\\", vec![]),
        ("PAY", vec!["Alpha"]),
        ("ayment", vec![]),
        (id.as_str(), vec!["gamma"]),
        (&id.as_str()[..10], vec![]),
        ("\" OR 1=1", vec![]),
        ("  alpha  ", vec!["Alpha"]),
    ];
    for (text, expected) in cases {
        let list = page(&admin, |query| query.search = text.to_owned()).await;
        assert_eq!(names(&list), expected, "{text:?}");
        assert_eq!(
            list.summary.total(),
            4,
            "the figures stay those of the whole list"
        );
    }
}

#[tokio::test]
async fn filters_combine() {
    let app = App::start().await;
    some_keys(&app).await;
    let admin = app.as_admin().await;
    let active_of_ben = page(&admin, |query| {
        query.status = vec![StatusFilter::Active];
        query.owner = vec!["ben".to_owned()];
    });
    assert_eq!(names(&active_of_ben.await), ["from kibana"]);
    let either = page(&admin, |query| {
        query.status = vec![StatusFilter::Active, StatusFilter::Revoked];
    });
    assert_eq!(either.await.total, 4);
    let realm = page(&admin, |query| query.realm = vec!["elsewhere".to_owned()]).await;
    assert_eq!(realm.total, 0);
}

#[tokio::test]
async fn list_sorts_by_every_field_in_both_directions() {
    let app = App::start().await;
    some_keys(&app).await;
    let admin = app.as_admin().await;
    let cases = [
        (
            SortField::Name,
            vec!["Alpha", "beta*?", "from kibana", "gamma"],
        ),
        (
            SortField::Created,
            vec!["Alpha", "beta*?", "gamma", "from kibana"],
        ),
        (
            SortField::Owner,
            vec!["Alpha", "beta*?", "gamma", "from kibana"],
        ),
    ];
    for (field, mut expected) in cases {
        for order in [SortOrder::Ascending, SortOrder::Descending] {
            let list = page(&admin, |query| (query.sort, query.order) = (field, order)).await;
            assert_eq!(names(&list), expected, "{field:?} {order:?}");
            expected.reverse();
        }
    }
    // Keys without an end come last, whichever way.
    let ends = async |order| {
        let list = page(&admin, |query| {
            (query.sort, query.order) = (SortField::Expires, order)
        })
        .await;
        names(&list)
            .into_iter()
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(ends(SortOrder::Ascending).await, ["Alpha", "gamma"]);
    assert_eq!(ends(SortOrder::Descending).await, ["gamma", "Alpha"]);
}

#[tokio::test]
async fn paging_visits_each_of_a_thousand_keys_once_in_both_directions() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for batch in 0..50 {
        let keys = (0..20).map(|number| {
            // Every fifth without an end, and many of the same moment.
            let mut body = json!({
                "name": format!("key {:04}", batch * 20 + number),
                "metadata": { "application": "apm" },
                "role_descriptors": {},
            });
            if number % 5 != 0 {
                body["expiration"] = json!(format!("{}d", 20 + number % 3));
            }
            app.engine
                .ask_as("ada", Method::POST, "/_security/api_key", Some(body))
        });
        futures::future::join_all(keys).await;
    }
    for sort in [
        SortField::Name,
        SortField::Created,
        SortField::Owner,
        SortField::Expires,
    ] {
        for order in [SortOrder::Ascending, SortOrder::Descending] {
            walk(&ada, sort, order).await;
        }
    }
}

async fn walk(browser: &Browser, sort: SortField, order: SortOrder) {
    let mut seen = BTreeSet::new();
    let mut forward = Vec::new();
    let mut anchor = PageAnchor::First;
    let last = loop {
        let at = anchor.clone();
        let list = page(browser, |query| {
            (query.sort, query.order, query.rows, query.anchor) = (sort, order, 100, at);
        });
        let list = list.await;
        assert_eq!(list.total, 1_000);
        let names: Vec<_> = list.keys.iter().map(|key| key.name.clone()).collect();
        seen.extend(names.clone());
        forward.push(names);
        match &list.next {
            Some(next) => anchor = PageAnchor::After(next.clone()),
            None => break list,
        }
    };
    assert_eq!(forward.len(), 10, "{sort:?} {order:?}");
    assert_eq!(seen.len(), 1_000, "{sort:?} {order:?}");
    let mut backward = vec![forward.last().unwrap().clone()];
    let mut previous = last.previous;
    while let Some(cursor) = previous {
        let list = page(browser, |query| {
            (query.sort, query.order, query.rows) = (sort, order, 100);
            query.anchor = PageAnchor::Before(cursor);
        });
        let list = list.await;
        assert!(list.next.is_some());
        backward.push(list.keys.iter().map(|key| key.name.clone()).collect());
        previous = list.previous;
    }
    backward.reverse();
    assert_eq!(backward, forward, "{sort:?} {order:?}");
}

#[tokio::test]
async fn invalid_list_address_is_refused() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let forged = ["AAAA", "*", "W10", "WzEsMl0", &"A".repeat(5_000)];
    for cursor in forged {
        let answer = ada
            .list(|query| query.anchor = PageAnchor::After(Cursor(cursor.to_owned())))
            .await;
        assert_eq!(answer.problem(), ProblemKind::BadForm, "{cursor:.20}");
    }
    let bad = [
        ada.list(|query| query.rows = u16::MAX).await,
        ada.list(|query| query.rows = 0).await,
        ada.list(|query| query.search = "*".repeat(257)).await,
        ada.list(|query| query.owner = vec![String::new(); 101])
            .await,
    ];
    for answer in bad {
        assert_eq!(answer.problem(), ProblemKind::BadForm);
    }
    let bodies = [Vec::new(), b"{}".to_vec(), vec![0xff; 64]];
    for body in bodies {
        assert_eq!(
            ada.post_bytes("list_agent_keys", body).await.problem(),
            ProblemKind::BadForm
        );
    }
    // In the address of the page, nonsense is passed over.
    let page: Answer = ada
        .get("/settings/agent-keys?sort=api_key_hash&rows=-1&q=%00")
        .await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn filter_counts_follow_the_search() {
    let app = App::start().await;
    some_keys(&app).await;
    let admin = app.as_admin().await;
    let all = page(&admin, |_| {}).await;
    assert_eq!(all.filters.status, [3, 0, 0, 1]);
    let found = page(&admin, |query| query.search = "gamma".to_owned()).await;
    assert_eq!(found.filters.status, [0, 0, 0, 1]);
    let owners: Vec<_> = found
        .filters
        .owners
        .iter()
        .map(|owner| owner.value.as_str())
        .collect();
    assert_eq!(owners, ["ben"]);
    // The summary above the list stays that of all keys, and a filter does not empty the others.
    assert_eq!((found.summary.active, found.summary.revoked), (3, 1));
    let filtered = page(&admin, |query| {
        query.search = "a".to_owned();
        query.status = vec![StatusFilter::Revoked];
    })
    .await;
    assert_eq!(names(&filtered), ["gamma"]);
    assert_eq!(filtered.filters.status, [3, 0, 0, 1]);
    let none = page(&admin, |query| query.search = "no such key".to_owned()).await;
    assert_eq!(none.filters.status, [0; 4]);
    assert!(none.filters.owners.is_empty());
}

#[tokio::test]
async fn address_of_a_page_has_no_empty_parameters() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let answer = admin
        .get("/settings/agent-keys?q=&status=active&owner=&rows=50")
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let clean = "/settings/agent-keys?status=active&rows=50";
    assert_eq!(answer.header("location"), Some(clean));
    assert_eq!(admin.get(clean).await.status, StatusCode::OK);
    let answer = admin.get("/settings/users?q=").await;
    assert_eq!(answer.header("location"), Some("/settings/users"));
}

#[tokio::test]
async fn invisible_characters_of_a_name_from_elsewhere_are_written_out() {
    let app = App::start().await;
    app.engine.kibana_key("elastic", "check\u{202E}tuo").await;
    let admin = app.as_admin().await;
    let text = shown(&admin.get("/settings/agent-keys").await.text());
    assert!(text.contains("check⟨U+202E⟩tuo"), "{text}");
    // The data for the script is encoded; nothing that is drawn holds the character itself.
    assert!(!text.contains('\u{202E}'), "{text}");
}

#[tokio::test]
async fn empty_list_is_a_checklist_with_the_state_of_each_step() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let steps = async |browser: &Browser| -> Vec<String> {
        let text = shown(&browser.get("/settings/agent-keys").await.text());
        let verdicts = text.split("data-part=\"verdict\">").skip(1);
        verdicts
            .map(|verdict| verdict.split('<').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(steps(&admin).await, ["To do", "To do", "To do"]);
    let text = admin.get("/settings/agent-keys").await.text();
    for link in [
        "/settings/users",
        "/settings/users/new",
        "/settings/apm-integration",
        "/settings/agent-keys/new",
    ] {
        assert!(text.contains(&format!("href=\"{link}\"")), "{link}");
    }
    admin.post("put_agent_key_role", &[]).await;
    assert_eq!(steps(&admin).await, ["Done", "To do", "To do"]);
    let ada = app.with_key_user("ada").await;
    assert_eq!(steps(&admin).await, ["Done", "Done", "To do"]);
    let settings = [
        ("form[server_url]", ""),
        ("form[api_key_limit]", "100"),
        ("form[api_key_enabled]", "on"),
    ];
    admin.post("save_apm_settings", &settings).await;
    assert_eq!(steps(&admin).await, ["Done"; 3]);
    // The user with the role does not see the role, and knows by using it.
    assert_eq!(steps(&ada).await, ["Done"; 3]);
    let reader = json!({
        "cluster": ["manage_own_api_key"],
        "applications": [{ "application": "kibana-.kibana", "privileges": ["read"], "resources": ["*"] }],
    });
    app.engine.put_role("reader", reader).await;
    let reader = app.with_user("reader", &["reader"]).await;
    assert_eq!(
        steps(&reader).await,
        ["Ask an administrator", "Ask an administrator", "Done"]
    );
    ada.create("first").await;
    assert_eq!(steps(&ada).await, [""; 0]);
}
