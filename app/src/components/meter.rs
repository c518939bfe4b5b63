//! Keys in use against APM Server's limit.

use super::badge::Tone;
use crate::urls;
use leptos::prelude::*;

/// How many keys work, beside how many APM Server remembers in a minute.
#[component]
pub fn KeyLimitMeter(
    /// Keys that work now.
    active: u64,
    /// The limit from the settings.
    limit: u32,
    /// Why there may be more keys.
    #[prop(optional_no_strip)]
    uncounted: Option<&'static str>,
    /// Whether to offer the way to the settings.
    #[prop(optional)]
    link: bool,
) -> impl IntoView {
    let limit_count = u64::from(limit);
    let tone = limit_tone(active, limit);
    // The scale leaves room beyond whichever is larger, so that both marks stay visible.
    let scale = limit_count.max(active).max(1).saturating_mul(115);
    let percent = |count: u64| format!("{}%", count.saturating_mul(10_000) / scale);
    // A variable, because a browser draws a part of a drawing that holds nothing variable as if it were no drawing.
    let full = "100%";
    let at_least = uncounted.map_or("", |_| "At least ");
    let text = format!("{at_least}{active} of {limit} unique keys per minute");
    let note = if active > limit_count {
        "Over the limit: APM Server will refuse some agents.".to_owned()
    } else if active.saturating_mul(2) > limit_count {
        "Enough for now. During a rotation every key counts twice.".to_owned()
    } else {
        "Room to rotate every key.".to_owned()
    };
    let note = match uncounted {
        Some(why) if active <= limit_count => why.to_owned(),
        Some(why) => format!("{note} {why}"),
        None => note,
    };
    view! {
        <div class="meter" data-tone=tone.word()>
            <p data-part="text">
                <b>{at_least} {active} " of " {limit}</b>
                " unique keys per minute "
                {link.then(|| view! { <a href=urls::apm_integration()>"Change the limit"</a> })}
            </p>
            <svg
                role="meter"
                aria-label="Unique keys per minute"
                aria-valuemin="0"
                aria-valuemax=limit_count.max(active)
                aria-valuenow=active
                aria-valuetext=text
            >
                <rect data-part="track" width=full></rect>
                <rect data-part="fill" width=percent(active)></rect>
                <rect data-part="limit" x=percent(limit_count)></rect>
            </svg>
            <p data-part="note">{note}</p>
        </div>
    }
    .into_any()
}

/// Danger beyond the limit, warning where a rotation of every key would go beyond it.
pub fn limit_tone(active: u64, limit: u32) -> Tone {
    let limit = u64::from(limit);
    if active > limit {
        Tone::Danger
    } else if active.saturating_mul(2) > limit {
        Tone::Warning
    } else {
        Tone::Success
    }
}
