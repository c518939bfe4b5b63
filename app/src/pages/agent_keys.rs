//! The list of agent keys.

pub mod badges;
pub mod bulk_revoke;
mod bulk_revoke_result;
pub mod create;
mod created;
mod pagination;
pub mod revoke;
mod selection;
mod states;
mod summary;
mod table;
mod toolbar;

use super::layout::{is_dialog, is_elasticsearch_down, use_viewer, viewer_with_access};
use crate::{
    api::{
        agent_keys::{find_agent_key, list_agent_keys},
        page_resource,
    },
    components::{
        badge::Tone,
        callout::{Announce, Callout},
        icon::{Icon, IconName},
        problem::ProblemPrompt,
    },
    model::{
        agent_key::{FoundAgentKey, KeyStatus},
        key_list::{KeyListPage, KeyListQuery},
        problem::{ElasticsearchFault, Problem, ProblemKind},
        viewer::{Permit, Viewer},
    },
    urls,
};
use badges::InCache;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{components::Outlet, hooks::use_location, params::ParamsMap};
use pagination::Pagination;
use states::{ApiKeysDisabled, Denied, Empty, Loading, NothingFound};
use summary::Summary;
use table::KeyTable;
use toolbar::{Searched, Toolbar};

/// Number of bulk revocations over this list. Each reloads the list.
#[derive(Clone, Copy)]
struct Revocations(RwSignal<u32>);

/// The page, with the outlet of its dialogs.
#[component]
pub fn AgentKeysPage() -> impl IntoView {
    let viewer = use_viewer();
    let location = use_location();
    let parameters = urls::use_parameters();
    let query = Memo::new(move |_| list_query(&parameters.read()));
    let revoked = Memo::new(move |_| parameters.read().get("revoked"));
    let revocations = Revocations(RwSignal::new(0));
    provide_context(revocations);
    // A revocation redirects here with the key's id in the address, which reloads the list.
    let list = page_resource(
        move || (query.get(), revoked.get(), revocations.0.get()),
        |(query, ..)| list_agent_keys(query),
    );
    // The top bar's state of Elasticsearch follows the outcome of the list.
    Effect::new(move |_| {
        let is_listed = list.with(|list| matches!(list, Some(Ok(_))));
        if is_listed && viewer.with_untracked(is_elasticsearch_down) {
            viewer.refetch();
        }
    });
    provide_context(Searched(StoredValue::new(false)));
    let behind_dialog = move || is_dialog(&location.pathname.read());
    view! {
        <Title text="Agent keys · Agent Keys" />
        <main id="main" class="page" inert=behind_dialog>
            <RevokedNotice id=revoked />
            <Transition fallback=move || view! { <Header create=None /> <Loading /> }>
                {move || Suspend::new(async move {
                    match (viewer_with_access(viewer).await, list.await) {
                        (Ok(viewer), list) => view! { <Content viewer list query /> }.into_any(),
                        (Err(_), Err(problem)) | (Err(problem), Ok(_)) => {
                            view! { <Header create=None /> <Failed problem /> }.into_any()
                        }
                    }
                })}
            </Transition>
        </main>
        <Outlet />
    }
    .into_any()
}

/// Heading and primary action.
#[component]
fn Header(
    /// Permission to create keys; `None` where the page offers it elsewhere or not at all.
    create: Option<Permit>,
) -> impl IntoView {
    let action = create.map(|permit| view! { <CreateLink permit /> });
    view! {
        <header class="page-header">
            <div data-part="title">
                <h1>"Agent keys"</h1>
                <p>"Keys that let APM agents send data to APM Server and read their configuration."</p>
            </div>
            <div data-part="actions">{action}</div>
        </header>
    }
    .into_any()
}

/// Link to the form, or the missing privileges.
#[component]
fn CreateLink(permit: Permit) -> impl IntoView {
    let location = use_location();
    match permit {
        Permit::Granted => view! {
            <a class="button" data-variant="primary" href=move || format!("{}{}", urls::new_agent_key(), search(&location.search.read()))>
                <Icon name=IconName::Plus />
                "Create APM agent key"
            </a>
        }
        .into_any(),
        Permit::Missing(missing) => {
            let names: Vec<_> = missing.iter().map(crate::components::problem::privilege_text).collect();
            view! {
                <button
                    type="button"
                    class="button"
                    data-variant="primary"
                    disabled
                    aria-describedby="create-missing"
                >
                    <Icon name=IconName::Plus />
                    "Create APM agent key"
                </button>
                <p class="small muted" id="create-missing">"You need " {names.join(", ")} "."</p>
            }
            .into_any()
        }
    }
}

/// The list, or the state in its place.
#[component]
fn Content(
    viewer: Viewer,
    list: Result<KeyListPage, Problem>,
    query: Memo<KeyListQuery>,
) -> impl IntoView {
    match list {
        Ok(page) if page.summary.is_empty() && !query.get_untracked().is_filtered() => view! {
            <Header create=None />
            <Empty create=viewer.access.create authorization_enabled=page.summary.authorization_enabled />
        }
        .into_any(),
        Ok(page) => view! {
            <Header create=Some(viewer.access.create) />
            <Keys page query />
        }
        .into_any(),
        Err(Problem { kind: ProblemKind::Forbidden(missing), .. }) => {
            view! { <Header create=None /> <Denied viewer missing /> }.into_any()
        }
        Err(Problem { kind: ProblemKind::Elasticsearch(ElasticsearchFault::ApiKeysDisabled), .. }) => {
            view! { <Header create=None /> <ApiKeysDisabled /> }.into_any()
        }
        Err(problem) => view! { <Header create=None /> <Failed problem /> }.into_any(),
    }
}

/// Summary and rows.
#[component]
fn Keys(page: KeyListPage, query: Memo<KeyListQuery>) -> impl IntoView {
    view! {
        <Summary summary=page.summary.clone() />
        <section class="panel">
            <Toolbar query page=page.clone() />
            {if page.keys.is_empty() {
                view! { <NothingFound /> }.into_any()
            } else {
                view! { <KeyTable query page=page.clone() /> }.into_any()
            }}
            <Pagination query page />
        </section>
    }
    .into_any()
}

/// Problem in place of the list. Trying again repeats the same search.
#[component]
fn Failed(problem: Problem) -> impl IntoView {
    view! { <ProblemPrompt problem retry=list_behind() /> }
}

/// Announces the revoked key. The key is read from Elasticsearch, not from the address.
#[component]
fn RevokedNotice(id: Memo<Option<String>>) -> impl IntoView {
    let found = page_resource(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => find_agent_key(id).await.ok(),
                None => None,
            }
        },
    );
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let is_revoked = |found: &FoundAgentKey| matches!(found.key.status, KeyStatus::Revoked { .. });
                let revoked = found.await.filter(is_revoked);
                revoked.map(|FoundAgentKey { key, in_cache, .. }| {
                    let title = view! { <strong>"Revoked " <bdi>{key.name}</bdi> "."</strong> };
                    if in_cache {
                        view! {
                            <Callout tone=Tone::Warning announce=Announce::Alert>
                                <p>{title} " " <InCache ids=key.id.to_string() /></p>
                            </Callout>
                        }
                            .into_any()
                    } else {
                        view! {
                            <Callout tone=Tone::Success announce=Announce::Status>
                                <p>
                                    {title}
                                    " Elasticsearch refuses it from now on. APM Server may accept it for up to a minute."
                                </p>
                            </Callout>
                        }
                            .into_any()
                    }
                })
            })}
        </Suspense>
    }
    .into_any()
}

/// Parses the query in the page's address.
fn list_query(parameters: &ParamsMap) -> KeyListQuery {
    const NAMES: [&str; 11] = [
        "q", "status", "owner", "realm", "source", "sort", "order", "rows", "after", "before",
        "offset",
    ];
    let values: Vec<(&str, Vec<String>)> = NAMES
        .into_iter()
        .map(|name| (name, parameters.get_all(name).unwrap_or_default()))
        .collect();
    let pairs = values
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (*name, value.as_str())));
    KeyListQuery::from_parameters(pairs)
}

pub fn list_href(query: &KeyListQuery) -> String {
    urls::with_parameters(&urls::agent_keys(), &query.parameters())
}

/// Returns the address of the list behind a dialog.
fn list_behind() -> String {
    let location = use_location();
    format!(
        "{}{}",
        urls::agent_keys(),
        search(&location.search.get_untracked())
    )
}

/// Returns the query of an address with its `?`, so that a dialog keeps the list behind it.
pub fn search(search: &str) -> String {
    let search = search.trim_start_matches('?');
    if search.is_empty() || search.contains("revoked=") {
        String::new()
    } else {
        format!("?{search}")
    }
}
