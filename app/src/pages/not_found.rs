//! The answer to an address that is none of ours.

use crate::urls;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "server")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Not found · Agent Keys" />
        <div class="login">
            <main>
                <section class="panel prompt">
                    <h1>"There is no such page"</h1>
                    <p>"The address may be old or mistyped."</p>
                    <div class="button-row">
                        <a class="button" data-variant="primary" href=urls::agent_keys()>"Go to agent keys"</a>
                    </div>
                </section>
            </main>
        </div>
    }
    .into_any()
}
