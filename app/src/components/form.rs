//! Forms that work with and without JavaScript.
//!
//! With JavaScript the response to an [`ActionForm`] becomes the action's value, and the page stays.
//! Without it, the browser posts to the server function. The server runs it and responds with the page
//! of the form, rendered with a [`PostedForm`] in its context; [`use_form`] then starts the action
//! with that outcome. So a page reads `action.value()` in both cases.
//!
//! A field is its label, input, help and error.

#[cfg(feature = "server")]
use crate::api::form_post::UserForm;
use crate::{
    api::form_post::{FormPost, USER_FIELD, page_user},
    components::icon::{Icon, IconName},
    model::problem::{Problem, ProblemKind},
    urls,
};
#[cfg(feature = "server")]
use leptos::server_fn::{Bytes, Decodes};
use leptos::{
    ev, html,
    prelude::*,
    server_fn::{Http, ServerFn, codec::Postcard},
};
use leptos_router::hooks::{use_location, use_navigate};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

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
    /// The form that was interrupted, because the user must sign in or enter the password first.
    pub interrupted: Option<InterruptedForm>,
}

/// Form that is sent along with a sign-in, so that nothing typed is lost. It holds no password.
#[derive(Clone)]
pub struct InterruptedForm {
    /// Path of its server function.
    pub path: String,
    /// Its URL-encoded fields.
    pub input: String,
}

/// Field with the path of an interrupted form.
pub const INTERRUPTED_PATH: &str = "interrupted_path";
/// Field with the fields of an interrupted form.
pub const INTERRUPTED_INPUT: &str = "interrupted_input";

/// Returns the action of a form. If this page is the response to a post of that form, the action starts with its outcome.
pub fn use_form<S>() -> ServerAction<S>
where
    S: ServerFn<Error = Problem, Protocol = Http<FormPost, Postcard>>
        + DeserializeOwned
        + Clone
        + Send
        + Sync
        + 'static,
    S::Output: DeserializeOwned + Send + Sync + 'static,
{
    let action = ServerAction::<S>::new();
    if let Some((input, outcome)) = use_posted::<S>() {
        action.input().set(input);
        action.value().set(Some(outcome));
    }
    action
}

/// Input and outcome of a form that was posted without script.
pub type Posted<S> = (Option<S>, Result<<S as ServerFn>::Output, Problem>);

/// Returns input and outcome of a form, if this page is the response to a post of it without script.
pub fn use_posted<S>() -> Option<Posted<S>>
where
    S: ServerFn<Error = Problem> + DeserializeOwned,
    S::Output: DeserializeOwned,
{
    #[cfg(feature = "server")]
    if let Some(posted) = use_context::<PostedForm>().filter(|posted| posted.path == S::PATH) {
        return Some((read_input::<S>(&posted.input), read_outcome::<S>(&posted)));
    }
    None
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
pub fn ActionForm<F>(
    action: ServerAction<F>,
    /// True if the page with the form asks for a password that is needed, instead of leaving for the sign-in page.
    #[prop(optional)]
    asks_for_password: bool,
    children: Children,
) -> impl IntoView
where
    F: ServerFn<Error = Problem, Protocol = Http<FormPost, Postcard>>
        + DeserializeOwned
        + Clone
        + Send
        + Sync
        + 'static,
    F::Output: Send + Sync + 'static,
{
    let address = urls::server_function::<F>();
    let element = NodeRef::<html::Form>::new();
    // Several forms may share an action.
    let sent = StoredValue::new(false);
    Effect::new(move || {
        let refusal = action.value().with(|value| match value {
            Some(Err(problem)) => Some(Refusal::of(&problem.kind, asks_for_password)),
            _ => None,
        });
        if let (Some(refusal), Some(form), true) =
            (refusal, element.get_untracked(), sent.get_value())
        {
            sent.set_value(false);
            refusal.act(form);
        }
    });
    let on_submit = move |event: ev::SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        sent.set_value(true);
        match F::from_event(&event) {
            Ok(input) => {
                action.dispatch(input);
            }
            Err(_) => action.value().set(Some(Err(ProblemKind::BadForm.into()))),
        }
    };
    view! {
        <form node_ref=element method="post" action=address on:submit=on_submit>
            <FormPage />
            {children()}
        </form>
    }
    .into_any()
}

/// What a form does after a refusal.
#[derive(Clone, Copy)]
enum Refusal {
    /// Sends the form again as without script: the server keeps it while the user signs in or enters the password.
    SendToSignIn,
    Correct,
}

impl Refusal {
    fn of(kind: &ProblemKind, asks_for_password: bool) -> Self {
        let needs_password = *kind == ProblemKind::ReauthRequired;
        if kind.end_of_session().is_some() || (needs_password && !asks_for_password) {
            Self::SendToSignIn
        } else {
            Self::Correct
        }
    }

    #[cfg(feature = "hydrate")]
    fn act(self, form: leptos::web_sys::HtmlFormElement) {
        match self {
            Self::SendToSignIn => {
                // On failure the problem is still shown.
                let _ = form.submit();
            }
            Self::Correct => crate::components::focus::enter_refused(form),
        }
    }

    #[cfg(not(feature = "hydrate"))]
    fn act<T>(self, _form: T) {}
}

/// Form that the browser always posts by itself, so that the server renders the next page.
#[component]
pub fn PlainForm<F: ServerFn>(
    #[prop(optional)] function: PhantomData<F>,
    children: Children,
) -> impl IntoView {
    let _ = function;
    let address = urls::server_function::<F>();
    view! {
        <form method="post" action=address>
            <FormPage />
            {children()}
        </form>
    }
    .into_any()
}

/// Form that leads to a page with its fields in the address. Empty fields are left out: by the script here, without it by
/// the server.
#[component]
pub fn GetForm(#[prop(into)] action: String, children: Children) -> impl IntoView {
    let navigate = use_navigate();
    let page = action.clone();
    let on_submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        navigate(
            &urls::with_search(&page, &filled_in(&event)),
            Default::default(),
        );
    };
    view! {
        <form method="get" action=action on:submit=on_submit>
            {children()}
        </form>
    }
    .into_any()
}

/// Hidden fields of a form.
pub fn hidden_fields(fields: Vec<(&'static str, String)>) -> AnyView {
    fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> }.into_any())
        .collect::<Vec<_>>()
        .into_any()
}

/// Returns the fields that are filled in, URL-encoded.
#[cfg(feature = "hydrate")]
fn filled_in(event: &ev::SubmitEvent) -> String {
    let fields = leptos::form::form_data_from_event(event)
        .ok()
        .and_then(|fields| web_sys::UrlSearchParams::new_with_str_sequence_sequence(&fields).ok())
        .map(|fields| String::from(fields.to_string()))
        .unwrap_or_default();
    let filled_in: Vec<_> = fields
        .split('&')
        .filter(|field| !field.ends_with('='))
        .collect();
    filled_in.join("&")
}

#[cfg(not(feature = "hydrate"))]
fn filled_in(_event: &ev::SubmitEvent) -> String {
    String::new()
}

/// Submits the form of the changed field.
#[cfg(feature = "hydrate")]
pub fn submit_form(event: ev::Event) {
    use wasm_bindgen::{JsCast, JsValue};
    let form = event
        .target()
        .and_then(|field| js_sys::Reflect::get(&field, &JsValue::from_str("form")).ok())
        .and_then(|form| form.dyn_into::<web_sys::HtmlFormElement>().ok());
    if let Some(form) = form {
        // On failure the next search applies the choice.
        let _ = form.request_submit();
    }
}

#[cfg(not(feature = "hydrate"))]
pub fn submit_form(_event: ev::Event) {}

/// Hidden fields with the form that signing in, or entering the password, interrupts.
#[component]
pub fn InterruptedFields() -> impl IntoView {
    let interrupted = use_context::<PostedForm>().and_then(|posted| posted.interrupted);
    interrupted.map(|InterruptedForm { path, input }| {
        view! {
            <input type="hidden" name=INTERRUPTED_PATH value=path />
            <input type="hidden" name=INTERRUPTED_INPUT value=input />
        }
    })
}

/// Hidden fields that every form contains.
#[component]
pub fn FormPage() -> impl IntoView {
    let location = use_location();
    let page = move || urls::with_search(&location.pathname.read(), &location.search.read());
    view! {
        <input type="hidden" name=PAGE_FIELD value=page />
        <FormUser />
    }
}

/// Hidden field with the user whose page holds the form.
#[component]
pub fn FormUser() -> impl IntoView {
    page_user().map(|user| view! { <input type="hidden" name=USER_FIELD value=user /> })
}

/// Returns true if this page is the response to a form post without script. Such a page has no script.
pub fn is_posted() -> bool {
    use_context::<PostedForm>().is_some()
}

/// Returns true if this page is the response to a form post without script that was refused.
pub fn is_refused() -> bool {
    use_context::<PostedForm>().is_some_and(|posted| !posted.ok && posted.interrupted.is_none())
}

#[cfg(feature = "server")]
fn read_input<S: DeserializeOwned>(body: &[u8]) -> Option<S> {
    UserForm::decode(Bytes::copy_from_slice(body)).ok()
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

/// Type of a text field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    #[default]
    Text,
    Password,
    Email,
    Url,
}

impl FieldKind {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Password => "password",
            Self::Email => "email",
            Self::Url => "url",
        }
    }
}

#[component]
pub fn TextField(
    /// Id of the input; the ids of help and errors derive from it.
    id: &'static str,
    name: &'static str,
    label: &'static str,
    #[prop(optional)] kind: FieldKind,
    /// Initial value.
    #[prop(optional, into)]
    value: String,
    #[prop(optional, into)] help: Option<String>,
    /// Validation errors, one sentence each.
    #[prop(into)]
    errors: Signal<Vec<String>>,
    #[prop(optional)] required: bool,
    #[prop(optional)] autofocus: bool,
    /// Value of `autocomplete`, for example `username`.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// True for a monospace font.
    #[prop(optional)]
    mono: bool,
) -> impl IntoView {
    // Without script, an invalid field comes before the usual one.
    let autofocus = if is_refused() {
        !errors.read_untracked().is_empty()
    } else {
        autofocus
    };
    let error_id = format!("{id}-error");
    let help_id = format!("{id}-help");
    let described_by = {
        let (error_id, help_id, has_help) = (error_id.clone(), help_id.clone(), help.is_some());
        move || {
            let mut ids = Vec::new();
            if !errors.read().is_empty() {
                ids.push(error_id.clone());
            }
            if has_help {
                ids.push(help_id.clone());
            }
            (!ids.is_empty()).then(|| ids.join(" "))
        }
    };
    view! {
        <div class="field">
            <label for=id>{label} {(!required).then(|| view! { <small>" Optional"</small> })}</label>
            <div class="input" data-mono=mono>
                <input
                    type=kind.word()
                    id=id
                    name=name
                    value=value
                    autocomplete=autocomplete
                    autocapitalize="none"
                    spellcheck="false"
                    autofocus=autofocus
                    aria-required=required.then_some("true")
                    aria-invalid=move || (!errors.read().is_empty()).then_some("true")
                    aria-describedby=described_by
                />
            </div>
            <FieldErrors id=error_id errors />
            {help.map(|help| view! { <p data-part="help" id=help_id>{help}</p> })}
        </div>
    }
    .into_any()
}

/// Validation errors of a field.
#[component]
pub fn FieldErrors(
    /// Id in the field's `aria-describedby`.
    #[prop(into)]
    id: String,
    errors: Signal<Vec<String>>,
) -> impl IntoView {
    move || {
        let text = errors.read().join(" ");
        (!text.is_empty()).then(|| {
            view! {
                <p data-part="error" id=id.clone()>
                    <Icon name=IconName::Fail />
                    <span>{text}</span>
                </p>
            }
        })
    }
}

/// Search field with a submit button for screen readers.
#[component]
pub fn SearchBox(
    /// Parameter in the address.
    name: &'static str,
    /// Accessible name.
    label: &'static str,
    placeholder: &'static str,
    value: String,
    /// Element of the input, to set the focus.
    #[prop(optional)]
    field: NodeRef<html::Input>,
) -> impl IntoView {
    view! {
        <div class="input" data-size="sm">
            <Icon name=IconName::Search />
            <input
                node_ref=field
                type="search"
                name=name
                aria-label=label
                placeholder=placeholder
                value=value
            />
            <button type="submit" class="visually-hidden">"Search"</button>
        </div>
    }
    .into_any()
}
