//! Icons on a 16 px grid. The document holds each drawing once, and icons refer to it.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IconName {
    Key,
    Plus,
    Search,
    Down,
    Right,
    Left,
    Sort,
    Check,
    Pass,
    Warn,
    Fail,
    Info,
    Skip,
    X,
    Copy,
    Eye,
    Rotate,
    Revoke,
    Lock,
    Users,
    Log,
    Menu,
    More,
    Clock,
    Download,
    Plug,
    Server,
    Signout,
    Off,
    Unplug,
}

impl IconName {
    fn href(self) -> &'static str {
        match self {
            Self::Key => "#i-key",
            Self::Plus => "#i-plus",
            Self::Search => "#i-search",
            Self::Down => "#i-down",
            Self::Right => "#i-right",
            Self::Left => "#i-left",
            Self::Sort => "#i-sort",
            Self::Check => "#i-check",
            Self::Pass => "#i-pass",
            Self::Warn => "#i-warn",
            Self::Fail => "#i-fail",
            Self::Info => "#i-info",
            Self::Skip => "#i-skip",
            Self::X => "#i-x",
            Self::Copy => "#i-copy",
            Self::Eye => "#i-eye",
            Self::Rotate => "#i-rotate",
            Self::Revoke => "#i-revoke",
            Self::Lock => "#i-lock",
            Self::Users => "#i-users",
            Self::Log => "#i-log",
            Self::Menu => "#i-menu",
            Self::More => "#i-more",
            Self::Clock => "#i-clock",
            Self::Download => "#i-download",
            Self::Plug => "#i-plug",
            Self::Server => "#i-server",
            Self::Signout => "#i-signout",
            Self::Off => "#i-off",
            Self::Unplug => "#i-unplug",
        }
    }
}

/// A decorative icon. The text beside it carries the meaning.
#[component]
pub fn Icon(
    name: IconName,
    /// Size other than the text's, for example `lg`.
    #[prop(optional)]
    size: Option<&'static str>,
    #[prop(optional)] tone: Option<&'static str>,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" data-size=size data-tone=tone>
            <use href=name.href()></use>
        </svg>
    }
    .into_any()
}

/// The product's logo.
#[component]
pub fn Mark(
    /// For example `lg`.
    #[prop(optional)]
    size: Option<&'static str>,
) -> impl IntoView {
    view! {
        <svg class="mark" aria-hidden="true" data-size=size>
            <use href="#mark"></use>
        </svg>
    }
    .into_any()
}

/// All drawings, outside the hydrated part of the document.
#[component]
pub fn Sprite() -> impl IntoView {
    view! { <svg xmlns="http://www.w3.org/2000/svg" hidden inner_html=DRAWINGS></svg> }
}

const DRAWINGS: &str = concat!(
    r##"<symbol id="mark" viewBox="0 0 28 28"><rect width="28" height="28" rx="6" fill="#1857cf"/><path d="M0 20 20 0h2a6 6 0 0 1 6 6v16a6 6 0 0 1-6 6H6a6 6 0 0 1-6-6Z" fill="#2a6be6"/><g fill="none" stroke="#fff" stroke-width="2.200" stroke-linecap="round" stroke-linejoin="round"><circle cx="10" cy="18" r="4"/><path d="m12.900 15.100 8.100-8.100M17.500 10.500l3 3"/></g></symbol>"##,
    r##"<symbol id="i-key" viewBox="0 0 16 16"><g><circle cx="5.25" cy="10.75" r="2.75"/><path d="m7.2 8.8 5.9-5.9M10.6 5.4l2.1 2.1M12.4 3.6l1.2 1.2"/></g></symbol>"##,
    r##"<symbol id="i-plus" viewBox="0 0 16 16"><g><path d="M8 3v10M3 8h10"/></g></symbol>"##,
    r##"<symbol id="i-search" viewBox="0 0 16 16"><g><circle cx="7" cy="7" r="4.25"/><path d="m10.2 10.2 3.3 3.3"/></g></symbol>"##,
    r##"<symbol id="i-down" viewBox="0 0 16 16"><g><path d="m4 6.2 4 4 4-4"/></g></symbol>"##,
    r##"<symbol id="i-right" viewBox="0 0 16 16"><g><path d="m6.2 4 4 4-4 4"/></g></symbol>"##,
    r##"<symbol id="i-left" viewBox="0 0 16 16"><g><path d="m9.8 4-4 4 4 4"/></g></symbol>"##,
    r##"<symbol id="i-sort" viewBox="0 0 16 16"><g><path d="M8 3v10M4.5 9.5 8 13l3.5-3.5"/></g></symbol>"##,
    r##"<symbol id="i-check" viewBox="0 0 16 16"><g><path d="m3.2 8.4 3.2 3.2 6.4-6.8"/></g></symbol>"##,
    r##"<symbol id="i-pass" viewBox="0 0 16 16"><g><circle cx="8" cy="8" r="6"/><path d="m5.3 8.2 1.9 1.9 3.5-3.8"/></g></symbol>"##,
    r##"<symbol id="i-warn" viewBox="0 0 16 16"><g><path d="M8 2.4 14.2 13.2H1.8Z"/><path d="M8 6.6v3"/><circle cx="8" cy="11.3" r="0.4" fill="currentColor" stroke="none"/></g></symbol>"##,
    r##"<symbol id="i-fail" viewBox="0 0 16 16"><g><circle cx="8" cy="8" r="6"/><path d="m5.9 5.9 4.2 4.2M10.1 5.9l-4.2 4.2"/></g></symbol>"##,
    r##"<symbol id="i-info" viewBox="0 0 16 16"><g><circle cx="8" cy="8" r="6"/><path d="M8 7.4v3.4"/><circle cx="8" cy="5.2" r="0.5" fill="currentColor" stroke="none"/></g></symbol>"##,
    r##"<symbol id="i-skip" viewBox="0 0 16 16"><g><circle cx="8" cy="8" r="6"/><path d="M5.4 8h5.2"/></g></symbol>"##,
    r##"<symbol id="i-x" viewBox="0 0 16 16"><g><path d="m4 4 8 8M12 4l-8 8"/></g></symbol>"##,
    r##"<symbol id="i-copy" viewBox="0 0 16 16"><g><rect x="5.5" y="5.5" width="8" height="8" rx="1.25"/><path d="M3.5 10.5h-.25A.75.75 0 0 1 2.5 9.75v-6.5a.75.75 0 0 1 .75-.75h6.5a.75.75 0 0 1 .75.75v.25"/></g></symbol>"##,
    r##"<symbol id="i-eye" viewBox="0 0 16 16"><g><path d="M1.6 8S3.9 3.8 8 3.8 14.4 8 14.4 8 12.1 12.2 8 12.2 1.6 8 1.6 8Z"/><circle cx="8" cy="8" r="1.9"/></g></symbol>"##,
    r##"<symbol id="i-rotate" viewBox="0 0 16 16"><g><path d="M13.2 6.4A5.5 5.5 0 0 0 3.6 4.7L2.4 6M2.4 2.8V6h3.2M2.8 9.6a5.5 5.5 0 0 0 9.6 1.7l1.2-1.3M13.6 13.2V10h-3.2"/></g></symbol>"##,
    r##"<symbol id="i-revoke" viewBox="0 0 16 16"><g><circle cx="8" cy="8" r="5.75"/><path d="m4 4 8 8"/></g></symbol>"##,
    r##"<symbol id="i-lock" viewBox="0 0 16 16"><g><rect x="3.25" y="7.25" width="9.5" height="6.5" rx="1.25"/><path d="M5.25 7V5a2.75 2.75 0 0 1 5.5 0v2"/></g></symbol>"##,
    r##"<symbol id="i-users" viewBox="0 0 16 16"><g><circle cx="6" cy="5.4" r="2.3"/><path d="M1.6 13.2c.3-2.3 2.1-3.7 4.4-3.7s4.1 1.4 4.4 3.7M10.6 3.3a2.3 2.3 0 0 1 0 4.2M12 9.8c1.4.5 2.2 1.7 2.4 3.4"/></g></symbol>"##,
    r##"<symbol id="i-log" viewBox="0 0 16 16"><g><rect x="2.75" y="2.25" width="10.5" height="11.5" rx="1.25"/><path d="M5.5 5.5h5M5.5 8h5M5.5 10.5h3"/></g></symbol>"##,
    r##"<symbol id="i-menu" viewBox="0 0 16 16"><g><path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/></g></symbol>"##,
    r##"<symbol id="i-more" viewBox="0 0 16 16"><g fill="currentColor" stroke="none"><circle cx="3.5" cy="8" r="1.2"/><circle cx="8" cy="8" r="1.2"/><circle cx="12.5" cy="8" r="1.2"/></g></symbol>"##,
    r##"<symbol id="i-clock" viewBox="0 0 16 16"><g><circle cx="8" cy="8" r="6"/><path d="M8 4.7V8l2.2 1.5"/></g></symbol>"##,
    r##"<symbol id="i-download" viewBox="0 0 16 16"><g><path d="M8 2.5v7.7M4.8 7.2 8 10.4l3.2-3.2M2.75 13.25h10.5"/></g></symbol>"##,
    r##"<symbol id="i-plug" viewBox="0 0 16 16"><g><path d="M5.7 1.9v3M10.3 1.9v3M3.7 5.2h8.6v1.9a4.3 4.3 0 0 1-8.6 0ZM8 11.5v2.7"/></g></symbol>"##,
    r##"<symbol id="i-server" viewBox="0 0 16 16"><g><rect x="2.25" y="2.5" width="11.5" height="4.5" rx="1.25"/><rect x="2.25" y="9" width="11.5" height="4.5" rx="1.25"/><circle cx="4.8" cy="4.75" r="0.5" fill="currentColor" stroke="none"/><circle cx="4.8" cy="11.25" r="0.5" fill="currentColor" stroke="none"/></g></symbol>"##,
    r##"<symbol id="i-signout" viewBox="0 0 16 16"><g><path d="M6.5 13.5h-3a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1h3M10.3 11.2 13.5 8l-3.2-3.2M13.2 8H6.5"/></g></symbol>"##,
    r##"<symbol id="i-off" viewBox="0 0 16 16"><g><path d="M5 3.8a5.5 5.5 0 1 0 6 0M8 1.9v5.6"/></g></symbol>"##,
    r##"<symbol id="i-unplug" viewBox="0 0 16 16"><g><path d="m2 14 2.3-2.3M11.7 4.3 14 2M4.3 11.7a2.7 2.7 0 0 1 0-3.8l1.3-1.3 3.8 3.8-1.3 1.3a2.7 2.7 0 0 1-3.8 0ZM7.7 4.6 8 4.3a2.7 2.7 0 0 1 3.7 3.7l-.3.3"/></g></symbol>"##,
);
