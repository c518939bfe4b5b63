//! Strategies for malformed input, most of it almost valid, so that it gets past the first checks.
//!
//! Used by the tests over HTTP and by those of the parsers in `src/fuzz.rs`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Value, json};

const WORDS: &[&str] = &[
    "all",
    "apm",
    "application",
    "applications",
    "bool",
    "boost",
    "case_insensitive",
    "cluster",
    "creation",
    "default_operator",
    "event:write",
    "except",
    "exists",
    "expiration",
    "field",
    "field_security",
    "fields",
    "filter",
    "global",
    "grant",
    "gte",
    "ids",
    "indices",
    "invalidated",
    "lt",
    "match",
    "match_all",
    "metadata",
    "metadata.a",
    "minimum_should_match",
    "must",
    "must_not",
    "name",
    "names",
    "order",
    "prefix",
    "privileges",
    "query",
    "range",
    "resources",
    "restriction",
    "run_as",
    "should",
    "simple_query_string",
    "term",
    "terms",
    "time_zone",
    "value",
    "values",
    "wildcard",
    "workflows",
    "_doc",
    "_name",
    "",
];

/// Text: a keyword, the ingredients of a pattern or date, or any text.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(WORDS).prop_map(str::to_owned),
        2 => "[a*?\\\\%_\\[\\]^\"'|+() -]{0,12}",
        2 => moment(),
        1 => duration(),
        2 => ".{0,12}",
        1 => any::<String>(),
    ]
}

/// A date, or date math.
pub(crate) fn moment() -> impl Strategy<Value = String> {
    prop_oneof![
        "(now|[0-9]{4}(-[0-9]{2}){0,2}(T[0-9]{0,2}(:[0-9]{2}){0,2}(\\.[0-9]{0,10})?)?(Z|[+-][0-9]{2}:?[0-9]{0,2})?\\|\\|)?([+/-][0-9]{0,19}[yMwdhHmsx]){0,3}",
        "-?[0-9]{0,20}(\\|\\|)?([+/-][0-9]{0,19}[yMwdhms]){0,2}",
    ]
}

pub(crate) fn duration() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "-?[0-9]{0,22}\\.?(nanos|micros|ms|s|m|h|d|M|w|.{0,3})",
        1 => "[ \t]*[0-9]{1,3}[ \t]*(MS|S|D|H|d)[ \t]*",
        1 => any::<String>(),
    ]
}

/// A value of the `Authorization` header.
pub(crate) fn authorization() -> impl Strategy<Value = Vec<u8>> {
    let scheme = select(
        &[
            "Basic",
            "ApiKey",
            "Bearer",
            "basic",
            "APIKEY",
            "Negotiate",
            "",
        ][..],
    );
    let token = prop_oneof![
        3 => any::<Vec<u8>>().prop_map(|bytes| BASE64_STANDARD.encode(bytes)),
        2 => (any::<String>(), any::<String>())
            .prop_map(|(name, secret)| BASE64_STANDARD.encode(format!("{name}:{secret}"))),
        2 => "[A-Za-z0-9+/=_-]{0,80}",
        1 => any::<String>(),
    ];
    let whole = (scheme, " {0,3}", token, " {0,2}")
        .prop_map(|(scheme, gap, token, end)| format!("{scheme}{gap}{token}{end}").into_bytes());
    prop_oneof![
        4 => whole.clone(),
        // One byte is changed.
        2 => (whole, any::<Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        }),
        1 => any::<Vec<u8>>(),
    ]
}

/// A `filter_path`, not encoded for a query string.
pub(crate) fn filter_path() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "(-?([a-c*?]{0,3}|\\*\\*)(\\.([a-c*?]{0,3}|\\*\\*)){0,4},?){0,5}",
        1 => "[-a-c*.,]{0,60}",
        1 => any::<String>(),
    ]
}

/// JSON without meaning, from keywords.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        6 => text().prop_map(Value::from),
    ]
}

/// A query for API keys, valid but for at most one part.
pub(crate) fn query() -> impl Strategy<Value = Value> {
    spoiled(right_query())
}

fn right_query() -> impl Strategy<Value = Value> {
    one_query().prop_recursive(4, 24, 3, |inner| {
        let clauses = || prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from);
        let minimum = select(vec![
            json!(null),
            json!(0),
            json!(1),
            json!(-1),
            json!(9),
            json!("50%"),
            json!("-200%"),
            json!(i64::MIN),
        ]);
        (clauses(), clauses(), clauses(), inner.clone(), minimum).prop_map(
            |(must, must_not, should, filter, minimum)| {
                json!({"bool": {
                    "must": must, "must_not": must_not, "should": should, "filter": filter,
                    "minimum_should_match": minimum,
                }})
            },
        )
    })
}

fn one_query() -> impl Strategy<Value = Value> {
    let kind = select(&["term", "match", "prefix", "wildcard"][..]);
    let ends = || select(&["gt", "gte", "lt", "lte", "from", "to"][..]);
    let operator = select(&["or", "AND"][..]);
    prop_oneof![
        1 => Just(json!({"match_all": {}})),
        2 => comparison().prop_map(|(field, value)| json!({"term": {field: value}})),
        3 => (kind, text_field(), text(), any::<bool>()).prop_map(
            |(kind, field, value, insensitive)| {
                let key = if kind == "match" { "query" } else { "value" };
                json!({kind: {field: {key: value, "case_insensitive": insensitive}}})
            }
        ),
        2 => prop::collection::vec(comparison(), 1..4).prop_map(|pairs| {
            let field = pairs[0].0;
            let values: Vec<&Value> = pairs
                .iter()
                .filter(|pair| pair.0 == field)
                .map(|pair| &pair.1)
                .collect();
            json!({"terms": {field: values}})
        }),
        1 => prop::collection::vec(text(), 0..4).prop_map(|ids| json!({"ids": {"values": ids}})),
        1 => comparison().prop_map(|(field, _)| json!({"exists": {"field": field}})),
        3 => (comparison(), ends(), any::<bool>()).prop_map(|((field, value), end, upper)| {
            json!({"range": {field: {end: value, "include_upper": upper}}})
        }),
        2 => (text(), prop::collection::vec(text_field(), 0..3), operator).prop_map(
            |(text, fields, operator)| {
                json!({"simple_query_string": {"query": text, "fields": fields, "default_operator": operator}})
            }
        ),
    ]
}

fn text_field() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "name",
            "username",
            "realm_name",
            "type",
            "metadata",
            "metadata.a",
            "metadata.application",
            "metadata.environment",
        ][..],
    )
}

/// A field and a value to compare it with.
fn comparison() -> impl Strategy<Value = (&'static str, Value)> {
    let right = select(&["now", "now-7d/d", "2026-01-02", "2026-01||+1M/w"][..]);
    let moments = prop_oneof![
        2 => any::<i64>().prop_map(Value::from),
        4 => right.prop_map(Value::from),
        1 => moment().prop_map(Value::from),
    ];
    prop_oneof![
        3 => (text_field(), text().prop_map(Value::from)),
        2 => (select(&["creation", "expiration", "invalidation"][..]), moments),
        1 => (Just("invalidated"), any::<bool>().prop_map(Value::from)),
    ]
}

/// A role descriptor, valid but for at most one part.
pub(crate) fn descriptor() -> impl Strategy<Value = Value> {
    let texts = || prop::collection::vec(text(), 1..4);
    let index = (
        texts(),
        texts(),
        prop::option::of(texts()),
        any::<bool>(),
        select(vec![
            json!(null),
            json!({"match_all": {}}),
            json!("{\"term\":{\"a\":1}}"),
            json!(""),
        ]),
    )
        .prop_map(|(names, privileges, grant, restricted, query)| {
            json!({
                "names": names, "privileges": privileges, "allow_restricted_indices": restricted,
                "field_security": grant.map(|grant| json!({"grant": grant})), "query": query,
            })
        });
    let application = (texts(), texts(), text()).prop_map(|(privileges, resources, application)| {
        json!({"application": application, "privileges": privileges, "resources": resources})
    });
    let global = select(vec![
        json!({}),
        json!({"application": {"manage": {"applications": ["apm*"]}}}),
        json!({"profile": {"write": {"applications": ["*"]}}}),
    ]);
    let descriptor = (
        texts(),
        prop::collection::vec(index, 0..3),
        prop::collection::vec(application, 0..3),
        texts(),
        prop::collection::hash_map(text(), json(), 0..3),
        global,
    )
        .prop_map(|(cluster, indices, applications, run_as, metadata, global)| {
            json!({
                "cluster": cluster, "indices": indices, "applications": applications, "run_as": run_as,
                "metadata": metadata, "global": global,
            })
        });
    spoiled(descriptor)
}

/// The value; in half of the cases one of its parts is replaced or one of its names changed.
fn spoiled(right: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let fault = prop_oneof![json().prop_map(Fault::Value), text().prop_map(Fault::Name),];
    (right, prop::option::of((any::<Index>(), fault))).prop_map(|(mut value, spoil)| {
        if let Some((at, fault)) = spoil {
            let mut left = at.index(parts(&value));
            replace(&mut value, &mut left, &fault);
        }
        value
    })
}

#[derive(Clone, Debug)]
enum Fault {
    Value(Value),
    Name(String),
}

/// The number of values in a value, itself included.
fn parts(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(parts).sum(),
        Value::Object(fields) => fields.values().map(parts).sum(),
        _ => 0,
    }
}

/// Replaces part number `left`, counted from the outside, by the fault.
fn replace(value: &mut Value, left: &mut usize, fault: &Fault) -> bool {
    if *left == 0 {
        match (fault, value) {
            (Fault::Value(other), value) => *value = other.clone(),
            (Fault::Name(name), Value::Object(fields)) => {
                let first = fields.keys().next().cloned();
                if let Some(part) = first.and_then(|first| fields.remove(&first)) {
                    fields.insert(name.clone(), part);
                }
            }
            (Fault::Name(name), value) => *value = json!(name),
        }
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(values) => values.iter_mut().any(|value| replace(value, left, fault)),
        Value::Object(fields) => fields.values_mut().any(|value| replace(value, left, fault)),
        _ => false,
    }
}
