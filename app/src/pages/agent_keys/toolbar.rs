//! Search and filters, in one form that works without script; and the selection of keys for a bulk revocation.
//!
//! For the selection, one form around the table leads to the dialog, with the selected ids in the address, with or
//! without script. The check boxes are the only state: the script counts them, and ticks or clears all. The address of
//! the list may contain ids too; their boxes start ticked, so that cancelling the dialog keeps the selection.
//!
//! The script writes the count into the DOM directly. Every page loads this code first, and signals would be most of it.

use crate::{
    components::{
        form::{GetForm, SearchBox, submit_form},
        icon::{Icon, IconName},
    },
    model::{
        key_list::{ELSEWHERE, FacetValue, KeyListPage, KeyListQuery, StatusFilter},
        text::{grouped, keys, visible},
    },
    pages::agent_keys::list_href,
    urls::{self, with_parameters},
};
use leptos::{html, prelude::*};

/// True while the list renders after a search.
#[derive(Clone, Copy)]
pub(super) struct Searched(pub StoredValue<bool>);

#[component]
pub(super) fn Toolbar(query: Memo<KeyListQuery>, page: KeyListPage) -> impl IntoView {
    let counts = page.filters;
    let lists_owners = counts.lists_owners;
    let current = query.get_untracked();
    let status = StatusFilter::ALL
        .iter()
        .zip(counts.status)
        .map(|(status, count)| Choice {
            value: status.word().to_owned(),
            label: status.label().to_owned(),
            count,
            chosen: current.status.contains(status),
        })
        .collect();
    let elsewhere = page.summary.elsewhere.total();
    let source = (elsewhere > 0 || current.elsewhere).then(|| {
        let choice = Choice {
            value: ELSEWHERE.to_owned(),
            label: "Kibana or API, unmarked".to_owned(),
            count: elsewhere,
            chosen: current.elsewhere,
        };
        view! { <Filter name="source" label="Source" choices=vec![choice] /> }
    });
    let kept: Vec<_> = current
        .parameters()
        .into_iter()
        .filter(|(name, _)| matches!(*name, "sort" | "order" | "rows"))
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect();
    let filtered = current.is_filtered();
    // The list renders the form again after a search, so the focus must return to the field.
    let searched = expect_context::<Searched>();
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let Some(field) = field.get().filter(|_| searched.0.get_value()) {
            searched.0.set_value(false);
            // On failure the focus stays where it is.
            let _ = field.focus();
        }
    });
    view! {
        <search>
            <GetForm action=urls::agent_keys() on:submit=move |_| searched.0.set_value(true)>
                <div class="toolbar">
                    {kept}
                    <SearchBox
                        name="q"
                        label="Search keys"
                        placeholder="Search by name, id or label"
                        value=current.search.clone()
                        field
                    />
                    <div class="row" role="group" aria-label="Filters">
                        <Filter name="status" label="Status" choices=status />
                        {(lists_owners || !current.owner.is_empty())
                            .then(|| view! { <Filter name="owner" label="Owner" choices=choices(counts.owners, &current.owner) /> })}
                        {(lists_owners || !current.realm.is_empty())
                            .then(|| view! { <Filter name="realm" label="Realm" choices=choices(counts.realms, &current.realm) /> })}
                        {source}
                        {filtered
                            .then(|| {
                                view! {
                                    <a class="button" data-variant="quiet" data-size="sm" href=urls::agent_keys()>
                                        "Clear all"
                                    </a>
                                }
                            })}
                    </div>
                </div>
            </GetForm>
        </search>
    }
    .into_any()
}

/// Value of a filter.
#[derive(Clone)]
struct Choice {
    value: String,
    label: String,
    count: u64,
    chosen: bool,
}

/// Returns the values with keys, and the chosen ones without, so that the user can remove them.
fn choices(values: Vec<FacetValue>, chosen: &[String]) -> Vec<Choice> {
    let gone = chosen
        .iter()
        .filter(|value| !values.iter().any(|known| known.value == **value))
        .map(|value| FacetValue {
            value: value.clone(),
            count: 0,
        })
        .collect::<Vec<_>>();
    values
        .into_iter()
        .chain(gone)
        .map(|FacetValue { value, count }| Choice {
            chosen: chosen.contains(&value),
            label: value.clone(),
            value,
            count,
        })
        .collect()
}

/// A filter: a button that opens its choices.
#[component]
fn Filter(name: &'static str, label: &'static str, choices: Vec<Choice>) -> impl IntoView {
    let chosen = choices.iter().filter(|choice| choice.chosen).count();
    let id = format!("filter-{name}");
    let boxes = choices
        .into_iter()
        .map(|choice| {
            view! {
                <label>
                    <input
                        type="checkbox"
                        name=name
                        value=choice.value
                        checked=choice.chosen
                        prop:checked=choice.chosen
                    />
                    <bdi>{visible(&choice.label)}</bdi>
                    <span class="count">{grouped(choice.count)}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <button
            type="button"
            class="chip"
            popovertarget=id.clone()
            data-active=(chosen > 0).then_some("")
        >
            {label}
            {(chosen > 0).then(|| view! { <span class="count">{chosen}</span> })}
            <Icon name=IconName::Down />
        </button>
        <div class="popover" id=id popover="auto">
            <p data-part="title">{label}</p>
            <fieldset class="menu" on:change=submit_form>
                <legend class="visually-hidden">{label}</legend>
                {boxes}
            </fieldset>
            <div data-part="foot" data-needs-no-script>
                <button class="button" data-variant="primary" data-size="sm" type="submit">"Apply"</button>
            </div>
        </div>
    }
    .into_any()
}

/// Parameter of a selected key's id, in the address of the list and of the dialog.
pub(super) const CHOSEN: &str = "id";

/// Returns the ids in the address.
pub(super) fn chosen_ids() -> Vec<String> {
    let parameters = urls::use_parameters();
    parameters
        .read_untracked()
        .get_all(CHOSEN)
        .unwrap_or_default()
}

/// Returns the address of the list with this query and these keys selected.
pub(super) fn list_with<'a>(
    query: &KeyListQuery,
    chosen: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut parameters = query.parameters();
    parameters.extend(chosen.into_iter().map(|id| (CHOSEN, id.to_owned())));
    with_parameters(&urls::agent_keys(), &parameters)
}

/// Bar above the table, visible as soon as a box is ticked.
#[component]
pub(super) fn SelectionBar(
    query: KeyListQuery,
    /// Number of boxes that start ticked.
    count: usize,
    /// True if keys on other pages match too.
    more: bool,
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
                <span data-needs-script><span data-count role="status">{keys(count as u64)}</span> " selected"</span>
                <span data-needs-no-script>"Keys selected"</span>
            </strong>
            <span>"on this page"</span>
            <div class="row push-end">
                <a class="button" data-variant="quiet" data-size="sm" href=list_href(&query) rel="external">
                    "Clear"
                </a>
                {more
                    .then(|| {
                        view! {
                            <a class="button" data-variant="danger-quiet" data-size="sm" href=urls::revoke_matching(&query)>
                                "Revoke all that match"
                            </a>
                        }
                    })}
                <button class="button" data-variant="danger" data-size="sm" type="submit">
                    <Icon name=IconName::Revoke />
                    <span data-needs-script>"Revoke " <span data-count>{keys(count as u64)}</span></span>
                    <span data-needs-no-script>"Revoke selected keys"</span>
                </button>
            </div>
        </div>
    }
    .into_any()
}

/// Heading of the check boxes, which ticks or clears all of them. Without script there is a link.
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

/// Link that selects all keys of the page without script.
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

/// Cell of a check box; empty for a key that the user may not revoke.
#[component]
pub(super) fn SelectCell(
    id: String,
    name: String,
    /// True if there is a check box.
    revocable: bool,
    /// True if the check box is ticked.
    ticked: bool,
) -> impl IntoView {
    let label = format!("Select {name}");
    let select = revocable.then(|| {
        view! { <input type="checkbox" name=CHOSEN value=id checked=ticked aria-label=label /> }
    });
    view! { <td role="cell" data-cell="select">{select}</td> }.into_any()
}

/// Handles a change of a check box: of a row, or the one for all, which has no name.
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

/// Handles a rendered table. Leptos may reuse elements of another page of the list, so their boxes are reset. Boxes on a
/// page that the server rendered stay as they are: the browser restored them, or the user ticked them before hydration.
#[cfg(feature = "hydrate")]
pub(super) fn drawn(table: &web_sys::HtmlDivElement, by_server: bool) {
    if !by_server {
        for one in inputs(table) {
            one.set_checked(one.default_checked());
        }
    }
    recount(table);
}

/// Updates the number of ticked boxes.
#[cfg(feature = "hydrate")]
fn recount(table: &web_sys::HtmlDivElement) {
    let (mut boxes, mut ticked) = (0, 0);
    let mut for_all = None;
    for input in inputs(table) {
        if input.name() == CHOSEN {
            boxes += 1;
            ticked += u64::from(input.checked());
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
