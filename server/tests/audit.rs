//! The audit log: that it is whole, that it shows when it is not, that nobody reads it who may not, and that
//! nothing is changed that could not be written down.

use crate::support::{
    Answer, App, Browser, PASSWORD, Setup,
    attacker::Attacker,
    events::{event_context, intent, one_of_every_action, secrets_are_sent},
    on_each_database,
};
use app::model::{
    audit::{Action, Actor, AuditPage, AuditPlace, AuditQuery, AuditRow, Outcome, ROWS},
    new_agent_key::CreatedAgentKey,
    problem::ProblemKind,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use server::audit::verify::verify;
use std::collections::BTreeSet;

const HOSTILE: &str = "a\r\nb\u{1b}[31m\",\"outcome\":\"success";

async fn page(browser: &Browser, change: impl FnOnce(&mut AuditQuery)) -> Answer {
    let mut query = AuditQuery::default();
    change(&mut query);
    let question = app::api::audit::ReadAudit { query };
    let body = postcard::to_allocvec(&question).unwrap();
    browser.post_bytes("read_audit", body).await
}

async fn export(browser: &Browser, path: &str) -> Answer {
    Answer::of(browser.request(Method::GET, &format!("/settings/audit/export.{path}"))).await
}

#[tokio::test]
async fn every_action_is_recorded_with_the_common_fields() {
    let setup = Setup {
        audit_log: true,
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    one_of_every_action(&app).await;
    let events = app.events().await;
    let seen: BTreeSet<_> = events.iter().map(|event| event.action.as_str()).collect();
    // What happens by itself, or not in a day that goes well, is in the stories of the ledger and of signing in.
    let by_itself = [
        Action::LoginThrottled,
        // In the stories of rotation.
        Action::AgentKeyRotate,
        Action::AgentKeyUpdate,
        Action::AgentKeyNeverDelivered,
        Action::AgentKeyDrift,
        Action::AppRecovered,
        Action::AuditRetentionCut,
        Action::AuditRetentionPause,
        Action::AuditRetentionResume,
        Action::EsConnectionState,
        // Of the command line, in the stories of the server key.
        Action::DatabaseRestore,
        Action::ServerKeyChange,
        // Of the embedded engine's port.
        Action::EngineChange,
        // Of the process.
        Action::AppStart,
        Action::AppStop,
        Action::TlsReload,
    ];
    let all: BTreeSet<_> = Action::ALL
        .iter()
        .copied()
        .filter(|action| !by_itself.contains(action))
        .map(Action::name)
        .collect();
    assert_eq!(seen, all);
    let data_dir = app.data_dir.path().to_owned();
    let App {
        application,
        data_dir: _kept,
        ..
    } = app;
    application.stop().await;

    // Stopped, every committed event is a line of the shipped file, and nothing else is.
    let shipped = std::fs::read_to_string(data_dir.join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = shipped
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), events.len());
    let mut ids = BTreeSet::new();
    for (event, line) in events.iter().zip(&lines) {
        for mandatory in [
            "/@timestamp",
            "/event/id",
            "/event/sequence",
            "/event/kind",
            "/event/dataset",
            "/event/action",
            "/event/category/0",
            "/event/type/0",
            "/event/outcome",
            "/event/hash",
            "/agent_keys/audit/prev_hash",
            "/ecs/version",
            "/service/name",
            "/service/version",
            "/trace/id",
            "/message",
        ] {
            assert!(line.pointer(mandatory).is_some(), "{mandatory}: {line}");
        }
        assert_eq!(line["source"]["ip"], "127.0.0.1");
        assert_eq!(line["event"]["sequence"], event.sequence);
        assert_eq!(line["event"]["hash"], event.mac.as_str());
        assert!(ids.insert(line["event"]["id"].as_str().unwrap().to_owned()));
        if event.actor.is_some() {
            let session = line["agent_keys"]["session"]["ref"].as_str().unwrap();
            assert_eq!(session.len(), 16, "{line}");
        }
    }
    assert!(!shipped.contains(PASSWORD) && !shipped.contains("another good one here"));
}

#[tokio::test]
async fn hostile_names_stay_within_one_line() {
    let setup = Setup {
        audit_log: true,
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    let admin = app.as_admin().await;
    // Past our own rules, as another client of Elasticsearch could.
    let key = app.engine.kibana_key("elastic", HOSTILE).await;
    admin.post("revoke_agent_key", &[("id", &key)]).await;
    let exported = export(&admin, "jsonl").await.text();
    let shown = admin.get("/settings/audit").await;
    assert_eq!(shown.status, StatusCode::OK);
    let events = app.events().await.len();
    let App {
        application,
        data_dir,
        ..
    } = app;
    application.stop().await;
    let shipped = std::fs::read_to_string(data_dir.path().join("audit.jsonl")).unwrap();
    for (text, place) in [(&exported, "/record"), (&shipped, "")] {
        let lines: Vec<_> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), events);
        assert!(!text.contains(['\r', '\u{1b}']));
        let named = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| {
                line.pointer(&format!("{place}/agent_keys/api_key/name")) == Some(&json!(HOSTILE))
            })
            .count();
        assert_eq!(named, 2, "intent and outcome");
    }
}

#[tokio::test]
async fn unrecordable_change_is_not_made() {
    let (app, proxy) = App::behind_proxy().await;
    let admin = app.as_admin().await;
    app.engine.put_user("bystander", &[]).await;
    let key = app.engine.kibana_key("elastic", "stays").await;
    let mut saboteur = Attacker::of(&app).await;
    saboteur
        .run(
            "CREATE TRIGGER disk_full BEFORE INSERT ON audit_events BEGIN \
             SELECT RAISE(ABORT, 'database or disk is full'); END",
        )
        .await;
    let user = ("username", "bystander");
    let refused = [
        admin.create("never").await,
        admin.post("revoke_agent_key", &[("id", &key)]).await,
        admin.post("put_agent_key_role", &[]).await,
        admin
            .post("assign_agent_key_role", &[user, ("assigned", "true")])
            .await,
        admin.post("delete_user", &[user]).await,
    ];
    for answer in &refused {
        assert_eq!(answer.problem(), ProblemKind::Storage);
    }
    let without_script = crate::support::key_form("op-no-script", "never either");
    let sentence = admin
        .submit(
            "/settings/agent-keys/new",
            "create_agent_key",
            &without_script,
        )
        .await;
    assert_eq!(sentence.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(sentence.text().contains("Nothing was changed"));
    for write in [
        "POST /_security/api_key",
        "DELETE /_security/api_key",
        "PUT /_security/",
        "POST /_security/user/bystander",
        "DELETE /_security/user",
    ] {
        assert_eq!(proxy.count(write), 0, "{write}");
    }
    // And the log is not handed out either, because that could not be written down.
    assert_eq!(
        export(&admin, "csv").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    saboteur.run("DROP TRIGGER disk_full").await;
    assert_eq!(admin.create("now it can").await.status, StatusCode::OK);
    verify(app.store(), &[]).await.unwrap();
}

#[tokio::test]
async fn link_on_another_site_downloads_nothing_and_records_nothing() {
    const PATH: &str = "/settings/audit/export.csv?person=a";
    let app = App::start().await;
    let admin = app.as_admin().await;
    let before = app.events().await.len();
    for site in ["cross-site", "same-site"] {
        let request = admin
            .request(Method::GET, PATH)
            .header("accept", "text/html")
            .header("sec-fetch-site", site);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{site}");
        assert_eq!(answer.header("location"), Some("/settings/audit?person=a"));
    }
    let head = Answer::of(admin.request(Method::HEAD, PATH)).await;
    assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(app.events().await.len(), before);
    // The control: the link on our page.
    let request = admin
        .request(Method::GET, PATH)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(Answer::of(request).await.status, StatusCode::OK);
    assert_eq!(app.events().await.len(), before + 1);
}

#[tokio::test]
async fn audit_log_requires_manage_security() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for path in [
        "/settings/audit",
        "/settings/audit/export.jsonl",
        "/settings/audit/export.csv?outcome=failure",
    ] {
        let refused = ada.get(path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        let text = refused.text();
        assert!(
            text.contains("manage_security (cluster)") && text.contains("ada"),
            "{text}"
        );
        assert!(!text.contains("user_login"));
    }
    let nobody = app
        .nobody()
        .get("/settings/audit/export.csv?person=a")
        .await;
    assert_eq!(
        nobody.header("location"),
        Some("/login?next=%2Fsettings%2Faudit%3Fperson%3Da")
    );
    app.engine
        .put_role("auditor", json!({ "cluster": ["manage_security"] }))
        .await;
    let auditor = app.with_user("auditor", &["auditor"]).await;
    let seen = auditor.get("/settings/audit").await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(seen.text().contains("Sign in"));
}

#[tokio::test]
async fn audit_filters_and_pages_are_in_the_address() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for number in 0..ROWS as i64 {
        app.store()
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
    }
    let read = async |change: &dyn Fn(&mut AuditQuery)| -> AuditPage {
        page(&admin, |query| change(query)).await.value()
    };
    let numbers = |page: &AuditPage| page.rows.iter().map(|row| row.sequence).collect();
    let first = read(&|_| {}).await;
    let shown: Vec<i64> = numbers(&first);
    assert_eq!(shown, (2..=26).rev().collect::<Vec<_>>());
    assert_eq!(
        (first.newer, first.older),
        (None, Some(AuditPlace::Before(2)))
    );
    let second = read(&|query| query.place = AuditPlace::Before(2)).await;
    let shown: Vec<i64> = numbers(&second);
    assert_eq!(shown, [1]);
    assert_eq!(second.older, None);
    let back = read(&|query| query.place = second.newer.unwrap()).await;
    assert_eq!(back.rows, first.rows);
    assert_eq!(back.newer, None);

    // By the address alone, as without a script.
    let get = async |parameters: &str| {
        let answer = admin.get(&format!("/settings/audit?{parameters}")).await;
        (answer.status, answer.text())
    };
    let (status, text) = get("action=user_login&person=ELAS&to=2026-12-14").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        crate::support::shown(&text).contains("Details of event 1<"),
        "{text}"
    );
    assert!(!text.contains("k-7"));
    let (_, text) = get("target=k-7").await;
    assert!(text.contains("k-7") && !text.contains("k-8"));
    let (_, text) = get("from=2027-01-01").await;
    assert!(text.contains("No events match"));
    let (_, text) = get("").await;
    assert!(text.contains("href=\"/settings/audit?before=2\""));

    // Nonsense is passed over or named; it is never a fault.
    for nonsense in [
        "action=drop",
        "outcome=1",
        "before=abc",
        "before=-5",
        "after=9223372036854775807",
        "before=99999999999999999999999",
        "person=%00%ff",
        "target=%25%27%3B--",
    ] {
        assert_eq!(get(nonsense).await.0, StatusCode::OK, "{nonsense}");
    }
    for (days, sentence) in [
        (
            "from=2026-12-15&to=2026-12-14",
            "The start date is after the end date",
        ),
        ("from=0000-00-00", "This date does not exist"),
        ("to=10000-01-01", "This date does not exist"),
    ] {
        let (status, text) = get(days).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{days}");
        assert!(text.contains(sentence), "{days}");
    }
}

on_each_database!(
    operation_is_one_row_with_its_outcome_and_its_events,
    operation_of_another_user_with_the_same_id_is_another_row,
    failed_sign_in_names_a_known_user_and_no_other_text,
);

async fn operation_is_one_row_with_its_outcome_and_its_events(app: &App) {
    let admin = app.as_admin().await;
    let created: CreatedAgentKey = admin.create("checkout").await.value();
    secrets_are_sent(app).await;
    let operation = [("operation", created.operation.as_str())];
    admin.post("acknowledge_agent_key", &operation).await;
    let read = async |change: &dyn Fn(&mut AuditQuery)| -> AuditPage {
        page(&admin, |query| change(query)).await.value()
    };
    let newest = read(&|_| {}).await;
    let [creation, sign_in] = &newest.rows[..] else {
        panic!("{newest:?}");
    };
    let title = |row: &AuditRow| (row.action.clone(), row.outcome, row.under_way);
    let expected = ("Create agent key".to_owned(), Outcome::Success, false);
    assert_eq!(title(creation), expected);
    assert_eq!(creation.actor, Actor::User("elastic".to_owned()));
    assert_eq!(creation.target_name.as_deref(), Some("checkout"));
    assert_eq!(creation.target_id.as_deref(), Some(created.id.as_str()));
    let events: Vec<_> = creation
        .events
        .iter()
        .map(|event| (event.action.as_str(), event.outcome))
        .collect();
    assert_eq!(
        events,
        [
            ("Create agent key", Outcome::Unknown),
            ("Create agent key", Outcome::Success),
            ("Send new key’s secret", Outcome::Success),
            ("Show new key’s secret", Outcome::Success),
        ]
    );
    assert_eq!(
        (title(sign_in).0, sign_in.events.len()),
        ("Sign in".to_owned(), 1)
    );
    let event = &creation.events[1];
    let record: Value = serde_json::from_str(&event.record).unwrap();
    assert_eq!(record["trace"]["id"], event.request_id.as_str());
    assert_eq!(record["agent_keys"]["api_key"]["name"], "checkout");
    let text = admin.get("/settings/audit").await.text();
    for shown in [&event.mac, &event.request_id] {
        assert!(text.contains(shown.as_str()), "{text}");
    }
    // A step of an operation is found by its action.
    let sent = read(&|query| query.action = Some(Action::AgentKeySecretSent)).await;
    assert_eq!(sent.rows.len(), 1);
    assert!(
        read(&|query| query.outcome = Some(Outcome::Unknown))
            .await
            .rows
            .is_empty()
    );
}

#[tokio::test]
async fn intent_without_outcome_is_under_way_and_then_not_known() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    // The outcome of the revocation cannot be recorded.
    let key = app.engine.kibana_key("elastic", "lost").await;
    let mut saboteur = Attacker::of(&app).await;
    let rejected = "CREATE TRIGGER disk_full BEFORE UPDATE ON operations BEGIN \
         SELECT RAISE(ABORT, 'database or disk is full'); END";
    saboteur.run(rejected).await;
    let answer = admin.post("revoke_agent_key", &[("id", &key)]).await;
    assert_ne!(answer.status, StatusCode::OK);
    let newest = async || -> AuditRow {
        let page: AuditPage = page(&admin, |_| {}).await.value();
        page.rows.into_iter().next().unwrap()
    };
    let row = newest().await;
    assert_eq!((row.outcome, row.under_way), (Outcome::Unknown, true));
    assert!(
        admin
            .get("/settings/audit")
            .await
            .text()
            .contains("In progress")
    );
    app.clock.advance(std::time::Duration::from_secs(61));
    let row = newest().await;
    assert_eq!((row.outcome, row.under_way), (Outcome::Unknown, false));
    assert_eq!(row.events.len(), 1);
}

async fn operation_of_another_user_with_the_same_id_is_another_row(app: &App) {
    let admin = app.as_admin().await;
    let ada = app.with_key_user("ada").await;
    for (browser, name) in [(&ada, "of ada"), (&admin, "of elastic")] {
        let answer = browser.create_as("op-of-both-users", name).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    secrets_are_sent(app).await;
    let action = Some(Action::AgentKeyCreate);
    let page: AuditPage = page(&admin, |query| query.action = action).await.value();
    let rows: Vec<_> = page
        .rows
        .iter()
        .map(|row| (row.target_name.as_deref(), row.events.len()))
        .collect();
    assert_eq!(rows, [(Some("of elastic"), 3), (Some("of ada"), 3)]);
}

async fn failed_sign_in_names_a_known_user_and_no_other_text(app: &App) {
    let admin = app.as_admin().await;
    let long = "l".repeat(80);
    let form = [
        ("form[username]", long.as_str()),
        ("form[password]", PASSWORD),
    ];
    assert_eq!(
        admin.post("create_user", &form).await.status,
        StatusCode::OK
    );
    let secret = "hunter2 typed into the wrong field";
    for name in ["elastic", long.as_str(), secret] {
        let refused = app.nobody().sign_in(name, "wrong").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    let failed: AuditPage = page(&admin, |query| query.outcome = Some(Outcome::Failure))
        .await
        .value();
    let actors: Vec<_> = failed.rows.iter().map(|row| row.actor.clone()).collect();
    let named = |name: &str| Actor::User(name.to_owned());
    assert_eq!(
        actors,
        [Actor::UnknownUser, named(&long[..64]), named("elastic")]
    );
    assert_eq!(failed.rows[2].target_name.as_deref(), Some("elastic"));
    let text = admin.get("/settings/audit").await.text();
    assert!(text.contains("Unknown user") && !text.contains("hunter2"));
    let exported = export(&admin, "jsonl").await.text();
    assert!(!exported.contains("hunter2"));
    assert!(exported.contains("\"user\":\"unknown\""), "{exported}");
    // The name is found where people look for it.
    let found: AuditPage = page(&admin, |query| {
        query.person = "ELAS".into();
        query.outcome = Some(Outcome::Failure);
    })
    .await
    .value();
    assert_eq!(found.rows.len(), 1);
}

#[tokio::test]
async fn exported_lines_are_the_bytes_that_the_chain_covers() {
    let app = App::start().await;
    one_of_every_action(&app).await;
    let admin = app.as_admin().await;
    let answer = export(&admin, "jsonl").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let text = answer.text();
    let events = app.events().await;
    assert_eq!(text.lines().count(), events.len());
    // Whoever has the key and the file needs nothing else.
    let mut previous = String::new();
    for (line, event) in text.lines().zip(&events) {
        let (record, mac) = line
            .strip_prefix("{\"record\":")
            .and_then(|line| line.strip_suffix("\"}"))
            .and_then(|line| line.rsplit_once(",\"mac\":\""))
            .unwrap();
        assert_eq!(record, event.record);
        assert_eq!(mac, app.store().audit_writer().key().mac(&previous, record));
        previous = mac.to_owned();
    }
    let last = events.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.actor.as_deref()),
        ("audit_export", Some("elastic"))
    );

    // The same filters as on the page, and written down.
    let filtered = export(&admin, "jsonl?action=user_login&outcome=failure&before=1").await;
    assert_eq!(filtered.text().lines().count(), 1);
    let last = app.events().await.pop().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&last.details).unwrap(),
        json!({ "format": "jsonl", "filters": { "action": "user_login", "outcome": "failure" } })
    );
    let refused = export(&admin, "jsonl?from=2026-12-15&to=2026-12-14").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn export_in_parts_contains_every_row_once() {
    let app = App::start().await;
    for number in 0..1_200 {
        app.store()
            .record(&intent(number), &event_context(number))
            .await
            .unwrap();
    }
    let admin = app.as_admin().await;
    let text = export(&admin, "jsonl").await.text();
    let sequences: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| line["record"]["event"]["sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(sequences, (1..=1_202).collect::<Vec<_>>());
}

#[tokio::test]
async fn formula_in_a_name_is_exported_as_text() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "a,\"b\""] {
        assert_eq!(admin.create(name).await.status, StatusCode::OK, "{name}");
    }
    secrets_are_sent(&app).await;
    let answer = export(&admin, "csv").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    let text = answer.text();
    for cell in [
        "\"'=1+1\"",
        "\"'+1\"",
        "\"'-1\"",
        "\"'@SUM(A1)\"",
        "\"a,\"\"b\"\"\"",
    ] {
        assert_eq!(text.matches(cell).count(), 3, "{cell}: {text}");
    }
    assert!(!text.contains(",\"=") && !text.contains(",\"+") && !text.contains(",\"@"));
    assert_eq!(text.matches("\r\n").count(), app.events().await.len() + 1);
}
