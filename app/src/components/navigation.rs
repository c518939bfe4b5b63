//! The top bar with the choice of theme, and the navigation beside every page.

use crate::{
    api::sessions::{SetTheme, SignOut},
    components::{
        form::PlainForm,
        icon::{Icon, IconName, Mark},
    },
    model::{session::Viewer, theme::Theme},
    urls,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// Start of the top bar: menu button, product name, page name. Needs no data.
#[component]
pub fn TopbarStart(title: Signal<&'static str>) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button"
            data-part="menu"
            data-variant="ghost"
            data-icon-only
            popovertarget="nav"
            aria-label="Menu"
        >
            <Icon name=IconName::Menu size="lg" />
        </button>
        <a data-part="brand" href=urls::agent_keys()>
            <Mark />
            <span>"Agent Keys"</span>
        </a>
        <nav class="breadcrumbs" aria-label="Breadcrumb">
            <ol>
                <li><span aria-current="page">{title}</span></li>
            </ol>
        </nav>
    }
    .into_any()
}

/// End of the top bar: cluster and user.
#[component]
pub fn TopbarEnd(viewer: Viewer) -> impl IntoView {
    let cluster_name = match &viewer.cluster.about {
        Some(about) => about.name.clone(),
        None => "Elasticsearch".to_owned(),
    };
    let is_down = viewer.cluster.is_down;
    let tone = if is_down { "warning" } else { "success" };
    let cluster_state = match &viewer.cluster.about {
        _ if is_down => Some("Not responding".to_owned()),
        Some(about) => Some(format!("Elasticsearch {}", about.version)),
        None => None,
    };
    let cluster_title = if is_down {
        "Cluster not responding"
    } else {
        "Connected cluster"
    };
    let who = viewer.username.clone();
    let may_change_password = viewer.access.own_password.is_granted();
    view! {
            <button type="button" class="cluster" data-tone=tone popovertarget="cluster-info">
                <span class="dot"></span>
                {cluster_name}
                " "
                {cluster_state.map(|state| view! { <small>{state}</small> })}
            </button>
            <button
                type="button"
                class="user-button"
                popovertarget="user-menu"
                aria-label=format!("User menu: {who}")
            >
                <span class="avatar" aria-hidden="true">{initials(&who)}</span>
                <span>{who.clone()}</span>
                <Icon name=IconName::Down />
            </button>
        <div class="popover" id="cluster-info" popover="auto">
            <p data-part="title">{cluster_title}</p>
            <ul class="menu" role="list">
                <li data-part="text">
                    <Icon name=IconName::Server />
                    <span>
                        {viewer.cluster.url.clone()}
                        {viewer.cluster.embedded.then(|| view! { <small>" embedded engine"</small> })}
                    </span>
                </li>
            </ul>
        </div>
        <div class="popover" id="user-menu" popover="auto">
            <p data-part="title">"Signed in"</p>
            <ul class="menu" role="list">
                <li data-part="text">
                    <Icon name=IconName::Lock />
                    <span>
                        {who}
                        <small>" realm " {viewer.realm.clone()}</small>
                    </span>
                </li>
                <li><ThemeChoice /></li>
                {may_change_password
                    .then(|| {
                        view! {
                            <li>
                                <a href=urls::own_password()>
                                    <Icon name=IconName::Lock />
                                    <span>"Change password"</span>
                                </a>
                            </li>
                        }
                    })}
                <li>
                    <a href=urls::sessions()>
                        <Icon name=IconName::Clock />
                        <span>"Your sessions"</span>
                    </a>
                </li>
            </ul>
        </div>
    }
    .into_any()
}

/// Sign-out button. Works without Elasticsearch. Always a plain form post: leaving the page removes the user's data from
/// the browser's memory.
#[component]
pub fn SignOutButton() -> impl IntoView {
    view! {
        <PlainForm<SignOut>>
            <button class="button sign-out" data-variant="ghost" data-size="sm" type="submit">
                <Icon name=IconName::Signout />
                <span>"Sign out"</span>
            </button>
        </PlainForm<SignOut>>
    }
    .into_any()
}

/// Returns the initials of the first two words, or the first two letters of a single word.
pub fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let letters: String = match (words.next(), words.next()) {
        (Some(first), Some(second)) => first
            .chars()
            .take(1)
            .chain(second.chars().take(1))
            .collect(),
        (Some(only), None) => only.chars().take(2).collect(),
        (None, _) => "?".to_owned(),
    };
    letters.to_uppercase()
}

/// Links to the pages that every user may open, and `children` for the others.
#[component]
pub fn Sidenav(children: Children) -> impl IntoView {
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
                {children()}
                <p data-part="foot">"Version " {env!("CARGO_PKG_VERSION")} <span data-needs-no-script><br /> "Times in UTC"</span></p>
            </div>
        </nav>
    }
    .into_any()
}

/// Links to the pages for users with `manage_security`.
#[component]
pub fn AccessSection() -> impl IntoView {
    view! {
        <div data-part="section">
            <h2>"Access"</h2>
            <Item href=urls::users() icon=IconName::Users text="Users and roles" />
            <Item href=urls::audit() icon=IconName::Log text="Audit log" />
        </div>
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

/// Returns the theme of the page, from the cookie of the request.
#[cfg(feature = "server")]
pub fn current_theme() -> Theme {
    use crate::model::theme::COOKIE;
    let request = use_context::<http::request::Parts>();
    let cookies = request.and_then(|request| {
        let cookies = request.headers.get(http::header::COOKIE)?;
        cookies.to_str().ok().map(str::to_owned)
    });
    cookies
        .iter()
        .flat_map(|cookies| cookies.split("; "))
        .find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
        .and_then(|theme| theme.parse().ok())
        .unwrap_or_default()
}

/// Returns the theme of the page, from the document.
#[cfg(not(feature = "server"))]
pub fn current_theme() -> Theme {
    let page = document().document_element();
    let theme = page.and_then(|page| page.get_attribute("data-theme"));
    theme
        .and_then(|theme| theme.parse().ok())
        .unwrap_or_default()
}

/// Buttons that choose the theme. Always a plain form post, because the server draws the document.
#[component]
pub fn ThemeChoice() -> impl IntoView {
    let current = current_theme();
    let choices: Vec<_> = Theme::ALL
        .iter()
        .map(|&theme| {
            let pressed = if theme == current { "true" } else { "false" };
            view! {
                <button type="submit" name="theme" value=theme.word() aria-pressed=pressed>
                    <Icon name=IconName::Check />
                    <span>{theme.label()}</span>
                </button>
            }
        })
        .collect();
    view! { <PlainForm<SetTheme>>{choices}</PlainForm<SetTheme>> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_are_at_most_two_letters() {
        assert_eq!(initials("d.whitfield"), "DW");
        assert_eq!(initials("elastic"), "EL");
        assert_eq!(initials("x"), "X");
        assert_eq!(initials("…"), "?");
    }
}
