//! The pages, and the addresses they stand at.

pub mod agent_key;
pub mod agent_keys;
pub mod apm_integration;
pub mod audit;
pub mod layout;
pub mod login;
pub mod not_found;
pub mod users;

use agent_key::AgentKeyPage;
use agent_keys::{AgentKeysPage, create::CreateAgentKeyPage, revoke::RevokeAgentKeyPage};
use apm_integration::ApmIntegrationPage;
use audit::AuditPage;
use layout::SettingsLayout;
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode,
    components::{Outlet, ParentRoute, Route, Router, Routes},
    path,
};
use login::LoginPage;
use not_found::NotFoundPage;
use users::{
    UsersPage, create::CreateUserPage, delete::DeleteUserPage, reset_password::ResetPasswordPage,
};

/// The application. Every page is rendered whole before it is sent: it must be complete without a script.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async />
                <ParentRoute path=path!("/settings") view=SettingsLayout ssr=SsrMode::Async>
                    <ParentRoute path=path!("agent-keys") view=AgentKeysPage ssr=SsrMode::Async>
                        <Route path=path!("") view=Nothing ssr=SsrMode::Async />
                        <Route path=path!("new") view=CreateAgentKeyPage ssr=SsrMode::Async />
                        <Route path=path!(":id/revoke") view=RevokeAgentKeyPage ssr=SsrMode::Async />
                    </ParentRoute>
                    <ParentRoute path=path!("agent-keys/:id") view=Outlet ssr=SsrMode::Async>
                        <Route path=path!("") view=AgentKeyPage ssr=SsrMode::Async />
                    </ParentRoute>
                    <Route path=path!("apm-integration") view=ApmIntegrationPage ssr=SsrMode::Async />
                    <Route path=path!("audit") view=AuditPage ssr=SsrMode::Async />
                    <ParentRoute path=path!("users") view=UsersPage ssr=SsrMode::Async>
                        <Route path=path!("") view=Nothing ssr=SsrMode::Async />
                        <Route path=path!("new") view=CreateUserPage ssr=SsrMode::Async />
                        <Route path=path!("delete") view=DeleteUserPage ssr=SsrMode::Async />
                        <Route path=path!("password") view=ResetPasswordPage ssr=SsrMode::Async />
                    </ParentRoute>
                </ParentRoute>
            </Routes>
        </Router>
    }
    .into_any()
}

/// The place of a dialog when there is none.
#[component]
fn Nothing() -> impl IntoView {}
