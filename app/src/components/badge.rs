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
    /// A time after the text.
    #[prop(optional)]
    time: Option<AnyView>,
) -> impl IntoView {
    view! {
        <span class="badge" data-tone=tone.word() data-variant=variant>
            {icon.map(|name| view! { <Icon name /> })}
            {text}
            {time}
        </span>
    }
    .into_any()
}

/// Format of a [`Time`]. The relative ones take the time of the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// For example `14 Dec 2026`.
    Date,
    /// For example `14 Dec 2026, 10:42`.
    Minute,
    /// For example `14 Dec 2026, 10:42:07`.
    Second,
    /// For example `10:42:07`.
    TimeOfDay,
    /// For example `12 minutes ago`.
    Ago(Timestamp),
    /// For example `6 days`.
    Until(Timestamp),
}

/// A point in time. The server writes UTC; with script, `browser.js` writes the time zone of the browser, with both in the
/// tooltip.
#[component]
pub fn Time(at: Timestamp, format: TimeFormat) -> impl IntoView {
    let (word, text) = match format {
        TimeFormat::Date => ("date", at.date()),
        TimeFormat::Minute => ("minute", at.date_and_minute()),
        TimeFormat::Second => ("second", at.date_and_second()),
        TimeFormat::TimeOfDay => ("time", at.time_of_day()),
        TimeFormat::Ago(now) => ("ago", at.ago(now)),
        TimeFormat::Until(now) => ("until", at.until(now)),
    };
    view! { <time datetime=at.iso() data-as=word title=at.date_and_second()>{text}</time> }
}
