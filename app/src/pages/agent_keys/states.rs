//! States in place of the list: loading, not permitted, API keys disabled, empty, nothing found.

use super::CreateLink;
use crate::{
    components::{
        badge::Tone,
        code::CodeBlock,
        icon::{Icon, IconName},
        problem::{CheckAgain, DeniedPrompt},
    },
    model::{
        problem::MissingPrivilege,
        role::AGENT_KEY_ROLE,
        viewer::{Permit, Viewer},
    },
    urls,
};
use leptos::prelude::*;

/// Placeholder while the list loads, after a page change by the script.
#[component]
pub(super) fn Loading() -> impl IntoView {
    let rows: Vec<_> = (0..8)
        .map(|_| {
            view! {
                <tr>
                    <td><span class="skeleton" data-width="60"></span></td>
                    <td><span class="skeleton" data-width="80"></span></td>
                    <td><span class="skeleton" data-width="60"></span></td>
                    <td><span class="skeleton" data-width="70"></span></td>
                    <td><span class="skeleton" data-width="50"></span></td>
                </tr>
            }
        })
        .collect();
    view! {
        <p class="visually-hidden" role="status">"Loading agent keys"</p>
        <section class="panel" aria-hidden="true" aria-busy="true">
            <div class="table key-list"><table><tbody>{rows}</tbody></table></div>
        </section>
    }
    .into_any()
}

/// For a user who may not see the list: the missing privileges, and how to add them.
#[component]
pub(super) fn Denied(viewer: Viewer, missing: Vec<MissingPrivilege>) -> impl IntoView {
    let request = viewer.role_request.unwrap_or_default();
    let who = viewer.username.clone();
    let list: Vec<_> = missing
        .iter()
        .map(|missing| {
            let (name, place) = match missing {
                MissingPrivilege::Cluster(name) => (name.clone(), "Cluster".to_owned()),
                MissingPrivilege::Application {
                    application,
                    privilege,
                    resource,
                } => (
                    privilege.clone(),
                    format!("Application {application}, resource {resource}"),
                ),
            };
            view! {
                <li data-tone="danger">
                    <Icon name=IconName::Fail />
                    <div>
                        <p data-part="title"><code>{name}</code></p>
                        <p>{place}</p>
                    </div>
                    <span data-part="verdict">"Missing"</span>
                </li>
            }
        })
        .collect();
    view! {
        <DeniedPrompt
            title="You do not have permission to manage agent keys"
            username=who.clone()
            missing
            advice="Someone who manages security can add it in a minute."
            again=urls::agent_keys()
        />
        <div class="split" data-aside="wide">
            <div data-part="columns">
                <section class="panel">
                    <header>
                        <div>
                            <h2>"How to fix it"</h2>
                            <p>"For someone with the " <code>"manage_security"</code> " privilege."</p>
                        </div>
                    </header>
                    <div data-part="body">
                        <ol class="steps">
                            <li>
                                <div>
                                    <h3>"Create the role"</h3>
                                    <CodeBlock title="Send this to Elasticsearch" text=request />
                                </div>
                            </li>
                            <li>
                                <div>
                                    <h3>"Give it to " {who}</h3>
                                    <p>
                                        "Add " <code>{AGENT_KEY_ROLE}</code>
                                        " to the user’s roles. An administrator does both steps on the page “Users and roles” here, which leaves the rest of the user as it is."
                                    </p>
                                </div>
                            </li>
                            <li>
                                <div>
                                    <h3>"Choose “Check again”"</h3>
                                    <p>"No need to sign out: Elasticsearch applies roles at the next request."</p>
                                </div>
                            </li>
                        </ol>
                    </div>
                </section>
                <section class="panel">
                    <header><h2>"What is missing"</h2></header>
                    <ul data-part="body" class="checks" role="list" data-size="sm">{list}</ul>
                </section>
            </div>
        </div>
    }
    .into_any()
}

/// API keys are disabled in Elasticsearch.
#[component]
pub(super) fn ApiKeysDisabled() -> impl IntoView {
    let setting = "xpack.security.authc.api_key.enabled: true\n";
    view! {
        <section class="panel prompt" data-tone="warning" role="alert">
            <Icon name=IconName::Off />
            <h2>"API keys are turned off in Elasticsearch"</h2>
            <p>
                "Agent keys are Elasticsearch API keys. This cluster refuses to create or list them until someone with access to its configuration turns them on."
            </p>
            <CheckAgain href=urls::agent_keys() />
        </section>
        <section class="panel">
            <header><h2>"Turn API keys on"</h2></header>
            <div data-part="body">
                <ol class="steps">
                    <li>
                        <div>
                            <h3>"Change the setting on every node"</h3>
                            <CodeBlock title="config/elasticsearch.yml" text=setting />
                        </div>
                    </li>
                    <li>
                        <div>
                            <h3>"Restart the nodes one at a time"</h3>
                            <p>"The setting is read at start. A rolling restart keeps the cluster available."</p>
                        </div>
                    </li>
                    <li>
                        <div>
                            <h3>"Choose “Check again”"</h3>
                            <p>"Your keys come back as they were: turning the feature off does not delete them."</p>
                        </div>
                    </li>
                </ol>
            </div>
        </section>
    }
    .into_any()
}

#[component]
pub(super) fn Empty(create: Permit, authorization_enabled: bool) -> impl IntoView {
    let may_create = create.is_granted();
    view! {
        <section class="panel prompt" data-tone="accent">
            <Icon name=IconName::Key />
            <h2>"Create your first agent key"</h2>
            <p>
                "An agent key proves to APM Server that an agent may send data. Give each service its own key, so that you can revoke one without touching the others."
            </p>
            <div class="button-row"><CreateLink permit=create /></div>
        </section>
        <section class="panel">
            <header><h2>"Before you start"</h2></header>
            <ul data-part="body" class="checks" role="list" data-size="sm">
                <Check tone=Tone::Success title="API keys are on in Elasticsearch" />
                {if may_create {
                    view! { <Check tone=Tone::Success title="You may create keys" /> }.into_any()
                } else {
                    view! { <Check tone=Tone::Danger title="You may not create keys yet" /> }.into_any()
                }}
                {if authorization_enabled {
                    view! { <Check tone=Tone::Success title="APM Server is set to accept API keys" /> }.into_any()
                } else {
                    view! {
                        <li data-tone="warning">
                            <Icon name=IconName::Warn />
                            <div>
                                <p data-part="title">"APM Server is not set to accept API keys"</p>
                                <p><a href=urls::apm_integration()>"Turn on API key authorization"</a></p>
                            </div>
                        </li>
                    }
                        .into_any()
                }}
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Check(tone: Tone, title: &'static str) -> impl IntoView {
    let icon = if tone == Tone::Success {
        IconName::Pass
    } else {
        IconName::Fail
    };
    view! {
        <li data-tone=tone.word()>
            <Icon name=icon />
            <div><p data-part="title">{title}</p></div>
        </li>
    }
    .into_any()
}

/// No key matches.
#[component]
pub(super) fn NothingFound() -> impl IntoView {
    view! {
        <div class="prompt" role="status">
            <Icon name=IconName::Search />
            <h2>"No key matches"</h2>
            <p>"Search looks at names, labels and whole key ids."</p>
            <div class="button-row"><a class="button" href=urls::agent_keys()>"Show all keys"</a></div>
        </div>
    }
    .into_any()
}
