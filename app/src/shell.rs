//! The HTML document around every page.

use crate::{
    api::form_post::page_user,
    components::{form::is_posted, icon::Sprite, navigation::current_theme},
    pages::App,
    urls,
};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;
use std::sync::LazyLock;

/// Script for local times and for copying. Comments stay out of the page.
static BROWSER: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("browser.js").lines().map(str::trim);
    let code: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
    code.join("\n")
});

/// Addresses of the built site's files. Names carry a hash of the content, so that browsers can cache them for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFiles {
    /// For example `/pkg/agent-keys.1a2b3c.css`.
    pub css: String,
    pub js: String,
    /// The WebAssembly module that every page loads.
    pub wasm: String,
    /// The script that loads the other parts of the module.
    pub parts_js: String,
}

/// Renders the document. Without a built site, as in the server's tests, it has no style and no script.
pub fn shell(site: Option<SiteFiles>) -> impl IntoView {
    let theme = current_theme().word();
    let css = site.as_ref().map(|site| {
        view! { <link rel="stylesheet" href=site.css.clone() /> }
    });
    // The response to a form post without script is complete. The script would render the page again without
    // the outcome of the post.
    let script = site.filter(|_| !is_posted()).map(|site| {
        let start = format!(
            "{}
import start, {{ hydrate }} from '{}'; start({{ module_or_path: '{}' }}).then(() => hydrate('{}'));",
            *BROWSER,
            site.js,
            site.wasm,
            urls::base_path().as_str()
        );
        view! {
            <link rel="modulepreload" href=site.js crossorigin="anonymous" nonce=use_nonce() />
            <link rel="modulepreload" href=site.parts_js crossorigin="anonymous" nonce=use_nonce() />
            <link rel="preload" href=site.wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
            <script type="module" nonce=use_nonce() inner_html=start></script>
        }
    });
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme data-posted=is_posted()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                {page_user().map(|user| view! { <meta name="user" content=user /> })}
                <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'%3E%3Crect width='28' height='28' rx='6' fill='%231857cf'/%3E%3Cg fill='none' stroke='%23fff' stroke-width='2.2' stroke-linecap='round'%3E%3Ccircle cx='10' cy='18' r='4'/%3E%3Cpath d='m12.9 15.1 8.1-8.1M17.5 10.5l3 3'/%3E%3C/g%3E%3C/svg%3E" />
                {css}
                {script}
                <MetaTags />
            </head>
            <body>
                <Sprite />
                <div id="app"><App /></div>
            </body>
        </html>
    }
}
