//! `filter_path`: reduces a response to the requested parts.

use serde_json::{Map, Value};

use crate::{cpu::Deadline, error::ApiError, pattern::matches};

/// Limits on the characters of all patterns, their levels, and the levels that are `**`. They bound
/// the work for each field of a response.
const CHARACTERS_MAX: usize = 4_096;
const LEVELS_MAX: usize = 256;
const ANY_DEPTH_MAX: usize = 8;

#[derive(Debug, PartialEq)]
pub(crate) struct FilterPath {
    wanted: Vec<Vec<String>>,
    unwanted: Vec<Vec<String>>,
}

impl FilterPath {
    /// Parses patterns such as `a.b,c.*,**.d,-e`.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let too_complex = || ApiError::illegal("[filter_path] is too complex");
        if text.len() > CHARACTERS_MAX {
            return Err(too_complex());
        }
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        let (mut all_levels, mut any_depth) = (0, 0);
        let patterns = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        for pattern in patterns {
            let (list, pattern) = match pattern.strip_prefix('-') {
                Some(rest) => (&mut unwanted, rest),
                None => (&mut wanted, pattern),
            };
            let mut levels: Vec<String> = pattern.split('.').map(str::to_owned).collect();
            // Adjacent `**` equal a single one, and would multiply the possible matches.
            levels.dedup_by(|next, first| next == "**" && first == "**");
            all_levels += levels.len();
            any_depth += levels.iter().filter(|level| *level == "**").count();
            list.push(levels);
        }
        if all_levels > LEVELS_MAX || any_depth > ANY_DEPTH_MAX {
            return Err(too_complex());
        }
        Ok(Self { wanted, unwanted })
    }

    /// Returns the wanted parts of `value`; an empty object when there are none.
    pub(crate) fn apply(&self, value: Value, deadline: Deadline) -> Result<Value, ApiError> {
        let unwanted: Vec<&[String]> = self.unwanted.iter().map(Vec::as_slice).collect();
        let wanted: Vec<&[String]> = self.wanted.iter().map(Vec::as_slice).collect();
        let mut value = if wanted.is_empty() {
            Some(value)
        } else {
            keep(value, &wanted, deadline)?
        };
        if let (Some(all), false) = (&mut value, unwanted.is_empty()) {
            *all = drop_unwanted(all.take(), &unwanted, deadline)?;
        }
        Ok(value.unwrap_or_else(|| Value::Object(Map::new())))
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
                next.push(rest);
                rest = tail;
                continue;
            }
            if matches(first, name) {
                if tail.is_empty() {
                    return None;
                }
                next.push(tail);
            }
            break;
        }
    }
    next.sort_unstable_by_key(|rest| (rest.as_ptr(), rest.len()));
    next.dedup_by(|next, first| std::ptr::eq(*next, *first));
    Some(next)
}

fn keep(
    value: Value,
    patterns: &[&[String]],
    deadline: Deadline,
) -> Result<Option<Value>, ApiError> {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                deadline.check()?;
                let value = match step(patterns, &name) {
                    None => Some(value),
                    Some(next) if next.is_empty() => None,
                    Some(next) => keep(value, &next, deadline)?,
                };
                if let Some(value) = value {
                    kept.insert(name, value);
                }
            }
            Ok((!kept.is_empty()).then_some(Value::Object(kept)))
        }
        Value::Array(values) => {
            let mut kept = Vec::new();
            for value in values {
                kept.extend(keep(value, patterns, deadline)?);
            }
            Ok((!kept.is_empty()).then_some(Value::Array(kept)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(None),
    }
}

fn drop_unwanted(
    value: Value,
    patterns: &[&[String]],
    deadline: Deadline,
) -> Result<Value, ApiError> {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                deadline.check()?;
                let value = match step(patterns, &name) {
                    None => continue,
                    Some(next) if next.is_empty() => value,
                    Some(next) => drop_unwanted(value, &next, deadline)?,
                };
                kept.insert(name, value);
            }
            Ok(Value::Object(kept))
        }
        Value::Array(values) => {
            let kept = values
                .into_iter()
                .map(|value| drop_unwanted(value, patterns, deadline));
            Ok(Value::Array(kept.collect::<Result<_, _>>()?))
        }
        scalar => Ok(scalar),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::FilterPath;
    use crate::cpu::Deadline;

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
                FilterPath::parse(path)
                    .unwrap()
                    .apply(value.clone(), Deadline::from_now())
                    .unwrap(),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn patterns_beyond_the_limits_are_refused() {
        let levels = |count: usize| vec!["a"; count].join(".");
        for (path, taken) in [
            (levels(256), true),
            (levels(257), false),
            (["**.a"; 8].join(","), true),
            (["**.a"; 9].join(","), false),
            ("a".repeat(4_096), true),
            ("a".repeat(4_097), false),
        ] {
            assert_eq!(FilterPath::parse(&path).is_ok(), taken, "{path}");
        }
    }
}
