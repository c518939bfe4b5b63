//! Dialog that creates a key.

use super::{created::CreatedDialog, list_behind};
use crate::{
    api::{
        agent_keys::{CreateAgentKey, prepare_agent_key},
        page_resource,
    },
    backend::AgentKeyPreparation,
    components::{
        dialog::{Dialog, DialogForm, DialogShape},
        form::{FieldErrors, SubmitButton, TextField, use_form},
        icon::{Icon, IconName},
        navigation::initials,
        problem::{ProblemCallout, sign_in_again},
        status::{Callout, KeyCount, Time, TimeFormat, Tone},
    },
    model::{
        agent_key::{AgentPrivilege, KeyId},
        new_agent_key::{NewAgentKeyErrors, NewAgentKeyForm},
        notice::Notice,
        problem::{Problem, ProblemKind},
        session::{Access, Viewer},
        timestamp::{DAY_MS, Timestamp},
    },
    pages::layout::{use_viewer, viewer_with_access},
    urls,
};
use leptos::{ev, prelude::*};
use leptos_meta::Title;

/// The form, then the secret.
#[component]
pub fn CreateAgentKeyPage() -> impl IntoView {
    let create = use_form::<CreateAgentKey>();
    let close = list_behind();
    // Only the action's value holds the secret. The back/forward cache of the browser must not keep it.
    let leaving = window_event_listener(ev::pagehide, move |_| create.value().set(None));
    on_cleanup(move || leaving.remove());
    let created = move || create.value().get().and_then(Result::ok);
    let is_created = Memo::new(move |_| matches!(create.value().get(), Some(Ok(_))));
    view! {
        <Title text="Create APM agent key · Agent Keys" />
        {move || {
            let close = close.clone();
            if is_created.get() {
                created().map(|created| view! { <CreatedDialog created /> }).into_any()
            } else {
                view! { <CreateFlyout create close /> }.into_any()
            }
        }}
    }
    .into_any()
}

#[component]
fn CreateFlyout(create: ServerAction<CreateAgentKey>, close: String) -> impl IntoView {
    let viewer = use_viewer();
    let preparation = page_resource(|| (), |()| prepare_agent_key());
    let typed = create.input().get_untracked().map(|input| input.form);
    let submit = view! {
        <Suspense>
            {move || Suspend::new(async move {
                let may = viewer.await.is_ok_and(|viewer| viewer.access.create.is_granted());
                may.then(|| view! { <SubmitButton label="Create APM agent key" pending=create.pending() /> })
            })}
        </Suspense>
    };
    view! {
        <Dialog shape=DialogShape::Flyout labelled_by="create-title" close=close.clone()>
            <DialogForm
                action=create
                id="create-title"
                title="Create APM agent key"
                help="A key cannot have more privileges than you."
                close
                gap="lg"
                submit=submit.into_any()
            >
                <Suspense fallback=|| view! { <p role="status">"Loading"</p> }>
                    {move || {
                        let typed = typed.clone();
                        Suspend::new(async move {
                            match (viewer_with_access(viewer).await, preparation.await) {
                                (Ok(viewer), Ok(preparation)) => {
                                    view! { <Fields create viewer preparation typed /> }.into_any()
                                }
                                (_, Err(problem)) | (Err(problem), _) => {
                                    sign_in_again(&problem.kind);
                                    view! { <ProblemCallout problem /> }.into_any()
                                }
                            }
                        })
                    }}
                </Suspense>
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

/// Fields of the form. `typed` holds the values of a rejected post without script.
#[component]
fn Fields(
    create: ServerAction<CreateAgentKey>,
    viewer: Viewer,
    preparation: AgentKeyPreparation,
    typed: Option<NewAgentKeyForm>,
) -> impl IntoView {
    let now = preparation.now;
    let is_first = typed.is_none();
    let typed = typed.unwrap_or_else(|| first_form(&preparation));
    let lost = match preparation.notice.clone() {
        Some(Notice::KeyCreated { id, name }) => Some(view! { <LostSecret id name /> }),
        _ => None,
    };
    // A closure, not a signal: this form is removed as soon as the action has a value, and a signal with it.
    let problem = move || create.value().get().and_then(Result::err);
    let errors = Memo::new(move |_| match problem() {
        Some(Problem {
            kind: ProblemKind::NewAgentKey(errors),
            ..
        }) => errors,
        _ => NewAgentKeyErrors::default(),
    });
    let name_errors =
        Signal::derive(move || errors.read().name.iter().map(ToString::to_string).collect());
    let privilege_errors = Signal::derive(move || {
        let text = errors
            .read()
            .no_privilege
            .then(|| "Select at least one privilege.".to_owned());
        text.into_iter().collect()
    });
    // An operation that has made its key makes no other.
    let (used, unused) = (typed.operation.clone(), preparation.operation.clone());
    let operation = move || match problem() {
        Some(problem) if problem.kind == ProblemKind::AlreadyDone => unused.clone(),
        _ => used.clone(),
    };
    let refused = Memo::new(move |_| problem().is_some());
    view! {
        {move || problem().map(|problem| view! { <ProblemCallout problem /> })}
        {lost}
        <Before access=viewer.access.clone() preparation=preparation.clone() refused />
        <input type="hidden" name="form[operation]" value=operation />
        <div class="field">
            <span data-part="label">"Owner"</span>
            <div class="row">
                <span class="avatar" aria-hidden="true">{initials(&viewer.username)}</span>
                <span><strong>{viewer.username.clone()}</strong> " " <span class="muted">"realm " {viewer.realm.clone()}</span></span>
            </div>
        </div>
        <TextField
            id="name"
            name="form[name]"
            label="Name"
            value=typed.name.clone()
            help="For example, the service and environment that will use the key."
            errors=name_errors
            required=true
            autofocus=true
        />
        <fieldset class="field" aria-describedby="privileges-error">
            <legend>"Privileges"</legend>
            <div class="stack" data-gap="sm">
                <PrivilegeChoice
                    privilege=AgentPrivilege::EventWrite
                    name="form[event_write]"
                    title="Send data"
                    help="Traces, metrics, logs and errors. Every agent needs this."
                    ticked=is_first || typed.event_write.is_some()
                    held=viewer.access.can_delegate_event_write
                    errors=privilege_errors
                />
                <PrivilegeChoice
                    privilege=AgentPrivilege::ConfigAgentRead
                    name="form[config_agent_read]"
                    title="Read agent configuration"
                    help="Lets the agent apply central configuration, such as the sampling rate."
                    ticked=is_first || typed.config_agent_read.is_some()
                    held=viewer.access.can_delegate_config_agent_read
                    errors=privilege_errors
                />
            </div>
            <FieldErrors id="privileges-error" errors=privilege_errors />
        </fieldset>
        <Expires typed=typed.clone() now errors />
        <LabelFields typed errors />
    }
    .into_any()
}

/// Says that the secret of a key is gone, because its page was left before the key was stored.
#[component]
fn LostSecret(id: String, name: String) -> impl IntoView {
    let revoke = KeyId::parse(&id).map(|id| {
        view! {
            <a class="button" data-variant="danger-quiet" href=urls::revoke_agent_key(&id)>
                <Icon name=IconName::Revoke />
                "Revoke this key"
            </a>
        }
    });
    view! {
        <Callout tone=Tone::Warning>
            <h3>"You created " <bdi>{name}</bdi> " a moment ago"</h3>
            <p>
                "Its secret cannot be shown again. If you did not store it, revoke the key and create it again."
            </p>
            <div class="button-row">
                {revoke}
                <button class="button" type="submit">"Create it again"</button>
            </div>
        </Callout>
    }
    .into_any()
}

/// Initial values of the form: with the name of a key whose secret is gone.
fn first_form(preparation: &AgentKeyPreparation) -> NewAgentKeyForm {
    let name = match &preparation.notice {
        Some(Notice::KeyCreated { name, .. }) => name.clone(),
        _ => String::new(),
    };
    NewAgentKeyForm {
        operation: preparation.operation.clone(),
        name,
        expires: "90".to_owned(),
        ..NewAgentKeyForm::default()
    }
}

/// Warnings before the creation: missing privileges, and APM Server's limit.
#[component]
fn Before(
    access: Access,
    preparation: AgentKeyPreparation,
    /// True beside a problem: success must not be drawn beside it.
    refused: Memo<bool>,
) -> impl IntoView {
    let after = preparation.active_keys.and_one_more();
    let limit = u64::from(preparation.limit);
    let holds_all = access.can_delegate_event_write && access.can_delegate_config_agent_read;
    view! {
        {if access.create.is_granted() && holds_all {
            (move || {
                (!refused.get()).then(|| {
                    view! {
                        <Callout tone=Tone::Success small=true>
                            <p><strong>"Ready."</strong> " You have every privilege this key needs."</p>
                        </Callout>
                    }
                })
            })
            .into_any()
        } else {
            view! {
                <Callout tone=Tone::Warning icon=IconName::Lock>
                    <p>
                        "You are missing privileges that this key may need. Ask an administrator for the role "
                        <code>"apm_agent_key_role"</code> ", or see "
                        <a href=urls::users()>"Users and roles"</a> "."
                    </p>
                </Callout>
            }
                .into_any()
        }}
        {(after.counted > limit)
            .then(|| {
                view! {
                    <Callout tone=Tone::Warning>
                        <p>
                            <strong><KeyCount keys=after /> " keys will be active, the limit is " {limit} "."</strong>
                            " APM Server accepts " {limit} " unique keys per minute and rejects agents above that. "
                            <a href=urls::apm_integration()>"Raise the limit"</a> " first. "
                            {after.uncounted.map(|why| why.to_string())}
                        </p>
                    </Callout>
                }
            })}
        {(!preparation.authorization_enabled)
            .then(|| {
                view! {
                    <Callout tone=Tone::Warning small=true>
                        <p>
                            "APM Server is not set to accept API keys yet. "
                            <a href=urls::apm_integration()>"Turn on API key authorization"</a> "."
                        </p>
                    </Callout>
                }
            })}
    }
    .into_any()
}

#[component]
fn PrivilegeChoice(
    privilege: AgentPrivilege,
    name: &'static str,
    title: &'static str,
    help: &'static str,
    ticked: bool,
    held: bool,
    errors: Signal<Vec<String>>,
) -> impl IntoView {
    view! {
        <label class="choice">
            <input
                type="checkbox"
                name=name
                checked=ticked
                aria-invalid=move || (!errors.read().is_empty()).then_some("true")
            />
            <span data-part="title">{title}</span>
            <code data-part="meta">{privilege.name()}</code>
            <span data-part="help">
                {help}
                {(!held).then(|| view! { <strong>" You do not have this privilege."</strong> })}
            </span>
        </label>
    }
    .into_any()
}

/// Choice of the expiration. The dates come from the server's clock.
#[component]
fn Expires(
    typed: NewAgentKeyForm,
    now: Timestamp,
    errors: Memo<NewAgentKeyErrors>,
) -> impl IntoView {
    const CHOICES: [(&str, &str, Option<i64>); 6] = [
        ("30", "30 days", Some(30)),
        ("60", "60 days", Some(60)),
        ("90", "90 days", Some(90)),
        ("365", "1 year", Some(365)),
        ("custom", "Custom", None),
        ("never", "Never", None),
    ];
    let chosen = typed.expires.clone();
    let radios = CHOICES.map(|(value, label, _)| {
        view! {
            <label>
                <input type="radio" name="form[expires]" value=value checked=chosen == value />
                {label}
            </label>
        }
    });
    let dates = CHOICES.map(|(value, _, days)| {
        days.map(|days| {
            let end = now.plus_ms(days * DAY_MS);
            view! { <small data-reveal=value><Time at=end format=TimeFormat::Minute /></small> }
        })
    });
    let messages = Signal::derive(move || {
        errors
            .read()
            .expiration
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    let invalid = move || errors.read().expiration.is_some().then_some("true");
    view! {
        <fieldset class="field reveal" aria-describedby="expires-error">
            <legend>"Expires " {dates}</legend>
            <div class="segmented">{radios}</div>
            <div data-reveal="custom" class="input" data-width="sm">
                <input
                    type="date"
                    name="form[expires_on]"
                    aria-label="Expiry date"
                    aria-describedby="expires-at"
                    aria-invalid=invalid
                    min=now.iso_date()
                    value=typed.expires_on
                    data-ends
                />
                // The end of that day where the user is. The script fills it in.
                <input type="hidden" name="form[expires_at]" />
            </div>
            <p data-part="help" data-reveal="custom" id="expires-at" data-needs-script hidden>
                "Expires " <Time at=now format=TimeFormat::Second />
            </p>
            <p data-part="help" data-reveal="custom" data-needs-no-script>
                "Expires at the end of that day in UTC."
            </p>
            <FieldErrors id="expires-error" errors=messages />
            <p data-part="help" data-reveal="date">
                "The list flags the key 14 days before it expires. Agents cannot use an expired key."
            </p>
            <div data-reveal="never">
                <Callout tone=Tone::Warning small=true>
                    <p>"The key stays valid until it is revoked, even if it leaks. An expiry date is safer."</p>
                </Callout>
            </div>
        </fieldset>
    }
    .into_any()
}

/// Labels of the key.
#[component]
fn LabelFields(typed: NewAgentKeyForm, errors: Memo<NewAgentKeyErrors>) -> impl IntoView {
    let messages = Signal::derive(move || {
        let errors = errors.read();
        let bad = errors.service || errors.environment || errors.team;
        bad.then(|| {
            "Use at most 100 characters, without line breaks or invisible characters.".to_owned()
        })
        .into_iter()
        .collect()
    });
    let service = move || errors.read().service.then_some("true");
    let environment = move || errors.read().environment.then_some("true");
    let team = move || errors.read().team.then_some("true");
    view! {
        <fieldset class="field" aria-describedby="labels-error">
            <legend>"Labels " <small>"Optional"</small></legend>
            <div class="field-row">
                <div class="input" data-size="sm">
                    <span data-part="affix">"service"</span>
                    <input type="text" aria-label="Service" name="form[service]" value=typed.service autocomplete="off" aria-invalid=service />
                </div>
                <div class="input" data-size="sm">
                    <span data-part="affix">"env"</span>
                    <input type="text" aria-label="Environment" name="form[environment]" value=typed.environment autocomplete="off" aria-invalid=environment />
                </div>
                <div class="input" data-size="sm">
                    <span data-part="affix">"team"</span>
                    <input type="text" aria-label="Team" name="form[team]" value=typed.team autocomplete="off" aria-invalid=team />
                </div>
            </div>
            <FieldErrors id="labels-error" errors=messages />
            <p data-part="help">"Stored with the key. Used for search and in the configuration snippets."</p>
        </fieldset>
    }
    .into_any()
}
