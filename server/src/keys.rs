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
pub mod rotate;
pub mod rotation_end;
mod rotations;
mod update;

pub(crate) use es_query::active_keys_by_owner;
pub(crate) use from_es::facet;

use crate::{context::RequestContext, error::Error, made_elsewhere::KeysMadeElsewhere};
use app::model::{apm_settings::KeysInUse, key_list::StatusFilter, session::KeyScope};
use es_query::Matching;
use serde_json::Value;

/// Counts the user's own active agent keys.
async fn count_own_active(ctx: &RequestContext) -> Result<u64, Error> {
    let found = elsewhere::find_if_possible(ctx).await?;
    let own = es_query::owned_by(&ctx.session()?.identity);
    count_listed(ctx, found.as_ref(), &own).await
}

/// Counts the active keys that the user sees, those made elsewhere included.
pub(crate) async fn count_active(ctx: &RequestContext) -> Result<KeysInUse, Error> {
    let reach = ctx.permissions().await?.access().list_scope;
    // First, so that a fault ends the count after one answer.
    let mut listed = count_listed(ctx, None, &[]).await?;
    let found = elsewhere::find_if_possible(ctx).await?;
    if found
        .as_ref()
        .is_some_and(|found| !found.changed.is_empty())
    {
        listed = count_listed(ctx, found.as_ref(), &[]).await?;
    }
    let elsewhere = elsewhere::count(found.as_ref(), ctx.state.now());
    let counts_everybody = reach == KeyScope::All;
    Ok(KeysInUse::of(listed, elsewhere, counts_everybody))
}

/// Counts the active keys that meet these conditions: marked ones, and those found that lost their mark.
async fn count_listed(
    ctx: &RequestContext,
    found: Option<&KeysMadeElsewhere>,
    only: &[Value],
) -> Result<u64, Error> {
    let matching = Matching {
        text: "",
        elsewhere: None,
        changed: found.map_or(&[], |found| &found.changed),
        only,
    };
    let body = es_query::count_matching(&matching, StatusFilter::Active, ctx.state.now());
    Ok(ctx.elasticsearch()?.query_api_keys(&body).await?.total)
}
