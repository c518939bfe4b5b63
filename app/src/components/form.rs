//! Forms that work with and without JavaScript.
//!
//! With JavaScript the answer of an [`ActionForm`] becomes the action's value, and the page stays.
//! Without it, the browser posts to the server function itself. The server runs it and answers with the page
//! the form stood on, drawn with a [`PostedForm`] in its context; [`use_form`] then starts the action
//! with that outcome. So a page reads `action.value()`, and never asks how the answer came.

use super::icon::{Icon, IconName};
use crate::{
    model::problem::{Problem, ProblemKind},
    urls,
};
use leptos::{
    ev,
    prelude::*,
    server_fn::{Http, ServerFn, codec::PostUrl, codec::Postcard},
};
use leptos_router::hooks::use_location;
use serde::de::DeserializeOwned;

/// A form that a browser posted without script, and its outcome. Exists only while the answer to that post is drawn.
#[derive(Clone)]
pub struct PostedForm {
    /// The server function's path, for example `/api/create_agent_key`.
    pub path: String,
    /// The body of the post, url-encoded.
    pub input: Vec<u8>,
    /// What the server function answered, as it is sent.
    pub outcome: Vec<u8>,
    /// Whether `outcome` is its value; otherwise it is a [`Problem`].
    pub ok: bool,
}

/// The action of a form. It starts with an outcome when this page answers a post of that very form.
pub fn use_form<S>() -> ServerAction<S>
where
    S: ServerFn<Error = Problem, Protocol = Http<PostUrl, Postcard>>
        + DeserializeOwned
        + Clone
        + Send
        + Sync
        + 'static,
    S::Output: DeserializeOwned + Send + Sync + 'static,
{
    let action = ServerAction::<S>::new();
    #[cfg(feature = "server")]
    if let Some(posted) = use_context::<PostedForm>().filter(|posted| posted.path == S::PATH) {
        action.input().set(read_input::<S>(&posted.input));
        action.value().set(Some(read_outcome::<S>(&posted)));
    }
    action
}

/// Returns the problem of the last answer, if it was one.
pub fn use_problem<S>(action: ServerAction<S>) -> Signal<Option<Problem>>
where
    S: ServerFn<Error = Problem> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    Signal::derive(move || action.value().get().and_then(Result::err))
}

/// The field in which a form names the page it stands on. The server answers a browser's own post with that page;
/// the `Referer` would not do, for after a first refusal it names the post itself.
pub const PAGE_FIELD: &str = "page";

/// The button that sends a form, and cannot send it twice.
#[component]
pub fn SubmitButton(
    /// What it does.
    #[prop(into)]
    label: String,
    /// Whether the form is on its way.
    #[prop(into)]
    pending: Signal<bool>,
    /// What is done cannot be undone.
    #[prop(optional)]
    danger: bool,
    /// A picture before the label.
    #[prop(optional)]
    icon: Option<IconName>,
    /// Nobody may send the form.
    #[prop(optional)]
    disabled: bool,
) -> impl IntoView {
    view! {
        <button
            class="button"
            data-variant=if danger { "danger" } else { "primary" }
            type="submit"
            disabled=move || disabled || pending.get()
            aria-busy=move || pending.get().then_some("true")
        >
            {icon.map(|name| view! { <Icon name /> })}
            {label}
        </button>
    }
    .into_any()
}

/// A form whose server function runs with and without JavaScript.
///
/// Leptos has one too, which knows no base path.
#[component]
pub fn ActionForm<F>(
    /// What is done with it.
    action: ServerAction<F>,
    /// The fields and the button.
    children: Children,
) -> impl IntoView
where
    F: ServerFn<Error = Problem, Protocol = Http<PostUrl, Postcard>>
        + DeserializeOwned
        + Clone
        + Send
        + Sync
        + 'static,
    F::Output: Send + Sync + 'static,
{
    let address = urls::server_function::<F>();
    let on_submit = move |event: ev::SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        match F::from_event(&event) {
            Ok(input) => {
                action.dispatch(input);
            }
            Err(_) => action.value().set(Some(Err(ProblemKind::BadForm.into()))),
        }
    };
    view! {
        <form method="post" action=address on:submit=on_submit>
            <FormPage />
            {children()}
        </form>
    }
    .into_any()
}

/// The hidden field that every form carries.
#[component]
pub fn FormPage() -> impl IntoView {
    let location = use_location();
    let page = move || urls::with_search(&location.pathname.read(), &location.search.read());
    view! { <input type="hidden" name=PAGE_FIELD value=page /> }
}

/// Whether this page answers a form that the browser posted by itself. Such a page carries no script.
pub fn is_posted() -> bool {
    use_context::<PostedForm>().is_some()
}

#[cfg(feature = "server")]
fn read_input<S: DeserializeOwned>(body: &[u8]) -> Option<S> {
    // The same reading as the server function's own.
    serde_qs::Config::new(5, false).deserialize_bytes(body).ok()
}

#[cfg(feature = "server")]
fn read_outcome<S>(posted: &PostedForm) -> Result<S::Output, Problem>
where
    S: ServerFn<Error = Problem>,
    S::Output: DeserializeOwned,
{
    if posted.ok {
        postcard::from_bytes(&posted.outcome).map_err(|_| ProblemKind::Internal.into())
    } else {
        Err(postcard::from_bytes(&posted.outcome).unwrap_or_else(|_| ProblemKind::Internal.into()))
    }
}
