//! Page of one key.

use crate::pages::agent_keys::{
    NoticeCallout,
    table::{InCache, StatusBadge, or_dash, rights_badges},
};
use crate::{
    api::{
        agent_keys::{UndoRotation, find_agent_key},
        page_resource,
    },
    components::{
        form::{ActionForm, use_form, use_problem},
        icon::{Icon, IconName},
        problem::{ProblemCallout, ProblemPrompt},
        status::{Badge, Callout, Time, TimeFormat, Tone},
    },
    model::{
        agent_key::{
            Delivery, FoundAgentKey, KeyId, KeyReference, KeyRights, KeySource, KeyStatus,
            Rotation, RotationState,
        },
        problem::{Problem, ProblemKind},
        text::visible,
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
    let undo = use_form::<UndoRotation>();
    // Both outlive the drawing of the key, which an undo replaces.
    let problem = use_problem(undo);
    let key = page_resource(
        move || (id(), undo.version().get()),
        |(id, _)| find_agent_key(id),
    );
    view! {
        <main id="main" class="page">
            <Suspense fallback=|| view! { <p role="status">"Loading the key"</p> }>
                {move || Suspend::new(async move {
                    match key.await {
                        Ok(found) => view! { <Key found undo problem /> }.into_any(),
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
fn Key(
    found: FoundAgentKey,
    undo: ServerAction<UndoRotation>,
    problem: Signal<Option<Problem>>,
) -> impl IntoView {
    let FoundAgentKey {
        key,
        descriptors,
        in_cache,
        notice,
        rotations,
        rotated_from,
        rotatable,
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
    let rotate = format!("{}?{}=1", urls::rotate_agent_key(&key.id), urls::FROM_KEY);
    let rotate_link = rotatable.then(|| {
        view! {
            <a class="button" data-variant="primary" href=rotate>
                <Icon name=IconName::Rotate />
                "Rotate"
            </a>
        }
    });
    let this = KeyReference {
        id: key.id.clone(),
        name: key.name.clone(),
    };
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
                {rotate_link}
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
        <Lineage key=this rotations rotated_from rotatable undo problem />
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

/// The keys that this one replaces and that replace it, and what ends the old key of each pair.
#[component]
fn Lineage(
    key: KeyReference,
    rotations: Vec<Rotation>,
    rotated_from: Option<KeyId>,
    rotatable: bool,
    undo: ServerAction<UndoRotation>,
    problem: Signal<Option<Problem>>,
) -> impl IntoView {
    let (from, to): (Vec<_>, Vec<_>) = rotations
        .into_iter()
        .partition(|rotation| rotation.successor.id == key.id);
    if from.is_empty() && to.is_empty() && rotated_from.is_none() && !rotatable {
        return None;
    }
    let link = |key: &KeyReference| {
        let name = or_dash(&key.name);
        view! { <a href=urls::agent_key(&key.id)><bdi>{name}</bdi></a> }
    };
    let before = match (from.first(), rotated_from) {
        (Some(rotation), _) => Some(view! {
            <li><span>{link(&rotation.predecessor)} <small><RotationEnd rotation=rotation.clone() /></small></span></li>
        }
        .into_any()),
        (None, Some(id)) => {
            let name = id.to_string();
            Some(view! {
                <li><span>{link(&KeyReference { id, name })} <small>"By the metadata of this key"</small></span></li>
            }
            .into_any())
        }
        (None, None) => None,
    };
    let none = to.is_empty().then(|| {
        view! { <li><span><span class="muted">"No successor yet"</span></span></li> }
    });
    let id = key.id.to_string();
    let after: Vec<_> = to
        .into_iter()
        .map(|rotation| {
            let id = id.clone();
            let undo_form = rotation.undoable.then(|| {
                view! {
                    <ActionForm action=undo>
                        <input type="hidden" name="id" value=id />
                        <button type="submit" class="button" data-size="sm">"Undo the end of this key"</button>
                    </ActionForm>
                }
            });
            let by = visible(&rotation.by);
            view! {
                <li>
                    <span>
                        {link(&rotation.successor)}
                        <small>
                            "Made by " <bdi>{by}</bdi> ", " <Time at=rotation.began_at format=TimeFormat::Minute />
                        </small>
                        <small><RotationEnd rotation=rotation.clone() /></small>
                        {undo_form}
                    </span>
                </li>
            }
        })
        .collect();
    Some(view! {
        <section class="panel">
            <header><h2>"Rotation"</h2></header>
            <div data-part="body" class="stack">
                {move || problem.get().map(|problem| view! { <ProblemCallout problem /> })}
                <ol class="lineage" role="list">
                    {before}
                    <li aria-current="true">
                        <span><strong><bdi>{or_dash(&key.name)}</bdi></strong> " " <Badge tone=Tone::Accent text="This key" /></span>
                    </li>
                    {after}
                    {none}
                </ol>
            </div>
        </section>
    }
    .into_any())
}

/// Sentence on the end of the old key.
#[component]
fn RotationEnd(rotation: Rotation) -> impl IntoView {
    let at = rotation
        .ends_at
        .map(|at| view! { " on " <Time at format=TimeFormat::Minute /> });
    match rotation.state {
        RotationState::Waiting => {
            "The old key works on: no browser has confirmed that it displayed the new secret."
                .into_any()
        }
        RotationState::Expires => view! { "The old key ends by itself" {at} "." }.into_any(),
        RotationState::Scheduled => view! { "Agent Keys revokes the old key" {at} "." }.into_any(),
        RotationState::Ending => "Agent Keys is revoking the old key.".into_any(),
        RotationState::Ended => "The old key was revoked.".into_any(),
        RotationState::Open => "The old key works until it is revoked.".into_any(),
        RotationState::Failed => {
            "The end of the old key could not be set. Revoke it when agents use the new key."
                .into_any()
        }
        RotationState::Undone => "The end of the old key was undone.".into_any(),
    }
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
