//! Pagination of the list. Elasticsearch pages with `search_after`, so there are no page numbers.

use super::list_href;
use crate::{
    components::icon::{Icon, IconName},
    model::key_list::{KeyListPage, KeyListQuery, PageAnchor, ROWS_CHOICES},
    urls,
};
use leptos::prelude::*;
use leptos_router::components::Form;

/// Range of rows, rows per page, and links to the previous and next page.
#[component]
pub(super) fn Pagination(query: Memo<KeyListQuery>, page: KeyListPage) -> impl IntoView {
    let current = query.get_untracked();
    let shown = page.keys.len() as u64;
    let offset = current.offset.min(page.total.saturating_sub(shown));
    let previous = page.previous.map(|cursor| {
        let before = offset.saturating_sub(u64::from(current.rows));
        KeyListQuery {
            anchor: PageAnchor::Before(cursor),
            offset: before,
            ..current.clone()
        }
    });
    let next = page.next.map(|cursor| KeyListQuery {
        anchor: PageAnchor::After(cursor),
        offset: offset + shown,
        ..current.clone()
    });
    let kept: Vec<_> = current
        .first_page()
        .parameters()
        .into_iter()
        .filter(|(name, _)| *name != "rows")
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect();
    let options: Vec<_> = ROWS_CHOICES
        .into_iter()
        .map(|rows| view! { <option selected=rows == current.rows>{rows}</option> })
        .collect();
    let range = if shown == 0 {
        "0".to_owned()
    } else {
        format!("{}–{}", offset + 1, offset + shown)
    };
    view! {
        <footer>
            <nav class="pagination" aria-label="Pages">
                <p data-part="range"><b>{range}</b> " of " <b>{page.total}</b> " keys"</p>
                <Form method="GET" action=urls::agent_keys()>
                    <div data-part="size">
                        {kept}
                        <label for="rows">"Rows"</label>
                        <div class="input" data-size="sm">
                            <select id="rows" name="rows" on:change=submit_form>
                                {options}
                            </select>
                            <Icon name=IconName::Down size="sm" />
                        </div>
                        <button class="button" data-size="sm" data-needs-no-script type="submit">"Apply"</button>
                    </div>
                </Form>
                <div data-part="steps">
                    <Step query=previous label="Previous" forward=false />
                    <Step query=next label="Next" forward=true />
                </div>
            </nav>
        </footer>
    }
    .into_any()
}

/// Link to the previous or next page, or a disabled button.
#[component]
fn Step(query: Option<KeyListQuery>, label: &'static str, forward: bool) -> impl IntoView {
    let content = move || {
        if forward {
            view! { {label} <Icon name=IconName::Right /> }.into_any()
        } else {
            view! { <Icon name=IconName::Left /> {label} }.into_any()
        }
    };
    match query {
        Some(query) => {
            let rel = if forward { "next" } else { "prev" };
            view! { <a class="button" data-size="sm" href=list_href(&query) rel=rel>{content()}</a> }.into_any()
        }
        None => view! { <button type="button" class="button" data-size="sm" disabled>{content()}</button> }.into_any(),
    }
}

/// Submits the form of the changed field.
#[cfg(feature = "hydrate")]
fn submit_form(event: leptos::ev::Event) {
    use wasm_bindgen::JsCast;
    let form = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::HtmlSelectElement>().ok())
        .and_then(|select| select.form());
    if let Some(form) = form {
        // On failure the next search applies the choice.
        let _ = form.request_submit();
    }
}

#[cfg(not(feature = "hydrate"))]
fn submit_form(_event: leptos::ev::Event) {}
