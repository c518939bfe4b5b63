//! Everything that can be asked for: its place in the authorization matrix, its parameters,
//! and the file that does it.

use super::call::{Answer, Call};
use crate::{
    api_key, application_privilege, authorization::Action, cluster, error::ApiError, role,
    role_mapping, subject, token, user,
};

/// Something that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
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
    UserEnable,
    UserDisable,
    UserChangePassword,
    Authenticate,
    HasPrivileges,
    UserListPrivileges,
    PrivilegePut,
    PrivilegeGet,
    PrivilegeDelete,
    PrivilegeBuiltin,
    PrivilegeClearCache,
    TokenCreate,
    TokenInvalidate,
    Info,
    Health,
    License,
    Xpack,
    XpackUsage,
    NodesHttp,
}

impl Operation {
    /// The row of the authorization matrix that decides about it.
    pub(crate) const fn action(self) -> Action {
        match self {
            Self::ApiKeyCreate => Action::ApiKeyCreate,
            Self::ApiKeyGrant => Action::ApiKeyGrant,
            Self::ApiKeyGet => Action::ApiKeyGet,
            Self::ApiKeyQuery => Action::ApiKeyQuery,
            Self::ApiKeyUpdate => Action::ApiKeyUpdate,
            Self::ApiKeyBulkUpdate => Action::ApiKeyBulkUpdate,
            Self::ApiKeyInvalidate => Action::ApiKeyInvalidate,
            Self::ApiKeyClearCache => Action::ApiKeyClearCache,
            Self::RolePut => Action::RolePut,
            Self::RoleGet => Action::RoleGet,
            Self::RoleDelete => Action::RoleDelete,
            Self::RoleMappingPut => Action::RoleMappingPut,
            Self::RoleMappingGet => Action::RoleMappingGet,
            Self::RoleMappingDelete => Action::RoleMappingDelete,
            Self::UserPut => Action::UserPut,
            Self::UserGet => Action::UserGet,
            Self::UserDelete => Action::UserDelete,
            Self::UserEnable | Self::UserDisable => Action::UserSetEnabled,
            Self::UserChangePassword => Action::UserChangePassword,
            Self::Authenticate => Action::UserAuthenticate,
            Self::HasPrivileges => Action::UserHasPrivileges,
            Self::UserListPrivileges => Action::UserListPrivileges,
            Self::PrivilegePut => Action::PrivilegePut,
            Self::PrivilegeGet => Action::PrivilegeGet,
            Self::PrivilegeDelete => Action::PrivilegeDelete,
            Self::PrivilegeBuiltin => Action::PrivilegeBuiltin,
            Self::PrivilegeClearCache => Action::PrivilegeClearCache,
            Self::TokenCreate => Action::TokenCreate,
            Self::TokenInvalidate => Action::TokenInvalidate,
            Self::Info => Action::Main,
            Self::Health => Action::Health,
            Self::License => Action::License,
            Self::Xpack => Action::XpackInfo,
            Self::XpackUsage => Action::XpackUsage,
            Self::NodesHttp => Action::NodesInfo,
        }
    }

    /// The query parameters it understands beside the common ones.
    pub(crate) const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::ApiKeyGet => &[
                "id",
                "name",
                "username",
                "realm_name",
                "owner",
                "with_limited_by",
                "active_only",
                "with_profile_uid",
            ],
            Self::ApiKeyQuery => &[
                "with_limited_by",
                "with_profile_uid",
                "typed_keys",
                "source",
                "source_content_type",
            ],
            Self::ApiKeyCreate
            | Self::ApiKeyGrant
            | Self::RolePut
            | Self::RoleDelete
            | Self::RoleMappingPut
            | Self::RoleMappingDelete
            | Self::UserPut
            | Self::UserDelete
            | Self::UserEnable
            | Self::UserDisable
            | Self::UserChangePassword
            | Self::PrivilegePut
            | Self::PrivilegeDelete => &["refresh"],
            Self::UserGet => &["with_profile_uid"],
            Self::HasPrivileges => &["source", "source_content_type"],
            Self::Health => &[
                "wait_for_status",
                "timeout",
                "master_timeout",
                "level",
                "local",
                "wait_for_nodes",
                "wait_for_active_shards",
                "wait_for_events",
                "wait_for_no_initializing_shards",
                "wait_for_no_relocating_shards",
                "expand_wildcards",
            ],
            Self::License => &["local", "accept_enterprise"],
            Self::Xpack => &["categories", "accept_enterprise"],
            Self::XpackUsage => &["master_timeout"],
            Self::NodesHttp => &["timeout", "flat_settings"],
            Self::ApiKeyUpdate
            | Self::ApiKeyBulkUpdate
            | Self::ApiKeyInvalidate
            | Self::ApiKeyClearCache
            | Self::RoleGet
            | Self::RoleMappingGet
            | Self::Authenticate
            | Self::UserListPrivileges
            | Self::PrivilegeGet
            | Self::PrivilegeBuiltin
            | Self::PrivilegeClearCache
            | Self::TokenCreate
            | Self::TokenInvalidate
            | Self::Info => &[],
        }
    }

    /// Does it.
    pub(crate) async fn run(self, call: &Call<'_>) -> Result<Answer, ApiError> {
        match self {
            Self::ApiKeyCreate => api_key::create::handle(call).await,
            Self::ApiKeyGrant => api_key::grant::handle(call).await,
            Self::ApiKeyGet => api_key::get::handle(call).await,
            Self::ApiKeyQuery => api_key::query::handle(call).await,
            Self::ApiKeyUpdate => api_key::update::handle(call).await,
            Self::ApiKeyBulkUpdate => api_key::bulk_update::handle(call).await,
            Self::ApiKeyInvalidate => api_key::invalidate::handle(call).await,
            Self::ApiKeyClearCache | Self::PrivilegeClearCache => {
                cluster::clear_cache::handle(call)
            }
            Self::RolePut => role::put::handle(call).await,
            Self::RoleGet => role::get::handle(call),
            Self::RoleDelete => role::delete::handle(call).await,
            Self::RoleMappingPut => role_mapping::put::handle(call).await,
            Self::RoleMappingGet => role_mapping::get::handle(call).await,
            Self::RoleMappingDelete => role_mapping::delete::handle(call).await,
            Self::UserPut => user::put::handle(call).await,
            Self::UserGet => user::get::handle(call).await,
            Self::UserDelete => user::delete::handle(call).await,
            Self::UserEnable => user::set_enabled::handle(call, true).await,
            Self::UserDisable => user::set_enabled::handle(call, false).await,
            Self::UserChangePassword => user::change_password::handle(call).await,
            Self::Authenticate => subject::authenticate::handle(call),
            Self::HasPrivileges => subject::has_privileges::handle(call),
            Self::UserListPrivileges => subject::list_privileges::handle(call),
            Self::PrivilegePut => application_privilege::put::handle(call).await,
            Self::PrivilegeGet => application_privilege::get::handle(call),
            Self::PrivilegeDelete => application_privilege::delete::handle(call).await,
            Self::PrivilegeBuiltin => application_privilege::builtin::handle(call),
            Self::TokenCreate => token::create::handle(call).await,
            Self::TokenInvalidate => token::invalidate::handle(call).await,
            Self::Info => cluster::info::handle(call),
            Self::Health => cluster::health::handle(call),
            Self::License => cluster::license::handle(call),
            Self::Xpack => cluster::xpack::handle(call),
            Self::XpackUsage => cluster::xpack_usage::handle(call),
            Self::NodesHttp => cluster::nodes_http::handle(call),
        }
    }
}
