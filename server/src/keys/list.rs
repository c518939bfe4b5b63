//! Lists one page of the agent keys that the user may see.

use super::{
    delivery, elsewhere,
    es_query::{self, Ends, Matching, Slice, sort_fields},
    from_es::{Ownership, agent_key, filter_counts},
    reconcile::reconcile,
};
use crate::{
    access::ListAgentKeys,
    context::RequestContext,
    elasticsearch::{self, Connection, capabilities::Capability, keys::FoundKeys},
    error::Error,
    made_elsewhere::KeysMadeElsewhere,
    role,
};
use app::model::{
    key_list::{
        Cursor, FILTER_VALUES_MAX, FilterCounts, KeyListPage, KeyListQuery, KeySummary, PageAnchor,
        ROWS_CHOICES, SEARCH_CHARACTERS_MAX, SortField, SortOrder, StatusFilter,
    },
    session::KeyScope,
    timestamp::Timestamp,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const CURSOR_CHARACTERS_MAX: usize = 4_096;

/// Returns one page. Elasticsearch decides whose keys are in it: a user who may only manage their own keys sees only
/// those.
#[tracing::instrument(name = "agent_keys.page.list", skip_all)]
pub async fn list(ctx: &RequestContext, query: KeyListQuery) -> Result<KeyListPage, Error> {
    let query = &query;
    check_limits(query)?;
    ctx.grant::<ListAgentKeys>().await?;
    reconcile(ctx).await;
    let access = ctx.permissions().await?.access();
    let now = ctx.state.now();
    let unmarked = elsewhere::find_for(ctx, query).await?;
    let asked = Asked {
        connection: ctx.elasticsearch()?,
        unmarked: unmarked.as_ref(),
        elsewhere: query.elsewhere,
        only: &[],
        now,
    };
    let searched = async {
        // Without a search, the counts of all keys serve.
        if query.search.trim().is_empty() && !query.elsewhere {
            Ok(None)
        } else {
            count_filters(&asked, &query.search).await.map(Some)
        }
    };
    let all = Asked {
        elsewhere: false,
        ..asked
    };
    let (found, all, searched, settings) = tokio::try_join!(
        read_page(&asked, query),
        count_filters(&all, ""),
        searched,
        async { Ok(ctx.state.store.read_apm_settings().await?) },
    )?;
    let elsewhere = elsewhere::count(unmarked.as_ref(), now);
    let mut summary = KeySummary::of(&all, elsewhere).with_settings(&settings);
    summary.counts_everybody = access.list_scope == KeyScope::All;
    if summary.is_empty() && !query.is_filtered() {
        // The checklist is a help: without an answer, its steps show no state.
        summary.first_steps = role::first_steps(ctx).await.unwrap_or_default();
    }
    let total = found.total;
    let Rows {
        mut stored,
        more,
        backwards,
    } = Rows::of(found, query);
    let place =
        |key: Option<&elasticsearch::keys::StoredKey>| key.and_then(|key| cursor_of(&key.sort));
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
        summary,
        filters: searched.unwrap_or(all),
        notice: ctx.notice(),
        read_at: now,
    })
}

/// Checks what the address of the list asks for.
fn check_limits(query: &KeyListQuery) -> Result<(), Error> {
    let fits = ROWS_CHOICES.contains(&query.rows)
        && query.search.chars().count() <= SEARCH_CHARACTERS_MAX
        && query.status.len() <= FILTER_VALUES_MAX
        && query.owner.len() <= FILTER_VALUES_MAX
        && query.realm.len() <= FILTER_VALUES_MAX;
    if fits {
        Ok(())
    } else {
        Err(Error::BadListQuery)
    }
}

/// Context of the queries of one page.
#[derive(Clone, Copy)]
struct Asked<'a> {
    connection: &'a Connection,
    unmarked: Option<&'a KeysMadeElsewhere>,
    /// Only keys made elsewhere.
    elsewhere: bool,
    /// Further conditions.
    only: &'a [Value],
    now: Timestamp,
}

/// Returns keys that match search and filters, can still be revoked by the user, and were created by `until`: oldest
/// first, from a position on.
pub(super) async fn read_revocable(
    ctx: &RequestContext,
    list: KeyListQuery,
    until: Timestamp,
    after: Option<&Cursor>,
    rows: u32,
) -> Result<FoundKeys, Error> {
    check_limits(&list)?;
    ctx.grant::<ListAgentKeys>().await?;
    let own_only = ctx.permissions().await?.access().revoke_scope == KeyScope::Own;
    let owner = &ctx.session()?.identity;
    let unmarked = elsewhere::find_for(ctx, &list).await?;
    let asked = Asked {
        connection: ctx.elasticsearch()?,
        unmarked: unmarked.as_ref(),
        elsewhere: list.elsewhere,
        only: &es_query::revocable(until, own_only.then_some(owner)),
        now: until,
    };
    let list = KeyListQuery {
        sort: SortField::Created,
        order: SortOrder::Ascending,
        ..list
    };
    let place = after
        .map(|after| parse_cursor(after, list.sort))
        .transpose()?;
    let slice = Slice {
        rows,
        after: place.as_deref(),
        backwards: false,
        ends: Ends::Either,
    };
    read_slice(&asked, &list, slice).await
}

/// Reads the page's rows and one more, which shows that there is another page.
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
            let place = parse_cursor(cursor, list.sort)?;
            slice.after = Some(&place);
            read_slice(asked, list, slice).await
        }
        PageAnchor::Before(cursor) => {
            let place = parse_cursor(cursor, list.sort)?;
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
    // Elasticsearch's sort value of a missing expiration.
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
    let body = es_query::page(list, &matching(asked, &list.search), slice, asked.now);
    Ok(asked.connection.query_api_keys(&body).await?)
}

/// Keys that match this text.
fn matching<'a>(asked: &Asked<'a>, text: &'a str) -> Matching<'a> {
    let unmarked = asked.unmarked;
    Matching {
        text,
        elsewhere: asked
            .elsewhere
            .then(|| unmarked.map_or(&[][..], |unmarked| &unmarked.ids)),
        changed: unmarked.map_or(&[], |unmarked| &unmarked.changed),
        only: asked.only,
    }
}

/// Counts the keys that match this text, by status, owner and realm. Elasticsearch before 8.13 has no aggregations: there
/// each status is counted by itself, and owners and realms are not listed.
async fn count_filters(asked: &Asked<'_>, text: &str) -> Result<FilterCounts, Error> {
    let connection = asked.connection;
    if !connection.lacks(Capability::Aggregations) {
        let body = es_query::filter_counts(&matching(asked, text), asked.now);
        match connection.query_api_keys(&body).await {
            Ok(counted) => return Ok(filter_counts(&counted)),
            Err(error) if connection.lacks_by(&error, Capability::Aggregations) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let count = async |status| {
        let body = es_query::count_matching(&matching(asked, text), status, asked.now);
        Ok::<_, Error>(connection.query_api_keys(&body).await?.total)
    };
    let (active, expires_soon, expired, revoked) = tokio::try_join!(
        count(StatusFilter::Active),
        count(StatusFilter::ExpiresSoon),
        count(StatusFilter::Expired),
        count(StatusFilter::Revoked),
    )?;
    Ok(FilterCounts {
        status: [active, expires_soon, expired, revoked],
        ..FilterCounts::default()
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

/// Returns the cursor of a row: its place in the list, as opaque text for the address. `None` for a row without a place,
/// or whose place is too long for an address.
pub(super) fn cursor_of(place: &[Value]) -> Option<Cursor> {
    let json = serde_json::to_vec(place)
        .ok()
        .filter(|_| !place.is_empty())?;
    let text = BASE64_URL_SAFE_NO_PAD.encode(json);
    (text.len() <= CURSOR_CHARACTERS_MAX).then_some(Cursor(text))
}

/// Parses a cursor. It comes from an address, so its shape is checked: as many values as the order has fields, numbers
/// for times and texts for names.
fn parse_cursor(cursor: &Cursor, sort: SortField) -> Result<Vec<Value>, Error> {
    if cursor.0.len() > CURSOR_CHARACTERS_MAX {
        return Err(Error::BadListQuery);
    }
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(&cursor.0)
        .map_err(|_| Error::BadListQuery)?;
    let place: Vec<Value> = serde_json::from_slice(&json).map_err(|_| Error::BadListQuery)?;
    let fields = sort_fields(sort);
    let fits = |(field, value): (&&str, &Value)| match *field {
        "creation" => value.is_i64(),
        "expiration" => value.is_i64() || value.is_null(),
        _ => value.is_string() || value.is_null(),
    };
    if place.len() != fields.len() || !fields.iter().zip(&place).all(fits) {
        return Err(Error::BadListQuery);
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trips_and_a_forged_one_is_refused() {
        let place = vec![json!(1_797_244_927_000_i64), json!("checkout")];
        let cursor = cursor_of(&place).unwrap();
        assert_eq!(parse_cursor(&cursor, SortField::Created).unwrap(), place);
        assert!(parse_cursor(&cursor, SortField::Expires).is_err());
        let forged = [
            json!([1]),
            json!([1, 2]),
            json!([1, { "script": "x" }]),
            json!([1.5, "a"]),
            json!({}),
        ];
        for value in forged {
            let text = BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            assert!(
                parse_cursor(&Cursor(text), SortField::Created).is_err(),
                "{value}"
            );
        }
        for text in ["", "*", "AAAA"] {
            assert!(parse_cursor(&Cursor(text.to_owned()), SortField::Created).is_err());
        }
    }
}
