//! `filter_path`: reduces a response to the requested parts.

use serde_json::{Map, Value};

use crate::pattern::matches;

/// Limits on the number of patterns and the levels of one. They bound the time of a match.
const PATTERNS_MAX: usize = 64;
const LEVELS_MAX: usize = 32;

#[derive(Debug, PartialEq)]
pub(crate) struct FilterPath {
    wanted: Vec<Vec<String>>,
    unwanted: Vec<Vec<String>>,
}

impl FilterPath {
    /// Parses patterns such as `a.b,c.*,**.d,-e`.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        let patterns = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        for pattern in patterns.take(PATTERNS_MAX) {
            let (list, pattern) = match pattern.strip_prefix('-') {
                Some(rest) => (&mut unwanted, rest),
                None => (&mut wanted, pattern),
            };
            let mut levels: Vec<String> = pattern
                .split('.')
                .take(LEVELS_MAX)
                .map(str::to_owned)
                .collect();
            // Adjacent `**` equal a single one, and would multiply the possible matches.
            levels.dedup_by(|next, first| next == "**" && first == "**");
            list.push(levels);
        }
        Self { wanted, unwanted }
    }

    /// Returns the wanted parts of `value`; an empty object when there are none.
    pub(crate) fn apply(&self, value: Value) -> Value {
        let unwanted: Vec<&[String]> = self.unwanted.iter().map(Vec::as_slice).collect();
        let wanted: Vec<&[String]> = self.wanted.iter().map(Vec::as_slice).collect();
        let mut value = if wanted.is_empty() {
            Some(value)
        } else {
            keep(value, &wanted)
        };
        if !unwanted.is_empty() {
            value = value.and_then(|value| drop_unwanted(value, &unwanted));
        }
        value.unwrap_or_else(|| Value::Object(Map::new()))
    }
}

/// Returns the rest of each pattern after a field called `name`. `None` means a full match.
fn step<'p>(patterns: &[&'p [String]], name: &str) -> Option<Vec<&'p [String]>> {
    let mut next: Vec<&'p [String]> = Vec::new();
    for pattern in patterns {
        let mut rest: &'p [String] = pattern;
        while let Some((first, tail)) = rest.split_first() {
            if first == "**" {
                if tail.is_empty() {
                    return None;
                }
                // `**` matches any depth: keep the pattern, and also try its tail at this level.
                if !next.contains(&rest) {
                    next.push(rest);
                }
                rest = tail;
                continue;
            }
            if matches(first, name) {
                if tail.is_empty() {
                    return None;
                }
                if !next.contains(&tail) {
                    next.push(tail);
                }
            }
            break;
        }
    }
    Some(next)
}

fn keep(value: Value, patterns: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .into_iter()
                .filter_map(|(name, value)| {
                    let value = match step(patterns, &name) {
                        None => Some(value),
                        Some(next) if next.is_empty() => None,
                        Some(next) => keep(value, &next),
                    };
                    value.map(|value| (name, value))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(values) => {
            let kept: Vec<Value> = values
                .into_iter()
                .filter_map(|value| keep(value, patterns))
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn drop_unwanted(value: Value, patterns: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .into_iter()
                .filter_map(|(name, value)| {
                    let value = match step(patterns, &name) {
                        None => None,
                        Some(next) if next.is_empty() => Some(value),
                        Some(next) => drop_unwanted(value, &next),
                    };
                    value.map(|value| (name, value))
                })
                .collect();
            Some(Value::Object(kept))
        }
        Value::Array(values) => Some(Value::Array(
            values
                .into_iter()
                .filter_map(|value| drop_unwanted(value, patterns))
                .collect(),
        )),
        scalar => Some(scalar),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::FilterPath;

    #[test]
    fn filter_path_includes_and_excludes() {
        let value = json!({"a": {"b": 1, "c": 2}, "d": [{"e": 1}, {"f": 2}], "g": 3});
        let cases = [
            ("a.b", json!({"a": {"b": 1}})),
            ("a", json!({"a": {"b": 1, "c": 2}})),
            ("*.b", json!({"a": {"b": 1}})),
            ("d.e", json!({"d": [{"e": 1}]})),
            ("**.e,g", json!({"d": [{"e": 1}], "g": 3})),
            ("-a,-d", json!({"g": 3})),
            ("a.*,-a.c", json!({"a": {"b": 1}})),
            ("nothing", json!({})),
        ];
        for (path, expected) in cases {
            assert_eq!(
                FilterPath::parse(path).apply(value.clone()),
                expected,
                "{path}"
            );
        }
    }
}
