//! The pages, and the addresses they stand at.

pub mod agent_key;
pub mod agent_keys;
pub mod apm_integration;
pub mod audit;
pub mod layout;
mod lazy;
pub mod login;
pub mod not_found;
pub mod reauthenticate;
pub mod sessions;
pub mod users;

use crate::urls;
use agent_key::AgentKeyPage;
use agent_keys::AgentKeysPage;
use layout::SettingsLayout;
use lazy::{KeyPage, LazyPage, SignInPage, UserPage};
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    PartialPathMatch, PathSegment, PossibleRouteMatch, SsrMode,
    components::{Outlet, ParentRoute, Route, Router, Routes},
    path,
};
use not_found::NotFoundPage;

/// The application. Every page is rendered whole before it is sent: it must be complete without a script.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=TopLevel::at("/login") view=LazyPage::SignIn(SignInPage::Login) ssr=SsrMode::Async />
                <Route
                    path=TopLevel::at("/reauthenticate")
                    view=LazyPage::SignIn(SignInPage::Reauthenticate)
                    ssr=SsrMode::Async
                />
                <ParentRoute path=TopLevel::at("/settings") view=SettingsLayout ssr=SsrMode::Async>
                    <ParentRoute path=path!("agent-keys") view=AgentKeysPage ssr=SsrMode::Async>
                        <Route path=path!("") view=Nothing ssr=SsrMode::Async />
                        <Route path=path!("new") view=LazyPage::AgentKey(KeyPage::Create) ssr=SsrMode::Async />
                        <Route path=path!("revoke") view=LazyPage::AgentKey(KeyPage::RevokeMany) ssr=SsrMode::Async />
                        <Route path=path!(":id/revoke") view=LazyPage::AgentKey(KeyPage::Revoke) ssr=SsrMode::Async />
                    </ParentRoute>
                    <ParentRoute path=path!("agent-keys/:id") view=Outlet ssr=SsrMode::Async>
                        <Route path=path!("") view=AgentKeyPage ssr=SsrMode::Async />
                    </ParentRoute>
                    <Route path=path!("apm-integration") view=LazyPage::ApmIntegration ssr=SsrMode::Async />
                    <Route path=path!("sessions") view=LazyPage::Sessions ssr=SsrMode::Async />
                    <Route path=path!("audit") view=LazyPage::Audit ssr=SsrMode::Async />
                    <ParentRoute path=path!("users") view=LazyPage::Users(UserPage::Table) ssr=SsrMode::Async>
                        <Route path=path!("") view=Nothing ssr=SsrMode::Async />
                        <Route path=path!("new") view=LazyPage::Users(UserPage::Create) ssr=SsrMode::Async />
                        <Route path=path!("delete") view=LazyPage::Users(UserPage::Delete) ssr=SsrMode::Async />
                        <Route path=path!("password") view=LazyPage::Users(UserPage::ResetPassword) ssr=SsrMode::Async />
                    </ParentRoute>
                </ParentRoute>
            </Routes>
        </Router>
    }
    .into_any()
}

/// The first part of an address, below the base path.
///
/// The router's own `base` will not do: its forms would have it twice.
#[derive(Clone, Debug)]
struct TopLevel(String);

impl TopLevel {
    fn at(path: &str) -> Self {
        Self(urls::base_path().join(path))
    }
}

impl PossibleRouteMatch for TopLevel {
    fn optional(&self) -> bool {
        false
    }

    fn test<'a>(&self, path: &'a str) -> Option<PartialPathMatch<'a>> {
        let remaining = path.strip_prefix(&self.0)?;
        let ends_here = remaining.is_empty() || remaining.starts_with('/');
        let (matched, remaining) = path.split_at(self.0.len());
        ends_here.then(|| PartialPathMatch::new(remaining, Vec::new(), matched))
    }

    fn generate_path(&self, path: &mut Vec<PathSegment>) {
        path.push(PathSegment::Static(self.0.clone().into()));
    }
}

/// The place of a dialog when there is none.
#[component]
fn Nothing() -> impl IntoView {}
