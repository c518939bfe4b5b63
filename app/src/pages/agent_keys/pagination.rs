//! Pagination of the list. Elasticsearch pages with `search_after`, so there are no page numbers.

use super::list_href;
use crate::{
    components::{
        form::{GetForm, submit_form},
        icon::{Icon, IconName},
        table::PageLink,
    },
    model::{
        key_list::{KeyListPage, KeyListQuery, PageAnchor, ROWS_CHOICES},
        text::{grouped, keys},
    },
    urls,
};
use leptos::prelude::*;

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
        format!("{}–{}", grouped(offset + 1), grouped(offset + shown))
    };
    view! {
        <footer>
            <nav class="pagination" aria-label="Pages">
                <p data-part="range"><b>{range}</b> " of " <b>{keys(page.total)}</b></p>
                <GetForm action=urls::agent_keys()>
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
                </GetForm>
                <div data-part="steps">
                    <PageLink href=previous.as_ref().map(list_href) label="Previous" forward=false />
                    <PageLink href=next.as_ref().map(list_href) label="Next" forward=true />
                </div>
            </nav>
        </footer>
    }
    .into_any()
}
