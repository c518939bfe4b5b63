//! One story that calls every method of the store, told on SQLite and on PostgreSQL.

use crate::support::{NOW, postgres::Postgres, trail};
use app::model::{
    agent_key::KeyId,
    apm_settings::{ApmSettings, ServerUrl},
    audit_query::{AuditPlace, AuditQuery},
    session::{SessionEnd, SessionId},
};
use serde_json::json;
use server::{
    access::{
        Grant, Identity, KibanaFeatureCheck, Permission, Permissions, RecentPassword,
        VerifiedPassword, identify,
    },
    audit::{Action, Event, EventContext, EventSource, Outcome, Target, verify::verify},
    config::{Access, KibanaFeature},
    credential::Credential,
    elasticsearch::Elasticsearch,
    request_id::RequestId,
    sessions::Session,
    store::{
        Acknowledged, ActiveWindow, Attempt, BeginResult, Intent, LimitKeys, NewSession,
        OperationOutcome, OperationOwner, OperationState, RenewedSession, SessionFilter, Store,
        StoredEnd,
    },
};
use std::path::Path;

#[tokio::test]
async fn the_story_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let open = async || Store::open(None, directory.path(), trail()).await.unwrap();
    tell(open().await).await;
    // Opened again, it is all still there, and nothing is migrated twice.
    let store = open().await;
    assert_eq!(store.audit_events(0, 100).await.unwrap().len(), 35);
    let odd = directory.path().join("with space and %25?.db");
    let url = format!("sqlite://{}", directory.path().join("named.db").display());
    tell(Store::open(Some(&url.into()), &odd, trail()).await.unwrap()).await;
    assert!(directory.path().join("named.db").exists());
    tell_of_sessions(store).await;
}

#[tokio::test]
async fn the_story_on_postgresql() {
    let postgres = Postgres::start();
    let url = postgres.url().into();
    let open = async || {
        Store::open(Some(&url), Path::new("/nonexistent"), trail())
            .await
            .unwrap()
    };
    tell(open().await).await;
    let store = open().await;
    assert_eq!(store.audit_events(0, 100).await.unwrap().len(), 35);
    tell_of_sessions(store).await;
}

async fn tell(store: Store) {
    let (proof, grant) = proof_and_grant().await;
    let stamp = |after_ms: i64| EventContext {
        at: NOW.plus_ms(after_ms),
        request_id: RequestId::new("request-1"),
        origin: EventSource::default(),
    };
    store.ping().await.unwrap();

    // Sessions: begun, found, replaced, touched, ended, and never revived.
    let new = |id_hash| NewSession {
        id_hash,
        id: id_hash,
        sealed: "sealed",
        browser: Some("Firefox on Linux".to_owned()),
    };
    store
        .begin_session(&proof, new("first"), None, &stamp(0))
        .await
        .unwrap();
    store
        .begin_session(&proof, new("second"), Some("first"), &stamp(1))
        .await
        .unwrap();
    assert!(store.find_session("first").await.unwrap().is_none());
    let found = store.find_session("second").await.unwrap().unwrap();
    assert_eq!(
        (found.sealed.as_str(), found.created_at, found.touched_at),
        ("sealed", NOW.plus_ms(1), NOW.plus_ms(1))
    );
    store
        .touch_session("second", NOW.plus_ms(500))
        .await
        .unwrap();
    store
        .touch_session("second", NOW.plus_ms(400))
        .await
        .unwrap();
    assert_eq!(
        store
            .find_session("second")
            .await
            .unwrap()
            .unwrap()
            .touched_at,
        NOW.plus_ms(500)
    );
    let event = Event::new(Action::UserLogout)
        .by(proof.identity())
        .details(json!({ "reason": "signed_out" }));
    let count = async |touched| {
        store
            .count_sessions(NOW.plus_ms(touched), NOW)
            .await
            .unwrap()
    };
    assert_eq!((count(499).await, count(500).await), (1, 0));
    assert!(
        store
            .end_session("second", &event, &stamp(2))
            .await
            .unwrap()
    );
    assert!(
        !store
            .end_session("second", &event, &stamp(3))
            .await
            .unwrap()
    );
    store
        .touch_session("second", NOW.plus_ms(900))
        .await
        .unwrap();
    assert!(store.find_session("second").await.unwrap().is_none());
    // This one stays, for the rest of the story.
    store
        .begin_session(&proof, new("old"), None, &stamp(4))
        .await
        .unwrap();

    // Settings: the defaults, then what was saved, twice.
    assert_eq!(
        store.read_apm_settings().await.unwrap(),
        ApmSettings::default()
    );
    for url in [Some("https://apm.example.com"), None] {
        let settings = ApmSettings {
            server_url: url.map(|url| ServerUrl::parse(url).unwrap()),
            api_key_enabled: url.is_some(),
            api_key_limit: 250,
        };
        store
            .save_apm_settings(&grant, &settings, &stamp(5))
            .await
            .unwrap();
        assert_eq!(store.read_apm_settings().await.unwrap(), settings);
    }

    // Operations: begun once, ended, and begun again only when they did nothing.
    let target = |id: Option<&str>| Target {
        id: id.map(str::to_owned),
        name: Some("é 🚀 \u{202e}".to_owned()),
    };
    let intent = |action, operation: &str, fingerprint: &str| Intent {
        operation: operation.to_owned(),
        action,
        target: target(None),
        fingerprint: Some(fingerprint.to_owned()),
        details: json!({}),
    };
    let begin = async || {
        let intent = intent(Action::AgentKeyCreate, "op", "one request");
        store
            .begin_operations(&grant, &[intent], &stamp(6))
            .await
            .unwrap()
    };
    let end = async |state| {
        let outcome = OperationOutcome {
            owner: OperationOwner::from(grant.identity()),
            operation: "op".to_owned(),
            action: Action::AgentKeyCreate,
            state,
            target: target(Some("id")),
            details: json!({ "n": 1 }),
        };
        store
            .finish_operations(&grant, vec![outcome], &stamp(7))
            .await
            .unwrap();
    };
    assert_eq!(begin().await, BeginResult::Started);
    assert_eq!(
        begin().await,
        BeginResult::Duplicate(OperationState::Intended)
    );
    end(OperationState::Rejected).await;

    // What happened is told in order and without gaps; what did not happen took no number.
    let events = store.audit_events(0, 100).await.unwrap();
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6, 7, 8]);
    let last = events.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.outcome.as_str()),
        ("agent_key_create", "failure")
    );
    assert_eq!(last.target_name, target(None).name);
    assert_eq!(
        (last.operation.as_deref(), last.details.as_str()),
        (Some("op"), "{\"n\":1}")
    );
    assert_eq!(last.request_id, "request-1");
    assert_eq!(last.actor.as_deref(), Some("elastic"));
    assert_eq!(store.audit_events(6, 1).await.unwrap()[0].sequence, 7);

    // Many at once: one begins, the others are told so, and the trail has no gap and no repetition.
    let at_once = futures::future::join_all((0..20).map(|_| begin())).await;
    assert_eq!(
        at_once
            .iter()
            .filter(|began| **began == BeginResult::Started)
            .count(),
        1
    );
    end(OperationState::Created).await;
    assert_eq!(
        begin().await,
        BeginResult::Duplicate(OperationState::Created)
    );
    let counted = store.count_operations().await.unwrap();
    assert_eq!(counted, [(OperationState::Created, 1)]);
    let otherwise = intent(Action::AgentKeyCreate, "op", "another request");
    let new = intent(Action::AgentKeyCreate, "new", "one request");
    let both = [new, otherwise];
    let begun = store.begin_operations(&grant, &both, &stamp(7)).await;
    assert_eq!(begun.unwrap(), BeginResult::Conflict);
    // All or none: the other one has not begun.
    let counted = store.count_operations().await.unwrap();
    assert_eq!(counted, [(OperationState::Created, 1)]);
    let nobody = Event {
        actor: None,
        outcome: Outcome::Failure,
        ..event
    };
    let records = (0..20).map(|_| async { store.record(&nobody, &stamp(8)).await.unwrap() });
    futures::future::join_all(records).await;
    let events = store.audit_events(8, 100).await.unwrap();
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (9..=30).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap().actor, None);

    // The log is found by every filter, and from both sides of a number.
    let find = async |change: &dyn Fn(&mut AuditQuery)| -> Vec<i64> {
        let mut query = AuditQuery::default();
        change(&mut query);
        let period = query.period().unwrap();
        let found = store.find_audit_events(&query, period, 3).await.unwrap();
        found.iter().map(|event| event.sequence).collect()
    };
    assert_eq!(find(&|_| {}).await, [30, 29, 28]);
    assert_eq!(
        find(&|query| query.place = AuditPlace::Before(3)).await,
        [2, 1]
    );
    assert_eq!(
        find(&|query| query.place = AuditPlace::After(1)).await,
        [2, 3, 4]
    );
    assert_eq!(
        find(&|query| query.action = Some(Action::ApmSettingsChange)).await,
        [6, 5]
    );
    let done = |query: &mut AuditQuery| {
        query.action = Some(Action::AgentKeyCreate);
        query.outcome = Some(Outcome::Success);
    };
    assert_eq!(find(&done).await, [10]);
    assert_eq!(find(&|query| query.person = "last_".into()).await, [0; 0]);
    assert_eq!(find(&|query| query.person = "ELAST".into()).await.len(), 3);
    assert_eq!(find(&|query| query.target = "é 🚀".into()).await.len(), 3);
    assert_eq!(find(&|query| query.target = "id".into()).await, [10, 8]);
    for hostile in ["%", "_", "\\", "' OR 1 = 1 --"] {
        assert_eq!(find(&|query| query.target = hostile.into()).await, [0; 0]);
    }
    assert_eq!(
        find(&|query| query.to = "2026-12-14".into()).await,
        [30, 29, 28]
    );
    assert_eq!(
        find(&|query| query.from = "2026-12-15".into()).await,
        [0; 0]
    );

    // The chain is whole, and its end is known.
    let head = store.audit_head().await.unwrap();
    assert_eq!(
        (head.sequence, head.mac),
        (30, events.last().unwrap().mac.clone())
    );
    assert_eq!(verify(&store, &[]).await.unwrap().rows, 30);
    tell_of_delivery(&store, &grant).await;
    tell_of_failed_sign_ins(&store).await;
    tell_of_revocations_in_cache(&store, &grant).await;
    tell_of_audit_forwarding(&store).await;
    tell_of_old_events(&store).await;
    store.close().await;
}

/// A revocation that Elasticsearch could not pass to its caches is found until `since` passes it. Two events.
async fn tell_of_revocations_in_cache(store: &Store, grant: &Grant) {
    let stamp = |after_ms: i64| EventContext {
        at: NOW.plus_ms(after_ms),
        request_id: RequestId::new("request-3"),
        origin: EventSource::default(),
    };
    let target = Target {
        id: Some("revoked-here".to_owned()),
        name: None,
    };
    let action = Action::AgentKeyInvalidate;
    let operation = "another revocation";
    let intent = Intent {
        operation: operation.to_owned(),
        action,
        target: target.clone(),
        fingerprint: None,
        details: json!({}),
    };
    let begun = store.begin_operations(grant, &[intent], &stamp(20)).await;
    assert_eq!(begun.unwrap(), BeginResult::Started);
    let outcome = OperationOutcome {
        owner: OperationOwner::from(grant.identity()),
        operation: operation.to_owned(),
        action,
        state: OperationState::RevokedInCache,
        target,
        details: json!({}),
    };
    let at = stamp(21);
    let recorded = store.finish_operations(grant, vec![outcome], &at);
    assert_eq!(recorded.await.unwrap(), [true]);
    for (key, after_ms, expected) in [
        ("revoked-here", 20, true),
        ("revoked-here", 21, false),
        ("another", 20, false),
    ] {
        let key = KeyId::parse(key).unwrap();
        let found = store.is_revoked_in_cache(&key, NOW.plus_ms(after_ms)).await;
        assert_eq!(found.unwrap(), expected, "{key} after {after_ms} ms");
    }
}

/// What is too old goes, and what is left verifies. Without it, nothing may be removed.
async fn tell_of_old_events(store: &Store) {
    let stamp = EventContext {
        at: NOW.plus_ms(1_000_000),
        request_id: RequestId::new("request-3"),
        origin: EventSource::default(),
    };
    assert_eq!(store.retention_mark().await.unwrap(), None);
    let cut = async |before| {
        store
            .delete_expired_events(before, before, 5, &stamp)
            .await
            .unwrap()
    };
    let first = store.audit_events(0, 1).await.unwrap()[0].at;
    assert_eq!(cut(first).await, 0, "it is not older than itself");
    let before = verify(store, &[]).await.unwrap();
    assert_eq!(cut(first.plus_ms(1)).await, 1);
    assert_eq!(cut(stamp.at).await, 5);
    assert_eq!(store.retention_mark().await.unwrap().unwrap().sequence, 6);
    let after = verify(store, &[]).await.unwrap();
    // Two events about it.
    assert_eq!(
        (after.last, after.rows),
        (before.last + 2, before.rows - 6 + 2)
    );
}

/// A key's secret on its way, and operations whose end nobody saw. Seven events.
async fn tell_of_delivery(store: &Store, grant: &Grant) {
    let stamp = |after_ms: i64| EventContext {
        at: NOW.plus_ms(after_ms),
        request_id: RequestId::new("request-2"),
        origin: EventSource::default(),
    };
    let key = |id: &str| KeyId::parse(id).unwrap();
    // The key of the story so far was made; it is sent once, seen once.
    let creations = store.creations(&[key("id"), key("other")]).await.unwrap();
    assert_eq!(creations.len(), 1);
    assert_eq!(creations[0].state, OperationState::Created);
    assert_eq!(store.note_unseen_secrets(NOW, &stamp(9)).await.unwrap(), 0);
    let later = NOW.plus_ms(100);
    assert_eq!(
        store.note_unseen_secrets(later, &stamp(9)).await.unwrap(),
        1
    );
    assert_eq!(
        store.note_unseen_secrets(later, &stamp(9)).await.unwrap(),
        0
    );
    for _ in 0..2 {
        store.send_secret(grant, "op", &stamp(9)).await.unwrap();
    }
    for (operation, expected) in [
        ("op", Acknowledged::Delivered),
        ("op", Acknowledged::Delivered),
        ("never begun", Acknowledged::Unknown),
    ] {
        let acknowledged = store.acknowledge_secret(grant, operation, &stamp(9)).await;
        assert_eq!(acknowledged.unwrap(), expected);
    }
    // A revocation whose end nobody saw is found, by its owner and by everybody, and settled once.
    let revocation = Intent {
        operation: "revocation".to_owned(),
        action: Action::AgentKeyInvalidate,
        target: Target::default(),
        fingerprint: None,
        details: json!({}),
    };
    store
        .begin_operations(grant, &[revocation], &stamp(10))
        .await
        .unwrap();
    let stranger = Identity {
        username: "stranger".to_owned(),
        ..grant.identity().clone()
    };
    assert_eq!(store.open_operations(None, NOW, 9).await.unwrap(), []);
    assert_eq!(
        store
            .open_operations(Some(&stranger), later, 9)
            .await
            .unwrap(),
        []
    );
    let open = store
        .open_operations(Some(grant.identity()), later, 9)
        .await
        .unwrap();
    assert_eq!(open, store.open_operations(None, later, 9).await.unwrap());
    assert_eq!((open.len(), open[0].id.as_str()), (1, "revocation"));
    for expected in [true, false] {
        let outcome = OperationOutcome {
            owner: open[0].owner.clone(),
            operation: open[0].id.clone(),
            action: Action::AgentKeyInvalidate,
            state: OperationState::Revoked,
            target: Target::default(),
            details: json!({}),
        };
        let stamp = stamp(11);
        let recorded = store.finish_operations(grant, vec![outcome], &stamp);
        assert_eq!(recorded.await.unwrap(), [expected]);
    }
    for _ in 0..2 {
        let keys = [key("one"), key("two")];
        store
            .note_drift(grant, &keys, "unrecorded_ours", &stamp(12))
            .await
            .unwrap();
    }
    // Nothing is under way any more.
    assert_eq!(store.abandon_operations(&stamp(13)).await.unwrap(), 0);
}

/// How far the log was written to each destination, and never back.
async fn tell_of_audit_forwarding(store: &Store) {
    let sent = async |destination| store.forwarded_events(destination).await.unwrap();
    assert_eq!(sent("one").await, 0);
    for (sequence, expected) in [(7, 7), (5, 7), (9, 9)] {
        let noted = store.note_forwarded(None, "one", sequence, NOW);
        noted.await.unwrap();
        assert_eq!(sent("one").await, expected);
    }
    assert_eq!(sent("another").await, 0);
}

/// Failures are counted, pause, are forgiven and forgotten. No events: those are the caller's.
async fn tell_of_failed_sign_ins(store: &Store) {
    let subjects = LimitKeys {
        account: "an account".to_owned(),
        address: Some("an address".to_owned()),
    };
    let may = async |after_ms| {
        let attempt = store
            .attempt_sign_in(&subjects, NOW.plus_ms(after_ms))
            .await;
        attempt.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(may(0).await, Attempt::Allowed);
        store.count_failed_sign_in(&subjects, NOW).await.unwrap();
    }
    assert_eq!(may(0).await, Attempt::Paused { refusals: 1 });
    assert_eq!(may(2_999).await, Attempt::Paused { refusals: 2 });
    assert_eq!(may(3_000).await, Attempt::Allowed);
    store.forgive_account(&subjects).await.unwrap();
    assert_eq!(may(0).await, Attempt::Allowed);
    let forget = async |before| store.forget_sign_in_attempts(before).await.unwrap();
    assert_eq!(forget(NOW).await, 0);
    assert_eq!(forget(NOW.plus_ms(60_000)).await, 1);
}

/// The session that stayed, and others: renewed, listed, ended from elsewhere, and over.
async fn tell_of_sessions(store: Store) {
    let (proof, grant) = proof_and_grant().await;
    let stamp = |after_ms: i64| EventContext {
        at: NOW.plus_ms(after_ms),
        request_id: RequestId::new("request-2"),
        origin: EventSource::default(),
    };
    let new = |id_hash| NewSession {
        id_hash,
        id: id_hash,
        sealed: "sealed",
        browser: Some("Firefox on Linux".to_owned()),
    };
    // Renewed: found under the new digest alone, by the same name, and once.
    let renew = async |before| {
        let renewed = RenewedSession {
            before,
            id_hash: "renewed",
            sealed: "sealed anew",
        };
        let lives = store.renew_session(&proof, renewed, &stamp(5)).await;
        lives.unwrap()
    };
    assert!(renew("old").await);
    assert!(!renew("old").await);
    assert!(store.find_session("old").await.unwrap().is_none());
    let ended = async |id_hash| store.find_ended_session(id_hash).await.unwrap();
    assert_eq!(ended("old").await, Some(StoredEnd::Renewed));
    let found = store.find_session("renewed").await.unwrap().unwrap();
    assert_eq!(
        (
            found.id.as_str(),
            found.sealed.as_str(),
            found.created_at,
            found.authenticated_at
        ),
        ("old", "sealed anew", NOW.plus_ms(4), NOW.plus_ms(5))
    );
    // Listed, as long as they live, and ended by those who may.
    for id_hash in ["third", "fourth"] {
        store
            .begin_session(&proof, new(id_hash), None, &stamp(6))
            .await
            .unwrap();
    }
    let window = |touched_ms, created_ms| ActiveWindow {
        touched_after: NOW.plus_ms(touched_ms),
        created_after: NOW.plus_ms(created_ms),
    };
    let own = async |window| {
        let own = store.own_sessions(proof.identity(), window).await.unwrap();
        let ids = own.into_iter().map(|session| session.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(own(window(0, 0)).await, ["fourth", "third", "old"]);
    assert_eq!(own(window(5, 0)).await, ["fourth", "third"]);
    assert_eq!(own(window(0, 6)).await, [""; 0]);
    let name = "".into();
    let others = store.others_sessions(&grant, &name, window(0, 0), 10).await;
    assert_eq!(others.unwrap(), [], "they are all the same person's");
    let id = |text| SessionId::parse(text).unwrap();
    let end = async |which| {
        let ended = store.end_sessions(which, window(0, 0), &stamp(7)).await;
        ended.unwrap()
    };
    let stranger = Identity {
        username: "stranger".to_owned(),
        ..proof.identity().clone()
    };
    let session = Session {
        id_hash: "renewed".to_owned(),
        id: id("old"),
        authenticated_at: NOW,
        identity: proof.identity().clone(),
        credential: Credential::basic("elastic", crate::support::PASSWORD).unwrap(),
    };
    let third = id("third");
    let of = |identity| SessionFilter::Own {
        identity,
        id: &third,
    };
    assert_eq!(end(of(&stranger)).await, 0);
    assert_eq!(end(of(proof.identity())).await, 1);
    assert_eq!(end(of(proof.identity())).await, 0);
    let fresh = RecentPassword::of(&session, NOW).unwrap();
    let anybodys = SessionFilter::Any {
        grant: &grant,
        fresh: &fresh,
        id: &id("fourth"),
    };
    assert_eq!(end(anybodys).await, 1);
    let but = id("old");
    let all_but = SessionFilter::OwnExcept {
        identity: proof.identity(),
        except: &but,
    };
    assert_eq!(end(all_but).await, 0);
    for (id_hash, end) in [
        ("third", SessionEnd::Elsewhere),
        ("fourth", SessionEnd::Administrator),
    ] {
        assert_eq!(ended(id_hash).await, Some(StoredEnd::Ended(end)));
    }
    assert_eq!(ended("never was").await, None);
    // Over: told once, and why they ended is remembered for as long as their cookies may come.
    let expire = async |touched_ms, created_ms| {
        let (touched, created) = (NOW.plus_ms(touched_ms), NOW.plus_ms(created_ms));
        let expired = store.expire_sessions(touched, created, &stamp(8)).await;
        expired.unwrap()
    };
    assert_eq!(expire(4, 3).await, 0);
    assert_eq!(expire(5, 3).await, 1);
    assert_eq!(expire(5, 3).await, 0);
    assert!(matches!(ended("third").await, Some(StoredEnd::Ended(_))));
    assert_eq!(expire(5, 7).await, 0);
    assert_eq!(ended("third").await, None);
    store.close().await;
}

/// Only Elasticsearch's answers make these, so an engine is asked.
async fn proof_and_grant() -> (VerifiedPassword, Grant) {
    let engine = crate::support::engine::Engine::start(&platform::Clock::manual(NOW.0)).await;
    let url: url::Url = format!("{}/", engine.url()).parse().unwrap();
    let elasticsearch = Elasticsearch::new(url.into(), true).unwrap();
    let credential = Credential::basic("elastic", crate::support::PASSWORD).unwrap();
    let connection = elasticsearch.connect(credential, RequestId::new("request-0"));
    let proof = identify(&connection).await.unwrap();
    let gate = KibanaFeatureCheck::new(&Access {
        kibana_feature: KibanaFeature::Require,
        kibana_space: "default".to_owned(),
    });
    let actor = Permissions::request(&connection, proof.identity().clone(), &gate)
        .await
        .unwrap();
    (proof, actor.grant(Permission::CreateAgentKey).unwrap())
}
