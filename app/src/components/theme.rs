//! Choice of the light or dark theme.

use super::{
    form::PlainForm,
    icon::{Icon, IconName},
};
use crate::{api::sessions::SetTheme, model::theme::Theme};
use leptos::prelude::*;

/// Returns the theme of the page, from the cookie of the request.
#[cfg(feature = "server")]
pub fn current_theme() -> Theme {
    use crate::model::theme::COOKIE;
    let request = use_context::<http::request::Parts>();
    let cookies = request.and_then(|request| {
        let cookies = request.headers.get(http::header::COOKIE)?;
        cookies.to_str().ok().map(str::to_owned)
    });
    cookies
        .iter()
        .flat_map(|cookies| cookies.split("; "))
        .find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
        .and_then(|theme| theme.parse().ok())
        .unwrap_or_default()
}

/// Returns the theme of the page, from the document.
#[cfg(not(feature = "server"))]
pub fn current_theme() -> Theme {
    let page = document().document_element();
    let theme = page.and_then(|page| page.get_attribute("data-theme"));
    theme
        .and_then(|theme| theme.parse().ok())
        .unwrap_or_default()
}

/// Buttons that choose the theme. Always a plain form post, because the server draws the document.
#[component]
pub fn ThemeChoice() -> impl IntoView {
    let current = current_theme();
    let choices: Vec<_> = Theme::ALL
        .iter()
        .map(|&theme| {
            let pressed = if theme == current { "true" } else { "false" };
            view! {
                <button type="submit" name="theme" value=theme.word() aria-pressed=pressed>
                    <Icon name=IconName::Check />
                    <span>{theme.label()}</span>
                </button>
            }
        })
        .collect();
    view! { <PlainForm<SetTheme>>{choices}</PlainForm<SetTheme>> }.into_any()
}
