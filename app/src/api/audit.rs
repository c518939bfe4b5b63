//! Server function for the audit log.

#[cfg(feature = "server")]
use super::redirect_if_signed_out;
#[cfg(feature = "server")]
use crate::backend::backend;
use crate::model::{
    audit::{AuditPage, AuditQuery},
    problem::Problem,
};
use leptos::{prelude::*, server_fn::codec::Postcard};

#[server(endpoint = "read_audit", input = Postcard, output = Postcard)]
pub async fn read_audit(query: AuditQuery) -> Result<AuditPage, Problem> {
    redirect_if_signed_out(backend()?.read_audit(query).await)
}
