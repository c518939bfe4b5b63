//! Counts of keys: from sums over groups of keys where these suffice, else from the keys.

use super::{
    Query, Value,
    field::Field,
    sql::{Column, SqlContext, bind},
};
use crate::{
    date::DAY_MS,
    store::{Sql, metadata_values::DIMENSIONS},
};

/// A `SELECT value, weight` over the keys that match `query`. The sum of weights by value counts
/// the keys with that value of `field`. Without a field the value is always 1.
pub(crate) fn values(context: SqlContext, query: &Query, field: Option<&Field>) -> Sql {
    let column = match field {
        None => Column::Plain("1"),
        Some(field) => context.column(field),
    };
    if let Column::Plain(column) = column
        && !context.multi_valued
        && field.is_none_or(is_grouped)
        && let Some(days) = boundary_days(query)
    {
        return from_groups(context, query, column, &days);
    }
    let mut sql = Sql::default();
    match column {
        Column::Plain(column) => {
            sql.push("SELECT ")
                .push(column)
                .push(" AS value, 1 AS weight FROM api_keys WHERE ");
            sql.append(&context.condition(query));
        }
        Column::Metadata(path) => metadata_values(context, query, path.as_deref(), &mut sql),
        Column::PlainOrMetadata(column, path) => {
            sql.push("SELECT ")
                .push(column)
                .push(" AS value, 1 AS weight FROM api_keys WHERE irregular = 0 AND ");
            sql.append(&context.condition(query)).push(" UNION ALL ");
            metadata_values(context, query, Some(&path), &mut sql);
        }
    }
    sql
}

/// As [`values`], with `missing` as the value of keys without one.
pub(crate) fn values_or(
    context: SqlContext,
    query: &Query,
    field: &Field,
    missing: Option<&Value>,
) -> Sql {
    let found = values(context, query, Some(field));
    let Some(missing) = missing else {
        return found;
    };
    let without = Query::none_of(vec![Query::Exists(field.clone())]);
    let without = Query::and(vec![query.clone(), without]);
    let mut sql = Sql::new("SELECT value, weight FROM (");
    sql.append(&found)
        .push(") WHERE value IS NOT NULL UNION ALL SELECT ");
    bind(&mut sql, missing)
        .push(" AS value, weight FROM (")
        .append(&values(context, &without, None))
        .push(")");
    sql
}

/// Counts the keys that match `query`.
pub(crate) fn total(context: SqlContext, query: &Query) -> Sql {
    let mut sql = Sql::new("SELECT ifnull(sum(weight), 0) FROM (");
    sql.append(&values(context, query, None)).push(")");
    sql
}

fn metadata_values(context: SqlContext, query: &Query, path: Option<&str>, sql: &mut Sql) {
    sql.push("SELECT value, 1 AS weight FROM api_key_leaves WHERE ");
    if let Some(path) = path {
        sql.push("path = ").text(path).push(" AND ");
    }
    sql.push("api_key IN (SELECT number FROM api_keys WHERE ")
        .append(&context.condition(query))
        .push(")");
}

/// Counts from groups. Keys that expire on a day with a bound of the query are counted one by one.
/// On every other day all keys of a group are on the same side of each bound. The group's own
/// `expiration`, the first millisecond of the day, is on that side too.
fn from_groups(context: SqlContext, query: &Query, column: &'static str, days: &[i64]) -> Sql {
    let condition = context.condition(query);
    let table = if query.mentions(&Field::Expiration) {
        "api_key_groups"
    } else {
        "api_key_totals"
    };
    let mut sql = Sql::new("SELECT ");
    sql.push(column)
        .push(" AS value, weight FROM ")
        .push(table)
        .push(" WHERE ")
        .append(&condition);
    for day in days {
        sql.push(" AND (expiration IS NULL OR expiration <> ")
            .integer(*day)
            .push(")");
    }
    for day in days {
        sql.push(" UNION ALL SELECT ")
            .push(column)
            .push(" AS value, 1 AS weight FROM api_keys WHERE expiration >= ")
            .integer(*day)
            .push(" AND expiration < ")
            .integer(day.saturating_add(DAY_MS))
            // The plus keeps SQLite on the index of `expiration`, which selects the fewest keys.
            .push(" AND +(")
            .append(&condition)
            .push(")");
    }
    sql
}

fn is_grouped(field: &Field) -> bool {
    match field {
        Field::Username | Field::RealmName | Field::Type | Field::Invalidated => true,
        Field::Metadata(path) => DIMENSIONS.contains(&path.as_str()),
        Field::Name
        | Field::Creation
        | Field::Expiration
        | Field::Invalidation
        | Field::Stored(_)
        | Field::AnyMetadata => false,
    }
}

/// Returns the first millisecond of each day with a bound of the query. `None` if groups do not
/// suffice.
fn boundary_days(query: &Query) -> Option<Vec<i64>> {
    let mut days = Vec::new();
    collect_days(query, &mut days)?;
    days.sort_unstable();
    days.dedup();
    // With many bounds it is cheaper to count the keys.
    (days.len() <= 8).then_some(days)
}

fn collect_days(query: &Query, days: &mut Vec<i64>) -> Option<()> {
    match query {
        Query::All | Query::None => Some(()),
        Query::Ids(_) | Query::NamesWith(_) => None,
        Query::Bool(inner) => inner
            .must
            .iter()
            .chain(&inner.must_not)
            .chain(&inner.should)
            .try_for_each(|query| collect_days(query, days)),
        Query::Exists(Field::Expiration) => Some(()),
        Query::Range {
            field: Field::Expiration,
            from,
            to,
        } => {
            for bound in [from, to].into_iter().flatten() {
                if let Value::Moment(ms) = bound.value {
                    days.push(ms.div_euclid(DAY_MS).saturating_mul(DAY_MS));
                }
            }
            Some(())
        }
        Query::Terms { field, .. }
        | Query::Prefix { field, .. }
        | Query::Wildcard { field, .. }
        | Query::Exists(field)
        | Query::Range { field, .. } => is_grouped(field).then_some(()),
    }
}
