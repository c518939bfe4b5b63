//! Table of keys, and what the dialogs and the page of a key share with it: status, privileges, labels.
//!
//! Elasticsearch pages with `search_after`, so there are no page numbers.

use crate::{
    components::{
        form::GetForm,
        icon::{Icon, IconName},
        status::{Badge, Time, TimeFormat, Tone},
        table::{ActionsTh, Pagination, SortTh, Table},
    },
    hydration::is_hydrating,
    model::{
        agent_key::{AgentKey, Delivery, KeyRights, KeySource, KeyStatus, Labels},
        key_list::{KeyListPage, KeyListQuery, PageAnchor, SortField, SortOrder},
        notice::Notice,
        text::{keys, visible},
        timestamp::Timestamp,
    },
    pages::agent_keys::{
        list_href, search,
        toolbar::{SelectAll, SelectAllLink, SelectCell, SelectionBar, changed, chosen_ids, drawn},
    },
    urls,
};
use leptos::{html, prelude::*};
use leptos_router::hooks::use_location;

#[component]
pub(super) fn KeyTable(query: Memo<KeyListQuery>, page: KeyListPage) -> impl IntoView {
    let current = query.get_untracked();
    let location = use_location();
    let behind = search(&location.search.get_untracked());
    let now = page.read_at;
    let matches = page.total;
    let more = matches > page.keys.len() as u64;
    let chosen = chosen_ids();
    let is_chosen = |id: &str| chosen.iter().any(|one| one == id);
    let revocable = page.keys.iter().filter(|key| key.revocable);
    let ids: Vec<_> = revocable.map(|key| key.id.to_string()).collect();
    let selectable = !ids.is_empty();
    let created = match page.notice {
        Some(Notice::KeyCreated { id, .. }) => Some(id),
        _ => None,
    };
    let count = ids.iter().filter(|id| is_chosen(id)).count();
    let rows = page
        .keys
        .into_iter()
        .map(|key| {
            let ticked = selectable.then(|| is_chosen(key.id.as_str()));
            let is_new = created.as_deref() == Some(key.id.as_str());
            view! { <KeyRow key now behind=behind.clone() ticked is_new /> }
        })
        .collect_view()
        .into_any();
    let table = NodeRef::<html::Div>::new();
    let hydrating = is_hydrating();
    Effect::new(move || {
        if let Some(table) = table.get() {
            drawn(&table, hydrating);
        }
    });
    let on_change = Callback::new(move |event: leptos::ev::Event| {
        if let Some(table) = table.get_untracked() {
            changed(&table, &event);
        }
    });
    let head = view! {
        {selectable.then(|| view! { <SelectAll /> })}
        <SortHeader field=SortField::Name label="Name" column="name" current=current.clone() />
        <th role="columnheader" scope="col" data-col="privileges">"Privileges"</th>
        <SortHeader field=SortField::Owner label="Owner" column="owner" current=current.clone() />
        <SortHeader field=SortField::Created label="Created" column="created" current=current.clone() />
        <SortHeader field=SortField::Expires label="Status" column="status" current=current.clone() />
        <ActionsTh />
    }
    .into_any();
    let list = view! {
        <div class="result-bar" role="status">
            <span><strong>{keys(matches)}</strong> ", " {order_words(&current)}</span>
            {selectable.then(|| view! { <SelectAllLink query=current.clone() ids /> })}
            <span class="push-end" data-part="as-of">"Read at " <Time at=now format=TimeFormat::TimeOfDay /></span>
            <a class="button" data-variant="quiet" data-size="sm" href=list_href(&current) rel="external">
                <Icon name=IconName::Rotate />
                "Refresh"
            </a>
        </div>
        {selectable.then(|| view! { <SelectionBar query=current.clone() count more /> })}
        <Table
            label="Agent keys"
            caption=format!("APM agent keys, {}", order_words(&current))
            class="table key-list"
            head
            rows
            frame=table
            on_change=on_change
        />
    };
    // Without revocable keys there is no form.
    if selectable {
        view! { <GetForm action=urls::revoke_agent_keys()>{list}</GetForm> }.into_any()
    } else {
        list.into_any()
    }
}

fn order_words(query: &KeyListQuery) -> &'static str {
    use SortField as F;
    use SortOrder as O;
    match (query.sort, query.order) {
        (F::Created, O::Descending) => "newest first",
        (F::Created, O::Ascending) => "oldest first",
        (F::Name, O::Ascending) => "by name, A to Z",
        (F::Name, O::Descending) => "by name, Z to A",
        (F::Owner, O::Ascending) => "by owner, A to Z",
        (F::Owner, O::Descending) => "by owner, Z to A",
        (F::Expires, O::Ascending) => "expiring soonest first",
        (F::Expires, O::Descending) => "expiring last first",
    }
}

#[component]
fn SortHeader(
    field: SortField,
    label: &'static str,
    column: &'static str,
    current: KeyListQuery,
) -> impl IntoView {
    let sorted = current.sort == field;
    let order = if sorted {
        current.order.reversed()
    } else {
        field.natural_order()
    };
    let sorted = sorted.then_some(current.order);
    let href = list_href(&KeyListQuery {
        sort: field,
        order,
        ..current.first_page()
    });
    view! { <SortTh label column href sorted /> }.into_any()
}

#[component]
fn KeyRow(
    key: AgentKey,
    now: Timestamp,
    behind: String,
    /// State of the check box; `None` if no row has one.
    ticked: Option<bool>,
    /// True if the user has just created it.
    is_new: bool,
) -> impl IntoView {
    let details = urls::agent_key(&key.id);
    let revoke = key
        .revocable
        .then(|| format!("{}{behind}", urls::revoke_agent_key(&key.id)))
        .map(|href| {
            view! {
                <a class="row-action" data-tone="danger" title="Revoke" href=href>
                    <Icon name=IconName::Revoke />
                    <span>"Revoke" <span class="visually-hidden">" " {visible(&key.name)}</span></span>
                </a>
            }
        });
    let (id, name, revocable) = (key.id.to_string(), or_dash(&key.name), key.revocable);
    let select = ticked.map(|ticked| view! { <SelectCell id name revocable ticked /> });
    let ended = !matches!(key.status, KeyStatus::Active { .. });
    let privileges = rights_badges(&key.rights);
    let source = match key.source {
        KeySource::AgentKeys => "Agent Keys",
        KeySource::Kibana | KeySource::Elsewhere => "Kibana or API",
        KeySource::ChangedElsewhere => "Agent Keys, changed elsewhere",
    };
    let state = if is_new {
        Some("new")
    } else {
        ended.then_some("ended")
    };
    view! {
        <tr role="row" data-state=state>
            {select}
            <th role="rowheader" scope="row">
                <a data-part="primary" href=details.clone()><bdi>{or_dash(&key.name)}</bdi></a>
                {is_new.then(|| view! { " " <Badge tone=Tone::Accent text="New" /> })}
                <div data-part="secondary">
                    <span class="mono">{key.id.to_string()}</span>
                    <LabelTags labels=key.labels.clone() />
                </div>
                {(!ended).then(|| view! { <DeliveryBadge delivery=key.delivery /> })}
            </th>
            <td role="cell" data-label="Privileges"><div data-part="badges">{privileges}</div></td>
            <td role="cell" data-label="Owner">
                <div>
                    <bdi>{or_dash(&key.owner)}</bdi>
                    <div data-part="secondary"><span class="visually-hidden">"Realm "</span><bdi>{or_dash(&key.realm)}</bdi></div>
                </div>
            </td>
            <td role="cell" data-label="Created">
                <div>
                    <Time at=key.created format=TimeFormat::Ago(now) />
                    <div data-part="secondary">{source}</div>
                </div>
            </td>
            <td role="cell" data-label="Status"><div><StatusBadge status=key.status now /></div></td>
            <td role="cell" data-cell="actions">
                <div>
                    {revoke}
                    <a class="row-action" href=details title="Details">
                        <Icon name=IconName::Right />
                        <span>"Details" <span class="visually-hidden">" of " {visible(&key.name)}</span></span>
                    </a>
                </div>
            </td>
        </tr>
    }
    .into_any()
}

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

#[component]
pub(super) fn KeyPagination(query: Memo<KeyListQuery>, page: KeyListPage) -> impl IntoView {
    let current = query.get_untracked();
    let shown = page.keys.len() as u64;
    let offset = current.offset.min(page.total.saturating_sub(shown));
    let previous = page.previous.map(|cursor| {
        let before = offset.saturating_sub(u64::from(current.rows));
        list_href(&KeyListQuery {
            anchor: PageAnchor::Before(cursor),
            offset: before,
            ..current.clone()
        })
    });
    let next = page.next.map(|cursor| {
        list_href(&KeyListQuery {
            anchor: PageAnchor::After(cursor),
            offset: offset + shown,
            ..current.clone()
        })
    });
    let mut kept = current.first_page().parameters();
    kept.retain(|(name, _)| *name != "rows");
    let total = keys(page.total);
    view! {
        <Pagination
            list=urls::agent_keys()
            kept
            rows=current.rows
            before=offset
            shown
            total
            previous
            next
        />
    }
    .into_any()
}
