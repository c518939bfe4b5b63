//! Use cases of agent keys.

pub mod bulk_revoke;
pub mod create;
pub mod delivery;
mod elsewhere;
mod es_query;
mod from_es;
pub mod get;
pub mod list;
pub mod reconcile;
pub mod revoke;

pub(crate) use es_query::active_keys_by_owner;
pub(crate) use from_es::facet;

use crate::{context::RequestContext, error::Error};
use app::model::{apm_settings::KeysInUse, key_list::StatusFilter, session::KeyScope};
use serde_json::Value;

/// Counts the active keys that the user sees, those made elsewhere included.
pub(crate) async fn count_active(ctx: &RequestContext) -> Result<KeysInUse, Error> {
    let reach = ctx.permissions().await?.access().list_scope;
    let body: Value = es_query::count(StatusFilter::Active, ctx.state.now());
    let marked = ctx.elasticsearch()?.query_api_keys(&body).await?.total;
    let elsewhere = elsewhere::count(ctx).await?;
    let counts_everybody = reach == KeyScope::All;
    Ok(KeysInUse::of(marked, elsewhere, counts_everybody))
}
