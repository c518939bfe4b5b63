//! Role mappings that give the agent key role. Elasticsearch applies them to users of every realm but native, file and
//! reserved, and adds up the roles of all that match.
//!
//! The form here writes one kind of rule: groups or users of one realm. Every other mapping is shown and never written.
//! Elasticsearch replaces a whole mapping and knows no version of it, so a mapping is read before it is written, under the
//! lock of users, and compared with what the form was drawn from.

use super::{is_empty, sorted};
use crate::{
    access::{Grant, ManageSecurity},
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch::{Connection, security::Authenticated, users::StoredMapping},
    error::Error,
    ledger,
};
use app::model::{
    role_mapping::{
        MappingRules, MappingSubject, MappingWarning, MatchesViewer, NewRoleMapping, RoleMapping,
        SimpleRule, is_pattern,
    },
    text::visible_json,
    user::AGENT_KEY_ROLE,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Length of rules up to which the audit log holds them, in bytes of JSON.
const RECORDED_BYTES_MAX: usize = 16 * 1024;
/// Kinds of realms to which Elasticsearch applies no mappings.
const REALMS_WITHOUT_MAPPINGS: [&str; 3] = ["native", "file", "reserved"];

/// Returns the role mappings that give the agent key role, and those whose templates may give it, by name.
#[tracing::instrument(name = "role.mapping.list", skip_all)]
pub async fn list(ctx: &RequestContext) -> Result<Vec<RoleMapping>, Error> {
    ctx.grant::<ManageSecurity>().await?;
    let connection = ctx.elasticsearch()?;
    let (stored, viewer) = tokio::join!(connection.get_role_mappings(), connection.authenticate());
    let viewer = viewer?;
    let mappings = stored?.into_iter();
    Ok(mappings
        .filter(|(_, mapping)| may_give_role(mapping))
        .map(|(name, mapping)| shown(name, &mapping, &viewer))
        .collect())
}

/// Creates a mapping that gives the agent key role and no other.
#[tracing::instrument(name = "role.mapping.create", skip_all)]
pub async fn create(ctx: &RequestContext, new: NewRoleMapping) -> Result<(), Error> {
    let target = new.name.clone();
    run(
        ctx,
        Action::RoleMappingPut,
        target,
        async move |connection| {
            if connection
                .get_role_mappings()
                .await?
                .contains_key(&new.name)
            {
                return Err(Error::MappingNameTaken);
            }
            let mut mapping = StoredMapping::new();
            mapping.insert("roles".to_owned(), json!([AGENT_KEY_ROLE]));
            mapping.insert("metadata".to_owned(), json!({ "agent_keys": true }));
            let after = write(&connection, &new, mapping).await?;
            Ok(json!({ "after": recorded(&after) }))
        },
    )
    .await
}

/// Changes rules and state of a mapping. Its roles and metadata stay.
#[tracing::instrument(name = "role.mapping.change", skip_all)]
pub async fn change(
    ctx: &RequestContext,
    changed: NewRoleMapping,
    version: String,
) -> Result<(), Error> {
    let target = changed.name.clone();
    run(
        ctx,
        Action::RoleMappingPut,
        target,
        async move |connection| {
            let before = read(&connection, &changed.name, &version).await?;
            let after = write(&connection, &changed, before.clone()).await?;
            Ok(json!({ "before": recorded(&before), "after": recorded(&after) }))
        },
    )
    .await
}

/// Deletes a mapping.
#[tracing::instrument(name = "role.mapping.delete", skip_all)]
pub async fn delete(ctx: &RequestContext, name: String, version: String) -> Result<(), Error> {
    let target = name.clone();
    run(
        ctx,
        Action::RoleMappingDelete,
        target,
        async move |connection| {
            let before = read(&connection, &name, &version).await?;
            let found = connection.delete_role_mapping(&name).await;
            if !found.map_err(Error::of_write)? {
                return Err(Error::NotFound);
            }
            Ok(json!({ "before": recorded(&before) }))
        },
    )
    .await
}

/// Makes a change when those before it have ended.
async fn run<C, F>(ctx: &RequestContext, action: Action, name: String, call: C) -> Result<(), Error>
where
    C: FnOnce(Connection) -> F + Send + 'static,
    F: Future<Output = Result<Value, Error>> + Send,
{
    let grant: Grant<ManageSecurity> = ctx.grant().await?;
    ctx.require_recent_password()?;
    let (state, connection) = (ctx.state.clone(), ctx.elasticsearch()?.clone());
    let target = Target {
        id: None,
        name: Some(name),
    };
    let locked = async move || {
        let _guard = state.lock_user_writes().await;
        call(connection).await
    };
    ledger::run_one(ctx, grant, action, target, locked).await
}

/// Reads a mapping that the form may change.
async fn read(connection: &Connection, name: &str, version: &str) -> Result<StoredMapping, Error> {
    let stored = connection.get_role_mappings().await?.remove(name);
    let stored = stored.filter(may_give_role).ok_or(Error::NotFound)?;
    if self::version(&stored) != version {
        return Err(Error::ChangedMeanwhile);
    }
    if is_operators(name, &stored) || has_templates(&stored) || simple_rule(&stored).is_none() {
        return Err(Error::MappingNotEditable);
    }
    Ok(stored)
}

/// Writes the rule and the state into a mapping, and reads it again: if it is not what was written, another client wrote
/// too.
async fn write(
    connection: &Connection,
    new: &NewRoleMapping,
    mut mapping: StoredMapping,
) -> Result<StoredMapping, Error> {
    mapping.remove("role_templates");
    mapping.insert("enabled".to_owned(), new.enabled.into());
    mapping.insert("rules".to_owned(), rules(&new.rule));
    let put = connection.put_role_mapping(&new.name, &mapping).await;
    put.map_err(Error::of_write)?;
    let written = connection.get_role_mappings().await;
    let written = written.map_err(Error::Unconfirmed)?.remove(&new.name);
    let written = written.ok_or(Error::ChangedMeanwhile)?;
    let is_as_written = simple_rule(&written).is_some_and(|rule| rule == new.rule)
        && is_enabled(&written) == new.enabled
        && names(&written, "roles") == names(&mapping, "roles");
    if is_as_written {
        Ok(written)
    } else {
        Err(Error::ChangedMeanwhile)
    }
}

/// Always with the realm, because a group of that name in another realm is another group.
fn rules(rule: &SimpleRule) -> Value {
    let SimpleRule {
        realm,
        subject,
        values,
    } = rule;
    json!({ "all": [{ "field": { "realm.name": realm } }, { "field": { subject.field(): values } }] })
}

/// Returns the rule that the form can write; `None` for any other rules.
fn simple_rule(mapping: &StoredMapping) -> Option<SimpleRule> {
    let rules = mapping.get("rules")?.as_object()?;
    let [one, other] = only(rules, "all")?.as_array()?.as_slice() else {
        return None;
    };
    let field = |rule: &'_ Value| only(rule.as_object()?, "field")?.as_object().cloned();
    let (one, other) = (field(one)?, field(other)?);
    let (realm, subject) = match (one.get("realm.name"), other.get("realm.name")) {
        (Some(realm), None) => (realm, &other),
        (None, Some(realm)) => (realm, &one),
        _ => return None,
    };
    let realm = realm.as_str().filter(|realm| !is_pattern(realm))?;
    let (subject, values) = [MappingSubject::Groups, MappingSubject::Users]
        .into_iter()
        .find_map(|kind| Some((kind, only(subject, kind.field())?)))?;
    let values: Option<Vec<String>> = each(values)
        .map(|value| value.as_str().filter(|name| !is_pattern(name)))
        .map(|name| name.map(str::to_owned))
        .collect();
    Some(SimpleRule {
        realm: realm.to_owned(),
        subject,
        values: values.filter(|values| !values.is_empty())?,
    })
}

/// Returns the value of the one field of an object.
fn only<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|_| object.len() == 1)
}

/// Elasticsearch returns a list of one value as the value.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.iter(),
        value => std::slice::from_ref(value).iter(),
    }
}

fn names(mapping: &StoredMapping, field: &str) -> BTreeSet<String> {
    let values = mapping.get(field).into_iter().flat_map(each);
    values
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn may_give_role(mapping: &StoredMapping) -> bool {
    has_templates(mapping) || names(mapping, "roles").contains(AGENT_KEY_ROLE)
}

fn has_templates(mapping: &StoredMapping) -> bool {
    let templates = mapping.get("role_templates");
    templates.is_some_and(|templates| !is_empty(templates))
}

fn is_enabled(mapping: &StoredMapping) -> bool {
    mapping.get("enabled") == Some(&Value::Bool(true))
}

/// Elasticsearch 8.15.0 to 8.15.2 marked these mappings by their name alone.
fn is_operators(name: &str, mapping: &StoredMapping) -> bool {
    let metadata = mapping.get("metadata");
    metadata.is_some_and(|metadata| metadata["_read_only"] == true)
        || name.ends_with(app::model::role_mapping::OPERATOR_SUFFIX)
        || name.ends_with(" (read only)")
}

/// Returns a digest of everything that a write would replace.
fn version(mapping: &StoredMapping) -> String {
    let text = sorted(&Value::Object(mapping.clone())).to_string();
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Returns a mapping for the audit log, without rules that are too long for it.
fn recorded(mapping: &StoredMapping) -> Value {
    let field = |name: &str| mapping.get(name).cloned().unwrap_or_default();
    let rules = field("rules");
    let rules = if rules.to_string().len() <= RECORDED_BYTES_MAX {
        rules
    } else {
        Value::Null
    };
    json!({ "enabled": field("enabled"), "roles": field("roles"), "rules": rules, "version": version(mapping) })
}

fn shown(name: String, mapping: &StoredMapping, viewer: &Authenticated) -> RoleMapping {
    let mut other_roles = names(mapping, "roles");
    other_roles.remove(AGENT_KEY_ROLE);
    let rules = mapping.get("rules").cloned().unwrap_or_default();
    let templates = mapping
        .get("role_templates")
        .filter(|_| has_templates(mapping));
    let shown = match (simple_rule(mapping), templates) {
        (Some(rule), None) => MappingRules::Simple(rule),
        (_, None) => MappingRules::Other(visible_json(&format!("{rules:#}"))),
        (_, Some(templates)) => {
            let both = json!({ "role_templates": templates, "rules": rules });
            MappingRules::Other(visible_json(&format!("{both:#}")))
        }
    };
    RoleMapping {
        enabled: is_enabled(mapping),
        rules: shown,
        other_roles: other_roles.into_iter().collect(),
        has_templates: has_templates(mapping),
        warnings: warnings(&rules),
        matches_viewer: matches(&rules, viewer),
        is_operators: is_operators(&name, mapping),
        version: version(mapping),
        name,
    }
}

fn warnings(rules: &Value) -> Vec<MappingWarning> {
    let mut found = BTreeSet::new();
    let mut names_realm = false;
    let mut waiting = vec![rules];
    while let Some(rule) = waiting.pop() {
        for (kind, content) in rule.as_object().into_iter().flatten() {
            match kind.as_str() {
                "all" if is_empty(content) => {
                    found.insert(MappingWarning::MatchesEveryUser);
                }
                "all" | "any" | "except" => waiting.extend(each(content)),
                "field" => {
                    for (field, value) in content.as_object().into_iter().flatten() {
                        names_realm |= field == "realm.name";
                        let mut values = each(value).filter_map(Value::as_str);
                        if field == "groups" && values.any(is_pattern) {
                            found.insert(MappingWarning::GroupPattern);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    if !names_realm && !found.contains(&MappingWarning::MatchesEveryUser) {
        found.insert(MappingWarning::AnyRealm);
    }
    found.into_iter().collect()
}

fn matches(rules: &Value, viewer: &Authenticated) -> MatchesViewer {
    if REALMS_WITHOUT_MAPPINGS.contains(&viewer.authentication_realm.kind.as_str()) {
        return MatchesViewer::OwnRealm;
    }
    match evaluate(rules, viewer) {
        Some(true) => MatchesViewer::Yes,
        Some(false) => MatchesViewer::No,
        None => MatchesViewer::Unknown,
    }
}

/// Evaluates a rule as Elasticsearch does; `None` if that takes more than it tells of the user.
fn evaluate(rule: &Value, viewer: &Authenticated) -> Option<bool> {
    let (kind, content) = rule.as_object()?.iter().next()?;
    match kind.as_str() {
        "all" => all(each(content).map(|rule| evaluate(rule, viewer))),
        "any" => {
            all(each(content).map(|rule| evaluate(rule, viewer).map(|found| !found))).map(|no| !no)
        }
        "except" => evaluate(content, viewer).map(|found| !found),
        "field" => {
            let (field, wanted) = content.as_object()?.iter().next()?;
            let (held, folds_case) = held(field, viewer)?;
            let pairs = each(wanted).flat_map(|wanted| held.iter().map(move |held| (wanted, held)));
            let different = |(wanted, held)| equal(wanted, held, folds_case).map(|same| !same);
            all(pairs.map(different)).map(|different| !different)
        }
        _ => None,
    }
}

/// Returns false if one is false, else `None` if one is not known, else true.
fn all(mut results: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    results
        .find_map(|result| {
            all = all.and(result);
            (result == Some(false)).then_some(Some(false))
        })
        .unwrap_or(all)
}

/// Returns what is known of a field of the user, and true if its case does not count. A field that the user lacks is null.
fn held(field: &str, viewer: &Authenticated) -> Option<(Vec<Value>, bool)> {
    let metadata = |name: &str| viewer.metadata.get(name);
    let values = |value: &Value| each(value).cloned().collect();
    match field {
        "username" => Some((vec![viewer.username.clone().into()], false)),
        "realm.name" => Some((vec![viewer.authentication_realm.name.clone().into()], false)),
        // Realms of LDAP and Active Directory set these.
        "groups" => Some((metadata("ldap_groups").map(values)?, true)),
        "dn" => Some((
            metadata("ldap_dn").or(metadata("pki_dn")).map(values)?,
            true,
        )),
        field => {
            let name = field.strip_prefix("metadata.")?;
            Some((metadata(name).map_or(vec![Value::Null], values), false))
        }
    }
}

/// Compares a value of a rule with one of the user; `None` for a pattern.
fn equal(wanted: &Value, held: &Value, folds_case: bool) -> Option<bool> {
    match (wanted.as_str(), held.as_str()) {
        (Some("*"), held) => Some(held.is_some()),
        (Some(wanted), _) if is_pattern(wanted) => None,
        (Some(wanted), Some(held)) if folds_case => {
            Some(wanted.to_lowercase() == held.to_lowercase())
        }
        _ => Some(wanted == held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(metadata: Value) -> Authenticated {
        let answer = json!({
            "username": "ada", "full_name": null, "metadata": metadata,
            "authentication_realm": { "name": "ldap1", "type": "ldap" },
        });
        serde_json::from_value(answer).unwrap()
    }

    fn mapping(rules: Value) -> StoredMapping {
        let mapping = json!({ "enabled": true, "roles": [AGENT_KEY_ROLE], "rules": rules });
        serde_json::from_value(mapping).unwrap()
    }

    #[test]
    fn rule_of_the_form_survives_the_round_trip() {
        for values in [vec!["a"], vec!["a", "cn=b,dc=c"]] {
            for subject in [MappingSubject::Groups, MappingSubject::Users] {
                let rule = SimpleRule {
                    realm: "saml1".to_owned(),
                    subject,
                    values: values.iter().map(ToString::to_string).collect(),
                };
                assert_eq!(simple_rule(&mapping(rules(&rule))), Some(rule));
            }
        }
    }

    #[test]
    fn rules_that_the_form_cannot_write_are_not_simple() {
        let realm = json!({ "field": { "realm.name": "saml1" } });
        let groups = json!({ "field": { "groups": "a" } });
        #[rustfmt::skip]
        let rows = [
            json!({ "all": [groups, realm] }),
            json!({ "any": [realm, groups] }),
            json!({ "all": [realm, groups, groups] }),
            json!({ "all": [realm, realm] }),
            json!({ "all": [realm] }),
            json!({ "all": [] }),
            json!({ "all": [realm, { "field": { "groups": ["a", "b*"] } }] }),
            json!({ "all": [realm, { "field": { "groups": [] } }] }),
            json!({ "all": [realm, { "field": { "groups": [1] } }] }),
            json!({ "all": [realm, { "field": { "dn": "a" } }] }),
            json!({ "all": [realm, { "except": groups }] }),
            json!({ "all": [{ "field": { "realm.name": "saml*" } }, groups] }),
            json!({ "all": [{ "field": { "realm.name": ["a", "b"] } }, groups] }),
            groups.clone(),
            json!(null),
        ];
        for (row, rules) in rows.into_iter().enumerate() {
            // The control: the order of the two rules does not count.
            assert_eq!(simple_rule(&mapping(rules)).is_some(), row == 0, "{row}");
        }
    }

    #[test]
    fn easily_overlooked_rules_are_warned_of() {
        use MappingWarning as W;
        let realm = json!({ "field": { "realm.name": "saml1" } });
        #[rustfmt::skip]
        let rows = [
            (json!({ "all": [realm, { "field": { "groups": "a" } }] }), vec![]),
            (json!({ "all": [] }), vec![W::MatchesEveryUser]),
            (json!({ "any": [realm, { "all": [] }] }), vec![W::MatchesEveryUser]),
            (json!({ "field": { "groups": "a" } }), vec![W::AnyRealm]),
            (json!({ "field": { "groups": ["a", "b-*"] } }), vec![W::AnyRealm, W::GroupPattern]),
            (json!({ "all": [realm, { "except": { "field": { "groups": "/a|b/" } } }] }), vec![W::GroupPattern]),
        ];
        for (rules, expected) in rows {
            assert_eq!(warnings(&rules), expected, "{rules}");
        }
    }

    #[test]
    fn rules_match_as_far_as_the_user_is_known() {
        use MatchesViewer as M;
        let field = |name: &str, value: Value| json!({ "field": { name: value } });
        let (yes, no) = (
            field("username", json!("ada")),
            field("username", json!("Ada")),
        );
        let unknown = field("username", json!("/a.*/"));
        #[rustfmt::skip]
        let rows = [
            (yes.clone(), M::Yes), (no.clone(), M::No), (unknown.clone(), M::Unknown),
            (field("username", json!("*")), M::Yes), (field("username", json!(["x", "ada"])), M::Yes),
            (field("realm.name", json!("ldap1")), M::Yes), (field("realm.name", json!("LDAP1")), M::No),
            (field("groups", json!("CN=Dev,DC=example")), M::Yes), (field("groups", json!("cn=ops")), M::No),
            (field("dn", json!("cn=ada")), M::Unknown),
            (field("metadata.team", json!("apm")), M::Yes), (field("metadata.level", json!([1, 2])), M::Yes),
            (field("metadata.none", json!(null)), M::Yes), (field("metadata.none", json!("*")), M::No),
            (field("realm.type", json!("ldap")), M::Unknown),
            (json!({ "all": [] }), M::Yes), (json!({ "any": [] }), M::No),
            (json!({ "all": [yes, unknown] }), M::Unknown), (json!({ "all": [unknown, no] }), M::No),
            (json!({ "any": [unknown, yes] }), M::Yes), (json!({ "any": [no, unknown] }), M::Unknown),
            (json!({ "all": [{ "except": no }] }), M::Yes), (json!({ "all": [{ "except": unknown }] }), M::Unknown),
            (json!({ "none": [] }), M::Unknown), (json!(1), M::Unknown),
        ];
        let ada =
            viewer(json!({ "ldap_groups": ["cn=dev,dc=example"], "team": "apm", "level": 2 }));
        for (rules, expected) in rows {
            assert_eq!(matches(&rules, &ada), expected, "{rules}");
        }
        let mut native = ada;
        native.authentication_realm.kind = "native".to_owned();
        assert_eq!(matches(&json!({ "all": [] }), &native), M::OwnRealm);
        let without_groups = viewer(json!({}));
        let groups = json!({ "field": { "groups": "a" } });
        assert_eq!(matches(&groups, &without_groups), M::Unknown);
    }

    #[test]
    fn version_changes_with_what_a_write_would_replace_and_not_with_the_order() {
        let one = mapping(json!({ "all": [{ "field": { "groups": ["a", "b"] } }] }));
        let reordered = mapping(json!({ "all": [{ "field": { "groups": ["b", "a"] } }] }));
        assert_eq!(version(&one), version(&reordered));
        let other = mapping(json!({ "all": [{ "field": { "groups": ["a", "c"] } }] }));
        assert_ne!(version(&one), version(&other));
        let mut described = one.clone();
        described.insert("metadata".to_owned(), json!({ "team": "x" }));
        assert_ne!(version(&one), version(&described));
    }
}
