//! What Agent Keys says and shows.
//!
//! * [`model`]: the vocabulary. Values that cannot be wrong once they exist.
//! * [`backend`]: the one trait between pages and everything behind them.
//! * [`questions`]: the server functions. Each turns a form into vocabulary and asks the backend.
//! * [`snippets`]: an agent's configuration, as the files its users write.
//! * [`urls`]: where the pages are.
//! * [`hydration`]: whether the script is taking over the page.
//! * [`components`], [`pages`], [`shell`]: what is drawn.
//!
//! The crate compiles twice: with the feature `server` it renders, with `hydrate` it runs in the browser.

// A page is one deeply nested type until it is rendered.
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

/// Starts the browser half: takes over the page that the server drew, once its code is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate(base_path: String) {
    use leptos::prelude::{document, provide_context, window};
    use wasm_bindgen::JsCast;
    console_error_panic_hook::set_once();
    let base_path = model::base_path::BasePath::parse(&base_path).unwrap_or_default();
    if !base_path.as_str().is_empty() {
        // Kept for as long as the page lives.
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
    // For those who wait until the page answers: tests, and style rules.
    if let Some(page) = window()
        .document()
        .and_then(|document| document.document_element())
    {
        let _ = page.set_attribute("data-hydrated", "true");
    }
}
