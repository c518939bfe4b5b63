//! Menu of what can be done to a user.

use super::UserActions;
use crate::{
    components::{
        form::ActionForm,
        icon::{Icon, IconName},
    },
    model::{
        text::{grouped, visible},
        user::User,
        user_list::UserQuery,
    },
    urls,
};
use leptos::prelude::*;

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
