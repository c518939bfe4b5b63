//! Lists users. Elasticsearch returns all of them at once, in every version; search, order and pages are ours.

use crate::{
    access::ManageSecurity,
    context::RequestContext,
    elasticsearch::{Connection, capabilities::Capability, users::StoredUser},
    error::Error,
    keys,
};
use app::model::{
    key_list::SortOrder,
    timestamp::Timestamp,
    user::User,
    user_list::{UserList, UserQuery, UserSort},
};
use std::{cmp::Ordering, collections::BTreeMap};

/// Numbers of active keys by owner.
type KeyCounts = BTreeMap<String, u64>;

/// Returns one page of the users, each with the number of their active keys.
#[tracing::instrument(name = "users.page.list", skip_all)]
pub async fn list(ctx: &RequestContext, query: UserQuery) -> Result<UserList, Error> {
    ctx.grant::<ManageSecurity>().await?;
    let connection = ctx.elasticsearch()?;
    let (users, counts) = tokio::join!(
        connection.get_users(),
        count_keys(connection, ctx.state.now())
    );
    Ok(UserList {
        notice: ctx.notice(),
        ..page(users?.into_values().collect(), counts.as_ref(), &query)
    })
}

fn page(users: Vec<StoredUser>, counts: Option<&KeyCounts>, query: &UserQuery) -> UserList {
    let needle = query.search.as_str().to_lowercase();
    let is_listed = |user: &StoredUser| query.reserved || !user.is_reserved();
    let total = users.iter().filter(|user| is_listed(user)).count();
    let found = users.into_iter().filter(|user| matches(user, &needle));
    let (mut found, hidden): (Vec<_>, Vec<_>) = found.partition(is_listed);
    found.sort_by(|one, other| compare(one, other, counts, query));
    let rows = usize::from(query.rows).max(1);
    let pages = found.len().div_ceil(rows).max(1);
    let page = query
        .page
        .clamp(1, u32::try_from(pages).unwrap_or(u32::MAX));
    let before = usize::try_from(page - 1).map_or(0, |before| before * rows);
    let matching = found.len();
    let shown = found.into_iter().skip(before).take(rows);
    UserList {
        users: shown.map(|user| listed(user, counts)).collect(),
        page,
        matching,
        total,
        hidden: hidden.len(),
        notice: None,
    }
}

fn listed(user: StoredUser, counts: Option<&KeyCounts>) -> User {
    User {
        reserved: user.is_reserved(),
        active_keys: counts.map(|counts| active_keys(&user, counts)),
        username: user.username,
        full_name: user.full_name.filter(|name| !name.is_empty()),
        email: user.email.filter(|email| !email.is_empty()),
        roles: user.roles,
        enabled: user.enabled,
    }
}

fn active_keys(user: &StoredUser, counts: &KeyCounts) -> u64 {
    counts.get(&user.username).copied().unwrap_or(0)
}

fn matches(user: &StoredUser, needle: &str) -> bool {
    let texts = [
        Some(&user.username),
        user.full_name.as_ref(),
        user.email.as_ref(),
    ];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(needle))
}

fn compare(
    one: &StoredUser,
    other: &StoredUser,
    counts: Option<&KeyCounts>,
    query: &UserQuery,
) -> Ordering {
    let by_name = || {
        let (a, b) = (&one.username, &other.username);
        a.to_lowercase()
            .cmp(&b.to_lowercase())
            .then_with(|| a.cmp(b))
    };
    let keys = |user| counts.map(|counts| active_keys(user, counts));
    let by_field = match query.sort {
        UserSort::Name => by_name(),
        UserSort::Keys => keys(one).cmp(&keys(other)),
        UserSort::Status => one.enabled.cmp(&other.enabled),
    };
    let by_field = match query.order {
        SortOrder::Ascending => by_field,
        SortOrder::Descending => by_field.reverse(),
    };
    by_field.then_with(by_name)
}

/// Returns the numbers of active keys by owner. `None` where they cannot be counted, as before Elasticsearch 8.13: the
/// users are still worth showing.
async fn count_keys(connection: &Connection, now: Timestamp) -> Option<KeyCounts> {
    if connection.lacks(Capability::Aggregations) {
        return None;
    }
    let query = keys::active_keys_by_owner(now);
    let counted = match connection.query_api_keys(&query).await {
        Ok(counted) => counted,
        Err(error) => {
            if !connection.lacks_by(&error, Capability::Aggregations) {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the keys of the users could not be counted");
            }
            return None;
        }
    };
    let owners = keys::facet(&counted.aggregations, "owners");
    let counts = owners.into_iter().map(|owner| (owner.value, owner.count));
    Some(counts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn user(name: &str, full_name: &str, enabled: bool, reserved: bool) -> StoredUser {
        let mut metadata = Map::new();
        if reserved {
            metadata.insert("_reserved".to_owned(), json!(true));
        }
        StoredUser {
            username: name.to_owned(),
            roles: Vec::new(),
            full_name: Some(full_name.to_owned()),
            email: Some(format!("{name}@example.com")),
            metadata,
            enabled,
        }
    }

    fn users() -> Vec<StoredUser> {
        vec![
            user("Zoe", "", true, false),
            user("ada", "Ada Lovelace", false, false),
            user("ben", "", true, false),
            user("elastic", "", true, true),
        ]
    }

    fn names(list: &UserList) -> Vec<&str> {
        list.users.iter().map(|user| &*user.username).collect()
    }

    fn with(change: impl FnOnce(&mut UserQuery)) -> UserList {
        let counts = [("ben".to_owned(), 2), ("Zoe".to_owned(), 7)];
        let mut query = UserQuery::default();
        change(&mut query);
        page(users(), Some(&counts.into()), &query)
    }

    #[test]
    fn users_are_sorted_by_each_field_and_then_by_name() {
        use SortOrder::{Ascending, Descending};
        for (sort, order, expected) in [
            (UserSort::Name, Ascending, ["ada", "ben", "Zoe"]),
            (UserSort::Name, Descending, ["Zoe", "ben", "ada"]),
            (UserSort::Keys, Descending, ["Zoe", "ben", "ada"]),
            (UserSort::Keys, Ascending, ["ada", "ben", "Zoe"]),
            (UserSort::Status, Ascending, ["ada", "ben", "Zoe"]),
            (UserSort::Status, Descending, ["ben", "Zoe", "ada"]),
        ] {
            let list = with(|query| (query.sort, query.order) = (sort, order));
            assert_eq!(names(&list), expected, "{sort:?} {order:?}");
        }
        let uncounted = UserQuery::default().sorted_by(UserSort::Keys);
        assert_eq!(
            names(&page(users(), None, &uncounted)),
            ["ada", "ben", "Zoe"]
        );
    }

    #[test]
    fn reserved_users_are_listed_on_request_and_counted_where_they_are_hidden() {
        let list = with(|_| {});
        assert_eq!((list.matching, list.total, list.hidden), (3, 3, 1));
        let list = with(|query| query.reserved = true);
        assert_eq!((list.matching, list.total, list.hidden), (4, 4, 0));
        assert_eq!(names(&list), ["ada", "ben", "elastic", "Zoe"]);
        let list = with(|query| query.search = "ELASTIC".into());
        assert_eq!((list.matching, list.total, list.hidden), (0, 3, 1));
    }

    #[test]
    fn search_finds_parts_of_name_full_name_and_address() {
        for (search, expected) in [
            ("AD", &["ada"][..]),
            ("lovelace", &["ada"]),
            ("@example", &["ada", "ben", "Zoe"]),
            ("nobody", &[]),
        ] {
            let list = with(|query| query.search = search.into());
            assert_eq!(names(&list), expected, "{search}");
            assert_eq!(list.total, 3, "{search}");
        }
    }

    #[test]
    fn page_after_the_last_is_the_last() {
        for (asked, page, expected) in [
            (1, 1, &["ada", "ben"][..]),
            (2, 2, &["Zoe"]),
            (u32::MAX, 2, &["Zoe"]),
        ] {
            let list = with(|query| (query.rows, query.page) = (2, asked));
            assert_eq!((list.page, names(&list)), (page, expected.to_vec()));
        }
        let none = with(|query| (query.search, query.page) = ("nobody".into(), 5));
        assert_eq!((none.page, none.matching), (1, 0));
    }
}
