//! Agent keys: what can be asked about them and done with them.

pub mod acknowledge;
pub mod create;
mod cursor;
pub mod delivery;
pub mod elsewhere;
pub mod find;
pub mod find_many;
pub mod list;
mod ownership;
pub mod prepare;
mod query;
pub(crate) mod read;
pub mod reconcile;
pub mod revocation;
pub mod revoke;
pub mod revoke_many;

pub(crate) use query::active_keys_by_owner;

use crate::{context::RequestContext, error::Error};
use app::model::{apm_settings::KeysInUse, key_list::StatusFilter, viewer::KeyScope};
use serde_json::Value;

/// How many of this person's visible keys work now, those made elsewhere included.
pub(crate) async fn count_active(ctx: &RequestContext) -> Result<KeysInUse, Error> {
    let reach = ctx.permissions().await?.access().list_scope;
    let body: Value = query::count(StatusFilter::Active, ctx.state.clock.now());
    let marked = ctx.elasticsearch()?.query_api_keys(&body).await?.total;
    let elsewhere = elsewhere::count(ctx).await?;
    let counts_everybody = reach == KeyScope::All;
    Ok(KeysInUse::of(marked, elsewhere, counts_everybody))
}
