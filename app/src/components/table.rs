//! Tables and their pagination. The style sheet stacks the rows on a narrow screen.
//!
//! `display: block` takes the meaning from table elements, so every element names its ARIA role.

use crate::{
    components::{
        form::{GetForm, hidden_fields, submit_form},
        icon::{Icon, IconName},
    },
    model::{
        key_list::{ROWS_CHOICES, SortOrder},
        text::grouped,
    },
};
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

/// Range of rows, rows per page, and links to the previous and next page.
#[component]
pub fn Pagination(
    /// Address of the list without parameters.
    list: String,
    /// Parameters of the first page, without the number of rows.
    kept: Vec<(&'static str, String)>,
    /// Rows per page.
    rows: u16,
    /// Rows before this page.
    before: u64,
    /// Rows on this page.
    shown: u64,
    /// Number of all rows with their noun, for example `174 keys`.
    total: String,
    previous: Option<String>,
    next: Option<String>,
) -> impl IntoView {
    let options: Vec<_> = ROWS_CHOICES
        .into_iter()
        .map(|choice| view! { <option selected=choice == rows>{choice}</option> })
        .collect();
    let range = if shown == 0 {
        "0".to_owned()
    } else {
        format!("{}–{}", grouped(before + 1), grouped(before + shown))
    };
    view! {
        <footer>
            <nav class="pagination" aria-label="Pages">
                <p data-part="range"><b>{range}</b> " of " <b>{total}</b></p>
                <GetForm action=list>
                    <div data-part="size">
                        {hidden_fields(kept)}
                        <label for="rows">"Rows"</label>
                        <div class="input" data-size="sm">
                            <select id="rows" name="rows" on:change=submit_form>
                                {options}
                            </select>
                            <Icon name=IconName::Down size="sm" />
                        </div>
                        <button class="button" data-size="sm" data-needs-no-script type="submit">"Apply"</button>
                    </div>
                </GetForm>
                <div data-part="steps">
                    <PageLink href=previous label="Previous" forward=false />
                    <PageLink href=next label="Next" forward=true />
                </div>
            </nav>
        </footer>
    }
    .into_any()
}
