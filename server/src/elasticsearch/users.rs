//! Users of the native realm and roles: `/_security/user` and `/_security/role`.

use super::{Connection, Error, call::CallKind};
use app::model::{problem::ElasticsearchFault, secret::Secret};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A user as Elasticsearch stores it. Holds every field, because a write replaces the whole user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUser {
    pub username: String,
    #[serde(default)]
    pub roles: Vec<String>,
    pub full_name: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(default)]
    pub enabled: bool,
}

impl StoredUser {
    /// Returns true for a built-in user such as `elastic`.
    pub fn is_reserved(&self) -> bool {
        self.metadata.get("_reserved") == Some(&Value::Bool(true))
    }
}

/// Every field of a user that a write replaces.
#[derive(Debug, Serialize)]
pub struct UserBody<'a> {
    /// Required for a new user; without it, an existing user keeps their password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<&'a Secret>,
    pub roles: &'a [String],
    pub full_name: Option<&'a str>,
    pub email: Option<&'a str>,
    pub metadata: &'a Map<String, Value>,
    pub enabled: bool,
}

/// A role mapping as Elasticsearch stores it. Holds every field, because a write replaces the whole mapping.
pub type StoredMapping = Map<String, Value>;

/// Actions of registered application privileges, by application and name.
pub type RegisteredPrivileges = BTreeMap<String, BTreeMap<String, Vec<String>>>;

#[derive(Deserialize)]
struct RegisteredPrivilege {
    #[serde(default)]
    actions: Vec<String>,
}

#[derive(Deserialize)]
struct PutUser {
    created: bool,
}

/// The answer says whether the mapping is new, which is known before.
#[derive(Deserialize)]
struct PutRoleMapping {
    #[serde(rename = "role_mapping")]
    _role_mapping: PutUser,
}

#[derive(Serialize)]
struct NewPassword<'a> {
    password: &'a Secret,
}

impl Connection {
    /// `GET /_security/user`: users of the native realm and reserved users, by name.
    #[tracing::instrument(name = "elasticsearch.user.get_all", skip_all)]
    pub async fn get_users(&self) -> Result<BTreeMap<String, StoredUser>, Error> {
        let path = ["_security", "user"];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        response.await?.read()
    }

    /// `GET /_security/user/{username}`; `None` if there is no such user.
    #[tracing::instrument(name = "elasticsearch.user.get", skip_all)]
    pub async fn get_user(&self, username: &str) -> Result<Option<StoredUser>, Error> {
        // No URL path can hold these names, so no such user can have been created.
        if matches!(username, "." | "..") {
            return Ok(None);
        }
        // Elasticsearch reads a comma as the end of one name and the start of the next.
        if username.contains(',') {
            return Ok(self.get_users().await?.remove(username));
        }
        let path = ["_security", "user", username];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        let response = response.await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut users: BTreeMap<String, StoredUser> = response.read()?;
        Ok(users.remove(username))
    }

    /// `PUT /_security/user/{username}`: returns true if the user was created, false if an existing user was replaced.
    #[tracing::instrument(name = "elasticsearch.user.put", skip_all)]
    pub async fn put_user(&self, username: &str, user: &UserBody<'_>) -> Result<bool, Error> {
        let path = ["_security", "user", username];
        let response = self.send(CallKind::Write, Method::PUT, &path, &[], Some(user));
        let put: PutUser = response.await?.read()?;
        Ok(put.created)
    }

    /// `DELETE /_security/user/{username}`: returns false if there was no such user.
    #[tracing::instrument(name = "elasticsearch.user.delete", skip_all)]
    pub async fn delete_user(&self, username: &str) -> Result<bool, Error> {
        let path = ["_security", "user", username];
        let response = self.send::<()>(CallKind::Write, Method::DELETE, &path, &[], None);
        let response = response.await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        response.success()?;
        Ok(true)
    }

    /// `PUT /_security/user/{username}/_enable` or `_disable`. Idempotent.
    #[tracing::instrument(name = "elasticsearch.user.set_enabled", skip_all)]
    pub async fn set_user_enabled(&self, username: &str, enabled: bool) -> Result<(), Error> {
        let verb = if enabled { "_enable" } else { "_disable" };
        let path = ["_security", "user", username, verb];
        let response = self.send::<()>(CallKind::Write, Method::PUT, &path, &[], None);
        response.await?.success()
    }

    /// `PUT /_security/user/{username}/_password`. The old password stops working at once.
    #[tracing::instrument(name = "elasticsearch.user.set_password", skip_all)]
    pub async fn set_user_password(&self, username: &str, password: &Secret) -> Result<(), Error> {
        let path = ["_security", "user", username, "_password"];
        let body = NewPassword { password };
        let response = self.send(CallKind::Write, Method::PUT, &path, &[], Some(&body));
        response.await?.success()
    }

    /// `POST /_security/user/_password`: changes the password of the caller.
    #[tracing::instrument(name = "elasticsearch.user.set_own_password", skip_all)]
    pub async fn set_own_password(&self, password: &Secret) -> Result<(), Error> {
        let path = ["_security", "user", "_password"];
        let body = NewPassword { password };
        let response = self.send(CallKind::Write, Method::POST, &path, &[], Some(&body));
        response.await?.success()
    }

    /// `GET /_security/role/{name}`: the role descriptor; `None` if there is no such role.
    #[tracing::instrument(name = "elasticsearch.role.get", skip_all)]
    pub async fn get_role(&self, name: &str) -> Result<Option<Value>, Error> {
        let path = ["_security", "role", name];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        let response = response.await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut roles: BTreeMap<String, Map<String, Value>> = response.read()?;
        Ok(roles.remove(name).map(Value::Object))
    }

    /// `PUT /_security/role/{name}`: creates the role, or replaces its descriptor.
    #[tracing::instrument(name = "elasticsearch.role.put", skip_all)]
    pub async fn put_role(&self, name: &str, descriptor: &Value) -> Result<(), Error> {
        let path = ["_security", "role", name];
        let response = self.send(CallKind::Write, Method::PUT, &path, &[], Some(descriptor));
        response.await?.success()
    }

    /// `GET /_security/role_mapping`: all role mappings, by name.
    #[tracing::instrument(name = "elasticsearch.role_mapping.get_all", skip_all)]
    pub async fn get_role_mappings(&self) -> Result<BTreeMap<String, StoredMapping>, Error> {
        let path = ["_security", "role_mapping"];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        response.await?.read()
    }

    /// `PUT /_security/role_mapping/{name}`: creates the mapping, or replaces it.
    #[tracing::instrument(name = "elasticsearch.role_mapping.put", skip_all)]
    pub async fn put_role_mapping(&self, name: &str, mapping: &StoredMapping) -> Result<(), Error> {
        let path = ["_security", "role_mapping", name];
        let response = self.send(CallKind::Write, Method::PUT, &path, &[], Some(mapping));
        response.await?.read::<PutRoleMapping>()?;
        Ok(())
    }

    /// `DELETE /_security/role_mapping/{name}`: returns false if there was no such mapping.
    #[tracing::instrument(name = "elasticsearch.role_mapping.delete", skip_all)]
    pub async fn delete_role_mapping(&self, name: &str) -> Result<bool, Error> {
        let path = ["_security", "role_mapping", name];
        let response = self.send::<()>(CallKind::Write, Method::DELETE, &path, &[], None);
        let response = response.await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        response.success()?;
        Ok(true)
    }

    /// `GET /_security/privilege/{application}`: registered privileges of the application. None on Serverless, which
    /// does not show them, and for a user who may not see them.
    #[tracing::instrument(name = "elasticsearch.privilege.get", skip_all)]
    pub async fn registered_privileges(
        &self,
        application: &str,
    ) -> Result<RegisteredPrivileges, Error> {
        let path = ["_security", "privilege", application];
        let response = self.send::<()>(CallKind::Read, Method::GET, &path, &[], None);
        let response = response.await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(BTreeMap::new());
        }
        let read = response.read::<BTreeMap<String, BTreeMap<String, RegisteredPrivilege>>>();
        let registered = match read {
            Err(
                Error::Forbidden { .. }
                | Error::Fault {
                    fault: ElasticsearchFault::NotOnServerless,
                    ..
                },
            ) => return Ok(BTreeMap::new()),
            registered => registered?,
        };
        let of_application = |privileges: BTreeMap<String, RegisteredPrivilege>| {
            let actions = privileges.into_iter();
            actions
                .map(|(name, privilege)| (name, privilege.actions))
                .collect()
        };
        let applications = registered.into_iter();
        Ok(applications
            .map(|(application, privileges)| (application, of_application(privileges)))
            .collect())
    }
}
