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
use es_query::Matching;

/// Counts the user's own active agent keys.
async fn count_own_active(ctx: &RequestContext) -> Result<u64, Error> {
    let now = ctx.state.now();
    let found = elsewhere::find_if_possible(ctx).await?;
    let own = es_query::owned_by(&ctx.session()?.identity);
    let matching = Matching {
        text: "",
        elsewhere: None,
        changed: found.as_ref().map_or(&[], |found| &found.changed),
        only: &own,
    };
    let body = es_query::count_matching(&matching, StatusFilter::Active, now);
    Ok(ctx.elasticsearch()?.query_api_keys(&body).await?.total)
}

/// Counts the active keys that the user sees, those made elsewhere included.
pub(crate) async fn count_active(ctx: &RequestContext) -> Result<KeysInUse, Error> {
    let reach = ctx.permissions().await?.access().list_scope;
    let now = ctx.state.now();
    let found = elsewhere::find_if_possible(ctx).await?;
    let matching = Matching {
        text: "",
        elsewhere: None,
        changed: found.as_ref().map_or(&[], |found| &found.changed),
        only: &[],
    };
    let body = es_query::count_matching(&matching, StatusFilter::Active, now);
    let listed = ctx.elasticsearch()?.query_api_keys(&body).await?.total;
    let elsewhere = elsewhere::count(found.as_ref(), now);
    let counts_everybody = reach == KeyScope::All;
    Ok(KeysInUse::of(listed, elsewhere, counts_everybody))
}
