//! Code splitting: pages whose code the browser loads on demand.
//!
//! The module that every page loads holds the layout and the list. Code that only the functions
//! marked `wasm_split` reach goes into files of its own. On the server they are ordinary functions.

use super::{
    agent_key::AgentKeyPage,
    agent_keys::{
        create::CreateAgentKeyPage, revoke::RevokeAgentKeyPage, rotate::RotateAgentKeyPage,
    },
    apm_integration::ApmIntegrationPage,
    audit::AuditPage,
    sessions::SessionsPage,
    users::UsersPage,
};
use crate::hydration::is_hydrating;
use crate::pages::{
    agent_keys::bulk_revoke_matching::RevokeKeysPage,
    own_password::OwnPasswordPage,
    sign_in::{LoginPage, ReauthenticatePage},
    users::{
        dialogs::{CreateUserPage, DeleteUserPage, DisableUserPage, ResetPasswordPage},
        mappings::{CreateMappingPage, DeleteMappingPage, EditMappingPage},
    },
};
use leptos::prelude::*;
use leptos_router::{ChooseView, hooks::use_url};
use std::future;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

type Drawn = Result<AnyView, SplitLoaderError>;

/// A page whose code is loaded on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitPage {
    SignIn(SignInPage),
    AgentKey(KeyPage),
    ApmIntegration,
    Audit,
    Sessions,
    OwnPassword,
    Users(UserPage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInPage {
    Login,
    Reauthenticate,
}

/// Dialogs over the list of keys, and the page of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPage {
    Details,
    Create,
    Revoke,
    RevokeMany,
    Rotate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPage {
    Table,
    Create,
    Disable,
    Delete,
    ResetPassword,
    CreateMapping,
    EditMapping,
    DeleteMapping,
}

impl ChooseView for SplitPage {
    async fn preload(&self) {
        let url = use_url().get_untracked();
        let loaded = match self {
            Self::SignIn(_) => load_sign_in().await,
            Self::AgentKey(_) => load_agent_key().await,
            Self::ApmIntegration => load_apm_integration().await,
            Self::Audit => load_audit().await,
            Self::Sessions => load_sessions().await,
            Self::OwnPassword => load_own_password().await,
            Self::Users(_) => load_users().await,
        };
        if loaded.is_err() {
            // The network failed, or an upgraded server no longer has the old code. A page that the server rendered works
            // without it; otherwise the browser loads the whole page. This future never ends.
            if !is_hydrating() {
                open(url.path(), url.search());
            }
            future::pending().await
        }
    }

    async fn choose(self) -> AnyView {
        let drawn = match self {
            Self::SignIn(page) => sign_in(page).await,
            Self::AgentKey(page) => agent_key(page).await,
            Self::ApmIntegration => apm_integration().await,
            Self::Audit => audit().await,
            Self::Sessions => sessions().await,
            Self::OwnPassword => own_password().await,
            Self::Users(page) => users(page).await,
        };
        // Loaded in `preload`, so this cannot fail.
        drawn.unwrap_or_else(|_| ().into_any())
    }
}

#[wasm_split(sign_in, fallible, preload(load_sign_in))]
fn sign_in(page: SignInPage) -> Drawn {
    Ok(match page {
        SignInPage::Login => view! { <LoginPage /> }.into_any(),
        SignInPage::Reauthenticate => view! { <ReauthenticatePage /> }.into_any(),
    })
}

#[wasm_split(agent_key, fallible, preload(load_agent_key))]
fn agent_key(page: KeyPage) -> Drawn {
    Ok(match page {
        KeyPage::Details => view! { <AgentKeyPage /> }.into_any(),
        KeyPage::Create => view! { <CreateAgentKeyPage /> }.into_any(),
        KeyPage::Revoke => view! { <RevokeAgentKeyPage /> }.into_any(),
        KeyPage::RevokeMany => view! { <RevokeKeysPage /> }.into_any(),
        KeyPage::Rotate => view! { <RotateAgentKeyPage /> }.into_any(),
    })
}

#[wasm_split(apm_integration, fallible, preload(load_apm_integration))]
fn apm_integration() -> Drawn {
    Ok(view! { <ApmIntegrationPage /> }.into_any())
}

#[wasm_split(audit, fallible, preload(load_audit))]
fn audit() -> Drawn {
    Ok(view! { <AuditPage /> }.into_any())
}

#[wasm_split(sessions, fallible, preload(load_sessions))]
fn sessions() -> Drawn {
    Ok(view! { <SessionsPage /> }.into_any())
}

#[wasm_split(own_password, fallible, preload(load_own_password))]
fn own_password() -> Drawn {
    Ok(view! { <OwnPasswordPage /> }.into_any())
}

#[wasm_split(users, fallible, preload(load_users))]
fn users(page: UserPage) -> Drawn {
    Ok(match page {
        UserPage::Table => view! { <UsersPage /> }.into_any(),
        UserPage::Create => view! { <CreateUserPage /> }.into_any(),
        UserPage::Disable => view! { <DisableUserPage /> }.into_any(),
        UserPage::Delete => view! { <DeleteUserPage /> }.into_any(),
        UserPage::ResetPassword => view! { <ResetPasswordPage /> }.into_any(),
        UserPage::CreateMapping => view! { <CreateMappingPage /> }.into_any(),
        UserPage::EditMapping => view! { <EditMappingPage /> }.into_any(),
        UserPage::DeleteMapping => view! { <DeleteMappingPage /> }.into_any(),
    })
}

/// Loads a page as a browser without script does.
#[cfg(feature = "hydrate")]
fn open(path: &str, search: &str) {
    let address = crate::urls::with_search(path, search);
    // On failure the page stays.
    let _ = window().location().assign(&address);
}

#[cfg(not(feature = "hydrate"))]
fn open(_path: &str, _search: &str) {}
