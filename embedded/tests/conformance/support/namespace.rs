//! Maps the names of a test into a namespace of a shared cluster, and back in responses.
//!
//! Tests use short names such as `ann`. In a conformance run the requests carry
//! `agent-keys-conformance-RUN-ann` in their place. [`Namespace::permits`] refuses every change outside the namespace.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Prefix of every name that a conformance run creates.
pub(crate) const PREFIX: &str = "agent-keys-conformance-";

/// Built-in names. They are never changed.
const BUILT_IN: &[&str] = &[
    "elastic",
    "kibana",
    "kibana_system",
    "apm_system",
    "beats_system",
    "logstash_system",
    "remote_monitoring_user",
    "superuser",
    "viewer",
    "editor",
    "kibana_admin",
    "apm_user",
    "monitoring_user",
    "ingest_admin",
    "transport_client",
];

/// The names of one test in a shared cluster.
pub(crate) struct Namespace {
    /// Prefix of every name.
    pub(crate) prefix: String,
    /// Superuser of the run, in place of `elastic`.
    pub(crate) admin: String,
    /// Its password, in place of the tests' own.
    pub(crate) admin_password: String,
}

impl Namespace {
    /// A user, role or owner in the namespace.
    pub(crate) fn name(&self, name: &str) -> String {
        if name == "elastic" {
            return self.admin.clone();
        }
        if BUILT_IN.contains(&name) || name == "*" || name.trim().is_empty() {
            return name.to_owned();
        }
        self.own(name)
    }

    /// A name or pattern: `*` means all names of the namespace.
    fn own(&self, name: &str) -> String {
        if name.is_empty() || name == "%20" {
            return name.to_owned();
        }
        // An invalid name stays invalid: its first character and its length are kept.
        for first in ["%20", " ", "_"] {
            if let Some(rest) = name.strip_prefix(first) {
                return format!("{first}{}{rest}", self.prefix);
            }
        }
        let (length, room) = (name.encode_utf16().count(), self.prefix.len());
        if length <= 150 {
            return format!("{}{name}", self.prefix);
        }
        let mut rest = name.chars();
        let mut taken = 0;
        while taken < room {
            taken += rest.next().map_or(room, char::len_utf16);
        }
        let filler = "x".repeat(taken.saturating_sub(room));
        format!("{}{filler}{}", self.prefix, rest.as_str())
    }

    /// An application. An invalid name stays as it is, because the prefix would make it valid.
    fn application(&self, name: &str) -> String {
        let head = name.split(['-', '_']).next().unwrap_or_default();
        let is_good = head.len() >= 3
            && head.starts_with(|first: char| first.is_ascii_lowercase())
            && head
                .trim_end_matches('*')
                .chars()
                .all(|c| c.is_ascii_alphanumeric());
        if is_good {
            format!("{}{name}", self.prefix)
        } else {
            name.to_owned()
        }
    }

    /// The path and its parameters.
    pub(crate) fn target(&self, target: &str) -> String {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        let kind = segments.get(2).cloned().unwrap_or_default();
        if let Some(name) = segments.get_mut(3)
            && !name.starts_with('_')
            && segments_are_names(&kind)
        {
            let names = name.split(',').map(|name| match kind.as_str() {
                "privilege" => self.application(name),
                _ => self.name(name),
            });
            *name = names.collect::<Vec<_>>().join(",");
        }
        let mut target = segments.join("/");
        if let Some(query) = query {
            let parameters = query
                .split('&')
                .map(|parameter| match parameter.split_once('=') {
                    Some(("name", value)) => format!("name={}", self.own(value)),
                    Some(("username", value)) => format!("username={}", self.name(value)),
                    _ => parameter.to_owned(),
                });
            target = format!("{target}?{}", parameters.collect::<Vec<_>>().join("&"));
        }
        target
    }

    /// The body of a request to this path.
    pub(crate) fn body(&self, method: &str, path: &str, body: &mut Value) {
        let path = path.split('?').next().unwrap_or_default();
        let path = path.trim_end_matches('/');
        let Some(body) = body.as_object_mut() else {
            return;
        };
        match path.split('/').skip(2).collect::<Vec<_>>()[..] {
            ["api_key"] if method == "DELETE" => {
                self.change(body, "name", Self::own);
                self.change(body, "username", Self::name);
            }
            ["api_key"] => self.key(body),
            ["api_key", "grant"] => {
                self.credentials_in(body);
                self.change(body, "run_as", Self::name);
                if let Some(key) = body.get_mut("api_key").and_then(Value::as_object_mut) {
                    self.key(key);
                }
            }
            ["api_key", _] => self.descriptors(body),
            ["_query", "api_key"] => self.query(body),
            ["user", "_has_privileges"] | ["user", _, "_has_privileges"] => {
                self.applications(body, "application");
            }
            ["user", _] => {
                self.change(body, "username", Self::name);
                self.change(body, "roles", Self::name);
            }
            ["role", _] => self.role(body),
            ["role_mapping", _] => {
                self.change(body, "roles", Self::name);
                if let Some(rules) = body.get_mut("rules") {
                    self.rules(rules);
                }
            }
            ["privilege"] => {
                *body = std::mem::take(body)
                    .into_iter()
                    .map(|(application, privileges)| (self.application(&application), privileges))
                    .collect();
            }
            ["oauth2", "token"] => self.credentials_in(body),
            _ => {}
        }
    }

    fn change(&self, body: &mut Map<String, Value>, field: &str, to: fn(&Self, &str) -> String) {
        match body.get_mut(field) {
            Some(Value::String(name)) => *name = to(self, name),
            Some(Value::Array(names)) => {
                for name in names {
                    if let Value::String(name) = name {
                        *name = to(self, name);
                    }
                }
            }
            _ => {}
        }
    }

    fn credentials_in(&self, body: &mut Map<String, Value>) {
        let is_admin = body.get("username").is_some_and(|name| name == "elastic")
            && body
                .get("password")
                .is_some_and(|password| password == super::ELASTIC_PASSWORD);
        self.change(body, "username", Self::name);
        if is_admin {
            body.insert("password".to_owned(), json!(self.admin_password));
        }
    }

    fn key(&self, key: &mut Map<String, Value>) {
        self.change(key, "name", Self::own);
        self.descriptors(key);
    }

    fn descriptors(&self, body: &mut Map<String, Value>) {
        let descriptors = body
            .get_mut("role_descriptors")
            .and_then(Value::as_object_mut);
        for role in descriptors.into_iter().flat_map(Map::values_mut) {
            if let Some(role) = role.as_object_mut() {
                self.role(role);
            }
        }
    }

    fn role(&self, role: &mut Map<String, Value>) {
        self.applications(role, "applications");
        self.applications(role, "application");
        self.change(role, "run_as", Self::name);
        let managed = role
            .get_mut("global")
            .and_then(|global| global.pointer_mut("/application/manage"))
            .and_then(Value::as_object_mut);
        if let Some(managed) = managed {
            self.change(managed, "applications", Self::application);
        }
    }

    fn applications(&self, body: &mut Map<String, Value>, field: &str) {
        let entries = body.get_mut(field).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                self.change(entry, "application", Self::application);
            }
        }
    }

    /// Changes each rule of a role mapping to one that no user of the cluster meets.
    fn rules(&self, rules: &mut Value) {
        match rules {
            Value::Object(rule) => {
                for (kind, inner) in rule {
                    match (kind.as_str(), inner) {
                        ("field", Value::Object(field)) => {
                            for value in field.values_mut() {
                                if let Value::String(value) = value {
                                    *value = format!("{}{value}", self.prefix);
                                }
                            }
                        }
                        (_, inner) => self.rules(inner),
                    }
                }
            }
            Value::Array(rules) => rules.iter_mut().for_each(|rule| self.rules(rule)),
            _ => {}
        }
    }

    /// Maps the names in a query of keys, and restricts it to the keys of the namespace.
    fn query(&self, body: &mut Map<String, Value>) {
        let sorted_by = fields_of_sort(body.get("sort"));
        if let Some(after) = body.get_mut("search_after").and_then(Value::as_array_mut) {
            for (value, field) in after.iter_mut().zip(sorted_by) {
                self.value(&field, value);
            }
        }
        for part in ["query", "aggs", "aggregations"] {
            if let Some(part) = body.get_mut(part) {
                self.clauses(part);
            }
        }
        let own = json!({"prefix": {"name": self.prefix}});
        match body.get_mut("query") {
            None => {
                body.insert("query".to_owned(), own);
            }
            Some(query) if query.as_object().is_some_and(|query| !query.is_empty()) => {
                *query = json!({"bool": {"must": [query.take()], "filter": [own]}});
            }
            // A malformed query stays as it is.
            Some(_) => {}
        }
    }

    fn clauses(&self, clause: &mut Value) {
        match clause {
            Value::Object(clause) => {
                for (kind, inner) in clause {
                    match (kind.as_str(), inner) {
                        (
                            "term" | "terms" | "prefix" | "wildcard" | "match" | "range",
                            Value::Object(fields),
                        ) => {
                            for (field, value) in fields {
                                self.value(field, value);
                            }
                        }
                        ("composite", Value::Object(composite)) => self.after(composite),
                        ("simple_query_string", _) => {
                            super::not_portable("words cannot be searched in a shared cluster");
                        }
                        (_, inner) => self.clauses(inner),
                    }
                }
            }
            Value::Array(clauses) => clauses.iter_mut().for_each(|clause| self.clauses(clause)),
            _ => {}
        }
    }

    /// Maps the names in `after` of a composite aggregation.
    fn after(&self, composite: &mut Map<String, Value>) {
        let sources = composite.get("sources").cloned().unwrap_or_default();
        let after = composite.get_mut("after").and_then(Value::as_object_mut);
        for (name, value) in after.into_iter().flatten() {
            let source = sources.as_array().into_iter().flatten();
            let mut source = source.filter_map(|source| source.get(name));
            let field = source
                .next()
                .and_then(|source| source.pointer("/terms/field"));
            if let Some(field) = field.and_then(Value::as_str) {
                self.value(field, value);
            }
        }
    }

    fn value(&self, field: &str, value: &mut Value) {
        match value {
            Value::String(text) if field == "name" => *text = self.own(text),
            Value::String(text) if field == "username" => *text = self.name(text),
            Value::Array(values) => {
                values.iter_mut().for_each(|value| self.value(field, value));
            }
            Value::Object(parameters) => {
                for (_, value) in parameters.iter_mut().filter(|(name, _)| {
                    ["value", "query", "gt", "gte", "lt", "lte"].contains(&name.as_str())
                }) {
                    self.value(field, value);
                }
            }
            _ => {}
        }
    }

    /// Returns the reason to refuse a request that could change data outside the namespace.
    ///
    /// `is_own` is true if the caller is a user or key of the namespace; `keys` are the keys that
    /// it created.
    pub(crate) fn permits(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        is_own: bool,
        keys: &BTreeSet<String>,
    ) -> Result<(), String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_end_matches('/');
        let segments: Vec<&str> = path.split('/').skip(2).collect();
        if ["GET", "HEAD", "OPTIONS"].contains(&method) {
            return Ok(());
        }
        let refuse = || Err(format!("{method} {path} may reach beyond the run's names"));
        if query.contains("source=") || !path.starts_with("/_security/") {
            return refuse();
        }
        let is_ours = |name: &Value| {
            name.as_str()
                .is_some_and(|name| name.contains(&self.prefix))
        };
        // An id of 20 characters may belong to a key outside the namespace.
        let is_own_key = |id: &str| keys.contains(id) || id.chars().count() != 20;
        let field = |name: &str| body.and_then(|body| body.get(name));
        let allowed = match segments[..] {
            ["_query", "api_key"]
            | ["_authenticate"]
            | ["user", "_has_privileges"]
            | ["user", _, "_has_privileges"] => true,
            ["api_key"] if method == "DELETE" => match field("ids").and_then(Value::as_array) {
                Some(ids) => ids.iter().all(|id| id.as_str().is_none_or(is_own_key)),
                None => {
                    let mut names = ["name", "username"].into_iter().filter_map(field);
                    names.any(is_ours) || field("owner") == Some(&json!(true)) && is_own
                }
            },
            ["api_key"] => field("name").is_none_or(|name| {
                is_ours(name) || name.as_str().is_none_or(|name| name.trim().is_empty())
            }),
            ["api_key", "grant"] => match field("api_key").and_then(|key| key.get("name")) {
                Some(name) => is_ours(name),
                None => true,
            },
            ["api_key", "_bulk_update"] => match field("ids") {
                Some(Value::Array(ids)) => ids.iter().all(|id| id.as_str().is_none_or(is_own_key)),
                Some(Value::String(id)) => is_own_key(id),
                _ => true,
            },
            ["api_key", id] => is_own_key(id),
            ["user", "_password"] => is_own,
            ["user", "_enable" | "_disable"] => false,
            ["role_mapping", name] => {
                let narrow = |rules: &Value| {
                    let text = rules.to_string();
                    text.contains(r#""field":"#) && !text.starts_with(r#"{"except""#)
                        || !text.contains(r#""except""#) && !text.contains(r#""field":"#)
                };
                name.contains(&self.prefix) && field("rules").is_none_or(narrow)
            }
            ["user" | "role", name] | ["user", name, _] => name.contains(&self.prefix),
            ["privilege"] => body
                .and_then(Value::as_object)
                .is_some_and(|apps| apps.keys().all(|name| name.contains(&self.prefix))),
            ["privilege", name, _] => name.contains(&self.prefix),
            ["oauth2", "token"] if method == "DELETE" => match field("username") {
                Some(name) => is_ours(name),
                None => field("realm_name").is_none(),
            },
            ["oauth2", "token"] => true,
            _ => false,
        };
        if allowed { Ok(()) } else { refuse() }
    }

    /// The response of a cluster that contains only this namespace.
    pub(crate) fn answer(&self, path: &str, text: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.trim_end_matches('/');
        let lists_all = ["user", "role", "role_mapping", "privilege"]
            .iter()
            .any(|kind| path == format!("/_security/{kind}"));
        let mut text = text.to_owned();
        if lists_all && let Ok(Value::Object(mut found)) = serde_json::from_str(&text) {
            found.retain(|name, thing: &mut Value| {
                name.starts_with(&self.prefix)
                    || name == "error"
                    || name == "status"
                    || thing.pointer("/metadata/_reserved") == Some(&json!(true))
            });
            text = Value::Object(found).to_string();
        }
        if path == "/_security/api_key"
            && !query
                .split('&')
                .any(|parameter| parameter.len() > 3 && parameter.starts_with("id="))
            && let Ok(mut found) = serde_json::from_str::<Value>(&text)
            && let Some(keys) = found.get_mut("api_keys").and_then(Value::as_array_mut)
        {
            keys.retain(|key| {
                let name = key["name"].as_str().unwrap_or_default();
                name.starts_with(&self.prefix)
            });
            text = found.to_string();
        }
        text = text.replace(&self.prefix, "");
        if self.admin != "elastic" {
            text = text
                .replace(&format!("\"{}\"", self.admin), "\"elastic\"")
                .replace(&format!("[{}]", self.admin), "[elastic]");
        }
        text
    }
}

fn segments_are_names(kind: &str) -> bool {
    ["user", "role", "role_mapping", "privilege"].contains(&kind)
}

/// The fields of a sort.
fn fields_of_sort(sort: Option<&Value>) -> Vec<String> {
    let parts = match sort {
        Some(Value::Array(parts)) => parts.clone(),
        Some(part) => vec![part.clone()],
        None => Vec::new(),
    };
    let field = |part: &Value| match part {
        Value::String(field) => field.clone(),
        Value::Object(part) => part.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    parts.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace() -> Namespace {
        Namespace {
            prefix: format!("{PREFIX}r-"),
            admin: "boss".to_owned(),
            admin_password: "secret".to_owned(),
        }
    }

    fn is_permitted(method: &str, target: &str, body: Value) -> bool {
        let namespace = namespace();
        let target = namespace.target(target);
        let mut body = body;
        namespace.body(method, &target, &mut body);
        let keys = BTreeSet::from(["x".repeat(20)]);
        namespace
            .permits(method, &target, Some(&body), false, &keys)
            .is_ok()
    }

    #[test]
    fn changes_outside_the_namespace_are_refused() {
        let (own, other) = ("x".repeat(20), "y".repeat(20));
        #[rustfmt::skip]
        let cases = [
            ("DELETE", "/_security/api_key", json!({"ids": [own]}), true),
            ("DELETE", "/_security/api_key", json!({"ids": [other]}), false),
            ("DELETE", "/_security/api_key", json!({"realm_name": "reserved"}), false),
            ("DELETE", "/_security/api_key", json!({"username": "elastic"}), false),
            ("DELETE", "/_security/api_key", json!({"username": "ann"}), true),
            ("DELETE", "/_security/api_key", json!({"owner": true}), false),
            ("DELETE", "/_security/api_key", json!({}), false),
            ("PUT", &format!("/_security/api_key/{own}"), json!({}), true),
            ("PUT", &format!("/_security/api_key/{other}"), json!({}), false),
            ("PUT", "/_security/user/ann", json!({}), true),
            ("PUT", "/_security/user/elastic", json!({}), false),
            ("PUT", "/_security/user/kibana_system/_password", json!({}), false),
            ("PUT", "/_security/user/_password", json!({}), false),
            ("PUT", "/_security/user/apm_system/_disable", json!({}), false),
            ("PUT", "/_security/role/superuser", json!({}), false),
            ("DELETE", "/_security/role/r", json!({}), true),
            ("PUT", "/_security/privilege", json!({"myapp": {}}), true),
            ("PUT", "/_security/privilege", json!({"AB": {}}), false),
            ("DELETE", "/_security/oauth2/token", json!({"username": "elastic"}), false),
            ("DELETE", "/_security/oauth2/token", json!({"realm_name": "reserved"}), false),
            ("POST", "/_security/api_key/*/_clear_cache", json!({}), false),
            ("PUT", "/_cluster/settings", json!({}), false),
            ("PUT", "/_security/role_mapping/m", json!({"rules": {"except": {"field": {"username": "x"}}}}), false),
        ];
        for (method, target, body, expected) in cases {
            let permitted = is_permitted(method, target, body.clone());
            assert_eq!(permitted, expected, "{method} {target} {body}");
        }
    }

    #[test]
    fn a_role_mapping_reaches_no_user_of_the_cluster() {
        let mut body = json!({"roles": ["r"], "rules": {"any": [{"field": {"username": "*"}}]}});
        namespace().body("PUT", "/_security/role_mapping/m", &mut body);
        assert_eq!(
            body["rules"]["any"][0]["field"]["username"],
            "agent-keys-conformance-r-*"
        );
    }

    #[test]
    fn a_name_keeps_what_is_wrong_with_it() {
        let namespace = namespace();
        for (name, expected) in [
            ("k", "agent-keys-conformance-r-k"),
            ("_k", "_agent-keys-conformance-r-k"),
            (" k", " agent-keys-conformance-r-k"),
            ("", ""),
        ] {
            assert_eq!(namespace.own(name), expected);
        }
        for name in ["x".repeat(257), "😀".repeat(129)] {
            let length = |text: &str| text.encode_utf16().count();
            assert_eq!(length(&namespace.own(&name)), length(&name));
        }
    }

    #[test]
    fn a_query_finds_only_keys_of_the_namespace() {
        let mut body = json!({"query": {"term": {"username": "elastic"}}});
        namespace().body("POST", "/_security/_query/api_key", &mut body);
        let own = json!({"prefix": {"name": "agent-keys-conformance-r-"}});
        let expected = json!({"bool": {"must": [{"term": {"username": "boss"}}], "filter": [own]}});
        assert_eq!(body["query"], expected);
    }
}
