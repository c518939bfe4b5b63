//! Forms that work with and without JavaScript.
//!
//! With JavaScript the response to an [`ActionForm`] becomes the action's value, and the page stays.
//! Without it, the browser posts to the server function. The server runs it and responds with the page
//! of the form, rendered with a [`PostedForm`] in its context; [`use_form`] then starts the action
//! with that outcome. So a page reads `action.value()` in both cases.

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

/// A form post without script, and its outcome. Exists only while the response to that post is rendered.
#[derive(Clone)]
pub struct PostedForm {
    /// Path of the server function, for example `/api/create_agent_key`.
    pub path: String,
    /// URL-encoded body of the post.
    pub input: Vec<u8>,
    /// Serialized response of the server function.
    pub outcome: Vec<u8>,
    /// True if `outcome` is the value of the server function; otherwise it is a [`Problem`].
    pub ok: bool,
}

/// Returns the action of a form. If this page is the response to a post of that form, the action starts with its outcome.
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

/// Field with the address of the form's page, with which the server responds to a post without script. The `Referer` is no
/// replacement: after a first refusal it is the address of the post.
pub const PAGE_FIELD: &str = "page";

/// Submit button of a form, disabled while the form is being sent.
#[component]
pub fn SubmitButton(
    #[prop(into)] label: String,
    /// True while the form is being sent.
    #[prop(into)]
    pending: Signal<bool>,
    /// True for an irreversible action.
    #[prop(optional)]
    danger: bool,
    #[prop(optional)] icon: Option<IconName>,
    #[prop(optional)] disabled: bool,
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

/// Form of a server function that works with and without JavaScript.
///
/// Replaces the `ActionForm` of Leptos, which does not support a base path.
#[component]
pub fn ActionForm<F>(action: ServerAction<F>, children: Children) -> impl IntoView
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

/// Hidden field that every form contains.
#[component]
pub fn FormPage() -> impl IntoView {
    let location = use_location();
    let page = move || urls::with_search(&location.pathname.read(), &location.search.read());
    view! { <input type="hidden" name=PAGE_FIELD value=page /> }
}

/// Returns true if this page is the response to a form post without script. Such a page has no script.
pub fn is_posted() -> bool {
    use_context::<PostedForm>().is_some()
}

#[cfg(feature = "server")]
fn read_input<S: DeserializeOwned>(body: &[u8]) -> Option<S> {
    // Same configuration as in the server function.
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
