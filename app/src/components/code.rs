//! Code blocks, and the button that copies a text.

use super::{
    form::is_posted,
    icon::{Icon, IconName},
};
use crate::snippets::{Part, Snippet};
use leptos::{ev, prelude::*};

/// A text with a title and a copy button.
#[component]
pub fn CodeBlock(
    /// Name of a file, or first line of a request.
    #[prop(into)]
    title: String,
    #[prop(into)] text: String,
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

/// A snippet. The secret is masked until “Show” is ticked; the button copies the real one.
#[component]
pub fn SnippetBlock(
    snippet: Snippet,
    /// Without it, only the mask is shown.
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

/// State of the last copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    NotYet,
    Done,
    Refused,
}

/// A button that copies `text()`. Not rendered in the response to a plain form post, which runs no script.
#[component]
pub fn CopyButton<F>(
    /// Called on click, so that the button does not hold a secret.
    text: F,
    /// Name of the copied text, for screen readers.
    #[prop(into)]
    what: String,
    /// `quiet` inside a code block.
    #[prop(optional)]
    variant: Option<&'static str>,
    /// `sm` inside a code block.
    #[prop(optional)]
    size: Option<&'static str>,
    #[prop(default = "Copy")] label: &'static str,
) -> impl IntoView
where
    F: Fn() -> String + Clone + Send + Sync + 'static,
{
    if is_posted() {
        return None;
    }
    let copied = RwSignal::new(Copied::NotYet);
    let on_click = move |event| copy(text(), &event, copied);
    let icon = move || match copied.get() {
        Copied::Done => view! { <Icon name=IconName::Check /> }.into_any(),
        Copied::NotYet | Copied::Refused => view! { <Icon name=IconName::Copy /> }.into_any(),
    };
    let word = move || match copied.get() {
        Copied::NotYet => label,
        Copied::Done => "Copied",
        Copied::Refused => "Press Ctrl+C to copy",
    };
    // Announced when it changes; not part of the button's name.
    let announcement = move || match copied.get() {
        Copied::NotYet => "",
        Copied::Done => "Copied",
        Copied::Refused => {
            "The browser did not allow it. The text is selected: press Ctrl+C, or Command+C on a Mac."
        }
    };
    let view = view! {
        <button
            type="button"
            class="button"
            data-needs-script
            data-variant=variant
            data-size=size
            data-state=move || (copied.get() == Copied::Done).then_some("done")
            on:click=on_click
        >
            {icon}
            {word}
            <span class="visually-hidden">" " {what}</span>
        </button>
        <span class="visually-hidden" role="status">{announcement}</span>
    };
    Some(view.into_any())
}

/// Copies with `copyText` of `browser.js`, which also knows the way of insecure contexts.
#[cfg(feature = "hydrate")]
fn copy(text: String, event: &ev::MouseEvent, copied: RwSignal<Copied>) {
    use wasm_bindgen::{JsCast, JsValue};
    let button = JsValue::from(event.current_target());
    let promise = js_sys::Reflect::get(&window(), &"copyText".into())
        .and_then(|copy| copy.dyn_into::<js_sys::Function>())
        .and_then(|copy| copy.call2(&JsValue::NULL, &text.into(), &button))
        .and_then(|promise| promise.dyn_into::<js_sys::Promise>());
    leptos::task::spawn_local(async move {
        let done = match promise {
            Ok(promise) => wasm_bindgen_futures::JsFuture::from(promise).await,
            Err(error) => Err(error),
        };
        copied.set(match done {
            Ok(done) if done.is_truthy() => Copied::Done,
            _ => Copied::Refused,
        });
    });
}

/// Never called on the server.
#[cfg(not(feature = "hydrate"))]
fn copy(_text: String, _event: &ev::MouseEvent, copied: RwSignal<Copied>) {
    copied.set(Copied::Refused);
}
