//! Users and roles: the agent key role, and the users of the native realm.

pub mod dialogs;
mod password;
mod role;
mod row_menu;
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
    model::{role::AgentKeyRole, user_list::UserQuery, viewer::Viewer},
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use role::RolePanel;
use table::UserPanel;

/// Actions of the page. The list announces a success of `assign` and `set_enabled`.
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
    // A problem is shown until the next change.
    Effect::new(move || {
        if actions.assign.pending().get() {
            actions.set_enabled.value().set(None);
        }
    });
    Effect::new(move || {
        if actions.set_enabled.pending().get() {
            actions.assign.value().set(None);
        }
    });
    let version = move || {
        let versions = (
            actions.put_role.version().get(),
            actions.assign.version().get(),
            actions.set_enabled.version().get(),
        );
        (versions, dialogs.get().1)
    };
    let role = page_resource(version, |_| read_agent_key_role());
    let query = Memo::new(move |_| urls::user_query(&parameters.read()));
    let users = page_resource(
        move || (query.get(), version()),
        |(query, _)| list_users(list_field(&query)),
    );
    let retry = move || urls::user_list(&query.get_untracked());
    view! {
        <Title text="Users and roles · Agent Keys" />
        <main id="main" class="page" inert=move || dialogs.get().0>
            <Transition fallback=|| view! { <p role="status">"Loading users"</p> }>
                {move || Suspend::new(async move {
                    match (viewer_with_access(viewer).await, role.await) {
                        (Ok(viewer), Ok(role)) if viewer.access.manage_security.is_granted() => {
                            let users = users.await;
                            view! {
                                <Header create=Some(query) />
                                <LastResult put_role=actions.put_role />
                                <RolePanel role action=actions.put_role may_put=true />
                                {match users {
                                    Ok(list) => view! { <UserPanel query list viewer actions /> }.into_any(),
                                    Err(problem) => view! { <ProblemPrompt problem retry=retry() /> }.into_any(),
                                }}
                            }
                            .into_any()
                        }
                        (Ok(viewer), Ok(role)) => {
                            view! { <Header create=None /> <ForSomebodyElse viewer role actions /> }.into_any()
                        }
                        (_, Err(problem)) | (Err(problem), _) => {
                            view! { <Header create=None /> <ProblemPrompt problem retry=retry() /> }.into_any()
                        }
                    }
                })}
            </Transition>
        </main>
        <Outlet />
    }
    .into_any()
}

/// Returns the query of the list, also behind a dialog.
fn query_behind() -> UserQuery {
    urls::user_query(&urls::use_parameters().read_untracked())
}

/// Returns the query as forms and `list_users` send it.
fn list_field(query: &UserQuery) -> String {
    urls::with_parameters("", &query.parameters())
}

#[component]
fn Header(
    /// Query of the list behind the form for a new user; `None` for a user who may not create one.
    create: Option<Memo<UserQuery>>,
) -> impl IntoView {
    let create = create.map(|query| {
        let href = move || urls::user_dialog("new", None, &query.read());
        view! {
            <a class="button" data-variant="primary" href=href>
                <Icon name=IconName::Plus />
                "Create user"
            </a>
        }
    });
    view! {
        <header class="page-header">
            <div data-part="title">
                <h1>"Users and roles"</h1>
                <p>"Who may create agent keys. Changes are made in Elasticsearch."</p>
            </div>
            <div data-part="actions">{create}</div>
        </header>
    }
    .into_any()
}

/// Result of creating or repairing the role.
#[component]
fn LastResult(put_role: ServerAction<PutAgentKeyRole>) -> impl IntoView {
    move || {
        let result = put_role.value().get()?;
        let saved = "Saved apm_agent_key_role. It applies at each user’s next request.";
        let result = result.map(|()| saved.to_owned());
        Some(view! { <ResultNotice result /> })
    }
}

/// For a user without `manage_security`: the request to hand to an administrator.
#[component]
fn ForSomebodyElse(viewer: Viewer, role: AgentKeyRole, actions: UserActions) -> impl IntoView {
    view! {
        <Callout tone=Tone::Accent icon=IconName::Lock>
            <h2>"Only people with manage_security can change users and roles"</h2>
            <p>
                "You are signed in as " <strong>{viewer.username}</strong>
                ". Send the request below to an administrator, and ask for the role."
            </p>
        </Callout>
        <RolePanel role action=actions.put_role may_put=false />
    }
    .into_any()
}
