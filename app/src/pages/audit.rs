//! The audit log: filters, export, and a table, newest first, with a row for each operation and its events.

use crate::{
    api::{audit::read_audit, page_resource},
    components::{
        code::CodeBlock,
        form::GetForm,
        icon::{Icon, IconName},
        problem::{DeniedPrompt, ProblemPrompt, ProblemText, problem_text},
        status::{Announce, Badge, Callout, Time, TimeFormat, Tone},
        table::{PageLink, Table, Th},
    },
    model::{
        audit::{
            self, Action, Actor, AuditEvent, AuditPage, AuditPlace, AuditQuery, AuditRow, Outcome,
        },
        problem::{Problem, ProblemKind},
        session::Viewer,
        text::{visible, visible_json},
    },
    pages::{
        agent_keys::table::or_dash,
        layout::{use_viewer, viewer_with_access},
    },
    urls::{self, with_parameters},
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::params::ParamsMap;

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

/// The table, or a text if nothing matches, and links to older and newer events.
#[component]
pub(super) fn EventTable(current: AuditQuery, page: AuditPage) -> impl IntoView {
    let AuditPage {
        rows,
        older,
        newer,
        read_at,
    } = page;
    let order = if rows.is_empty() {
        "No events match"
    } else {
        "Newest first"
    };
    let table = if rows.is_empty() {
        view! {
            <div class="prompt">
                <Icon name=IconName::Search />
                <h2>"No events found"</h2>
                <p>"No events match these filters."</p>
            </div>
        }
        .into_any()
    } else {
        view! { <Rows rows /> }.into_any()
    };
    let href = |place: Option<AuditPlace>| {
        place.map(|place| with_parameters(&urls::audit(), &current.at(place).parameters()))
    };
    view! {
        <div class="result-bar" role="status">
            <span>{order}</span>
            <span class="push-end" data-part="as-of">"Read at " <Time at=read_at format=TimeFormat::TimeOfDay /></span>
        </div>
        {table}
        <footer>
            <nav class="pagination" aria-label="Pages">
                <div data-part="steps">
                    <PageLink href=href(newer) label="Newer" forward=false />
                    <PageLink href=href(older) label="Older" forward=true />
                </div>
            </nav>
        </footer>
    }
    .into_any()
}

#[component]
fn Rows(rows: Vec<AuditRow>) -> impl IntoView {
    let rows = rows
        .into_iter()
        .map(|row| view! { <Row row /> })
        .collect_view();
    let head = view! {
        <Th text="Time" />
        <Th text="User" />
        <Th text="Action" />
        <Th text="Outcome" />
        <Th text="Target" />
    };
    view! {
        <Table
            label="Audit events"
            caption="Audit events, newest first"
            class="table audit-log"
            density="compact"
            head=head.into_any()
            rows=rows.into_any()
        />
    }
    .into_any()
}

/// One operation or event, and below it its records.
#[component]
fn Row(row: AuditRow) -> impl IntoView {
    let AuditRow {
        sequence,
        at,
        actor,
        realm,
        action,
        outcome,
        under_way,
        target_name,
        target_id,
        events,
    } = row;
    let (tone, icon) = match outcome {
        Outcome::Success => (Tone::Success, IconName::Check),
        Outcome::Failure => (Tone::Danger, IconName::Fail),
        Outcome::Unknown => (Tone::Neutral, IconName::Clock),
    };
    let outcome = if under_way {
        "In progress"
    } else {
        outcome.label()
    };
    let person = match actor {
        Actor::User(name) => view! { <bdi>{visible(&name)}</bdi> }.into_any(),
        Actor::UnknownUser => view! { <span class="muted">"Unknown user"</span> }.into_any(),
        Actor::Application => view! { <span class="muted">"Agent Keys"</span> }.into_any(),
    };
    let events: Vec<_> = events
        .into_iter()
        .map(|event| view! { <Event event /> })
        .collect();
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <div>
                    <time data-part="primary" datetime=at.iso_ms() data-as="second">{at.date_and_second()}</time>
                    <div data-part="secondary">"Event " {sequence}</div>
                </div>
            </th>
            <td role="cell" data-label="User">
                <div>
                    {person}
                    <div data-part="secondary"><bdi>{realm}</bdi></div>
                </div>
            </td>
            <td role="cell" data-label="Action"><div>{action}</div></td>
            <td role="cell" data-label="Outcome"><div><Badge tone icon text=outcome /></div></td>
            <td role="cell" data-label="Target">
                <div>
                    <bdi data-part="primary">{or_dash(&target_name.unwrap_or_default())}</bdi>
                    <div data-part="secondary"><bdi class="mono">{target_id.as_deref().map(visible)}</bdi></div>
                </div>
            </td>
        </tr>
        <tr role="row" data-row="detail">
            <td role="cell" colspan="5">
                <details class="disclosure">
                    <summary>"Details of event " {sequence}</summary>
                    <div class="stack" data-gap="md">{events}</div>
                </details>
            </td>
        </tr>
    }
    .into_any()
}

/// One event as it is recorded.
#[component]
fn Event(event: AuditEvent) -> impl IntoView {
    let AuditEvent {
        sequence,
        at,
        action,
        outcome,
        request_id,
        record,
        mac,
    } = event;
    view! {
        <div class="stack" data-gap="sm">
            <p class="small">
                <time datetime=at.iso_ms() data-as="second">{at.date_and_second()}</time>
                " · " {action} ": " {outcome.label()} " · Request "
                <span class="mono">{request_id}</span>
            </p>
            <CodeBlock title=format!("Event {sequence}") text=visible_json(&record) />
            <p class="small muted">"Chain code " <span class="mono">{mac}</span></p>
        </div>
    }
    .into_any()
}
