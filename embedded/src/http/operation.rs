//! Everything that can be asked for: its place in the authorization matrix, its parameters,
//! and the file that does it.

use std::pin::Pin;

use super::call::{Answer, Call};
use crate::{
    api_key, application_privilege, authorization::Action, cluster, error::ApiError, role,
    role_mapping, subject, token, user,
};

/// An operation under way.
pub(crate) type Running<'c> = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send + 'c>>;

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

    /// Does it. Boxed one by one, because some of these futures are large and the one that waits for them stays
    /// alive with every request that is being read.
    pub(crate) fn run<'c>(self, call: &'c Call<'_>) -> Running<'c> {
        match self {
            Self::ApiKeyCreate => Box::pin(api_key::create::handle(call)),
            Self::ApiKeyGrant => Box::pin(api_key::grant::handle(call)),
            Self::ApiKeyGet => Box::pin(api_key::get::handle(call)),
            Self::ApiKeyQuery => Box::pin(api_key::query::handle(call)),
            Self::ApiKeyUpdate => Box::pin(api_key::update::handle(call)),
            Self::ApiKeyBulkUpdate => Box::pin(api_key::bulk_update::handle(call)),
            Self::ApiKeyInvalidate => Box::pin(api_key::invalidate::handle(call)),
            Self::ApiKeyClearCache | Self::PrivilegeClearCache => {
                done(cluster::clear_cache::handle(call))
            }
            Self::RolePut => Box::pin(role::put::handle(call)),
            Self::RoleGet => done(role::get::handle(call)),
            Self::RoleDelete => Box::pin(role::delete::handle(call)),
            Self::RoleMappingPut => Box::pin(role_mapping::put::handle(call)),
            Self::RoleMappingGet => Box::pin(role_mapping::get::handle(call)),
            Self::RoleMappingDelete => Box::pin(role_mapping::delete::handle(call)),
            Self::UserPut => Box::pin(user::put::handle(call)),
            Self::UserGet => Box::pin(user::get::handle(call)),
            Self::UserDelete => Box::pin(user::delete::handle(call)),
            Self::UserEnable => Box::pin(user::set_enabled::handle(call, true)),
            Self::UserDisable => Box::pin(user::set_enabled::handle(call, false)),
            Self::UserChangePassword => Box::pin(user::change_password::handle(call)),
            Self::Authenticate => done(subject::authenticate::handle(call)),
            Self::HasPrivileges => done(subject::has_privileges::handle(call)),
            Self::UserListPrivileges => done(subject::list_privileges::handle(call)),
            Self::PrivilegePut => Box::pin(application_privilege::put::handle(call)),
            Self::PrivilegeGet => done(application_privilege::get::handle(call)),
            Self::PrivilegeDelete => Box::pin(application_privilege::delete::handle(call)),
            Self::PrivilegeBuiltin => done(application_privilege::builtin::handle(call)),
            Self::TokenCreate => Box::pin(token::create::handle(call)),
            Self::TokenInvalidate => Box::pin(token::invalidate::handle(call)),
            Self::Info => done(cluster::info::handle(call)),
            Self::Health => done(cluster::health::handle(call)),
            Self::License => done(cluster::license::handle(call)),
            Self::Xpack => done(cluster::xpack::handle(call)),
            Self::XpackUsage => done(cluster::xpack_usage::handle(call)),
            Self::NodesHttp => done(cluster::nodes_http::handle(call)),
        }
    }
}

fn done<'c>(answer: Result<Answer, ApiError>) -> Running<'c> {
    Box::pin(std::future::ready(answer))
}
