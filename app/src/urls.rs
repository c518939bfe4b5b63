//! Addresses of the pages.
//!
//! All are below the base path. The server provides it as a context for each request, the browser half for its page.

use crate::model::{agent_key::KeyId, base_path::BasePath};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::{hooks::use_location, location::Url, params::ParamsMap};

/// The path of the list, below the base path.
pub const AGENT_KEYS: &str = "/settings/agent-keys";
/// The path of the audit log, below the base path.
pub const AUDIT: &str = "/settings/audit";

/// The base path of this request, or of this page.
pub fn base_path() -> BasePath {
    use_context().unwrap_or_default()
}

fn at(path: &str) -> String {
    base_path().join(path)
}

/// The sign-in page, with what it says of the session that ended.
pub fn login(reason: &str) -> String {
    at(&format!("/login?reason={reason}"))
}

/// Where the password is entered again, and back to `next` from there.
pub fn reauthenticate(next: String) -> String {
    with_parameters(&at("/reauthenticate"), &[("next", next)])
}

/// The page to go on to: only one of ours, whatever the address says that names it.
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

/// The list of agent keys.
pub fn agent_keys() -> String {
    at(AGENT_KEYS)
}

/// The list of a user's keys that work.
pub fn active_keys_of(owner: &str) -> String {
    at(&format!(
        "{AGENT_KEYS}?owner={}&status=active",
        Url::escape(owner)
    ))
}

/// The list after a key was revoked, which says so.
pub fn agent_keys_after_revoking(id: &KeyId) -> String {
    at(&format!("{AGENT_KEYS}?revoked={id}"))
}

/// The form for a new key.
pub fn new_agent_key() -> String {
    at("/settings/agent-keys/new")
}

/// A key's own page.
pub fn agent_key(id: &KeyId) -> String {
    at(&format!("/settings/agent-keys/{id}"))
}

/// The question before a key is revoked.
pub fn revoke_agent_key(id: &KeyId) -> String {
    at(&format!("/settings/agent-keys/{id}/revoke"))
}

/// The question before several keys are revoked.
pub fn revoke_agent_keys() -> String {
    at("/settings/agent-keys/revoke")
}

/// APM Server's settings.
pub fn apm_integration() -> String {
    at("/settings/apm-integration")
}

/// Users and roles.
pub fn users() -> String {
    at("/settings/users")
}

/// Users and roles, with the users that match the search.
pub fn users_matching(search: &str) -> String {
    with_user_search(users(), None, search)
}

/// The same after a change to a user, which it says: `created`, `deleted` or `password`.
pub fn users_after(change: &str, name: &str, search: &str) -> String {
    with_user_search(users(), Some((change, name)), search)
}

/// The form for a new user, over the users that match the search.
pub fn new_user(search: &str) -> String {
    with_user_search(at("/settings/users/new"), None, search)
}

/// The question before a user is deleted, over the users that match the search.
pub fn delete_user(name: &str, search: &str) -> String {
    with_user_search(at("/settings/users/delete"), Some(("user", name)), search)
}

/// The form for a user's new password, over the users that match the search.
pub fn reset_password(name: &str, search: &str) -> String {
    with_user_search(at("/settings/users/password"), Some(("user", name)), search)
}

fn with_user_search(page: String, user: Option<(&str, &str)>, search: &str) -> String {
    let search = (!search.is_empty()).then_some(("q", search));
    let parameters: Vec<_> = user
        .into_iter()
        .chain(search)
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    with_parameters(&page, &parameters)
}

/// The audit log.
pub fn audit() -> String {
    at(AUDIT)
}

/// The audit log as a file, in the format that ends its name.
pub fn audit_export(format: &str) -> String {
    at(&format!("{AUDIT}/export.{format}"))
}

/// The sessions of the person who is signed in, and of everybody else.
pub fn sessions() -> String {
    at("/settings/sessions")
}

/// The sessions of users whose name holds this.
pub fn sessions_of(name: &str) -> String {
    at(&format!("/settings/sessions?person={}", Url::escape(name)))
}

/// The address of a server function.
pub fn server_function<F: ServerFn>() -> String {
    at(F::PATH)
}

/// Path and query as one, whether the query came with its `?` or without.
pub fn with_search(path: &str, search: &str) -> String {
    match search.trim_start_matches('?') {
        "" => path.to_owned(),
        search => format!("{path}?{search}"),
    }
}

/// The parameters of the page's address. The router's `use_query_map` decodes them twice: what stands for the user
/// `%2F` would name the user `/`.
pub fn use_parameters() -> Memo<ParamsMap> {
    let search = use_location().search;
    Memo::new(move |_| parse(&search.read()))
}

fn parse(search: &str) -> ParamsMap {
    let mut parameters = ParamsMap::new();
    let pairs = search.trim_start_matches('?').split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // The map decodes the value.
        parameters.insert(Url::unescape(name), value.replace('+', " "));
    }
    parameters
}

/// The path with these parameters, each escaped.
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
    fn after_signing_in_the_next_page_is_one_of_ours() {
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
    fn the_next_page_is_below_the_base_path() {
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
