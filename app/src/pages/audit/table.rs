//! Table of the log, newest first: a row for each operation, with its events.

use crate::{
    components::{
        badge::{Badge, Time, TimeFormat, Tone},
        code::CodeBlock,
        icon::{Icon, IconName},
        table::{PageLink, Table, Th},
    },
    model::{
        audit::{Actor, AuditEvent, AuditRow, Outcome},
        audit_query::{AuditPage, AuditPlace, AuditQuery},
        text::{visible, visible_json},
    },
    pages::agent_keys::badges::or_dash,
    urls::{self, with_parameters},
};
use leptos::prelude::*;

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
