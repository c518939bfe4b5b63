//! Users and roles: the agent key role, and the users of the native realm.

pub mod dialogs;
mod role;
mod table;

use super::layout::{use_dialogs, use_viewer, viewer_with_access};
use crate::{
    api::{
        page_resource,
        users::{
            AssignAgentKeyRole, PutAgentKeyRole, SetUserEnabled, list_users, read_agent_key_role,
        },
    },
    components::{
        badge::Tone,
        callout::Callout,
        form::use_form,
        icon::{Icon, IconName},
        problem::{ProblemPrompt, ResultNotice},
    },
    model::{problem::Problem, role::AgentKeyRole, viewer::Viewer},
    pages::agent_keys::NoticeCallout,
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use role::RolePanel;
use table::UserTable;

/// Actions of the page. The result of each is shown on the page.
#[derive(Clone, Copy)]
struct UserActions {
    put_role: ServerAction<PutAgentKeyRole>,
    assign: ServerAction<AssignAgentKeyRole>,
    set_enabled: ServerAction<SetUserEnabled>,
}

/// The page, with the outlet of its dialogs.
#[component]
pub fn UsersPage() -> impl IntoView {
    let viewer = use_viewer();
    let dialogs = use_dialogs();
    let parameters = urls::use_parameters();
    let actions = UserActions {
        put_role: use_form(),
        assign: use_form(),
        set_enabled: use_form(),
    };
    let version = move || {
        let versions = (
            actions.put_role.version().get(),
            actions.assign.version().get(),
            actions.set_enabled.version().get(),
        );
        (versions, dialogs.get().1)
    };
    let role = page_resource(version, |_| read_agent_key_role());
    let search = Memo::new(move |_| parameters.read().get("q").unwrap_or_default());
    let users = page_resource(
        move || (search.get(), version()),
        |(search, _)| list_users(search.into()),
    );
    view! {
        <Title text="Users and roles · Agent Keys" />
        <main id="main" class="page" inert=move || dialogs.get().0>
            <Transition fallback=|| view! { <p role="status">"Loading users"</p> }>
                {move || Suspend::new(async move {
                    match (viewer_with_access(viewer).await, role.await) {
                        (Ok(viewer), Ok(role)) if viewer.access.manage_security.is_granted() => {
                            let users = users.await;
                            view! {
                                <Header can_create=true search />
                                <LastResult actions />
                                <RolePanel role action=actions.put_role may_put=true />
                                {match users {
                                    Ok(users) => view! { <NoticeCallout notice=users.notice.clone() /> <UserTable users viewer actions /> }.into_any(),
                                    Err(problem) => view! { <ProblemPrompt problem retry=urls::users_matching(&search.get_untracked()) /> }.into_any(),
                                }}
                            }
                            .into_any()
                        }
                        (Ok(viewer), Ok(role)) => {
                            view! { <Header can_create=false search /> <ForSomebodyElse viewer role actions /> }.into_any()
                        }
                        (_, Err(problem)) | (Err(problem), _) => {
                            view! { <Header can_create=false search /> <ProblemPrompt problem retry=urls::users_matching(&search.get_untracked()) /> }.into_any()
                        }
                    }
                })}
            </Transition>
        </main>
        <Outlet />
    }
    .into_any()
}

/// Returns the search of the list, also behind a dialog.
fn user_search() -> String {
    let parameters = urls::use_parameters();
    parameters.read_untracked().get("q").unwrap_or_default()
}

#[component]
fn Header(can_create: bool, search: Memo<String>) -> impl IntoView {
    view! {
        <header class="page-header">
            <div data-part="title">
                <h1>"Users and roles"</h1>
                <p>"Who may create agent keys. Changes are made in Elasticsearch."</p>
            </div>
            <div data-part="actions">
                {can_create
                    .then(|| {
                        view! {
                            <a class="button" data-variant="primary" href=move || urls::new_user(&search.read())>
                                <Icon name=IconName::Plus />
                                "Create user"
                            </a>
                        }
                    })}
            </div>
        </header>
    }
    .into_any()
}

#[component]
fn LastResult(actions: UserActions) -> impl IntoView {
    let in_place = move || {
        let value = |result: Option<Result<(), Problem>>, text: &'static str| {
            result.map(|result| result.map(|()| text.to_owned()))
        };
        value(
            actions.put_role.value().get(),
            "Saved apm_agent_key_role. It applies at each user’s next request.",
        )
        .or_else(|| {
            value(
                actions.assign.value().get(),
                "Changed the agent key role. It applies at the user’s next request.",
            )
        })
        .or_else(|| {
            value(
                actions.set_enabled.value().get(),
                "Changed whether the user may sign in.",
            )
        })
    };
    move || in_place().map(|result| view! { <ResultNotice result /> })
}

/// For a user without `manage_security`: the request to hand to an administrator.
#[component]
fn ForSomebodyElse(viewer: Viewer, role: AgentKeyRole, actions: UserActions) -> impl IntoView {
    view! {
        <Callout tone=Tone::Accent icon=IconName::Lock>
            <h2>"Only people with manage_security can change users and roles"</h2>
            <p>
                "You are signed in as " <strong>{viewer.username}</strong>
                ". Hand the request below to an administrator, and ask to be given the role."
            </p>
        </Callout>
        <RolePanel role action=actions.put_role may_put=false />
    }
    .into_any()
}
