//! One function for each operation, in one file for each resource. Each checks its request in
//! Elasticsearch's order: parameters, body, authorization.

mod api_key_content;
pub(crate) mod api_key_create;
pub(crate) mod api_key_query;
pub(crate) mod api_key_select;
pub(crate) mod api_key_update;
pub(crate) mod application_privileges;
pub(crate) mod cluster;
pub(crate) mod document_query;
pub(crate) mod has_privileges;
mod page_request;
pub(crate) mod role_mappings;
pub(crate) mod roles;
pub(crate) mod self_service;
pub(crate) mod tokens;
pub(crate) mod users;
