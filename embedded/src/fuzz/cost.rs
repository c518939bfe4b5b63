//! Cost of the parsers: no input of 64 KiB takes more than 100 ms of processor time.
//!
//! Builds without optimisation are allowed ten times the time.

use std::time::Duration;

use proptest::{prelude::*, sample::select};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::{NOW_MS, always};
use crate::{
    auth::credentials,
    cpu::Deadline,
    date::{self, Round},
    http::{filter_path::FilterPath, json, request::Parameters},
    pattern,
    query::{field::Documents, names::Wildcard, parse::QueryReader, sql::SqlContext},
    roles::descriptor::{DescriptorKind, RoleDescriptor},
    time_value::TimeValue,
};

const INPUT_BYTES: usize = 64 * 1024;
/// Limit of a name or pattern, which the parsers of descriptors and checks keep.
const NAME_BYTES_MAX: usize = 1_024;
const TIME_MAX: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 100 });

/// Parts that parsers treat in their own way.
const PARTS: [&str; 38] = [
    "*",
    "?",
    "**",
    "*?",
    "a*",
    ".",
    "..",
    "-",
    ",",
    ":",
    ";",
    "|",
    "+",
    "~2",
    "\\",
    "\"",
    "'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{\"a\":",
    "[[",
    "a",
    "aa",
    "0",
    "9",
    "1e",
    "%2a",
    "&a=",
    "=",
    " ",
    " AND ",
    "\u{e9}",
    "\u{1f600}",
    "now-1d/d",
];

/// A few parts, repeated to 64 KiB, between two others.
fn hostile() -> impl Strategy<Value = String> {
    let parts =
        |count| prop::collection::vec(select(&PARTS[..]), count).prop_map(|parts| parts.concat());
    (parts(0..4), parts(1..5), parts(0..4)).prop_map(|(begin, repeated, end)| {
        let count = (INPUT_BYTES - begin.len() - end.len()) / repeated.len();
        format!("{begin}{}{end}", repeated.repeat(count))
    })
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap(), nanos.unwrap())
}

/// Runs `work`, and returns its processor time. Other threads do not count.
fn measure(work: impl FnOnce()) -> Duration {
    let began = processor_time();
    work();
    processor_time() - began
}

/// The first characters of a text, as many as a name may have.
fn name(text: &str) -> &str {
    let end = (0..=NAME_BYTES_MAX)
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

fn read_query(query: Value) {
    if let Ok(query) = QueryReader::new(Documents::ApiKeys, NOW_MS).read(query) {
        SqlContext { multi_valued: true }.condition(&query);
    }
}

type Work<'a> = Box<dyn FnOnce() + 'a>;

/// Everything that reads text of a caller, each with its own name.
fn work(text: &str) -> Vec<(&'static str, Work<'_>)> {
    let short = name(text);
    let words = move || text.split([' ', ',', '*']).collect::<Vec<_>>();
    let levels = 1 + text.len() / 400;
    vec![
        (
            "credentials",
            Box::new(move || drop(credentials::parse_header(text.as_bytes()))),
        ),
        (
            "ApiKey",
            Box::new(move || {
                drop(credentials::parse_header(
                    format!("ApiKey {text}").as_bytes(),
                ))
            }),
        ),
        (
            "duration",
            Box::new(move || drop(TimeValue::parse(text, "expiration"))),
        ),
        (
            "date",
            Box::new(move || drop(date::parse(text, NOW_MS, Round::Down))),
        ),
        ("JSON", Box::new(move || drop(json::parse(text.as_bytes())))),
        (
            "query string",
            Box::new(move || drop(Parameters::parse(Some(text)))),
        ),
        (
            "wildcard",
            Box::new(move || {
                if let Ok(wildcard) = Wildcard::parse(text) {
                    std::hint::black_box((wildcard.glob(), wildcard.like()));
                }
            }),
        ),
        (
            "pattern",
            Box::new(move || {
                pattern::matches(short, &"a".repeat(NAME_BYTES_MAX));
                pattern::covers(short, short);
                pattern::overlap(short, short);
            }),
        ),
        (
            "filter_path",
            Box::new(move || {
                let deep = (0..levels).fold(json!(1), |inner, _| json!({ "a": inner, "aa": 1 }));
                let wide = json!({ "a": vec![json!({ "a": 1 }); 1_000] });
                for path in [text, short] {
                    for json in [&deep, &wide] {
                        if let Ok(path) = FilterPath::parse(path) {
                            let _ = path.apply(json.clone(), Deadline::from_now());
                        }
                    }
                }
            }),
        ),
        (
            "query",
            Box::new(move || {
                for kind in ["term", "prefix", "wildcard", "match"] {
                    read_query(json!({ kind: { "name": text } }));
                    read_query(json!({ kind: { "metadata.a": text } }));
                }
                read_query(
                    json!({ "simple_query_string": { "query": text, "fields": ["name", "metadata.*"] } }),
                );
                read_query(json!({ "terms": { "name": words() } }));
                read_query(json!({ "range": { "creation": { "gte": text } } }));
                let clause = json!({ "wildcard": { "name": short } });
                read_query(
                    json!({ "bool": { "should": vec![clause; INPUT_BYTES / NAME_BYTES_MAX] } }),
                );
            }),
        ),
        (
            "nested query",
            Box::new(move || {
                let inner = json!({ "term": { "name": short } });
                read_query(
                    (0..levels).fold(inner, |inner, _| json!({ "bool": { "must": [inner] } })),
                );
            }),
        ),
        (
            "descriptor",
            Box::new(move || {
                let entry =
                    json!({ "application": short, "privileges": words(), "resources": words() });
                let role = json!({
                    "cluster": words(), "applications": [entry], "run_as": words(),
                    "indices": [{ "names": words(), "privileges": words(), "query": text }],
                });
                let _ = RoleDescriptor::parse("r", role, DescriptorKind::Role);
            }),
        ),
    ]
}

#[test]
fn input_of_64_kib_costs_little() {
    always(hostile(), |text| {
        for (what, work) in work(&text) {
            let took = measure(work);
            let begin = text.chars().take(40).collect::<String>();
            prop_assert!(took <= TIME_MAX, "{what} took {took:?}: {begin}");
        }
        Ok(())
    });
}

#[test]
fn measurement_sees_time() {
    let took = measure(|| {
        let began = processor_time();
        while processor_time() - began < TIME_MAX {
            std::hint::black_box((0..1_000_u64).sum::<u64>());
        }
    });
    assert!(took >= TIME_MAX, "{took:?}");
}
