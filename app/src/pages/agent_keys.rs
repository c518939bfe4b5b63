//! The list of agent keys.

pub mod bulk_revoke_matching;
mod bulk_revoke_result;
pub mod create;
mod created;
pub mod revoke;
pub mod rotate;
mod states;
pub mod table;
mod toolbar;

use super::layout::{is_elasticsearch_down, use_dialogs, use_viewer, viewer_with_access};
use crate::pages::agent_keys::states::Summary;
use crate::pages::agent_keys::table::KeyPagination;
use crate::pages::agent_keys::table::{InCache, or_dash};
use crate::{
    api::{agent_keys::list_agent_keys, page_resource},
    components::{
        icon::{Icon, IconName},
        problem::AskFor,
        status::{Announce, Callout, Tone},
    },
    model::{
        agent_key::KeyId,
        key_list::{KeyListPage, KeyListQuery},
        notice::Notice,
        problem::{ElasticsearchFault, Problem, ProblemKind},
        session::{Permit, Viewer},
    },
    urls::{self, FROM_KEY},
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    components::Outlet,
    hooks::{use_location, use_params_map},
};
use states::{ApiKeysDisabled, Denied, Empty, Failed, Loading, NothingFound};
use table::KeyTable;
use toolbar::{Searched, Toolbar};

/// The page, with the outlet of its dialogs.
#[component]
pub fn AgentKeysPage() -> impl IntoView {
    let viewer = use_viewer();
    let parameters = urls::use_parameters();
    let query = Memo::new(move |_| urls::list_query(&parameters.read()));
    // The list is loaded anew when a dialog was closed.
    let dialogs = use_dialogs();
    let list = page_resource(
        move || (query.get(), dialogs.get().1),
        |(query, _)| list_agent_keys(query),
    );
    // The top bar's state of Elasticsearch follows the outcome of the list.
    Effect::new(move |_| {
        let is_listed = list.with(|list| matches!(list, Some(Ok(_))));
        if is_listed && viewer.with_untracked(is_elasticsearch_down) {
            viewer.refetch();
        }
    });
    provide_context(Searched(StoredValue::new(false)));
    view! {
        <Title text="Agent keys · Agent Keys" />
        <main id="main" class="page" inert=move || dialogs.get().0>
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
        Permit::Missing(missing) => view! {
            <button type="button" class="button" data-variant="primary" disabled aria-describedby="ask-for">
                <Icon name=IconName::Plus />
                "Create APM agent key"
            </button>
            <AskFor to="To create keys" missing />
        }
        .into_any(),
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
            <NoticeCallout notice=page.notice />
            <Header create=None />
            <Empty create=viewer.access.create summary=page.summary />
        }
        .into_any(),
        Ok(page) => view! {
            <NoticeCallout notice=page.notice.clone() />
            <Header create=Some(viewer.access.create) />
            <Keys page query />
        }
        .into_any(),
        Err(Problem {
            kind: ProblemKind::Forbidden(missing),
            ..
        }) => view! { <Header create=None /> <Denied viewer missing /> }.into_any(),
        Err(Problem {
            kind: ProblemKind::Elasticsearch(ElasticsearchFault::ApiKeysDisabled),
            ..
        }) => view! { <Header create=None /> <ApiKeysDisabled /> }.into_any(),
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
            <KeyPagination query page />
        </section>
    }
    .into_any()
}

/// Says what was just done.
#[component]
pub fn NoticeCallout(notice: Option<Notice>) -> impl IntoView {
    let notice = notice?;
    let is_warning = matches!(
        notice,
        Notice::KeyRevoked { in_cache: true, .. } | Notice::OtherUser(_)
    );
    let (title, name, text, in_cache) = match notice {
        Notice::KeyCreated { .. } | Notice::Export(_) | Notice::OwnPasswordChanged => return None,
        Notice::KeyRevoked { id, name, in_cache } => (
            "Revoked ",
            name,
            "Elasticsearch now rejects it. APM Server may accept it for up to a minute.",
            in_cache.then_some(id),
        ),
        Notice::RotationUndone { name, .. } => (
            "Undone. The end of this key is as before: ",
            name,
            "The new key works, too. Revoke the one that is not needed.",
            None,
        ),
        Notice::UserCreated(name) => ("Created ", name, "", None),
        Notice::UserDeleted(name) => (
            "Deleted ",
            name,
            "Their keys keep working until they are revoked.",
            None,
        ),
        Notice::UserEnabled(name) => ("Enabled ", name, "This user can sign in again.", None),
        Notice::UserDisabled(name) => (
            "Disabled ",
            name,
            "Sign-in and sessions have ended. Their keys keep working until they are revoked.",
            None,
        ),
        Notice::RoleGiven(name) => (
            "Gave the agent key role to ",
            name,
            "It applies at the user’s next request.",
            None,
        ),
        Notice::RoleTaken(name) => (
            "Took the agent key role from ",
            name,
            "It applies at the user’s next request. Their keys keep working until they are revoked.",
            None,
        ),
        Notice::RoleMappingSaved(name) => (
            "Saved the role mapping ",
            name,
            "It applies at the next sign-in through SAML or OIDC, and at the next request through LDAP and others.",
            None,
        ),
        Notice::RoleMappingDeleted(name) => (
            "Deleted the role mapping ",
            name,
            "Users who are signed in through SAML or OIDC keep the role until they sign in again. Their keys keep working until they are revoked.",
            None,
        ),
        Notice::PasswordSet(name) => (
            "Set a new password for ",
            name,
            "Sessions that use the old password end at their next request.",
            None,
        ),
        Notice::OtherUser(name) => (
            "You were not signed out. You are now signed in as ",
            name,
            "Another user signed in after this page was opened.",
            None,
        ),
    };
    let (tone, announce) = if is_warning {
        (Tone::Warning, Announce::Alert)
    } else {
        (Tone::Success, Announce::Status)
    };
    Some(view! {
        <Callout tone announce>
            <p>
                <strong>{title} <bdi>{or_dash(&name)}</bdi> "."</strong>
                " "
                {match in_cache {
                    Some(ids) => view! { <InCache ids /> }.into_any(),
                    None => text.into_any(),
                }}
            </p>
        </Callout>
    })
}

pub fn list_href(query: &KeyListQuery) -> String {
    urls::with_parameters(&urls::agent_keys(), &query.parameters())
}

/// Returns the id in the address of a dialog over one key, as typed, and the page behind: that of the key, or the list.
fn key_of_dialog() -> (String, String) {
    let parameters = use_params_map();
    let id = parameters.read_untracked().get("id").unwrap_or_default();
    let from_key = urls::use_parameters()
        .read_untracked()
        .get(FROM_KEY)
        .is_some();
    let close = match KeyId::parse(&id) {
        Some(id) if from_key => urls::agent_key(&id),
        _ => list_behind(),
    };
    (id, close)
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
    urls::with_search("", search)
}
