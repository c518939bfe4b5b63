//! `GET|POST /_security/user/[{username}/]_has_privileges`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    auth::authorization::refusal,
    cpu::Deadline,
    error::ApiError,
    fields::{ErrorStyle, Fields},
    http::{request::ApiRequest, response::ApiResponse},
    privileges::{
        application::{Registered, application_name_problem, privilege_or_action_problem},
        cluster, index,
    },
    roles::{
        descriptor::check_lengths,
        has_privileges_cache::CacheKey,
        parse::{parse_applications, parse_indices},
        permission::Permission,
    },
    version::Version,
};

/// Limit on the pairs of a privilege and an index or resource. Elasticsearch has none.
const PAIRS_MAX: usize = 10_000;
/// Comparisons of characters up to which a check is evaluated at once: a few milliseconds.
const INLINE_WORK_MAX: usize = 10_000_000;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct HasPrivilegesRequest {
    #[serde(default)]
    cluster: Vec<String>,
    #[serde(default)]
    index: Vec<IndexCheck>,
    #[serde(default)]
    application: Vec<ApplicationCheck>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct IndexCheck {
    names: Vec<String>,
    privileges: Vec<String>,
    #[serde(default)]
    allow_restricted_indices: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct ApplicationCheck {
    application: String,
    privileges: Vec<String>,
    resources: Vec<String>,
}

/// Result of the check: the response body without the field `username`.
#[derive(Serialize)]
struct CheckResult<'a> {
    has_all_requested: bool,
    cluster: BTreeMap<&'a str, bool>,
    index: BTreeMap<&'a str, BTreeMap<&'a str, bool>>,
    application: BTreeMap<&'a str, BTreeMap<&'a str, BTreeMap<&'a str, bool>>>,
}

/// Returns, for each privilege in the check, whether the caller holds it.
pub(crate) async fn has_privileges(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let subject = &request.caller.subject;
    let registered = request.state.store.application_privileges();
    let key = CacheKey {
        body: request.text(),
        permission: &subject.permission,
        registered: &registered,
    };
    // Keys share their cached roles. The roles of a user are resolved anew for each request, so
    // they would never be found again.
    let cache = subject
        .api_key_id()
        .map(|_| &request.state.has_privileges_cache);
    if let Some(result) = cache.and_then(|cache| cache.get(key)) {
        authorize_check(request)?;
        return Ok(ApiResponse::text(with_username(
            &subject.username,
            &result,
        )?));
    }
    let check = HasPrivilegesRequest::read(request)?;
    authorize_check(request)?;
    let result = if check.work(key.permission) <= INLINE_WORK_MAX {
        check.evaluate(key.permission, key.registered, Deadline::from_now())?
    } else {
        let (subject, registered) = (subject.clone(), registered.clone());
        let evaluate = move |deadline| check.evaluate(&subject.permission, &registered, deadline);
        request.state.cpu.run(evaluate).await?
    };
    if let Some(cache) = cache {
        cache.insert(key, &result);
    }
    Ok(ApiResponse::text(with_username(
        &subject.username,
        &result,
    )?))
}

/// Allows checks of the caller's own privileges only. A caller with the privilege for the action
/// gets a 400 instead of a 403.
fn authorize_check(request: &ApiRequest<'_>) -> Result<(), ApiError> {
    request.authorize()?;
    if !request.segments.is_empty() && request.segment(0) != request.caller.subject.username {
        let permission = &request.caller.subject.permission;
        if permission.allows_action(request.action.name) {
            return Err(ApiError::illegal(
                "users may only check the privileges of their own account",
            ));
        }
        return Err(refusal(&request.caller, request.action));
    }
    Ok(())
}

/// Returns the result with the field `username` before its first field.
fn with_username(username: &str, held: &[u8]) -> Result<Vec<u8>, ApiError> {
    const NAME: &[u8] = br#"{"username":"#;
    let mut answer = Vec::with_capacity(NAME.len() + username.len() + held.len() + 8);
    answer.extend_from_slice(NAME);
    serde_json::to_writer(&mut answer, username)?;
    answer.push(b',');
    answer.extend_from_slice(held.strip_prefix(b"{").unwrap_or(held));
    Ok(answer)
}

impl HasPrivilegesRequest {
    /// Parses the body of a request. Well-formed bodies are deserialized directly; the others are
    /// read field by field, which finds the error message.
    fn read(request: &ApiRequest<'_>) -> Result<Self, ApiError> {
        let input = match Self::complete(request.text()) {
            Some(input) => input,
            None => {
                let username = match request.segments.first() {
                    Some(username) => username,
                    None => &request.caller.subject.username,
                };
                Self::parse(&format!("{username}/has_privileges"), request.json()?)?
            }
        };
        input.validate(request.state.version)?;
        Ok(input)
    }

    /// Deserializes a complete and well-formed body. Returns `None` for any other.
    fn complete(body: &[u8]) -> Option<Self> {
        let full = |list: &Vec<String>| !list.is_empty();
        let input: Self = serde_json::from_slice(body).ok()?;
        let all_full = input
            .index
            .iter()
            .map(|check| [&check.names, &check.privileges])
            .chain(
                input
                    .application
                    .iter()
                    .map(|check| [&check.resources, &check.privileges]),
            )
            .all(|lists| lists.into_iter().all(full));
        let asks = full(&input.cluster) || !input.index.is_empty() || !input.application.is_empty();
        (asks && all_full).then_some(input)
    }

    /// Parses the check called `name`.
    fn parse(name: &str, body: Value) -> Result<Self, ApiError> {
        let what = format!("privileges check [{name}]");
        let mut fields = Fields::of(body, ErrorStyle::ParseException(what.clone().into()))?;
        let cluster = fields.string_array("cluster")?;
        let index = parse_indices(name, &mut fields, "index")?;
        let mut application = parse_applications(name, &mut fields, "application")?;
        if let Some(more) = parse_applications(name, &mut fields, "applications")? {
            application.get_or_insert_default().extend(more);
        }
        fields.finish()?;
        if cluster.is_none() && index.is_none() && application.is_none() {
            return Err(ApiError::parse(format!(
                "failed to parse {what}. All privilege fields [cluster,index,applications] are missing"
            )));
        }
        let index = index.unwrap_or_default();
        let unsupported = [
            (
                "field_security",
                index.iter().any(|entry| entry.field_security.is_some()),
            ),
            ("query", index.iter().any(|entry| entry.query.is_some())),
        ];
        if let Some((field, _)) = unsupported.iter().find(|(_, used)| *used) {
            return Err(ApiError::parse(format!(
                "Field [{field}] is not supported in a has_privileges request"
            )));
        }
        let index = index.into_iter().map(|entry| IndexCheck {
            names: entry.names,
            privileges: entry.privileges,
            allow_restricted_indices: entry.allow_restricted_indices,
        });
        let application = application.unwrap_or_default().into_iter();
        let application = application.map(|entry| ApplicationCheck {
            application: entry.application,
            privileges: entry.privileges,
            resources: entry.resources,
        });
        Ok(Self {
            cluster: cluster.unwrap_or_default(),
            index: index.collect(),
            application: application.collect(),
        })
    }

    fn validate(&self, version: Version) -> Result<(), ApiError> {
        if self.pairs() > PAIRS_MAX {
            return Err(ApiError::illegal(format!(
                "a privileges check may not have more than [{PAIRS_MAX}] pairs of a privilege and an index or resource"
            )));
        }
        check_lengths(self.names())?;
        let mut problems = Vec::new();
        if self.cluster.is_empty() && self.index.is_empty() && self.application.is_empty() {
            problems.push("must specify at least one privilege".to_owned());
        }
        for check in &self.application {
            problems.extend(application_name_problem(&check.application, false));
            problems.extend(
                check
                    .privileges
                    .iter()
                    .filter_map(|name| privilege_or_action_problem(name)),
            );
        }
        ApiError::check_rules(problems)?;
        let mut cluster_names = self.cluster.iter();
        if let Some(problem) = cluster_names.find_map(|name| cluster::problem(name, version)) {
            return Err(ApiError::illegal(problem));
        }
        let mut index_names = self.index.iter().flat_map(|check| &check.privileges);
        if let Some(name) = index_names.find(|name| !index::is_valid(name)) {
            return Err(ApiError::illegal(format!(
                "unknown index privilege [{name}]. a privilege must be either one of the predefined fixed indices privileges or a pattern over one of the available index actions"
            )));
        }
        Ok(())
    }

    fn pairs(&self) -> usize {
        let index = self.index.iter();
        let application = self.application.iter();
        self.cluster.len()
            + index
                .map(|check| check.names.len() * check.privileges.len())
                .sum::<usize>()
            + application
                .map(|check| check.resources.len() * check.privileges.len())
                .sum::<usize>()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let index = self.index.iter();
        let application = self.application.iter();
        self.cluster
            .iter()
            .chain(index.flat_map(|check| check.names.iter().chain(&check.privileges)))
            .chain(application.flat_map(|check| {
                let lists = check.privileges.iter().chain(&check.resources);
                lists.chain([&check.application])
            }))
            .map(String::as_str)
    }

    /// Upper limit of the comparisons of characters that the evaluation makes.
    fn work(&self, permission: &Permission) -> usize {
        let longest = self.names().map(str::len).max().unwrap_or(0);
        let held = permission.characters();
        self.pairs().saturating_mul(held).saturating_mul(longest)
    }

    /// Returns the result as JSON.
    fn evaluate(
        &self,
        permission: &Permission,
        registered: &Registered,
        deadline: Deadline,
    ) -> Result<Vec<u8>, ApiError> {
        let mut all = true;
        let mut note = |held: bool| {
            all &= held;
            held
        };
        let mut cluster: BTreeMap<&str, bool> = BTreeMap::new();
        for name in &self.cluster {
            cluster.insert(name, note(permission.has_cluster_privilege(name)));
        }
        let mut index: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
        for check in &self.index {
            for name in &check.names {
                let of_name = index.entry(name).or_default();
                for privilege in &check.privileges {
                    deadline.check()?;
                    let restricted_too = check.allow_restricted_indices;
                    let held = permission.has_index_privilege(name, privilege, restricted_too);
                    of_name.insert(privilege, note(held));
                }
            }
        }
        let mut application: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, bool>>> = BTreeMap::new();
        let applications = permission.applications(registered);
        for check in &self.application {
            let of_application = application.entry(&check.application).or_default();
            for resource in &check.resources {
                let of_resource = of_application.entry(resource).or_default();
                for privilege in &check.privileges {
                    deadline.check()?;
                    let held = applications
                        .iter()
                        .all(|held| held.allows(&check.application, resource, privilege));
                    of_resource.insert(privilege, note(held));
                }
            }
        }
        Ok(serde_json::to_vec(&CheckResult {
            has_all_requested: all,
            cluster,
            index,
            application,
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::HasPrivilegesRequest;

    fn careful(body: &str) -> Option<HasPrivilegesRequest> {
        let value = serde_json::from_str(body).ok()?;
        HasPrivilegesRequest::parse("k", value).ok()
    }

    #[test]
    fn both_parsers_agree_on_well_formed_checks() {
        for body in [
            r#"{"application":[{"application":"apm","privileges":["event:write"],"resources":["-"]}]}"#,
            r#"{"cluster":["all"],"index":[{"names":["a"],"privileges":["read"]}]}"#,
            r#"{"index":[{"names":["a"],"privileges":["read"],"allow_restricted_indices":true}]}"#,
            r#"{"cluster":["all"],"index":[],"application":[]}"#,
        ] {
            let read = HasPrivilegesRequest::complete(body.as_bytes());
            assert!(read.is_some(), "{body}");
            assert_eq!(read, careful(body), "{body}");
        }
    }

    #[test]
    fn direct_parser_rejects_incomplete_checks() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"cluster":"all"}"#,
            r#"{"cluster":null}"#,
            r#"{"cluster":[]}"#,
            r#"{"cluster":["all"],"cluster":["monitor"]}"#,
            r#"{"applications":[{"application":"apm","privileges":["a"],"resources":["-"]}]}"#,
            r#"{"application":[{"application":"apm","privileges":[],"resources":["-"]}]}"#,
            r#"{"application":[{"application":"apm","privileges":["a"],"resources":[]}]}"#,
            r#"{"application":[{"privileges":["a"],"resources":["-"]}]}"#,
            r#"{"index":[{"names":["a"],"privileges":["read"],"query":"{}"}]}"#,
            r#"{"cluster":["all"],"more":1}"#,
            r#"{"cluster":["all"]} trailing"#,
        ] {
            assert_eq!(
                HasPrivilegesRequest::complete(body.as_bytes()),
                None,
                "{body}"
            );
        }
    }
}
