//! What a person's list showed when Elasticsearch was last asked, searched and sorted as Elasticsearch would.
//!
//! Time goes on meanwhile, and so does what this application's own database knows: a key whose end has come is shown as
//! expired, and one that was revoked here as revoked, whatever was remembered.

use super::{cursor, delivery, remember::Remembered};
use crate::{
    failure::Failure,
    services::{Person, Services},
};
use app::model::{
    agent_key::{AgentKey, FoundAgentKey, KeyId, KeySource, KeyStatus},
    key_list::{KeyListPage, KeyListQuery, SortField, SortOrder, StatusFilter},
    outage::{Memory, Outage},
    timestamp::Timestamp,
};
use serde_json::{Value, json};
use std::{cmp::Ordering, collections::HashMap};

/// A revocation that was under way when the list was read is not in it; none takes longer.
const UNDER_WAY_MS_MAX: i64 = 60_000;
/// Revocations since then that are looked at.
const REVOKED_MAX: i64 = 10_000;

/// One page of what is remembered; `None` when nothing is.
pub(super) async fn list(
    services: &Services,
    person: &Person,
    query: &KeyListQuery,
    outage: Outage,
) -> Result<Option<KeyListPage>, Failure> {
    let Some((Remembered { keys, mut summary }, read_at)) = recall(services, person).await? else {
        return Ok(None);
    };
    let settings = services.store.read_apm_settings().await?;
    summary.limit = settings.api_key_limit;
    summary.authorization_enabled = settings.api_key_enabled;
    let memory = Memory {
        outage,
        kept: keys.len() as u64,
        of: summary.total(),
    };
    let mut found: Vec<_> = keys
        .into_iter()
        .filter(|key| matches(key, query, outage.now))
        .collect();
    found.sort_by(|one, other| compare(one, other, query));
    let total = found.len();
    let (first, end) = bounds(query, total);
    let place = |at: Option<&AgentKey>| at.and_then(|key| cursor::write(&place(key, query.sort)));
    let next = (end < total)
        .then(|| place(found.get(end.saturating_sub(1))))
        .flatten();
    let previous = (first > 0).then(|| place(found.get(first))).flatten();
    let mut keys: Vec<_> = found.drain(first..end).collect();
    delivery::look_up(services, &mut keys, outage.now).await?;
    Ok(Some(KeyListPage {
        keys,
        total: total as u64,
        next,
        previous,
        summary,
        read_at,
        memory: Some(memory),
    }))
}

/// What is remembered of one key; `None` when nothing is.
pub(super) async fn key(
    services: &Services,
    person: &Person,
    id: &KeyId,
    outage: Outage,
) -> Result<Option<FoundAgentKey>, Failure> {
    let Some((remembered, read_at)) = recall(services, person).await? else {
        return Ok(None);
    };
    let Some(mut key) = remembered.keys.into_iter().find(|key| key.id == *id) else {
        return Ok(None);
    };
    delivery::look_up(services, std::slice::from_mut(&mut key), outage.now).await?;
    Ok(Some(FoundAgentKey {
        key,
        descriptors: None,
        in_cache: false,
        read_at,
        outage: Some(outage),
    }))
}

async fn recall(
    services: &Services,
    person: &Person,
) -> Result<Option<(Remembered, Timestamp)>, Failure> {
    let identity = &person.session().identity;
    let Some(stored) = services.store.remembered_list(identity).await? else {
        return Ok(None);
    };
    // Another version may have written it in words of its own. Then nothing is remembered.
    let Ok(mut remembered) = serde_json::from_str::<Remembered>(&stored.content) else {
        return Ok(None);
    };
    let since = stored.read_at.plus_ms(-UNDER_WAY_MS_MAX);
    let revoked: HashMap<_, _> = services
        .store
        .revoked_since(since, REVOKED_MAX)
        .await?
        .into_iter()
        .collect();
    let now = services.clock.now();
    for key in &mut remembered.keys {
        key.revocable = false;
        key.status = match (key.status, revoked.get(key.id.as_str())) {
            (KeyStatus::Active { .. } | KeyStatus::Expired { .. }, Some(at)) => {
                KeyStatus::Revoked { at: Some(*at) }
            }
            (KeyStatus::Active { until: Some(at) }, None) if at <= now => KeyStatus::Expired { at },
            (status, _) => status,
        };
    }
    Ok(Some((remembered, stored.read_at)))
}

/// Where the page begins and ends. Elasticsearch continues after a row; here the rows before it are counted.
fn bounds(query: &KeyListQuery, total: usize) -> (usize, usize) {
    let rows = usize::from(query.rows);
    let last_page = total.saturating_sub(1) / rows * rows;
    let first = usize::try_from(query.offset)
        .unwrap_or(usize::MAX)
        .min(last_page);
    (first, first.saturating_add(rows).min(total))
}

fn matches(key: &AgentKey, query: &KeyListQuery, now: Timestamp) -> bool {
    let is = |status: &StatusFilter| match (status, key.status) {
        (StatusFilter::Active, KeyStatus::Active { .. })
        | (StatusFilter::Expired, KeyStatus::Expired { .. })
        | (StatusFilter::Revoked, KeyStatus::Revoked { .. }) => true,
        (StatusFilter::ExpiresSoon, status) => status.expires_soon(now),
        _ => false,
    };
    let any = |wanted: &[String], value: &String| wanted.is_empty() || wanted.contains(value);
    (key.source == KeySource::Elsewhere || !query.elsewhere)
        && (query.status.is_empty() || query.status.iter().any(is))
        && any(&query.owner, &key.owner)
        && any(&query.realm, &key.realm)
        && contains(key, query.search.trim())
}

/// Part of a name or label, without regard to case, or a whole key id.
fn contains(key: &AgentKey, text: &str) -> bool {
    let wanted = text.to_lowercase();
    let labels = [
        &key.labels.service,
        &key.labels.environment,
        &key.labels.team,
    ];
    let texts = labels.into_iter().flatten().chain([&key.name]);
    key.id.as_str() == text
        || texts
            .into_iter()
            .any(|text| text.to_lowercase().contains(&wanted))
}

/// The order of the list. Keys without an end come last in both directions.
fn compare(one: &AgentKey, other: &AgentKey, query: &KeyListQuery) -> Ordering {
    let turn = |order: Ordering| match query.order {
        SortOrder::Ascending => order,
        SortOrder::Descending => order.reverse(),
    };
    let by_creation = one.created.cmp(&other.created);
    let by_name = one.name.cmp(&other.name);
    match query.sort {
        SortField::Name => turn(by_name.then(by_creation)),
        SortField::Owner => turn(one.owner.cmp(&other.owner).then(by_creation).then(by_name)),
        SortField::Created => turn(by_creation.then(by_name)),
        SortField::Expires => {
            let (end, other_end) = (end(one), end(other));
            other_end
                .is_some()
                .cmp(&end.is_some())
                .then(turn(end.cmp(&other_end).then(by_creation).then(by_name)))
        }
    }
}

/// When the key ends by itself, as far as its status tells.
fn end(key: &AgentKey) -> Option<Timestamp> {
    match key.status {
        KeyStatus::Active { until } => until,
        KeyStatus::Expired { at } => Some(at),
        KeyStatus::Revoked { .. } => None,
    }
}

/// The key's place in the order, in Elasticsearch's words: by then it may answer again.
fn place(key: &AgentKey, sort: SortField) -> Vec<Value> {
    let created = json!(key.created);
    match sort {
        SortField::Name => vec![json!(key.name), created],
        SortField::Owner => vec![json!(key.owner), created, json!(key.name)],
        SortField::Created => vec![created, json!(key.name)],
        SortField::Expires => vec![json!(end(key)), created, json!(key.name)],
    }
}
