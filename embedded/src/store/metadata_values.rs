//! Metadata of a key as a flattened field: every scalar as text, under its dotted path.

use serde_json::{Map, Value};
use sqlx::{QueryBuilder, SqliteConnection};

use crate::error::ApiError;

/// Limits on the values of a key and on the length of its metadata as JSON. Elasticsearch has none.
const VALUES_MAX: usize = 1_000;
const BYTES_MAX: usize = 64 * 1_024;
/// Limit on a path and its value, which Elasticsearch has too.
const KEYED_BYTES_MAX: usize = 32_766;
/// Values in one statement.
const BATCH: usize = 250;

/// The paths with a column of their own.
pub(crate) const DIMENSIONS: [&str; 2] = ["application", "system"];

pub(crate) struct MetadataValues {
    /// Values of [`DIMENSIONS`], unless the key is multi-valued.
    pub(crate) application: Option<String>,
    pub(crate) system: Option<String>,
    /// True if a dimension has several values. All values are then in the table `api_key_leaves`.
    pub(crate) multi_valued: bool,
    rest: Vec<(String, String)>,
}

impl MetadataValues {
    pub(crate) fn of(metadata: &Map<String, Value>) -> Self {
        let mut all = Vec::new();
        for (name, value) in metadata {
            flatten(name, value, &mut all);
        }
        all.sort();
        all.dedup();
        let values = |dimension: &str| -> Vec<&String> {
            all.iter()
                .filter(|(path, _)| path == dimension)
                .map(|(_, value)| value)
                .collect()
        };
        let multi_valued = DIMENSIONS
            .iter()
            .any(|dimension| values(dimension).len() > 1);
        let single = |dimension: &str| match values(dimension).as_slice() {
            [value] if !multi_valued => Some((*value).clone()),
            _ => None,
        };
        let [application, system] = DIMENSIONS.map(single);
        let rest = if multi_valued {
            all
        } else {
            all.into_iter()
                .filter(|(path, _)| !DIMENSIONS.contains(&path.as_str()))
                .collect()
        };
        Self {
            application,
            system,
            multi_valued,
            rest,
        }
    }

    /// Refuses metadata that is too large to index.
    pub(crate) fn check_size(metadata: &Map<String, Value>) -> Result<(), ApiError> {
        let mut all = Vec::new();
        for (name, value) in metadata {
            flatten(name, value, &mut all);
        }
        if let Some((path, value)) = all
            .iter()
            .find(|(path, value)| path.len() + 1 + value.len() > KEYED_BYTES_MAX)
        {
            let start: String = path.chars().take(50).collect();
            return Err(ApiError::illegal(format!(
                "Flattened field [metadata_flattened] contains one immense field whose keyed encoding is longer than the allowed max length of {KEYED_BYTES_MAX} bytes. Key length: {}, value length: {} for key starting with [{start}]",
                path.len(),
                value.len()
            )));
        }
        if all.len() > VALUES_MAX {
            return Err(ApiError::illegal(format!(
                "metadata may not have more than [{VALUES_MAX}] values"
            )));
        }
        if serde_json::to_vec(metadata)?.len() > BYTES_MAX {
            return Err(ApiError::illegal(format!(
                "metadata may not be longer than [{BYTES_MAX}] bytes"
            )));
        }
        Ok(())
    }

    /// All values.
    pub(crate) fn all(metadata: &Map<String, Value>) -> Vec<String> {
        let mut all = Vec::new();
        for (name, value) in metadata {
            flatten(name, value, &mut all);
        }
        all.into_iter().map(|(_, value)| value).collect()
    }

    /// The values at `path`.
    pub(crate) fn at(metadata: &Map<String, Value>, path: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (name, value) in metadata {
            flatten(name, value, &mut all);
        }
        all.into_iter()
            .filter(|(known, _)| known == path)
            .map(|(_, value)| value)
            .collect()
    }

    /// Stores the values of key `number`, which has none yet.
    pub(super) async fn store(
        &self,
        connection: &mut SqliteConnection,
        number: i64,
    ) -> Result<(), sqlx::Error> {
        for batch in self.rest.chunks(BATCH) {
            let mut insert =
                QueryBuilder::new("INSERT INTO api_key_leaves (path, value, api_key) ");
            insert.push_values(batch, |mut row, (path, value)| {
                row.push_bind(path).push_bind(value).push_bind(number);
            });
            insert.build().execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn flatten(path: &str, value: &Value, all: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => all.push((path.to_owned(), value.to_string())),
        Value::Number(value) => all.push((path.to_owned(), value.to_string())),
        Value::String(value) => all.push((path.to_owned(), value.clone())),
        Value::Array(values) => {
            for value in values {
                flatten(path, value, all);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{path}.{name}"), value, all);
            }
        }
    }
}
