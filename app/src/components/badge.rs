//! Badges and times.

use super::icon::{Icon, IconName};
use crate::model::timestamp::Timestamp;
use leptos::prelude::*;

/// What a colour says. It never says it alone: words stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Neutral,
    /// A note.
    Accent,
    /// As it should be.
    Success,
    /// Needs attention soon.
    Warning,
    /// Needs attention now, or cannot be undone.
    Danger,
}

impl Tone {
    /// The word that the style sheet knows.
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

/// A badge.
#[component]
pub fn Badge(
    /// Its tone.
    #[prop(default = Tone::Neutral)]
    tone: Tone,
    /// An icon before the words.
    #[prop(optional)]
    icon: Option<IconName>,
    /// `code`, `outline` or `dot`.
    #[prop(optional)]
    variant: Option<&'static str>,
    /// The words.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    view! {
        <span class="badge" data-tone=tone.word() data-variant=variant>
            {icon.map(|name| view! { <Icon name /> })}
            {text}
        </span>
    }
    .into_any()
}

/// A moment in the past.
#[component]
pub fn Time(
    /// When.
    at: Timestamp,
    /// The moment from which it is seen: the server's, so that both halves draw the same.
    now: Timestamp,
) -> impl IntoView {
    view! { <time datetime=at.iso() title=at.date_and_minute()>{at.ago(now)}</time> }
}
