//! Keyboard focus, the same on all pages.
//!
//! * A dialog opens on its first field.
//! * A refused form moves to its first invalid field.
//! * Closing a dialog returns to what opened it.
//! * Going to a page moves to its heading.
//!
//! Content arrives later than its address, so each rule waits for it, frame by frame.

#[cfg(feature = "hydrate")]
use leptos::{
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement},
};
#[cfg(feature = "hydrate")]
use std::sync::atomic::{AtomicU32, Ordering};

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
