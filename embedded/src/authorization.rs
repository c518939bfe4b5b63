//! Who may do what. This is the only place that decides it.

use crate::{
    authentication::{Caller, Realm, Subject},
    error::ApiError,
    store::sql::Sql,
};

/// Something a caller can ask to be done, as Elasticsearch names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    ApiKeyCreate,
    ApiKeyGrant,
    ApiKeyGet,
    ApiKeyQuery,
    ApiKeyUpdate,
    ApiKeyBulkUpdate,
    ApiKeyInvalidate,
    ApiKeyClearCache,
    RolePut,
    RoleGet,
    RoleDelete,
    RoleMappingPut,
    RoleMappingGet,
    RoleMappingDelete,
    UserPut,
    UserGet,
    UserDelete,
    UserSetEnabled,
    UserChangePassword,
    UserAuthenticate,
    UserHasPrivileges,
    UserListPrivileges,
    PrivilegePut,
    PrivilegeGet,
    PrivilegeDelete,
    PrivilegeBuiltin,
    PrivilegeClearCache,
    TokenCreate,
    TokenInvalidate,
    Main,
    Health,
    License,
    XpackInfo,
    XpackUsage,
    NodesInfo,
}

/// Who an action is granted by.
pub(crate) enum Rule {
    /// The cluster privileges that cover the action. The list is what a refusal names.
    Cluster(&'static [&'static str]),
    /// Those, and `manage_own_api_key` as far as the caller's own keys are concerned.
    ClusterOrOwnKeys(&'static [&'static str]),
    /// Everyone who authenticated.
    Anyone,
}

impl Action {
    /// The action's name and rule: the authorization matrix.
    #[rustfmt::skip]
    pub(crate) const fn row(self) -> (&'static str, Rule) {
        use Rule::{Anyone, Cluster, ClusterOrOwnKeys};
        const SECURITY: &[&str] = &["manage_security", "all"];
        const READ: &[&str] = &["read_security", "manage_security", "all"];
        const READ_KEYS: &[&str] = &["read_security", "manage_api_key", "manage_security", "all"];
        const KEYS: &[&str] = &["manage_api_key", "manage_security", "all"];
        const OWN_KEYS: &[&str] = &["manage_own_api_key", "manage_api_key", "manage_security", "all"];
        const GRANT: &[&str] = &["grant_api_key", "manage_api_key", "manage_security", "all"];
        const TOKEN: &[&str] = &["manage_token", "manage_security", "all"];
        const MONITOR: &[&str] = &["monitor", "manage", "all"];
        match self {
            Self::ApiKeyCreate => ("cluster:admin/xpack/security/api_key/create", Cluster(OWN_KEYS)),
            Self::ApiKeyGrant => ("cluster:admin/xpack/security/api_key/grant", Cluster(GRANT)),
            Self::ApiKeyGet => ("cluster:admin/xpack/security/api_key/get", ClusterOrOwnKeys(READ_KEYS)),
            Self::ApiKeyQuery => ("cluster:admin/xpack/security/api_key/query", ClusterOrOwnKeys(READ_KEYS)),
            Self::ApiKeyUpdate => ("cluster:admin/xpack/security/api_key/update", Cluster(OWN_KEYS)),
            Self::ApiKeyBulkUpdate => ("cluster:admin/xpack/security/api_key/bulk_update", Cluster(OWN_KEYS)),
            Self::ApiKeyInvalidate => ("cluster:admin/xpack/security/api_key/invalidate", ClusterOrOwnKeys(KEYS)),
            Self::ApiKeyClearCache => ("cluster:admin/xpack/security/api_key/cache/clear", Cluster(SECURITY)),
            Self::RolePut => ("cluster:admin/xpack/security/role/put", Cluster(SECURITY)),
            Self::RoleGet => ("cluster:admin/xpack/security/role/get", Cluster(READ)),
            Self::RoleDelete => ("cluster:admin/xpack/security/role/delete", Cluster(SECURITY)),
            Self::RoleMappingPut => ("cluster:admin/xpack/security/role_mapping/put", Cluster(SECURITY)),
            Self::RoleMappingGet => ("cluster:admin/xpack/security/role_mapping/get", Cluster(READ)),
            Self::RoleMappingDelete => ("cluster:admin/xpack/security/role_mapping/delete", Cluster(SECURITY)),
            Self::UserPut => ("cluster:admin/xpack/security/user/put", Cluster(SECURITY)),
            Self::UserGet => ("cluster:admin/xpack/security/user/get", Cluster(READ)),
            Self::UserDelete => ("cluster:admin/xpack/security/user/delete", Cluster(SECURITY)),
            Self::UserSetEnabled => ("cluster:admin/xpack/security/user/set_enabled", Cluster(SECURITY)),
            Self::UserChangePassword => ("cluster:admin/xpack/security/user/change_password", Cluster(SECURITY)),
            Self::UserAuthenticate => ("cluster:admin/xpack/security/user/authenticate", Anyone),
            Self::UserHasPrivileges => ("cluster:admin/xpack/security/user/has_privileges", Anyone),
            Self::UserListPrivileges => ("cluster:admin/xpack/security/user/list_privileges", Anyone),
            Self::PrivilegePut => ("cluster:admin/xpack/security/privilege/put", Cluster(SECURITY)),
            Self::PrivilegeGet => ("cluster:admin/xpack/security/privilege/get", Cluster(READ)),
            Self::PrivilegeDelete => ("cluster:admin/xpack/security/privilege/delete", Cluster(SECURITY)),
            Self::PrivilegeBuiltin => ("cluster:admin/xpack/security/privilege/builtin/get", Cluster(READ)),
            Self::PrivilegeClearCache => ("cluster:admin/xpack/security/privilege/cache/clear", Cluster(SECURITY)),
            Self::TokenCreate => ("cluster:admin/xpack/security/token/create", Cluster(TOKEN)),
            Self::TokenInvalidate => ("cluster:admin/xpack/security/token/invalidate", Cluster(TOKEN)),
            Self::Main => ("cluster:monitor/main", Cluster(MONITOR)),
            Self::Health => ("cluster:monitor/health", Cluster(MONITOR)),
            Self::License => ("cluster:monitor/xpack/license/get", Cluster(MONITOR)),
            Self::XpackInfo => ("cluster:monitor/xpack/info", Cluster(MONITOR)),
            Self::XpackUsage => ("cluster:monitor/xpack/usage", Cluster(MONITOR)),
            Self::NodesInfo => ("cluster:monitor/nodes/info", Cluster(MONITOR)),
        }
    }

    /// The action's name.
    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }
}

/// Which keys a request speaks of.
#[derive(Default)]
pub(crate) struct KeyScope<'a> {
    /// The caller's own, by the `owner` flag.
    pub(crate) owner: bool,
    pub(crate) username: Option<&'a str>,
    pub(crate) realm_name: Option<&'a str>,
    pub(crate) ids: &'a [String],
    pub(crate) with_limited_by: bool,
}

/// How far a permission on keys reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everybody's keys.
    All,
    /// The caller's own.
    Own,
}

/// Allows the caller to do `action`, or says why not.
pub(crate) fn authorize(caller: &Caller, action: Action) -> Result<(), ApiError> {
    let allowed = match action.row().1 {
        Rule::Anyone => true,
        Rule::Cluster(_) | Rule::ClusterOrOwnKeys(_) => {
            caller.subject.permission.allows_action(action.name())
        }
    };
    allowed.then_some(()).ok_or_else(|| refusal(caller, action))
}

/// Allows the caller to do `action` to the keys in `scope`, or says why not.
///
/// For a query the scope is what the caller may see rather than what was asked for, so
/// `manage_own_api_key` answers [`Reach::Own`] instead of refusing.
pub(crate) fn authorize_keys(
    caller: &Caller,
    action: Action,
    scope: &KeyScope<'_>,
) -> Result<Reach, ApiError> {
    const OWN: &str = "manage_own_api_key";
    let subject = &caller.subject;
    let permission = &subject.permission;
    if permission.allows_action_without(action.name(), OWN) {
        return Ok(Reach::All);
    }
    let own_id = subject.api_key_id();
    let itself =
        own_id.is_some_and(|own| !scope.ids.is_empty() && scope.ids.iter().all(|id| id == own));
    let manages_own = permission.allows_action(action.name());
    // A key that could read its own limits would learn what its owner holds.
    let limits_hidden = own_id.is_some() && scope.with_limited_by;
    let own = match action {
        Action::ApiKeyQuery => manages_own,
        // Every key may look at itself.
        Action::ApiKeyGet if itself => true,
        _ => {
            let named = own_id.is_none()
                && scope.username == Some(subject.username.as_str())
                && scope.realm_name == Some(subject.realm.name.as_str());
            manages_own && (scope.owner || named || itself)
        }
    };
    if own && !limits_hidden {
        return Ok(Reach::Own);
    }
    Err(refusal(caller, action))
}

/// Selects the keys that are the caller's own: a user's, or, for a key, only itself.
pub(crate) fn own_keys(caller: &Caller) -> Sql {
    let subject = &caller.subject;
    let mut sql = Sql::default();
    match subject.api_key_id() {
        Some(id) => sql.push("id = ").text(id),
        None => sql
            .push("(username = ")
            .text(subject.username.clone())
            .push(" AND realm_name = ")
            .text(subject.realm.name.clone())
            .push(")"),
    };
    sql
}

/// Whether a key of `username` in `realm` is the caller's own.
pub(crate) fn owns(caller: &Caller, username: &str, realm: &Realm) -> bool {
    caller.subject.username == username && caller.subject.realm.name == realm.name
}

/// Why the caller may not do `action`.
pub(crate) fn refusal(caller: &Caller, action: Action) -> ApiError {
    let subject = &caller.subject;
    let name = action.name();
    let who = match &caller.on_behalf {
        Some(by) => format!("{} run as [{}]", describe(by), subject.username),
        None => describe(subject),
    };
    let roles = describe_roles(subject);
    let granted_by = match action.row().1 {
        Rule::Cluster(privileges) | Rule::ClusterOrOwnKeys(privileges) => format!(
            ", this action is granted by the cluster privileges [{}]",
            privileges.join(",")
        ),
        Rule::Anyone => String::new(),
    };
    ApiError::Unauthorized(format!(
        "action [{name}] is unauthorized for {who}{roles}{granted_by}"
    ))
}

/// A subject as refusals name it.
pub(crate) fn describe(subject: &Subject) -> String {
    match subject.api_key_id() {
        Some(id) => format!("API key id [{id}] of user [{}]", subject.username),
        None => format!("user [{}]", subject.username),
    }
}

/// The roles of a subject as refusals list them. A key has none.
pub(crate) fn describe_roles(subject: &Subject) -> String {
    if subject.api_key_id().is_some() {
        return String::new();
    }
    let mut held: Vec<&str> = subject
        .roles
        .iter()
        .filter(|role| !subject.missing_roles.contains(role))
        .map(String::as_str)
        .collect();
    held.sort_unstable();
    let mut text = format!(" with effective roles [{}]", held.join(","));
    if !subject.missing_roles.is_empty() {
        text.push_str(&format!(
            " (assigned roles [{}] were not found)",
            subject.missing_roles.join(",")
        ));
    }
    text
}
