//! Lists one page of the agent keys that the user may see.

use super::{
    cursor, delivery, elsewhere,
    es_query::{self, Ends, LabelSearch, Slice},
    from_es::{Ownership, agent_key, summary},
    reconcile::reconcile,
};
use crate::{
    access::Permission,
    context::RequestContext,
    elasticsearch::{self, capabilities::Capability, keys::FoundKeys},
    error::Error,
};
use app::model::{
    agent_key::KeyId,
    key_list::{
        FILTER_VALUES_MAX, KeyListPage, KeyListQuery, KeySummary, PageAnchor, ROWS_CHOICES,
        SEARCH_CHARACTERS_MAX, SortField, SortOrder, StatusFilter,
    },
    timestamp::Timestamp,
    viewer::KeyScope,
};
use serde_json::{Value, json};

/// Returns one page. Elasticsearch decides whose keys are in it: a user who may only manage their own keys sees only
/// those.
#[tracing::instrument(name = "agent_keys.page.list", skip_all)]
pub async fn list(ctx: &RequestContext, query: KeyListQuery) -> Result<KeyListPage, Error> {
    let query = &query;
    check_limits(query)?;
    ctx.grant(Permission::ListAgentKeys).await?;
    reconcile(ctx).await;
    let access = ctx.permissions().await?.access();
    let now = ctx.state.now();
    let elsewhere = if query.elsewhere {
        Some(elsewhere::find(ctx).await?.ids)
    } else {
        None
    };
    let asked = Asked {
        ctx,
        elsewhere: elsewhere.as_deref(),
        now,
    };
    let (found, mut counted, settings) =
        tokio::try_join!(read_page(&asked, query), count(ctx, now), async {
            Ok(ctx.state.store.read_apm_settings().await?)
        },)?;
    counted.counts_everybody = access.list_scope == KeyScope::All;
    let total = found.total;
    let Rows {
        mut stored,
        more,
        backwards,
    } = Rows::of(found, query);
    let place =
        |key: Option<&elasticsearch::keys::StoredKey>| key.and_then(|key| cursor::write(&key.sort));
    // On the side of the previous page there is another page. On the other side, a surplus row shows that there is one.
    let came_from_start = matches!(query.anchor, PageAnchor::First);
    let has_next = if backwards { true } else { more };
    let has_previous = if backwards { more } else { !came_from_start };
    let next = has_next.then(|| place(stored.last())).flatten();
    let previous = has_previous.then(|| place(stored.first())).flatten();
    let ownership = Ownership::of(ctx, access, &stored).await?;
    let mut keys = stored
        .drain(..)
        .map(|key| agent_key(key, &ownership, access, now))
        .collect::<Result<Vec<_>, _>>()?;
    delivery::recall(ctx, &mut keys, now).await?;
    Ok(KeyListPage {
        keys,
        total,
        next,
        previous,
        summary: counted.with_settings(&settings),
        read_at: now,
    })
}

/// A page comes from an address, and an address from anybody.
fn check_limits(query: &KeyListQuery) -> Result<(), Error> {
    let fits = ROWS_CHOICES.contains(&query.rows)
        && query.search.chars().count() <= SEARCH_CHARACTERS_MAX
        && query.status.len() <= FILTER_VALUES_MAX
        && query.owner.len() <= FILTER_VALUES_MAX
        && query.realm.len() <= FILTER_VALUES_MAX;
    if fits { Ok(()) } else { Err(Error::BadCursor) }
}

/// Context of the queries of one page.
#[derive(Clone, Copy)]
struct Asked<'a> {
    ctx: &'a RequestContext,
    elsewhere: Option<&'a [KeyId]>,
    now: Timestamp,
}

/// The page's rows and one more, which tells whether there is another page.
async fn read_page(asked: &Asked<'_>, list: &KeyListQuery) -> Result<FoundKeys, Error> {
    let mut slice = Slice {
        rows: u32::from(list.rows) + 1,
        after: None,
        backwards: false,
        ends: Ends::Either,
    };
    match &list.anchor {
        PageAnchor::First => read_slice(asked, list, slice).await,
        PageAnchor::After(cursor) => {
            let place = cursor::read(cursor, list.sort)?;
            slice.after = Some(&place);
            read_slice(asked, list, slice).await
        }
        PageAnchor::Before(cursor) => {
            let place = cursor::read(cursor, list.sort)?;
            slice.after = Some(&place);
            slice.backwards = true;
            match list.sort {
                SortField::Expires => read_before(asked, list, slice, &place).await,
                SortField::Name | SortField::Owner | SortField::Created => {
                    read_slice(asked, list, slice).await
                }
            }
        }
    }
}

/// Reads backwards through keys that are sorted by their end. Those without one come last in both directions, so
/// the list read from its end is not the list in the other order: it is the ones, and then the others.
async fn read_before(
    asked: &Asked<'_>,
    list: &KeyListQuery,
    slice: Slice<'_>,
    place: &[Value],
) -> Result<FoundKeys, Error> {
    // What Elasticsearch shows in the place of an end that is not there.
    let no_end = match list.order {
        SortOrder::Ascending => json!(i64::MAX),
        SortOrder::Descending => json!(i64::MIN),
    };
    let from_endless = place[0].is_null() || place[0] == no_end;
    let endless = Slice {
        rows: if from_endless { slice.rows } else { 0 },
        after: from_endless.then(|| &place[1..]),
        ends: Ends::Never,
        ..slice
    };
    let ending = Slice {
        after: (!from_endless).then_some(place),
        ends: Ends::AtSomeTime,
        ..slice
    };
    let (mut found, ending) = tokio::try_join!(
        read_slice(asked, list, endless),
        read_slice(asked, list, ending),
    )?;
    for key in &mut found.api_keys {
        key.sort.insert(0, no_end.clone());
    }
    found.total += ending.total;
    found.api_keys.extend(ending.api_keys);
    Ok(found)
}

async fn read_slice(
    asked: &Asked<'_>,
    list: &KeyListQuery,
    slice: Slice<'_>,
) -> Result<FoundKeys, Error> {
    let Asked {
        ctx,
        elsewhere,
        now,
    } = *asked;
    let connection = ctx.elasticsearch()?;
    let anywhere = es_query::page(list, LabelSearch::Anywhere, slice, now, elsewhere);
    match connection.query_api_keys(&anywhere).await {
        Err(elasticsearch::Error::Invalid { .. }) if !list.search.trim().is_empty() => {
            let at_start = es_query::page(list, LabelSearch::AtStart, slice, now, elsewhere);
            Ok(connection.query_api_keys(&at_start).await?)
        }
        found => Ok(found?),
    }
}

/// Counts the keys, those made elsewhere apart.
async fn count(ctx: &RequestContext, now: Timestamp) -> Result<KeySummary, Error> {
    let (summary, elsewhere) = tokio::try_join!(count_marked(ctx, now), elsewhere::count(ctx))?;
    Ok(KeySummary {
        elsewhere,
        ..summary
    })
}

/// Counts the marked keys. Elasticsearch before 8.13 has no aggregations: there each status is counted by itself, and
/// owners and realms are not listed.
async fn count_marked(ctx: &RequestContext, now: Timestamp) -> Result<KeySummary, Error> {
    let connection = ctx.elasticsearch()?;
    if !connection.lacks(Capability::Aggregations) {
        match connection.query_api_keys(&es_query::summary(now)).await {
            Ok(counted) => return Ok(summary(&counted)),
            Err(error) if connection.lacks_by(&error, Capability::Aggregations) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let count = async |status| {
        let found = connection
            .query_api_keys(&es_query::count(status, now))
            .await?;
        Ok::<_, Error>(found.total)
    };
    let (active, expires_soon, expired, revoked) = tokio::try_join!(
        count(StatusFilter::Active),
        count(StatusFilter::ExpiresSoon),
        count(StatusFilter::Expired),
        count(StatusFilter::Revoked),
    )?;
    Ok(KeySummary {
        active,
        expires_soon,
        expired,
        revoked,
        lists_owners: false,
        ..KeySummary::default()
    })
}

struct Rows {
    stored: Vec<elasticsearch::keys::StoredKey>,
    /// There are more rows in the direction that was read.
    more: bool,
    backwards: bool,
}

impl Rows {
    fn of(found: FoundKeys, query: &KeyListQuery) -> Self {
        let rows = usize::from(query.rows);
        let backwards = matches!(query.anchor, PageAnchor::Before(_));
        let mut stored = found.api_keys;
        let more = stored.len() > rows;
        stored.truncate(rows);
        if backwards {
            stored.reverse();
        }
        Self {
            stored,
            more,
            backwards,
        }
    }
}
