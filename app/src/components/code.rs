//! A file or a request, set in a code block.

use super::copy_button::CopyButton;
use crate::snippets::{Part, Snippet};
use leptos::prelude::*;

/// A text with its name and a button that copies it.
#[component]
pub fn CodeBlock(
    /// What it is: a file's name or a request's first line.
    #[prop(into)]
    title: String,
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let copy = text.clone();
    let label = title.clone();
    view! {
        <figure class="code">
            <figcaption>
                <span>{title.clone()}</span>
                <CopyButton text=move || copy.clone() what=title variant="quiet" size="sm" />
            </figcaption>
            <pre tabindex="0" role="group" aria-label=label><code>{text}</code></pre>
        </figure>
    }
    .into_any()
}

/// A snippet. A secret in it is masked until the page's “Show” is ticked; the button copies the real one.
#[component]
pub fn SnippetBlock(
    /// The snippet.
    snippet: Snippet,
    /// The secret; without one the mask is all there is.
    #[prop(optional)]
    secret: Option<crate::model::secret::Secret>,
) -> impl IntoView {
    let title = snippet.file.clone();
    let label = format!("{} set-up", snippet.label);
    let parts = snippet
        .parts
        .iter()
        .map(|part| match part {
            Part::Plain(text) => text.clone().into_any(),
            Part::Key(text) => view! { <b>{text.clone()}</b> }.into_any(),
            Part::Value(text) => view! { <i>{text.clone()}</i> }.into_any(),
            Part::Secret => {
                let shown = secret
                    .as_ref()
                    .map(|secret| view! { <span data-secret="shown">{secret.expose().to_owned()}</span> });
                view! {
                    <mark>
                        <span data-secret="masked">"••••••••••••••••"</span>
                        {shown}
                    </mark>
                }
                .into_any()
            }
        })
        .collect_view();
    let what = format!("{} for {}", snippet.file, snippet.label);
    let copy = move || {
        let secret = secret.as_ref().map_or("", |secret| secret.expose());
        snippet.text(secret)
    };
    view! {
        <figure class="code">
            <figcaption>
                <span>{title}</span>
                <CopyButton text=copy what variant="quiet" size="sm" />
            </figcaption>
            <pre tabindex="0" role="group" aria-label=label><code>{parts}</code></pre>
        </figure>
    }
    .into_any()
}
