//! Keys that grant application privileges of `apm` without the mark of this application and of Kibana: those of
//! `apm-server apikey create`, Stack Management or Terraform.
//!
//! Elasticsearch cannot search role descriptors, so unmarked keys are read, at most [`KEYS_MAX`], and their descriptors
//! are compared here. A key without any descriptors is left out: it has the privileges of its owner, and every
//! unrestricted key of an administrator would be taken for an agent's.
//!
//! An owner may also remove the mark from a key that was created here, through Elasticsearch. Such a key still works, so
//! the ledger's keys are looked up as well, at most [`KEYS_MAX`], newest first.

use super::{delivery::note_drift, es_query, from_es};
use crate::{
    access::ListAgentKeys,
    context::RequestContext,
    error::Error,
    made_elsewhere::{CacheKey, KeysMadeElsewhere},
};
use app::model::{
    agent_key::KeyId, apm_settings::MadeElsewhere, key_list::KeyListQuery, session::KeyScope,
    timestamp::Timestamp,
};
use std::time::Duration;

/// Limit of unmarked keys that are read, and of the ledger's keys that are looked up, newest first.
const KEYS_MAX: usize = 10_000;
/// Keys of one search.
const PAGE: usize = 1_000;
/// Age up to which a user's keys are taken from the cache.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Returns the keys that the user may see, newest first.
#[tracing::instrument(name = "agent_keys.elsewhere.find", skip_all)]
pub(super) async fn find(ctx: &RequestContext) -> Result<KeysMadeElsewhere, Error> {
    let now = ctx.state.now();
    let reach = ctx.permissions().await?.access().list_scope;
    let viewer = &ctx.session()?.identity;
    let user = CacheKey {
        realm: viewer.realm.clone(),
        username: viewer.username.clone(),
        scope: reach,
    };
    let cache = &ctx.state.made_elsewhere;
    let known = cache.get(&user);
    if let Some(found) = known.filter(|found| found.read_at.plus(MAX_AGE) > now) {
        return Ok(found);
    }
    let found = scan(ctx, reach, now).await?;
    cache.insert(user, found.clone());
    Ok(found)
}

/// Returns the keys that the user may see, or `None` after an error other than an outage, so that the list is still
/// shown.
pub(super) async fn find_if_possible(
    ctx: &RequestContext,
) -> Result<Option<KeysMadeElsewhere>, Error> {
    match find(ctx).await {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.is_outage() => Err(failure),
        Err(failure) => {
            let error: &dyn std::error::Error = &failure;
            tracing::warn!(error, "keys made elsewhere could not be counted");
            Ok(None)
        }
    }
}

/// Returns the keys for a list, which needs them for certain if it shows only those made elsewhere.
pub(super) async fn find_for(
    ctx: &RequestContext,
    list: &KeyListQuery,
) -> Result<Option<KeysMadeElsewhere>, Error> {
    if list.elsewhere {
        find(ctx).await.map(Some)
    } else {
        find_if_possible(ctx).await
    }
}

/// Counts the keys made elsewhere.
pub(super) fn count(found: Option<&KeysMadeElsewhere>, now: Timestamp) -> MadeElsewhere {
    let Some(found) = found else {
        return MadeElsewhere::Failed;
    };
    if !found.told {
        return MadeElsewhere::NotTold;
    }
    let works = |end: &&Option<Timestamp>| end.is_none_or(|end| end > now);
    MadeElsewhere::Counted {
        total: found.ids.len() as u64,
        active: found.ends.iter().filter(works).count() as u64,
        all_read: found.all_read,
    }
}

async fn scan(
    ctx: &RequestContext,
    reach: KeyScope,
    now: Timestamp,
) -> Result<KeysMadeElsewhere, Error> {
    let changed = find_changed(ctx, reach).await?;
    let (mut ids, mut ends, mut told, mut read) = (Vec::new(), Vec::new(), true, 0);
    let mut after = None;
    let all_read = loop {
        let body = es_query::unmarked(PAGE, after.as_deref());
        let mut page = ctx.elasticsearch()?.query_api_keys(&body).await?;
        read += page.api_keys.len();
        let is_last = page.api_keys.len() < PAGE || read as u64 >= page.total;
        after = page
            .api_keys
            .last_mut()
            .map(|key| std::mem::take(&mut key.sort));
        for key in page.api_keys {
            told &= key.role_descriptors.is_some();
            let is_changed = changed.iter().any(|id| id.as_str() == key.id);
            if is_changed || !from_es::is_agent_key(&key) {
                continue;
            }
            ids.extend(KeyId::parse(&key.id));
            if !key.invalidated {
                ends.push(key.expiration.map(Timestamp));
            }
        }
        if is_last || !told {
            break true;
        }
        if read >= KEYS_MAX {
            break false;
        }
    };
    Ok(KeysMadeElsewhere {
        ids: ids.into(),
        changed: changed.into(),
        ends: ends.into(),
        all_read,
        told,
        read_at: now,
    })
}

/// Returns the keys that were created here and are no longer marked. Each gets an audit event, once.
async fn find_changed(ctx: &RequestContext, reach: KeyScope) -> Result<Vec<KeyId>, Error> {
    let owner = match reach {
        KeyScope::All => None,
        KeyScope::Own => Some(&ctx.session()?.identity),
    };
    let created = ctx.state.store.created_keys(owner, KEYS_MAX).await?;
    if created.is_empty() {
        return Ok(Vec::new());
    }
    let body = es_query::no_longer_marked(&created, PAGE);
    let found = ctx.elasticsearch()?.query_api_keys(&body).await?;
    let changed: Vec<_> = found
        .api_keys
        .iter()
        .filter_map(|key| KeyId::parse(&key.id))
        .collect();
    if !changed.is_empty() {
        let grant = ctx.grant::<ListAgentKeys>().await?;
        note_drift(ctx, &grant, &changed, "mark_removed").await;
    }
    Ok(changed)
}
