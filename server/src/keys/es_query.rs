//! Elasticsearch queries for API keys. User input becomes a value, never a part of the query language.

use crate::access::Identity;
use app::model::{
    agent_key::{EXPIRES_SOON_MS, KeyId},
    key_list::{FILTER_VALUES_MAX, KeyListQuery, SortField, StatusFilter},
    timestamp::Timestamp,
};
use serde_json::{Value, json};

/// The most users whose keys are counted at once.
const OWNERS_MAX: usize = 10_000;
/// The most keys that Elasticsearch answers at once.
const WINDOW_MAX: usize = 10_000;
/// Metadata fields of our labels.
const LABELS: [&str; 3] = [
    "metadata.agent_keys.service",
    "metadata.agent_keys.environment",
    "metadata.agent_keys.team",
];

/// Matches agent keys: keys with the mark that Kibana sets, except those that Kibana made for itself; and these, which
/// have lost the mark.
fn agent_keys(changed: &[KeyId], more: Vec<Value>) -> Value {
    if changed.is_empty() {
        return marked(more);
    }
    let changed = json!({ "ids": { "values": changed } });
    let mut filter = vec![json!({ "bool": {
        "should": [marked(Vec::new()), changed],
        "minimum_should_match": 1,
    } })];
    filter.extend(more);
    json!({ "bool": { "filter": filter } })
}

/// Matches keys with the mark that Kibana sets, except those that Kibana made for itself.
fn marked(more: Vec<Value>) -> Value {
    let mut filter = vec![json!({ "term": { "metadata.application": "apm" } })];
    filter.extend(more);
    json!({ "bool": {
        "filter": filter,
        "must_not": [made_for_itself()],
    } })
}

/// Keys of these ids without the mark.
pub(super) fn no_longer_marked(ids: &[KeyId], rows: usize) -> Value {
    json!({
        "query": { "bool": {
            "filter": [{ "ids": { "values": ids } }],
            "must_not": [marked(Vec::new())],
        } },
        "size": rows,
        "sort": [{ "creation": { "order": "desc" } }],
    })
}

/// Query for one key by its id. The caller checks that it is an agent key.
pub(super) fn by_id(id: &KeyId) -> Value {
    by_ids(std::slice::from_ref(id))
}

/// The keys of these ids. Whether they are agent keys is judged from the answer.
pub(super) fn by_ids(ids: &[KeyId]) -> Value {
    json!({ "query": { "ids": { "values": ids } }, "size": ids.len() })
}

fn of_ids(ids: &[KeyId], more: Vec<Value>) -> Value {
    let mut filter = vec![json!({ "ids": { "values": ids } })];
    filter.extend(more);
    json!({ "bool": { "filter": filter, "must_not": [made_for_itself()] } })
}

/// Keys that Kibana made for itself.
fn made_for_itself() -> Value {
    json!({ "term": { "metadata.system": true } })
}

/// Keys without the mark, newest first. Those that Kibana and Fleet manage are left out: they are no agent's.
pub(super) fn unmarked(rows: usize, after: Option<&[Value]>) -> Value {
    let mut body = json!({
        "query": { "bool": { "must_not": [
            { "term": { "metadata.application": "apm" } },
            { "term": { "metadata.managed": true } },
            made_for_itself(),
        ] } },
        "size": rows,
        "sort": [{ "creation": { "order": "desc" } }, { "name": { "order": "desc" } }],
    });
    if let Some(after) = after {
        body["search_after"] = json!(after);
    }
    body
}

/// The keys that these operations made. Anybody may write an operation into a key of their own, so there can be more
/// keys than operations.
pub(super) fn by_operations(operations: Vec<&str>) -> Value {
    let made_by = json!({ "terms": { "metadata.agent_keys.operation": operations } });
    json!({ "query": agent_keys(&[], vec![made_by]), "size": WINDOW_MAX })
}

/// Counts the matching keys of this status.
pub(super) fn count_matching(
    matching: &Matching<'_>,
    filter: StatusFilter,
    now: Timestamp,
) -> Value {
    json!({ "query": matching.query(vec![status(filter, now)]), "size": 0 })
}

/// Keys that match a search, of any status, owner and realm.
#[derive(Clone, Copy)]
pub(super) struct Matching<'a> {
    /// Text to search for; empty for every key.
    pub(super) text: &'a str,
    /// These keys made elsewhere, instead of the marked ones.
    pub(super) elsewhere: Option<&'a [KeyId]>,
    /// Keys without the mark that are listed like marked ones.
    pub(super) changed: &'a [KeyId],
    /// Further conditions.
    pub(super) only: &'a [Value],
}

impl Matching<'_> {
    fn query(&self, mut filters: Vec<Value>) -> Value {
        filters.extend_from_slice(self.only);
        let text = self.text.trim();
        if !text.is_empty() {
            filters.push(search(text));
        }
        match self.elsewhere {
            Some(ids) => of_ids(ids, filters),
            None => agent_keys(self.changed, filters),
        }
    }
}

/// Builds the query for the number of active keys at `now`, by owner.
pub(crate) fn active_keys_by_owner(now: Timestamp) -> Value {
    let query = marked(vec![status(StatusFilter::Active, now)]);
    let owners = json!({ "terms": { "field": "username", "size": OWNERS_MAX } });
    json!({ "query": query, "size": 0, "aggs": { "owners": owners } })
}

/// Conditions of the keys that can still be revoked, created by `until`, of this owner or of any.
pub(super) fn revocable(until: Timestamp, owner: Option<&Identity>) -> Vec<Value> {
    let mut only = vec![
        json!({ "term": { "invalidated": false } }),
        json!({ "range": { "creation": { "lte": until.0 } } }),
    ];
    only.extend(owner.into_iter().flat_map(owned_by));
    only
}

/// Conditions of this owner's keys.
pub(super) fn owned_by(owner: &Identity) -> [Value; 2] {
    [
        json!({ "term": { "username": owner.username } }),
        json!({ "term": { "realm_name": owner.realm } }),
    ]
}

/// Counts of the matching keys, by status, owner and realm.
pub(super) fn filter_counts(matching: &Matching<'_>, now: Timestamp) -> Value {
    let statuses: serde_json::Map<_, _> = StatusFilter::ALL
        .iter()
        .copied()
        .map(|filter| (filter.word().to_owned(), status(filter, now)))
        .collect();
    let facet = |field| json!({ "terms": { "field": field, "size": FILTER_VALUES_MAX } });
    json!({
        "query": matching.query(Vec::new()),
        "size": 0,
        "aggs": {
            "status": { "filters": { "filters": statuses } },
            "owners": facet("username"),
            "realms": facet("realm_name"),
        },
    })
}

/// A part of the list.
#[derive(Clone, Copy)]
pub(super) struct Slice<'a> {
    /// Limit of rows.
    pub(super) rows: u32,
    /// The place in the order after which they begin; for `Ends::Never`, without the first field.
    pub(super) after: Option<&'a [Value]>,
    /// Read the order from its end.
    pub(super) backwards: bool,
    /// Which keys.
    pub(super) ends: Ends,
}

/// Which keys, by whether they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Both.
    Either,
    /// Those with an expiration.
    AtSomeTime,
    /// Those without.
    Never,
}

/// A slice of the list: of the marked keys, or of these ones made elsewhere.
pub(super) fn page(
    list: &KeyListQuery,
    matching: &Matching<'_>,
    slice: Slice<'_>,
    now: Timestamp,
) -> Value {
    let mut filters = Vec::new();
    if !list.status.is_empty() {
        let any: Vec<_> = list.status.iter().map(|one| status(*one, now)).collect();
        filters.push(json!({ "bool": { "should": any, "minimum_should_match": 1 } }));
    }
    if !list.owner.is_empty() {
        filters.push(json!({ "terms": { "username": list.owner } }));
    }
    if !list.realm.is_empty() {
        filters.push(json!({ "terms": { "realm_name": list.realm } }));
    }
    let has_end = json!({ "range": { "expiration": { "gte": 0 } } });
    match slice.ends {
        Ends::Either => {}
        Ends::AtSomeTime => filters.push(has_end),
        Ends::Never => filters.push(json!({ "bool": { "must_not": [has_end] } })),
    }
    let order = if slice.backwards {
        list.order.reversed()
    } else {
        list.order
    };
    let fields = match slice.ends {
        Ends::Either | Ends::AtSomeTime => sort_fields(list.sort),
        Ends::Never => &sort_fields(list.sort)[1..],
    };
    let by = |field: &&str| json!({ *field: { "order": order.word() } });
    let mut body = json!({
        "query": matching.query(filters),
        "size": slice.rows,
        "sort": fields.iter().map(by).collect::<Value>(),
    });
    if let Some(after) = slice.after {
        body["search_after"] = json!(after);
    }
    body
}

/// The fields a list is ordered by. The later ones decide between rows that are equal in the first.
pub(super) fn sort_fields(field: SortField) -> &'static [&'static str] {
    match field {
        SortField::Name => &["name", "creation"],
        SortField::Owner => &["username", "creation", "name"],
        SortField::Created => &["creation", "name"],
        SortField::Expires => &["expiration", "creation", "name"],
    }
}

fn status(filter: StatusFilter, now: Timestamp) -> Value {
    let revoked = json!({ "term": { "invalidated": true } });
    let not_revoked = json!({ "term": { "invalidated": false } });
    let soon = now.plus_ms(EXPIRES_SOON_MS);
    let ended = json!({ "range": { "expiration": { "lte": now.0 } } });
    match filter {
        StatusFilter::Active => json!({ "bool": { "filter": [not_revoked], "must_not": [ended] } }),
        StatusFilter::ExpiresSoon => {
            let ends_soon = json!({ "range": { "expiration": { "gt": now.0, "lte": soon.0 } } });
            json!({ "bool": { "filter": [not_revoked, ends_soon] } })
        }
        StatusFilter::Expired => json!({ "bool": { "filter": [not_revoked, ended] } }),
        StatusFilter::Revoked => revoked,
    }
}

/// Keys with this text anywhere in the name, at the start of a label, or as the id. Elasticsearch refuses wildcards inside
/// metadata, in 9.5 still.
fn search(text: &str) -> Value {
    let anywhere = format!("*{}*", escape_wildcards(text));
    let mut any =
        vec![json!({ "wildcard": { "name": { "value": anywhere, "case_insensitive": true } } })];
    any.extend(
        LABELS.map(
            |field| json!({ "prefix": { field: { "value": text, "case_insensitive": true } } }),
        ),
    );
    if let Some(id) = KeyId::parse(text) {
        any.push(json!({ "ids": { "values": [id.as_str()] } }));
    }
    json!({ "bool": { "should": any, "minimum_should_match": 1 } })
}

fn escape_wildcards(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_text_is_matched_literally() {
        assert_eq!(escape_wildcards(r"a*b?c\d"), r"a\*b\?c\\d");
    }
}
