//! Sessions and failed sign-ins in the application's own database: each rule on SQLite and on PostgreSQL.

use crate::{
    store::superuser,
    support::{App, NOW, PASSWORD, events::event_context as at, on_each_database},
};
use app::model::session::{SessionEnd, SessionId};
use server::{
    access::{Identity, ManageSecurity, VerifiedPassword},
    audit::{Action, Event},
    credential::Credential,
    sessions::{RecentPassword, Session},
    store::{
        ActiveWindow, Attempt, LimitKeys, NewSession, RenewedSession, SessionFilter, StoredEnd,
    },
};
use std::time::Duration;

on_each_database!(
    new_session_replaces_the_one_before,
    session_touch_moves_only_forward,
    ended_session_is_not_revived,
    renewed_session_is_found_only_by_its_new_digest,
    own_sessions_are_listed_while_active,
    session_is_ended_by_its_owner_or_an_administrator,
    expired_sessions_are_removed_and_their_cookies_forgotten_later,
    failed_sign_ins_pause_until_forgiven_or_forgotten,
    pause_of_sign_ins_keeps_its_length_when_the_clock_goes_back,
    session_keeps_its_age_when_the_clock_goes_back,
);

pub(crate) async fn begin_session(app: &App, proof: &VerifiedPassword, id: &str, after_ms: i64) {
    replace_session(app, proof, id, None, after_ms).await;
}

async fn replace_session(
    app: &App,
    proof: &VerifiedPassword,
    id: &str,
    replaces: Option<&str>,
    after_ms: i64,
) {
    let new = NewSession {
        id_hash: id,
        id,
        sealed: "sealed",
        browser: Some("Firefox on Linux".to_owned()),
    };
    let begun = app
        .store()
        .begin_session(proof, new, replaces, &at(after_ms))
        .await;
    begun.unwrap();
}

async fn new_session_replaces_the_one_before(app: &App) {
    let (proof, _) = superuser(app).await;
    begin_session(app, &proof, "first", 0).await;
    replace_session(app, &proof, "second", Some("first"), 1).await;
    assert!(app.store().find_session("first").await.unwrap().is_none());
    let found = app.store().find_session("second").await.unwrap().unwrap();
    assert_eq!(
        (found.sealed.as_str(), found.created_at, found.touched_at),
        ("sealed", NOW.plus_ms(1), NOW.plus_ms(1))
    );
}

async fn session_touch_moves_only_forward(app: &App) {
    let store = app.store();
    let (proof, _) = superuser(app).await;
    begin_session(app, &proof, "one", 0).await;
    for after_ms in [500, 400] {
        let touched = store.touch_session("one", NOW.plus_ms(after_ms));
        touched.await.unwrap();
    }
    let found = store.find_session("one").await.unwrap().unwrap();
    assert_eq!(found.touched_at, NOW.plus_ms(500));
    let count = async |touched| {
        store
            .count_sessions(NOW.plus_ms(touched), NOW.plus_ms(-1))
            .await
    };
    assert_eq!(count(499).await.unwrap(), 1);
    assert_eq!(count(500).await.unwrap(), 0);
}

async fn ended_session_is_not_revived(app: &App) {
    let store = app.store();
    let (proof, _) = superuser(app).await;
    begin_session(app, &proof, "one", 0).await;
    let event = Event::new(Action::UserLogout).by(proof.identity());
    for expected in [true, false] {
        let ended = store.end_session("one", &event, &at(2)).await;
        assert_eq!(ended.unwrap(), expected);
    }
    store.touch_session("one", NOW.plus_ms(900)).await.unwrap();
    assert!(store.find_session("one").await.unwrap().is_none());
}

async fn renewed_session_is_found_only_by_its_new_digest(app: &App) {
    let store = app.store();
    let (proof, _) = superuser(app).await;
    begin_session(app, &proof, "old", 4).await;
    for expected in [true, false] {
        let renewed = RenewedSession {
            before: "old",
            id_hash: "renewed",
            sealed: "sealed anew",
        };
        let is_live = store.renew_session(&proof, renewed, &at(5)).await;
        assert_eq!(is_live.unwrap(), expected);
    }
    assert!(store.find_session("old").await.unwrap().is_none());
    let ended = store.find_ended_session("old").await.unwrap();
    assert_eq!(ended, Some(StoredEnd::Renewed));
    let found = store.find_session("renewed").await.unwrap().unwrap();
    assert_eq!(
        (found.id.as_str(), found.sealed.as_str()),
        ("old", "sealed anew")
    );
    assert_eq!(
        (found.created_at, found.authenticated_at),
        (NOW.plus_ms(4), NOW.plus_ms(5))
    );
}

fn window(touched_ms: i64, created_ms: i64) -> ActiveWindow {
    ActiveWindow {
        touched_after: NOW.plus_ms(touched_ms),
        created_after: NOW.plus_ms(created_ms),
    }
}

async fn own_sessions_are_listed_while_active(app: &App) {
    let store = app.store();
    let (proof, permissions) = superuser(app).await;
    for (id, after_ms) in [("one", 4), ("two", 6), ("three", 7)] {
        begin_session(app, &proof, id, after_ms).await;
    }
    store.touch_session("one", NOW.plus_ms(5)).await.unwrap();
    for (window, expected) in [
        (window(0, 0), &["three", "two", "one"][..]),
        (window(5, 0), &["three", "two"]),
        (window(0, 6), &["three"]),
    ] {
        let own = store.own_sessions(proof.identity(), window).await.unwrap();
        let ids: Vec<_> = own.iter().map(|session| session.id.as_str()).collect();
        assert_eq!(ids, expected);
    }
    let grant = permissions.grant::<ManageSecurity>().unwrap();
    let name = "".into();
    let others = store.others_sessions(&grant, &name, window(0, 0), 10);
    assert_eq!(others.await.unwrap(), [], "all are the same user's");
}

async fn session_is_ended_by_its_owner_or_an_administrator(app: &App) {
    let store = app.store();
    let (proof, permissions) = superuser(app).await;
    for id in ["own", "other", "in use"] {
        begin_session(app, &proof, &id.replace(' ', "-"), 4).await;
    }
    let identity = proof.identity();
    let stranger = Identity {
        username: "stranger".to_owned(),
        ..identity.clone()
    };
    let id = |text| SessionId::parse(text).unwrap();
    let (own, other, in_use) = (id("own"), id("other"), id("in-use"));
    let session = Session {
        id_hash: "in-use".to_owned(),
        id: in_use.clone(),
        authenticated_at: NOW,
        identity: identity.clone(),
        credential: Credential::basic("elastic", PASSWORD).unwrap(),
    };
    let grant = permissions.grant::<ManageSecurity>().unwrap();
    let fresh = RecentPassword::of(&session, NOW).unwrap();
    let of = |identity| SessionFilter::Own { identity, id: &own };
    for (filter, expected) in [
        (of(&stranger), 0),
        (of(identity), 1),
        (of(identity), 0),
        (
            SessionFilter::Any {
                grant: &grant,
                fresh: &fresh,
                id: &other,
            },
            1,
        ),
        (
            SessionFilter::OwnExcept {
                identity,
                except: &in_use,
            },
            0,
        ),
    ] {
        let ended = store.end_sessions(filter, window(0, 0), &at(7)).await;
        assert_eq!(ended.unwrap(), expected);
    }
    for (id_hash, expected) in [
        ("own", Some(StoredEnd::Ended(SessionEnd::Elsewhere))),
        ("other", Some(StoredEnd::Ended(SessionEnd::Administrator))),
        ("never was", None),
    ] {
        assert_eq!(store.find_ended_session(id_hash).await.unwrap(), expected);
    }
}

async fn expired_sessions_are_removed_and_their_cookies_forgotten_later(app: &App) {
    let store = app.store();
    let (proof, _) = superuser(app).await;
    begin_session(app, &proof, "expires", 5).await;
    begin_session(app, &proof, "ended", 6).await;
    let filter = SessionFilter::Own {
        identity: proof.identity(),
        id: &SessionId::parse("ended").unwrap(),
    };
    let ended = store.end_sessions(filter, window(0, 0), &at(7)).await;
    assert_eq!(ended.unwrap(), 1);
    let expire = async |touched_ms, created_ms| {
        let (touched, created) = (NOW.plus_ms(touched_ms), NOW.plus_ms(created_ms));
        store
            .expire_sessions(touched, created, &at(8))
            .await
            .unwrap()
    };
    for (touched_ms, created_ms, expected) in [(4, 3, 0), (5, 3, 1), (5, 3, 0)] {
        assert_eq!(expire(touched_ms, created_ms).await, expected);
    }
    assert!(store.find_session("expires").await.unwrap().is_none());
    // The reason is kept for as long as the cookie may come.
    assert!(store.find_ended_session("ended").await.unwrap().is_some());
    assert_eq!(expire(5, 7).await, 0);
    assert_eq!(store.find_ended_session("ended").await.unwrap(), None);
}

async fn failed_sign_ins_pause_until_forgiven_or_forgotten(app: &App) {
    let store = app.store();
    let keys = LimitKeys {
        account: "an account".to_owned(),
        address: Some("an address".to_owned()),
    };
    let attempt = async |after_ms| {
        let attempt = store.attempt_sign_in(&keys, NOW.plus_ms(after_ms));
        attempt.await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(attempt(0).await, Attempt::Allowed);
        store.count_failed_sign_in(&keys, NOW).await.unwrap();
    }
    assert_eq!(attempt(0).await, Attempt::Paused { refusals: 1 });
    assert_eq!(attempt(2_999).await, Attempt::Paused { refusals: 2 });
    assert_eq!(attempt(3_000).await, Attempt::Allowed);
    store.forgive_account(&keys).await.unwrap();
    assert_eq!(attempt(0).await, Attempt::Allowed);
    let forget = async |before, few_before| {
        let forgotten = store.forget_sign_in_attempts(before, few_before);
        forgotten.await.unwrap()
    };
    // The address has failed three times.
    let later = NOW.plus_ms(60_000);
    assert_eq!(forget(NOW, later).await, 0);
    assert_eq!(forget(later, NOW).await, 1);
    store.count_failed_sign_in(&keys, NOW).await.unwrap();
    assert_eq!(forget(NOW, later).await, 2);
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

async fn pause_of_sign_ins_keeps_its_length_when_the_clock_goes_back(app: &App) {
    let store = app.store();
    let attempt = async |keys: &LimitKeys, after_ms| {
        let attempt = store.attempt_sign_in(keys, NOW.plus_ms(after_ms));
        attempt.await.unwrap() == Attempt::Allowed
    };
    // By its account, and by its address, which has ten attempts and then one every six seconds.
    for (address, failures, pause_ms) in [(None, 3, 3_000), (Some("an address"), 10, 6_000)] {
        let keys = |account: String| LimitKeys {
            account,
            address: address.map(str::to_owned),
        };
        let account = |number: i32| match address {
            None => "an account".to_owned(),
            Some(_) => format!("account {number}"),
        };
        for number in 0..failures {
            let keys = keys(account(number));
            store.count_failed_sign_in(&keys, NOW).await.unwrap();
        }
        let keys = keys(account(failures));
        assert!(!attempt(&keys, 0).await);
        // It is not over because the clock is another, and lasts no longer for it.
        let back = -DAY_MS;
        assert!(!attempt(&keys, back).await);
        assert!(!attempt(&keys, back + pause_ms - 1).await);
        assert!(attempt(&keys, back + pause_ms).await);
        // The same without an attempt at once.
        let moved = store.follow_clock_back(NOW.plus_ms(2 * back), Duration::ZERO);
        assert!(moved.await.unwrap() > 0);
        assert!(attempt(&keys, 2 * back + pause_ms).await);
    }
}

async fn session_keeps_its_age_when_the_clock_goes_back(app: &App) {
    let store = app.store();
    let (proof, _) = superuser(app).await;
    begin_session(app, &proof, "a session", 0).await;
    store
        .touch_session("a session", NOW.plus_ms(7))
        .await
        .unwrap();
    let follow = async |now_ms| {
        let moved = store.follow_clock_back(NOW.plus_ms(now_ms), Duration::from_secs(60));
        moved.await.unwrap();
        store.find_session("a session").await.unwrap().unwrap()
    };
    // The clocks of two processes differ a little.
    let stays = follow(-59_000).await;
    assert_eq!((stays.created_at, stays.touched_at), (NOW, NOW.plus_ms(7)));
    let moved = follow(-DAY_MS).await;
    let now = NOW.plus_ms(-DAY_MS);
    assert_eq!(moved.touched_at, now);
    assert_eq!(moved.created_at, now.plus_ms(-7));
    assert_eq!(moved.authenticated_at, now.plus_ms(-7));
}
