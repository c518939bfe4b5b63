//! Components that the list, the dialogs and the page of a key share: status, privileges, labels.

use crate::{
    components::{
        badge::{Badge, Time, TimeFormat, Tone},
        icon::IconName,
    },
    model::{
        agent_key::{Delivery, KeyRights, KeyStatus, Labels},
        text::visible,
        timestamp::Timestamp,
    },
};
use leptos::prelude::*;

/// Privileges of a key, with a warning if it grants more than an agent needs.
pub(crate) fn rights_badges(rights: &KeyRights) -> AnyView {
    let names: Vec<_> = rights
        .privileges()
        .iter()
        .map(|name| view! { <Badge text=name.clone() variant="code" /> })
        .collect();
    let finding = rights
        .finding()
        .map(|finding| view! { <Badge tone=Tone::Warning text=finding /> });
    let not_told = (*rights == KeyRights::NotTold).then(|| {
        view! { <span class="muted" title="Elasticsearch before 8.5 does not show what a key grants">"Not shown"</span> }
    });
    view! { {names} {finding} {not_told} }.into_any()
}

/// Warning about a key whose secret may not have been delivered.
#[component]
pub(super) fn DeliveryBadge(delivery: Delivery) -> impl IntoView {
    let text = match delivery {
        Delivery::MadeElsewhere | Delivery::Confirmed | Delivery::Awaited => return None,
        Delivery::Unconfirmed => "Secret not confirmed",
        Delivery::Never => "Secret lost",
        Delivery::NotRecorded => "Creation not recorded",
    };
    Some(view! {
        <div data-part="secondary">
            <Badge tone=Tone::Warning icon=IconName::Warn text=text />
        </div>
    })
}

#[component]
pub(super) fn LabelTags(labels: Labels) -> impl IntoView {
    let tags: Vec<_> = [
        ("service", labels.service),
        ("environment", labels.environment),
        ("team", labels.team),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .map(|(name, value)| {
        let value = visible(&value);
        let title = format!("{name}: {value}");
        view! {
            <span class="tag" title=title>
                <span><span class="visually-hidden">{name} ": "</span><bdi>{value}</bdi></span>
            </span>
        }
    })
    .collect();
    (!tags.is_empty()).then(|| view! { <span class="labels">{tags}</span> })
}

/// Status of a key, and the date of its end.
#[component]
pub fn StatusBadge(
    status: KeyStatus,
    /// Time of the server's clock.
    now: Timestamp,
) -> impl IntoView {
    let soon = status.expires_soon(now);
    let date = |at| view! { <Time at format=TimeFormat::Date /> }.into_any();
    let (tone, icon, word, more) = match status {
        KeyStatus::Active { until: None } => (
            Tone::Success,
            IconName::Pass,
            "Active",
            "Never expires".into_any(),
        ),
        KeyStatus::Active { until: Some(until) } if soon => {
            (Tone::Warning, IconName::Clock, "Expires in ", date(until))
        }
        KeyStatus::Active { until: Some(until) } => {
            let more = view! { "Until " {date(until)} }.into_any();
            (Tone::Success, IconName::Pass, "Active", more)
        }
        KeyStatus::Expired { at } => (Tone::Neutral, IconName::Skip, "Expired", date(at)),
        KeyStatus::Revoked { at } => (
            Tone::Neutral,
            IconName::Revoke,
            "Revoked",
            at.map(date).into_any(),
        ),
    };
    let time = match status {
        KeyStatus::Active { until: Some(at) } if soon => {
            view! { <Time at format=TimeFormat::Until(now) /> }.into_any()
        }
        _ => ().into_any(),
    };
    view! {
        <Badge tone icon text=word time />
        <div data-part="secondary">{more}</div>
    }
    .into_any()
}

/// Returns a text from Elasticsearch with its invisible characters written out, or a dash for an empty one.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() {
        "—".to_owned()
    } else {
        visible(text)
    }
}

/// Explains how long a revoked key in a cache may still work, and how to clear the caches.
#[component]
pub fn InCache(
    /// The key's id, or `*` for every key.
    #[prop(into)]
    ids: String,
) -> impl IntoView {
    view! {
        "Elasticsearch could not clear the key cache of every node. Some nodes may accept a revoked key for up to 15 minutes, and APM Server for a minute more. To clear the caches now, an administrator with manage_security can send "
        <code>"POST /_security/api_key/" {ids} "/_clear_cache"</code>
        "."
    }
    .into_any()
}
