//! The rows of the list.

use super::{
    list_href, search,
    selection::{SelectAll, SelectAllLink, SelectCell, SelectionBar, changed, chosen_ids, drawn},
};
use crate::{
    components::{
        badge::{Badge, Tone},
        icon::{Icon, IconName},
        moment::Moment,
    },
    hydration::is_hydrating,
    model::{
        agent_key::{AgentKey, Delivery, KeyRights, KeySource, KeyStatus},
        key_list::{KeyListPage, KeyListQuery, SortField, SortOrder},
        labels::Labels,
        timestamp::Timestamp,
    },
    urls,
};
use leptos::{html, prelude::*};
use leptos_router::{components::Form, hooks::use_location};

/// The table: rows that become cards on a phone.
#[component]
pub(super) fn KeyTable(query: Memo<KeyListQuery>, page: KeyListPage) -> impl IntoView {
    let current = query.get_untracked();
    let location = use_location();
    let behind = search(&location.search.get_untracked());
    let now = page.read_at;
    let read_at = page.read_at.time_of_day();
    let matches = page.total;
    let noun = if matches == 1 { "key" } else { "keys" };
    let chosen = chosen_ids();
    let is_chosen = |id: &str| chosen.iter().any(|one| one == id);
    let revocable = page.keys.iter().filter(|key| key.revocable);
    let ids: Vec<_> = revocable.map(|key| key.id.to_string()).collect();
    let selectable = !ids.is_empty();
    let count = ids.iter().filter(|id| is_chosen(id)).count();
    let rows = page
        .keys
        .into_iter()
        .map(|key| {
            let ticked = selectable.then(|| is_chosen(key.id.as_str()));
            view! { <KeyRow key now behind=behind.clone() ticked /> }
        })
        .collect_view();
    let table = NodeRef::<html::Div>::new();
    let hydrating = is_hydrating();
    Effect::new(move || {
        if let Some(table) = table.get() {
            drawn(&table, hydrating);
        }
    });
    let on_change = move |event: leptos::ev::Event| {
        if let Some(table) = table.get_untracked() {
            changed(&table, &event);
        }
    };
    let list = view! {
        <div class="result-bar" role="status">
            <span><strong>{matches}</strong> " " {noun} ", " {order_words(&current)}</span>
            {selectable.then(|| view! { <SelectAllLink query=current.clone() ids /> })}
            <span class="push-end" data-part="as-of">"Read at " {read_at}</span>
            <a class="button" data-variant="quiet" data-size="sm" href=list_href(&current) rel="external">
                <Icon name=IconName::Rotate />
                "Refresh"
            </a>
        </div>
        {selectable.then(|| view! { <SelectionBar query=current.clone() count /> })}
        <div
            class="table key-list"
            data-stack
            tabindex="0"
            role="region"
            aria-label="Agent keys"
            node_ref=table
            on:change=on_change
        >
            <table role="table">
                <caption class="visually-hidden">"APM agent keys, " {order_words(&current)}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        {selectable.then(|| view! { <SelectAll /> })}
                        <SortHeader field=SortField::Name label="Name" column="name" current=current.clone() />
                        <th role="columnheader" scope="col" data-col="privileges">"Privileges"</th>
                        <SortHeader field=SortField::Owner label="Owner" column="owner" current=current.clone() />
                        <SortHeader field=SortField::Created label="Created" column="created" current=current.clone() />
                        <SortHeader field=SortField::Expires label="Status" column="status" current />
                        <th role="columnheader" scope="col" data-cell="actions">
                            <span class="visually-hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    };
    // Where nothing can be revoked, nothing leads there.
    if selectable {
        view! { <Form method="GET" action=urls::revoke_agent_keys()>{list}</Form> }.into_any()
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
        (F::Expires, O::Ascending) => "those that end first on top",
        (F::Expires, O::Descending) => "those that end last on top",
    }
}

/// A column's heading: a link that sorts by it, or turns the order round.
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
    let aria_sort = sorted.then_some(match current.order {
        SortOrder::Ascending => "ascending",
        SortOrder::Descending => "descending",
    });
    let href = list_href(&KeyListQuery {
        sort: field,
        order,
        ..current.first_page()
    });
    view! {
        <th role="columnheader" scope="col" data-col=column aria-sort=aria_sort>
            <a href=href>
                {label}
                <Icon name=IconName::Sort />
            </a>
        </th>
    }
    .into_any()
}

/// One key.
#[component]
fn KeyRow(
    key: AgentKey,
    now: Timestamp,
    behind: String,
    /// Whether its box is ticked; `None` where no row has a box.
    ticked: Option<bool>,
) -> impl IntoView {
    let details = urls::agent_key(&key.id);
    let revoke = key
        .revocable
        .then(|| format!("{}{behind}", urls::revoke_agent_key(&key.id)))
        .map(|href| {
            view! {
                <a class="row-action" data-tone="danger" title="Revoke" href=href>
                    <Icon name=IconName::Revoke />
                    <span>"Revoke" <span class="visually-hidden">" " {key.name.clone()}</span></span>
                </a>
            }
        });
    let (id, name, revocable) = (key.id.to_string(), or_dash(&key.name), key.revocable);
    let select = ticked.map(|ticked| view! { <SelectCell id name revocable ticked /> });
    let ended = !matches!(key.status, KeyStatus::Active { .. });
    let privileges = rights_badges(&key.rights);
    let source = match key.source {
        KeySource::AgentKeys => "This app",
        KeySource::Kibana => "Kibana",
        KeySource::Elsewhere => "Elsewhere",
    };
    view! {
        <tr role="row" data-state=ended.then_some("ended")>
            {select}
            <th role="rowheader" scope="row">
                <a data-part="primary" href=details.clone()><bdi>{or_dash(&key.name)}</bdi></a>
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
                    <Moment at=key.created now />
                    <div data-part="secondary">{source}</div>
                </div>
            </td>
            <td role="cell" data-label="Status"><div><StatusBadge status=key.status now /></div></td>
            <td role="cell" data-cell="actions">
                <div>
                    {revoke}
                    <a class="row-action" href=details title="Details">
                        <Icon name=IconName::Right />
                        <span>"Details" <span class="visually-hidden">" of " {key.name.clone()}</span></span>
                    </a>
                </div>
            </td>
        </tr>
    }
    .into_any()
}

/// What a key grants, with a warning where that is more than an agent needs.
pub(in crate::pages) fn rights_badges(rights: &KeyRights) -> AnyView {
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

/// What the ledger knows of the secret, where somebody should know it.
#[component]
fn DeliveryBadge(delivery: Delivery) -> impl IntoView {
    let text = match delivery {
        Delivery::MadeElsewhere | Delivery::Confirmed | Delivery::Awaited => return None,
        Delivery::Unconfirmed => "Secret may never have been seen",
        Delivery::Never => "Nobody has the secret",
        Delivery::NotRecorded => "Made here, not recorded",
    };
    Some(view! {
        <div data-part="secondary">
            <Badge tone=Tone::Warning icon=IconName::Warn text=text />
        </div>
    })
}

/// A key's labels.
#[component]
pub fn LabelTags(
    /// The labels.
    labels: Labels,
) -> impl IntoView {
    let tags: Vec<_> = [
        ("service", labels.service),
        ("environment", labels.environment),
        ("team", labels.team),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .map(|(name, value)| {
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

/// What a key does now, in a word, and until when.
#[component]
pub fn StatusBadge(
    /// What the key does.
    status: KeyStatus,
    /// The moment from which it is seen.
    now: Timestamp,
) -> impl IntoView {
    let (tone, icon, word, more) = match status {
        KeyStatus::Active { until: None } => (
            Tone::Success,
            IconName::Pass,
            "Active".to_owned(),
            "Never expires".to_owned(),
        ),
        KeyStatus::Active { until: Some(until) } if status.expires_soon(now) => (
            Tone::Warning,
            IconName::Clock,
            format!("Expires in {}", until.until(now)),
            until.date(),
        ),
        KeyStatus::Active { until: Some(until) } => (
            Tone::Success,
            IconName::Pass,
            "Active".to_owned(),
            format!("Until {}", until.date()),
        ),
        KeyStatus::Expired { at } => (
            Tone::Neutral,
            IconName::Skip,
            "Expired".to_owned(),
            at.date(),
        ),
        KeyStatus::Revoked { at } => (
            Tone::Neutral,
            IconName::Revoke,
            "Revoked".to_owned(),
            at.map(Timestamp::date).unwrap_or_default(),
        ),
    };
    view! {
        <Badge tone icon text=word />
        <div data-part="secondary">{more}</div>
    }
    .into_any()
}

/// A text, or a dash where Elasticsearch tells nothing.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() {
        "—".to_owned()
    } else {
        text.to_owned()
    }
}
