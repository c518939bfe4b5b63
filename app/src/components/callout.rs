//! Callouts: messages in the page.

use super::{
    badge::Tone,
    icon::{Icon, IconName},
};
use leptos::prelude::*;

/// Announcement of a message by a screen reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Not announced; read in its place.
    No,
    /// Announced in the next pause.
    Status,
    /// Announced at once.
    Alert,
}

impl Announce {
    fn role(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Status => Some("status"),
            Self::Alert => Some("alert"),
        }
    }
}

#[component]
pub fn Callout(
    /// Also determines the default icon.
    tone: Tone,
    #[prop(default = Announce::No)] announce: Announce,
    /// True for a compact message.
    #[prop(optional)]
    small: bool,
    #[prop(optional)] icon: Option<IconName>,
    children: Children,
) -> impl IntoView {
    let icon = icon.unwrap_or(match tone {
        Tone::Neutral | Tone::Accent => IconName::Info,
        Tone::Success => IconName::Pass,
        Tone::Warning => IconName::Warn,
        Tone::Danger => IconName::Fail,
    });
    view! {
        <div class="callout" data-tone=tone.word() data-size=small.then_some("sm") role=announce.role()>
            <Icon name=icon />
            <div>{children()}</div>
        </div>
    }
    .into_any()
}
