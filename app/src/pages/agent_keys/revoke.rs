//! Dialogs that revoke one key, or the keys that are selected in the list.

use crate::{
    api::{
        PageResource,
        agent_keys::{RevokeAgentKey, RevokeAgentKeys, find_agent_key, find_agent_keys},
        page_resource,
    },
    components::{
        dialog::{Dialog, DialogForm, DialogProblem, DialogShape},
        form::{SubmitButton, TextField, use_form, use_problem},
        icon::IconName,
        status::{Badge, Callout, Time, TimeFormat, Tone},
        table::{Table, Th},
    },
    model::{
        agent_key::{AgentKey, KeyId, KeyStatus},
        problem::{Problem, ProblemKind},
        revocation::{FoundAgentKeys, KEYS_UNCONFIRMED_MAX, SelectionError, is_many},
        text::keys,
        timestamp::Timestamp,
    },
    pages::agent_keys::{
        bulk_revoke_result::{BULK_TITLE, Revoked},
        key_of_dialog,
        table::{StatusBadge, or_dash},
        toolbar::{chosen_ids, list_with},
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

/// Id of the dialog's heading.
const TITLE: &str = "revoke-title";

#[component]
pub fn RevokeAgentKeyPage() -> impl IntoView {
    let (id, close) = key_of_dialog();
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

#[component]
pub fn RevokeAgentKeysPage() -> impl IntoView {
    let query = urls::list_query(&urls::use_parameters().read_untracked());
    let ids = chosen_ids();
    // Cancelling keeps the selection.
    let close = list_with(&query, ids.iter().map(String::as_str));
    let found = page_resource(move || ids.clone(), find_agent_keys);
    let revoke = use_form::<RevokeAgentKeys>();
    // The results stay when a retry meets a problem. An effect copies them after the confirmation has read the action's
    // value: its parts must not be dropped while they still read it.
    let answered = move || revoke.value().get().and_then(Result::ok);
    let told = RwSignal::new(untrack(answered));
    Effect::new(move || {
        if let Some(answer) = answered() {
            told.set(Some(answer));
        }
    });
    view! {
        <Title text="Revoke keys · Agent Keys" />
        <Dialog shape=DialogShape::Roomy labelled_by=BULK_TITLE alert=true close=close.clone()>
            {move || match told.get() {
                Some(told) => view! { <Revoked told query=query.clone() revoke /> }.into_any(),
                None => view! { <Asking found revoke close=close.clone() /> }.into_any(),
            }}
        </Dialog>
    }
    .into_any()
}

/// Loads the selected keys and shows the confirmation, or the problem.
#[component]
fn Asking(
    found: PageResource<Result<FoundAgentKeys, Problem>>,
    revoke: ServerAction<RevokeAgentKeys>,
    close: String,
) -> impl IntoView {
    view! {
        <Suspense fallback=|| view! { <p role="status" data-part="body">"Loading"</p> }>
            {move || {
                let close = close.clone();
                Suspend::new(async move {
                    match found.await {
                        Ok(found) => view! { <BulkQuestion found revoke close /> }.into_any(),
                        Err(problem) => {
                            view! { <DialogProblem id=BULK_TITLE title="Revoke keys" close problem /> }.into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

#[component]
fn BulkQuestion(
    found: FoundAgentKeys,
    revoke: ServerAction<RevokeAgentKeys>,
    close: String,
) -> impl IntoView {
    let now = found.read_at;
    let (revocable, left): (Vec<_>, Vec<_>) = found.keys.into_iter().partition(|key| key.revocable);
    let count = revocable.len();
    let title = match revocable.as_slice() {
        [] => "Nothing to revoke".to_owned(),
        [only] => format!("Revoke {}?", or_dash(&only.name)),
        _ => format!("Revoke {}?", keys(count as u64)),
    };
    let is_gone = |key: &&AgentKey| matches!(key.status, KeyStatus::Revoked { .. });
    let gone = left.iter().filter(is_gone).count();
    let note = note(gone, left.len() - gone + found.missing.len());
    let ids: Vec<_> = revocable
        .iter()
        .map(|key| view! { <input type="hidden" name="ids[]" value=key.id.to_string() /> })
        .collect();
    let problem = use_problem(revoke);
    let is_not_typed =
        |problem: &Problem| problem.kind == ProblemKind::KeySelection(SelectionError::NotConfirmed);
    let typing_errors = Signal::derive(move || {
        problem
            .get()
            .filter(is_not_typed)
            .map(|_| format!("Type {count} to confirm, or cancel."))
            .into_iter()
            .collect()
    });
    let problem = Signal::derive(move || problem.get().filter(|problem| !is_not_typed(problem)));
    let password_needed = found.password_needed;
    let step = if count == 0 {
        None
    } else if password_needed {
        Some(view! { <PasswordFirst /> }.into_any())
    } else {
        is_many(count).then(|| {
            view! {
                <TextField
                    id="typed"
                    name="typed"
                    label="Number of keys"
                    help=format!(
                        "Type {count} to confirm. Required for more than {KEYS_UNCONFIRMED_MAX} keys at once.",
                    )
                    errors=typing_errors
                    required=true
                />
            }
            .into_any()
        })
    };
    let submit = (count > 0 && !password_needed).then(|| {
        view! {
            <SubmitButton
                label=format!("Revoke {}", keys(count as u64))
                pending=revoke.pending()
                danger=true
                icon=IconName::Revoke
            />
        }
    });
    let enter = (count > 0 && password_needed).then(|| view! { <EnterPassword /> });
    let buttons = view! { {enter} {submit} };
    view! {
        <DialogForm
            action=revoke
            id=BULK_TITLE
            title
            close
            question=true
            cancel=if count == 0 { "Close" } else { "Cancel" }
            problem
            submit=buttons.into_any()
        >
            {(count > 0).then(|| view! { <Consequences /> })}
            {note.map(|note| view! { <Callout tone=Tone::Accent small=true><p>{note}</p></Callout> })}
            <KeyTable keys=revocable.into_iter().chain(left).collect() missing=found.missing now />
            {step}
            {ids}
        </DialogForm>
    }
    .into_any()
}

/// Consequences of the revocation.
#[component]
pub(super) fn Consequences() -> impl IntoView {
    view! {
        <Callout tone=Tone::Danger icon=IconName::Warn>
            <h3>"Agents that use these keys lose access"</h3>
            <p>
                "Elasticsearch rejects them immediately. APM Server may accept them for up to a minute. Revoked keys cannot be restored."
            </p>
        </Callout>
    }
    .into_any()
}

/// Explains which selected keys are left out.
fn note(gone: usize, out_of_reach: usize) -> Option<String> {
    let were = |count| if count == 1 { "was" } else { "were" };
    let are = |count| if count == 1 { "is" } else { "are" };
    let gone = (gone > 0).then(|| format!("{} {} already revoked.", keys(gone as u64), were(gone)));
    let out_of_reach = (out_of_reach > 0).then(|| {
        let (number, verb) = (keys(out_of_reach as u64), are(out_of_reach));
        format!("{number} {verb} not available: not found, or owned by another user.")
    });
    let sentences: Vec<_> = gone.into_iter().chain(out_of_reach).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Explains why the password is needed.
#[component]
pub(super) fn PasswordFirst() -> impl IntoView {
    view! {
        <Callout tone=Tone::Warning icon=IconName::Lock small=true>
            <p>
                "Revoking more than " {KEYS_UNCONFIRMED_MAX}
                " keys at once requires a password entered in the last five minutes."
            </p>
        </Callout>
    }
    .into_any()
}

/// Link to the page that asks for the password.
#[component]
pub(super) fn EnterPassword() -> impl IntoView {
    let here = use_location();
    let (path, search) = (here.pathname.get_untracked(), here.search.get_untracked());
    let href = urls::reauthenticate(urls::with_search(&path, &search));
    view! { <a class="button" data-variant="primary" href=href>"Enter password"</a> }.into_any()
}

/// All selected keys, those to revoke first.
#[component]
pub(super) fn KeyTable(keys: Vec<AgentKey>, missing: Vec<KeyId>, now: Timestamp) -> impl IntoView {
    let missing: Vec<_> = missing
        .into_iter()
        .map(|id| {
            view! {
                <tr role="row" data-state="ended">
                    <th role="rowheader" scope="row"><span class="mono">{id.to_string()}</span></th>
                    <td role="cell" data-label="Owner">"—"</td>
                    <td role="cell" data-label="Status"><Badge icon=IconName::Fail text="Not found" /></td>
                </tr>
            }
        })
        .collect();
    let rows: Vec<_> = keys
        .into_iter()
        .map(|key| {
            view! {
                <tr role="row" data-state=(!key.revocable).then_some("ended")>
                    <th role="rowheader" scope="row">
                        <span data-part="primary"><bdi>{or_dash(&key.name)}</bdi></span>
                        <div data-part="secondary"><span class="mono">{key.id.to_string()}</span></div>
                    </th>
                    <td role="cell" data-label="Owner">
                        <div>
                            <bdi>{or_dash(&key.owner)}</bdi>
                            <div data-part="secondary"><bdi>{or_dash(&key.realm)}</bdi></div>
                        </div>
                    </td>
                    <td role="cell" data-label="Status"><div><StatusBadge status=key.status now /></div></td>
                </tr>
            }
        })
        .collect();
    let head = view! {
        <Th text="Key" />
        <Th text="Owner" />
        <Th text="Status" />
    };
    view! {
        <div class="panel" data-variant="flat">
            <Table
                label="Selected keys"
                caption="Selected keys"
                class="table key-choice"
                stack="late"
                density="compact"
                head=head.into_any()
                rows=view! { {rows} {missing} }.into_any()
            />
        </div>
    }
    .into_any()
}
