//! Panel with the list of users: search, table, the menu of each row, and pagination.

use crate::{
    components::{
        form::{ActionForm, GetForm, SearchBox, hidden_fields, submit_form},
        icon::{Icon, IconName},
        navigation::initials,
        problem::ProblemCallout,
        status::{Badge, Tone},
        table::{ActionsTh, Pagination, SortTh, Table, Th},
    },
    model::{
        key_list::SortOrder,
        problem::Problem,
        session::Viewer,
        text::{grouped, users, visible},
        user::{AGENT_KEY_ROLE, User, reserved_user_purpose},
        user_list::{UserList, UserQuery, UserSort},
    },
    pages::{agent_keys::NoticeCallout, users::UserActions},
    urls,
};
use leptos::prelude::*;

#[component]
pub(super) fn UserPanel(
    query: Memo<UserQuery>,
    list: UserList,
    viewer: Viewer,
    actions: UserActions,
) -> impl IntoView {
    let current = query.get_untracked();
    let me = viewer.username;
    let notice = list.notice.clone();
    let message = if notice.is_some() {
        view! { <NoticeCallout notice /> }.into_any()
    } else {
        view! { <LastProblem actions /> }.into_any()
    };
    let content = if list.users.is_empty() {
        view! { <NothingFound query=current.clone() hidden=list.hidden /> }.into_any()
    } else {
        let (query, list) = (current.clone(), list.clone());
        view! { <UserTable query list me actions /> }.into_any()
    };
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Users"</h2>
                    <p>
                        "Users of the native realm. Users of other realms, such as SAML, OIDC or LDAP, get the role through "
                        <a href="#mappings-h">"role mappings"</a> "."
                    </p>
                </div>
            </header>
            <div data-part="notice">{message}</div>
            <Toolbar query=current.clone() />
            {content}
            <UserPagination query=current list />
        </section>
    }
    .into_any()
}

/// The problem of the last change that was made in the list.
#[component]
fn LastProblem(actions: UserActions) -> impl IntoView {
    let problem = |result: Option<Result<(), Problem>>| result.and_then(Result::err);
    let last = move || {
        problem(actions.assign.value().get()).or_else(|| problem(actions.set_enabled.value().get()))
    };
    move || last().map(|problem| view! { <ProblemCallout problem /> })
}

/// Search, and the switch for reserved users.
#[component]
fn Toolbar(query: UserQuery) -> impl IntoView {
    let mut kept = query.parameters();
    kept.retain(|(name, _)| matches!(*name, "sort" | "order" | "rows"));
    let reserved = query.reserved;
    view! {
        <search>
            <GetForm action=urls::users()>
                <div class="toolbar">
                    {hidden_fields(kept)}
                    <SearchBox
                        name="q"
                        label="Search users"
                        placeholder="Search by user, name or email"
                        value=query.search.into()
                    />
                    <label class="switch">
                        <input
                            type="checkbox"
                            role="switch"
                            name="reserved"
                            value="true"
                            checked=reserved
                            prop:checked=reserved
                            on:change=submit_form
                        />
                        <span>"Show reserved users"</span>
                    </label>
                    <button class="button" data-size="sm" data-needs-no-script type="submit">"Apply"</button>
                </div>
            </GetForm>
        </search>
    }
    .into_any()
}

#[component]
fn UserTable(
    query: UserQuery,
    list: UserList,
    /// Name of the signed-in user.
    me: String,
    actions: UserActions,
) -> impl IntoView {
    let order = order_words(&query);
    let matching = grouped(list.matching as u64);
    let rows: Vec<_> = list
        .users
        .into_iter()
        .enumerate()
        .map(|(row, user)| {
            let is_me = user.username == me;
            let list = query.clone();
            view! { <UserRow user is_me row actions list /> }.into_any()
        })
        .collect();
    let sort = |sort: UserSort, label, column| {
        let href = urls::user_list(&query.sorted_by(sort));
        let sorted = (query.sort == sort).then_some(query.order);
        view! { <SortTh label column href sorted /> }.into_any()
    };
    let head = view! {
        {sort(UserSort::Name, "User", "user")}
        <Th text="Roles" />
        {sort(UserSort::Keys, "Active keys", "keys")}
        {sort(UserSort::Status, "Status", "status")}
        <ActionsTh />
    };
    view! {
        <div class="result-bar" role="status">
            <span><strong>{matching}</strong> " of " {users(list.total)} ", " {order}</span>
        </div>
        <Table
            label="Users"
            caption=format!("Users of the native realm, {order}")
            class="table user-list"
            head=head.into_any()
            rows=rows.into_any()
        />
    }
    .into_any()
}

fn order_words(query: &UserQuery) -> &'static str {
    use SortOrder as O;
    use UserSort as S;
    match (query.sort, query.order) {
        (S::Name, O::Ascending) => "by name, A to Z",
        (S::Name, O::Descending) => "by name, Z to A",
        (S::Keys, O::Descending) => "most active keys first",
        (S::Keys, O::Ascending) => "fewest active keys first",
        (S::Status, O::Ascending) => "disabled first",
        (S::Status, O::Descending) => "enabled first",
    }
}

#[component]
fn UserRow(
    user: User,
    /// True for the signed-in user.
    is_me: bool,
    /// Number of the row.
    row: usize,
    actions: UserActions,
    list: UserQuery,
) -> impl IntoView {
    let name = visible(&user.username);
    let about = if user.reserved {
        reserved_user_purpose(&user.username).to_owned()
    } else {
        let about = [&user.full_name, &user.email];
        let about: Vec<_> = about
            .into_iter()
            .flatten()
            .map(|text| visible(text))
            .collect();
        about.join(", ")
    };
    let roles: Vec<_> = user
        .roles
        .iter()
        .map(|role| {
            let text = visible(role);
            if role == AGENT_KEY_ROLE {
                view! { <Badge tone=Tone::Accent text /> }.into_any()
            } else {
                view! { <Badge text variant="outline" /> }.into_any()
            }
        })
        .collect();
    let keys = urls::active_keys_of(&user.username);
    let keys = match user.active_keys {
        Some(count) => view! {
            <a href=keys aria-label=format!("{count} active keys of {name}")>{grouped(count)}</a>
        }
        .into_any(),
        None => view! { <a href=keys>"Not counted"</a> }.into_any(),
    };
    let status = if user.enabled {
        view! { <Badge tone=Tone::Success text="Enabled" variant="dot" /> }.into_any()
    } else {
        let keys_work = user.active_keys.is_some_and(|count| count > 0);
        view! {
            <Badge tone=Tone::Warning text="Disabled" />
            {keys_work.then(|| view! { <div data-part="secondary">"The keys still work"</div> })}
        }
        .into_any()
    };
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <div class="row" data-gap="md">
                    <span class="avatar" data-tone=user.reserved.then_some("neutral") aria-hidden="true">{initials(&user.username)}</span>
                    <div>
                        <span data-part="primary"><bdi>{name.clone()}</bdi></span>
                        {is_me.then(|| view! { " " <Badge text="You" /> })}
                        {user.reserved.then(|| view! { " " <Badge text="Reserved" /> })}
                        <div data-part="secondary"><bdi>{about}</bdi></div>
                    </div>
                </div>
            </th>
            <td role="cell" data-label="Roles"><div data-part="badges">{roles}</div></td>
            <td role="cell" data-label="Active keys"><div>{keys}</div></td>
            <td role="cell" data-label="Status"><div>{status}</div></td>
            <td role="cell" data-cell="actions"><div><RowMenu user is_me row actions list /></div></td>
        </tr>
    }
    .into_any()
}

/// No user matches, or there is none yet.
#[component]
fn NothingFound(
    query: UserQuery,
    /// Number of reserved users that match.
    hidden: usize,
) -> impl IntoView {
    let (title, text) = if query.search.is_empty() {
        (
            "No users yet",
            "Reserved users of Elasticsearch are not shown.",
        )
    } else {
        (
            "No user matches",
            "Search looks at user names, names and email addresses.",
        )
    };
    let show_all = (!query.search.is_empty()).then(|| {
        view! { <a class="button" href=urls::users()>"Show all users"</a> }
    });
    let show_reserved = (hidden > 0).then(|| {
        let with_reserved = UserQuery {
            reserved: true,
            ..query.at(1)
        };
        view! {
            <a class="button" href=urls::user_list(&with_reserved)>
                "Show reserved users (" {hidden} ")"
            </a>
        }
    });
    view! {
        <div class="prompt" role="status">
            <Icon name=IconName::Search />
            <h2>{title}</h2>
            <p>{text}</p>
            <div class="button-row">{show_all} {show_reserved}</div>
        </div>
    }
    .into_any()
}

#[component]
fn UserPagination(query: UserQuery, list: UserList) -> impl IntoView {
    let page = list.page;
    let before = u64::from(page - 1) * u64::from(query.rows);
    let shown = list.users.len() as u64;
    let at = |page| urls::user_list(&query.at(page));
    let previous = (page > 1).then(|| at(page - 1));
    let next = (before + shown < list.matching as u64).then(|| at(page + 1));
    let mut kept = query.at(1).parameters();
    kept.retain(|(name, _)| *name != "rows");
    let total = users(list.matching);
    view! {
        <Pagination
            list=urls::users()
            kept
            rows=query.rows
            before
            shown
            total
            previous
            next
        />
    }
    .into_any()
}

/// Button that opens the menu, and the menu. Works without script.
#[component]
pub(super) fn RowMenu(
    user: User,
    /// True for the signed-in user.
    is_me: bool,
    /// Number of the row.
    row: usize,
    actions: UserActions,
    list: UserQuery,
) -> impl IntoView {
    let id = format!("user-menu-{row}");
    let name = user.username.clone();
    let shown = visible(&name);
    let dialog = |dialog| urls::user_dialog(dialog, Some(&name), &list);
    let password = if is_me {
        urls::own_password()
    } else {
        dialog("password")
    };
    let active_keys = match user.active_keys {
        Some(count) => format!("Active keys ({})", grouped(count)),
        None => "Active keys".to_owned(),
    };
    let mut items = vec![
        link(password, IconName::Lock, "Change password".to_owned()),
        link(urls::active_keys_of(&name), IconName::Key, active_keys),
    ];
    // The page of sessions always shows the user's own.
    let sessions = if is_me {
        urls::sessions()
    } else {
        urls::sessions_of(&name)
    };
    items.push(link(sessions, IconName::Clock, "Sessions".to_owned()));
    if !user.reserved {
        items.push(role_item(&user, actions));
    }
    if !user.reserved && !is_me {
        items.push(if user.enabled {
            link(dialog("disable"), IconName::Off, "Disable".to_owned())
        } else {
            enable_item(name.clone(), actions)
        });
        items.push(
            view! {
                <li>
                    <a href=dialog("delete") data-tone="danger">
                        <Icon name=IconName::X />
                        <span>"Delete"</span>
                    </a>
                </li>
            }
            .into_any(),
        );
    }
    view! {
        <button type="button" class="row-action" popovertarget=id.clone() title="Actions">
            <Icon name=IconName::More />
            <span>"Actions" <span class="visually-hidden">" for " {shown.clone()}</span></span>
        </button>
        <div class="popover" id=id popover="auto">
            <p data-part="title"><bdi>{shown}</bdi></p>
            <ul class="menu" role="list">{items}</ul>
        </div>
    }
    .into_any()
}

fn link(href: String, icon: IconName, text: String) -> AnyView {
    view! {
        <li>
            <a href=href>
                <Icon name=icon />
                <span>{text}</span>
            </a>
        </li>
    }
    .into_any()
}

/// Gives the agent key role or takes it away.
fn role_item(user: &User, actions: UserActions) -> AnyView {
    let (name, has_role) = (user.username.clone(), user.has_agent_key_role());
    let (icon, text) = if has_role {
        (IconName::Skip, "Remove agent key role")
    } else {
        (IconName::Check, "Give agent key role")
    };
    view! {
        <li>
            <ActionForm action=actions.assign>
                <input type="hidden" name="username" value=name />
                <input type="hidden" name="assigned" value=(!has_role).to_string() />
                <button type="submit" disabled=move || actions.assign.pending().get()>
                    <Icon name=icon />
                    <span>{text}</span>
                </button>
            </ActionForm>
        </li>
    }
    .into_any()
}

fn enable_item(name: String, actions: UserActions) -> AnyView {
    view! {
        <li>
            <ActionForm action=actions.set_enabled>
                <input type="hidden" name="username" value=name />
                <input type="hidden" name="enabled" value="true" />
                <button type="submit" disabled=move || actions.set_enabled.pending().get()>
                    <Icon name=IconName::Pass />
                    <span>"Enable"</span>
                </button>
            </ActionForm>
        </li>
    }
    .into_any()
}
