//! Answers as an older version of Elasticsearch, for tests.
//!
//! The handlers implement one version. This layer refuses routes, parameters and fields that an
//! older version lacks, with its error messages, and removes later fields from its responses.
//! [`Feature::since`] lists the version of each.

use http::request::Parts;
use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    http::{
        request::ApiRequest,
        response::{ApiResponse, Body},
    },
    routes::Route,
    version::{Feature, Version},
};

type Checked = Result<(), ApiError>;

/// The part of the action's name after `cluster:admin/xpack/security/`; empty for other actions.
fn security_action(route: &Route) -> &'static str {
    route
        .action
        .strip_prefix("cluster:admin/xpack/security/")
        .unwrap_or_default()
}

/// Refuses routes, parameters and fields that the version lacks.
pub(crate) fn check_request(request: &ApiRequest<'_>, route: &Route, parts: &Parts) -> Checked {
    let version = request.state.version;
    if version == Version::CURRENT {
        return Ok(());
    }
    check_route(version, route, parts)?;
    check_parameters(version, request, route, parts.uri.path())?;
    check_body(version, request, route)
}

fn check_route(version: Version, route: &Route, parts: &Parts) -> Checked {
    let needed = match security_action(route) {
        "api_key/update" => Feature::UpdateKey,
        "api_key/bulk_update" => Feature::BulkUpdateKeys,
        "role/query" => Feature::QueryRoles,
        "user/query" => Feature::QueryUsers,
        _ => return Ok(()),
    };
    if version.has(needed) {
        return Ok(());
    }
    let uri = parts.uri.path_and_query();
    Err(ApiError::UnknownPath {
        method: parts.method.to_string(),
        uri: uri
            .map_or(parts.uri.path(), |both| both.as_str())
            .to_owned(),
    })
}

fn check_parameters(
    version: Version,
    request: &ApiRequest<'_>,
    route: &Route,
    path: &str,
) -> Checked {
    let profile_uid = match security_action(route) {
        "user/get" => Feature::ProfileUidOfUsers,
        _ => Feature::ProfileUid,
    };
    let needed = [
        ("with_limited_by", Feature::LimitedByOfKeys),
        ("active_only", Feature::ActiveOnly),
        ("typed_keys", Feature::TypedKeys),
        ("with_profile_uid", profile_uid),
    ];
    let known: Vec<&str> = route
        .parameters
        .iter()
        .copied()
        .filter(|name| {
            let feature = needed.iter().find(|(needs, _)| needs == name);
            feature.is_none_or(|(_, feature)| version.has(*feature))
        })
        .collect();
    request.parameters.check_known(path, &known)
}

fn check_body(version: Version, request: &ApiRequest<'_>, route: &Route) -> Checked {
    let Ok(Some(Value::Object(body))) = request.optional_json() else {
        return Ok(());
    };
    match security_action(route) {
        "api_key/query" => check_query(version, &body),
        action @ ("api_key/update" | "api_key/bulk_update") => {
            if !version.has(Feature::ExpirationInUpdate) {
                let parser = match action {
                    "api_key/update" => "update_api_key_request",
                    _ => "bulk_update_api_key_request",
                };
                refuse_field(&body, parser, "expiration")?;
            }
            check_descriptors(version, &body)
        }
        "api_key/create" => check_descriptors(version, &body),
        "api_key/grant" => match body.get("api_key").and_then(Value::as_object) {
            Some(key) => check_descriptors(version, key),
            None => Ok(()),
        },
        "role/put" => check_role(version, request.segment(0), &body),
        _ => Ok(()),
    }
}

fn check_descriptors(version: Version, body: &Map<String, Value>) -> Checked {
    let descriptors = body.get("role_descriptors").and_then(Value::as_object);
    for (name, descriptor) in descriptors.into_iter().flatten() {
        let Some(descriptor) = descriptor.as_object() else {
            continue;
        };
        check_role(version, name, descriptor).map_err(|cause| ApiError::Content {
            reason: "[1:1] [api_key_request] failed to parse field [role_descriptors]".to_owned(),
            cause: Some(Box::new(cause)),
        })?;
    }
    Ok(())
}

fn check_role(version: Version, name: &str, role: &Map<String, Value>) -> Checked {
    for (field, feature) in [
        ("description", Feature::RoleDescription),
        ("remote_cluster", Feature::RemoteCluster),
        ("restriction", Feature::Restriction),
    ] {
        if !version.has(feature) && role.contains_key(field) {
            return Err(ApiError::parse(format!(
                "failed to parse role [{name}]. unexpected field [{field}]"
            )));
        }
    }
    Ok(())
}

fn check_query(version: Version, body: &Map<String, Value>) -> Checked {
    const PARSER: &str = "query_api_key_request_payload";
    if !version.has(Feature::Aggregations) {
        refuse_field(body, PARSER, "aggs")?;
        refuse_field(body, PARSER, "aggregations")?;
    }
    if let Some(query) = body.get("query") {
        check_query_types(version, query)?;
    }
    let sort = match body.get("sort") {
        Some(Value::Array(fields)) => fields.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for field in sort {
        match field {
            Value::String(name) => check_sort(version, name)?,
            Value::Object(fields) => fields
                .keys()
                .try_for_each(|name| check_sort(version, name))?,
            _ => {}
        }
    }
    Ok(())
}

fn check_sort(version: Version, name: &str) -> Checked {
    if name == "type" && !version.has(Feature::SortByType) {
        return Err(not_allowed(name));
    }
    check_query_field(version, name)
}

fn check_query_field(version: Version, name: &str) -> Checked {
    let needed = match name {
        "type" => Feature::TypeOfKeys,
        "invalidation" => Feature::InvalidationOfKeys,
        "metadata" => Feature::AnyMetadataInQuery,
        _ => return Ok(()),
    };
    if version.has(needed) {
        return Ok(());
    }
    Err(not_allowed(name))
}

fn check_query_types(version: Version, query: &Value) -> Checked {
    for (name, inner) in query.as_object().into_iter().flatten() {
        let inner = inner.as_object();
        let needed = match name.as_str() {
            "exists" => Some(Feature::ExistsQuery),
            "match" => Some(Feature::MatchQuery),
            "simple_query_string" => Some(Feature::SimpleQueryString),
            "bool" => {
                for clauses in inner.into_iter().flat_map(Map::values) {
                    match clauses {
                        Value::Array(clauses) => {
                            for clause in clauses {
                                check_query_types(version, clause)?;
                            }
                        }
                        clause => check_query_types(version, clause)?,
                    }
                }
                continue;
            }
            _ => None,
        };
        if needed.is_some_and(|needed| !version.has(needed)) {
            return Err(ApiError::illegal(format!(
                "Query type [{name}] is not supported for API Key query"
            )));
        }
        if name == "exists" {
            let field = inner.and_then(|inner| inner.get("field"));
            check_query_field(version, field.and_then(Value::as_str).unwrap_or_default())?;
        } else {
            let mut fields = inner.into_iter().flat_map(Map::keys);
            fields.try_for_each(|field| check_query_field(version, field))?;
        }
    }
    Ok(())
}

/// Removes the fields that the version lacks.
pub(crate) fn trim_response(version: Version, route: &Route, response: &mut ApiResponse) {
    if version == Version::CURRENT {
        return;
    }
    let Body::Value(body) = &mut response.body else {
        return;
    };
    match security_action(route) {
        "api_key/get" | "api_key/query" => {
            let keys = body.get_mut("api_keys").and_then(Value::as_array_mut);
            for key in keys.into_iter().flatten().filter_map(Value::as_object_mut) {
                trim_key(version, key);
            }
        }
        "role/get" if !version.has(Feature::RoleDescription) => {
            let roles = body.as_object_mut().into_iter().flat_map(Map::values_mut);
            for role in roles.filter_map(Value::as_object_mut) {
                role.remove("description");
            }
        }
        "user/authenticate" if !version.has(Feature::ManagedBy) => {
            if let Some(key) = body.get_mut("api_key").and_then(Value::as_object_mut) {
                key.remove("managed_by");
            }
        }
        _ => {}
    }
}

fn trim_key(version: Version, key: &mut Map<String, Value>) {
    for (field, feature) in [
        ("role_descriptors", Feature::RoleDescriptorsOfKeys),
        ("limited_by", Feature::LimitedByOfKeys),
        ("type", Feature::TypeOfKeys),
        ("invalidation", Feature::InvalidationOfKeys),
        ("realm_type", Feature::ProfileUid),
        ("profile_uid", Feature::ProfileUid),
    ] {
        if !version.has(feature) {
            key.remove(field);
        }
    }
}

/// Before 8.15 the message reads "not allowed for API Key query"; since then "for querying or
/// aggregation".
fn not_allowed(field: &str) -> ApiError {
    ApiError::illegal(format!("Field [{field}] is not allowed for API Key query"))
}

fn refuse_field(body: &Map<String, Value>, parser: &str, field: &str) -> Checked {
    if !body.contains_key(field) {
        return Ok(());
    }
    Err(ApiError::content(format!(
        "[1:2] [{parser}] unknown field [{field}]"
    )))
}
