//! Which keys a get or an invalidate speaks of.

use crate::{authentication::Caller, authorization::own_keys, store::sql::Sql};

/// Keys by id, name, owner. What is not given does not narrow.
#[derive(Default)]
pub(super) struct Selection {
    pub(super) ids: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) username: Option<String>,
    pub(super) realm_name: Option<String>,
    pub(super) owner: bool,
}

impl Selection {
    /// The combinations that contradict each other; `ids` is what the ids are called.
    pub(super) fn problems(&self, ids: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let by_key = !self.ids.is_empty() || self.name.is_some();
        let by_owner = self.username.is_some() || self.realm_name.is_some();
        if by_key && by_owner {
            problems.push(
                "username or realm name must not be specified when the api key id(s) or api key name are specified"
                    .to_owned(),
            );
        }
        if self.owner && by_owner {
            problems.push(
                "neither username nor realm-name may be specified when retrieving owned API keys"
                    .to_owned(),
            );
        }
        if !self.ids.is_empty() && self.name.is_some() {
            problems.push(format!(
                "only one of [{ids}, api key name] can be specified"
            ));
        }
        problems
    }

    /// The selection as a condition.
    pub(super) fn to_sql(&self, caller: &Caller) -> Sql {
        let mut conditions = Vec::new();
        if !self.ids.is_empty() {
            let mut condition = Sql::new("id IN ");
            condition.list(&self.ids);
            conditions.push(condition);
        }
        match self.name.as_deref() {
            None | Some("*") => {}
            Some(name) => conditions.push(name_condition(name)),
        }
        let texts = [
            ("username = ", &self.username),
            ("realm_name = ", &self.realm_name),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                let mut condition = Sql::new(column);
                condition.text(value.clone());
                conditions.push(condition);
            }
        }
        if self.owner {
            conditions.push(own_keys(caller));
        }
        Sql::join(&conditions, " AND ", "1")
    }
}

/// A name, or with a star at the end its beginning. Other stars stand for themselves.
fn name_condition(name: &str) -> Sql {
    let mut condition = Sql::default();
    match name.strip_suffix('*') {
        Some(beginning) => condition
            .push("(name >= ")
            .text(beginning)
            .push(" AND name < ")
            .text(format!("{beginning}\u{10FFFF}"))
            .push(")"),
        None => condition.push("name = ").text(name),
    };
    condition
}
