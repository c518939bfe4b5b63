//! A field to search with, as it stands in a toolbar.

use super::icon::{Icon, IconName};
use leptos::{html, prelude::*};

/// The field and its button, which only a screen reader meets: everybody else presses Enter.
#[component]
pub fn SearchBox(
    /// The parameter in the address.
    name: &'static str,
    /// What is searched.
    label: &'static str,
    /// What may be typed.
    placeholder: &'static str,
    /// What was typed.
    value: String,
    /// To put the focus back into the field.
    #[prop(optional)]
    field: NodeRef<html::Input>,
) -> impl IntoView {
    view! {
        <div class="input" data-size="sm">
            <Icon name=IconName::Search />
            <input
                node_ref=field
                type="search"
                name=name
                aria-label=label
                placeholder=placeholder
                value=value
            />
            <button type="submit" class="visually-hidden">"Search"</button>
        </div>
    }
    .into_any()
}
