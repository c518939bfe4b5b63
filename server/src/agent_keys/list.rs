//! One page of the agent keys that a person may see.

use super::{
    cursor,
    query::{self, LabelSearch},
    read::agent_key,
};
use crate::{
    access::Permission,
    elasticsearch::{self, api_key::query::FoundKeys},
    failure::Failure,
    services::{Person, Services},
};
use app::model::{
    apm_settings::ApmSettings,
    key_list::{
        FILTER_VALUES_MAX, FacetValue, KeyListPage, KeyListQuery, KeySummary, PageAnchor,
        ROWS_CHOICES, SEARCH_CHARACTERS_MAX,
    },
    timestamp::Timestamp,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Answers one page. Elasticsearch decides whose keys are in it: who may only manage their own sees only those.
#[tracing::instrument(name = "agent_keys.page.list", skip_all)]
pub async fn list(
    services: &Services,
    person: &Person,
    query: KeyListQuery,
) -> Result<KeyListPage, Failure> {
    check_limits(&query)?;
    person.grant(services, Permission::ListAgentKeys).await?;
    let access = person.actor(services).await?.access();
    let now = services.clock.now();
    let (found, counted, settings) =
        tokio::try_join!(read_page(person, &query, now), count(person, now), async {
            Ok(services.store.read_apm_settings().await?)
        },)?;
    let total = found.total;
    let Rows {
        mut stored,
        more,
        backwards,
    } = Rows::of(found, &query);
    let place = |key: Option<&elasticsearch::api_key::query::StoredKey>| {
        key.and_then(|key| cursor::write(&key.sort))
    };
    // Where the page was reached from, there is certainly another one; on the other side, one row too many tells.
    let came_from_start = matches!(query.anchor, PageAnchor::First);
    let has_next = if backwards { true } else { more };
    let has_previous = if backwards { more } else { !came_from_start };
    let next = has_next.then(|| place(stored.last())).flatten();
    let previous = has_previous.then(|| place(stored.first())).flatten();
    let viewer = &person.session().identity;
    let keys = stored
        .drain(..)
        .map(|key| agent_key(key, viewer, access, now))
        .collect::<Result<_, _>>()?;
    Ok(KeyListPage {
        keys,
        total,
        next,
        previous,
        summary: summary(&counted, &settings),
        read_at: now,
    })
}

/// A page comes from an address, and an address from anybody.
fn check_limits(query: &KeyListQuery) -> Result<(), Failure> {
    let fits = ROWS_CHOICES.contains(&query.rows)
        && query.search.chars().count() <= SEARCH_CHARACTERS_MAX
        && query.status.len() <= FILTER_VALUES_MAX
        && query.owner.len() <= FILTER_VALUES_MAX
        && query.realm.len() <= FILTER_VALUES_MAX;
    if fits {
        Ok(())
    } else {
        Err(Failure::BadCursor)
    }
}

async fn read_page(
    person: &Person,
    list: &KeyListQuery,
    now: Timestamp,
) -> Result<FoundKeys, Failure> {
    let (after, backwards) = match &list.anchor {
        PageAnchor::First => (None, false),
        PageAnchor::After(cursor) => (Some(cursor::read(cursor, list.sort)?), false),
        PageAnchor::Before(cursor) => (Some(cursor::read(cursor, list.sort)?), true),
    };
    let body = |labels| query::page(list, labels, after.as_deref(), backwards, now);
    let connection = person.elasticsearch();
    let found = connection
        .query_api_keys(&body(LabelSearch::Anywhere))
        .await;
    match found {
        Err(elasticsearch::Error::Invalid { .. }) if !list.search.trim().is_empty() => {
            Ok(connection
                .query_api_keys(&body(LabelSearch::AtStart))
                .await?)
        }
        found => Ok(found?),
    }
}

async fn count(person: &Person, now: Timestamp) -> Result<FoundKeys, Failure> {
    let body = query::summary(now);
    Ok(person.elasticsearch().query_api_keys(&body).await?)
}

struct Rows {
    stored: Vec<elasticsearch::api_key::query::StoredKey>,
    /// There are more rows in the direction that was read.
    more: bool,
    backwards: bool,
}

impl Rows {
    fn of(found: FoundKeys, query: &KeyListQuery) -> Self {
        let rows = usize::from(query.rows);
        let backwards = matches!(query.anchor, PageAnchor::Before(_));
        let mut stored = found.api_keys;
        let more = stored.len() > rows;
        stored.truncate(rows);
        if backwards {
            stored.reverse();
        }
        Self {
            stored,
            more,
            backwards,
        }
    }
}

fn summary(counted: &FoundKeys, settings: &ApmSettings) -> KeySummary {
    let aggregations = &counted.aggregations;
    let status = |name: &str| {
        let count = aggregations
            .get("status")
            .and_then(|status| status.get("buckets")?.get(name)?.get("doc_count")?.as_u64());
        count.unwrap_or(0)
    };
    KeySummary {
        active: status("active"),
        expires_soon: status("expires-soon"),
        expired: status("expired"),
        revoked: status("revoked"),
        owners: facet(aggregations, "owners"),
        realms: facet(aggregations, "realms"),
        limit: settings.api_key_limit,
        authorization_enabled: settings.api_key_enabled,
    }
}

/// The buckets of a `terms` aggregation.
pub(crate) fn facet(aggregations: &BTreeMap<String, Value>, name: &str) -> Vec<FacetValue> {
    let buckets = aggregations
        .get(name)
        .and_then(|aggregation| aggregation.get("buckets")?.as_array());
    buckets
        .into_iter()
        .flatten()
        .filter_map(|bucket| {
            Some(FacetValue {
                value: bucket.get("key")?.as_str()?.to_owned(),
                count: bucket.get("doc_count")?.as_u64()?,
            })
        })
        .collect()
}
