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
    MatchQuery,
    SimpleQueryString,
    TypedKeys,
    CommaInChallenge,
    RoleDescription,
    ManagedBy,
}

impl Feature {
    /// The version that brought it: Elasticsearch's release notes and specification.
    const fn since(self) -> Version {
        match self {
            Self::UpdateKey => Version::new(8, 4),
            Self::BulkUpdateKeys
            | Self::RoleDescriptorsOfKeys
            | Self::LimitedByOfKeys
            | Self::ReadSecurity => Version::new(8, 5),
            Self::ActiveOnly | Self::TypeOfKeys => Version::new(8, 10),
            Self::InvalidationOfKeys => Version::new(8, 12),
            Self::Aggregations
            | Self::ExpirationInUpdate
            | Self::MatchQuery
            | Self::SimpleQueryString => Version::new(8, 13),
            Self::ProfileUid | Self::TypedKeys => Version::new(8, 14),
            Self::CommaInChallenge | Self::RoleDescription => Version::new(8, 15),
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

    /// Returns true if `Basic realm="security"` is followed by a comma.
    pub(crate) fn has_comma_in_challenge(self) -> bool {
        self.has(Feature::CommaInChallenge)
    }

    fn has(self, feature: Feature) -> bool {
        self >= feature.since()
    }

    /// Refuses what this version does not know, as it would.
    pub(crate) fn refuse(self, call: &Call<'_>, operation: Operation, path: &str) -> Refused {
        if self == Self::CURRENT {
            return Ok(());
        }
        self.refuse_route(call, operation, path)?;
        self.refuse_parameters(call, operation, path)?;
        self.refuse_body(call, operation)
    }

    fn refuse_route(self, call: &Call<'_>, operation: Operation, path: &str) -> Refused {
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
            uri: path.to_owned(),
        })
    }

    fn refuse_parameters(self, call: &Call<'_>, operation: Operation, path: &str) -> Refused {
        let needed = [
            ("with_limited_by", Feature::LimitedByOfKeys),
            ("active_only", Feature::ActiveOnly),
            ("typed_keys", Feature::TypedKeys),
            ("with_profile_uid", Feature::ProfileUid),
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
            Operation::ApiKeyUpdate if !self.has(Feature::ExpirationInUpdate) => {
                refuse_field(&body, "update_api_key_request", "expiration")
            }
            Operation::ApiKeyBulkUpdate if !self.has(Feature::ExpirationInUpdate) => {
                refuse_field(&body, "bulk_update_api_key_request", "expiration")
            }
            Operation::RolePut => {
                if !self.has(Feature::RoleDescription) && body.contains_key("description") {
                    let name = call.segment(0);
                    return Err(ApiError::parse(format!(
                        "failed to parse role [{name}]. unexpected field [description]"
                    )));
                }
                self.refuse_privileges(&body)
            }
            Operation::HasPrivileges => self.refuse_privileges(&body),
            _ => Ok(()),
        }
    }

    fn refuse_query(self, body: &Map<String, Value>) -> Refused {
        const PARSER: &str = "query_api_key_request_payload";
        if !self.has(Feature::Aggregations) {
            refuse_field(body, PARSER, "aggs")?;
            refuse_field(body, PARSER, "aggregations")?;
        }
        match body.get("query") {
            Some(query) => self.refuse_query_types(query),
            None => Ok(()),
        }
    }

    fn refuse_query_types(self, query: &Value) -> Refused {
        for (name, inner) in query.as_object().into_iter().flatten() {
            let needed = match name.as_str() {
                "match" => Feature::MatchQuery,
                "simple_query_string" => Feature::SimpleQueryString,
                "bool" => {
                    for clauses in inner.as_object().into_iter().flat_map(Map::values) {
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
                _ => continue,
            };
            if !self.has(needed) {
                return Err(ApiError::illegal(format!(
                    "Query type [{name}] is not supported for API Key query"
                )));
            }
        }
        Ok(())
    }

    fn refuse_privileges(self, body: &Map<String, Value>) -> Refused {
        let cluster = body.get("cluster").and_then(Value::as_array);
        let asks = cluster.is_some_and(|names| names.iter().any(|name| name == "read_security"));
        if self.has(Feature::ReadSecurity) || !asks {
            return Ok(());
        }
        Err(ApiError::illegal(
            "unknown cluster privilege [read_security]. a privilege must be either one of the predefined cluster privilege names [all,manage,manage_api_key,manage_own_api_key,manage_security,monitor,none] or a pattern over one of the available cluster actions",
        ))
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

fn refuse_field(body: &Map<String, Value>, parser: &str, field: &str) -> Refused {
    if !body.contains_key(field) {
        return Ok(());
    }
    Err(ApiError::content(format!(
        "[1:2] [{parser}] unknown field [{field}]"
    )))
}
