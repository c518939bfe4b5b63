//! The audit log: who did what, and how it ended.

mod filters;
mod table;

use super::layout::{use_viewer, viewer_with_access};
use crate::{
    components::{
        badge::Tone,
        callout::{Announce, Callout},
        icon::{Icon, IconName},
        problem::{DeniedPrompt, ProblemPrompt, Sentences, sentences},
    },
    model::{
        audit::{self, AuditPlace, AuditQuery},
        problem::{Problem, ProblemKind},
        viewer::Viewer,
    },
    questions::{ask, audit::read_audit},
    urls,
};
use filters::Filters;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::params::ParamsMap;
use table::EventTable;

/// The page.
#[component]
pub fn AuditPage() -> impl IntoView {
    let viewer = use_viewer();
    let parameters = urls::use_parameters();
    let query = Memo::new(move |_| audit_query(&parameters.read()));
    let page = ask(move || query.get(), read_audit);
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

/// Heading, and the ways to take the log along.
#[component]
fn Header(
    /// The filters of the file; `None` where there is nothing to take along.
    export: Option<AuditQuery>,
) -> impl IntoView {
    let links = export.map(|query| {
        let query = query.at(AuditPlace::Newest);
        ["jsonl", "csv"].map(|format| {
            let name = if format == "csv" { "Export CSV" } else { "Export JSON lines" };
            // The server answers with a file, or asks for the password first: so it is the browser that goes there, and
            // the link does not say that a file comes back.
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
                    "Every sign-in and every change made through this app. Events are chained, so that a removed or edited one shows. Secrets are never written."
                </p>
            </div>
            <div data-part="actions">{links}</div>
        </header>
    }
    .into_any()
}

/// The log, or what stands in its place.
#[component]
fn Content(
    viewer: Viewer,
    page: Result<audit::AuditPage, Problem>,
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
                advice="Ask an administrator."
                again=urls::audit()
            />
        }
        .into_any(),
        // The form stays, so that the days can be corrected.
        Err(Problem {
            kind: kind @ ProblemKind::AuditPeriod(_),
            ..
        }) => {
            let Sentences { title, text } = sentences(&kind);
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

/// The page's query in the words of an address.
fn audit_query(parameters: &ParamsMap) -> AuditQuery {
    const NAMES: [&str; 8] = [
        "action", "outcome", "person", "target", "from", "to", "before", "after",
    ];
    let values = NAMES.map(|name| (name, parameters.get(name).unwrap_or_default()));
    AuditQuery::from_parameters(values.iter().map(|(name, value)| (*name, value.as_str())))
}
