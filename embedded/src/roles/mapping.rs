//! Role mappings: the roles that a user of an external realm has at sign-in.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Characters of Lucene's regular expressions that have another meaning in Rust's.
const LUCENE_ONLY: [char; 7] = ['~', '&', '#', '@', '<', '>', '"'];
/// Largest compiled pattern.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// The user that rules are compared with.
#[derive(Debug)]
pub(crate) struct MappedUser<'a> {
    pub(crate) username: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) groups: &'a [String],
    pub(crate) metadata: &'a Map<String, Value>,
}

/// A rule or role that this engine cannot evaluate. Its mapping gives no role: a rule that counted
/// as false would grant under `except`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unsupported(&'static str);

/// Returns the roles of all enabled mappings that match the user, sorted.
pub(crate) fn mapped_roles(mappings: &[(String, Value)], user: &MappedUser<'_>) -> Vec<String> {
    let mut roles = BTreeSet::new();
    for (name, mapping) in mappings {
        match roles_of(mapping, user) {
            Ok(found) => roles.extend(found),
            Err(reason) => tracing::warn!(name, %reason, "a role mapping gives no role"),
        }
    }
    roles.into_iter().collect()
}

fn roles_of(mapping: &Value, user: &MappedUser<'_>) -> Result<Vec<String>, Unsupported> {
    if mapping["enabled"] == false || !matches(&mapping["rules"], user)? {
        return Ok(Vec::new());
    }
    let Some(roles) = mapping["roles"].as_array() else {
        return Err(Unsupported("role templates are not supported"));
    };
    let names = roles.iter().filter_map(Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

/// An empty `all` matches every user, an empty `any` none.
fn matches(rule: &Value, user: &MappedUser<'_>) -> Result<bool, Unsupported> {
    const UNKNOWN: Unsupported = Unsupported("the rule has an unknown form");
    let (kind, content) = rule
        .as_object()
        .and_then(|rule| rule.iter().next())
        .ok_or(UNKNOWN)?;
    match (kind.as_str(), content) {
        ("all" | "any", Value::Array(rules)) => {
            // All are evaluated, so that an unsupported one counts wherever it is.
            let results = rules.iter().map(|rule| matches(rule, user));
            let results: Vec<bool> = results.collect::<Result<_, _>>()?;
            Ok(if kind == "all" {
                results.iter().all(|matched| *matched)
            } else {
                results.contains(&true)
            })
        }
        ("except", rule) => matches(rule, user).map(|matched| !matched),
        ("field", Value::Object(field)) => {
            let (name, wanted) = field.iter().next().ok_or(UNKNOWN)?;
            let wanted = match wanted {
                Value::Array(values) => values.as_slice(),
                single => std::slice::from_ref(single),
            };
            let actual = values(name, user);
            let mut any = false;
            for wanted in wanted {
                any |= value_matches(name, wanted, &actual)?;
            }
            Ok(any)
        }
        _ => Err(UNKNOWN),
    }
}

/// Values of a user's field; none for a field that the user lacks.
fn values(name: &str, user: &MappedUser<'_>) -> Vec<Value> {
    match name {
        "username" => vec![user.username.into()],
        "realm.name" => vec![user.realm.into()],
        "groups" => user.groups.iter().cloned().map(Value::String).collect(),
        _ => match name
            .strip_prefix("metadata.")
            .and_then(|key| user.metadata.get(&key.replace('\\', "")))
        {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values.clone(),
            Some(value) => vec![value.clone()],
        },
    }
}

fn value_matches(name: &str, wanted: &Value, actual: &[Value]) -> Result<bool, Unsupported> {
    match wanted {
        Value::Null => Ok(actual.is_empty()),
        Value::Bool(_) => Ok(actual.contains(wanted)),
        Value::Number(number) => Ok(actual.iter().any(|value| value.as_f64() == number.as_f64())),
        Value::String(pattern) => {
            // Groups are compared as distinguished names, without regard to case.
            let pattern = compile(pattern, name == "groups")?;
            let mut texts = actual.iter().filter_map(Value::as_str);
            Ok(texts.any(|text| pattern.is_match(text)))
        }
        Value::Array(_) | Value::Object(_) => {
            Err(Unsupported("the value of a field has an unknown form"))
        }
    }
}

/// Compiles a pattern with `*`, `?` and `\`, or a regular expression between slashes.
fn compile(pattern: &str, ignore_case: bool) -> Result<Regex, Unsupported> {
    let mut text = String::new();
    let inner = pattern
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    match inner {
        Some(expression) if expression.contains(LUCENE_ONLY) => {
            return Err(Unsupported(
                "the regular expression has operators of Lucene",
            ));
        }
        Some(expression) => text.push_str(expression),
        None => {
            let mut characters = pattern.chars();
            while let Some(character) = characters.next() {
                match character {
                    '*' => text.push_str(".*"),
                    '?' => text.push('.'),
                    '\\' => text.extend(characters.next().map(escaped)),
                    other => text.push_str(&escaped(other)),
                }
            }
        }
    }
    RegexBuilder::new(&format!("^(?:{text})$"))
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|_| Unsupported("the pattern of a field cannot be compiled"))
}

fn escaped(character: char) -> String {
    regex::escape(character.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(rule: &Value) -> Result<bool, Unsupported> {
        let metadata = json!({"oidc(team)": "apm", "oidc(level)": 3, "oidc(lead)": true});
        let user = MappedUser {
            username: "ada@example.com",
            realm: "oidc-agentkeys",
            groups: &["APM-Users".to_owned(), "a*b".to_owned()],
            metadata: metadata.as_object().unwrap(),
        };
        matches(rule, &user)
    }

    fn field(name: &str, value: &Value) -> Result<bool, Unsupported> {
        check(&json!({"field": {name: value}}))
    }

    #[test]
    fn fields_match_as_in_elasticsearch() {
        for (name, value, expected) in [
            ("username", json!("ada@example.com"), true),
            ("username", json!("Ada@example.com"), false),
            ("username", json!("*@example.com"), true),
            ("username", json!("ada?example.com"), true),
            ("username", json!("ada@example?com?"), false),
            ("realm.name", json!("oidc-agentkeys"), true),
            ("realm.name", json!("oidc"), false),
            ("groups", json!("apm-users"), true),
            ("groups", json!(["none", "APM-USERS"]), true),
            ("groups", json!("apm-user"), false),
            ("groups", json!(r"a\*b"), true),
            ("groups", json!(r"APM\-*"), true),
            ("groups", json!(r"apm\*"), false),
            ("dn", json!(null), true),
            ("dn", json!("*"), false),
            ("metadata.oidc(team)", json!("apm"), true),
            (r"metadata.oidc\(team\)", json!("apm"), true),
            ("metadata.oidc(level)", json!(3), true),
            ("metadata.oidc(level)", json!("3"), false),
            ("metadata.oidc(lead)", json!(true), true),
            ("metadata.none", json!(null), true),
        ] {
            assert_eq!(field(name, &value), Ok(expected), "{name} {value}");
        }
        assert_eq!(field("username", &json!("/a[dx]a.*[.]com/")), Ok(true));
        assert_eq!(field("username", &json!("/a[dx]a/")), Ok(false));
    }

    #[test]
    fn empty_all_matches_every_user_and_empty_any_none() {
        assert_eq!(check(&json!({"all": []})), Ok(true));
        assert_eq!(check(&json!({"any": []})), Ok(false));
        let both = json!({"all": [
            {"field": {"realm.name": "oidc-agentkeys"}},
            {"except": {"field": {"groups": "blocked"}}},
        ]});
        assert_eq!(check(&both), Ok(true));
        let blocked = json!({"all": [{"except": {"field": {"groups": "apm-users"}}}]});
        assert_eq!(check(&blocked), Ok(false));
    }

    #[test]
    fn rule_that_cannot_be_evaluated_gives_no_role() {
        let rule = json!({"any": [
            {"all": []},
            {"all": [{"except": {"field": {"username": "/<1-9>/"}}}]},
        ]});
        assert!(check(&rule).is_err());
        let mapping = |enabled: bool, rules: Value| {
            let mapping = json!({"enabled": enabled, "roles": ["b", "a"], "rules": rules});
            ("m".to_owned(), mapping)
        };
        let user = MappedUser {
            username: "ada",
            realm: "r",
            groups: &[],
            metadata: &Map::new(),
        };
        let all = json!({"all": []});
        assert!(mapped_roles(&[mapping(true, rule)], &user).is_empty());
        assert!(mapped_roles(&[mapping(false, all.clone())], &user).is_empty());
        assert_eq!(mapped_roles(&[mapping(true, all)], &user), ["a", "b"]);
    }
}
