//! A button that puts a text on the clipboard and says whether it did.

use super::{
    form::is_posted,
    icon::{Icon, IconName},
};
use leptos::prelude::*;

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
