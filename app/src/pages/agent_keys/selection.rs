//! Choosing keys in the list, to revoke them together.
//!
//! The boxes in the rows belong to one form, in the bar above the table. It leads to the question, with the chosen ids
//! in the address, with a script or without. Which keys are chosen is what the boxes say, and nothing else keeps it:
//! the script counts them, and ticks or clears all. The list's own address may name ids as well; then their boxes are
//! ticked from the start, so that whoever leaves the question finds the choice as it was.

use super::{LIST, list_href};
use crate::{
    components::icon::{Icon, IconName},
    model::{agent_key::AgentKey, key_list::KeyListQuery},
    pages::address::with_parameters,
};
use leptos::{html, prelude::*};
use leptos_router::{components::Form, hooks::use_query_map};

/// The form that the boxes belong to.
const FORM: &str = "selection";

/// The parameter that names a chosen key, in the address of the list and of the question.
pub(super) const CHOSEN: &str = "id";

/// What can be chosen on this page of the list, and how much of it is.
#[derive(Clone, Copy)]
pub(super) struct Selection {
    /// Keys that have a box.
    total: usize,
    /// Boxes that are ticked.
    count: RwSignal<usize>,
    /// Around the boxes.
    pub(super) table: NodeRef<html::Div>,
}

impl Selection {
    /// Of these rows; `None` where this person may revoke none of them.
    pub(super) fn of(keys: &[AgentKey], chosen: &[String]) -> Option<Self> {
        let with_box = || keys.iter().filter(|key| key.revocable);
        let is_chosen = |key: &&AgentKey| chosen.iter().any(|id| id == key.id.as_str());
        let selection = Self {
            total: with_box().count(),
            count: RwSignal::new(with_box().filter(is_chosen).count()),
            table: NodeRef::new(),
        };
        // A browser may bring back what was ticked before, without telling.
        Effect::new(move || {
            if selection.table.get().is_some() {
                selection.recount();
            }
        });
        (selection.total > 0).then_some(selection)
    }

    /// A box was ticked or cleared: one of a row, or the one for all.
    pub(super) fn changed(self, event: &leptos::ev::Event) {
        if let Some(all) = box_for_all(event) {
            self.set_all(all);
        }
        self.recount();
    }

    fn clear(self) {
        self.set_all(false);
        self.recount();
    }

    fn recount(self) {
        self.count.set(ticked(self.table));
    }

    fn set_all(self, tick: bool) {
        set_all(self.table, tick);
    }
}

/// The ids that the address names.
pub(super) fn chosen_ids() -> Vec<String> {
    let parameters = use_query_map();
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
    with_parameters(LIST, &parameters)
}

/// So many keys, in words.
pub(super) fn keys(count: usize) -> String {
    let noun = if count == 1 { "key" } else { "keys" };
    format!("{count} {noun}")
}

/// The bar that takes the place of the line above the table as soon as a box is ticked.
#[component]
pub(super) fn SelectionBar(selection: Selection, query: KeyListQuery) -> impl IntoView {
    let count = selection.count;
    let kept: Vec<_> = query
        .parameters()
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect();
    let selected = move || format!("{} selected", keys(count.get()));
    let announced = move || (count.get() > 0).then(selected);
    view! {
        <div class="selection-bar">
            <strong>
                <span data-needs-script>{selected}</span>
                <span data-needs-no-script>"Keys selected"</span>
            </strong>
            <span>"on this page"</span>
            <div class="row push-end">
                <a
                    class="button"
                    data-variant="quiet"
                    data-size="sm"
                    href=list_href(&query)
                    on:click=move |_| selection.clear()
                >
                    "Clear"
                </a>
                <Form method="GET" action=format!("{LIST}/revoke") attr:id=FORM>
                    {kept}
                    <button class="button" data-variant="danger" data-size="sm" type="submit">
                        <Icon name=IconName::Revoke />
                        <span data-needs-script>{move || format!("Revoke {}", keys(count.get()))}</span>
                        <span data-needs-no-script>"Revoke selected keys"</span>
                    </button>
                </Form>
            </div>
        </div>
        <p class="visually-hidden" role="status">{announced}</p>
    }
    .into_any()
}

/// The heading of the boxes, which ticks or clears all of them. Without a script, a link does.
#[component]
pub(super) fn SelectAll(selection: Selection) -> impl IntoView {
    let Selection { total, count, .. } = selection;
    view! {
        <th role="columnheader" scope="col" data-cell="select">
            <label data-needs-script>
                <input
                    type="checkbox"
                    autocomplete="off"
                    prop:checked=move || count.get() == total
                    prop:indeterminate=move || (1..total).contains(&count.get())
                />
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
    let select = revocable.then(|| {
        view! {
            <input
                type="checkbox"
                name=CHOSEN
                value=id
                form=FORM
                checked=ticked
                aria-label=format!("Select {name}")
            />
        }
    });
    view! { <td role="cell" data-cell="select">{select}</td> }.into_any()
}

#[cfg(feature = "hydrate")]
fn boxes(table: NodeRef<html::Div>) -> Vec<web_sys::HtmlInputElement> {
    use wasm_bindgen::JsCast;
    let Some(table) = table.get_untracked() else {
        return Vec::new();
    };
    let inputs = table.get_elements_by_tag_name("input");
    (0..inputs.length())
        .filter_map(|index| inputs.item(index)?.dyn_into().ok())
        .filter(|input: &web_sys::HtmlInputElement| input.name() == CHOSEN)
        .collect()
}

#[cfg(feature = "hydrate")]
fn ticked(table: NodeRef<html::Div>) -> usize {
    let boxes = boxes(table).into_iter();
    boxes.filter(web_sys::HtmlInputElement::checked).count()
}

#[cfg(feature = "hydrate")]
fn set_all(table: NodeRef<html::Div>, tick: bool) {
    for one in boxes(table) {
        one.set_checked(tick);
    }
}

/// Whether all boxes shall be ticked, if it was the box for all that changed: it has no name.
#[cfg(feature = "hydrate")]
fn box_for_all(event: &leptos::ev::Event) -> Option<bool> {
    use wasm_bindgen::JsCast;
    let changed: web_sys::HtmlInputElement = event.target()?.dyn_into().ok()?;
    changed.name().is_empty().then(|| changed.checked())
}

#[cfg(not(feature = "hydrate"))]
fn ticked(_table: NodeRef<html::Div>) -> usize {
    0
}

#[cfg(not(feature = "hydrate"))]
fn set_all(_table: NodeRef<html::Div>, _tick: bool) {}

#[cfg(not(feature = "hydrate"))]
fn box_for_all(_event: &leptos::ev::Event) -> Option<bool> {
    None
}
