//! The list of keys: the query, as it stands in the page's address, and the page of results.

use super::{
    agent_key::AgentKey,
    apm_settings::{ApmSettings, KeysInUse, MadeElsewhere},
    notice::Notice,
    timestamp::Timestamp,
    user::FirstSteps,
};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Default number of rows per page.
pub const ROWS_DEFAULT: u16 = 25;
/// Numbers of rows per page that the user can choose.
pub const ROWS_CHOICES: [u16; 4] = [15, 25, 50, 100];
/// Maximum length of a search text, in characters.
pub const SEARCH_CHARACTERS_MAX: usize = 256;
/// Maximum number of values of one filter.
pub const FILTER_VALUES_MAX: usize = 100;

/// Value of the parameter `source` for keys of other applications.
pub const ELSEWHERE: &str = "elsewhere";

/// Sort field of the list.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum SortField {
    Name,
    Owner,
    #[default]
    Created,
    /// Expiration; keys that never expire come last.
    Expires,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
pub enum SortOrder {
    #[strum(serialize = "asc")]
    Ascending,
    #[strum(serialize = "desc")]
    Descending,
}

/// Status that the list can be filtered by.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum StatusFilter {
    Active,
    /// Active, and expires within 14 days.
    ExpiresSoon,
    Expired,
    Revoked,
}

/// Position in the list. Elasticsearch pages with `search_after`, so the row before or after it identifies a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PageAnchor {
    #[default]
    First,
    /// Rows after this cursor.
    After(Cursor),
    /// Rows before this cursor.
    Before(Cursor),
}

/// Opaque cursor of a row, from [`KeyListPage`]. At most 4,096 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// Filters, order and page of the list, as in the page's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListQuery {
    /// Part of a name or label, case-insensitive, or a whole key id. Empty matches every key.
    pub search: String,
    /// Statuses to include; empty for all.
    pub status: Vec<StatusFilter>,
    /// Owners to include; empty for all.
    pub owner: Vec<String>,
    /// Realms to include; empty for all.
    pub realm: Vec<String>,
    /// True to list unmarked keys with privileges for `apm` instead of marked keys.
    pub elsewhere: bool,
    pub sort: SortField,
    pub order: SortOrder,
    /// Rows per page, one of [`ROWS_CHOICES`].
    pub rows: u16,
    pub anchor: PageAnchor,
    /// Rows before this page according to the address. Used only for “26–50 of 174”.
    pub offset: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListPage {
    pub keys: Vec<AgentKey>,
    /// Exact number of keys that match search and filters.
    pub total: u64,
    /// Cursor before the next page; `None` on the last page.
    pub next: Option<Cursor>,
    /// Cursor after the previous page; `None` on the first page.
    pub previous: Option<Cursor>,
    /// Counts of all agent keys that the user may see, regardless of search and filters.
    pub summary: KeySummary,
    /// Counts of the keys that match the search, regardless of the filters for status, owner and realm.
    pub filters: FilterCounts,
    /// Message of what was just done.
    pub notice: Option<Notice>,
    /// Time of the query.
    pub read_at: Timestamp,
}

/// Counts of all agent keys that the user may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    /// Active keys, including those that expire soon.
    pub active: u64,
    /// Active keys that expire within 14 days.
    pub expires_soon: u64,
    pub expired: u64,
    /// Revoked keys that Elasticsearch has not yet deleted.
    pub revoked: u64,
    /// Unmarked keys, not included in the other counts.
    pub elsewhere: MadeElsewhere,
    /// Scope of the counts: the keys of all owners, or only the user's own.
    pub counts_everybody: bool,
    /// APM Server's limit of unique keys, from the settings.
    pub limit: u32,
    /// True if API-key authorization is on in the settings.
    pub authorization_enabled: bool,
    /// Steps before the first key. Not read while there are keys.
    pub first_steps: FirstSteps,
}

/// Number of keys for each value of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterCounts {
    /// In the order of [`StatusFilter::ALL`].
    pub status: [u64; 4],
    /// Owners with the most keys, at most [`FILTER_VALUES_MAX`].
    pub owners: Vec<FacetValue>,
    /// Realms with the most keys, at most [`FILTER_VALUES_MAX`].
    pub realms: Vec<FacetValue>,
    /// True if `owners` and `realms` are listed. Elasticsearch before 8.13 cannot list them.
    pub lists_owners: bool,
}

impl KeySummary {
    /// Takes the counts of all marked keys.
    pub fn of(counts: &FilterCounts, elsewhere: MadeElsewhere) -> Self {
        let [active, expires_soon, expired, revoked] = counts.status;
        Self {
            active,
            expires_soon,
            expired,
            revoked,
            elsewhere,
            ..Self::default()
        }
    }

    /// Sets the fields that come from the settings.
    pub fn with_settings(self, settings: &ApmSettings) -> Self {
        Self {
            limit: settings.api_key_limit,
            authorization_enabled: settings.api_key_enabled,
            ..self
        }
    }

    /// Returns the keys that count against APM Server's limit.
    pub fn in_use(&self) -> KeysInUse {
        KeysInUse::of(self.active, self.elsewhere, self.counts_everybody)
    }

    /// Returns true if there are no keys, including those made elsewhere.
    pub fn is_empty(&self) -> bool {
        self.total() == 0 && self.elsewhere.total() == 0
    }

    /// Returns the number of marked keys of any status.
    pub fn total(&self) -> u64 {
        self.active + self.expired + self.revoked
    }
}

/// Value of a filter, and the number of keys that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetValue {
    pub value: String,
    pub count: u64,
}

impl SortField {
    /// Returns the value in the address.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Returns the default order of the field: newest first, but A before Z.
    pub fn natural_order(self) -> SortOrder {
        match self {
            Self::Created => SortOrder::Descending,
            Self::Name | Self::Owner | Self::Expires => SortOrder::Ascending,
        }
    }
}

impl SortOrder {
    /// Returns the value in the address.
    pub fn word(self) -> &'static str {
        self.into()
    }

    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

impl StatusFilter {
    /// All, in display order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the value in the address.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Returns the label on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::ExpiresSoon => "Expires within 14 days",
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
        }
    }
}

impl Default for KeyListQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            status: Vec::new(),
            owner: Vec::new(),
            realm: Vec::new(),
            elsewhere: false,
            sort: SortField::default(),
            order: SortField::default().natural_order(),
            rows: ROWS_DEFAULT,
            anchor: PageAnchor::First,
            offset: 0,
        }
    }
}

impl KeyListQuery {
    /// Parses the parameters of the address. Ignores unknown values: an address may be old or typed by hand, and the list is
    /// still the best response.
    pub fn from_parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let mut order = None;
        for (name, value) in parameters {
            match name {
                "q" => query.search = value.chars().take(SEARCH_CHARACTERS_MAX).collect(),
                "status" => query.status.extend(value.parse::<StatusFilter>()),
                "owner" if !value.is_empty() => push_value(&mut query.owner, value),
                "realm" if !value.is_empty() => push_value(&mut query.realm, value),
                "source" => query.elsewhere = value == ELSEWHERE,
                "sort" => query.sort = value.parse().unwrap_or(query.sort),
                "order" => order = value.parse().ok(),
                "rows" => {
                    if let Some(rows) = value
                        .parse()
                        .ok()
                        .filter(|rows| ROWS_CHOICES.contains(rows))
                    {
                        query.rows = rows;
                    }
                }
                "after" if is_cursor(value) => {
                    query.anchor = PageAnchor::After(Cursor(value.to_owned()));
                }
                "before" if is_cursor(value) => {
                    query.anchor = PageAnchor::Before(Cursor(value.to_owned()));
                }
                "offset" => query.offset = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        query.status.dedup();
        query.order = order.unwrap_or(query.sort.natural_order());
        if query.anchor == PageAnchor::First {
            query.offset = 0;
        }
        query
    }

    /// Returns the parameters of the address that differ from the default.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        if !self.search.is_empty() {
            parameters.push(("q", self.search.clone()));
        }
        parameters.extend(
            self.status
                .iter()
                .map(|status| ("status", status.word().to_owned())),
        );
        parameters.extend(self.owner.iter().map(|owner| ("owner", owner.clone())));
        parameters.extend(self.realm.iter().map(|realm| ("realm", realm.clone())));
        if self.elsewhere {
            parameters.push(("source", ELSEWHERE.to_owned()));
        }
        if self.sort != SortField::default() {
            parameters.push(("sort", self.sort.word().to_owned()));
        }
        if self.order != self.sort.natural_order() {
            parameters.push(("order", self.order.word().to_owned()));
        }
        if self.rows != ROWS_DEFAULT {
            parameters.push(("rows", self.rows.to_string()));
        }
        match &self.anchor {
            PageAnchor::First => {}
            PageAnchor::After(cursor) => parameters.push(("after", cursor.0.clone())),
            PageAnchor::Before(cursor) => parameters.push(("before", cursor.0.clone())),
        }
        if self.offset > 0 {
            parameters.push(("offset", self.offset.to_string()));
        }
        parameters
    }

    /// Returns the same query on the first page.
    pub fn first_page(&self) -> Self {
        Self {
            anchor: PageAnchor::First,
            offset: 0,
            ..self.clone()
        }
    }

    /// Returns true if a search or filter is set.
    pub fn is_filtered(&self) -> bool {
        !(self.search.is_empty()
            && self.status.is_empty()
            && self.owner.is_empty()
            && self.realm.is_empty()
            && !self.elsewhere)
    }
}

fn push_value(values: &mut Vec<String>, value: &str) {
    let known = values.iter().any(|known| known == value);
    if !known && values.len() < FILTER_VALUES_MAX {
        values.push(value.to_owned());
    }
}

fn is_cursor(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4_096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_survives_the_round_trip_through_an_address() {
        let query = KeyListQuery {
            search: "check out".to_owned(),
            status: vec![StatusFilter::Active, StatusFilter::Revoked],
            owner: vec!["a".to_owned(), "b".to_owned()],
            realm: vec!["native1".to_owned()],
            elsewhere: true,
            sort: SortField::Name,
            order: SortOrder::Descending,
            rows: 50,
            anchor: PageAnchor::After(Cursor("WzFd".to_owned())),
            offset: 50,
        };
        let parameters = query.parameters();
        let pairs = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        assert_eq!(KeyListQuery::from_parameters(pairs), query);
        assert!(KeyListQuery::default().parameters().is_empty());
    }

    #[test]
    fn unknown_values_in_an_address_are_ignored() {
        let query = KeyListQuery::from_parameters([
            ("sort", "api_key_hash"),
            ("rows", "1000000"),
            ("order", "sideways"),
            ("status", "dead"),
            ("offset", "-1"),
            ("page", "2"),
        ]);
        assert_eq!(query, KeyListQuery::default());
    }
}
