//! Table of events, newest first, each with its record.

use crate::{
    components::{
        badge::{Badge, Tone},
        code::CodeBlock,
        icon::{Icon, IconName},
        table::{Table, Th},
    },
    model::{
        audit::{AuditEvent, Outcome},
        audit_query::{AuditPage, AuditPlace, AuditQuery},
    },
    urls::{self, with_parameters},
};
use leptos::prelude::*;

/// The table, or a text if nothing matches, and links to older and newer events.
#[component]
pub(super) fn EventTable(current: AuditQuery, page: AuditPage) -> impl IntoView {
    let AuditPage {
        events,
        older,
        newer,
        read_at,
    } = page;
    let range = match (events.first(), events.last()) {
        (Some(first), Some(last)) => {
            format!("Events {} to {}", first.sequence, last.sequence)
        }
        _ => "No event matches".to_owned(),
    };
    let table = if events.is_empty() {
        view! {
            <div class="prompt">
                <Icon name=IconName::Search />
                <h2>"Nothing found"</h2>
                <p>"No event matches these filters."</p>
            </div>
        }
        .into_any()
    } else {
        view! { <Rows events /> }.into_any()
    };
    view! {
        <div class="result-bar" role="status">
            <span>{range} ", newest first"</span>
            <span class="push-end" data-part="as-of">"Read at " {read_at.time_of_day()}</span>
        </div>
        {table}
        <footer>
            <nav class="pagination" aria-label="Pages">
                <div data-part="steps">
                    <Step current=current.clone() place=newer label="Newer" forward=false />
                    <Step current place=older label="Older" forward=true />
                </div>
            </nav>
        </footer>
    }
    .into_any()
}

#[component]
fn Rows(events: Vec<AuditEvent>) -> impl IntoView {
    let rows = events
        .into_iter()
        .map(|event| view! { <EventRow event /> })
        .collect_view();
    let head = view! {
        <Th text="Time" />
        <Th text="Person" />
        <Th text="Action" />
        <Th text="Outcome" />
        <Th text="Target" />
        <Th text="Request" />
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

/// One event, and below it its record.
#[component]
fn EventRow(event: AuditEvent) -> impl IntoView {
    let AuditEvent {
        sequence,
        at,
        person,
        realm,
        action,
        outcome,
        target_name,
        target_id,
        request_id,
        record,
        mac,
    } = event;
    let (tone, icon) = match outcome {
        Outcome::Success => (Tone::Success, IconName::Check),
        Outcome::Failure => (Tone::Danger, IconName::Fail),
        Outcome::Unknown => (Tone::Neutral, IconName::Clock),
    };
    let dash = || "—".to_owned();
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <div>
                    <time data-part="primary" datetime=at.iso_ms()>{at.date_and_second()}</time>
                    <div data-part="secondary">"Event " {sequence}</div>
                </div>
            </th>
            <td role="cell" data-label="Person">
                <div>
                    <bdi>{person.unwrap_or_else(|| "Nobody signed in".to_owned())}</bdi>
                    <div data-part="secondary"><bdi>{realm}</bdi></div>
                </div>
            </td>
            <td role="cell" data-label="Action"><div>{action}</div></td>
            <td role="cell" data-label="Outcome"><div><Badge tone icon text=outcome.label() /></div></td>
            <td role="cell" data-label="Target">
                <div>
                    <bdi data-part="primary">{target_name.unwrap_or_else(dash)}</bdi>
                    <div data-part="secondary"><bdi class="mono">{target_id}</bdi></div>
                </div>
            </td>
            <td role="cell" data-label="Request"><div><span class="mono small">{request_id}</span></div></td>
        </tr>
        <tr role="row" data-row="detail">
            <td role="cell" colspan="6">
                <details class="disclosure">
                    <summary>"Details of event " {sequence}</summary>
                    <div class="stack" data-gap="sm">
                        <CodeBlock title=format!("Event {sequence}") text=record />
                        <p class="small muted">"Chained as " <span class="mono">{mac}</span></p>
                    </div>
                </details>
            </td>
        </tr>
    }
    .into_any()
}

/// Link to older or newer events, or a disabled button.
#[component]
fn Step(
    current: AuditQuery,
    place: Option<AuditPlace>,
    label: &'static str,
    forward: bool,
) -> impl IntoView {
    let icon = |shown: bool, name| shown.then(|| view! { <Icon name /> });
    let content = move || {
        view! { {icon(!forward, IconName::Left)} {label} {icon(forward, IconName::Right)} }
    };
    match place {
        Some(place) => {
            let rel = if forward { "next" } else { "prev" };
            let href = with_parameters(&urls::audit(), &current.at(place).parameters());
            view! { <a class="button" data-size="sm" href=href rel=rel>{content()}</a> }.into_any()
        }
        None => view! { <button type="button" class="button" data-size="sm" disabled>{content()}</button> }.into_any(),
    }
}
