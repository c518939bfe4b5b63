//! The pages whose code the browser loads when it first needs it.
//!
//! The list is where people work, and from it they look at keys: the module that every page loads holds both, the frame
//! around all pages, and nothing else. The functions marked `wasm_split` are where the rest is cut off: what only they reach is put into files of
//! its own. The server is not cut; there they are ordinary functions.

use super::{
    agent_keys::{create::CreateAgentKeyPage, revoke::RevokeAgentKeyPage},
    apm_integration::ApmIntegrationPage,
    audit::AuditPage,
    sessions::SessionsPage,
    users::UsersPage,
};
use crate::hydration::is_hydrating;
use crate::pages::{
    agent_keys::bulk_revoke::RevokeAgentKeysPage,
    sign_in::{LoginPage, ReauthenticatePage},
    users::dialogs::{CreateUserPage, DeleteUserPage, ResetPasswordPage},
};
use leptos::prelude::*;
use leptos_router::{ChooseView, hooks::use_url};
use std::future;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

type Drawn = Result<AnyView, SplitLoaderError>;

/// A page that arrives when somebody goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitPage {
    /// Signing in, and entering the password again.
    SignIn(SignInPage),
    /// What is done with keys.
    AgentKey(KeyPage),
    /// APM Server's settings.
    ApmIntegration,
    /// What happened.
    Audit,
    /// Where people are signed in.
    Sessions,
    /// What concerns users.
    Users(UserPage),
}

/// Pages that ask for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInPage {
    /// Of somebody who is not signed in.
    Login,
    /// Of somebody who is.
    Reauthenticate,
}

/// Pages where keys are made or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPage {
    /// The form for a new one.
    Create,
    /// The question before it is revoked.
    Revoke,
    /// The question before several are revoked, and what became of each.
    RevokeMany,
}

/// Pages about users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPage {
    /// All of them, with the place for the dialogs.
    Table,
    /// The form for a new one.
    Create,
    /// The question before one is deleted.
    Delete,
    /// The form for a new password.
    ResetPassword,
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
            Self::Users(_) => load_users().await,
        };
        if loaded.is_err() {
            // The network is gone, or the server has been upgraded and no longer has this page's old code. A page that
            // the server drew works as it stands; any other the browser can still have whole. Here this ends.
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
            Self::Users(page) => users(page).await,
        };
        // Loaded above, so this cannot fail; if it did, the place of the page would stay empty.
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
        KeyPage::Create => view! { <CreateAgentKeyPage /> }.into_any(),
        KeyPage::Revoke => view! { <RevokeAgentKeyPage /> }.into_any(),
        KeyPage::RevokeMany => view! { <RevokeAgentKeysPage /> }.into_any(),
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

#[wasm_split(users, fallible, preload(load_users))]
fn users(page: UserPage) -> Drawn {
    Ok(match page {
        UserPage::Table => view! { <UsersPage /> }.into_any(),
        UserPage::Create => view! { <CreateUserPage /> }.into_any(),
        UserPage::Delete => view! { <DeleteUserPage /> }.into_any(),
        UserPage::ResetPassword => view! { <ResetPasswordPage /> }.into_any(),
    })
}

/// Has the browser ask for a page as if there were no script.
#[cfg(feature = "hydrate")]
fn open(path: &str, search: &str) {
    let address = crate::urls::with_search(path, search);
    // A browser that refuses leaves the page where it was.
    let _ = window().location().assign(&address);
}

#[cfg(not(feature = "hydrate"))]
fn open(_path: &str, _search: &str) {}
