//! The summary above the list, and states in its place: loading, not permitted, API keys disabled, empty, nothing found.

use crate::{
    components::{
        code::CodeBlock,
        icon::{Icon, IconName},
        problem::{CheckAgain, DeniedPrompt, ProblemPrompt},
        status::{KeyLimitMeter, Tone, limit_tone},
    },
    model::{
        agent_key::MissingPrivilege,
        key_list::{KeyListQuery, KeySummary, StatusFilter},
        problem::Problem,
        session::{Permit, Viewer},
        text::grouped,
        user::{AGENT_KEY_ROLE, FirstSteps},
        user_list::UserQuery,
    },
    pages::agent_keys::{CreateLink, list_behind, list_href},
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
    view! {
        <DeniedPrompt
            title="You do not have permission to manage agent keys"
            username=who.clone()
            missing
            again=urls::agent_keys()
        />
        <details class="disclosure">
            <summary>"Show the steps for an administrator"</summary>
            <section class="panel">
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
                                <h3>"Assign it to " {who}</h3>
                                <p>
                                    "Add " <code>{AGENT_KEY_ROLE}</code>
                                    " to the user’s roles. An administrator can do both steps on the page “Users and roles”."
                                </p>
                            </div>
                        </li>
                        <li>
                            <div>
                                <h3>"Choose “Check again”"</h3>
                                <p>"You do not need to sign out. Elasticsearch applies roles at the next request."</p>
                            </div>
                        </li>
                    </ol>
                </div>
            </section>
        </details>
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
                "Agent keys are Elasticsearch API keys. This cluster cannot create or list them until an administrator turns them on."
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
                            <p>"The setting takes effect at startup. A rolling restart keeps the cluster available."</p>
                        </div>
                    </li>
                    <li>
                        <div>
                            <h3>"Choose “Check again”"</h3>
                            <p>"Existing keys work again. Turning the feature off did not delete them."</p>
                        </div>
                    </li>
                </ol>
            </div>
        </section>
    }
    .into_any()
}

/// Checklist in place of an empty list.
#[component]
pub(super) fn Empty(create: Permit, summary: KeySummary) -> impl IntoView {
    let FirstSteps { role, user } = summary.first_steps;
    let server = Some(summary.authorization_enabled);
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Create your first agent key"</h2>
                    <p>
                        "An agent key lets an APM agent send data to APM Server. Give each service its own key, so that you can revoke one without affecting the others."
                    </p>
                </div>
            </header>
            <ol data-part="body" class="checks">
                <Step done=role title="Create the role" href=urls::users() link="Users and roles" />
                <Step done=user title="Create a user with the role" href=urls::user_dialog("new", None, &UserQuery::default()) link="Create user" />
                <Step
                    done=server
                    title="Turn on API keys in APM Server"
                    href=urls::apm_integration()
                    link="APM integration"
                />
                <li data-tone="neutral">
                    <Icon name=IconName::Key />
                    <div>
                        <p data-part="title">"Create the key"</p>
                        <div class="button-row"><CreateLink permit=create /></div>
                    </div>
                </li>
            </ol>
        </section>
    }
    .into_any()
}

/// A step with its state, and the link to its page while it is not done.
#[component]
fn Step(
    /// `None` if only an administrator can see it.
    done: Option<bool>,
    title: &'static str,
    href: String,
    link: &'static str,
) -> impl IntoView {
    let (tone, icon, verdict) = match done {
        Some(true) => ("success", IconName::Pass, "Done"),
        Some(false) => ("warning", IconName::Warn, "To do"),
        None => ("neutral", IconName::Lock, "Ask an administrator"),
    };
    view! {
        <li data-tone=tone>
            <Icon name=icon />
            <div>
                <p data-part="title">{title}</p>
                {(done == Some(false)).then(|| view! { <p><a href=href>{link}</a></p> })}
            </div>
            <span data-part="verdict">{verdict}</span>
        </li>
    }
    .into_any()
}

/// Problem in place of the list. Trying again repeats the same search.
#[component]
pub(super) fn Failed(problem: Problem) -> impl IntoView {
    view! { <ProblemPrompt problem retry=list_behind() /> }
}

/// No key matches.
#[component]
pub(super) fn NothingFound() -> impl IntoView {
    view! {
        <div class="prompt" role="status">
            <Icon name=IconName::Search />
            <h2>"No keys match"</h2>
            <p>"Search finds parts of names, the start of labels, and complete key ids."</p>
            <div class="button-row"><a class="button" href=urls::agent_keys()>"Show all keys"</a></div>
        </div>
    }
    .into_any()
}

/// Number of keys per status, with links to those keys.
#[component]
pub(super) fn Summary(summary: KeySummary) -> impl IntoView {
    let in_use = summary.in_use();
    let tone = limit_tone(in_use, summary.limit);
    let tone = (tone != Tone::Success).then(|| tone.word());
    view! {
        <section class="stats" aria-label="Summary">
            <ul role="list">
                <Figure status=StatusFilter::Active label="Active" tone=Tone::Success count=summary.active />
                <Figure
                    status=StatusFilter::ExpiresSoon
                    label="Expiring within 14 days"
                    tone=Tone::Warning
                    count=summary.expires_soon
                />
                <Figure status=StatusFilter::Expired label="Expired" tone=Tone::Neutral count=summary.expired />
                <Figure status=StatusFilter::Revoked label="Revoked" tone=Tone::Neutral count=summary.revoked />
                <li data-part="wide" data-tone=tone>
                    <KeyLimitMeter keys=in_use limit=summary.limit link=true />
                </li>
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Figure(status: StatusFilter, label: &'static str, tone: Tone, count: u64) -> impl IntoView {
    let href = list_href(&KeyListQuery {
        status: vec![status],
        ..KeyListQuery::default()
    });
    let count = grouped(count);
    let name = format!("{label}: {count}. Show these keys");
    view! {
        <li>
            <p data-part="label">
                <span class="dot" data-tone=tone.word()></span>
                {label}
            </p>
            <a data-part="value" href=href aria-label=name>
                {count}
            </a>
        </li>
    }
    .into_any()
}
