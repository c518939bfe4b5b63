//! Panel of the agent key role: its state, what it lacks or grants beyond the recipe, and the button that repairs it.

use crate::{
    api::users::PutAgentKeyRole,
    components::{
        badge::{Badge, Tone},
        callout::Callout,
        code::CodeBlock,
        form::ActionForm,
        icon::IconName,
        problem::privilege_text,
    },
    model::role::{AGENT_KEY_ROLE, AgentKeyRole, DiffLine, DiffSide, RoleState},
};
use leptos::prelude::*;

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
