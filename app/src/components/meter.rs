//! Keys in use against APM Server's limit.

use super::badge::Tone;
use crate::{model::apm_settings::KeysInUse, urls};
use leptos::prelude::*;

/// How many keys work, with “At least” where there may be more.
#[component]
pub fn KeyCount(
    /// The keys.
    keys: KeysInUse,
) -> impl IntoView {
    keys.to_string()
}

/// How many keys work, beside how many APM Server remembers in a minute.
#[component]
pub fn KeyLimitMeter(
    /// Keys that work now.
    keys: KeysInUse,
    /// The limit from the settings.
    limit: u32,
    /// Whether to offer the way to the settings.
    #[prop(optional)]
    link: bool,
) -> impl IntoView {
    let counted = keys.counted;
    let limit_count = u64::from(limit);
    let tone = limit_tone(keys, limit);
    // The scale leaves room beyond whichever is larger, so that both marks stay visible.
    let scale = limit_count.max(counted).max(1).saturating_mul(115);
    let percent = |count: u64| format!("{}%", count.saturating_mul(10_000) / scale);
    // A variable, because a browser draws a part of a drawing that holds nothing variable as if it were no drawing.
    let full = "100%";
    let text = format!("{keys} of {limit} unique keys per minute");
    let note = limit_note(keys, limit);
    view! {
        <div class="meter" data-tone=tone.word()>
            <p data-part="text">
                <b><KeyCount keys /> " of " {limit}</b>
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

/// What the tone means, and why there may be more keys. There is not certainly room for keys that are not counted.
fn limit_note(keys: KeysInUse, limit: u32) -> String {
    let note = match limit_tone(keys, limit) {
        Tone::Danger => "Over the limit: APM Server will refuse some agents.",
        Tone::Warning => "Enough for now. During a rotation every key counts twice.",
        _ => match keys.uncounted {
            Some(why) => return why.to_string(),
            None => "Room to rotate every key.",
        },
    };
    keys.uncounted
        .map_or_else(|| note.to_owned(), |why| format!("{note} {why}"))
}

/// Danger beyond the limit, warning where a rotation of every key would go beyond it.
pub fn limit_tone(keys: KeysInUse, limit: u32) -> Tone {
    let limit = u64::from(limit);
    if keys.counted > limit {
        Tone::Danger
    } else if keys.counted.saturating_mul(2) > limit {
        Tone::Warning
    } else {
        Tone::Success
    }
}
