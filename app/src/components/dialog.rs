//! Dialogs and flyouts. Each is a route of its own over its page, so that it works without JavaScript,
//! survives a reload and closes with Back. The page under it is `inert`.
//!
//! Here is also where the keyboard focus goes, the same on all pages:
//!
//! * A dialog opens on its first field.
//! * A refused form moves to its first invalid field.
//! * Closing a dialog returns to what opened it.
//! * Going to a page moves to its heading.
//!
//! Content arrives later than its address, so each rule waits for it, frame by frame.

use crate::{
    api::form_post::FormPost,
    components::{
        form::ActionForm,
        icon::{Icon, IconName},
        problem::{ProblemCallout, sign_in_again},
    },
    model::problem::Problem,
};
use leptos::{
    ev, html,
    prelude::*,
    server_fn::{Http, ServerFn, codec::Postcard},
};
#[cfg(feature = "hydrate")]
use leptos::{
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement},
};
use leptos_router::hooks::use_navigate;
use serde::de::DeserializeOwned;
#[cfg(feature = "hydrate")]
use std::sync::atomic::{AtomicU32, Ordering};

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

/// Number of the last change of the page. The steps of an earlier one move the focus no more.
#[cfg(feature = "hydrate")]
static CHANGE: AtomicU32 = AtomicU32::new(0);

/// Moves the focus into a dialog that has just opened.
#[cfg(feature = "hydrate")]
pub fn enter_dialog(dialog: leptos::web_sys::HtmlDialogElement) {
    CHANGE.fetch_add(1, Ordering::Relaxed);
    each_frame(
        FRAMES_MAX,
        Box::new(move || {
            let dialog: &Element = &dialog;
            let focused = document().active_element();
            let is_inside = focused
                .is_some_and(|focused| focused != *dialog && dialog.contains(Some(&focused)));
            let first = || {
                dialog
                    .query_selector("[autofocus], [data-autofocus] button")
                    .ok()?
            };
            if is_inside || !dialog.is_connected() || first().is_some_and(focus) {
                return true;
            }
            // Until there is a first field, keys belong to the dialog.
            focus(dialog.clone());
            false
        }),
    );
}

/// Closes the menu and moves the focus after a change of the page. `dialog` is the address of the dialog that was closed
/// by it.
#[cfg(feature = "hydrate")]
pub fn enter_page(dialog: Option<String>) {
    const HEADING: &str = "main h1";
    let find = |selector: &str| document().query_selector(selector).ok().flatten();
    // The menu of a narrow window would stay open over the new page.
    if let Some(menu) = find("nav:popover-open") {
        let _ = menu.unchecked_ref::<HtmlElement>().hide_popover();
    }
    let before = find(HEADING);
    let mut entered = dialog.is_some();
    let change = CHANGE.fetch_add(1, Ordering::Relaxed) + 1;
    each_frame(
        FRAMES_MAX,
        Box::new(move || {
            if CHANGE.load(Ordering::Relaxed) != change {
                return true;
            }
            let heading = find(HEADING);
            if !entered {
                // The page before may still be there.
                entered = heading != before && heading.is_some_and(focus_heading);
                return false;
            }
            // The focus is lost with the dialog or the row that held it, and with a heading that is rendered again.
            let is_lost = document()
                .active_element()
                .is_none_or(|focused| focused.tag_name() == "BODY");
            if is_lost {
                let opener = dialog.as_ref().and_then(|dialog| {
                    let path = dialog.split('?').next().unwrap_or_default();
                    find(&format!(
                        r#"main a[href^="{dialog}"], main form[action="{path}"] [type=submit]"#
                    ))
                });
                let _ = opener.is_some_and(focus_opener) || heading.is_some_and(focus_heading);
            }
            false
        }),
    );
}

/// Moves the focus into a part of the page that has just appeared.
#[cfg(feature = "hydrate")]
pub fn enter_part(part: &Element) {
    let first = part.query_selector("[autofocus]");
    let _ = first.ok().flatten().is_some_and(focus);
}

/// Moves the focus in a form that was refused.
#[cfg(feature = "hydrate")]
pub fn enter_refused(form: leptos::web_sys::HtmlFormElement) {
    // The errors are in the next frame.
    each_frame(
        2,
        Box::new(move || {
            let invalid = form.query_selector("[aria-invalid=true]");
            invalid.ok().flatten().is_some_and(focus)
        }),
    );
}

/// About two seconds.
#[cfg(feature = "hydrate")]
const FRAMES_MAX: u32 = 120;

/// Calls `step` in each frame until it returns true.
#[cfg(feature = "hydrate")]
fn each_frame(frames: u32, mut step: Box<dyn FnMut() -> bool>) {
    request_animation_frame(move || {
        if !step() && frames > 0 {
            each_frame(frames - 1, step);
        }
    });
}

/// Returns true if the element has the focus now.
#[cfg(feature = "hydrate")]
fn focus(element: Element) -> bool {
    let focusable = element.unchecked_ref::<HtmlElement>();
    let _ = focusable.focus();
    document().active_element() == Some(element)
}

/// Focuses what opened a dialog, or the button of the menu that holds it.
#[cfg(feature = "hydrate")]
fn focus_opener(opener: Element) -> bool {
    let menu = opener.closest("[popover]").ok().flatten();
    let button = menu.and_then(|menu| {
        let button = format!(r#"[popovertarget="{}"]"#, menu.id());
        document().query_selector(&button).ok()?
    });
    focus(button.unwrap_or(opener))
}

#[cfg(feature = "hydrate")]
fn focus_heading(heading: Element) -> bool {
    let _ = heading.set_attribute("tabindex", "-1");
    focus(heading)
}

#[cfg(not(feature = "hydrate"))]
pub fn enter_dialog<T>(_dialog: T) {}

#[cfg(not(feature = "hydrate"))]
pub fn enter_part<T>(_part: &T) {}

#[cfg(not(feature = "hydrate"))]
pub fn enter_page(_dialog: Option<String>) {}
