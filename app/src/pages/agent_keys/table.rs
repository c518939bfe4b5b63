//! Table of keys.

use super::{
    badges::{DeliveryBadge, LabelTags, StatusBadge, or_dash, rights_badges},
    list_href, search,
    selection::{SelectAll, SelectAllLink, SelectCell, SelectionBar, changed, chosen_ids, drawn},
};
use crate::{
    components::{
        badge::{Badge, Time, TimeFormat, Tone},
        form::GetForm,
        icon::{Icon, IconName},
        table::{ActionsTh, SortTh, Table},
    },
    hydration::is_hydrating,
    model::{
        agent_key::{AgentKey, KeySource, KeyStatus},
        key_list::{KeyListPage, KeyListQuery, SortField, SortOrder},
        notice::Notice,
        text::{keys, visible},
        timestamp::Timestamp,
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
