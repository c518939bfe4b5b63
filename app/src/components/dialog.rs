//! Dialogs and flyouts. Each is a route of its own over its page, so that it works without JavaScript,
//! survives a reload and closes with Back. The page under it is `inert`.

use super::{
    focus::enter_dialog,
    form::ActionForm,
    icon::{Icon, IconName},
    problem::{ProblemCallout, sign_in_again},
};
use crate::{api::form_post::FormPost, model::problem::Problem};
use leptos::{
    ev, html,
    prelude::*,
    server_fn::{Http, ServerFn, codec::Postcard},
};
use leptos_router::hooks::use_navigate;
use serde::de::DeserializeOwned;

/// Position and width of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogShape {
    /// Centred, for a decision.
    Centred,
    /// Centred, with room for a table.
    Roomy,
    /// Centred and wide, for texts to read and copy.
    Wide,
    /// At the inline end, for a form.
    Flyout,
}

/// Frame of a dialog. The first element with `autofocus` gets the focus, or the button in one with `data-autofocus`.
#[component]
pub fn Dialog(
    shape: DialogShape,
    /// Id of the heading.
    labelled_by: &'static str,
    /// True for a confirmation of an irreversible action.
    #[prop(optional)]
    alert: bool,
    /// Address that Escape leads to; `None` for a dialog with unsaved content.
    #[prop(optional, into)]
    close: Option<String>,
    children: Children,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    let navigate = use_navigate();
    let on_key = window_event_listener(ev::keydown, move |event| {
        if let (Some(close), "Escape") = (&close, event.key().as_str()) {
            navigate(close, Default::default());
        }
    });
    on_cleanup(move || on_key.remove());
    Effect::new(move || {
        if let Some(dialog) = element.get() {
            enter_dialog(dialog);
        }
    });
    view! {
        <dialog
            node_ref=element
            class=match shape {
                DialogShape::Flyout => "flyout",
                DialogShape::Centred | DialogShape::Roomy | DialogShape::Wide => "dialog",
            }
            data-size=match shape {
                DialogShape::Roomy => Some("md"),
                DialogShape::Wide => Some("lg"),
                DialogShape::Centred | DialogShape::Flyout => None,
            }
            open
            role=alert.then_some("alertdialog")
            aria-labelledby=labelled_by
            aria-modal="true"
            tabindex="-1"
        >
            {children()}
        </dialog>
    }
    .into_any()
}

/// Heading and close link of a dialog.
#[component]
pub fn DialogHead(
    /// Id of the heading.
    id: &'static str,
    #[prop(into)] title: String,
    /// Line under the heading.
    #[prop(optional_no_strip)]
    help: Option<String>,
    /// Address that closing leads to.
    #[prop(into)]
    close: String,
) -> impl IntoView {
    view! {
        <div data-part="head">
            <div>
                <h2 id=id><bdi>{title}</bdi></h2>
                {help.map(|help| view! { <p>{help}</p> })}
            </div>
            <a class="button" data-variant="ghost" data-icon-only aria-label="Close" title="Close" href=close>
                <Icon name=IconName::X />
            </a>
        </div>
    }
    .into_any()
}

/// The form that fills a dialog: heading, problem, content, buttons.
#[component]
pub fn DialogForm<F>(
    action: ServerAction<F>,
    /// Id of the heading.
    id: &'static str,
    #[prop(into)] title: String,
    #[prop(optional, into)] help: Option<String>,
    /// Address that “Cancel” leads to.
    #[prop(into)]
    close: String,
    /// True for a question: “Cancel” gets the focus, so that Enter changes nothing.
    #[prop(optional)]
    question: bool,
    /// Label of “Cancel”.
    #[prop(default = "Cancel")]
    cancel: &'static str,
    /// Gap between the parts of the content, for example `lg`.
    #[prop(optional)]
    gap: Option<&'static str>,
    /// The problem above the content.
    #[prop(optional, into)]
    problem: Option<Signal<Option<Problem>>>,
    /// Buttons after “Cancel”.
    submit: AnyView,
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
    let problem = move || {
        let problem = problem?.get()?;
        Some(view! { <ProblemCallout problem /> })
    };
    view! {
        <ActionForm action>
            <DialogHead id title help close=close.clone() />
            <div data-part="body" class="stack" data-gap=gap>
                {problem}
                {children()}
            </div>
            <div data-part="foot">
                <a class="button" data-variant=(!question).then_some("quiet") autofocus=question href=close>
                    {cancel}
                </a>
                {submit}
            </div>
        </ActionForm>
    }
    .into_any()
}

/// Content of a dialog whose question cannot be asked.
#[component]
pub fn DialogProblem(
    /// Id of the heading.
    id: &'static str,
    #[prop(into)] title: String,
    /// Address that “Close” leads to.
    close: String,
    problem: Problem,
) -> impl IntoView {
    sign_in_again(&problem.kind);
    view! {
        <DialogHead id title close=close.clone() />
        <div data-part="body"><ProblemCallout problem /></div>
        <div data-part="foot"><a class="button" autofocus href=close>"Close"</a></div>
    }
    .into_any()
}

/// Asks before the browser leaves a dialog with a secret, until the box `#stored` is ticked or the secret is copied. Returns
/// the handler of the form that leads to `next`.
///
/// Within the application, the browser cannot be kept from going back. So the dialog adds a second history entry of its
/// page: the first Back leads from one to the other, and the page stays while it asks. The form replaces that entry.
#[cfg(feature = "hydrate")]
pub fn ask_before_leaving(next: String) -> impl Fn(ev::SubmitEvent) {
    use leptos::web_sys::History;
    const ADDED: &str = "secret";
    const QUESTION: &str =
        "You have not stored this secret, and it cannot be shown again. Leave this page?";
    let is_kept = || {
        let find = |selector| document().query_selector(selector).ok().flatten();
        find("#stored:checked")
            .or_else(|| find("dialog [data-state=done]"))
            .is_some()
    };
    let is_leaving = StoredValue::new(false);
    let on_unload = window_event_listener(ev::beforeunload, move |event| {
        if !is_kept() && !is_leaving.get_value() {
            event.prevent_default();
        }
    });
    // Without the entry, Back does not ask.
    let _ = window()
        .history()
        .and_then(|history| history.push_state_with_url(&ADDED.into(), "", None));
    let on_back = window_event_listener(ev::popstate, move |event| {
        let came_forward = event.state() == ADDED;
        if came_forward || is_leaving.get_value() {
            return;
        }
        let may_leave = is_kept() || window().confirm_with_message(QUESTION).unwrap_or(true);
        is_leaving.set_value(may_leave);
        let step = if may_leave {
            History::back
        } else {
            History::forward
        };
        let _ = window().history().map(|history| step(&history));
    });
    on_cleanup(move || {
        on_unload.remove();
        on_back.remove();
    });
    move |event| {
        event.prevent_default();
        let _ = window().location().replace(&next);
    }
}

#[cfg(not(feature = "hydrate"))]
pub fn ask_before_leaving(_next: String) -> impl Fn(ev::SubmitEvent) {
    |_| ()
}
