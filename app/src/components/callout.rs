//! A message in the page.

use super::{
    badge::Tone,
    icon::{Icon, IconName},
};
use leptos::prelude::*;

/// How a message is announced to those who do not see it appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// It was there before; it is read in its place.
    No,
    /// When there is a pause.
    Status,
    /// At once.
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

/// A message with an icon.
#[component]
pub fn Callout(
    /// Its tone, which also chooses the icon.
    tone: Tone,
    /// How it is announced.
    #[prop(default = Announce::No)]
    announce: Announce,
    /// One line, closely set.
    #[prop(optional)]
    small: bool,
    /// Another icon than the tone's.
    #[prop(optional)]
    icon: Option<IconName>,
    /// The message.
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
