//! The application's own database: each rule on SQLite and on PostgreSQL.

use crate::{
    store_sessions::begin_session,
    support::{
        App, NOW, PASSWORD,
        events::{event_context as at, intent as event},
        on_each_database, trail,
    },
};
use app::model::{
    agent_key::KeyId,
    apm_settings::{ApmSettings, ServerUrl},
    audit::{AuditPlace, AuditQuery},
};
use serde_json::json;
use server::{
    access::{
        CreateAgentKey, Grant, Identity, KibanaFeatureCheck, ListAgentKeys, ManageSecurity,
        Permission, Permissions, RevokeAgentKey, SaveApmSettings, VerifiedPassword, identify,
    },
    audit::{Action, Event, Outcome, Target, verify::verify},
    config::{Access, KibanaFeature},
    credential::Credential,
    elasticsearch::Elasticsearch,
    identifier::RequestId,
    store::{
        Acknowledged, BeginResult, Error, Intent, OperationOutcome, OperationOwner, OperationState,
        Store,
    },
};

on_each_database!(
    saved_settings_replace_the_defaults,
    operation_begins_again_only_after_a_rejection,
    concurrent_begins_of_an_operation_start_it_once,
    operations_begin_all_or_none,
    grant_begins_and_finishes_only_its_own_changes,
    open_operation_is_found_by_its_owner_and_settled_once,
    change_of_a_user_gets_a_last_event_after_a_crash,
    revocation_in_node_caches_is_found_until_the_given_time,
    secret_is_acknowledged_once_it_was_sent,
    undisplayed_secret_is_recorded_once,
    drift_is_recorded_once_for_each_key,
    concurrent_events_are_numbered_without_a_gap,
    audit_events_are_found_by_every_filter,
    expired_events_are_deleted_and_the_rest_verifies,
    forwarding_position_moves_only_forward,
);

/// The superuser's proof and permissions. Only answers of Elasticsearch make them.
pub(crate) async fn superuser(app: &App) -> (VerifiedPassword, Permissions) {
    let url: url::Url = format!("{}/", app.engine.url()).parse().unwrap();
    let elasticsearch = Elasticsearch::new(url.into()).unwrap();
    let credential = Credential::basic("elastic", PASSWORD).unwrap();
    let connection = elasticsearch.connect(credential, RequestId::new("request-0"));
    let proof = identify(&connection).await.unwrap();
    let check = KibanaFeatureCheck::new(&Access {
        kibana_feature: KibanaFeature::Require,
        kibana_space: "default".to_owned(),
    });
    let permissions = Permissions::request(&connection, proof.identity().clone(), &check);
    let permissions = permissions.await.unwrap();
    (proof, permissions)
}

pub(crate) async fn grant<P: Permission>(app: &App) -> Grant<P> {
    superuser(app).await.1.grant().unwrap()
}

async fn saved_settings_replace_the_defaults(app: &App) {
    let store = app.store();
    let grant = grant::<SaveApmSettings>(app).await;
    let read = async || store.read_apm_settings().await.unwrap();
    assert_eq!(read().await, ApmSettings::default());
    for url in [Some("https://apm.example.com"), None] {
        let settings = ApmSettings {
            server_url: url.map(|url| ServerUrl::parse(url).unwrap()),
            api_key_enabled: url.is_some(),
            api_key_limit: 250,
            keys_per_user_max: url.map(|_| 5),
        };
        let saved = store.save_apm_settings(&grant, &settings, &at(5)).await;
        saved.unwrap();
        assert_eq!(read().await, settings);
    }
}

fn target(id: Option<&str>) -> Target {
    Target {
        id: id.map(str::to_owned),
        name: Some("é 🚀 \u{202e}".to_owned()),
    }
}

fn intent(action: Action, operation: &str, fingerprint: &str) -> Intent {
    Intent {
        operation: operation.to_owned(),
        action,
        target: target(None),
        fingerprint: Some(fingerprint.to_owned()),
        details: json!({}),
        replaces: None,
    }
}

async fn begin<P: Permission>(
    store: &Store,
    grant: &Grant<P>,
    intents: &[Intent],
) -> Result<BeginResult, Error> {
    store.begin_operations(grant, intents, &at(6)).await
}

/// Begins the creation `op`.
async fn begin_creation(store: &Store, grant: &Grant<CreateAgentKey>) -> BeginResult {
    let intent = intent(Action::AgentKeyCreate, "op", "one request");
    begin(store, grant, &[intent]).await.unwrap()
}

fn outcome(
    grant: &Grant<impl Permission>,
    action: Action,
    operation: &str,
    state: OperationState,
) -> OperationOutcome {
    OperationOutcome {
        owner: OperationOwner::from(grant.identity()),
        operation: operation.to_owned(),
        action,
        state,
        target: target(Some("id")),
        details: json!({ "n": 1 }),
    }
}

/// Ends the creation `op`.
async fn end_creation(store: &Store, grant: &Grant<CreateAgentKey>, state: OperationState) {
    let outcome = outcome(grant, Action::AgentKeyCreate, "op", state);
    let recorded = store.finish_operations(grant, vec![outcome], &at(7)).await;
    assert_eq!(recorded.unwrap(), [true]);
}

async fn operation_begins_again_only_after_a_rejection(app: &App) {
    let store = app.store();
    let grant = grant(app).await;
    let duplicate = BeginResult::Duplicate;
    assert_eq!(begin_creation(store, &grant).await, BeginResult::Started);
    let again = begin_creation(store, &grant).await;
    assert_eq!(again, duplicate(OperationState::Intended));
    end_creation(store, &grant, OperationState::Rejected).await;
    assert_eq!(begin_creation(store, &grant).await, BeginResult::Started);
    end_creation(store, &grant, OperationState::Created).await;
    let again = begin_creation(store, &grant).await;
    assert_eq!(again, duplicate(OperationState::Created));
}

async fn concurrent_begins_of_an_operation_start_it_once(app: &App) {
    let store = app.store();
    let grant = grant(app).await;
    let begun = (0..20).map(|_| begin_creation(store, &grant));
    let begun = futures::future::join_all(begun).await;
    let started = begun
        .iter()
        .filter(|result| **result == BeginResult::Started);
    assert_eq!(started.count(), 1, "{begun:?}");
    assert_eq!(app.events().await.len(), 1);
}

async fn operations_begin_all_or_none(app: &App) {
    let store = app.store();
    let grant = grant(app).await;
    begin_creation(store, &grant).await;
    end_creation(store, &grant, OperationState::Created).await;
    let both = [
        intent(Action::AgentKeyCreate, "new", "one request"),
        intent(Action::AgentKeyCreate, "op", "another request"),
    ];
    let begun = begin(store, &grant, &both).await;
    assert_eq!(begun.unwrap(), BeginResult::Conflict);
    let counted = store.count_operations().await.unwrap();
    assert_eq!(counted, [(OperationState::Created, 1)]);
}

async fn grant_begins_and_finishes_only_its_own_changes(app: &App) {
    let store = app.store();
    let (_, permissions) = superuser(app).await;
    let create = permissions.grant::<CreateAgentKey>().unwrap();
    let list = permissions.grant::<ListAgentKeys>().unwrap();
    for action in [Action::AgentKeyInvalidate, Action::UserDelete] {
        let refused = begin(store, &create, &[intent(action, "op", "x")]).await;
        assert!(matches!(refused, Err(Error::NotGranted(_))), "{refused:?}");
    }
    let creation = [intent(Action::AgentKeyCreate, "op", "x")];
    let refused = begin(store, &list, &creation).await;
    assert!(matches!(refused, Err(Error::NotGranted(_))), "{refused:?}");
    assert_eq!(store.count_operations().await.unwrap(), []);
    let begun = begin(store, &create, &creation).await;
    assert_eq!(begun.unwrap(), BeginResult::Started, "the control");
    let done = outcome(&list, Action::AgentKeyCreate, "op", OperationState::Created);
    let refused = store.finish_operations(&list, vec![done], &at(7)).await;
    assert!(matches!(refused, Err(Error::NotGranted(_))), "{refused:?}");
}

async fn open_operation_is_found_by_its_owner_and_settled_once(app: &App) {
    let store = app.store();
    let (_, permissions) = superuser(app).await;
    let revoke = permissions.grant::<RevokeAgentKey>().unwrap();
    let list = permissions.grant::<ListAgentKeys>().unwrap();
    let action = Action::AgentKeyInvalidate;
    let begun = begin(store, &revoke, &[intent(action, "op", "x")]).await;
    assert_eq!(begun.unwrap(), BeginResult::Started);
    let stranger = Identity {
        username: "stranger".to_owned(),
        ..list.identity().clone()
    };
    let later = NOW.plus_ms(100);
    for (owner, before, expected) in [
        (None, NOW, 0),
        (Some(&stranger), later, 0),
        (Some(list.identity()), later, 1),
        (None, later, 1),
    ] {
        let open = store.open_operations(owner, before, 9).await.unwrap();
        assert_eq!(open.len(), expected, "{owner:?}");
    }
    for expected in [true, false] {
        let outcome = outcome(&list, action, "op", OperationState::Revoked);
        let settled = store.settle_operation(&list, outcome, &at(11)).await;
        assert_eq!(settled.unwrap(), expected);
    }
    assert_eq!(store.abandon_operations(&at(13)).await.unwrap(), 0);
}

async fn change_of_a_user_gets_a_last_event_after_a_crash(app: &App) {
    let store = app.store();
    let grant = grant::<ManageSecurity>(app).await;
    let begun = begin(store, &grant, &[intent(Action::UserDelete, "op", "x")]).await;
    assert_eq!(begun.unwrap(), BeginResult::Started);
    // Long enough that no other process carries it out.
    let later = at(11 * 60_000);
    assert_eq!(store.abandon_operations(&later).await.unwrap(), 1);
    let events = app.events().await;
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.action.as_str(),
                event.outcome.as_str(),
                event.operation.as_deref(),
            )
        })
        .collect();
    let expected = [
        ("user_delete", "unknown", Some("op")),
        ("user_delete", "unknown", Some("op")),
        ("app_recovered", "success", None),
    ];
    assert!(told.ends_with(&expected), "{told:?}");
    assert_eq!(store.abandon_operations(&later).await.unwrap(), 0);
}

async fn revocation_in_node_caches_is_found_until_the_given_time(app: &App) {
    let store = app.store();
    let grant = grant::<RevokeAgentKey>(app).await;
    let action = Action::AgentKeyInvalidate;
    let begun = begin(store, &grant, &[intent(action, "op", "x")]).await;
    assert_eq!(begun.unwrap(), BeginResult::Started);
    let outcome = outcome(&grant, action, "op", OperationState::RevokedInCache);
    let recorded = store
        .finish_operations(&grant, vec![outcome], &at(21))
        .await;
    assert_eq!(recorded.unwrap(), [true]);
    for (key, after_ms, expected) in [("id", 20, true), ("id", 21, false), ("another", 20, false)] {
        let key = KeyId::parse(key).unwrap();
        let found = store.is_revoked_in_cache(&key, NOW.plus_ms(after_ms)).await;
        assert_eq!(found.unwrap(), expected, "{key} after {after_ms} ms");
    }
}

async fn secret_is_acknowledged_once_it_was_sent(app: &App) {
    let store = app.store();
    let grant = grant(app).await;
    let acknowledge = async |operation| {
        let acknowledged = store.acknowledge_secret(&grant, operation, &at(9)).await;
        acknowledged.unwrap()
    };
    begin_creation(store, &grant).await;
    assert_eq!(acknowledge("op").await, Acknowledged::NotCreated);
    end_creation(store, &grant, OperationState::Created).await;
    let keys = ["id", "other"].map(|id| KeyId::parse(id).unwrap());
    let creations = store.creations(&keys).await.unwrap();
    assert_eq!(creations.len(), 1);
    assert_eq!(creations[0].state, OperationState::Created);
    for _ in 0..2 {
        store.send_secret(&grant, "op", &at(9)).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(acknowledge("op").await, Acknowledged::Delivered);
    }
    assert_eq!(acknowledge("never begun").await, Acknowledged::Unknown);
    // Intent, outcome, sent, acknowledged: the repetitions recorded nothing.
    assert_eq!(app.events().await.len(), 4);
}

async fn undisplayed_secret_is_recorded_once(app: &App) {
    let store = app.store();
    let grant = grant(app).await;
    begin_creation(store, &grant).await;
    end_creation(store, &grant, OperationState::Created).await;
    for (before, expected) in [(NOW, 0), (NOW.plus_ms(100), 1), (NOW.plus_ms(100), 0)] {
        let noted = store.note_unseen_secrets(before, &at(9)).await;
        assert_eq!(noted.unwrap(), expected);
    }
}

async fn drift_is_recorded_once_for_each_key(app: &App) {
    let grant = grant::<ListAgentKeys>(app).await;
    let keys = ["one", "two"].map(|id| KeyId::parse(id).unwrap());
    for _ in 0..2 {
        let noted = app
            .store()
            .note_drift(&grant, &keys, "unrecorded_ours", &at(12))
            .await;
        noted.unwrap();
    }
    let events = app.events().await;
    assert_eq!(events.len(), 2);
    // The user who looked did not act.
    assert_eq!(events[0].actor, None);
    assert!(events[0].details.contains(r#""seen_by":"elastic""#));
}

async fn concurrent_events_are_numbered_without_a_gap(app: &App) {
    let store = app.store();
    store.record(&event(0), &at(0)).await.unwrap();
    // A transaction that is rolled back takes no number.
    let grant = grant(app).await;
    begin_creation(store, &grant).await;
    begin_creation(store, &grant).await;
    let event = event(8);
    let records = (0..20).map(|_| async { store.record(&event, &at(8)).await.unwrap() });
    futures::future::join_all(records).await;
    let events = app.events().await;
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=22).collect::<Vec<_>>());
    assert_eq!(store.audit_events(6, 1).await.unwrap()[0].sequence, 7);
    let head = store.audit_head().await.unwrap();
    assert_eq!((head.sequence, &head.mac), (22, &events[21].mac));
    assert_eq!(verify(store, &[]).await.unwrap().rows, 22);
}

async fn audit_events_are_found_by_every_filter(app: &App) {
    let store = app.store();
    let (proof, permissions) = superuser(app).await;
    let grant = permissions.grant().unwrap();
    // 1: session. 2, 3: a creation that failed. 4, 5: one that succeeded. 6: an event without an actor.
    begin_session(app, &proof, "one", 0).await;
    for state in [OperationState::Rejected, OperationState::Created] {
        begin_creation(store, &grant).await;
        end_creation(store, &grant, state).await;
    }
    let nobodys = Event::new(Action::UserLogin).outcome(Outcome::Failure);
    store.record(&nobodys, &at(8)).await.unwrap();
    let events = app.events().await;
    let (failed, last) = (&events[2], &events[5]);
    assert_eq!(
        (failed.action.as_str(), failed.outcome.as_str()),
        ("agent_key_create", "failure")
    );
    assert_eq!(failed.target_name, target(None).name);
    assert_eq!(failed.operation.as_deref(), Some("op"));
    assert_eq!(failed.details, "{\"n\":1}");
    assert_eq!(failed.actor.as_deref(), Some("elastic"));
    assert_eq!(last.actor, None);
    type Change = fn(&mut AuditQuery);
    let cases: [(&str, Change, &[i64]); 17] = [
        ("all", |_| {}, &[6, 5, 4]),
        (
            "before",
            |query| query.place = AuditPlace::Before(3),
            &[2, 1],
        ),
        (
            "after",
            |query| query.place = AuditPlace::After(1),
            &[2, 3, 4],
        ),
        (
            "action",
            |query| query.action = Some(Action::UserLogin),
            &[6, 1],
        ),
        (
            "outcome",
            |query| query.outcome = Some(Outcome::Failure),
            &[6, 3],
        ),
        ("no person", |query| query.person = "last_".into(), &[]),
        ("person", |query| query.person = "ELAST".into(), &[5, 4, 3]),
        (
            "target name",
            |query| query.target = "é 🚀".into(),
            &[5, 4, 3],
        ),
        ("target id", |query| query.target = "id".into(), &[5, 3]),
        ("percent", |query| query.target = "%".into(), &[]),
        ("underscore", |query| query.target = "_".into(), &[]),
        ("backslash", |query| query.target = "\\".into(), &[]),
        ("SQL", |query| query.target = "' OR 1 = 1 --".into(), &[]),
        ("to", |query| query.to = "2026-12-14".into(), &[6, 5, 4]),
        ("to before", |query| query.to = "2026-12-13".into(), &[]),
        ("from", |query| query.from = "2026-12-14".into(), &[6, 5, 4]),
        ("from after", |query| query.from = "2026-12-15".into(), &[]),
    ];
    for (name, change, expected) in cases {
        let mut query = AuditQuery::default();
        change(&mut query);
        let period = query.period().unwrap();
        let found = store.find_audit_events(&query, period, 3).await.unwrap();
        let found: Vec<_> = found.iter().map(|event| event.sequence).collect();
        assert_eq!(found, expected, "{name}");
    }
}

async fn expired_events_are_deleted_and_the_rest_verifies(app: &App) {
    let store = app.store();
    for number in 0..12 {
        store.record(&event(number), &at(number)).await.unwrap();
    }
    assert_eq!(store.retention_mark().await.unwrap(), None);
    let context = at(1_000_000);
    let delete = async |before| {
        let deleted = store.delete_expired_events(before, before, 5, &context);
        deleted.await.unwrap()
    };
    let first = app.events().await[0].at;
    assert_eq!(delete(first).await, 0, "it is not older than itself");
    let before = verify(store, &[]).await.unwrap();
    assert_eq!(delete(first.plus_ms(1)).await, 1);
    assert_eq!(delete(context.at).await, 5);
    assert_eq!(store.retention_mark().await.unwrap().unwrap().sequence, 6);
    let after = verify(store, &[]).await.unwrap();
    // Each deletion is an event.
    assert_eq!(
        (after.last, after.rows),
        (before.last + 2, before.rows - 6 + 2)
    );
}

async fn forwarding_position_moves_only_forward(app: &App) {
    let store = app.store();
    let position = async |destination| store.forwarded_events(destination).await.unwrap();
    assert_eq!(position("one").await, 0);
    for (sequence, expected) in [(7, 7), (5, 7), (9, 9)] {
        let noted = store.note_forwarded(None, "one", sequence, NOW);
        noted.await.unwrap();
        assert_eq!(position("one").await, expected);
    }
    assert_eq!(position("another").await, 0);
}

#[tokio::test]
async fn sqlite_database_is_found_by_its_url_and_keeps_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("with space and %25?.db");
    let file = directory.path().join("named.db");
    let url = format!("sqlite://{}", file.display());
    for rows in [1, 2] {
        let store = Store::open(Some(&url.clone().into()), &odd, trail())
            .await
            .unwrap();
        store.ping().await.unwrap();
        store.record(&event(rows), &at(rows)).await.unwrap();
        assert_eq!(store.audit_head().await.unwrap().sequence, rows);
        store.close().await;
    }
    assert!(file.exists());
    // Without a URL it is in the data directory, whatever that is called.
    std::fs::create_dir(&odd).unwrap();
    let store = Store::open(None, &odd, trail()).await.unwrap();
    assert_eq!(store.audit_head().await.unwrap().sequence, 0);
    store.close().await;
    assert!(odd.join("agent-keys.db").exists());
}
