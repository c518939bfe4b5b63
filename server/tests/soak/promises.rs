//! The promises that hold whatever went wrong.

use super::users::Seen;
use crate::support::PASSWORD;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every file below a directory.
fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Every operation with a success of its creation in the audit log.
fn recorded_creations(events: &[Value]) -> BTreeSet<String> {
    let of = |event: &&Value| {
        event["event"]["action"] == "agent_key_create" && event["event"]["outcome"] == "success"
    };
    let operations = events.iter().filter(of);
    operations
        .filter_map(|event| event.pointer("/agent_keys/op/id")?.as_str())
        .map(str::to_owned)
        .collect()
}

/// Active keys whose creation is not in the audit log.
pub(super) fn unrecorded<'a>(keys: &'a [Value], events: &[Value]) -> Vec<&'a Value> {
    let recorded = recorded_creations(events);
    let is_recorded = |key: &Value| {
        let operation = key.pointer("/metadata/agent_keys/operation");
        operation.is_some_and(|id| recorded.contains(id.as_str().unwrap()))
    };
    let active = keys.iter().filter(|key| key["invalidated"] == false);
    active.filter(|key| !is_recorded(key)).collect()
}

/// Checks the promises about keys, and returns a line about them.
pub(super) fn check_keys(seen: &Seen, keys: &[Value], events: &[Value]) -> String {
    assert!(unrecorded(keys, events).is_empty());
    let is_active = |key: &Value| key["invalidated"] == false;
    let active = keys.iter().filter(|key| is_active(key)).count();
    let by_id: BTreeMap<&str, bool> = keys
        .iter()
        .map(|key| (key["id"].as_str().unwrap(), is_active(key)))
        .collect();
    for id in &seen.created {
        let found = by_id.get(id.as_str());
        assert!(found.is_some(), "a key that was shown is gone: {id}");
        let may_be_revoked = seen.asked_to_revoke.contains(id);
        assert!(
            found == Some(&true) || may_be_revoked,
            "a key that was shown was revoked by nobody: {id}"
        );
    }
    for id in &seen.revoked {
        assert_eq!(by_id.get(id.as_str()), Some(&false), "revoked: {id}");
    }
    format!(
        "keys: {}, of which {active} are active, each with its record; shown: {}, all there; revoked: {}, none active",
        keys.len(),
        seen.created.len(),
        seen.revoked.len()
    )
}

/// The lines for a collector hold every event, in order.
pub(super) fn check_lines(file: &Path, events: &[Value]) {
    let text = fs::read_to_string(file).unwrap();
    let sequence = |line: &Value| line["event"]["sequence"].as_i64().unwrap();
    let lines = text
        .lines()
        .map(|line| sequence(&serde_json::from_str(line).unwrap()));
    let lines: BTreeSet<i64> = lines.collect();
    for event in events {
        assert!(
            lines.contains(&sequence(event)),
            "not in the lines: {event}"
        );
    }
}

pub(super) fn check_secrets(seen: &Seen, directory: &Path) -> String {
    let mut files = Vec::new();
    files_below(directory, &mut files);
    let mut bytes = 0;
    for file in &files {
        let content = fs::read(file).unwrap();
        bytes += content.len();
        let text = String::from_utf8_lossy(&content);
        let secrets = seen.secrets.iter().map(String::as_str);
        for secret in secrets.chain([PASSWORD]) {
            assert!(!text.contains(secret), "a secret is in {}", file.display());
        }
        let is_log = file.extension().is_some_and(|end| end == "log");
        assert!(!is_log || !text.contains("panicked"), "{}", file.display());
    }
    format!(
        "secrets: {}, none in {} files of {} KiB",
        seen.secrets.len() + 1,
        files.len(),
        bytes / 1_024
    )
}
