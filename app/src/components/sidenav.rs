//! The way between pages: a column, a rail, or a drawer on a phone.

use super::icon::{Icon, IconName};
use crate::urls;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The navigation.
#[component]
pub fn Sidenav() -> impl IntoView {
    view! {
        <nav class="sidenav" id="nav" popover="auto" aria-label="Main">
            <div data-part="list">
                <button
                    type="button"
                    class="button"
                    data-part="close"
                    data-variant="ghost"
                    data-icon-only
                    popovertarget="nav"
                    popovertargetaction="hide"
                    aria-label="Close menu"
                >
                    <Icon name=IconName::X size="lg" />
                </button>
                <div data-part="section">
                    <h2>"Keys"</h2>
                    <Item href=urls::agent_keys() icon=IconName::Key text="Agent keys" />
                </div>
                <div data-part="section">
                    <h2>"APM Server"</h2>
                    <Item href=urls::apm_integration() icon=IconName::Plug text="APM integration" />
                </div>
                <div data-part="section">
                    <h2>"Access"</h2>
                    <Item href=urls::users() icon=IconName::Users text="Users and roles" />
                    <Item href=urls::audit() icon=IconName::Log text="Audit log" />
                </div>
                <p data-part="foot">"Version " {env!("CARGO_PKG_VERSION")} <br /> "Times in UTC"</p>
            </div>
        </nav>
    }
    .into_any()
}

#[component]
fn Item(href: String, icon: IconName, text: &'static str) -> impl IntoView {
    let location = use_location();
    let page = href.clone();
    let current = move || {
        location
            .pathname
            .read()
            .starts_with(&page)
            .then_some("page")
    };
    view! {
        <a data-part="item" href=href aria-current=current>
            <Icon name=icon />
            <span>{text}</span>
        </a>
    }
    .into_any()
}
