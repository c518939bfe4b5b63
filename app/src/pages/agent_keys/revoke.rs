//! The question before a key is revoked, over the list.

use super::list_behind;
use crate::{
    components::{
        badge::Tone,
        callout::Callout,
        dialog::{Dialog, DialogHead, DialogShape},
        form::{ActionForm, SubmitButton, use_form},
        icon::IconName,
        problem::ProblemCallout,
    },
    model::{
        agent_key::{AgentKey, KeyStatus},
        problem::Problem,
    },
    questions::{
        agent_keys::{RevokeAgentKey, find_agent_key},
        ask,
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// The dialog.
#[component]
pub fn RevokeAgentKeyPage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let close = list_behind();
    let key = ask(move || id.clone(), find_agent_key);
    let revoke = use_form::<RevokeAgentKey>();
    view! {
        <Title text="Revoke key · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="revoke-title" alert=true close=close.clone()>
            <Suspense fallback=|| view! { <p role="status" data-part="body">"Loading"</p> }>
                {move || {
                    let close = close.clone();
                    Suspend::new(async move {
                        match key.await {
                            Ok(found) => view! { <Question key=found.key revoke close /> }.into_any(),
                            Err(problem) => view! { <NotNow problem close /> }.into_any(),
                        }
                    })
                }}
            </Suspense>
        </Dialog>
    }
    .into_any()
}

/// Nothing can be asked.
#[component]
fn NotNow(problem: Problem, close: String) -> impl IntoView {
    view! {
        <DialogHead id="revoke-title" title="Revoke key" close=close.clone() />
        <div data-part="body"><ProblemCallout problem /></div>
        <div data-part="foot"><a class="button" autofocus href=close>"Close"</a></div>
    }
    .into_any()
}

#[component]
fn Question(key: AgentKey, revoke: ServerAction<RevokeAgentKey>, close: String) -> impl IntoView {
    let problem = move || revoke.value().get().and_then(Result::err);
    let ended = matches!(key.status, KeyStatus::Revoked { .. });
    view! {
        <ActionForm action=revoke>
            <DialogHead id="revoke-title" title=format!("Revoke {}?", key.name) close=close.clone() />
            <div data-part="body" class="stack">
                {move || problem().map(|problem| view! { <ProblemCallout problem /> })}
                {if ended {
                    view! {
                        <Callout tone=Tone::Accent>
                            <p>"This key was revoked before. Nothing is left to do."</p>
                        </Callout>
                    }
                        .into_any()
                } else {
                    view! {
                        <Callout tone=Tone::Danger icon=IconName::Warn>
                            <h3>"Agents that use this key lose access"</h3>
                            <p>
                                "Elasticsearch refuses it at once. APM Server may accept it for up to a minute. A revoked key cannot be restored."
                            </p>
                        </Callout>
                    }
                        .into_any()
                }}
                <dl class="facts">
                    <div><dt>"Key id"</dt><dd class="mono">{key.id.to_string()}</dd></div>
                    <div>
                        <dt>"Owner"</dt>
                        <dd><bdi>{key.owner}</bdi> " " <span class="muted">"realm " <bdi>{key.realm}</bdi></span></dd>
                    </div>
                    <div><dt>"Created"</dt><dd>{key.created.date_and_minute()}</dd></div>
                    <div>
                        <dt>"Last used"</dt>
                        <dd>"Not known " <small>"Elasticsearch does not record when a key is used."</small></dd>
                    </div>
                </dl>
                <input type="hidden" name="id" value=key.id.to_string() />
            </div>
            <div data-part="foot">
                <a class="button" autofocus href=close>"Cancel"</a>
                {(!ended)
                    .then(|| {
                        view! {
                            <SubmitButton
                                label="Revoke key"
                                pending=revoke.pending()
                                danger=true
                                icon=IconName::Revoke
                            />
                        }
                    })}
            </div>
        </ActionForm>
    }
    .into_any()
}
