//! The menu: every path, what can be done there, and by which method.

use super::{
    operation::Operation::{self, *},
    parameters::decode,
};
use crate::error::ApiError;

/// A path and what can be done there. `{}` stands for one variable part.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) operations: &'static [(&'static str, Operation)],
}

const fn route(path: &'static str, operations: &'static [(&'static str, Operation)]) -> Route {
    Route { path, operations }
}

/// Fixed parts come before variable ones, and the busiest paths first.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    route("_security/user/_has_privileges", &[("GET", HasPrivileges), ("POST", HasPrivileges)]),
    route("_security/_authenticate", &[("GET", Authenticate)]),

    route("_security/api_key", &[("GET", ApiKeyGet), ("POST", ApiKeyCreate), ("PUT", ApiKeyCreate), ("DELETE", ApiKeyInvalidate)]),
    route("_security/_query/api_key", &[("GET", ApiKeyQuery), ("POST", ApiKeyQuery)]),
    route("_security/api_key/grant", &[("POST", ApiKeyGrant), ("PUT", ApiKeyGrant)]),
    route("_security/api_key/_bulk_update", &[("POST", ApiKeyBulkUpdate)]),
    route("_security/api_key/{}", &[("PUT", ApiKeyUpdate)]),
    route("_security/api_key/{}/_clear_cache", &[("POST", ApiKeyClearCache)]),

    route("_security/role", &[("GET", RoleGet)]),
    route("_security/role/{}", &[("GET", RoleGet), ("POST", RolePut), ("PUT", RolePut), ("DELETE", RoleDelete)]),
    route("_security/role_mapping", &[("GET", RoleMappingGet)]),
    route("_security/role_mapping/{}", &[("GET", RoleMappingGet), ("POST", RoleMappingPut), ("PUT", RoleMappingPut), ("DELETE", RoleMappingDelete)]),

    route("_security/user", &[("GET", UserGet)]),
    route("_security/user/_password", &[("POST", UserChangePassword), ("PUT", UserChangePassword)]),
    route("_security/user/_privileges", &[("GET", UserListPrivileges)]),
    route("_security/user/{}", &[("GET", UserGet), ("POST", UserPut), ("PUT", UserPut), ("DELETE", UserDelete)]),
    route("_security/user/{}/_has_privileges", &[("GET", HasPrivileges), ("POST", HasPrivileges)]),
    route("_security/user/{}/_password", &[("POST", UserChangePassword), ("PUT", UserChangePassword)]),
    route("_security/user/{}/_enable", &[("POST", UserEnable), ("PUT", UserEnable)]),
    route("_security/user/{}/_disable", &[("POST", UserDisable), ("PUT", UserDisable)]),

    route("_security/privilege", &[("GET", PrivilegeGet), ("POST", PrivilegePut), ("PUT", PrivilegePut)]),
    route("_security/privilege/_builtin", &[("GET", PrivilegeBuiltin)]),
    route("_security/privilege/{}", &[("GET", PrivilegeGet)]),
    route("_security/privilege/{}/_clear_cache", &[("POST", PrivilegeClearCache)]),
    route("_security/privilege/{}/{}", &[("GET", PrivilegeGet), ("DELETE", PrivilegeDelete)]),

    route("_security/oauth2/token", &[("POST", TokenCreate), ("DELETE", TokenInvalidate)]),

    route("", &[("GET", Info), ("HEAD", Info)]),
    route("_cluster/health", &[("GET", Health), ("HEAD", Health)]),
    route("_license", &[("GET", License)]),
    route("_xpack", &[("GET", Xpack)]),
    route("_xpack/usage", &[("GET", XpackUsage)]),
    route("_nodes/http", &[("GET", NodesHttp)]),
    route("_nodes/{}/http", &[("GET", NodesHttp)]),
];

/// The operation that `method` on `path` asks for, with the path's variable parts.
pub(crate) fn find(
    method: &str,
    path: &str,
    uri: &str,
) -> Result<(Operation, Vec<String>), ApiError> {
    // A slash at the end means the same.
    let trimmed = path.trim_matches('/');
    for route in ROUTES {
        let Some(parts) = parts(route.path, trimmed) else {
            continue;
        };
        for (known, operation) in route.operations {
            if *known == method {
                let parts = parts
                    .into_iter()
                    .map(|part| decode(part, false))
                    .collect::<Result<_, _>>()?;
                return Ok((*operation, parts));
            }
        }
    }
    let allowed = methods(path);
    if allowed.is_empty() {
        return Err(ApiError::UnknownPath {
            method: method.to_owned(),
            uri: uri.to_owned(),
        });
    }
    Err(ApiError::WrongMethod {
        method: method.to_owned(),
        uri: uri.to_owned(),
        allowed,
    })
}

/// The methods that a path takes; empty when there is no such path.
pub(crate) fn methods(path: &str) -> Vec<&'static str> {
    let trimmed = path.trim_matches('/');
    let routes = ROUTES
        .iter()
        .filter(|route| parts(route.path, trimmed).is_some());
    let mut methods: Vec<_> = routes
        .flat_map(|route| route.operations.iter().map(|(method, _)| *method))
        .collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// The variable parts of `path`, if it has the form of `template`.
fn parts<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    if template == path && !template.contains('{') {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    let mut expected = template.split('/');
    for part in path.split('/') {
        match expected.next()? {
            "{}" if !part.is_empty() => found.push(part),
            literal if literal == part => {}
            _ => return None,
        }
    }
    expected.next().is_none().then_some(found)
}
