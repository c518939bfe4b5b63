//! Choosing keys in the list, to revoke them together.
//!
//! One form is around the table. It leads to the question, with the chosen ids in the address, with a script or
//! without. Which keys are chosen is what the boxes say, and nothing else keeps it: the script counts them, and ticks or
//! clears all. The list's own address may name ids as well; then their boxes are ticked from the start, so that whoever
//! leaves the question finds the choice as it was.
//!
//! The script writes its count into the page by itself: every page loads this code first, and signals would be most of
//! it.

use super::list_href;
use crate::{
    components::icon::{Icon, IconName},
    model::key_list::KeyListQuery,
    urls,
    urls::with_parameters,
};
use leptos::prelude::*;

/// The parameter that names a chosen key, in the address of the list and of the question.
pub(super) const CHOSEN: &str = "id";

/// The ids that the address names.
pub(super) fn chosen_ids() -> Vec<String> {
    let parameters = urls::use_parameters();
    parameters
        .read_untracked()
        .get_all(CHOSEN)
        .unwrap_or_default()
}

/// The address of the list with this query, where the boxes of these keys are ticked.
pub(super) fn list_with<'a>(
    query: &KeyListQuery,
    chosen: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut parameters = query.parameters();
    parameters.extend(chosen.into_iter().map(|id| (CHOSEN, id.to_owned())));
    with_parameters(&urls::agent_keys(), &parameters)
}

/// So many keys, in words.
pub(super) fn keys(count: usize) -> String {
    let noun = if count == 1 { "key" } else { "keys" };
    format!("{count} {noun}")
}

/// The bar that takes the place of the line above the table as soon as a box is ticked.
#[component]
pub(super) fn SelectionBar(
    query: KeyListQuery,
    /// How many are ticked from the start.
    count: usize,
) -> impl IntoView {
    let kept: Vec<_> = query
        .parameters()
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect();
    view! {
        <div class="selection-bar">
            {kept}
            <strong>
                <span data-needs-script><span data-count role="status">{keys(count)}</span> " selected"</span>
                <span data-needs-no-script>"Keys selected"</span>
            </strong>
            <span>"on this page"</span>
            <div class="row push-end">
                <a class="button" data-variant="quiet" data-size="sm" href=list_href(&query) rel="external">
                    "Clear"
                </a>
                <button class="button" data-variant="danger" data-size="sm" type="submit">
                    <Icon name=IconName::Revoke />
                    <span data-needs-script>"Revoke " <span data-count>{keys(count)}</span></span>
                    <span data-needs-no-script>"Revoke selected keys"</span>
                </button>
            </div>
        </div>
    }
    .into_any()
}

/// The heading of the boxes, which ticks or clears all of them. Without a script, a link does.
#[component]
pub(super) fn SelectAll() -> impl IntoView {
    view! {
        <th role="columnheader" scope="col" data-cell="select">
            <label data-needs-script>
                <input type="checkbox" autocomplete="off" />
                <span>"Select all on this page"</span>
            </label>
            <span class="visually-hidden" data-needs-no-script>"Select"</span>
        </th>
    }
    .into_any()
}

/// The link that ticks all boxes where no script runs.
#[component]
pub(super) fn SelectAllLink(query: KeyListQuery, ids: Vec<String>) -> impl IntoView {
    let href = list_with(&query, ids.iter().map(String::as_str));
    view! {
        <a class="button" data-variant="quiet" data-size="sm" data-needs-no-script href=href>
            "Select all on this page"
        </a>
    }
    .into_any()
}

/// The cell of a row's box; empty for a key that this person may not revoke.
#[component]
pub(super) fn SelectCell(
    id: String,
    name: String,
    /// Whether there is a box.
    revocable: bool,
    /// Whether it is ticked.
    ticked: bool,
) -> impl IntoView {
    let label = format!("Select {name}");
    let select = revocable.then(|| {
        view! { <input type="checkbox" name=CHOSEN value=id checked=ticked aria-label=label /> }
    });
    view! { <td role="cell" data-cell="select">{select}</td> }.into_any()
}

/// A box was ticked or cleared: one of a row, or the one for all, which has no name.
#[cfg(feature = "hydrate")]
pub(super) fn changed(table: &web_sys::HtmlDivElement, event: &leptos::ev::Event) {
    use wasm_bindgen::JsCast;
    let target = event.target();
    let changed: Option<web_sys::HtmlInputElement> =
        target.and_then(|target| target.dyn_into().ok());
    if let Some(all) = changed.filter(|input| input.name() != CHOSEN) {
        for one in inputs(table) {
            one.set_checked(all.checked());
        }
    }
    recount(table);
}

/// The table was drawn. Its elements may have been another page's before, whose boxes somebody ticked. Where the server
/// drew it, a box may be ticked that the browser remembers, or that somebody was quick with: those stay.
#[cfg(feature = "hydrate")]
pub(super) fn drawn(table: &web_sys::HtmlDivElement, by_server: bool) {
    if !by_server {
        for one in inputs(table) {
            one.set_checked(one.default_checked());
        }
    }
    recount(table);
}

/// Says how many boxes are ticked.
#[cfg(feature = "hydrate")]
fn recount(table: &web_sys::HtmlDivElement) {
    let (mut boxes, mut ticked) = (0, 0);
    let mut for_all = None;
    for input in inputs(table) {
        if input.name() == CHOSEN {
            boxes += 1;
            ticked += usize::from(input.checked());
        } else {
            for_all = Some(input);
        }
    }
    if let Some(for_all) = for_all {
        for_all.set_checked(ticked == boxes);
        for_all.set_indeterminate(ticked > 0 && ticked < boxes);
    }
    let words = keys(ticked);
    let Some(form) = table.parent_element() else {
        return;
    };
    let spans = form.get_elements_by_tag_name("span");
    for index in 0..spans.length() {
        if let Some(span) = spans
            .item(index)
            .filter(|span| span.has_attribute("data-count"))
        {
            span.set_text_content(Some(&words));
        }
    }
}

#[cfg(feature = "hydrate")]
fn inputs(table: &web_sys::HtmlDivElement) -> Vec<web_sys::HtmlInputElement> {
    use wasm_bindgen::JsCast;
    let inputs = table.get_elements_by_tag_name("input");
    let input = |index| inputs.item(index)?.dyn_into().ok();
    (0..inputs.length()).filter_map(input).collect()
}

#[cfg(not(feature = "hydrate"))]
pub(super) fn changed<T>(_table: &T, _event: &leptos::ev::Event) {}

#[cfg(not(feature = "hydrate"))]
pub(super) fn drawn<T>(_table: &T, _by_server: bool) {}
