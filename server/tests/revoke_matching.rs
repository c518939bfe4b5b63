//! Revoking every agent key that matches a search, in batches.

use crate::{
    forms::hidden,
    revoke_many::{LIST, invalidated, keys, names, revoke, written},
    support::{Answer, App, Browser, PASSWORD},
};
use app::model::{
    key_list::KeyListQuery,
    problem::ProblemKind,
    revocation::{MatchingBatch, MatchingForm, MatchingKeys, RevocationEnding, SelectionError},
};
use http::StatusCode;
use std::time::Duration;

async fn find_matching(browser: &Browser, search: &str) -> Answer {
    let query = KeyListQuery {
        search: search.to_owned(),
        ..KeyListQuery::default()
    };
    let question = app::api::agent_keys::FindMatchingKeys { query };
    let body = postcard::to_allocvec(&question).unwrap();
    browser.post_bytes("find_matching_keys", body).await
}

fn matching_form<'a>(
    query: &'a str,
    typed: &'a str,
    read_at: &'a str,
) -> [(&'static str, &'a str); 3] {
    [
        ("form[query]", query),
        ("form[typed]", typed),
        ("form[read_at]", read_at),
    ]
}

#[tokio::test]
async fn all_matching_keys_are_revoked_after_their_number_is_typed() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let old = keys(&app, "ada", 30).await;
    app.engine.kibana_key("ada", "other").await;
    let gone = &old["ada-007"];
    revoke(&ada, [gone], "").await;
    let found: MatchingKeys = find_matching(&ada, "ada-").await.value();
    assert_eq!((found.count, found.sample.len()), (29, 15));
    assert!(!found.password_needed);
    assert!(found.sample.iter().all(|key| key.revocable));
    app.clock.advance(Duration::from_secs(1));
    // It matches, and was created after the count.
    app.engine.kibana_key("ada", "ada-late").await;
    let read_at = found.read_at.0.to_string();
    for typed in ["", "30", "28", "all"] {
        let form = matching_form("?q=ada-", typed, &read_at);
        let refused = ada.post("revoke_matching_keys", &form).await.problem();
        let expected = ProblemKind::KeySelection(SelectionError::NotConfirmed);
        assert_eq!(refused, expected, "{typed}");
    }
    assert_eq!(invalidated(&app).await, 1);
    let form = matching_form("?q=ada-", "29", &read_at);
    let batch: MatchingBatch = ada.post("revoke_matching_keys", &form).await.value();
    assert_eq!((batch.done, batch.total, batch.next), (29, 29, None));
    assert_eq!(names(&batch.results, RevocationEnding::Revoked).len(), 29);
    assert_eq!(invalidated(&app).await, 30);
    let left = find_matching(&ada, "").await.value::<MatchingKeys>();
    let left: Vec<_> = left.sample.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(left, ["other", "ada-late"]);
    // Each is written down, as for chosen keys.
    let written = written(&app).await;
    let bulk = written
        .values()
        .flatten()
        .filter(|(_, reason)| reason == "bulk");
    assert!(bulk.count() >= 29);
}

#[tokio::test]
async fn matching_keys_are_revoked_in_batches_of_a_thousand() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    keys(&app, "ada", 1_001).await;
    app.clock.advance(Duration::from_secs(1));
    let found: MatchingKeys = find_matching(&ada, "").await.value();
    assert_eq!(found.count, 1_001);
    let read_at = found.read_at.0.to_string();
    let form = matching_form("", "1001", &read_at);
    let first: MatchingBatch = ada.post("revoke_matching_keys", &form).await.value();
    assert_eq!((first.done, first.results.len()), (1_000, 1_000));
    let next = first.next.unwrap();
    // Without script, the page has a form for the next batch, and the results so far as a file.
    let done = next.done.to_string();
    let mut form = matching_form("", &next.typed, &next.read_at).to_vec();
    form.extend([("form[after]", next.after.as_str()), ("form[done]", &done)]);
    let page = format!("{LIST}/revoke?all=true");
    let answer = ada.submit(&page, "revoke_matching_keys", &form).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = answer.text();
    assert!(text.contains("1,001 of 1,001 keys done"), "{text}");
    assert!(text.contains("data:text/csv"), "{text}");
    assert_eq!(invalidated(&app).await, 1_001);
}

#[tokio::test]
async fn matching_keys_of_other_owners_are_not_counted_for_an_owner() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    app.with_user("ben", &["apm_agent_key_role"]).await;
    keys(&app, "ada", 2).await;
    keys(&app, "ben", 3).await;
    assert_eq!(
        find_matching(&ada, "").await.value::<MatchingKeys>().count,
        2
    );
    let admin = app.as_admin().await;
    assert_eq!(
        find_matching(&admin, "")
            .await
            .value::<MatchingKeys>()
            .count,
        5
    );
    assert_eq!(
        find_matching(&admin, "ben")
            .await
            .value::<MatchingKeys>()
            .count,
        3
    );
}

#[tokio::test]
async fn revoking_many_matching_keys_needs_a_recent_password() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    keys(&app, "ada", 21).await;
    app.clock.advance(Duration::from_secs(6 * 60));
    let found: MatchingKeys = find_matching(&ada, "").await.value();
    assert!(found.password_needed);
    let read_at = found.read_at.0.to_string();
    let form = matching_form("", "21", &read_at);
    let answer = ada.post("revoke_matching_keys", &form).await;
    assert_eq!(answer.problem(), ProblemKind::ReauthRequired);
    assert_eq!(invalidated(&app).await, 0);
}

/// Revokes the first batch of 1,001 keys, and returns the form of the second one.
async fn first_batch(app: &App, ada: &Browser) -> MatchingForm {
    keys(app, "ada", 1_001).await;
    app.clock.advance(Duration::from_secs(1));
    let found: MatchingKeys = find_matching(ada, "").await.value();
    let read_at = found.read_at.0.to_string();
    let form = matching_form("", "1001", &read_at);
    let first: MatchingBatch = ada.post("revoke_matching_keys", &form).await.value();
    first.next.unwrap()
}

#[tokio::test]
async fn interrupted_revocation_goes_on_at_its_batch() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let next = first_batch(&app, &ada).await;
    let (page, done) = (format!("{LIST}/revoke?all=true"), next.done.to_string());
    let mut form = matching_form("", &next.typed, &next.read_at).to_vec();
    form.extend([
        ("form[after]", next.after.as_str()),
        ("form[done]", &done),
        ("page", &page),
    ]);
    ada.clone().post("sign_out", &[]).await;
    let login = ada.submit(&page, "revoke_matching_keys", &form).await;
    assert_eq!(login.status, StatusCode::UNAUTHORIZED);
    let interrupted = |page: &Answer| {
        let text = page.text();
        ["interrupted_path", "interrupted_input"].map(|name| hidden(&text, name))
    };
    let [path, input] = interrupted(&login);
    let fields = [
        ("username", "ada"),
        ("password", PASSWORD),
        ("interrupted_path", &path),
        ("interrupted_input", &input),
    ];
    let mut ada = app.nobody();
    let shown = ada.submit("/login", "sign_in", &fields).await;
    ada.cookie = shown.cookie();
    ada.user = Some("ada".to_owned());
    let text = shown.text();
    assert!(
        text.contains("Revoking: 1,000 of 1,001 keys done"),
        "{text}"
    );
    assert!(text.contains("Continue") && !text.contains("Number of keys"));
    assert_eq!(invalidated(&app).await, 1_000, "nothing is sent by itself");
    // Entering the password again is enough to go on.
    app.clock.advance(Duration::from_secs(6 * 60));
    let password = ada.submit(&page, "revoke_matching_keys", &form).await;
    assert_eq!(password.status, StatusCode::FORBIDDEN);
    let [path, input] = interrupted(&password);
    let fields = [
        ("password", PASSWORD),
        ("interrupted_path", &path),
        ("interrupted_input", &input),
    ];
    let ended = ada
        .submit("/reauthenticate", "reauthenticate", &fields)
        .await;
    let text = ended.text();
    assert!(text.contains("1,001 of 1,001 keys done"), "{text}");
    assert_eq!(invalidated(&app).await, 1_001);
}

#[tokio::test]
async fn password_is_entered_in_the_dialog_of_a_revocation_under_way() {
    let app = App::start().await;
    let mut ada = app.with_key_user("ada").await;
    let next = first_batch(&app, &ada).await;
    app.clock.advance(Duration::from_secs(6 * 60));
    let done = next.done.to_string();
    let mut form = matching_form("", &next.typed, &next.read_at).to_vec();
    form.extend([("form[after]", next.after.as_str()), ("form[done]", &done)]);
    let refused = ada.post("revoke_matching_keys", &form).await;
    assert_eq!(refused.problem(), ProblemKind::ReauthRequired);
    // Without a page to go to, the script stays where it is.
    let entered = ada.post("reauthenticate", &[("password", PASSWORD)]).await;
    assert_eq!(entered.status, StatusCode::OK);
    assert!(!entered.headers.contains_key("serverfnredirect"));
    ada.cookie = entered.cookie();
    let last: MatchingBatch = ada.post("revoke_matching_keys", &form).await.value();
    assert_eq!((last.done, last.next), (1_001, None));
}
