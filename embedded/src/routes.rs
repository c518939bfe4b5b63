//! Table of all routes: what each operation is called, who may perform it, which query
//! parameters it takes, and which function handles it.

use std::{future::ready, pin::Pin};

use crate::{
    auth::{authenticate::AUTHENTICATE, authorization::GrantedBy},
    error::ApiError,
    handlers::{
        api_key_create::{create_api_key, grant_api_key},
        api_key_query::query_api_keys,
        api_key_select::{get_api_keys, invalidate_api_keys},
        api_key_update::{bulk_update_api_keys, update_api_key},
        cluster::{
            clear_cache, get_health, get_info, get_license, get_nodes_http, get_xpack_info,
            get_xpack_usage,
        },
        document_query::{query_roles, query_users},
        has_privileges::has_privileges,
        oidc::{authenticate_oidc, logout_oidc, prepare_oidc},
        roles::{
            delete_application_privileges, delete_role, delete_role_mapping,
            get_application_privileges, get_builtin_privileges, get_role_mappings, get_roles,
            put_application_privileges, put_role, put_role_mapping,
        },
        tokens::{create_token, invalidate_tokens},
        users::{
            change_password, delete_user, get_authentication, get_user_privileges, get_users,
            put_user, set_user_enabled,
        },
    },
    http::{
        request::{ApiRequest, decode},
        response::ApiResponse,
    },
};

/// A handler at work. Boxed, because some of these futures are large, and the future that waits
/// for them lives as long as the connection reads a request.
type Handling<'r> = Pin<Box<dyn Future<Output = Result<ApiResponse, ApiError>> + Send + 'r>>;

/// One operation.
pub(crate) struct Route {
    pub(crate) methods: &'static [&'static str],
    /// `{}` stands for one variable segment.
    pub(crate) paths: &'static [&'static str],
    /// Elasticsearch's name of the action, which refusals contain.
    pub(crate) action: &'static str,
    pub(crate) granted_by: GrantedBy,
    /// Query parameters beside the common ones.
    pub(crate) parameters: &'static [&'static str],
    /// False if a request with a body is refused.
    pub(crate) takes_body: bool,
    pub(crate) handler: for<'r> fn(&'r ApiRequest<'_>) -> Handling<'r>,
}

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const PUT: &[&str] = &["PUT"];
const DELETE: &[&str] = &["DELETE"];
const GET_HEAD: &[&str] = &["GET", "HEAD"];
const GET_POST: &[&str] = &["GET", "POST"];
const POST_PUT: &[&str] = &["POST", "PUT"];

const AUTHENTICATION: GrantedBy = GrantedBy::Authentication;
const SECURITY: GrantedBy = GrantedBy::Privileges(&["manage_security", "all"]);
const READ: GrantedBy = GrantedBy::Privileges(&["read_security", "manage_security", "all"]);
const READ_KEYS: GrantedBy =
    GrantedBy::Privileges(&["read_security", "manage_api_key", "manage_security", "all"]);
const KEYS: GrantedBy = GrantedBy::Privileges(&["manage_api_key", "manage_security", "all"]);
const OWN_KEYS: GrantedBy = GrantedBy::Privileges(&[
    "manage_own_api_key",
    "manage_api_key",
    "manage_security",
    "all",
]);
const GRANT: GrantedBy =
    GrantedBy::Privileges(&["grant_api_key", "manage_api_key", "manage_security", "all"]);
const TOKEN: GrantedBy = GrantedBy::Privileges(&["manage_token", "manage_security", "all"]);
const OIDC: GrantedBy = GrantedBy::Privileges(&["manage_oidc", "manage_security", "all"]);
const MONITOR: GrantedBy = GrantedBy::Privileges(&["monitor", "manage", "all"]);

/// The one action with a body that changes nothing and cannot be requested with `GET`.
const PREPARE_OIDC: &str = "cluster:admin/xpack/security/oidc/prepare";

const NONE: &[&str] = &[];
const REFRESH: &[&str] = &["refresh"];

/// The first route with the method and a matching path is taken. Routes with fixed paths come
/// before those with variable ones, and the busiest come first.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    Route {
        methods: GET_POST, paths: &["_security/user/_has_privileges", "_security/user/{}/_has_privileges"],
        action: "cluster:admin/xpack/security/user/has_privileges", granted_by: AUTHENTICATION,
        parameters: &["source", "source_content_type"], takes_body: true, handler: |request| Box::pin(has_privileges(request)),
    },
    Route {
        methods: GET, paths: &["_security/_authenticate"],
        action: AUTHENTICATE, granted_by: AUTHENTICATION,
        parameters: NONE, takes_body: false, handler: |request| done(get_authentication(request)),
    },

    Route {
        methods: GET, paths: &["_security/api_key"],
        action: "cluster:admin/xpack/security/api_key/get", granted_by: READ_KEYS,
        parameters: &["id", "name", "username", "realm_name", "owner", "with_limited_by", "active_only", "with_profile_uid"],
        takes_body: false, handler: |request| Box::pin(get_api_keys(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/api_key"],
        action: "cluster:admin/xpack/security/api_key/create", granted_by: OWN_KEYS,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(create_api_key(request)),
    },
    Route {
        methods: DELETE, paths: &["_security/api_key"],
        action: "cluster:admin/xpack/security/api_key/invalidate", granted_by: KEYS,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(invalidate_api_keys(request)),
    },
    Route {
        methods: GET_POST, paths: &["_security/_query/api_key"],
        action: "cluster:admin/xpack/security/api_key/query", granted_by: READ_KEYS,
        parameters: &["with_limited_by", "with_profile_uid", "typed_keys", "source", "source_content_type"],
        takes_body: true, handler: |request| Box::pin(query_api_keys(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/api_key/grant"],
        action: "cluster:admin/xpack/security/api_key/grant", granted_by: GRANT,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(grant_api_key(request)),
    },
    Route {
        methods: POST, paths: &["_security/api_key/_bulk_update"],
        action: "cluster:admin/xpack/security/api_key/bulk_update", granted_by: OWN_KEYS,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(bulk_update_api_keys(request)),
    },
    Route {
        methods: PUT, paths: &["_security/api_key/{}"],
        action: "cluster:admin/xpack/security/api_key/update", granted_by: OWN_KEYS,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(update_api_key(request)),
    },
    Route {
        methods: POST, paths: &["_security/api_key/{}/_clear_cache"],
        action: "cluster:admin/xpack/security/api_key/cache/clear", granted_by: SECURITY,
        parameters: NONE, takes_body: false, handler: |request| done(clear_cache(request)),
    },

    Route {
        methods: GET, paths: &["_security/role", "_security/role/{}"],
        action: "cluster:admin/xpack/security/role/get", granted_by: READ,
        parameters: NONE, takes_body: false, handler: |request| done(get_roles(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/role/{}"],
        action: "cluster:admin/xpack/security/role/put", granted_by: SECURITY,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(put_role(request)),
    },
    Route {
        methods: DELETE, paths: &["_security/role/{}"],
        action: "cluster:admin/xpack/security/role/delete", granted_by: SECURITY,
        parameters: REFRESH, takes_body: false, handler: |request| Box::pin(delete_role(request)),
    },
    Route {
        methods: GET_POST, paths: &["_security/_query/role"],
        action: "cluster:admin/xpack/security/role/query", granted_by: READ,
        parameters: &["source", "source_content_type"], takes_body: true, handler: |request| done(query_roles(request)),
    },
    Route {
        methods: GET, paths: &["_security/role_mapping", "_security/role_mapping/{}"],
        action: "cluster:admin/xpack/security/role_mapping/get", granted_by: READ,
        parameters: NONE, takes_body: false, handler: |request| Box::pin(get_role_mappings(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/role_mapping/{}"],
        action: "cluster:admin/xpack/security/role_mapping/put", granted_by: SECURITY,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(put_role_mapping(request)),
    },
    Route {
        methods: DELETE, paths: &["_security/role_mapping/{}"],
        action: "cluster:admin/xpack/security/role_mapping/delete", granted_by: SECURITY,
        parameters: REFRESH, takes_body: false, handler: |request| Box::pin(delete_role_mapping(request)),
    },

    Route {
        methods: POST_PUT, paths: &["_security/user/_password", "_security/user/{}/_password"],
        action: "cluster:admin/xpack/security/user/change_password", granted_by: SECURITY,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(change_password(request)),
    },
    Route {
        methods: GET, paths: &["_security/user/_privileges"],
        action: "cluster:admin/xpack/security/user/list_privileges", granted_by: AUTHENTICATION,
        parameters: NONE, takes_body: false, handler: |request| done(get_user_privileges(request)),
    },
    Route {
        methods: GET, paths: &["_security/user", "_security/user/{}"],
        action: "cluster:admin/xpack/security/user/get", granted_by: READ,
        parameters: &["with_profile_uid"], takes_body: false, handler: |request| Box::pin(get_users(request)),
    },
    Route {
        methods: GET_POST, paths: &["_security/_query/user"],
        action: "cluster:admin/xpack/security/user/query", granted_by: READ,
        parameters: &["with_profile_uid", "source", "source_content_type"], takes_body: true,
        handler: |request| Box::pin(query_users(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/user/{}"],
        action: "cluster:admin/xpack/security/user/put", granted_by: SECURITY,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(put_user(request)),
    },
    Route {
        methods: DELETE, paths: &["_security/user/{}"],
        action: "cluster:admin/xpack/security/user/delete", granted_by: SECURITY,
        parameters: REFRESH, takes_body: false, handler: |request| Box::pin(delete_user(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/user/{}/_enable"],
        action: "cluster:admin/xpack/security/user/set_enabled", granted_by: SECURITY,
        parameters: REFRESH, takes_body: false, handler: |request| Box::pin(set_user_enabled(request, true)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/user/{}/_disable"],
        action: "cluster:admin/xpack/security/user/set_enabled", granted_by: SECURITY,
        parameters: REFRESH, takes_body: false, handler: |request| Box::pin(set_user_enabled(request, false)),
    },

    Route {
        methods: GET, paths: &["_security/privilege/_builtin"],
        action: "cluster:admin/xpack/security/privilege/builtin/get", granted_by: READ,
        parameters: NONE, takes_body: false, handler: |request| done(get_builtin_privileges(request)),
    },
    Route {
        methods: GET, paths: &["_security/privilege", "_security/privilege/{}", "_security/privilege/{}/{}"],
        action: "cluster:admin/xpack/security/privilege/get", granted_by: READ,
        parameters: NONE, takes_body: false, handler: |request| done(get_application_privileges(request)),
    },
    Route {
        methods: POST_PUT, paths: &["_security/privilege"],
        action: "cluster:admin/xpack/security/privilege/put", granted_by: SECURITY,
        parameters: REFRESH, takes_body: true, handler: |request| Box::pin(put_application_privileges(request)),
    },
    Route {
        methods: DELETE, paths: &["_security/privilege/{}/{}"],
        action: "cluster:admin/xpack/security/privilege/delete", granted_by: SECURITY,
        parameters: REFRESH, takes_body: false, handler: |request| Box::pin(delete_application_privileges(request)),
    },
    Route {
        methods: POST, paths: &["_security/privilege/{}/_clear_cache"],
        action: "cluster:admin/xpack/security/privilege/cache/clear", granted_by: SECURITY,
        parameters: NONE, takes_body: false, handler: |request| done(clear_cache(request)),
    },

    Route {
        methods: POST, paths: &["_security/oauth2/token"],
        action: "cluster:admin/xpack/security/token/create", granted_by: TOKEN,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(create_token(request)),
    },
    Route {
        methods: DELETE, paths: &["_security/oauth2/token"],
        action: "cluster:admin/xpack/security/token/invalidate", granted_by: TOKEN,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(invalidate_tokens(request)),
    },

    Route {
        methods: POST, paths: &["_security/oidc/prepare"],
        action: PREPARE_OIDC, granted_by: OIDC,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(prepare_oidc(request)),
    },
    Route {
        methods: POST, paths: &["_security/oidc/authenticate"],
        action: "cluster:admin/xpack/security/oidc/authenticate", granted_by: OIDC,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(authenticate_oidc(request)),
    },
    Route {
        methods: POST, paths: &["_security/oidc/logout"],
        action: "cluster:admin/xpack/security/oidc/logout", granted_by: OIDC,
        parameters: NONE, takes_body: true, handler: |request| Box::pin(logout_oidc(request)),
    },

    Route {
        methods: GET_HEAD, paths: &[""],
        action: "cluster:monitor/main", granted_by: MONITOR,
        parameters: NONE, takes_body: false, handler: |request| done(get_info(request)),
    },
    Route {
        methods: GET_HEAD, paths: &["_cluster/health"],
        action: "cluster:monitor/health", granted_by: MONITOR,
        parameters: &["wait_for_status", "timeout", "master_timeout", "level", "local", "wait_for_nodes", "wait_for_active_shards", "wait_for_events", "wait_for_no_initializing_shards", "wait_for_no_relocating_shards", "expand_wildcards"],
        takes_body: false, handler: |request| done(get_health(request)),
    },
    Route {
        methods: GET, paths: &["_license"],
        action: "cluster:monitor/xpack/license/get", granted_by: MONITOR,
        parameters: &["local", "accept_enterprise"], takes_body: false, handler: |request| done(get_license(request)),
    },
    Route {
        methods: GET, paths: &["_xpack"],
        action: "cluster:monitor/xpack/info", granted_by: MONITOR,
        parameters: &["categories", "accept_enterprise"], takes_body: false, handler: |request| done(get_xpack_info(request)),
    },
    Route {
        methods: GET, paths: &["_xpack/usage"],
        action: "cluster:monitor/xpack/usage", granted_by: MONITOR,
        parameters: &["master_timeout"], takes_body: false, handler: |request| done(get_xpack_usage(request)),
    },
    Route {
        methods: GET, paths: &["_nodes/http", "_nodes/{}/http"],
        action: "cluster:monitor/nodes/info", granted_by: MONITOR,
        parameters: &["timeout", "flat_settings"], takes_body: false, handler: |request| done(get_nodes_http(request)),
    },
];

fn done<'r>(response: Result<ApiResponse, ApiError>) -> Handling<'r> {
    Box::pin(ready(response))
}

/// The route of `method` on `path`, with the path's variable segments.
///
/// # Errors
///
/// [`ApiError::UnknownPath`], [`ApiError::WrongMethod`], or a segment that cannot be decoded.
pub(crate) fn find_route(
    method: &str,
    path: &str,
    uri: &str,
) -> Result<(&'static Route, Vec<String>), ApiError> {
    for route in ROUTES {
        if route.methods.contains(&method)
            && let Some(segments) = route.segments(path)
        {
            let segments = segments
                .into_iter()
                .map(|segment| decode(segment, false))
                .collect::<Result<_, _>>()?;
            return Ok((route, segments));
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

/// The methods of all routes with this path, sorted. Empty for an unknown path.
pub(crate) fn methods(path: &str) -> Vec<&'static str> {
    let mut methods: Vec<_> = ROUTES
        .iter()
        .filter(|route| route.segments(path).is_some())
        .flat_map(|route| route.methods)
        .copied()
        .collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

impl Route {
    /// Returns true for the routes that change users, roles, role mappings, privileges, keys or tokens.
    pub(crate) fn changes(&self) -> bool {
        !self.methods.contains(&"GET")
            && !self.action.ends_with("/cache/clear")
            && self.action != PREPARE_OIDC
    }

    /// The variable segments of `path`, if it matches one of the route's paths. Slashes at its
    /// ends are ignored.
    fn segments<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let path = path.trim_matches('/');
        self.paths
            .iter()
            .find_map(|template| segments(template, path))
    }
}

fn segments<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    if template == path && !template.contains('{') {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    let mut expected = template.split('/');
    for segment in path.split('/') {
        match expected.next()? {
            "{}" if !segment.is_empty() => found.push(segment),
            literal if literal == segment => {}
            _ => return None,
        }
    }
    expected.next().is_none().then_some(found)
}
