//! Summary above the list.

use super::list_href;
use crate::{
    components::{
        badge::Tone,
        meter::{KeyLimitMeter, limit_tone},
    },
    model::{
        key_list::{KeyListQuery, KeySummary, StatusFilter},
        text::grouped,
    },
};
use leptos::prelude::*;

/// Number of keys per status, with links to those keys.
#[component]
pub(super) fn Summary(summary: KeySummary) -> impl IntoView {
    let in_use = summary.in_use();
    let tone = limit_tone(in_use, summary.limit);
    let tone = (tone != Tone::Success).then(|| tone.word());
    view! {
        <section class="stats" aria-label="Summary">
            <ul role="list">
                <Figure status=StatusFilter::Active label="Active" tone=Tone::Success count=summary.active />
                <Figure
                    status=StatusFilter::ExpiresSoon
                    label="Expiring within 14 days"
                    tone=Tone::Warning
                    count=summary.expires_soon
                />
                <Figure status=StatusFilter::Expired label="Expired" tone=Tone::Neutral count=summary.expired />
                <Figure status=StatusFilter::Revoked label="Revoked" tone=Tone::Neutral count=summary.revoked />
                <li data-part="wide" data-tone=tone>
                    <KeyLimitMeter keys=in_use limit=summary.limit link=true />
                </li>
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Figure(status: StatusFilter, label: &'static str, tone: Tone, count: u64) -> impl IntoView {
    let href = list_href(&KeyListQuery {
        status: vec![status],
        ..KeyListQuery::default()
    });
    let count = grouped(count);
    let name = format!("{label}: {count}. Show these keys");
    view! {
        <li>
            <p data-part="label">
                <span class="dot" data-tone=tone.word()></span>
                {label}
            </p>
            <a data-part="value" href=href aria-label=name>
                {count}
            </a>
        </li>
    }
    .into_any()
}
