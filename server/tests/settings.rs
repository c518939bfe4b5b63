//! The settings of the APM integration.

use crate::support::{App, Browser, shown};
use app::model::{
    apm_settings::{ApmIntegration, KeysInUse, ServerUrlError, Uncounted},
    new_agent_key::CreatedAgentKey,
    problem::ProblemKind,
};
use http::StatusCode;

fn in_use(counted: u64, uncounted: Option<Uncounted>) -> KeysInUse {
    KeysInUse { counted, uncounted }
}

#[tokio::test]
async fn settings_are_saved_and_feed_the_snippets() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let read = async || -> ApmIntegration { admin.post("read_apm_integration", &[]).await.value() };
    let before = read().await;
    assert_eq!(
        (
            before.settings.api_key_limit,
            before.settings.api_key_enabled
        ),
        (100, false)
    );
    assert_eq!(before.active_keys, in_use(0, None));
    assert_eq!(before.elasticsearch_url, app.engine.url());
    let form = [
        ("form[server_url]", "https://apm.example.com:8200/"),
        ("form[api_key_enabled]", "on"),
        ("form[api_key_limit]", "250"),
    ];
    assert_eq!(
        admin.post("save_apm_settings", &form).await.status,
        StatusCode::OK
    );
    let after = read().await;
    assert_eq!(
        (after.settings.api_key_limit, after.settings.api_key_enabled),
        (250, true)
    );
    let created: CreatedAgentKey = admin.create("with an address").await.value();
    assert_eq!(
        created.apm_server_url.as_deref(),
        Some("https://apm.example.com:8200")
    );
    assert_eq!(read().await.active_keys, in_use(1, None));
}

#[tokio::test]
async fn invalid_settings_are_refused_at_their_field() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let form = [
        ("form[server_url]", "apm.example.com"),
        ("form[api_key_limit]", "0"),
    ];
    match admin.post("save_apm_settings", &form).await.problem() {
        ProblemKind::ApmSettings(errors) => {
            assert_eq!(errors.server_url, Some(ServerUrlError::Scheme));
            assert!(errors.limit);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn number_of_keys_requires_permission_to_list() {
    let app = App::start().await;
    let stranger = app.with_user("stranger", &[]).await;
    let read: ApmIntegration = stranger.post("read_apm_integration", &[]).await.value();
    assert_eq!(read.active_keys, in_use(0, Some(Uncounted::Hidden)));
}

#[tokio::test]
async fn incomplete_count_says_at_least_on_every_page() {
    const PAGES: [(&str, &str); 3] = [
        ("/settings/agent-keys", "At least 1 of 1"),
        (
            "/settings/agent-keys/new",
            "At least 2 keys will be active, the limit is 1.",
        ),
        ("/settings/apm-integration", "At least 1 of 1"),
    ];
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let admin = app.as_admin().await;
    let form = [("form[server_url]", ""), ("form[api_key_limit]", "1")];
    let saved = admin.post("save_apm_settings", &form).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    ada.create("first").await;
    for (page, count) in PAGES {
        let text = shown(&ada.get(page).await.text());
        assert!(text.contains(count), "{page}: {text}");
        assert!(text.contains("Only your own keys are counted."), "{page}");
        // The control: who sees every key is told the number.
        let text = shown(&admin.get(page).await.text());
        let exact = count.trim_start_matches("At least ");
        assert!(text.contains(exact) && !text.contains("At least"), "{page}");
        assert!(!text.contains("are counted"), "{page}");
    }
    // A limit is not called large enough for keys that are not counted.
    let form = [("form[server_url]", ""), ("form[api_key_limit]", "1000")];
    admin.post("save_apm_settings", &form).await;
    let is_enough = async |browser: &Browser| {
        let page = browser.get("/settings/apm-integration").await.text();
        page.contains("Enough to rotate")
    };
    assert!(is_enough(&admin).await && !is_enough(&ada).await);
    // Without the right to list keys, the page tells no number, and judges no limit.
    let form = [("form[server_url]", ""), ("form[api_key_limit]", "50")];
    admin.post("save_apm_settings", &form).await;
    let stranger = app.with_user("stranger", &[]).await;
    let text = shown(&stranger.get("/settings/apm-integration").await.text());
    let control = shown(&admin.get("/settings/apm-integration").await.text());
    for judged in [
        "During a rotation every key counts twice",
        " of 50",
        "is calculated",
    ] {
        assert!(!text.contains(judged), "{judged}: {text}");
        assert!(control.contains(judged), "{judged}: {control}");
    }
    assert!(text.contains("You do not have permission to see keys, so none are counted."));
}

#[tokio::test]
async fn limit_from_an_incomplete_count_is_advised_as_at_least() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let admin = app.as_admin().await;
    ada.create("first").await;
    ada.create("second").await;
    for (limit, exact, incomplete) in [
        (
            "1",
            "Set the limit to <strong>100</strong>",
            "Set the limit to <strong>at least 100</strong>",
        ),
        (
            "3",
            "a limit of <strong>100</strong> holds that",
            "a limit of <strong>at least 100</strong> is needed for that",
        ),
    ] {
        let form = [("form[server_url]", ""), ("form[api_key_limit]", limit)];
        admin.post("save_apm_settings", &form).await;
        let text = shown(&ada.get("/settings/apm-integration").await.text());
        assert!(text.contains(incomplete), "{text}");
        assert!(!text.contains(exact), "{text}");
        assert!(!text.contains("is calculated"), "{text}");
        let text = shown(&admin.get("/settings/apm-integration").await.text());
        assert!(text.contains(exact), "{text}");
        assert!(text.contains("How 100 is calculated"), "{text}");
    }
    // Both pages show that only own keys are counted, and judge no more than these allow.
    for (limit, note) in [
        (
            "3",
            "Too low to rotate these keys, because each counts twice.",
        ),
        ("100", "It is unknown if the limit is high enough."),
    ] {
        let form = [("form[server_url]", ""), ("form[api_key_limit]", limit)];
        admin.post("save_apm_settings", &form).await;
        for page in ["/settings/agent-keys", "/settings/apm-integration"] {
            let text = shown(&ada.get(page).await.text());
            let note = format!("Only your own keys are counted. {note}");
            assert!(text.contains(&note), "{page}: {text}");
            assert!(
                !text.contains("Enough to rotate every key"),
                "{page}: {text}"
            );
        }
    }
}

async fn allow(admin: &Browser, keys: &str) {
    let form = [
        ("form[api_key_limit]", "100"),
        ("form[keys_per_user_max]", keys),
    ];
    let saved = admin.post("save_apm_settings", &form).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
}

#[tokio::test]
async fn user_creates_no_more_active_keys_than_the_settings_allow() {
    let app = App::start().await;
    app.engine.put_agent_key_role().await;
    for name in ["jane", "omar"] {
        app.engine.put_user(name, &["apm_agent_key_role"]).await;
    }
    let (admin, jane, omar) = (
        app.as_admin().await,
        app.as_user("jane").await,
        app.as_user("omar").await,
    );
    allow(&admin, "2").await;
    let first: CreatedAgentKey = jane.create("first").await.value();
    assert_eq!(jane.create("second").await.status, StatusCode::OK);
    let refused = jane.create("third").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.problem(), ProblemKind::KeysPerUser { max: 2 });
    assert_eq!(
        app.engine.keys().await.len(),
        2,
        "Elasticsearch was not asked"
    );
    let event = app.events().await.pop().unwrap();
    assert_eq!(
        (event.action.as_str(), event.outcome.as_str()),
        ("agent_key_create", "failure")
    );
    // Each user has a number of their own, a revoked key makes room, and without a limit there is none.
    assert_eq!(omar.create("of another user").await.status, StatusCode::OK);
    jane.post("revoke_agent_key", &[("id", first.id.as_str())])
        .await;
    assert_eq!(jane.create("in its place").await.status, StatusCode::OK);
    assert_eq!(
        jane.create("one too many").await.status,
        StatusCode::CONFLICT
    );
    allow(&admin, "").await;
    assert_eq!(jane.create("without a limit").await.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_at_once_do_not_pass_the_limit_for_a_user_together() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    allow(&admin, "3").await;
    let names: Vec<_> = (0..10).map(|number| format!("key {number}")).collect();
    let answers = futures::future::join_all(names.iter().map(|name| admin.create(name))).await;
    let created = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(created.count(), 3);
    assert_eq!(app.engine.keys().await.len(), 3);
}

#[tokio::test]
async fn key_without_its_mark_counts_against_the_limit_for_a_user() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    allow(&admin, "1").await;
    let key: CreatedAgentKey = admin.create("hidden").await.value();
    let path = format!("/_security/api_key/{}", key.id);
    let body = serde_json::json!({ "metadata": {} });
    app.engine
        .ask_as("elastic", http::Method::PUT, &path, Some(body))
        .await;
    app.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(admin.create("another").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn limit_for_a_user_is_a_whole_number_or_empty() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for (text, is_valid) in [
        ("", true),
        (" 5 ", true),
        ("10000000", true),
        ("0", false),
        ("-1", false),
        ("1.5", false),
        ("10000001", false),
        ("five", false),
        ("5\u{202e}", false),
    ] {
        let form = [
            ("form[api_key_limit]", "100"),
            ("form[keys_per_user_max]", text),
        ];
        let answer = admin.post("save_apm_settings", &form).await;
        if is_valid {
            assert_eq!(answer.status, StatusCode::OK, "{text}");
        } else {
            match answer.problem() {
                ProblemKind::ApmSettings(errors) => assert!(errors.keys_per_user, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
