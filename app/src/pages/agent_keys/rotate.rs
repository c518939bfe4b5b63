//! Dialog that rotates a key: the form, then the secret of the new key.

use super::{created::CreatedDialog, key_of_dialog, table::or_dash};
use crate::{
    api::{
        agent_keys::{RotateAgentKey, prepare_rotation},
        page_resource,
    },
    backend::RotationPreparation,
    components::{
        dialog::{Dialog, DialogForm, DialogProblem, DialogShape},
        form::{FieldErrors, SubmitButton, TextField, use_form, use_problem},
        icon::IconName,
        status::{Callout, KeyLimitMeter, Time, TimeFormat, Tone},
    },
    model::{
        agent_key::{AgentKey, KeyRights, KeyStatus},
        new_agent_key::EndMeans,
        problem::{Problem, ProblemKind},
        rotation::{OPEN, RotationErrors, RotationForm},
        timestamp::{DAY_MS, HOUR_MS, Timestamp},
    },
};
use leptos::{ev, prelude::*};
use leptos_meta::Title;

/// Id of the dialog's heading.
const TITLE: &str = "rotate-title";

/// The form, then the secret.
#[component]
pub fn RotateAgentKeyPage() -> impl IntoView {
    let (id, close) = key_of_dialog();
    let rotate = use_form::<RotateAgentKey>();
    // Only the action's value holds the secret. The back/forward cache of the browser must not keep it.
    let leaving = window_event_listener(ev::pagehide, move |_| rotate.value().set(None));
    on_cleanup(move || leaving.remove());
    // Outlives the form, which is removed as soon as there is a secret to show.
    let problem = use_problem(rotate);
    let created = move || rotate.value().get().and_then(Result::ok);
    let is_created = Memo::new(move |_| matches!(rotate.value().get(), Some(Ok(_))));
    view! {
        <Title text="Rotate key · Agent Keys" />
        {move || {
            if is_created.get() {
                created().map(|created| view! { <CreatedDialog created /> }).into_any()
            } else {
                view! { <RotateDialog id=id.clone() rotate problem close=close.clone() /> }.into_any()
            }
        }}
    }
    .into_any()
}

#[component]
fn RotateDialog(
    id: String,
    rotate: ServerAction<RotateAgentKey>,
    problem: Signal<Option<Problem>>,
    close: String,
) -> impl IntoView {
    let preparation = page_resource(move || id.clone(), prepare_rotation);
    let typed = rotate.input().get_untracked().map(|input| input.form);
    view! {
        <Dialog shape=DialogShape::Roomy labelled_by=TITLE close=close.clone()>
            <Suspense fallback=|| view! { <p role="status" data-part="body">"Loading"</p> }>
                {move || {
                    let (close, typed) = (close.clone(), typed.clone());
                    Suspend::new(async move {
                        match preparation.await {
                            Ok(preparation) => {
                                view! { <Form rotate problem preparation typed close /> }.into_any()
                            }
                            Err(problem) => {
                                view! { <DialogProblem id=TITLE title="Rotate key" close problem /> }.into_any()
                            }
                        }
                    })
                }}
            </Suspense>
        </Dialog>
    }
    .into_any()
}

/// The form. `typed` holds the values of a rejected post without script.
#[component]
fn Form(
    rotate: ServerAction<RotateAgentKey>,
    problem: Signal<Option<Problem>>,
    preparation: RotationPreparation,
    typed: Option<RotationForm>,
    close: String,
) -> impl IntoView {
    let RotationPreparation {
        operation: unused,
        now,
        key,
        name,
        privileges,
        lifetime_days,
        means,
        active_keys,
        limit,
    } = preparation;
    let typed = typed.unwrap_or_else(|| RotationForm {
        operation: unused.clone(),
        name,
        expires: lifetime_days.map_or_else(|| "never".to_owned(), |days| days.to_string()),
        overlap: if matches!(means, EndMeans::User { .. }) {
            OPEN
        } else {
            "24h"
        }
        .to_owned(),
        ..RotationForm::default()
    });
    let errors = Memo::new(move |_| match problem.get() {
        Some(Problem {
            kind: ProblemKind::Rotation(errors),
            ..
        }) => errors,
        _ => RotationErrors::default(),
    });
    let name_errors =
        Signal::derive(move || errors.read().name.iter().map(ToString::to_string).collect());
    // An operation that has made its key makes no other.
    let used = typed.operation.clone();
    let operation = move || match problem.get() {
        Some(problem) if problem.kind == ProblemKind::AlreadyDone => unused.clone(),
        _ => used.clone(),
    };
    let names = privileges.names().join(" and ");
    let submit = view! {
        <SubmitButton label="Create the new key" pending=rotate.pending() icon=IconName::Rotate />
    };
    view! {
        <DialogForm
            action=rotate
            id=TITLE
            title=format!("Rotate {}", or_dash(&key.name))
            help="Makes a new key with the same privileges and labels. The old key keeps working while you move agents over."
            close
            gap="lg"
            problem
            submit=submit.into_any()
        >
            <input type="hidden" name="form[operation]" value=operation />
            <input type="hidden" name="form[key]" value=key.id.to_string() />
            <FewerPrivileges rights=key.rights.clone() names />
            <div class="field-row">
                <TextField
                    id="name"
                    name="form[name]"
                    label="Name of the new key"
                    value=typed.name.clone()
                    errors=name_errors
                    required=true
                    autofocus=true
                />
                <Lifetime chosen=typed.expires.clone() usual=lifetime_days errors />
            </div>
            <Overlap typed key=key.clone() means now errors />
            <Means key means />
            <div class="columns">
                <section class="stack" data-gap="sm">
                    <h3>"Keys during the overlap"</h3>
                    <KeyLimitMeter keys=active_keys.and_one_more() limit link=true />
                </section>
                <section class="stack" data-gap="sm">
                    <h3>"Agents that need a restart"</h3>
                    <dl class="facts">
                        <div><dt>"No restart"</dt><dd>"Java, if the key is in its properties file"</dd></div>
                        <div><dt>"Restart"</dt><dd>"Node.js, Python, Ruby, Go, .NET, PHP, OpenTelemetry"</dd></div>
                    </dl>
                </section>
            </div>
        </DialogForm>
    }
    .into_any()
}

/// Says that the new key gets other rights than the old one.
#[component]
fn FewerPrivileges(rights: KeyRights, names: String) -> impl IntoView {
    let text = match rights {
        KeyRights::Described {
            more: false,
            privileges,
        } if privileges.iter().all(|name| names.contains(name.as_str())) => {
            return None;
        }
        KeyRights::NotTold => "Elasticsearch before 8.5 does not show what the old key may do.",
        KeyRights::OwnersAll | KeyRights::Described { .. } => {
            "The old key grants more than an agent needs."
        }
    };
    Some(view! {
        <Callout tone=Tone::Warning small=true>
            <p>{text} " The new key gets " {names} "."</p>
        </Callout>
    })
}

/// Choice of the new key's lifetime: the old key's, or another.
#[component]
fn Lifetime(
    chosen: String,
    /// Lifetime of the old key in days.
    usual: Option<u32>,
    errors: Memo<RotationErrors>,
) -> impl IntoView {
    let mut days = vec![30, 60, 90, 365];
    if let Some(usual) = usual.filter(|usual| !days.contains(usual)) {
        days.push(usual);
        days.sort_unstable();
    }
    let label = |days| match days {
        1 => "1 day".to_owned(),
        365 => "1 year".to_owned(),
        days => format!("{days} days"),
    };
    let options: Vec<_> = days
        .into_iter()
        .map(|days| (days.to_string(), label(days)))
        .chain([("never".to_owned(), "Never".to_owned())])
        .map(|(value, label)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect();
    let messages = Signal::derive(move || {
        let expiration = errors.read().expiration;
        expiration.iter().map(ToString::to_string).collect()
    });
    view! {
        <div class="field">
            <label for="expires">"New key expires after"</label>
            <div class="input">
                <select
                    id="expires"
                    name="form[expires]"
                    aria-describedby="expires-error"
                    aria-invalid=move || errors.read().expiration.is_some().then_some("true")
                >
                    {options}
                </select>
            </div>
            <FieldErrors id="expires-error" errors=messages />
        </div>
    }
    .into_any()
}

/// Choice of the old key's end.
#[component]
fn Overlap(
    typed: RotationForm,
    key: AgentKey,
    means: EndMeans,
    now: Timestamp,
    errors: Memo<RotationErrors>,
) -> impl IntoView {
    let until = match key.status {
        KeyStatus::Active { until } => until,
        KeyStatus::Expired { .. } | KeyStatus::Revoked { .. } => None,
    };
    let invalid = move || errors.read().overlap.is_some().then_some("true");
    let choice = |value: &'static str, title: &'static str, meta: AnyView| {
        let checked = typed.overlap == value;
        view! {
            <label class="choice" data-size="sm">
                <input type="radio" name="form[overlap]" value=value checked=checked aria-invalid=invalid />
                <span data-part="title">{title}</span>
                <span data-part="meta">{meta}</span>
            </label>
        }
        .into_any()
    };
    let after = |ms| {
        let end = now.plus_ms(ms);
        match until {
            Some(until) if until <= end => view! {
                "Ends earlier by itself, " <Time at=until format=TimeFormat::Minute />
            }
            .into_any(),
            _ => view! { <Time at=end format=TimeFormat::Minute /> }.into_any(),
        }
    };
    let leaked = "For a leaked key. Agents lose access until they have the new one.";
    let mut choices = vec![choice("now", "Now", leaked.into_any())];
    if matches!(means, EndMeans::User { .. }) {
        choices.push(choice(
            OPEN,
            "When I revoke it",
            "It is not revoked by itself".into_any(),
        ));
    } else {
        choices.push(choice("1h", "In 1 hour", after(HOUR_MS)));
        choices.push(choice("24h", "In 24 hours", after(DAY_MS)));
        choices.push(choice("7d", "In 7 days", after(7 * DAY_MS)));
        choices.push(choice(
            "custom",
            "At another time",
            "Choose a date".into_any(),
        ));
        choices.push(choice(
            OPEN,
            "When I revoke it",
            "It is not revoked by itself".into_any(),
        ));
    }
    let messages = Signal::derive(move || {
        let overlap = errors.read().overlap;
        overlap.iter().map(ToString::to_string).collect()
    });
    view! {
        <fieldset class="field reveal" aria-describedby="overlap-error">
            <legend>"Old key stops working"</legend>
            <div class="stack" data-gap="xs">{choices}</div>
            <div data-reveal="custom" class="input" data-width="sm">
                <input
                    type="datetime-local"
                    name="form[overlap_on]"
                    aria-label="Old key stops working at"
                    aria-describedby="overlap-zone"
                    aria-invalid=invalid
                    value=typed.overlap_on.clone()
                    data-moment
                />
                // The moment where the user is. The script fills it in.
                <input type="hidden" name="form[overlap_at]" />
            </div>
            <p data-part="help" data-reveal="custom" id="overlap-zone">
                <span data-needs-script>"In your time zone."</span>
                <span data-needs-no-script>"In UTC."</span>
            </p>
            <FieldErrors id="overlap-error" errors=messages />
        </fieldset>
    }
    .into_any()
}

/// Says what ends the old key, and what is missing for that.
#[component]
fn Means(key: AgentKey, means: EndMeans) -> impl IntoView {
    let never = matches!(key.status, KeyStatus::Active { until: None });
    match means {
        EndMeans::Elasticsearch => view! {
            <p class="small muted">
                "Elasticsearch ends the old key, even while Agent Keys is down. You can undo that until then."
                {never.then_some(
                    " The old key never expires now. Elasticsearch cannot restore that: undone, it expires in ten years.",
                )}
            </p>
        }
        .into_any(),
        EndMeans::ServiceUser => view! {
            <p class="small muted">
                "Agent Keys revokes the old key at that time, as its service user. You can undo that until then."
            </p>
        }
        .into_any(),
        EndMeans::User { own } => {
            let reason = if own {
                "Elasticsearch before 8.13 cannot set the end of a key."
            } else {
                "Only the owner of a key can set its end in Elasticsearch."
            };
            view! {
                <Callout tone=Tone::Accent small=true>
                    <p>
                        "The old key cannot end by itself at a chosen time. " {reason}
                        " Agent Keys could revoke it as a service user, but none is set: AGENT_KEYS_SERVICE_USERNAME and \
                         AGENT_KEYS_SERVICE_PASSWORD."
                    </p>
                </Callout>
            }
                .into_any()
        }
    }
}
