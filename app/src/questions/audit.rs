//! Questions about the audit log.

#![expect(
    missing_docs,
    reason = "a server function's struct has its arguments as fields"
)]

#[cfg(feature = "server")]
use super::or_sign_in;
#[cfg(feature = "server")]
use crate::backend::backend;
use crate::model::{
    audit::{AuditPage, AuditQuery},
    problem::Problem,
};
use leptos::{prelude::*, server_fn::codec::Postcard};

/// One page of the log.
#[server(endpoint = "read_audit", input = Postcard, output = Postcard)]
pub async fn read_audit(query: AuditQuery) -> Result<AuditPage, Problem> {
    or_sign_in(backend()?.read_audit(query).await)
}
