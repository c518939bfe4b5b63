//! Code blocks, and the button that copies a text.

use super::{
    form::is_posted,
    icon::{Icon, IconName},
};
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

/// How the last copy went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    NotYet,
    Done,
    Refused,
}

/// A button that copies `text()`. Where no script runs it is not drawn: the text beside it can be selected.
#[component]
pub fn CopyButton<F>(
    /// The text, made at the moment of the click, so that a secret is held nowhere else.
    text: F,
    /// What is copied, for those who hear the button without its surroundings.
    #[prop(into)]
    what: String,
    /// `quiet` inside a code block.
    #[prop(optional)]
    variant: Option<&'static str>,
    /// `sm` inside a code block.
    #[prop(optional)]
    size: Option<&'static str>,
    /// The word on the button.
    #[prop(default = "Copy")]
    label: &'static str,
) -> impl IntoView
where
    F: Fn() -> String + Clone + Send + Sync + 'static,
{
    if is_posted() {
        return None;
    }
    let copied = RwSignal::new(Copied::NotYet);
    let on_click = move |_| copy(text(), copied);
    let icon = move || match copied.get() {
        Copied::Done => view! { <Icon name=IconName::Check /> }.into_any(),
        Copied::NotYet | Copied::Refused => view! { <Icon name=IconName::Copy /> }.into_any(),
    };
    let word = move || match copied.get() {
        Copied::NotYet => label,
        Copied::Done => "Copied",
        Copied::Refused => "Select and copy by hand",
    };
    // Heard when it changes, and no part of the button's name.
    let announcement = move || match copied.get() {
        Copied::NotYet => "",
        Copied::Done => "Copied",
        Copied::Refused => "The browser did not allow it. Select the text and copy it by hand.",
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

#[cfg(feature = "hydrate")]
fn copy(text: String, copied: RwSignal<Copied>) {
    use wasm_bindgen_futures::JsFuture;
    // Absent where the page is not secure: plain HTTP on another machine.
    let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into())
        .ok()
        .filter(|clipboard| !clipboard.is_undefined());
    if clipboard.is_none() {
        copied.set(Copied::Refused);
        return;
    }
    let write = window().navigator().clipboard().write_text(&text);
    leptos::task::spawn_local(async move {
        copied.set(match JsFuture::from(write).await {
            Ok(_) => Copied::Done,
            Err(_) => Copied::Refused,
        });
    });
}

/// The server draws the button and never presses it.
#[cfg(not(feature = "hydrate"))]
fn copy(_text: String, copied: RwSignal<Copied>) {
    copied.set(Copied::Refused);
}
