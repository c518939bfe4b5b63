//! Searches inside names: narrowed by an index of trigrams, so that few names are compared.
//!
//! A name that contains a text contains its trigrams too, in the case of the index. So the
//! condition that is added here holds for every key that the pattern matches.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::{Query, field::Field};
use crate::{error::ApiError, store::sql::Sql};

/// Maximum number of trigrams whose frequency is estimated for one request.
const TRIGRAMS_MAX: usize = 32;
/// Number of trigrams of a pattern that are looked up: the rarest ones.
const LOOKED_UP: usize = 2;
/// Samples for the estimate, and the keys in each.
const SAMPLES: i64 = 4;
const SAMPLE_KEYS: i64 = 500;
/// With a larger part of the sampled keys, comparing all names is cheaper.
const PART_MAX: i64 = 10;

/// Estimated number of keys by trigram.
type Frequencies = BTreeMap<String, i64>;

/// Adds a condition on the index to each search inside names that few keys match.
pub(crate) async fn narrow(
    connection: &mut SqliteConnection,
    query: &Query,
) -> Result<Query, ApiError> {
    let mut frequencies = Frequencies::new();
    collect(query, &mut frequencies);
    if frequencies.is_empty() {
        return Ok(query.clone());
    }
    // Two selects, because SQLite finds one end by the index, and both by a scan.
    let range = sqlx::query(
        "SELECT ifnull((SELECT min(number) FROM api_keys), 0),
             ifnull((SELECT max(number) FROM api_keys), 0)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (first, last): (i64, i64) = (range.try_get(0)?, range.try_get(1)?);
    let step = (last - first) / SAMPLES + 1;
    for (trigram, frequency) in &mut frequencies {
        for sample in 0..SAMPLES {
            let start = first + sample * step;
            let mut sql = Sql::new("SELECT count(*) FROM api_key_names WHERE api_key_names MATCH ");
            sql.text(quote(trigram))
                .push(" AND rowid BETWEEN ")
                .integer(start)
                .push(" AND ")
                .integer(start + step.min(SAMPLE_KEYS) - 1);
            let found: i64 = sql.query().fetch_one(&mut *connection).await?.try_get(0)?;
            *frequency += found;
        }
    }
    let sampled = SAMPLES * step.min(SAMPLE_KEYS);
    frequencies.retain(|_, frequency| *frequency * PART_MAX <= sampled);
    Ok(narrowed(query, &frequencies))
}

/// Collects the trigrams of all patterns for names.
fn collect(query: &Query, trigrams: &mut Frequencies) {
    match query {
        Query::Bool(inner) => {
            for query in inner
                .must
                .iter()
                .chain(&inner.must_not)
                .chain(&inner.should)
            {
                collect(query, trigrams);
            }
        }
        Query::Wildcard {
            field: Field::Name,
            pattern,
            ..
        } => {
            for trigram in pattern.trigrams() {
                if trigrams.len() < TRIGRAMS_MAX {
                    trigrams.insert(trigram, 0);
                }
            }
        }
        _ => {}
    }
}

fn narrowed(query: &Query, frequencies: &Frequencies) -> Query {
    let all = |queries: &[Query]| {
        queries
            .iter()
            .map(|query| narrowed(query, frequencies))
            .collect()
    };
    match query {
        Query::Bool(inner) => {
            let mut inner = inner.clone();
            inner.must = all(&inner.must);
            inner.must_not = all(&inner.must_not);
            inner.should = all(&inner.should);
            Query::Bool(inner)
        }
        Query::Wildcard {
            field: Field::Name,
            pattern,
            ..
        } => {
            let mut rarest: Vec<(&i64, String)> = pattern
                .trigrams()
                .into_iter()
                .filter_map(|trigram| Some((frequencies.get(&trigram)?, trigram)))
                .collect();
            rarest.sort_unstable();
            rarest.dedup();
            rarest.truncate(LOOKED_UP);
            if rarest.is_empty() {
                return query.clone();
            }
            let quoted: Vec<String> = rarest.iter().map(|(_, trigram)| quote(trigram)).collect();
            Query::and(vec![Query::NamesWith(quoted.join(" AND ")), query.clone()])
        }
        other => other.clone(),
    }
}

/// A trigram as text of SQLite's full-text queries.
fn quote(trigram: &str) -> String {
    format!("\"{}\"", trigram.replace('"', "\"\""))
}
