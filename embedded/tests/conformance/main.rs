//! Tests of Elasticsearch's API contract over HTTP, one for each rule.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise, in its helpers as well"
)]

mod support;

mod aggregations;
mod api_key_create;
mod api_key_get;
mod api_key_grant;
mod api_key_invalidate;
mod api_key_query;
mod api_key_update;
mod api_key_use;
mod authentication;
mod authorization;
mod cluster;
mod document_query;
mod has_privileges;
mod limits;
mod malformed_input;
mod media_types;
mod oidc;
mod passwords;
mod privileges;
mod properties;
mod role_mappings;
mod roles;
mod run;
mod storage;
mod tokens;
mod users;
mod versions;
mod wire;
