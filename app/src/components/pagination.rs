//! Pagination of a list.

use super::{
    form::{GetForm, hidden_fields, submit_form},
    icon::{Icon, IconName},
    table::PageLink,
};
use crate::model::{key_list::ROWS_CHOICES, text::grouped};
use leptos::prelude::*;

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
