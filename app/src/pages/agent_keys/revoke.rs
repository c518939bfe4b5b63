//! Dialog that revokes a key.

use super::{badges::or_dash, list_behind};
use crate::{
    api::{
        agent_keys::{RevokeAgentKey, find_agent_key},
        page_resource,
    },
    components::{
        badge::{Time, TimeFormat, Tone},
        callout::Callout,
        dialog::{Dialog, DialogForm, DialogProblem, DialogShape},
        form::{SubmitButton, use_form, use_problem},
        icon::IconName,
    },
    model::agent_key::{AgentKey, KeyId, KeyStatus},
    urls::{self, FROM_KEY},
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// Id of the dialog's heading.
const TITLE: &str = "revoke-title";

#[component]
pub fn RevokeAgentKeyPage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let from_key = urls::use_parameters()
        .read_untracked()
        .get(FROM_KEY)
        .is_some();
    let close = match KeyId::parse(&id) {
        Some(id) if from_key => urls::agent_key(&id),
        _ => list_behind(),
    };
    let key = page_resource(move || id.clone(), find_agent_key);
    let revoke = use_form::<RevokeAgentKey>();
    view! {
        <Title text="Revoke key · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by=TITLE alert=true close=close.clone()>
            <Suspense fallback=|| view! { <p role="status" data-part="body">"Loading"</p> }>
                {move || {
                    let close = close.clone();
                    Suspend::new(async move {
                        match key.await {
                            Ok(found) => view! { <Question key=found.key revoke close /> }.into_any(),
                            Err(problem) => view! { <DialogProblem id=TITLE title="Revoke key" close problem /> }.into_any(),
                        }
                    })
                }}
            </Suspense>
        </Dialog>
    }
    .into_any()
}

#[component]
fn Question(key: AgentKey, revoke: ServerAction<RevokeAgentKey>, close: String) -> impl IntoView {
    let ended = matches!(key.status, KeyStatus::Revoked { .. });
    let submit = (!ended).then(|| {
        view! {
            <SubmitButton label="Revoke key" pending=revoke.pending() danger=true icon=IconName::Revoke />
        }
    });
    view! {
        <DialogForm
            action=revoke
            id=TITLE
            title=format!("Revoke {}?", or_dash(&key.name))
            close=close.clone()
            question=true
            problem=use_problem(revoke)
            submit=submit.into_any()
        >
            {if ended {
                view! {
                    <Callout tone=Tone::Accent>
                        <p>"This key is already revoked."</p>
                    </Callout>
                }
                    .into_any()
            } else {
                view! {
                    <Callout tone=Tone::Danger icon=IconName::Warn>
                        <h3>"Agents that use this key lose access"</h3>
                        <p>
                            "Elasticsearch rejects it immediately. APM Server may accept it for up to a minute. A revoked key cannot be restored."
                        </p>
                    </Callout>
                }
                    .into_any()
            }}
            <dl class="facts">
                <div><dt>"Key id"</dt><dd class="mono">{key.id.to_string()}</dd></div>
                <div>
                    <dt>"Owner"</dt>
                    <dd><bdi>{or_dash(&key.owner)}</bdi> " " <span class="muted">"realm " <bdi>{or_dash(&key.realm)}</bdi></span></dd>
                </div>
                <div><dt>"Created"</dt><dd><Time at=key.created format=TimeFormat::Minute /></dd></div>
                <div>
                    <dt>"Last used"</dt>
                    <dd>"Unknown " <small>"Elasticsearch does not record when a key is used."</small></dd>
                </div>
            </dl>
            <input type="hidden" name="id" value=key.id.to_string() />
            <input type="hidden" name="next" value=close />
        </DialogForm>
    }
    .into_any()
}
