//! Identities: users and API keys, their realms, and the caller of a request.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::roles::permission::Permission;

/// Where an identity comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    pub(crate) name: String,
    pub(crate) kind: String,
}

impl Realm {
    fn new(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// Users that people made.
    pub(crate) fn native() -> Self {
        Self::new("default_native", "native")
    }

    /// Users that are part of Elasticsearch.
    pub(crate) fn reserved() -> Self {
        Self::new("reserved", "reserved")
    }

    /// API keys.
    pub(crate) fn api_key() -> Self {
        Self::new("_es_api_key", "_es_api_key")
    }

    fn to_json(&self) -> Value {
        json!({ "name": self.name, "type": self.kind })
    }
}

/// How a caller proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    Password,
    ApiKey { id: String, name: String },
    Token,
}

/// Someone who can act: a user or an API key, with what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// For an API key: the name of the user who made it.
    pub(crate) username: String,
    pub(crate) realm: Realm,
    pub(crate) roles: Vec<String>,
    /// The roles among them that do not exist.
    pub(crate) missing_roles: Vec<String>,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) credential: CredentialKind,
    pub(crate) permission: Permission,
}

impl Subject {
    /// What the credentials of the subject name it by.
    pub(crate) fn principal(&self) -> &str {
        match &self.credential {
            CredentialKind::Password => &self.username,
            CredentialKind::ApiKey { id, .. } => id,
            CredentialKind::Token => "_bearer_token",
        }
    }

    /// The id of the key, when the subject is one.
    pub(crate) fn api_key_id(&self) -> Option<&str> {
        match &self.credential {
            CredentialKind::ApiKey { id, .. } => Some(id),
            CredentialKind::Password | CredentialKind::Token => None,
        }
    }
}

/// Who a request acts as.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The one whose rights count.
    pub(crate) subject: Arc<Subject>,
    /// The one who authenticated, when they act as someone else.
    pub(crate) on_behalf: Option<Arc<Subject>>,
}

impl Caller {
    /// The answer to `_authenticate`, also part of a token's answer.
    pub(crate) fn to_json(&self) -> Value {
        let subject = &self.subject;
        let authenticated = self.on_behalf.as_ref().unwrap_or(subject);
        let (kind, key) = match &authenticated.credential {
            CredentialKind::Password => ("realm", None),
            CredentialKind::Token => ("token", None),
            CredentialKind::ApiKey { id, name } => (
                "api_key",
                Some(json!({ "id": id, "name": name, "managed_by": "elasticsearch" })),
            ),
        };
        let mut json = json!({
            "username": subject.username,
            "roles": subject.roles,
            "full_name": subject.full_name,
            "email": subject.email,
            "metadata": subject.metadata,
            "enabled": true,
            "authentication_realm": authenticated.realm.to_json(),
            "lookup_realm": subject.realm.to_json(),
            "authentication_type": kind,
        });
        if let (Some(object), Some(key)) = (json.as_object_mut(), key) {
            object.insert("api_key".to_owned(), key);
        }
        json
    }
}
