//! Badges and times.
//!
//! Callouts: messages in the page.
//!
//! Keys in use against APM Server's limit.

use crate::{
    components::icon::{Icon, IconName},
    model::{apm_settings::KeysInUse, text::grouped, timestamp::Timestamp},
    urls,
};
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

/// Number of active keys, with “At least” if there may be more.
#[component]
pub fn KeyCount(keys: KeysInUse) -> impl IntoView {
    keys.to_string()
}

/// Active keys compared with APM Server's limit.
#[component]
pub fn KeyLimitMeter(
    keys: KeysInUse,
    /// Limit from the settings.
    limit: u32,
    /// True to link to the settings.
    #[prop(optional)]
    link: bool,
) -> impl IntoView {
    let counted = keys.counted;
    let limit_count = u64::from(limit);
    let tone = limit_tone(keys, limit);
    // The scale is 15 % longer than the larger value, so that both marks stay visible.
    let scale = limit_count.max(counted).max(1).saturating_mul(115);
    let percent = |count: u64| format!("{}%", count.saturating_mul(10_000) / scale);
    // Dynamic, because a static SVG part would be created without its namespace in the browser.
    let full = "100%";
    let limit_text = grouped(limit_count);
    let text = format!("{keys} of {limit_text} unique keys per minute");
    let note = limit_note(keys, limit);
    view! {
        <div class="meter" data-tone=tone.word()>
            <p data-part="text">
                <b><KeyCount keys /> " of " {limit_text}</b>
                " unique keys per minute "
                {link.then(|| view! { <a href=urls::apm_integration()>"Change the limit"</a> })}
            </p>
            <svg
                role="meter"
                aria-label="Unique keys per minute"
                aria-valuemin="0"
                aria-valuemax=limit_count.max(counted)
                aria-valuenow=counted
                aria-valuetext=text
            >
                <rect data-part="track" width=full></rect>
                <rect data-part="fill" width=percent(counted)></rect>
                <rect data-part="limit" x=percent(limit_count)></rect>
            </svg>
            <p data-part="note">{note}</p>
        </div>
    }
    .into_any()
}

/// Returns the meaning of the tone, and why there may be more keys.
fn limit_note(keys: KeysInUse, limit: u32) -> String {
    let note = match (limit_tone(keys, limit), keys.uncounted) {
        (Tone::Danger, _) => "Over the limit. APM Server will reject some agents.",
        (Tone::Warning, None) => "Enough for now. During a rotation every key counts twice.",
        (Tone::Warning, Some(_)) => "Too low to rotate these keys, because each counts twice.",
        (_, None) => "Enough to rotate every key.",
        (_, Some(_)) => "It is unknown if the limit is high enough.",
    };
    match keys.uncounted {
        Some(why) => format!("{why} {note}"),
        None => note.to_owned(),
    }
}

/// Returns danger beyond the limit, warning if a rotation of every key would exceed it, neutral if keys are not counted.
pub fn limit_tone(keys: KeysInUse, limit: u32) -> Tone {
    let limit = u64::from(limit);
    if keys.counted > limit {
        Tone::Danger
    } else if keys.counted.saturating_mul(2) > limit {
        Tone::Warning
    } else if keys.uncounted.is_some() {
        Tone::Neutral
    } else {
        Tone::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::apm_settings::Uncounted;

    #[test]
    fn limit_is_not_judged_when_only_own_keys_are_counted() {
        let own = |counted| KeysInUse {
            counted,
            uncounted: Some(Uncounted::OtherOwners),
        };
        assert_eq!(limit_tone(own(3), 100), Tone::Neutral);
        assert_eq!(
            limit_note(own(3), 100),
            "Only your own keys are counted. It is unknown if the limit is high enough."
        );
        // More keys cannot make it better.
        assert_eq!(limit_tone(own(51), 100), Tone::Warning);
        assert_eq!(limit_tone(own(101), 100), Tone::Danger);
        let all = KeysInUse {
            counted: 3,
            uncounted: None,
        };
        assert_eq!(limit_tone(all, 100), Tone::Success);
        assert_eq!(limit_note(all, 100), "Enough to rotate every key.");
    }
}
