//! The part of a query's body that all query operations share: the query, and the page of it.

use crate::{
    error::ApiError,
    fields::Fields,
    query::{
        Query, Value,
        parse::QueryReader,
        sort::{self, SortField},
    },
};

/// Maximum of `from + size`. `search_after` reads further.
const WINDOW_MAX: usize = 10_000;

pub(super) struct PageRequest {
    pub(super) query: Query,
    pub(super) from: usize,
    pub(super) size: usize,
    pub(super) sort: Vec<SortField>,
    pub(super) search_after: Option<Vec<Option<Value>>>,
}

impl PageRequest {
    /// Takes the fields of the page. The caller takes its other fields, and then validates.
    pub(super) fn parse(fields: &mut Fields, reader: &mut QueryReader) -> Result<Self, ApiError> {
        let query = match fields.value("query") {
            None => Query::All,
            Some(query) => reader.read(query)?,
        };
        let sort = match fields.value("sort") {
            None => Vec::new(),
            Some(sort) => sort::parse_sort(reader.documents(), sort, reader.now_ms())?,
        };
        let search_after = fields
            .array("search_after")?
            .map(|after| sort::parse_after(&after, &sort, reader.now_ms()))
            .transpose()?;
        Ok(Self {
            query,
            from: number(fields, "from", 0)?,
            size: number(fields, "size", 10)?,
            sort,
            search_after,
        })
    }

    pub(super) fn validate(&self) -> Result<(), ApiError> {
        let window = self.from.saturating_add(self.size);
        if window > WINDOW_MAX {
            return Err(ApiError::illegal(format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW_MAX}] but was [{window}]. See the scroll api for a more efficient way to request large data sets.",
            )));
        }
        if self.search_after.is_some() && self.from > 0 {
            return Err(ApiError::validation(
                "`from` parameter must be set to 0 when `search_after` is used",
            ));
        }
        Ok(())
    }
}

fn number(fields: &mut Fields, name: &str, default: usize) -> Result<usize, ApiError> {
    let Some(value) = fields.value(name) else {
        return Ok(default);
    };
    let number = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        .ok_or_else(|| fields.error_style().wrong_type(name, "a number", &value))?;
    usize::try_from(number).map_err(|_| {
        ApiError::validation(format!(
            "[{name}] parameter cannot be negative but was [{number}]"
        ))
    })
}
