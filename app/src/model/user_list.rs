//! The list of users: the query, as it stands in the page's address, and the page of results.

use super::{
    audit::SearchText,
    key_list::{ROWS_CHOICES, ROWS_DEFAULT, SortOrder},
    notice::Notice,
    user::User,
};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// Sort field of the list. Equal users come by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum UserSort {
    #[default]
    Name,
    /// Number of active keys. Users whose keys cannot be counted come as if they had none.
    Keys,
    /// State of the user: disabled ones before enabled ones.
    Status,
}

/// Search, order and page of the list, as in the page's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQuery {
    /// Part of a user name, full name or e-mail address, case-insensitive. Empty matches every user.
    pub search: SearchText,
    /// True to list reserved users too.
    pub reserved: bool,
    pub sort: UserSort,
    pub order: SortOrder,
    /// Rows per page, one of [`ROWS_CHOICES`].
    pub rows: u16,
    /// Number of the page, from 1.
    pub page: u32,
}

/// One page of the users that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    pub users: Vec<User>,
    /// Number of the page: the last one, if the query asks for one after it.
    pub page: u32,
    /// Number of users that match the search.
    pub matching: usize,
    /// Number of all users; without the reserved ones, where they are not listed.
    pub total: usize,
    /// Number of reserved users that match the search and are not listed.
    pub hidden: usize,
    /// Message of what was just done.
    pub notice: Option<Notice>,
}

impl UserSort {
    /// Returns the value in the address.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Returns the default order of the field: most keys first, but A before Z.
    pub fn natural_order(self) -> SortOrder {
        match self {
            Self::Keys => SortOrder::Descending,
            Self::Name | Self::Status => SortOrder::Ascending,
        }
    }
}

impl Default for UserQuery {
    fn default() -> Self {
        Self {
            search: SearchText::default(),
            reserved: false,
            sort: UserSort::default(),
            order: UserSort::default().natural_order(),
            rows: ROWS_DEFAULT,
            page: 1,
        }
    }
}

impl UserQuery {
    /// Parses the parameters of the address. Ignores unknown values.
    pub fn from_parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let mut order = None;
        for (name, value) in parameters {
            match name {
                "q" => query.search = value.into(),
                "reserved" => query.reserved = value == "true",
                "sort" => query.sort = value.parse().unwrap_or(query.sort),
                "order" => order = value.parse().ok(),
                "rows" => {
                    let rows = value.parse().ok();
                    let rows = rows.filter(|rows| ROWS_CHOICES.contains(rows));
                    query.rows = rows.unwrap_or(query.rows);
                }
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        query.order = order.unwrap_or(query.sort.natural_order());
        query
    }

    /// Returns the parameters of the address that differ from the default.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        if !self.search.is_empty() {
            parameters.push(("q", self.search.as_str().to_owned()));
        }
        if self.reserved {
            parameters.push(("reserved", "true".to_owned()));
        }
        if self.sort != UserSort::default() {
            parameters.push(("sort", self.sort.word().to_owned()));
        }
        if self.order != self.sort.natural_order() {
            parameters.push(("order", self.order.word().to_owned()));
        }
        if self.rows != ROWS_DEFAULT {
            parameters.push(("rows", self.rows.to_string()));
        }
        if self.page > 1 {
            parameters.push(("page", self.page.to_string()));
        }
        parameters
    }

    /// Returns the same query on another page.
    pub fn at(&self, page: u32) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }

    /// Returns the first page, sorted by this field, or in the reverse order if it is sorted by it already.
    pub fn sorted_by(&self, sort: UserSort) -> Self {
        let order = if self.sort == sort {
            self.order.reversed()
        } else {
            sort.natural_order()
        };
        Self {
            sort,
            order,
            ..self.at(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_survives_the_round_trip_through_an_address() {
        let query = UserQuery {
            search: "ada l".into(),
            reserved: true,
            sort: UserSort::Keys,
            order: SortOrder::Ascending,
            rows: 50,
            page: 3,
        };
        let parameters = query.parameters();
        let pairs = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        assert_eq!(UserQuery::from_parameters(pairs), query);
        assert!(UserQuery::default().parameters().is_empty());
    }

    #[test]
    fn unknown_values_in_an_address_are_ignored() {
        let query = UserQuery::from_parameters([
            ("sort", "password_hash"),
            ("order", "sideways"),
            ("rows", "1000000"),
            ("page", "0"),
            ("reserved", "maybe"),
            ("after", "WzFd"),
        ]);
        assert_eq!(query, UserQuery::default());
        for page in ["-1", "1.5", "99999999999", ""] {
            assert_eq!(
                UserQuery::from_parameters([("page", page)]).page,
                1,
                "{page}"
            );
        }
    }

    #[test]
    fn second_choice_of_a_column_reverses_its_order() {
        let keys = UserQuery::default().at(4).sorted_by(UserSort::Keys);
        assert_eq!((keys.order, keys.page), (SortOrder::Descending, 1));
        assert_eq!(keys.sorted_by(UserSort::Keys).order, SortOrder::Ascending);
        let name = keys.sorted_by(UserSort::Name);
        assert_eq!(name, UserQuery::default());
    }
}
