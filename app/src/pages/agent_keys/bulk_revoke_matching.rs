//! Dialog that revokes every key that matches the list's search and filters, in batches.
//!
//! With script, each batch starts the next one, and a bar shows the progress. Without it, a button does.

use super::{
    bulk_revoke_result::{BULK_TITLE, ResultFile, ResultTable, counts_sentence},
    revoke::{Consequences, EnterPassword, KeyTable, PasswordFirst, RevokeAgentKeysPage},
    toolbar::list_with,
};
use crate::{
    api::{
        agent_keys::{RevokeMatchingKeys, find_matching_keys},
        page_resource,
        sessions::Reauthenticate,
    },
    components::{
        dialog::{Dialog, DialogForm, DialogHead, DialogProblem, DialogShape},
        focus::enter_part,
        form::{ActionForm, FieldKind, SubmitButton, TextField, use_form, use_problem},
        icon::IconName,
        problem::ProblemCallout,
        status::{Announce, Callout, Time, TimeFormat, Tone},
    },
    model::{
        key_list::KeyListQuery,
        problem::{Problem, ProblemKind},
        revocation::{KeyRevocation, MatchingBatch, MatchingForm, MatchingKeys, SelectionError},
        text::{grouped, keys},
    },
    urls,
};
use leptos::{html, prelude::*};
use leptos_meta::Title;

/// The dialog for chosen keys, or for all that match.
#[component]
pub fn RevokeKeysPage() -> impl IntoView {
    let parameters = urls::use_parameters().get_untracked();
    if parameters.get(urls::ALL_MATCHING).is_some() {
        view! { <RevokeMatching query=urls::list_query(&parameters) /> }.into_any()
    } else {
        view! { <RevokeAgentKeysPage /> }.into_any()
    }
}

#[component]
fn RevokeMatching(query: KeyListQuery) -> impl IntoView {
    let close = list_with(&query, []);
    let revoke = use_form::<RevokeMatchingKeys>();
    let asked = query.first_page();
    let found = page_resource(move || asked.clone(), find_matching_keys);
    let results = RwSignal::new(Vec::new());
    let last = RwSignal::new(None);
    let answered = move || revoke.value().get().and_then(Result::ok);
    let add = move |batch: MatchingBatch| {
        results.update(|results: &mut Vec<KeyRevocation>| results.extend(batch.results.clone()));
        last.set(Some(batch));
    };
    // The answer to a post without script. A refused batch can be sent again.
    let refused = || revoke.input().get()?.form.refused();
    if let Some(batch) = untrack(|| answered().or_else(refused)) {
        add(batch);
    }
    Effect::watch(
        answered,
        move |batch, _, _| {
            if let Some(batch) = batch.clone() {
                add(batch);
            }
        },
        false,
    );
    view! {
        <Title text="Revoke matching keys · Agent Keys" />
        <Dialog shape=DialogShape::Roomy labelled_by=BULK_TITLE alert=true close=close.clone()>
            {move || {
                let close = close.clone();
                if last.read().is_some() {
                    view! { <Progress revoke results last close /> }.into_any()
                } else {
                    let query = query.clone();
                    view! {
                        <Suspense fallback=|| view! { <p role="status" data-part="body">"Loading"</p> }>
                            {move || {
                                let (close, query) = (close.clone(), query.clone());
                                Suspend::new(async move {
                                    match found.await {
                                        Ok(found) => view! { <Question found query revoke close /> }.into_any(),
                                        Err(problem) => {
                                            view! { <DialogProblem id=BULK_TITLE title="Revoke keys" close problem /> }
                                                .into_any()
                                        }
                                    }
                                })
                            }}
                        </Suspense>
                    }
                        .into_any()
                }
            }}
        </Dialog>
    }
    .into_any()
}

#[component]
fn Question(
    found: MatchingKeys,
    query: KeyListQuery,
    revoke: ServerAction<RevokeMatchingKeys>,
    close: String,
) -> impl IntoView {
    let count = found.count;
    let problem = use_problem(revoke);
    let is_not_typed =
        |problem: &Problem| problem.kind == ProblemKind::KeySelection(SelectionError::NotConfirmed);
    let typing_errors = Signal::derive(move || {
        let wrong = problem.get().filter(is_not_typed);
        wrong
            .map(|_| format!("Type {count} to confirm, or cancel."))
            .into_iter()
            .collect()
    });
    let problem = Signal::derive(move || problem.get().filter(|problem| !is_not_typed(problem)));
    let more = count.saturating_sub(found.sample.len() as u64);
    let more = (more > 0).then(|| view! { <p>"And " {grouped(more)} {if more == 1 { " more key." } else { " more keys." }}</p> });
    let form = MatchingForm {
        query: urls::with_parameters("", &query.first_page().parameters()),
        read_at: found.read_at.0.to_string(),
        ..MatchingForm::default()
    };
    let may_start = count > 0 && !found.password_needed;
    let step = if count == 0 {
        ().into_any()
    } else if found.password_needed {
        view! { <PasswordFirst /> }.into_any()
    } else {
        view! {
            <TextField
                id="typed"
                name="form[typed]"
                label="Number of keys"
                help=format!("Type {count} to confirm.")
                errors=typing_errors
                required=true
            />
        }
        .into_any()
    };
    let submit = view! {
        {(count > 0 && found.password_needed).then(|| view! { <EnterPassword /> })}
        {may_start
            .then(|| {
                view! {
                    <SubmitButton
                        label=format!("Revoke {}", keys(count))
                        pending=revoke.pending()
                        danger=true
                        icon=IconName::Revoke
                    />
                }
            })}
    };
    let title = match count {
        0 => "Nothing to revoke".to_owned(),
        _ => format!("Revoke {}?", keys(count)),
    };
    view! {
        <DialogForm
            action=revoke
            id=BULK_TITLE
            title
            close
            question=true
            cancel=if count == 0 { "Close" } else { "Cancel" }
            problem
            submit=submit.into_any()
        >
            {(count > 0).then(|| view! { <Consequences /> })}
            <p>
                "All keys, on all pages, that match the search and filters and that you can revoke. Keys created after "
                <Time at=found.read_at format=TimeFormat::TimeOfDay /> " are not included."
            </p>
            {(count > 0)
                .then(|| view! { <KeyTable keys=found.sample missing=Vec::new() now=found.read_at /> })}
            {more}
            {step}
            <Hidden form />
        </DialogForm>
    }
    .into_any()
}

/// Fields that carry the revocation from batch to batch.
#[component]
fn Hidden(form: MatchingForm) -> impl IntoView {
    view! {
        <input type="hidden" name="form[query]" value=form.query />
        <input type="hidden" name="form[read_at]" value=form.read_at />
        <input type="hidden" name="form[after]" value=form.after />
        <input type="hidden" name="form[done]" value=form.done.to_string() />
    }
}

/// Batches that are done, and the way to the next one.
#[component]
fn Progress(
    revoke: ServerAction<RevokeMatchingKeys>,
    results: RwSignal<Vec<KeyRevocation>>,
    last: RwSignal<Option<MatchingBatch>>,
    close: String,
) -> impl IntoView {
    let Some(batch) = last.get_untracked() else {
        return ().into_any();
    };
    let (done, total) = (batch.done, batch.total);
    let problem = use_problem(revoke);
    let is_password_needed = move || {
        problem
            .get()
            .is_some_and(|problem| problem.kind == ProblemKind::ReauthRequired)
    };
    let button = NodeRef::<html::Button>::new();
    let more = batch.next.map(|form| {
        // Submits the form as a click does.
        Effect::new(move || {
            if let Some(button) = button.get() {
                button.click();
            }
        });
        view! {
            <ActionForm action=revoke asks_for_password=true>
                <input type="hidden" name="form[typed]" value=form.typed.clone() />
                <Hidden form />
                <button
                    node_ref=button
                    class="button"
                    data-variant="danger"
                    type="submit"
                    hidden=is_password_needed
                    data-needs-no-script=move || problem.get().is_none().then_some("")
                >
                    "Continue"
                </button>
            </ActionForm>
        }
    });
    let refusal = move || {
        let problem = problem.get()?;
        Some(match problem.kind {
            ProblemKind::ReauthRequired => view! { <PasswordAgain next=button /> }.into_any(),
            _ => view! { <ProblemCallout problem /> }.into_any(),
        })
    };
    let is_done = more.is_none();
    let title = if is_done {
        format!("{} of {} done", grouped(done), keys(total))
    } else {
        format!("Revoking: {} of {} done", grouped(done), keys(total))
    };
    let told = results.get_untracked();
    let sentence = (!told.is_empty()).then(|| counts_sentence(&told));
    let note = if is_done {
        "Elasticsearch now rejects the revoked keys. APM Server may accept them for up to a minute."
    } else {
        "Closing this dialog stops the revocation after the current step."
    };
    let tone = if is_done { Tone::Success } else { Tone::Accent };
    view! {
        <DialogHead id=BULK_TITLE title help=sentence close=close.clone() />
        <div data-part="body" class="stack">
            {refusal}
            <progress max=total.max(1) value=done aria-label="Keys done"></progress>
            <Callout tone announce=Announce::Status small=true>
                <p>{note}</p>
            </Callout>
            {is_done.then(|| view! { <ResultTable told=told.clone() /> })}
        </div>
        <div data-part="foot">
            {(!told.is_empty()).then(|| view! { <ResultFile told /> })}
            <span class="push-end"></span>
            <a class="button" href=close>{if is_done { "Close" } else { "Stop" }}</a>
            {more}
        </div>
    }
    .into_any()
}

/// Asks for the password between two batches, because five minutes have passed since it was entered. The dialog stays, with
/// all results so far.
#[component]
fn PasswordAgain(
    /// Button that starts the next batch.
    next: NodeRef<html::Button>,
) -> impl IntoView {
    let enter = ServerAction::<Reauthenticate>::new();
    let step = NodeRef::<html::Div>::new();
    Effect::new(move || {
        if let Some(step) = step.get() {
            enter_part(&step);
        }
    });
    Effect::new(move || {
        if let (Some(Ok(())), Some(next)) = (enter.value().get(), next.get_untracked()) {
            next.click();
        }
    });
    let problem = use_problem(enter);
    let errors = Signal::derive(move || {
        let sentence = match problem.get()?.kind {
            ProblemKind::SignInIncomplete { .. } => "Enter your password.",
            ProblemKind::SignInRejected => {
                "The password is wrong, or there were too many attempts. Wait a moment and try again."
            }
            _ => return None,
        };
        Some(sentence.to_owned())
    });
    let errors = Signal::derive(move || errors.get().into_iter().collect::<Vec<_>>());
    let other = move || {
        let problem = problem.get().filter(|_| errors.read().is_empty())?;
        Some(view! { <ProblemCallout problem /> })
    };
    view! {
        {other}
        <ActionForm action=enter>
            <div node_ref=step class="stack">
                <Callout tone=Tone::Warning announce=Announce::Alert icon=IconName::Lock small=true>
                    <p>"Five minutes have passed since you entered your password. Enter it again to continue."</p>
                </Callout>
                <TextField
                    id="password"
                    name="password"
                    label="Password"
                    kind=FieldKind::Password
                    errors
                    required=true
                    autofocus=true
                    autocomplete="current-password"
                />
                <div class="button-row">
                    <SubmitButton label="Continue" pending=enter.pending() />
                </div>
            </div>
        </ActionForm>
    }
    .into_any()
}
