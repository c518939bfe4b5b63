//! Users at work: they sign in, create, revoke, look at the list, sign out, and export the audit log.

use crate::support::{Answer, Browser, PASSWORD, client, key_form};
use app::model::new_agent_key::CreatedAgentKey;
use fastrand::Rng;
use http::{Method, StatusCode};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

/// What users asked for, and what they were answered.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: BTreeMap<(&'static str, String), usize>,
    /// Keys whose secret was shown.
    pub(super) created: BTreeSet<String>,
    /// Keys that someone asked to revoke.
    pub(super) asked_to_revoke: BTreeSet<String>,
    /// Keys of which the answer said that they are revoked.
    pub(super) revoked: BTreeSet<String>,
    /// Secrets of keys and tokens of sessions.
    pub(super) secrets: BTreeSet<String>,
}

pub(super) type Shared = Arc<Mutex<Seen>>;

/// Posts a form, counts what was answered, and signs the browser out where the server says so.
async fn post(
    seen: &Shared,
    browser: &mut Browser,
    function: &'static str,
    fields: &[(&str, &str)],
) -> Option<Answer> {
    let answer = browser.try_post(function, fields).await;
    let status = answer.as_ref().map(|answer| answer.status.as_u16());
    let outcome = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    *seen
        .lock()
        .unwrap()
        .requests
        .entry((function, outcome))
        .or_default() += 1;
    if status == Some(401) && function != "sign_in" {
        browser.cookie = None;
    }
    answer.filter(|answer| answer.status == StatusCode::OK)
}

pub(super) async fn sign_in(seen: &Shared, browser: &mut Browser, user: &str) -> bool {
    let fields = [("username", user), ("password", PASSWORD)];
    browser.user = None;
    let answer = post(seen, browser, "sign_in", &fields).await;
    let Some(cookie) = answer.and_then(|answer| answer.cookie()) else {
        return false;
    };
    let (_, token) = cookie.split_once('=').unwrap();
    seen.lock().unwrap().secrets.insert(token.to_owned());
    browser.cookie = Some(cookie);
    browser.user = Some(user.to_owned());
    true
}

/// One user, until the end.
pub(super) async fn work(
    seen: Shared,
    url: String,
    user: &'static str,
    seed: u64,
    ends: Arc<AtomicBool>,
) {
    let mut random = Rng::with_seed(seed);
    let mut own: Vec<String> = Vec::new();
    let mut browser = browser_at(&url);
    let mut number = 0;
    while !ends.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(random.u64(5..40))).await;
        if browser.cookie.is_none() && !sign_in(&seen, &mut browser, user).await {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        match random.u8(0..10) {
            0..=4 => {
                number += 1;
                let operation = format!("{user}-{seed:x}-{number}");
                let form = key_form(&operation, "under load");
                let created = post(&seen, &mut browser, "create_agent_key", &form).await;
                if let Some(created) = created {
                    let created: CreatedAgentKey = created.value();
                    let mut seen = seen.lock().unwrap();
                    seen.secrets.insert(created.api_key.expose().to_owned());
                    seen.secrets.insert(created.encoded.expose().to_owned());
                    seen.created.insert(created.id.to_string());
                    own.push(created.id.to_string());
                }
            }
            5..=6 if !own.is_empty() => {
                let id = own.swap_remove(random.usize(0..own.len()));
                seen.lock().unwrap().asked_to_revoke.insert(id.clone());
                let fields = [("id", id.as_str())];
                let answer = post(&seen, &mut browser, "revoke_agent_key", &fields).await;
                if answer.is_some() {
                    seen.lock().unwrap().revoked.insert(id);
                }
            }
            7 => {
                if post(&seen, &mut browser, "sign_out", &[]).await.is_some() {
                    browser.cookie = None;
                }
            }
            _ => {
                let page = browser.request(Method::GET, "/settings/agent-keys");
                let status = page.send().await.ok().map(|page| page.status().as_u16());
                let outcome =
                    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                let mut seen = seen.lock().unwrap();
                *seen.requests.entry(("the list", outcome)).or_default() += 1;
            }
        }
    }
}

/// An administrator who exports the audit log again and again.
pub(super) async fn export_again(seen: Shared, url: String, ends: Arc<AtomicBool>) {
    while !ends.load(Ordering::Relaxed) {
        let mut admin = browser_at(&url);
        let outcome = match sign_in(&seen, &mut admin, "elastic").await {
            true => match export(&admin).await {
                Some(events) => {
                    assert!(!events.is_empty());
                    "200"
                }
                None => "no answer",
            },
            false => "not signed in",
        };
        let outcome = outcome.to_owned();
        *seen
            .lock()
            .unwrap()
            .requests
            .entry(("export", outcome))
            .or_default() += 1;
        sleep(Duration::from_millis(700)).await;
    }
}

/// All events; `None` if the answer broke off.
pub(super) async fn export(admin: &Browser) -> Option<Vec<Value>> {
    let request = admin.request(Method::GET, "/settings/audit/export.jsonl");
    let response = request.send().await.ok()?;
    let is_whole = response.status() == StatusCode::OK;
    let text = response.text().await.ok().filter(|_| is_whole)?;
    let record = |line| serde_json::from_str::<Value>(line).map(|mut line| line["record"].take());
    text.lines().map(record).collect::<Result<_, _>>().ok()
}

pub(super) fn browser_at(url: &str) -> Browser {
    Browser {
        url: url.to_owned(),
        cookie: None,
        user: None,
        http: client(),
    }
}
