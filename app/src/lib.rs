//! Pages of Agent Keys, and the types they share with the server.
//!
//! * [`model`]: domain types, validated when they are parsed.
//! * [`backend`]: the trait between the pages and the use cases of the server.
//! * [`api`]: server functions. Each parses a form and calls the backend.
//! * [`snippets`]: configuration files of the agents.
//! * [`urls`]: addresses of the pages.
//! * [`hydration`]: test for hydration.
//! * [`components`], [`pages`], [`shell`]: user interface.
//!
//! The crate compiles twice: with the feature `server` for rendering, with `hydrate` for the browser.

// The type of a page is deeply nested.
#![recursion_limit = "256"]

pub mod api;
pub mod backend;
pub mod components;
pub mod hydration;
pub mod model;
pub mod pages;
#[cfg(feature = "server")]
pub mod shell;
pub mod snippets;
pub mod urls;

/// Starts the browser half: hydrates the page that the server rendered, once its code is loaded.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate(base_path: String) {
    use leptos::prelude::{document, provide_context, window};
    use wasm_bindgen::JsCast;
    console_error_panic_hook::set_once();
    let base_path = model::base_path::BasePath::parse(&base_path).unwrap_or_default();
    if !base_path.as_str().is_empty() {
        // Leaked on purpose: needed for the lifetime of the page.
        leptos::server_fn::client::set_server_url(base_path.as_str().to_owned().leak());
    }
    let root = document().get_element_by_id("app");
    if let Some(root) = root.and_then(|root| root.dyn_into::<web_sys::HtmlElement>().ok()) {
        let app = move || {
            provide_context(base_path.clone());
            pages::App()
        };
        leptos::mount::hydrate_from_async(root, app).await.forget();
    }
    // Signals the end of hydration to tests and style rules.
    if let Some(page) = window()
        .document()
        .and_then(|document| document.document_element())
    {
        let _ = page.set_attribute("data-hydrated", "true");
    }
}
