//! The version of Elasticsearch that the engine answers as, and, for tests, how older ones answer.
//!
//! The engine knows one version. [`Version::refuse`] and [`Version::shape`] stand around an operation and take away
//! what an older version does not know: routes, parameters and fields are refused in its words, and fields are left
//! out of its answers. [`Feature::since`] is the one place that says which version brought what.

use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    http::{
        call::{Answer, Call, Json},
        operation::Operation,
    },
};

/// A version of Elasticsearch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

/// What came with a later version than 8.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feature {
    UpdateKey,
    BulkUpdateKeys,
    RoleDescriptorsOfKeys,
    LimitedByOfKeys,
    ReadSecurity,
    ProfileUid,
    ActiveOnly,
    TypeOfKeys,
    InvalidationOfKeys,
    Aggregations,
    ExpirationInUpdate,
    ExistsQuery,
    MatchQuery,
    SimpleQueryString,
    /// `metadata` without a path, as the field of a query.
    AnyMetadataInQuery,
    SortByType,
    TypedKeys,
    ProfileUidOfUsers,
    Restriction,
    CredentialsFirst,
    CommaInChallenge,
    RoleDescription,
    RemoteCluster,
    ManagedBy,
}

impl Feature {
    /// The version that brought it: Elasticsearch's release notes and specification.
    const fn since(self) -> Version {
        match self {
            Self::UpdateKey => Version::new(8, 4),
            // Not in the source of 7.15, in the documentation of 8.4. In between is not known: the later is assumed.
            Self::ExistsQuery => Version::new(8, 4),
            Self::BulkUpdateKeys
            | Self::RoleDescriptorsOfKeys
            | Self::LimitedByOfKeys
            | Self::ProfileUidOfUsers
            | Self::ReadSecurity => Version::new(8, 5),
            // Both by the date of the change; no release notes were seen.
            Self::Restriction | Self::CredentialsFirst => Version::new(8, 9),
            Self::ActiveOnly | Self::TypeOfKeys => Version::new(8, 10),
            Self::InvalidationOfKeys => Version::new(8, 12),
            Self::Aggregations
            | Self::ExpirationInUpdate
            | Self::MatchQuery
            | Self::SimpleQueryString
            | Self::AnyMetadataInQuery
            | Self::SortByType => Version::new(8, 13),
            Self::ProfileUid | Self::TypedKeys => Version::new(8, 14),
            Self::CommaInChallenge | Self::RoleDescription | Self::RemoteCluster => {
                Version::new(8, 15)
            }
            Self::ManagedBy => Version::new(9, 4),
        }
    }
}

impl Version {
    /// What the engine answers as, unless a test asks for an older one.
    pub const CURRENT: Self = Self::new(9, 5);

    /// A version.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// As `GET /` has it, for example `9.5.0`.
    pub(crate) fn number(self) -> String {
        format!("{}.{}.0", self.major, self.minor)
    }

    /// The Lucene inside, as `GET /` has it.
    pub(crate) const fn lucene(self) -> &'static str {
        match (self.major, self.minor) {
            (..=8, ..=4) => "9.0.0",
            (..=8, ..=12) => "9.4.1",
            (..=8, ..=18) => "9.10.0",
            (..=8, _) => "9.12.2",
            (_, 0) => "10.1.0",
            _ => "10.3.1",
        }
    }

    /// The oldest node that it shares a cluster with, and the oldest index that it reads.
    pub(crate) const fn oldest(self) -> (&'static str, &'static str) {
        match (self.major, self.minor) {
            (..=8, _) => ("7.17.0", "7.0.0"),
            (_, 0) => ("8.18.0", "8.0.0"),
            _ => ("8.19.0", "8.0.0"),
        }
    }

    /// Returns true if credentials are checked before path and method.
    pub(crate) fn checks_credentials_first(self) -> bool {
        self.has(Feature::CredentialsFirst)
    }

    /// Returns true if it has the cluster privilege called `name`, which is one of the engine's.
    pub(crate) fn has_cluster_privilege(self, name: &str) -> bool {
        // Since when there are others is not recorded.
        name != "read_security" || self.has(Feature::ReadSecurity)
    }

    /// Returns true if `Basic realm="security"` is followed by a comma.
    pub(crate) fn has_comma_in_challenge(self) -> bool {
        self.has(Feature::CommaInChallenge)
    }

    fn has(self, feature: Feature) -> bool {
        self >= feature.since()
    }

    /// Refuses what this version does not know, as it would.
    pub(crate) fn refuse(
        self,
        call: &Call<'_>,
        operation: Operation,
        path: &str,
        uri: &str,
    ) -> Refused {
        if self == Self::CURRENT {
            return Ok(());
        }
        self.refuse_route(call, operation, uri)?;
        self.refuse_parameters(call, operation, path)?;
        self.refuse_body(call, operation)
    }

    fn refuse_route(self, call: &Call<'_>, operation: Operation, uri: &str) -> Refused {
        let needed = match operation {
            Operation::ApiKeyUpdate => Feature::UpdateKey,
            Operation::ApiKeyBulkUpdate => Feature::BulkUpdateKeys,
            _ => return Ok(()),
        };
        if self.has(needed) {
            return Ok(());
        }
        Err(ApiError::UnknownPath {
            method: call.method.to_string(),
            uri: uri.to_owned(),
        })
    }

    fn refuse_parameters(self, call: &Call<'_>, operation: Operation, path: &str) -> Refused {
        let needed = [
            ("with_limited_by", Feature::LimitedByOfKeys),
            ("active_only", Feature::ActiveOnly),
            ("typed_keys", Feature::TypedKeys),
            (
                "with_profile_uid",
                match operation {
                    Operation::UserGet => Feature::ProfileUidOfUsers,
                    _ => Feature::ProfileUid,
                },
            ),
        ];
        let known: Vec<&str> = operation
            .parameters()
            .iter()
            .copied()
            .filter(|name| {
                let feature = needed.iter().find(|(needs, _)| needs == name);
                feature.is_none_or(|(_, feature)| self.has(*feature))
            })
            .collect();
        call.parameters.check_known(path, &known)
    }

    fn refuse_body(self, call: &Call<'_>, operation: Operation) -> Refused {
        let Ok(Some(Value::Object(body))) = call.optional_json() else {
            return Ok(());
        };
        match operation {
            Operation::ApiKeyQuery => self.refuse_query(&body),
            Operation::ApiKeyUpdate | Operation::ApiKeyBulkUpdate => {
                if !self.has(Feature::ExpirationInUpdate) {
                    let parser = match operation {
                        Operation::ApiKeyUpdate => "update_api_key_request",
                        _ => "bulk_update_api_key_request",
                    };
                    refuse_field(&body, parser, "expiration")?;
                }
                self.refuse_descriptors(&body)
            }
            Operation::ApiKeyCreate => self.refuse_descriptors(&body),
            Operation::ApiKeyGrant => match body.get("api_key").and_then(Value::as_object) {
                Some(key) => self.refuse_descriptors(key),
                None => Ok(()),
            },
            Operation::RolePut => self.refuse_role(call.segment(0), &body),
            _ => Ok(()),
        }
    }

    fn refuse_descriptors(self, body: &Map<String, Value>) -> Refused {
        let descriptors = body.get("role_descriptors").and_then(Value::as_object);
        for (name, descriptor) in descriptors.into_iter().flatten() {
            let Some(descriptor) = descriptor.as_object() else {
                continue;
            };
            self.refuse_role(name, descriptor)
                .map_err(|cause| ApiError::Content {
                    reason: "[1:1] [api_key_request] failed to parse field [role_descriptors]"
                        .to_owned(),
                    cause: Some(Box::new(cause)),
                })?;
        }
        Ok(())
    }

    fn refuse_role(self, name: &str, role: &Map<String, Value>) -> Refused {
        for (field, feature) in [
            ("description", Feature::RoleDescription),
            ("remote_cluster", Feature::RemoteCluster),
            ("restriction", Feature::Restriction),
        ] {
            if !self.has(feature) && role.contains_key(field) {
                return Err(ApiError::parse(format!(
                    "failed to parse role [{name}]. unexpected field [{field}]"
                )));
            }
        }
        Ok(())
    }

    fn refuse_query(self, body: &Map<String, Value>) -> Refused {
        const PARSER: &str = "query_api_key_request_payload";
        if !self.has(Feature::Aggregations) {
            refuse_field(body, PARSER, "aggs")?;
            refuse_field(body, PARSER, "aggregations")?;
        }
        if let Some(query) = body.get("query") {
            self.refuse_query_types(query)?;
        }
        let sort = match body.get("sort") {
            Some(Value::Array(fields)) => fields.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        for field in sort {
            match field {
                Value::String(name) => self.refuse_sort(name)?,
                Value::Object(fields) => {
                    fields.keys().try_for_each(|name| self.refuse_sort(name))?
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn refuse_sort(self, name: &str) -> Refused {
        if name == "type" && !self.has(Feature::SortByType) {
            return Err(not_allowed(name));
        }
        self.refuse_query_field(name)
    }

    fn refuse_query_field(self, name: &str) -> Refused {
        let needed = match name {
            "type" => Feature::TypeOfKeys,
            "invalidation" => Feature::InvalidationOfKeys,
            "metadata" => Feature::AnyMetadataInQuery,
            _ => return Ok(()),
        };
        if self.has(needed) {
            return Ok(());
        }
        Err(not_allowed(name))
    }

    fn refuse_query_types(self, query: &Value) -> Refused {
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
                                    self.refuse_query_types(clause)?;
                                }
                            }
                            clause => self.refuse_query_types(clause)?,
                        }
                    }
                    continue;
                }
                _ => None,
            };
            if needed.is_some_and(|needed| !self.has(needed)) {
                return Err(ApiError::illegal(format!(
                    "Query type [{name}] is not supported for API Key query"
                )));
            }
            if name == "exists" {
                let field = inner.and_then(|inner| inner.get("field"));
                self.refuse_query_field(field.and_then(Value::as_str).unwrap_or_default())?;
            } else {
                let mut fields = inner.into_iter().flat_map(Map::keys);
                fields.try_for_each(|field| self.refuse_query_field(field))?;
            }
        }
        Ok(())
    }

    /// Takes out of an answer what this version does not tell.
    pub(crate) fn shape(self, operation: Operation, answer: &mut Answer) {
        if self == Self::CURRENT {
            return;
        }
        let Json::Value(body) = &mut answer.body else {
            return;
        };
        match operation {
            Operation::ApiKeyGet | Operation::ApiKeyQuery => {
                let keys = body.get_mut("api_keys").and_then(Value::as_array_mut);
                for key in keys.into_iter().flatten().filter_map(Value::as_object_mut) {
                    self.shape_key(key);
                }
            }
            Operation::RoleGet if !self.has(Feature::RoleDescription) => {
                let roles = body.as_object_mut().into_iter().flat_map(Map::values_mut);
                for role in roles.filter_map(Value::as_object_mut) {
                    role.remove("description");
                }
            }
            Operation::Authenticate if !self.has(Feature::ManagedBy) => {
                if let Some(key) = body.get_mut("api_key").and_then(Value::as_object_mut) {
                    key.remove("managed_by");
                }
            }
            _ => {}
        }
    }

    fn shape_key(self, key: &mut Map<String, Value>) {
        for (field, feature) in [
            ("role_descriptors", Feature::RoleDescriptorsOfKeys),
            ("limited_by", Feature::LimitedByOfKeys),
            ("type", Feature::TypeOfKeys),
            ("invalidation", Feature::InvalidationOfKeys),
            ("realm_type", Feature::ProfileUid),
            ("profile_uid", Feature::ProfileUid),
        ] {
            if !self.has(feature) {
                key.remove(field);
            }
        }
    }
}

type Refused = Result<(), ApiError>;

/// Before 8.15 fields are "not allowed for API Key query", since then "for querying or aggregation".
fn not_allowed(field: &str) -> ApiError {
    ApiError::illegal(format!("Field [{field}] is not allowed for API Key query"))
}

fn refuse_field(body: &Map<String, Value>, parser: &str, field: &str) -> Refused {
    if !body.contains_key(field) {
        return Ok(());
    }
    Err(ApiError::content(format!(
        "[1:2] [{parser}] unknown field [{field}]"
    )))
}
