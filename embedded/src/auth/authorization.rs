//! Authorization: the only place that decides whether a caller may perform an action.

use crate::{
    error::ApiError,
    identity::{Caller, Realm, Subject},
    store::Sql,
};

/// An action as Elasticsearch authorizes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    /// Elasticsearch's name, which refusals contain.
    pub(crate) name: &'static str,
    pub(crate) granted_by: GrantedBy,
}

/// The rule that grants an action.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GrantedBy {
    /// The cluster privileges that cover the action. Refusals list these.
    Privileges(&'static [&'static str]),
    /// Every authenticated caller may perform it.
    Authentication,
}

/// The keys that a request selects.
#[derive(Default)]
pub(crate) struct RequestedKeys<'a> {
    /// True if the request sets the flag `owner`.
    pub(crate) owner: bool,
    pub(crate) username: Option<&'a str>,
    pub(crate) realm_name: Option<&'a str>,
    pub(crate) ids: &'a [String],
    pub(crate) with_limited_by: bool,
}

/// Operations on existing keys, which `manage_own_api_key` also grants for the caller's own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyOperation {
    Get,
    Query,
    Invalidate,
}

/// The keys that a caller may read or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyScope {
    /// The keys of all users.
    All,
    /// The caller's own keys.
    Own,
}

/// Checks that the caller may perform `action`.
pub(crate) fn authorize(caller: &Caller, action: Action) -> Result<(), ApiError> {
    let allowed = match action.granted_by {
        GrantedBy::Authentication => true,
        GrantedBy::Privileges(_) => caller.subject.permission.allows_action(action.name),
    };
    allowed.then_some(()).ok_or_else(|| refusal(caller, action))
}

/// Checks that the caller may perform `operation` on the requested keys.
///
/// With `manage_own_api_key` alone a query is restricted to [`KeyScope::Own`]. The other
/// operations are refused unless they request only own keys.
pub(crate) fn authorize_keys(
    caller: &Caller,
    action: Action,
    operation: KeyOperation,
    requested: &RequestedKeys<'_>,
) -> Result<KeyScope, ApiError> {
    const OWN: &str = "manage_own_api_key";
    let subject = &caller.subject;
    let permission = &subject.permission;
    if permission.allows_action_without(action.name, OWN) {
        return Ok(KeyScope::All);
    }
    let own_id = subject.api_key_id();
    let itself = own_id
        .is_some_and(|own| !requested.ids.is_empty() && requested.ids.iter().all(|id| id == own));
    let manages_own = permission.allows_action(action.name);
    // The limits of a key show the privileges of its owner, which are hidden from the key.
    let limits_hidden = own_id.is_some() && requested.with_limited_by;
    let own = match operation {
        KeyOperation::Query => manages_own,
        // Every key may read itself.
        KeyOperation::Get if itself => true,
        KeyOperation::Get | KeyOperation::Invalidate => {
            let named = own_id.is_none()
                && requested.username == Some(subject.username.as_str())
                && requested.realm_name == Some(subject.realm.name.as_str());
            manages_own && (requested.owner || named || itself)
        }
    };
    if own && !limits_hidden {
        return Ok(KeyScope::Own);
    }
    Err(refusal(caller, action))
}

/// Selects the caller's own keys: those of a user, or an API key itself.
pub(crate) fn own_keys(caller: &Caller) -> Sql {
    let subject = &caller.subject;
    let mut sql = Sql::default();
    match subject.api_key_id() {
        Some(id) => sql.push("id = ").text(id),
        None => sql
            .push("(username = ")
            .text(subject.username.clone())
            .push(" AND realm_name = ")
            .text(subject.realm.name.clone())
            .push(")"),
    };
    sql
}

/// Returns true if the caller owns keys of `username` in `realm`.
pub(crate) fn owns(caller: &Caller, username: &str, realm: &Realm) -> bool {
    caller.subject.username == username && caller.subject.realm.name == realm.name
}

/// The error for a caller that may not perform `action`.
pub(crate) fn refusal(caller: &Caller, action: Action) -> ApiError {
    let subject = &caller.subject;
    let name = action.name;
    let who = match &caller.on_behalf {
        Some(by) => format!("{} run as [{}]", describe(by), subject.username),
        None => describe(subject),
    };
    let roles = describe_roles(subject);
    let granted_by = match action.granted_by {
        GrantedBy::Privileges(privileges) => format!(
            ", this action is granted by the cluster privileges [{}]",
            privileges.join(",")
        ),
        GrantedBy::Authentication => String::new(),
    };
    ApiError::Unauthorized(format!(
        "action [{name}] is unauthorized for {who}{roles}{granted_by}"
    ))
}

/// Name of a subject in refusals.
pub(crate) fn describe(subject: &Subject) -> String {
    match subject.api_key_id() {
        Some(id) => format!("API key id [{id}] of user [{}]", subject.username),
        None => format!("user [{}]", subject.username),
    }
}

/// Roles of a subject in refusals. Empty for an API key.
pub(crate) fn describe_roles(subject: &Subject) -> String {
    if subject.api_key_id().is_some() {
        return String::new();
    }
    let mut held: Vec<&str> = subject
        .roles
        .iter()
        .filter(|role| !subject.missing_roles.contains(role))
        .map(String::as_str)
        .collect();
    held.sort_unstable();
    let mut text = format!(" with effective roles [{}]", held.join(","));
    if !subject.missing_roles.is_empty() {
        text.push_str(&format!(
            " (assigned roles [{}] were not found)",
            subject.missing_roles.join(",")
        ));
    }
    text
}
