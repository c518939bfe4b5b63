//! Settings of the APM integration.

use super::layout::{use_viewer, viewer_with_access};
use crate::{
    api::{
        apm_settings::{ApmSettingsForm, SaveApmSettings, read_apm_integration},
        page_resource,
    },
    components::{
        code::SnippetBlock,
        form::{ActionForm, FieldErrors, FieldKind, SubmitButton, TextField, use_form},
        icon::IconName,
        problem::{AskFor, ProblemCallout, ProblemPrompt},
        status::{Announce, Badge, Callout, KeyCount, KeyLimitMeter, Tone},
    },
    model::{
        apm_settings::{
            ApmIntegration, ApmSettingsErrors, KeysInUse, RecommendedLimit, Uncounted, parse_limit,
        },
        problem::{Problem, ProblemKind},
        session::Permit,
        text::grouped,
    },
    snippets::templates,
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn ApmIntegrationPage() -> impl IntoView {
    let viewer = use_viewer();
    let save = use_form::<SaveApmSettings>();
    let integration = page_resource(move || save.version().get(), |_| read_apm_integration());
    let saved = move || matches!(save.value().get(), Some(Ok(())));
    let problem = move || save.value().get().and_then(Result::err);
    view! {
        <Title text="APM integration · Agent Keys" />
        <main id="main" class="page">
            <header class="page-header">
                <div data-part="title">
                    <h1>"APM integration"</h1>
                    <p>"Settings for API keys in APM Server. Save them here, then apply the YAML to your server."</p>
                </div>
            </header>
            {move || {
                saved()
                    .then(|| {
                        view! {
                            <Callout tone=Tone::Success announce=Announce::Status small=true>
                                <p><strong>"Saved."</strong> " Apply the YAML to APM Server and restart it."</p>
                            </Callout>
                        }
                    })
            }}
            {move || problem().map(|problem| view! { <ProblemCallout problem /> })}
            <Transition fallback=|| view! { <p role="status">"Loading settings"</p> }>
                {move || Suspend::new(async move {
                    match (viewer_with_access(viewer).await, integration.await) {
                        (Ok(viewer), Ok(integration)) => {
                            view! { <Settings integration save permit=viewer.access.save_settings /> }.into_any()
                        }
                        (_, Err(problem)) | (Err(problem), _) => {
                            view! { <ProblemPrompt problem retry=urls::apm_integration() /> }.into_any()
                        }
                    }
                })}
            </Transition>
        </main>
    }
    .into_any()
}

#[component]
fn Settings(
    integration: ApmIntegration,
    save: ServerAction<SaveApmSettings>,
    permit: Permit,
) -> impl IntoView {
    let errors = Memo::new(move |_| match save.value().get().and_then(Result::err) {
        Some(Problem {
            kind: ProblemKind::ApmSettings(errors),
            ..
        }) => errors,
        _ => ApmSettingsErrors::default(),
    });
    let settings = integration.settings.clone();
    // After a rejection the form shows the typed values, otherwise the saved ones.
    let refused = matches!(save.value().get_untracked(), Some(Err(_)));
    let typed = save
        .input()
        .get_untracked()
        .filter(|_| refused)
        .map(|input| input.form);
    let typed = typed.unwrap_or_else(|| ApmSettingsForm {
        server_url: settings
            .server_url
            .clone()
            .map(String::from)
            .unwrap_or_default(),
        api_key_enabled: settings.api_key_enabled.then(|| "on".to_owned()),
        api_key_limit: settings.api_key_limit.to_string(),
        keys_per_user_max: settings
            .keys_per_user_max
            .map(|max| max.to_string())
            .unwrap_or_default(),
    });
    let plain_text = settings
        .server_url
        .as_ref()
        .is_some_and(|url| url.is_plain_text());
    let url_errors = Signal::derive(move || {
        errors
            .read()
            .server_url
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    let limit_errors: Signal<Vec<String>> = Signal::derive(move || {
        let text = errors
            .read()
            .limit
            .then(|| "Enter a whole number from 1 to 10,000,000.".to_owned());
        text.into_iter().collect()
    });
    let per_user_errors: Signal<Vec<String>> = Signal::derive(move || {
        let text = errors.read().keys_per_user.then(|| {
            "Enter a whole number from 1 to 10,000,000, or leave it empty for no limit.".to_owned()
        });
        text.into_iter().collect()
    });
    let recommended = integration.recommended_limit();
    let limit = RwSignal::new(typed.api_key_limit.clone());
    let is_enough = move |limit: &str| {
        let enough = recommended.filter(|recommended| !recommended.at_least);
        parse_limit(limit)
            .zip(enough)
            .is_some_and(|(limit, enough)| limit >= enough.limit)
    };
    let keys = integration.active_keys;
    let read_only = !permit.is_granted();
    let fragment = templates::fragment(
        &settings,
        integration
            .embedded
            .then_some(integration.elasticsearch_url.as_str()),
    );
    let missing = match permit {
        Permit::Granted => None,
        Permit::Missing(missing) => Some(missing),
    };
    view! {
        <LimitNotice integration=integration.clone() />
        <div class="split" data-aside="wide">
            <div data-part="columns">
                <ActionForm action=save>
                    <fieldset class="stack" data-gap="lg" disabled=read_only>
                        <section class="panel">
                            <header><h2>"Connection"</h2></header>
                            <div data-part="body" class="stack">
                                <TextField
                                    id="server-url"
                                    name="form[server_url]"
                                    label="APM Server URL"
                                    kind=FieldKind::Text
                                    value=typed.server_url
                                    help="Where agents send their data, including the port. Used in the configuration snippets."
                                    errors=url_errors
                                    mono=true
                                />
                                {plain_text
                                    .then(|| {
                                        view! {
                                            <Callout tone=Tone::Warning small=true>
                                                <p>
                                                    "This URL uses http://. Agents send keys unencrypted, and they can be intercepted. Use https:// instead."
                                                </p>
                                            </Callout>
                                        }
                                    })}
                            </div>
                        </section>
                        <section class="panel">
                            <header><h2>"API keys"</h2></header>
                            <div data-part="body">
                                <div class="setting">
                                    <div data-part="grid">
                                        <div data-part="about">
                                            <h3 id="enabled-label">"API key authorization"</h3>
                                            <p>"When off, no agent key works."</p>
                                        </div>
                                        <div>
                                            <label class="switch">
                                                <input
                                                    type="checkbox"
                                                    role="switch"
                                                    name="form[api_key_enabled]"
                                                    aria-labelledby="enabled-label"
                                                    checked=typed.api_key_enabled.is_some()
                                                />
                                                <span data-on>"On"</span>
                                                <span data-off>"Off"</span>
                                            </label>
                                        </div>
                                    </div>
                                </div>
                                <div class="setting">
                                    <div data-part="grid">
                                        <div data-part="about">
                                            <label for="limit">"Limit on unique keys"</label>
                                            <p>"How many different keys APM Server accepts per minute. It rejects any more."</p>
                                        </div>
                                        <div class="stack" data-gap="md">
                                            <div class="row" data-gap="md">
                                                <div class="input" data-width="sm">
                                                    <input
                                                        id="limit"
                                                        name="form[api_key_limit]"
                                                        type="text"
                                                        inputmode="numeric"
                                                        value=typed.api_key_limit
                                                        on:input:target=move |event| limit.set(event.target().value())
                                                        aria-invalid=move || (!limit_errors.read().is_empty()).then_some("true")
                                                        aria-describedby="limit-error"
                                                    />
                                                    <span data-part="affix">"keys per minute"</span>
                                                </div>
                                                {move || {
                                                    is_enough(&limit.read())
                                                        .then(|| {
                                                            view! { <Badge tone=Tone::Success icon=IconName::Check text="Enough to rotate" /> }
                                                        })
                                                }}
                                            </div>
                                            <FieldErrors id="limit-error" errors=limit_errors />
                                            {match recommended {
                                                Some(recommended) => {
                                                    view! {
                                                        <KeyLimitMeter keys limit=settings.api_key_limit />
                                                        {(keys.uncounted != Some(Uncounted::OtherOwners))
                                                            .then(|| view! { <HowRecommended keys recommended /> })}
                                                    }
                                                        .into_any()
                                                }
                                                None => {
                                                    view! { <p class="small muted">{Uncounted::Hidden.to_string()}</p> }
                                                        .into_any()
                                                }
                                            }}
                                        </div>
                                    </div>
                                </div>
                                <div class="setting">
                                    <div data-part="grid">
                                        <div data-part="about">
                                            <label for="keys-per-user">"Active keys per user"</label>
                                            <p>
                                                "How many active agent keys one user may own. At the limit, a new key is refused. Empty for no limit."
                                            </p>
                                        </div>
                                        <div class="stack" data-gap="md">
                                            <div class="input" data-width="sm">
                                                <input
                                                    id="keys-per-user"
                                                    name="form[keys_per_user_max]"
                                                    type="text"
                                                    inputmode="numeric"
                                                    placeholder="No limit"
                                                    value=typed.keys_per_user_max
                                                    aria-invalid=move || (!per_user_errors.read().is_empty()).then_some("true")
                                                    aria-describedby="keys-per-user-error"
                                                />
                                                <span data-part="affix">"keys"</span>
                                            </div>
                                            <FieldErrors id="keys-per-user-error" errors=per_user_errors />
                                        </div>
                                    </div>
                                </div>
                            </div>
                        </section>
                    </fieldset>
                    <div class="save-bar">
                        {missing.map(|missing| view! { <AskFor to="To change these settings" missing /> })}
                        <span class="push-end"></span>
                        <SubmitButton label="Save" pending=save.pending() disabled=read_only />
                    </div>
                </ActionForm>
                <div class="stack" data-gap="lg">
                    <section class="panel">
                        <header><h2>"For APM Server"</h2></header>
                        <div data-part="body" class="stack" data-gap="md">
                            <SnippetBlock snippet=fragment />
                            <p class="small muted">"From the saved settings. Contains no secrets."</p>
                        </div>
                    </section>
                    {integration
                        .embedded
                        .then(|| {
                            view! {
                                <Callout tone=Tone::Accent>
                                    <h3>"Keys are in the embedded engine"</h3>
                                    <p>
                                        "APM Server must check keys there, so the YAML sets "
                                        <code>"api_key.elasticsearch"</code>
                                        ". If APM Server runs on another machine, make the engine listen on an address it can reach."
                                    </p>
                                </Callout>
                            }
                        })}
                    <Callout tone=Tone::Accent>
                        <h3>"After you apply it"</h3>
                        <p>
                            "Restart a standalone APM Server. If Fleet manages it, set the same two values in the APM integration policy."
                        </p>
                    </Callout>
                </div>
            </div>
        </div>
    }
    .into_any()
}

/// Warning that the saved limit is too small.
#[component]
fn LimitNotice(integration: ApmIntegration) -> impl IntoView {
    let keys = integration.active_keys;
    let limit = integration.settings.api_key_limit;
    let Some(recommended) = integration.recommended_limit() else {
        return ().into_any();
    };
    if keys.counted > u64::from(limit) {
        view! {
            <Callout tone=Tone::Danger icon=IconName::Warn>
                <h2><KeyCount keys /> " keys are active, APM Server accepts " {grouped(limit.into())} " per minute"</h2>
                <p>"Other agents are rejected with 503. Set the limit to " <strong>{recommended.to_string()}</strong> "."</p>
            </Callout>
        }
        .into_any()
    } else if limit < recommended.limit {
        let is_enough = if recommended.at_least {
            " is needed for that."
        } else {
            " holds that."
        };
        view! {
            <Callout tone=Tone::Warning>
                <p>
                    <KeyCount keys /> " active now. During a rotation every key counts twice; a limit of "
                    <strong>{recommended.to_string()}</strong> {is_enough}
                </p>
            </Callout>
        }
        .into_any()
    } else {
        ().into_any()
    }
}

#[component]
fn HowRecommended(keys: KeysInUse, recommended: RecommendedLimit) -> impl IntoView {
    view! {
        <details class="disclosure">
            <summary>"How " {recommended.to_string()} " is calculated"</summary>
            <dl class="sum">
                <div><dt>"Active keys"</dt><dd><KeyCount keys /></dd></div>
                <div><dt>"Their replacements during a rotation"</dt><dd>"+ " {grouped(keys.counted)}</dd></div>
                <div data-part="total">
                    <dt>"Rounded up to tens, and at least 100"</dt>
                    <dd>{recommended.to_string()}</dd>
                </div>
            </dl>
        </details>
    }
    .into_any()
}
