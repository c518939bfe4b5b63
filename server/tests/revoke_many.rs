//! Revoking many agent keys at once.

use crate::support::{
    Answer, App, Browser, PASSWORD,
    proxy::{CACHE_NOT_CLEARED, Fault, Gate},
};
use app::model::{
    agent_key::Delivery,
    key_list::KeyListPage,
    new_agent_key::CreatedAgentKey,
    problem::{ElasticsearchFault, ProblemKind},
    revocation::{FoundAgentKeys, KeyRevocation, RevocationEnding, SelectionError},
};
use http::{Method, StatusCode};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const REVOKE: &str = "DELETE /_security/api_key";
const QUERY: &str = "POST /_security/_query/api_key";
pub const LIST: &str = "/settings/agent-keys";

/// Keys of this person, made as Kibana makes them: their ids by their names.
pub async fn keys(app: &App, owner: &str, count: usize) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for number in 0..count {
        let name = format!("{owner}-{number:03}");
        let id = app.engine.kibana_key(owner, &name).await;
        keys.insert(name, id);
    }
    keys
}

fn form<'a>(
    ids: impl IntoIterator<Item = &'a String>,
    typed: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let ids = ids.into_iter().map(|id| ("ids[]", id.as_str()));
    ids.chain([("typed", typed)]).collect()
}

/// Revokes as the script does.
pub async fn revoke<'a>(
    browser: &Browser,
    ids: impl IntoIterator<Item = &'a String>,
    typed: &'a str,
) -> Answer {
    browser.post("revoke_agent_keys", &form(ids, typed)).await
}

async fn find(browser: &Browser, ids: &[&str]) -> Answer {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let question = app::api::agent_keys::FindAgentKeys { ids };
    let body = postcard::to_allocvec(&question).unwrap();
    browser.post_bytes("find_agent_keys", body).await
}

/// The names that ended in this way.
pub fn names(told: &[KeyRevocation], ending: RevocationEnding) -> Vec<&str> {
    let ended = told.iter().filter(|key| key.ending == ending);
    ended.map(|key| key.name.as_deref().unwrap_or("")).collect()
}

fn endings(told: &[KeyRevocation]) -> Vec<RevocationEnding> {
    told.iter().map(|key| key.ending).collect()
}

pub async fn invalidated(app: &App) -> usize {
    let keys = app.engine.keys().await;
    let revoked = keys.iter().filter(|key| key["invalidated"] == true);
    revoked.count()
}

/// Outcomes and reasons of the revocations that were written down, by key id, in order.
pub async fn written(app: &App) -> BTreeMap<String, Vec<(String, Value)>> {
    let mut written: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in app.events().await {
        if event.action == "agent_key_invalidate" {
            let details: Value = serde_json::from_str(&event.details).unwrap();
            let id = event.target_id.clone().unwrap();
            written
                .entry(id)
                .or_default()
                .push((event.outcome.clone(), details["reason"].clone()));
        }
    }
    written
}

fn question_of<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    let ids: Vec<_> = ids.into_iter().map(|id| format!("id={id}")).collect();
    format!("{LIST}/revoke?{}", ids.join("&"))
}

/// The page's text with its addresses as the server's redirects write them: links escape more than they need to.
fn addresses(page: &str) -> String {
    page.replace("&amp;", "&")
        .replace("%2D", "-")
        .replace("%5F", "_")
}

#[tokio::test]
async fn each_of_a_hundred_keys_has_its_own_result() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 100).await;
    let refused: Vec<_> = keys.iter().skip(20).take(37).collect();
    let ids: Vec<_> = refused.iter().map(|(_, id)| (*id).clone()).collect();
    proxy.fail(REVOKE, Fault::ErrorsFor(ids.clone()));
    // As a browser without a script: the answer is the page.
    let page = question_of(keys.values());
    let fields = form(keys.values(), "100");
    let answer = ada.submit(&page, "revoke_agent_keys", &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(proxy.count(REVOKE), 1, "all are asked for at once");
    let text = answer.text();
    let dialog = &text[text.find("<dialog").unwrap()..text.find("</dialog>").unwrap()];
    assert!(dialog.contains("63 of 100 keys revoked"), "{dialog}");
    assert!(dialog.contains("63 revoked, 37 are still active."));
    assert!(dialog.contains("Try 37 failed keys again"));
    let rows: Vec<_> = dialog.split("<tr").collect();
    for (name, id) in &keys {
        let mut rows = rows.iter().filter(|row| row.contains(name.as_str()));
        let row = rows.next().unwrap();
        assert!(rows.next().is_none() && row.contains(id.as_str()));
        let failed = ids.contains(id);
        assert_eq!(row.contains("still active"), failed, "{name}");
        assert_eq!(row.contains(">Revoked"), !failed, "{name}");
    }
    // They stay selected: in the form that tries again, and in the list that closing leads to.
    for id in &ids {
        assert!(dialog.contains(&format!(r#"name="ids[]" value="{id}""#)));
    }
    let close = question_of(&ids).replace("/revoke?", "?");
    assert!(addresses(dialog).contains(&close), "{dialog}");
    assert_eq!(invalidated(&app).await, 63);
    let events = written(&app).await;
    for id in keys.values() {
        let outcome = if ids.contains(id) {
            "failure"
        } else {
            "success"
        };
        let row = |outcome: &str| (outcome.to_owned(), Value::from("bulk"));
        assert_eq!(events[id], [row("unknown"), row(outcome)]);
    }
    // Trying those again works.
    proxy.heal();
    let told: Vec<KeyRevocation> = revoke(&ada, &ids, "37").await.value();
    assert_eq!(names(&told, RevocationEnding::Revoked).len(), 37);
    assert_eq!(invalidated(&app).await, 100);
    // And once more, they were revoked already.
    let told: Vec<KeyRevocation> = revoke(&ada, &ids, "37").await.value();
    assert_eq!(names(&told, RevocationEnding::Already).len(), 37);
}

#[tokio::test]
async fn every_intent_is_durable_before_the_call() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 5).await;
    let gate = Gate::default();
    proxy.fail(REVOKE, Fault::Late(gate.clone()));
    let asking = revoke(&ada, keys.values(), "");
    let looking = async {
        crate::support::eventually("the question", async || proxy.count(REVOKE) == 1).await;
        let seen = written(&app).await;
        gate.open();
        seen
    };
    let (answer, seen) = tokio::join!(asking, looking);
    assert_eq!(seen.len(), 5);
    for rows in seen.values() {
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0].0, "unknown");
    }
    let told: Vec<KeyRevocation> = answer.value();
    assert_eq!(endings(&told), [RevocationEnding::Revoked; 5]);
}

#[tokio::test]
async fn inconsistent_response_is_unconfirmed() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 4).await;
    let ids: Vec<_> = keys.values().collect();
    // Says that one was revoked and one had been, names one that nobody asked for, and keeps silent on two.
    let body = format!(
        r#"{{"invalidated_api_keys":["{}","never-asked"],"previously_invalidated_api_keys":["{}"],"error_count":7,"error_details":[]}}"#,
        ids[0], ids[1]
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n\r\n{body}"
    );
    proxy.fail(REVOKE, Fault::Answer(Box::leak(answer.into_boxed_str())));
    let told: Vec<KeyRevocation> = revoke(&ada, ids.iter().copied(), "").await.value();
    use RevocationEnding::{Already, Revoked, StillActive, Unconfirmed};
    assert_eq!(endings(&told), [Revoked, Already, StillActive, StillActive]);
    let asked: Vec<_> = told.iter().map(|key| key.id.as_str().to_owned()).collect();
    assert_eq!(
        asked,
        ids.iter().map(|id| (*id).clone()).collect::<Vec<_>>()
    );
    // When nobody can look either, it is not known.
    let passed_over = &ids[2..];
    let before = proxy.count(QUERY);
    let silent = "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
         Content-Type: application/json\r\n\r\n{\"invalidated_api_keys\":[]}";
    proxy.fail(REVOKE, Fault::Answer(silent));
    let told: Vec<KeyRevocation> = revoke(&ada, passed_over.iter().copied(), "").await.value();
    assert_eq!(endings(&told), [StillActive, StillActive]);
    assert_eq!(
        proxy.count(QUERY),
        before + 2,
        "before, and to look afterwards"
    );
    // As a whole it fails only when nothing was changed.
    let busy = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\
         X-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"rejected\"},\"status\":429}";
    proxy.fail(REVOKE, Fault::Answer(busy));
    let answer = revoke(&ada, passed_over.iter().copied(), "").await;
    let told = ProblemKind::Elasticsearch(ElasticsearchFault::Busy);
    assert_eq!(answer.problem(), told);
    let events = written(&app).await;
    for id in passed_over {
        let outcomes: Vec<_> = events[*id]
            .iter()
            .map(|(outcome, _)| outcome.as_str())
            .collect();
        assert_eq!(outcomes, ["unknown", "failure"].repeat(3));
    }
    // An answer that is cut off after the change: nobody knows, until somebody looks.
    proxy.fail(REVOKE, Fault::CutAfter(30));
    let told: Vec<KeyRevocation> = revoke(&ada, passed_over.iter().copied(), "").await.value();
    assert_eq!(endings(&told), [Unconfirmed, Unconfirmed]);
    proxy.heal();
    let told: Vec<KeyRevocation> = revoke(&ada, passed_over.iter().copied(), "").await.value();
    assert_eq!(endings(&told), [Already, Already]);
}

#[tokio::test]
async fn keys_of_other_users_look_missing() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    app.engine.put_user("ben", &["apm_agent_key_role"]).await;
    let mine = app.engine.kibana_key("ada", "mine").await;
    let gone = app.engine.kibana_key("ada", "gone").await;
    let foreign = app.engine.kibana_key("ben", "of ben").await;
    let plain = serde_json::json!({ "name": "no agent key" });
    let plain = app
        .engine
        .ask_as("ada", Method::POST, "/_security/api_key", Some(plain))
        .await;
    let plain = plain["id"].as_str().unwrap().to_owned();
    let unknown = "unknown".to_owned();
    revoke(&ada, [&gone], "").await;
    let all = [&foreign, &mine, &plain, &gone, &unknown];
    let found: FoundAgentKeys = find(&ada, &all.map(String::as_str)).await.value();
    assert_eq!((found.keys.len(), found.missing.len()), (2, 3));
    let told: Vec<KeyRevocation> = revoke(&ada, all, "").await.value();
    use RevocationEnding::{Already, NotFound, Revoked};
    let ended = [NotFound, Revoked, NotFound, Already, NotFound];
    assert_eq!(endings(&told), ended);
    for key in told.iter().filter(|key| key.ending == NotFound) {
        assert_eq!(key.name, None, "a name would tell that there is such a key");
    }
    assert_eq!(invalidated(&app).await, 2);
    let events = written(&app).await;
    assert!(!events.contains_key(&foreign) && !events.contains_key(&plain));
    // The control: the administrator reaches the foreign one.
    let admin = app.as_admin().await;
    let told: Vec<KeyRevocation> = revoke(&admin, [&foreign], "").await.value();
    assert_eq!(names(&told, Revoked), ["of ben"]);
}

#[tokio::test]
async fn selection_is_one_to_a_thousand_ids_and_never_all() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 3).await;
    let some: Vec<_> = keys.values().collect();
    let list = format!("{},{}", some[0], some[1]);
    let many = |count: usize| (0..count).map(|n| format!("id-{n}")).collect::<Vec<_>>();
    let text = |text: &str| vec![text.to_owned()];
    for (ids, typed, error) in [
        (Vec::new(), "", SelectionError::Empty),
        (Vec::new(), "0", SelectionError::Empty),
        (many(1_001), "1001", SelectionError::TooMany),
        (text("*"), "", SelectionError::NotAnId),
        (text(""), "", SelectionError::NotAnId),
        (text(&list), "", SelectionError::NotAnId),
        (text("a*"), "", SelectionError::NotAnId),
        (text(" "), "", SelectionError::NotAnId),
        (many(21), "", SelectionError::NotConfirmed),
        (many(21), "20", SelectionError::NotConfirmed),
    ] {
        let answer = revoke(&ada, &ids, typed).await;
        assert_eq!(
            answer.problem(),
            ProblemKind::KeySelection(error),
            "{typed}"
        );
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // One that is not an id spoils the others.
    let star = "*".to_owned();
    let answer = revoke(&ada, [some[0], &star], "").await;
    let not_an_id = ProblemKind::KeySelection(SelectionError::NotAnId);
    assert_eq!(answer.problem(), not_an_id);
    // A question without a field is none about all.
    let answer = ada.post("revoke_agent_keys", &[]).await;
    let empty = ProblemKind::KeySelection(SelectionError::Empty);
    assert_eq!(answer.problem(), empty);
    assert_eq!(invalidated(&app).await, 0);
    // The limit itself passes. Twice the same id is one key.
    let told: Vec<KeyRevocation> = revoke(&ada, &many(1_000), "1000").await.value();
    assert_eq!(names(&told, RevocationEnding::NotFound).len(), 1_000);
    let told: Vec<KeyRevocation> = revoke(&ada, [some[0], some[0]], "").await.value();
    assert_eq!(endings(&told), [RevocationEnding::Revoked]);
}

#[tokio::test]
async fn confirmation_page_changes_nothing() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 25).await;
    let page = question_of(keys.values());
    for method in [Method::GET, Method::HEAD] {
        let request = ada.request(method, &page).header("accept", "text/html");
        assert_eq!(Answer::of(request).await.status, StatusCode::OK);
    }
    let text = ada.get(&page).await.text();
    for part in [
        "Revoke 25 keys?",
        "Type 25 to confirm",
        "for up to a minute",
    ] {
        assert!(text.contains(part), "{part}");
    }
    for (name, id) in &keys {
        assert!(text.contains(name.as_str()), "{name}");
        assert!(text.contains(&format!(r#"name="ids[]" value="{id}""#)));
    }
    for (query, told) in [
        ("", "No key is selected"),
        ("?id=", "A selected key id is not valid"),
        ("?id=*", "A selected key id is not valid"),
        ("?id=a,b", "A selected key id is not valid"),
    ] {
        let page = ada.get(&format!("{LIST}/revoke{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        let page = page.text();
        assert!(page.contains(told), "{query}");
        assert!(!page.contains(r#"name="ids[]""#), "{query}");
    }
    let too_many: Vec<_> = (0..1_001).map(|number| format!("id={number}")).collect();
    let page = format!("{LIST}/revoke?{}", too_many.join("&"));
    let page = ada.get(&page).await.text();
    assert!(page.contains("More than 1000 keys are selected"));
    assert_eq!(invalidated(&app).await, 0);
    assert!(written(&app).await.is_empty());
}

#[tokio::test]
async fn bulk_revocation_without_script_requires_the_typed_number() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 21).await;
    let page = question_of(keys.values());
    let fields = form(keys.values(), "twenty-one");
    let answer = ada.submit(&page, "revoke_agent_keys", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = answer.text();
    assert!(text.contains("Type 21 to confirm, or cancel."));
    assert!(
        text.contains("Revoke 21 keys?"),
        "the question is asked again"
    );
    assert_eq!(invalidated(&app).await, 0);
    let fields = form(keys.values(), " 21 ");
    let answer = ada.submit(&page, "revoke_agent_keys", &fields).await;
    assert!(answer.text().contains("21 keys revoked"));
    assert_eq!(invalidated(&app).await, 21);
}

#[tokio::test]
async fn more_than_twenty_keys_require_a_recent_password() {
    let app = App::start().await;
    let mut ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 42).await;
    let ids: Vec<_> = keys.values().collect();
    let (many, others) = ids.split_at(21);
    app.clock.advance(Duration::from_secs(5 * 60));
    let told = revoke(&ada, many.iter().copied(), "21").await;
    assert_eq!(told.status, StatusCode::OK, "signing in counts");
    app.clock.advance(Duration::from_millis(1));
    let answer = revoke(&ada, others.iter().copied(), "21").await;
    assert_eq!(answer.problem(), ProblemKind::ReauthRequired);
    // The question says so before anything is typed, and both ways lead back to it.
    let page = question_of(others.iter().copied());
    let text = ada.get(&page).await.text();
    assert!(text.contains("entered in the last five minutes") && !text.contains("Type 21"));
    let fields = form(others.iter().copied(), "21");
    let fields: Vec<_> = fields
        .into_iter()
        .chain([("page", page.as_str())])
        .collect();
    let posted = ada.submit(&page, "revoke_agent_keys", &fields).await;
    assert_eq!(posted.status, StatusCode::FORBIDDEN);
    assert!(posted.text().contains("Enter your password again"));
    let to = "/reauthenticate?next=%2Fsettings%2Fagent-keys%2Frevoke%3Fid%3D";
    assert!(addresses(&text).contains(to), "the same way");
    assert_eq!(invalidated(&app).await, 21);
    // The control: twenty do not ask for it.
    let told: Vec<KeyRevocation> = revoke(&ada, others[..20].iter().copied(), "").await.value();
    assert_eq!(names(&told, RevocationEnding::Revoked).len(), 20);
    // With the password it is done, and the form leads back to the question.
    let fields = [("password", PASSWORD), ("next", page.as_str())];
    let entered = ada.post("reauthenticate", &fields).await;
    assert_eq!(entered.header("location"), Some(page.as_str()));
    ada.cookie = entered.cookie();
    let told: Vec<KeyRevocation> = revoke(&ada, others.iter().copied(), "21").await.value();
    assert_eq!(names(&told, RevocationEnding::Already).len(), 20);
    assert_eq!(invalidated(&app).await, 42);
}

#[tokio::test]
async fn cached_key_revoked_by_another_user_is_reported_as_such() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 2).await;
    let ids: Vec<_> = keys.values().collect();
    revoke(&ada, [ids[0]], "").await;
    app.clock.advance(Duration::from_secs(1));
    // It is revoked after the first look and before the question.
    let not_yet = Box::new(Fault::Edited(|found| {
        for key in found["api_keys"].as_array_mut().unwrap() {
            key["invalidated"] = false.into();
        }
    }));
    let in_cache = Box::new(Fault::AnswerAfterwards(CACHE_NOT_CLEARED));
    proxy.fail(QUERY, Fault::Then(not_yet, REVOKE, in_cache));
    let told: Vec<KeyRevocation> = revoke(&ada, ids.iter().copied(), "").await.value();
    use RevocationEnding::{Already, RevokedInCache};
    assert_eq!(endings(&told), [Already, RevokedInCache]);
    for (id, already) in [(ids[0], true), (ids[1], false)] {
        let events = app.events().await;
        let last = events
            .iter()
            .rfind(|event| event.target_id.as_ref() == Some(id));
        let details: Value = serde_json::from_str(&last.unwrap().details).unwrap();
        assert_eq!(details["already"], already);
    }
}

#[tokio::test]
async fn bulk_result_is_elasticsearchs_when_statuses_cannot_be_read() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 2).await;
    let in_cache = Box::new(Fault::AnswerAfterwards(CACHE_NOT_CLEARED));
    let broken = Box::new(Fault::Answer(
        "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n",
    ));
    proxy.fail(REVOKE, Fault::Then(in_cache, QUERY, broken));
    let told: Vec<KeyRevocation> = revoke(&ada, keys.values(), "").await.value();
    assert_eq!(endings(&told), [RevocationEnding::RevokedInCache; 2]);
}

#[tokio::test]
async fn bulk_result_marks_keys_in_node_caches() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 5).await;
    let ids: Vec<_> = keys.values().collect();
    proxy.fail(REVOKE, Fault::AnswerAfterwards(CACHE_NOT_CLEARED));
    let told: Vec<KeyRevocation> = revoke(&ada, ids[..2].iter().copied(), "").await.value();
    assert_eq!(endings(&told), [RevocationEnding::RevokedInCache; 2]);
    // Without JavaScript the answer is the page. One of these keys was revoked before.
    let page = question_of(ids[1..4].iter().copied());
    let fields = form(ids[1..4].iter().copied(), "");
    let text = ada.submit(&page, "revoke_agent_keys", &fields).await.text();
    let dialog = &text[text.find("<dialog").unwrap()..text.find("</dialog>").unwrap()];
    assert!(dialog.contains("2 of 3 keys revoked"), "{dialog}");
    assert!(dialog.contains("2 revoked, 1 was already revoked."));
    assert!(dialog.contains("Some keys are still cached.") && dialog.contains("up to 15 minutes"));
    assert!(dialog.contains("/_clear_cache") && !dialog.contains("Elasticsearch now rejects"));
    assert!(!dialog.contains("failed"), "nothing is left to try again");
    let rows: Vec<_> = dialog.split("<tr").collect();
    for (id, cached) in [(ids[1], false), (ids[2], true), (ids[3], true)] {
        let row = rows.iter().find(|row| row.contains(id.as_str())).unwrap();
        assert_eq!(row.contains("Revoked, still cached"), cached, "{row}");
    }
    assert_eq!(invalidated(&app).await, 4);
    let events = written(&app).await;
    let row = |outcome: &str| (outcome.to_owned(), Value::from("bulk"));
    assert_eq!(events[ids[3]], [row("unknown"), row("success")]);
    // The control: a cache that can be cleared is not told of.
    proxy.heal();
    let page = question_of([ids[4]]);
    let answer = ada
        .submit(&page, "revoke_agent_keys", &form([ids[4]], ""))
        .await;
    let text = answer.text();
    assert!(text.contains("1 key revoked") && text.contains("Elasticsearch now rejects"));
    assert!(!text.contains("cached"));
}

#[tokio::test]
async fn list_has_a_checkbox_for_each_revocable_key() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let keys = keys(&app, "ada", 3).await;
    let ids: Vec<_> = keys.values().collect();
    revoke(&ada, [ids[0]], "").await;
    let list = ada.get(&format!("{LIST}?id={}&q=ada", ids[1])).await.text();
    let boxed = |id: &str| {
        let value = format!(r#"value="{id}""#);
        let mut inputs = list.split("<input").skip(1);
        let one = inputs.find(|input| input.contains(&value))?;
        let one = &one[..one.find('>').unwrap()];
        assert!(one.contains(r#"name="id""#), "{one}");
        Some(one.contains("checked"))
    };
    assert_eq!(boxed(ids[0]), None, "it is revoked");
    assert_eq!(boxed(ids[1]), Some(true), "the address names it");
    assert_eq!(boxed(ids[2]), Some(false));
    // The form keeps the list behind the question as it is.
    let form = &list[list.find(&format!(r#"action="{LIST}/revoke""#)).unwrap()..];
    let form = &form[..form.find("</form>").unwrap()];
    assert!(form.contains(r#"name="q" value="ada""#), "{form}");
    assert!(form.contains(&format!(r#"value="{}""#, ids[1])), "{form}");
    // Without a script, a link ticks all of them.
    let links = addresses(&list);
    let all = ids[1..]
        .iter()
        .all(|id| links.contains(&format!("id={id}")));
    assert!(all && list.contains("Select all on this page"));
    // Who may only look has no boxes.
    let role = serde_json::json!({
        "cluster": ["manage_own_api_key"],
        "applications": [
            { "application": "kibana-.kibana", "privileges": ["read"], "resources": ["*"] },
        ],
    });
    app.engine.put_role("looker", role).await;
    app.engine.put_user("ada", &["looker"]).await;
    let page: KeyListPage = ada.list(|_| {}).await.value();
    assert_eq!(page.keys.len(), 3);
    let list = ada.get(LIST).await.text();
    assert!(list.contains("ada-001") && !list.contains(r#"name="id""#));
}

#[tokio::test]
async fn confirmation_page_shows_the_delivery_of_each_secret() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let created: CreatedAgentKey = ada.create("shown").await.value();
    let kibanas = app.engine.kibana_key("ada", "of Kibana").await;
    let found: FoundAgentKeys = find(&ada, &[created.id.as_str(), &kibanas]).await.value();
    let deliveries: Vec<_> = found.keys.iter().map(|key| key.delivery).collect();
    assert_eq!(deliveries, [Delivery::Awaited, Delivery::MadeElsewhere]);
}
