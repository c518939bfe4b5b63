//! What people's lists showed.

use crate::support::NOW;
use app::model::{access::Reach, agent_key::KeyId};
use serde_json::json;
use server::{
    access::{Grant, Identity},
    audit::{Action, Origin, Stamp, Target},
    request_id::RequestId,
    store::{Ending, Intent, ListMark, OperationState, RememberedList, Store},
};

/// Remembered, replaced by what was read later, forgotten; and what was revoked since. Two events.
pub(super) async fn tell(store: &Store, grant: &Grant) {
    let identity = grant.identity();
    let stranger = Identity {
        realm: "another".to_owned(),
        ..identity.clone()
    };
    let mark = |reach, after_ms| ListMark {
        reach,
        read_at: NOW.plus_ms(after_ms),
        figures: "1 0 0 2".to_owned(),
    };
    let remember = async |mark: &ListMark, content| {
        store.remember_list(grant, mark, content).await.unwrap();
    };
    let content = async |identity| store.remembered_list(identity).await.unwrap();
    assert_eq!(content(identity).await, None);
    assert_eq!(store.list_mark(identity).await.unwrap(), None);
    let own = mark(Reach::Own, 5);
    remember(&own, "[]").await;
    assert_eq!(store.list_mark(identity).await.unwrap(), Some(own));
    let everybodys = mark(Reach::Everybody, 6);
    let long = "é 🚀".repeat(50_000);
    remember(&everybodys, &long).await;
    remember(&mark(Reach::Own, 4), "late").await;
    let expected = RememberedList {
        read_at: NOW.plus_ms(6),
        content: long.clone(),
    };
    assert_eq!(content(identity).await, Some(expected));
    let found = store.list_mark(identity).await.unwrap();
    assert_eq!(found, Some(everybodys.clone()));
    // It is this person's alone, and goes with a word or with their last session.
    assert_eq!(content(&stranger).await, None);
    store.forget_list(&stranger).await.unwrap();
    assert!(content(identity).await.is_some());
    assert_eq!(store.forget_unused_lists().await.unwrap(), 0);
    store.forget_list(identity).await.unwrap();
    assert_eq!(content(identity).await, None);
    remember(&everybodys, "for the end of the story").await;

    let stamp = |after_ms: i64| Stamp {
        at: NOW.plus_ms(after_ms),
        request_id: RequestId::new("request-3"),
        origin: Origin::default(),
    };
    let target = Target {
        id: Some("revoked-here".to_owned()),
        name: None,
    };
    let action = Action::AgentKeyInvalidate;
    let intent = Intent {
        operation: "another revocation",
        action,
        target: target.clone(),
        fingerprint: None,
        details: json!({}),
    };
    let began = store.begin_operation(grant, intent, &stamp(20)).await;
    began.unwrap();
    let revoked = async |after_ms| store.revoked_since(NOW.plus_ms(after_ms), 9).await.unwrap();
    assert_eq!(revoked(20).await, []);
    let ending = Ending {
        state: OperationState::RevokedInCache,
        target,
        details: json!({}),
    };
    let at = stamp(21);
    let ended = store.end_operation(grant, "another revocation", action, ending, &at);
    assert!(ended.await.unwrap());
    let expected = ("revoked-here".to_owned(), NOW.plus_ms(21));
    assert_eq!(revoked(20).await, [expected]);
    assert_eq!(revoked(21).await, []);
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
