//! Panel of the agent key role: its state, the difference from the documented one, and the button that updates it.

use crate::{
    api::users::PutAgentKeyRole,
    components::{
        badge::{Badge, Tone},
        callout::Callout,
        code::CodeBlock,
        form::ActionForm,
        icon::IconName,
    },
    model::role::{AGENT_KEY_ROLE, AgentKeyRole, DiffLine, DiffSide, RoleState},
};
use leptos::prelude::*;

#[component]
pub(super) fn RolePanel(
    role: AgentKeyRole,
    action: ServerAction<PutAgentKeyRole>,
    /// True if the user may change the role.
    may_put: bool,
) -> impl IntoView {
    let (tone, icon, word, verb) = match &role.state {
        RoleState::Missing => (
            Tone::Warning,
            IconName::Warn,
            "Does not exist",
            Some("Create role"),
        ),
        RoleState::AsDocumented => (Tone::Success, IconName::Pass, "As documented", None),
        RoleState::Differs { .. } => (
            Tone::Warning,
            IconName::Warn,
            "Differs from the recipe",
            Some("Update role"),
        ),
        RoleState::Unknown => (Tone::Neutral, IconName::Info, "You may not see it", None),
    };
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
    let explanation = match &role.state {
        RoleState::Missing => {
            "Nobody but a superuser can create agent keys until this role exists and is given to them."
        }
        RoleState::AsDocumented => {
            "Users who have it can create and revoke their own agent keys, and hand on both privileges."
        }
        RoleState::Differs { .. } => {
            "Another administrator changed this role. The lines marked with - would be removed, those with + added."
        }
        RoleState::Unknown => "This is what an administrator sends to create or repair it.",
    };
    let content = match role.state {
        RoleState::Differs { diff } => view! { <Difference diff /> }.into_any(),
        RoleState::Missing | RoleState::AsDocumented | RoleState::Unknown => {
            view! { <CodeBlock title="The documented role" text=role.request /> }.into_any()
        }
    };
    let unknown = role.unknown_fields.map(|fields| {
        view! {
            <Callout tone=Tone::Warning small=true>
                <p>
                    "Elasticsearch also returns fields that this version of Agent Keys does not know. They may grant more than is documented, and they stay when the role is updated."
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
                        <Badge tone icon text=word />
                    </h2>
                    <p>"Gives a user what it takes to create and revoke agent keys."</p>
                </div>
                <div class="button-row">{button}</div>
            </header>
            <div data-part="body" class="split" data-aside="half">
                <div data-part="columns">
                    <div class="stack">
                        <p>{explanation}</p>
                        <p class="small muted">
                            "The part for " <code>"kibana-.kibana"</code> " is for the Kibana space "
                            <code>{role.kibana_space}</code>
                            ". It opens Kibana’s own page and, by the same rule, this one."
                        </p>
                        {unknown}
                    </div>
                    {content}
                </div>
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
            <figcaption>"What “Update role” changes"</figcaption>
            <pre tabindex="0" role="group" aria-label="Difference between the role and the recipe">
                <code>{lines}</code>
            </pre>
        </figure>
    }
    .into_any()
}
