//! Fuzz tests of the parsers of untrusted input: none of them panics, and none of them costs much.
//!
//! Each test parses 250 inputs from a fixed seed; with `AGENT_KEYS_SOAK` set, 30,000 random ones.
//! A failure shows the smallest input that fails.

mod cost;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    auth::credentials::{self, Credentials},
    cpu::Deadline,
    date::{self, Round},
    http::filter_path::FilterPath,
    query::{field::Documents, names::Wildcard, parse::QueryReader, sql::SqlContext},
    roles::descriptor::{DescriptorKind, RoleDescriptor},
    time_value::TimeValue,
    version::Version,
};

#[path = "../tests/conformance/malformed_input.rs"]
mod malformed_input;

const NOW_MS: i64 = 1_767_323_045_678;
/// The last millisecond of the year 9999.
const LAST_MS: i64 = 253_402_300_799_999;

/// Checks the rule with many values of the strategy.
fn always<S: Strategy>(strategy: S, rule: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let many = std::env::var_os("AGENT_KEYS_SOAK").is_some();
    let config = Config {
        cases: if many { 30_000 } else { 250 },
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = if many {
        TestRunner::new(config)
    } else {
        let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        TestRunner::new_with_rng(config, seed)
    };
    if let Err(error) = runner.run(&strategy, rule) {
        panic!("{error}");
    }
}

#[test]
fn fuzzed_authorization_does_not_panic() {
    always(malformed_input::authorization(), |value| {
        if let Ok(Credentials::ApiKey { id, .. }) = credentials::parse_header(&value) {
            prop_assert!(!id.is_empty());
        }
        Ok(())
    });
}

#[test]
fn encoded_credentials_round_trip() {
    always(("[^:]{1,40}", any::<String>()), |(id, secret)| {
        let sent = format!(
            "ApiKey {}",
            BASE64_STANDARD.encode(format!("{id}:{secret}"))
        );
        match credentials::parse_header(sent.as_bytes()) {
            Ok(Credentials::ApiKey {
                id: read,
                secret: known,
            }) => {
                prop_assert_eq!(read, id);
                prop_assert_eq!(known.expose_secret(), secret);
            }
            _ => prop_assert!(false, "it was not read"),
        }
        Ok(())
    });
}

#[test]
fn fuzzed_duration_does_not_panic() {
    always(malformed_input::duration(), |text| {
        if let Ok(duration) = TimeValue::parse(&text, "expiration")
            && let Ok(end) = duration.after(NOW_MS, "expiration")
        {
            prop_assert!((NOW_MS - 1_000..=LAST_MS).contains(&end), "{}", end);
        }
        Ok(())
    });
}

#[test]
fn fuzzed_date_does_not_panic() {
    always(malformed_input::moment(), |text| {
        let early = date::parse(&text, NOW_MS, Round::Down);
        let late = date::parse(&text, NOW_MS, Round::Up);
        if let (Ok(early), Ok(late)) = (early, late) {
            prop_assert!(early <= late);
        }
        Ok(())
    });
}

#[test]
fn fuzzed_query_does_not_panic() {
    always(
        prop_oneof![3 => malformed_input::query(), 1 => malformed_input::json()],
        |json| {
            if let Ok(query) = QueryReader::new(Documents::ApiKeys, NOW_MS).read(json) {
                for multi_valued in [false, true] {
                    SqlContext { multi_valued }.condition(&query);
                }
            }
            Ok(())
        },
    );
}

#[test]
fn fuzzed_pattern_does_not_panic() {
    always(malformed_input::text(), |text| {
        if let Ok(pattern) = Wildcard::parse(&text) {
            prop_assert!(pattern.glob().len() <= 3 * text.len().max(1));
            prop_assert!(pattern.like().len() <= 3 * text.len().max(1));
        }
        Ok(())
    });
}

#[test]
fn filter_path_only_removes() {
    always(
        (malformed_input::filter_path(), malformed_input::json()),
        |(path, answer)| {
            if let Ok(path) = FilterPath::parse(&path) {
                let left = path.apply(answer.clone(), Deadline::from_now());
                let left = left.map_err(|error| TestCaseError::fail(error.reason()))?;
                let nothing = left.as_object().is_some_and(serde_json::Map::is_empty);
                prop_assert!(nothing || is_part_of(&left, &answer), "{}", left);
            }
            Ok(())
        },
    );
}

#[test]
fn subset_check_detects_additions() {
    let whole = serde_json::json!({"a": [1, {"b": 2}], "c": 3});
    for more in [
        serde_json::json!({"d": 1}),
        serde_json::json!({"a": [2]}),
        serde_json::json!({"a": [{"b": 2}, 1]}),
        serde_json::json!(3),
    ] {
        assert!(!is_part_of(&more, &whole), "{more}");
    }
    assert!(is_part_of(&serde_json::json!({"a": [{"b": 2}]}), &whole));
}

/// Returns true if `whole` contains everything in `part`, at its place and in its order.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|all| is_part_of(value, all))),
        (Value::Array(part), Value::Array(whole)) => {
            let mut rest = whole.iter();
            part.iter()
                .all(|value| rest.any(|all| is_part_of(value, all)))
        }
        (part, whole) => part == whole,
    }
}

#[test]
fn descriptor_round_trips_through_its_json() {
    always(
        prop_oneof![3 => malformed_input::descriptor(), 1 => malformed_input::json()],
        |json| {
            for place in [DescriptorKind::Role, DescriptorKind::ApiKey] {
                if let Ok(read) = RoleDescriptor::parse("r", json.clone(), place) {
                    read.problems(Version::CURRENT);
                    let again = RoleDescriptor::parse("r", read.to_json(), place);
                    prop_assert_eq!(again.ok(), Some(read));
                }
            }
            Ok(())
        },
    );
}
