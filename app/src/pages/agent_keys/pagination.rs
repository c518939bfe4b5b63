//! Pagination of the list of keys. Elasticsearch pages with `search_after`, so there are no page numbers.

use super::list_href;
use crate::{
    components::pagination::Pagination,
    model::{
        key_list::{KeyListPage, KeyListQuery, PageAnchor},
        text::keys,
    },
    urls,
};
use leptos::prelude::*;

#[component]
pub(super) fn KeyPagination(query: Memo<KeyListQuery>, page: KeyListPage) -> impl IntoView {
    let current = query.get_untracked();
    let shown = page.keys.len() as u64;
    let offset = current.offset.min(page.total.saturating_sub(shown));
    let previous = page.previous.map(|cursor| {
        let before = offset.saturating_sub(u64::from(current.rows));
        list_href(&KeyListQuery {
            anchor: PageAnchor::Before(cursor),
            offset: before,
            ..current.clone()
        })
    });
    let next = page.next.map(|cursor| {
        list_href(&KeyListQuery {
            anchor: PageAnchor::After(cursor),
            offset: offset + shown,
            ..current.clone()
        })
    });
    let mut kept = current.first_page().parameters();
    kept.retain(|(name, _)| *name != "rows");
    let total = keys(page.total);
    view! {
        <Pagination
            list=urls::agent_keys()
            kept
            rows=current.rows
            before=offset
            shown
            total
            previous
            next
        />
    }
    .into_any()
}
