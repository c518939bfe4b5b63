//! The audit log: filters, events, export.

use super::layout::{use_viewer, viewer_with_access};
use crate::{
    api::{audit::read_audit, page_resource},
    components::{
        badge::Tone,
        callout::{Announce, Callout},
        form::GetForm,
        icon::{Icon, IconName},
        problem::{DeniedPrompt, ProblemPrompt, ProblemText, problem_text},
    },
    model::{
        audit::{Action, Outcome},
        audit_query::{self, AuditPlace, AuditQuery},
        problem::{Problem, ProblemKind},
        viewer::Viewer,
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::params::ParamsMap;
use table::EventTable;

mod table;

#[component]
pub fn AuditPage() -> impl IntoView {
    let viewer = use_viewer();
    let parameters = urls::use_parameters();
    let query = Memo::new(move |_| audit_query(&parameters.read()));
    let page = page_resource(move || query.get(), read_audit);
    view! {
        <Title text="Audit log · Agent Keys" />
        <main id="main" class="page">
            <Transition fallback=|| view! { <p role="status">"Loading the audit log"</p> }>
                {move || Suspend::new(async move {
                    match (viewer_with_access(viewer).await, page.await) {
                        (Ok(viewer), page) => view! { <Content viewer page query /> }.into_any(),
                        (Err(_), Err(problem)) | (Err(problem), Ok(_)) => view! { <Header export=None /> <ProblemPrompt problem retry=urls::audit() /> }.into_any(),
                    }
                })}
            </Transition>
        </main>
    }
    .into_any()
}

/// Heading and export links.
#[component]
fn Header(
    /// Filters of the export; `None` for no export.
    export: Option<AuditQuery>,
) -> impl IntoView {
    let links = export.map(|query| {
        let query = query.at(AuditPlace::Newest);
        ["jsonl", "csv"].map(|format| {
            let name = if format == "csv" { "Export CSV" } else { "Export JSON lines" };
            // Full navigation: the server responds with a file, or redirects to the page that asks for the password. Hence no
            // attribute `download`.
            view! {
                <a class="button" href=urls::with_parameters(&urls::audit_export(format), &query.parameters()) rel="external">
                    <Icon name=IconName::Download />
                    {name}
                </a>
            }
        })
    });
    view! {
        <header class="page-header">
            <div data-part="title">
                <h1>"Audit log"</h1>
                <p>
                    "Every sign-in and every change made in Agent Keys. Events are chained, so a removed or edited event is detected. Secrets are never recorded."
                </p>
            </div>
            <div data-part="actions">{links}</div>
        </header>
    }
    .into_any()
}

/// The log, or the problem in its place.
#[component]
fn Content(
    viewer: Viewer,
    page: Result<audit_query::AuditPage, Problem>,
    query: Memo<AuditQuery>,
) -> impl IntoView {
    let current = query.get_untracked();
    match page {
        Ok(page) => view! {
            <Header export=Some(current.clone()) />
            <section class="panel">
                <Filters current=current.clone() />
                <EventTable current page />
            </section>
        }
        .into_any(),
        Err(Problem {
            kind: ProblemKind::Forbidden(missing),
            ..
        }) => view! {
            <Header export=None />
            <DeniedPrompt
                title="You do not have permission to see the audit log"
                username=viewer.username
                missing
                again=urls::audit()
            />
        }
        .into_any(),
        // The form stays, so that the user can correct the days.
        Err(Problem {
            kind: kind @ ProblemKind::AuditPeriod(_),
            ..
        }) => {
            let ProblemText { title, text } = problem_text(&kind);
            view! {
                <Header export=None />
                <Callout tone=Tone::Danger announce=Announce::Alert>
                    <strong>{title}</strong>
                    <p>{text}</p>
                </Callout>
                <section class="panel"><Filters current /></section>
            }
            .into_any()
        }
        Err(problem) => {
            let retry = urls::with_parameters(&urls::audit(), &current.parameters());
            view! { <Header export=None /> <ProblemPrompt problem retry /> }.into_any()
        }
    }
}

/// Parses the query in the page's address.
fn audit_query(parameters: &ParamsMap) -> AuditQuery {
    const NAMES: [&str; 8] = [
        "action", "outcome", "person", "target", "from", "to", "before", "after",
    ];
    let values = NAMES.map(|name| (name, parameters.get(name).unwrap_or_default()));
    AuditQuery::from_parameters(values.iter().map(|(name, value)| (*name, value.as_str())))
}

#[component]
fn Filters(current: AuditQuery) -> impl IntoView {
    let actions = Action::ALL
        .iter()
        .map(|action| (action.name(), action.label()));
    let outcomes = Outcome::ALL
        .iter()
        .map(|outcome| (outcome.name(), outcome.label()));
    let clear = current.is_filtered().then(|| {
        view! { <a class="button" data-variant="quiet" data-size="sm" href=urls::audit()>"Clear all"</a> }
    });
    view! {
        <search>
            <GetForm action=urls::audit()>
                <div class="audit-filters">
                    <Field name="person" label="User" kind="search" value=current.person.into() />
                    <Field name="target" label="Target" kind="search" value=current.target.into() />
                    <Choice
                        name="action"
                        label="Action"
                        options=actions.collect()
                        chosen=current.action.map(Action::name)
                    />
                    <Choice
                        name="outcome"
                        label="Outcome"
                        options=outcomes.collect()
                        chosen=current.outcome.map(Outcome::name)
                    />
                    <Field name="from" label="From (UTC)" kind="date" value=current.from.into() />
                    <Field name="to" label="To (UTC)" kind="date" value=current.to.into() />
                    <div class="row">
                        <button class="button" data-variant="primary" data-size="sm" type="submit">"Apply"</button>
                        {clear}
                    </div>
                </div>
            </GetForm>
        </search>
    }
    .into_any()
}

#[component]
fn Field(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="input" data-size="sm">
                <input id=name name=name type=kind value=value />
            </div>
        </div>
    }
    .into_any()
}

/// Selection of one option or any. Options are pairs of value and label.
#[component]
fn Choice(
    name: &'static str,
    label: &'static str,
    options: Vec<(&'static str, &'static str)>,
    chosen: Option<&'static str>,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(word, label)| {
            view! { <option value=word selected=chosen == Some(word)>{label}</option> }
        })
        .collect();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="input" data-size="sm">
                <select id=name name=name>
                    <option value="">"Any"</option>
                    {options}
                </select>
                <Icon name=IconName::Down size="sm" />
            </div>
        </div>
    }
    .into_any()
}
