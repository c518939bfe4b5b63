//! Identities: users and API keys, their realms, and the caller of a request.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::roles::permission::Permission;

/// The source of an identity.
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

    /// Realm of users created through the API.
    pub(crate) fn native() -> Self {
        Self::new("default_native", "native")
    }

    /// Realm of Elasticsearch's reserved users.
    pub(crate) fn reserved() -> Self {
        Self::new("reserved", "reserved")
    }

    /// Realm of API keys.
    pub(crate) fn api_key() -> Self {
        Self::new("_es_api_key", "_es_api_key")
    }

    /// Returns true for the name of a realm that every engine has.
    pub(crate) fn is_built_in(name: &str) -> bool {
        let built_in = [Self::native(), Self::reserved(), Self::api_key()];
        built_in.iter().any(|realm| realm.name == name)
    }

    /// Returns true if the realm's users are stored in the engine.
    pub(crate) fn has_stored_users(&self) -> bool {
        matches!(self.kind.as_str(), "native" | "reserved")
    }

    fn to_json(&self) -> Value {
        json!({ "name": self.name, "type": self.kind })
    }
}

/// The kind of credentials that authenticated a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    Password,
    ApiKey { id: String, name: String },
    Token,
}

/// A user or an API key, with its permissions.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// For an API key, the name of its owner.
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
    /// The subject's name in its credentials.
    pub(crate) fn principal(&self) -> &str {
        match &self.credential {
            CredentialKind::Password => &self.username,
            CredentialKind::ApiKey { id, .. } => id,
            CredentialKind::Token => "_bearer_token",
        }
    }

    /// Returns true if the subject is the stored user of this name, in person or by a token.
    pub(crate) fn is_stored_user(&self, username: &str) -> bool {
        self.username == username && self.realm.has_stored_users() && self.api_key_id().is_none()
    }

    /// The key's id, if the subject is an API key.
    pub(crate) fn api_key_id(&self) -> Option<&str> {
        match &self.credential {
            CredentialKind::ApiKey { id, .. } => Some(id),
            CredentialKind::Password | CredentialKind::Token => None,
        }
    }
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The subject whose permissions count.
    pub(crate) subject: Arc<Subject>,
    /// The authenticated subject, if the request runs as another user.
    pub(crate) on_behalf: Option<Arc<Subject>>,
}

impl Caller {
    /// The response to `_authenticate`, also part of an issued token.
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
