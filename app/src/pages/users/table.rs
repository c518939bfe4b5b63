//! Table of users.

use super::{UserActions, user_search};
use crate::{
    components::{
        badge::{Badge, Tone},
        field::SearchBox,
        form::{ActionForm, GetForm},
        icon::{Icon, IconName},
        navigation::initials,
        table::{ActionsTh, Table, Th},
    },
    model::{
        role::AGENT_KEY_ROLE,
        user::{User, UserList},
        viewer::Viewer,
    },
    urls,
};
use leptos::prelude::*;

#[component]
pub(super) fn UserTable(users: UserList, viewer: Viewer, actions: UserActions) -> impl IntoView {
    let search = user_search();
    let UserList {
        users,
        matching,
        total,
        ..
    } = users;
    let more = matching.saturating_sub(users.len());
    let me = viewer.username;
    let rows: Vec<_> = users
        .into_iter()
        .map(|user| {
            let is_me = user.username == me;
            view! { <UserRow user is_me actions search=search.clone() /> }.into_any()
        })
        .collect();
    let table = if rows.is_empty() {
        view! { <NothingFound /> }.into_any()
    } else {
        let head = view! {
            <Th text="User" />
            <Th text="Roles" />
            <Th text="Active keys" cell="number" />
            <Th text="Agent key role" />
            <ActionsTh />
        };
        view! {
            <Table
                label="Users"
                caption="Users of the native realm"
                class="table user-list"
                head=head.into_any()
                rows=rows.into_any()
            />
        }
        .into_any()
    };
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Users"</h2>
                    <p>
                        "Users of the native realm. People who sign in through SSO or LDAP get the role through a role mapping in Elasticsearch."
                    </p>
                </div>
            </header>
            <search>
                <GetForm action=urls::users()>
                    <div class="toolbar">
                        <SearchBox
                            name="q"
                            label="Search users"
                            placeholder="Search by user, name or email"
                            value=search
                        />
                        <span class="small muted" role="status">{matching} " of " {total} " users"</span>
                    </div>
                </GetForm>
            </search>
            {table}
            {(more > 0)
                .then(|| {
                    view! {
                        <p data-part="body" class="small muted">
                            {more} " more are not shown. Search by user, name or email to find them."
                        </p>
                    }
                })}
        </section>
    }
    .into_any()
}

/// No user matches.
#[component]
fn NothingFound() -> impl IntoView {
    view! {
        <div class="prompt">
            <Icon name=IconName::Search />
            <h2>"No user matches"</h2>
            <p>"Search looks at user names, names and email addresses."</p>
            <div class="button-row"><a class="button" href=urls::users()>"Show all users"</a></div>
        </div>
    }
    .into_any()
}

#[component]
fn UserRow(user: User, is_me: bool, actions: UserActions, search: String) -> impl IntoView {
    let name = user.username.clone();
    let about: Vec<_> = [user.full_name.clone(), user.email.clone()]
        .into_iter()
        .flatten()
        .collect();
    let roles: Vec<_> = user
        .roles
        .iter()
        .map(|role| {
            if role == AGENT_KEY_ROLE {
                view! { <Badge tone=Tone::Accent text=role.clone() /> }
            } else {
                view! { <Badge text=role.clone() variant="outline" /> }
            }
        })
        .collect();
    let keys = urls::active_keys_of(&name);
    let disabled_with_keys = !user.enabled && user.active_keys.is_some_and(|count| count > 0);
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <div class="row" data-gap="md">
                    <span class="avatar" data-tone=user.reserved.then_some("neutral") aria-hidden="true">{initials(&name)}</span>
                    <div>
                        <span data-part="primary"><bdi>{name.clone()}</bdi></span>
                        {is_me.then(|| view! { " " <Badge text="You" /> })}
                        {user.reserved.then(|| view! { " " <Badge text="Reserved" /> })}
                        {(!user.enabled).then(|| view! { " " <Badge tone=Tone::Warning text="Disabled" /> })}
                        <div data-part="secondary"><bdi>{about.join(", ")}</bdi></div>
                    </div>
                </div>
            </th>
            <td role="cell" data-label="Roles"><div data-part="badges">{roles}</div></td>
            <td role="cell" data-label="Active keys" data-cell="number">
                {match user.active_keys {
                    Some(count) => view! {
                        <a href=keys aria-label=format!("{count} active keys of {name}")>{count}</a>
                    }
                    .into_any(),
                    None => view! { <a href=keys>"Not counted"</a> }.into_any(),
                }}
            </td>
            <td role="cell" data-label="Agent key role">
                <div>
                    <RoleSwitch user=user.clone() actions />
                    {disabled_with_keys
                        .then(|| view! { <div data-part="secondary">"Disabled, but the keys still work"</div> })}
                </div>
            </td>
            <td role="cell" data-cell="actions"><div><RowActions user is_me actions search /></div></td>
        </tr>
    }
    .into_any()
}

/// A switch as a form, so that it works without script.
#[component]
fn RoleSwitch(user: User, actions: UserActions) -> impl IntoView {
    let on = user.has_agent_key_role();
    let assign = actions.assign;
    view! {
        <ActionForm action=assign>
            <input type="hidden" name="username" value=user.username.clone() />
            <input type="hidden" name="assigned" value=(!on).to_string() />
            <button
                type="submit"
                role="switch"
                class="switch"
                aria-checked=on.to_string()
                aria-label=format!("Agent key role for {}", user.username)
                disabled=move || user.reserved || assign.pending().get()
            >
                <span data-part="track"></span>
                <span>{if on { "On" } else { "Off" }}</span>
            </button>
        </ActionForm>
    }
    .into_any()
}

#[component]
fn RowActions(user: User, is_me: bool, actions: UserActions, search: String) -> impl IntoView {
    let name = user.username;
    // The page of sessions always shows the user's own.
    let sessions = (!is_me).then(|| urls::sessions_of(&name));
    let delete = urls::delete_user(&name, &search);
    let reset = urls::reset_password(&name, &search);
    let set_enabled = actions.set_enabled;
    let changeable = !is_me && !user.reserved;
    let of_user = format!(" {name}");
    let sessions = sessions.map(|sessions| {
        view! {
            <a class="row-action" title="Sessions" href=sessions>
                <Icon name=IconName::Clock />
                <span>"Sessions" <span class="visually-hidden">" of" {of_user.clone()}</span></span>
            </a>
        }
    });
    let of_user_toggle = of_user.clone();
    let toggle = changeable.then(|| {
        let verb = if user.enabled { "Disable" } else { "Enable" };
        view! {
            <ActionForm action=set_enabled>
                <input type="hidden" name="username" value=name.clone() />
                <input type="hidden" name="enabled" value=(!user.enabled).to_string() />
                <button type="submit" class="row-action" title=verb disabled=move || set_enabled.pending().get()>
                    <Icon name=IconName::Off />
                    <span>{verb} <span class="visually-hidden">{of_user_toggle}</span></span>
                </button>
            </ActionForm>
        }
    });
    let delete = changeable.then(|| {
        view! {
            <a class="row-action" data-tone="danger" title="Delete" href=delete>
                <Icon name=IconName::X />
                <span>"Delete" <span class="visually-hidden">{of_user.clone()}</span></span>
            </a>
        }
    });
    view! {
        {sessions}
        <a class="row-action" title="Reset password" href=reset>
            <Icon name=IconName::Lock />
            <span>"Reset password" <span class="visually-hidden">" of" {of_user.clone()}</span></span>
        </a>
        {toggle}
        {delete}
    }
    .into_any()
}
