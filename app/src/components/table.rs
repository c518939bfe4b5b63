//! Tables whose rows the style sheet stacks on a narrow screen.
//!
//! `display: block` takes the meaning from table elements, so every element names its ARIA role.

use super::icon::{Icon, IconName};
use crate::model::key_list::SortOrder;
use leptos::{ev, html, prelude::*};

/// A table in a frame that scrolls.
#[component]
pub fn Table(
    /// Accessible name of the frame.
    label: &'static str,
    /// Caption for screen readers.
    #[prop(into)]
    caption: String,
    /// Classes of the frame: `table`, and one of the page's own.
    #[prop(default = "table")]
    class: &'static str,
    /// Width at which rows become cards; the empty default is the usual one.
    #[prop(optional)]
    stack: &'static str,
    /// Row density, for example `compact`.
    #[prop(optional)]
    density: Option<&'static str>,
    /// [`Th`] elements.
    head: AnyView,
    rows: AnyView,
    /// The frame's element.
    #[prop(optional)]
    frame: NodeRef<html::Div>,
    /// Runs when an input in the table changes.
    #[prop(optional, into)]
    on_change: Option<Callback<ev::Event>>,
) -> impl IntoView {
    let changed = move |event| {
        if let Some(on_change) = on_change {
            on_change.run(event);
        }
    };
    view! {
        <div
            class=class
            data-stack=stack
            data-density=density
            tabindex="0"
            role="region"
            aria-label=label
            node_ref=frame
            on:change=changed
        >
            <table role="table">
                <caption class="visually-hidden">{caption}</caption>
                <thead role="rowgroup">
                    <tr role="row">{head}</tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Heading of a column.
#[component]
pub fn Th(
    text: &'static str,
    /// Kind of cell, for example `number`.
    #[prop(optional)]
    cell: Option<&'static str>,
) -> impl IntoView {
    view! { <th role="columnheader" scope="col" data-cell=cell>{text}</th> }.into_any()
}

/// Heading of a sortable column: a link that sorts by it or reverses the order.
#[component]
pub fn SortTh(
    label: &'static str,
    /// Name of the column for the style sheet.
    column: &'static str,
    /// Kind of cell, for example `number`.
    #[prop(optional)]
    cell: Option<&'static str>,
    href: String,
    /// Order of the list, if it is sorted by this column.
    sorted: Option<SortOrder>,
) -> impl IntoView {
    let aria_sort = sorted.map(|order| match order {
        SortOrder::Ascending => "ascending",
        SortOrder::Descending => "descending",
    });
    view! {
        <th role="columnheader" scope="col" data-col=column data-cell=cell aria-sort=aria_sort>
            <a href=href>
                {label}
                <Icon name=IconName::Sort />
            </a>
        </th>
    }
    .into_any()
}

/// Heading of the column that holds each row's actions, for screen readers only.
#[component]
pub fn ActionsTh() -> impl IntoView {
    view! {
        <th role="columnheader" scope="col" data-cell="actions">
            <span class="visually-hidden">"Actions"</span>
        </th>
    }
    .into_any()
}

/// Link to the previous or next page of a table, or a disabled button.
#[component]
pub fn PageLink(href: Option<String>, label: &'static str, forward: bool) -> impl IntoView {
    let content = if forward {
        view! { {label} <Icon name=IconName::Right /> }.into_any()
    } else {
        view! { <Icon name=IconName::Left /> {label} }.into_any()
    };
    match href {
        Some(href) => {
            let rel = if forward { "next" } else { "prev" };
            view! { <a class="button" data-size="sm" href=href rel=rel>{content}</a> }.into_any()
        }
        None => view! { <button type="button" class="button" data-size="sm" disabled>{content}</button> }.into_any(),
    }
}
