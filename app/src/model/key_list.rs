//! The list of keys: what is asked for, in the words of the page's address, and what comes back.

use super::{
    agent_key::AgentKey,
    apm_settings::{ApmSettings, KeysInUse, MadeElsewhere},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Rows on a page, where the address does not say.
pub const ROWS_DEFAULT: u16 = 25;
/// The row counts that a person may choose.
pub const ROWS_CHOICES: [u16; 4] = [15, 25, 50, 100];
/// The longest search text, in characters.
pub const SEARCH_CHARACTERS_MAX: usize = 256;
/// The most values of one filter.
pub const FILTER_VALUES_MAX: usize = 100;

/// The word in the address for keys made elsewhere.
pub const ELSEWHERE: &str = "elsewhere";

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortField {
    /// The key's name.
    Name,
    /// The owner's user name.
    Owner,
    /// When it was created.
    #[default]
    Created,
    /// When it ends; keys without an end come last.
    Expires,
}

/// In which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortOrder {
    /// Smallest, earliest or first in the alphabet first.
    Ascending,
    /// The other way round.
    Descending,
}

/// A status a person can filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusFilter {
    /// Works now.
    Active,
    /// Works now and ends within 14 days.
    ExpiresSoon,
    /// Ended by itself.
    Expired,
    /// Was revoked.
    Revoked,
}

/// Which page of the list: Elasticsearch continues after a row, it does not count pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PageAnchor {
    /// The first page.
    #[default]
    First,
    /// The rows after this one.
    After(Cursor),
    /// The rows before this one.
    Before(Cursor),
}

/// A row's place in the list: opaque text that only [`KeyListPage`] hands out. At most 4,096 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// What a page of the list is asked for. Everything is in the page's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListQuery {
    /// Part of a name or label, without regard to case, or a whole key id. Empty: everything.
    pub search: String,
    /// Only keys of these statuses; empty: all.
    pub status: Vec<StatusFilter>,
    /// Only keys of these owners; empty: all.
    pub owner: Vec<String>,
    /// Only keys of these realms; empty: all.
    pub realm: Vec<String>,
    /// Keys that grant privileges of `apm` without our or Kibana's mark, instead of those with it.
    pub elsewhere: bool,
    /// Sorted by.
    pub sort: SortField,
    /// In this direction.
    pub order: SortOrder,
    /// Rows on a page, one of [`ROWS_CHOICES`].
    pub rows: u16,
    /// Which page.
    pub anchor: PageAnchor,
    /// How many rows come before this page, as far as the address knows; only for “26–50 of 174”.
    pub offset: u64,
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyListPage {
    /// The rows.
    pub keys: Vec<AgentKey>,
    /// How many keys match search and filters, exactly.
    pub total: u64,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
    /// Where the previous page ends; `None` on the first.
    pub previous: Option<Cursor>,
    /// Counts over all agent keys this person may see, whatever is searched for.
    pub summary: KeySummary,
    /// When Elasticsearch was asked.
    pub read_at: Timestamp,
}

/// Counts over all agent keys that a person may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    /// Keys that work now, those that end soon included.
    pub active: u64,
    /// Keys that work now and end within 14 days.
    pub expires_soon: u64,
    /// Keys that ended by themselves.
    pub expired: u64,
    /// Keys that were revoked and that Elasticsearch has not yet removed.
    pub revoked: u64,
    /// Owners with the most keys, at most [`FILTER_VALUES_MAX`].
    pub owners: Vec<FacetValue>,
    /// Realms with the most keys, at most [`FILTER_VALUES_MAX`].
    pub realms: Vec<FacetValue>,
    /// Keys without our or Kibana's mark; in none of the other figures.
    pub elsewhere: MadeElsewhere,
    /// Scope of the counts: the keys of all owners, or only the user's own.
    pub counts_everybody: bool,
    /// True if `owners` and `realms` are listed. Elasticsearch before 8.13 cannot list them.
    pub lists_owners: bool,
    /// APM Server's limit of unique keys, from the settings.
    pub limit: u32,
    /// Whether API-key authorization is on, from the settings.
    pub authorization_enabled: bool,
}

impl KeySummary {
    /// The same counts with what the settings say about them.
    pub fn with_settings(self, settings: &ApmSettings) -> Self {
        Self {
            limit: settings.api_key_limit,
            authorization_enabled: settings.api_key_enabled,
            ..self
        }
    }

    /// Keys that count for APM Server's limit.
    pub fn in_use(&self) -> KeysInUse {
        KeysInUse::of(self.active, self.elsewhere, self.counts_everybody)
    }

    /// Returns true if there are no keys, including those made elsewhere.
    pub fn is_empty(&self) -> bool {
        self.total() == 0 && self.elsewhere.total() == 0
    }

    /// All marked keys, whatever their status.
    pub fn total(&self) -> u64 {
        self.active + self.expired + self.revoked
    }
}

/// A value that can be filtered by, and how many keys have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetValue {
    /// The value.
    pub value: String,
    /// How many keys.
    pub count: u64,
}

impl SortField {
    /// The word in the address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Owner => "owner",
            Self::Created => "created",
            Self::Expires => "expires",
        }
    }

    /// The direction people expect first: newest, but A before Z.
    pub fn natural_order(self) -> SortOrder {
        match self {
            Self::Created => SortOrder::Descending,
            Self::Name | Self::Owner | Self::Expires => SortOrder::Ascending,
        }
    }
}

impl SortOrder {
    /// The word in the address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// The other one.
    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

impl StatusFilter {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [
        Self::Active,
        Self::ExpiresSoon,
        Self::Expired,
        Self::Revoked,
    ];

    /// The word in the address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ExpiresSoon => "expires-soon",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// The words on the page.
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
    /// Reads the address's parameters. A word it does not know is passed over, as if it were not there:
    /// an address may be old, or typed by hand, and a list is still the best answer.
    pub fn from_parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let mut order = None;
        for (name, value) in parameters {
            match name {
                "q" => query.search = value.chars().take(SEARCH_CHARACTERS_MAX).collect(),
                "status" => query.status.extend(
                    StatusFilter::ALL
                        .into_iter()
                        .find(|status| status.word() == value),
                ),
                "owner" if !value.is_empty() => push_value(&mut query.owner, value),
                "realm" if !value.is_empty() => push_value(&mut query.realm, value),
                "source" => query.elsewhere = value == ELSEWHERE,
                "sort" => {
                    use SortField::{Created, Expires, Name, Owner};
                    if let Some(sort) = [Name, Owner, Created, Expires]
                        .into_iter()
                        .find(|field| field.word() == value)
                    {
                        query.sort = sort;
                    }
                }
                "order" => {
                    order = [SortOrder::Ascending, SortOrder::Descending]
                        .into_iter()
                        .find(|order| order.word() == value);
                }
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

    /// The address's parameters for this query; only what differs from the default.
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

    /// The same search on its first page.
    pub fn first_page(&self) -> Self {
        Self {
            anchor: PageAnchor::First,
            offset: 0,
            ..self.clone()
        }
    }

    /// Whether anything narrows the list.
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
    fn an_address_survives_the_round_trip() {
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
    fn nonsense_in_an_address_is_passed_over() {
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
