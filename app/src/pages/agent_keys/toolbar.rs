//! Search and filters: one form, which works without script.

use crate::{
    components::{
        field::SearchBox,
        form::{GetForm, submit_form},
        icon::{Icon, IconName},
    },
    model::{
        key_list::{ELSEWHERE, FacetValue, KeyListPage, KeyListQuery, StatusFilter},
        text::{grouped, visible},
    },
    urls,
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
