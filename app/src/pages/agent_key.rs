//! Page of one key.

use crate::pages::agent_keys::{
    NoticeCallout,
    table::{InCache, StatusBadge, or_dash, rights_badges},
};
use crate::{
    api::{agent_keys::find_agent_key, page_resource},
    components::{
        icon::{Icon, IconName},
        problem::ProblemPrompt,
        status::{Callout, Time, TimeFormat, Tone},
    },
    model::{
        agent_key::{Delivery, FoundAgentKey, KeyId, KeyRights, KeySource, KeyStatus},
        problem::{Problem, ProblemKind},
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

#[component]
pub fn AgentKeyPage() -> impl IntoView {
    let parameters = use_params_map();
    let id = move || parameters.read().get("id").unwrap_or_default();
    let retry = move |problem: &Problem| match (&problem.kind, KeyId::parse(&id())) {
        (ProblemKind::Elasticsearch(_), Some(id)) => urls::agent_key(&id),
        _ => urls::agent_keys(),
    };
    let key = page_resource(id, find_agent_key);
    view! {
        <main id="main" class="page">
            <Suspense fallback=|| view! { <p role="status">"Loading the key"</p> }>
                {move || Suspend::new(async move {
                    match key.await {
                        Ok(found) => view! { <Key found /> }.into_any(),
                        Err(problem) => view! {
                            <Title text="Agent key · Agent Keys" />
                            <header class="page-header">
                                <div data-part="title"><h1>"Agent key"</h1></div>
                                <div data-part="actions"><AllKeys /></div>
                            </header>
                            <ProblemPrompt retry=retry(&problem) problem />
                        }
                        .into_any(),
                    }
                })}
            </Suspense>
        </main>
    }
    .into_any()
}

#[component]
fn Key(found: FoundAgentKey) -> impl IntoView {
    let FoundAgentKey {
        key,
        descriptors,
        in_cache,
        notice,
        read_at: now,
    } = found;
    let in_cache = in_cache.then(|| key.id.to_string()).map(|ids| {
        view! {
            <Callout tone=Tone::Warning>
                <h2>"This key is revoked and still cached"</h2>
                <p><InCache ids /></p>
            </Callout>
        }
    });
    let revoke = format!("{}?{}=1", urls::revoke_agent_key(&key.id), urls::FROM_KEY);
    let revoke = key.revocable.then(|| {
        view! {
            <a class="button" data-variant="danger-quiet" href=revoke>
                <Icon name=IconName::Revoke />
                "Revoke"
            </a>
        }
    });
    let works = matches!(key.status, KeyStatus::Active { .. });
    let moment = |at| view! { <Time at format=TimeFormat::Minute /> };
    let ends = match key.status {
        KeyStatus::Active { until: None } => "Never".into_any(),
        KeyStatus::Active { until: Some(at) } | KeyStatus::Expired { at } => moment(at).into_any(),
        KeyStatus::Revoked { at } => view! { "Revoked " {at.map(moment)} }.into_any(),
    };
    let source = match key.source {
        KeySource::AgentKeys => "in Agent Keys",
        KeySource::Kibana => "in Kibana or through the API",
        KeySource::Elsewhere => "in Kibana or through the API, not marked as an agent key",
        KeySource::ChangedElsewhere => "in Agent Keys",
    };
    let changed = works && key.source == KeySource::ChangedElsewhere;
    let privileges = rights_badges(&key.rights);
    let labels: Vec<_> = [
        ("service", key.labels.service),
        ("environment", key.labels.environment),
        ("team", key.labels.team),
    ]
    .into_iter()
    .map(|(name, value)| {
        view! { <div><dt>{name}</dt><dd><bdi>{or_dash(&value.unwrap_or_default())}</bdi></dd></div> }
    })
    .collect();
    view! {
        <Title text=format!("{} · Agent Keys", or_dash(&key.name)) />
        <NoticeCallout notice />
        <header class="page-header">
            <div data-part="title">
                <h1><bdi>{or_dash(&key.name)}</bdi></h1>
                <p><span class="mono">{key.id.to_string()}</span></p>
            </div>
            <div data-part="actions">
                <AllKeys />
                {revoke}
            </div>
        </header>
        {in_cache}
        {changed.then(|| view! { <ChangedNotice /> })}
        {works.then(|| view! { <DeliveryNotice delivery=key.delivery /> })}
        {works.then(|| view! { <RightsNotice rights=key.rights.clone() /> })}
        <section class="panel">
            <header><h2>"About this key"</h2></header>
            <dl data-part="body" class="facts" data-layout="grid">
                <div><dt>"Status"</dt><dd><StatusBadge status=key.status now /></dd></div>
                <div><dt>"Ends"</dt><dd>{ends}</dd></div>
                <div>
                    <dt>"Owner"</dt>
                    <dd><bdi>{or_dash(&key.owner)}</bdi> " " <small>"realm " <bdi>{or_dash(&key.realm)}</bdi></small></dd>
                </div>
                <div>
                    <dt>"Created"</dt>
                    <dd>{moment(key.created)} " " <small><Time at=key.created format=TimeFormat::Ago(now) /> ", " {source}</small></dd>
                </div>
                <div><dt>"Privileges"</dt><dd><div data-part="badges" class="row">{privileges}</div></dd></div>
                <div>
                    <dt>"Last used"</dt>
                    <dd>"Unknown " <small>"Elasticsearch does not record when a key is used."</small></dd>
                </div>
            </dl>
        </section>
        {descriptors.map(|text| view! {
            <section class="panel">
                <header><h2>"Role descriptors"</h2></header>
                <div data-part="body">
                    <details class="disclosure">
                        <summary>"As stored in Elasticsearch"</summary>
                        <pre class="mono small">{text}</pre>
                    </details>
                </div>
            </section>
        })}
        <section class="panel">
            <header><h2>"Labels"</h2></header>
            <dl data-part="body" class="facts">{labels}</dl>
        </section>
    }
    .into_any()
}

/// Way back to the list.
#[component]
fn AllKeys() -> impl IntoView {
    view! { <a class="button" data-variant="quiet" href=urls::agent_keys()>"All agent keys"</a> }
}

/// Warning about a key whose metadata was replaced through Elasticsearch.
#[component]
fn ChangedNotice() -> impl IntoView {
    view! {
        <Callout tone=Tone::Warning>
            <h2>"This key was changed outside Agent Keys"</h2>
            <p>
                "It was created here, and its labels were removed through Elasticsearch later. Only its owner can do that. The \
                 key still works. If you do not know why it was changed, revoke it."
            </p>
        </Callout>
    }
}

/// Warning about a key that grants more than an agent needs.
#[component]
fn RightsNotice(rights: KeyRights) -> impl IntoView {
    let (title, text) = match rights {
        KeyRights::OwnersAll => (
            "This key can do everything its owner could do when it was created",
            "It has no role descriptors. An agent only needs event:write and config_agent:read. Create another key for \
             the agent, then revoke this one.",
        ),
        KeyRights::Described { more: true, .. } => (
            "This key grants more than an agent needs",
            "Its role descriptors are below. If only agents use it, create another key for them, then revoke this one.",
        ),
        KeyRights::NotTold | KeyRights::Described { more: false, .. } => return None,
    };
    Some(view! {
        <Callout tone=Tone::Warning>
            <h2>{title}</h2>
            <p>{text}</p>
        </Callout>
    })
}

/// Warning about a key whose secret may not have been delivered.
#[component]
fn DeliveryNotice(delivery: Delivery) -> impl IntoView {
    let (title, text) = match delivery {
        Delivery::MadeElsewhere | Delivery::Confirmed | Delivery::Awaited => return None,
        Delivery::Unconfirmed => (
            "The secret of this key may be lost",
            "It was sent, but the browser did not confirm that it was shown. If no agent uses this key, revoke it and \
             create another.",
        ),
        Delivery::Never => (
            "The secret of this key is lost",
            "Elasticsearch created the key, but its response was lost. No agent can use this key. Revoke it.",
        ),
        Delivery::NotRecorded => (
            "The creation of this key is not recorded",
            "Agent Keys created it, but its database is older than the key, for example after a restored backup. If you \
             do not recognise this key, revoke it.",
        ),
    };
    Some(view! {
        <Callout tone=Tone::Warning>
            <h2>{title}</h2>
            <p>{text}</p>
        </Callout>
    })
}
