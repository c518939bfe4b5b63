//! Badges and times.

use super::icon::{Icon, IconName};
use crate::model::timestamp::Timestamp;
use leptos::prelude::*;

/// Tone of a component. Colour is never the only sign: there is always a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Neutral,
    Accent,
    Success,
    Warning,
    /// Needs attention now, or is irreversible.
    Danger,
}

impl Tone {
    /// Returns the value of `data-tone` in the style sheet.
    pub fn word(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Accent => "accent",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

#[component]
pub fn Badge(
    #[prop(default = Tone::Neutral)] tone: Tone,
    #[prop(optional)] icon: Option<IconName>,
    /// `code`, `outline` or `dot`.
    #[prop(optional)]
    variant: Option<&'static str>,
    #[prop(into)] text: String,
) -> impl IntoView {
    view! {
        <span class="badge" data-tone=tone.word() data-variant=variant>
            {icon.map(|name| view! { <Icon name /> })}
            {text}
        </span>
    }
    .into_any()
}

/// A time in the past: relative, with the absolute time as a tooltip.
#[component]
pub fn Time(
    at: Timestamp,
    /// Time of the server's clock, so that server and browser render the same.
    now: Timestamp,
) -> impl IntoView {
    view! { <time datetime=at.iso() title=at.date_and_minute()>{at.ago(now)}</time> }
}
