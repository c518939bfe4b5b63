//! One function for each operation, in one file for each resource. Each checks its request in
//! Elasticsearch's order: parameters, body, authorization.

pub(crate) mod api_key_create;
pub(crate) mod api_key_query;
pub(crate) mod api_key_select;
pub(crate) mod api_key_update;
pub(crate) mod cluster;
pub(crate) mod document_query;
pub(crate) mod has_privileges;
pub(crate) mod oidc;
pub(crate) mod roles;
pub(crate) mod tokens;
pub(crate) mod users;
