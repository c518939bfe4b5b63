//! Addresses of the pages.
//!
//! All are below the base path, which is in the reactive context.

use crate::model::{
    agent_key::KeyId,
    base_path::BasePath,
    key_list::{KeyListQuery, StatusFilter},
    user_list::UserQuery,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::{hooks::use_location, location::Url, params::ParamsMap};

/// Path of the list, below the base path.
pub const AGENT_KEYS: &str = "/settings/agent-keys";
/// Parameter of the dialog that revokes keys: all that match the query instead of chosen ones.
pub const ALL_MATCHING: &str = "all";
/// Path of the audit log, below the base path.
pub const AUDIT: &str = "/settings/audit";

pub fn base_path() -> BasePath {
    use_context().unwrap_or_default()
}

fn at(path: &str) -> String {
    base_path().join(path)
}

/// Returns the sign-in page, with the reason why the session ended.
pub fn login(reason: &str) -> String {
    at(&format!("/login?reason={reason}"))
}

/// Returns the page that asks for the password again and then redirects to `next`.
pub fn reauthenticate(next: String) -> String {
    with_parameters(&at("/reauthenticate"), &[("next", next)])
}

/// Returns `next` if it is a page of this application, else the list. Prevents open redirects.
pub fn page_or_list(next: Option<&str>) -> String {
    let allowed = |page: &&str| {
        base_path()
            .strip(page)
            .is_some_and(|path| path.starts_with("/settings/"))
            && page.len() <= 4_096
            && page
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !page.contains("//")
            && !has_dot_segment(page)
    };
    next.filter(allowed).map_or_else(agent_keys, str::to_owned)
}

/// Returns true if a browser would go up in the path. It reads `%2e` as a dot.
fn has_dot_segment(page: &str) -> bool {
    let path = page.split(['?', '#']).next().unwrap_or_default();
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|part| part == "." || part == "..")
}

pub fn agent_keys() -> String {
    at(AGENT_KEYS)
}

/// Returns the list of a user's active keys.
pub fn active_keys_of(owner: &str) -> String {
    at(&format!(
        "{AGENT_KEYS}?owner={}&status=active",
        Url::escape(owner)
    ))
}

/// Returns the dialog that revokes all active keys of a user.
pub fn revoke_active_keys_of(owner: &str) -> String {
    revoke_matching(&KeyListQuery {
        owner: vec![owner.to_owned()],
        status: vec![StatusFilter::Active],
        ..KeyListQuery::default()
    })
}

pub fn new_agent_key() -> String {
    at("/settings/agent-keys/new")
}

pub fn agent_key(id: &KeyId) -> String {
    at(&format!("/settings/agent-keys/{id}"))
}

pub fn revoke_agent_key(id: &KeyId) -> String {
    at(&format!("/settings/agent-keys/{id}/revoke"))
}

pub fn rotate_agent_key(id: &KeyId) -> String {
    at(&format!("/settings/agent-keys/{id}/rotate"))
}

/// Parameter of a dialog that was opened on the page of a key, to which it returns.
pub const FROM_KEY: &str = "from-key";

pub fn revoke_agent_keys() -> String {
    at("/settings/agent-keys/revoke")
}

/// Returns the dialog that revokes every key that matches this query.
pub fn revoke_matching(query: &KeyListQuery) -> String {
    let mut parameters = vec![(ALL_MATCHING, "true".to_owned())];
    parameters.extend(query.first_page().parameters());
    with_parameters(&revoke_agent_keys(), &parameters)
}

pub fn apm_integration() -> String {
    at("/settings/apm-integration")
}

pub fn users() -> String {
    at("/settings/users")
}

pub fn user_list(query: &UserQuery) -> String {
    with_parameters(&users(), &query.parameters())
}

/// Returns a dialog over the list of users: `new`, or `disable`, `delete` or `password` for one user.
pub fn user_dialog(dialog: &str, user: Option<&str>, list: &UserQuery) -> String {
    let user = user.map(|name| ("user", name.to_owned()));
    let parameters: Vec<_> = user.into_iter().chain(list.parameters()).collect();
    with_parameters(&at(&format!("/settings/users/{dialog}")), &parameters)
}

/// Returns a dialog over the list of users: `new`, or `edit` or `delete` for one role mapping.
pub fn role_mapping_dialog(dialog: &str, mapping: Option<&str>, list: &UserQuery) -> String {
    let mapping = mapping.map(|name| ("mapping", name.to_owned()));
    let parameters: Vec<_> = mapping.into_iter().chain(list.parameters()).collect();
    with_parameters(
        &at(&format!("/settings/users/mappings/{dialog}")),
        &parameters,
    )
}

pub fn own_password() -> String {
    at("/settings/password")
}

pub fn audit() -> String {
    at(AUDIT)
}

/// Returns the export of the audit log; `format` is the file's extension.
pub fn audit_export(format: &str) -> String {
    at(&format!("{AUDIT}/export.{format}"))
}

/// Returns the page of an export, and every other page as it is.
pub fn page_of_export(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let page = path
        .strip_suffix("/export.jsonl")
        .or_else(|| path.strip_suffix("/export.csv"));
    with_search(page.unwrap_or(path), query)
}

pub fn sessions() -> String {
    at("/settings/sessions")
}

pub fn sessions_of(name: &str) -> String {
    at(&format!("/settings/sessions?person={}", Url::escape(name)))
}

pub fn server_function<F: ServerFn>() -> String {
    at(F::PATH)
}

/// Joins path and query. The query may start with `?`.
pub fn with_search(path: &str, search: &str) -> String {
    match search.trim_start_matches('?') {
        "" => path.to_owned(),
        search => format!("{path}?{search}"),
    }
}

/// Returns the parameters of the page's address. The router's `use_query_map` decodes them twice, so that the user `%2F`
/// would become the user `/`.
pub fn use_parameters() -> Memo<ParamsMap> {
    let search = use_location().search;
    Memo::new(move |_| parse(&search.read()))
}

/// Parses the list's query in the parameters of an address.
pub fn list_query(parameters: &ParamsMap) -> KeyListQuery {
    const NAMES: [&str; 11] = [
        "q", "status", "owner", "realm", "source", "sort", "order", "rows", "after", "before",
        "offset",
    ];
    let values: Vec<(&str, Vec<String>)> = NAMES
        .into_iter()
        .map(|name| (name, parameters.get_all(name).unwrap_or_default()))
        .collect();
    let pairs = values
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (*name, value.as_str())));
    KeyListQuery::from_parameters(pairs)
}

/// Parses the query of the list of users in the parameters of an address.
pub fn user_query(parameters: &ParamsMap) -> UserQuery {
    const NAMES: [&str; 6] = ["q", "reserved", "sort", "order", "rows", "page"];
    let values = NAMES.map(|name| (name, parameters.get(name).unwrap_or_default()));
    UserQuery::from_parameters(values.iter().map(|(name, value)| (*name, value.as_str())))
}

/// Parses the query of an address.
pub fn parse(search: &str) -> ParamsMap {
    let mut parameters = ParamsMap::new();
    let pairs = search.trim_start_matches('?').split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // The map decodes the value.
        parameters.insert(Url::unescape(name), value.replace('+', " "));
    }
    parameters
}

/// Appends the parameters, each escaped.
pub fn with_parameters(path: &str, parameters: &[(&str, String)]) -> String {
    let mut address = path.to_owned();
    for (number, (name, value)) in parameters.iter().enumerate() {
        let mark = if number == 0 { '?' } else { '&' };
        address.push(mark);
        address.push_str(name);
        address.push('=');
        address.push_str(&Url::escape(value));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use leptos::prelude::{Owner, provide_context};

    #[test]
    fn redirect_after_sign_in_stays_in_the_application() {
        assert_eq!(
            page_or_list(Some("/settings/users?q=a")),
            "/settings/users?q=a"
        );
        let dots = "/settings/users?q=../..";
        assert_eq!(page_or_list(Some(dots)), dots);
        for hostile in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "/settings//evil",
            "/settings/../evil",
            "/settings/%2E%2e/evil",
            "/settings/./../evil?q=/settings/",
            "/settings/\r\nSet-Cookie:a",
            "/settings/\u{2215}evil",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(page_or_list(Some(hostile)), AGENT_KEYS, "{hostile}");
        }
        assert_eq!(page_or_list(None), AGENT_KEYS);
    }

    #[test]
    fn redirect_after_sign_in_stays_below_the_base_path() {
        let owner = Owner::new();
        owner.with(|| {
            provide_context(BasePath::parse("/keys").unwrap());
            let users = "/keys/settings/users";
            assert_eq!(page_or_list(Some(users)), users);
            for other in [
                "/settings/users",
                "/other/settings/",
                "/keys/x",
                "/keys/settings/../../other",
            ] {
                assert_eq!(page_or_list(Some(other)), "/keys/settings/agent-keys");
            }
        });
    }
}
