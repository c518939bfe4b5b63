//! Dialog that shows a new key's secret, once.
//!
//! The browser confirms the display of the secret: at once with script, with “Done” without. The list marks a key
//! without confirmation.
//!
//! Only copying needs a script. Check boxes, radio buttons and the style sheet control masking and the choice of the
//! agent.

use crate::{
    api::agent_keys::{AcknowledgeAgentKey, acknowledge_agent_key},
    components::{
        code::{CopyButton, SnippetBlock},
        dialog::{Dialog, DialogShape, ask_before_leaving},
        form::{FormUser, PAGE_FIELD, is_posted},
        icon::{Icon, IconName},
        status::{Announce, Callout, Time, TimeFormat, Tone},
    },
    model::{
        new_agent_key::{CreatedAgentKey, EndMeans, ReplacedKey},
        secret::Secret,
        text::visible,
    },
    snippets::{self, Setting},
    urls,
};
use leptos::{prelude::*, task::spawn_local};

/// The dialog. Escape does not close it, because the secret cannot be shown again.
#[component]
pub(super) fn CreatedDialog(created: CreatedAgentKey) -> impl IntoView {
    let expires = match created.expiration {
        Some(at) => view! { ", expires " <Time at format=TimeFormat::Minute /> }.into_any(),
        None => ", never expires".into_any(),
    };
    let url = created.apm_server_url.clone();
    let operation = created.operation.clone();
    Effect::new(move || {
        let operation = operation.as_str().to_owned();
        spawn_local(async move {
            // If the confirmation is lost, the list marks the key, as it should.
            let _ = acknowledge_agent_key(operation, false).await;
        });
    });
    let leave = ask_before_leaving(urls::agent_keys());
    // Without script, the form confirms the display.
    let (method, action, words) = if is_posted() {
        let fields = view! {
            <input type="hidden" name="operation" value=created.operation.as_str().to_owned() />
            <input type="hidden" name="leave" value="true" />
            <input type="hidden" name=PAGE_FIELD value=urls::agent_keys() />
            <FormUser />
        };
        (
            "post",
            urls::server_function::<AcknowledgeAgentKey>(),
            Some(fields),
        )
    } else {
        ("get", urls::agent_keys(), None)
    };
    view! {
        <Dialog shape=DialogShape::Wide labelled_by="created-title">
            <div data-part="head">
                <div>
                    <h2 id="created-title">
                        <Icon name=IconName::Pass size="lg" tone="success" />
                        <span>"Key created: " <bdi>{created.name.to_string()}</bdi></span>
                    </h2>
                    <p>"Id " <span class="mono">{created.id.to_string()}</span> {expires}</p>
                </div>
            </div>
            <div data-part="body" class="created">
                <div class="stack">
                    {created.replaces.clone().map(|replaced| view! { <OldKey replaced /> })}
                    <Callout tone=Tone::Warning announce=Announce::Alert small=true>
                        <p>
                            <strong>"Store the key now."</strong>
                            " It is shown only once and cannot be recovered."
                        </p>
                    </Callout>
                    <SecretField created=created.clone() />
                </div>
                <div class="stack" data-gap="md" data-part="agents">
                    <div>
                        <h3>"Configure your agent"</h3>
                        <p class="small muted">
                            "The key is masked until you choose “Show”. “Copy” always copies the full key."
                        </p>
                    </div>
                    <ServerNotice url />
                    <AgentSnippets created />
                </div>
            </div>
            <form method=method action=action class="foot" on:submit=leave>
                {words}
                <div data-part="foot">
                    <label class="check">
                        <input type="checkbox" id="stored" required autofocus />
                        <span>"I have stored this key"</span>
                    </label>
                    <button type="submit" class="button" data-variant="primary">"Done"</button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

/// Says when the replaced key ends. It gets this end when the display of the secret is confirmed.
#[component]
fn OldKey(replaced: ReplacedKey) -> impl IntoView {
    let at = |at| view! { <Time at format=TimeFormat::Minute /> };
    let once = if is_posted() {
        "Once you choose “Done”, "
    } else {
        "Now that this key is shown, "
    };
    let (former, chosen) = (replaced.former_end, replaced.ends_at);
    let is_set = matches!(
        replaced.means,
        EndMeans::Elasticsearch | EndMeans::ServiceUser
    ) && chosen.is_some_and(|chosen| former.is_none_or(|former| chosen < former));
    let end = match (chosen, former, replaced.means) {
        (Some(chosen), Some(former), _) if former <= chosen => {
            view! { "It expires by itself on " {at(former)} "." }.into_any()
        }
        (None, ..) | (Some(_), _, EndMeans::User { .. }) => {
            "It works until you revoke it.".into_any()
        }
        (Some(chosen), _, EndMeans::Elasticsearch) => {
            view! { {once} "Elasticsearch ends it on " {at(chosen)} "." }.into_any()
        }
        (Some(chosen), _, EndMeans::ServiceUser) => {
            view! { {once} "Agent Keys revokes it on " {at(chosen)} "." }.into_any()
        }
    };
    view! {
        <Callout tone=Tone::Accent small=true>
            <p>
                <strong>"The old key is " <bdi>{visible(&replaced.name)}</bdi> ". "</strong>
                {end}
                {is_set.then_some(" Until then, its page can undo that.")}
            </p>
        </Callout>
    }
    .into_any()
}

/// Formats of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Base64,
    IdAndKey,
    Header,
}

impl Format {
    const ALL: [Self; 3] = [Self::Base64, Self::IdAndKey, Self::Header];

    fn word(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::IdAndKey => "id-key",
            Self::Header => "header",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Base64 => "Base64",
            Self::IdAndKey => "id:key",
            Self::Header => "Authorization header",
        }
    }

    fn text(self, created: &CreatedAgentKey) -> String {
        match self {
            Self::Base64 => created.encoded.expose().to_owned(),
            Self::IdAndKey => format!("{}:{}", created.id, created.api_key.expose()),
            Self::Header => format!("Authorization: ApiKey {}", created.encoded.expose()),
        }
    }
}

/// The secret in three formats, masked.
#[component]
fn SecretField(created: CreatedAgentKey) -> impl IntoView {
    let format = RwSignal::new(Format::Base64);
    let formats = Format::ALL.map(|choice| {
        view! {
            <label>
                <input
                    type="radio"
                    name="format"
                    id=format!("format-{}", choice.word())
                    checked=choice == Format::Base64
                    on:change=move |_| format.set(choice)
                />
                {choice.label()}
            </label>
        }
    });
    let values = Format::ALL.map(|choice| {
        view! {
            <output data-format=choice.word() aria-labelledby="secret-label" aria-live="off">
                <span data-secret="masked">{"•".repeat(48)}</span>
                <span data-secret="shown">{choice.text(&created)}</span>
            </output>
        }
    });
    view! {
        <div class="field formats">
            <div class="row" data-justify="between">
                <h3 id="secret-label">"API key"</h3>
                <fieldset class="segmented">
                    <legend class="visually-hidden">"Format"</legend>
                    {formats}
                </fieldset>
            </div>
            <div class="secret" data-autofocus>
                {values}
                <label class="button show-secret">
                    <input type="checkbox" id="show-secret" class="visually-hidden" />
                    <Icon name=IconName::Eye />
                    "Show"
                </label>
                <CopyButton text=move || format.get_untracked().text(&created) what="the API key" />
            </div>
            <p data-part="help">"Base64 of id:key is the form that Elastic agents expect."</p>
        </div>
    }
    .into_any()
}

/// Warning about a missing or unencrypted address of APM Server.
#[component]
fn ServerNotice(url: Option<String>) -> impl IntoView {
    match url {
        None => view! {
            <Callout tone=Tone::Warning small=true>
                <p>
                    "The APM Server URL is not set, so the files below contain a placeholder. Set it in "
                    <a href=urls::apm_integration() target="_blank">"APM integration"</a> "."
                </p>
            </Callout>
        }
        .into_any(),
        Some(url) if url.starts_with("http://") => view! {
            <Callout tone=Tone::Warning small=true>
                <p>
                    "The APM Server URL uses http://. Agents send this key unencrypted, and it can be intercepted."
                </p>
            </Callout>
        }
        .into_any(),
        Some(_) => ().into_any(),
    }
}

/// Snippets, one tab per agent.
#[component]
fn AgentSnippets(created: CreatedAgentKey) -> impl IntoView {
    let setting = Setting::new(
        &created.labels,
        created.name.as_str(),
        created.apm_server_url.as_deref(),
    );
    let secret: Secret = created.encoded.clone();
    let renamed = setting.renamed_service();
    let snippets = snippets::all(&setting);
    let tabs: Vec<_> = snippets
        .iter()
        .enumerate()
        .map(|(index, snippet)| {
            view! {
                <label>
                    <input type="radio" name="agent" id=format!("agent-{}", snippet.id) checked=index == 0 />
                    {snippet.label}
                </label>
            }
        })
        .collect();
    let files: Vec<_> = snippets
        .into_iter()
        .map(|snippet| {
            let (id, note) = (snippet.id, snippet.note);
            view! {
                <div data-agent=id class="stack" data-gap="sm">
                    <SnippetBlock snippet secret=secret.clone() />
                    <p class="small muted">{note}</p>
                </div>
            }
        })
        .collect();
    let renamed = renamed.map(|sentence| {
        view! { <Callout tone=Tone::Accent small=true><p>{sentence}</p></Callout> }
    });
    view! {
        {renamed}
        <div class="snippets stack" data-gap="md">
            <fieldset class="tabs" data-size="sm">
                <legend class="visually-hidden">"Agent"</legend>
                {tabs}
            </fieldset>
            {files}
        </div>
    }
    .into_any()
}
