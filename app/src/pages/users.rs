//! Users and roles: the users of the native realm, and the agent key role with its state, what it lacks or grants
//! beyond the recipe, and the button that repairs it.

pub mod dialogs;
pub mod mappings;
mod table;

use crate::{
    api::{
        page_resource,
        users::{
            AssignAgentKeyRole, PutAgentKeyRole, SetUserEnabled, list_role_mappings, list_users,
            read_agent_key_role,
        },
    },
    components::{
        code::CodeBlock,
        form::{ActionForm, use_form},
        icon::{Icon, IconName},
        problem::{ProblemPrompt, ResultNotice, privilege_text},
        status::{Badge, Callout, Tone},
    },
    model::{
        session::Viewer,
        user::{AGENT_KEY_ROLE, AgentKeyRole, DiffLine, DiffSide, RoleState},
        user_list::UserQuery,
    },
    pages::layout::{use_dialogs, use_viewer, viewer_with_access},
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Outlet;
use mappings::MappingPanel;
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
    let mappings = page_resource(version, |_| list_role_mappings());
    let retry = move || urls::user_list(&query.get_untracked());
    view! {
        <Title text="Users and roles · Agent Keys" />
        <main id="main" class="page" inert=move || dialogs.get().0>
            <Transition fallback=|| view! { <p role="status">"Loading users"</p> }>
                {move || Suspend::new(async move {
                    match (viewer_with_access(viewer).await, role.await) {
                        (Ok(viewer), Ok(role)) if viewer.access.manage_security.is_granted() => {
                            let (users, mappings) = (users.await, mappings.await);
                            view! {
                                <Header create=Some(query) />
                                <LastResult put_role=actions.put_role />
                                <RolePanel role action=actions.put_role may_put=true />
                                {match users {
                                    Ok(list) => view! { <UserPanel query list viewer actions /> }.into_any(),
                                    Err(problem) => view! { <ProblemPrompt problem retry=retry() /> }.into_any(),
                                }}
                                <MappingPanel query mappings />
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

/// Texts of a state.
struct StateText {
    tone: Tone,
    icon: IconName,
    badge: &'static str,
    /// Label of the button that changes the role.
    verb: Option<&'static str>,
    explanation: String,
}

impl StateText {
    fn of(state: &RoleState) -> Self {
        let (tone, icon, badge, verb, explanation) = match state {
            RoleState::Missing => (
                Tone::Warning,
                IconName::Warn,
                "Does not exist",
                Some("Create role"),
                "Only superusers can create agent keys until this role exists and users have it.",
            ),
            RoleState::AsDocumented => (
                Tone::Success,
                IconName::Pass,
                "As documented",
                None,
                "Users who have it can create and revoke their own agent keys, with both privileges.",
            ),
            RoleState::GrantsMore { .. } => (
                Tone::Success,
                IconName::Pass,
                "Works, and grants more",
                None,
                "Users who have it can create and revoke their own agent keys, with both privileges. The role also grants privileges that this does not take.",
            ),
            RoleState::NeedsRepair { missing, .. } => {
                let missing: Vec<_> = missing.iter().map(privilege_text).collect();
                return Self {
                    tone: Tone::Warning,
                    icon: IconName::Warn,
                    badge: "Needs repair",
                    verb: Some("Repair role"),
                    explanation: format!(
                        "It lacks {}. A repair adds what is missing and removes nothing.",
                        missing.join(", ")
                    ),
                };
            }
            RoleState::Unknown => (
                Tone::Neutral,
                IconName::Info,
                "Not visible to you",
                None,
                "An administrator sends this to Elasticsearch to create the role.",
            ),
        };
        Self {
            tone,
            icon,
            badge,
            verb,
            explanation: explanation.to_owned(),
        }
    }
}

#[component]
pub(super) fn RolePanel(
    role: AgentKeyRole,
    action: ServerAction<PutAgentKeyRole>,
    /// True if the user may change the role.
    may_put: bool,
) -> impl IntoView {
    let StateText {
        tone,
        icon,
        badge,
        verb,
        explanation,
    } = StateText::of(&role.state);
    let button = verb.filter(|_| may_put).map(|verb| {
        view! {
            <ActionForm action=action>
                <button
                    class="button"
                    data-variant="primary"
                    type="submit"
                    disabled=move || action.pending().get()
                >
                    {verb}
                </button>
            </ActionForm>
        }
    });
    let is_open = matches!(role.state, RoleState::Missing | RoleState::Unknown);
    let more = match &role.state {
        RoleState::GrantsMore { more } => Some(more.clone()),
        _ => None,
    };
    let diff = match role.state {
        RoleState::NeedsRepair { diff, .. } => Some(view! { <Difference diff /> }),
        _ => None,
    };
    let unknown = role.unknown_fields.map(|fields| {
        view! {
            <Callout tone=Tone::Warning small=true>
                <p>
                    "Elasticsearch also returns fields that this version of Agent Keys does not know. They may grant more than is documented. A repair keeps them."
                </p>
            </Callout>
            <CodeBlock title="Unknown fields" text=fields />
        }
    });
    view! {
        <section class="panel" aria-labelledby="role-h">
            <header>
                <div>
                    <h2 id="role-h" class="row">
                        <span class="mono">{AGENT_KEY_ROLE}</span>
                        <Badge tone icon text=badge />
                    </h2>
                    <p>{explanation}</p>
                </div>
                <div class="button-row">{button}</div>
            </header>
            <div data-part="body" class="stack" data-gap="sm">
                {diff}
                {more
                    .map(|more| {
                        view! {
                            <details class="disclosure">
                                <summary>"Show what else it grants"</summary>
                                <CodeBlock title="Beyond the documented role" text=more />
                            </details>
                        }
                    })}
                {unknown}
                <details class="disclosure" open=is_open>
                    <summary>"Show the documented role"</summary>
                    <div class="stack" data-gap="sm">
                        <CodeBlock title="The documented role" text=role.request />
                        <p class="small muted">
                            "The part for " <code>"kibana-.kibana"</code> " is for the Kibana space "
                            <code>{role.kibana_space}</code>
                            ". It opens Kibana’s own page and, by the same rule, this one."
                        </p>
                    </div>
                </details>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Difference(diff: Vec<DiffLine>) -> impl IntoView {
    let lines: Vec<_> = diff
        .into_iter()
        .map(|line| match line.side {
            DiffSide::Both => view! { <span>{line.text}</span> }.into_any(),
            DiffSide::Removed => view! { <del>{line.text}</del> }.into_any(),
            DiffSide::Added => view! { <ins>{line.text}</ins> }.into_any(),
        })
        .collect();
    view! {
        <figure class="code diff">
            <figcaption>"What “Repair role” adds"</figcaption>
            <pre tabindex="0" role="group" aria-label="The role with what a repair adds">
                <code>{lines}</code>
            </pre>
        </figure>
    }
    .into_any()
}
