//! Pages and their routes.

use crate::urls;
use agent_keys::AgentKeysPage;
use code_split::{KeyPage, SignInPage, SplitPage, UserPage};
use layout::SettingsLayout;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    PartialPathMatch, PathSegment, PossibleRouteMatch, SsrMode,
    components::{Outlet, ParentRoute, Route, Router, Routes},
    path,
};

pub mod agent_key;
pub mod agent_keys;
pub mod apm_integration;
pub mod audit;
mod code_split;
pub mod layout;
pub mod own_password;
pub mod sessions;
pub mod sign_in;
pub mod users;

/// The application. The server renders every page completely before it sends it, since it must work without script.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=TopLevel::at("/login") view=SplitPage::SignIn(SignInPage::Login) ssr=SsrMode::Async />
                <Route
                    path=TopLevel::at("/reauthenticate")
                    view=SplitPage::SignIn(SignInPage::Reauthenticate)
                    ssr=SsrMode::Async
                />
                <ParentRoute path=TopLevel::at("/settings") view=SettingsLayout ssr=SsrMode::Async>
                    <ParentRoute path=path!("agent-keys") view=AgentKeysPage ssr=SsrMode::Async>
                        <Route path=path!("") view=NoDialog ssr=SsrMode::Async />
                        <Route path=path!("new") view=SplitPage::AgentKey(KeyPage::Create) ssr=SsrMode::Async />
                        <Route path=path!("revoke") view=SplitPage::AgentKey(KeyPage::RevokeMany) ssr=SsrMode::Async />
                        <Route path=path!(":id/revoke") view=SplitPage::AgentKey(KeyPage::Revoke) ssr=SsrMode::Async />
                        <Route path=path!(":id/rotate") view=SplitPage::AgentKey(KeyPage::Rotate) ssr=SsrMode::Async />
                    </ParentRoute>
                    <ParentRoute path=path!("agent-keys/:id") view=Outlet ssr=SsrMode::Async>
                        <Route path=path!("") view=SplitPage::AgentKey(KeyPage::Details) ssr=SsrMode::Async />
                    </ParentRoute>
                    <Route path=path!("apm-integration") view=SplitPage::ApmIntegration ssr=SsrMode::Async />
                    <Route path=path!("sessions") view=SplitPage::Sessions ssr=SsrMode::Async />
                    <Route path=path!("password") view=SplitPage::OwnPassword ssr=SsrMode::Async />
                    <Route path=path!("audit") view=SplitPage::Audit ssr=SsrMode::Async />
                    <ParentRoute path=path!("users") view=SplitPage::Users(UserPage::Table) ssr=SsrMode::Async>
                        <Route path=path!("") view=NoDialog ssr=SsrMode::Async />
                        <Route path=path!("new") view=SplitPage::Users(UserPage::Create) ssr=SsrMode::Async />
                        <Route path=path!("disable") view=SplitPage::Users(UserPage::Disable) ssr=SsrMode::Async />
                        <Route path=path!("delete") view=SplitPage::Users(UserPage::Delete) ssr=SsrMode::Async />
                        <Route path=path!("password") view=SplitPage::Users(UserPage::ResetPassword) ssr=SsrMode::Async />
                        <Route path=path!("mappings/new") view=SplitPage::Users(UserPage::CreateMapping) ssr=SsrMode::Async />
                        <Route path=path!("mappings/edit") view=SplitPage::Users(UserPage::EditMapping) ssr=SsrMode::Async />
                        <Route path=path!("mappings/delete") view=SplitPage::Users(UserPage::DeleteMapping) ssr=SsrMode::Async />
                    </ParentRoute>
                </ParentRoute>
            </Routes>
        </Router>
    }
    .into_any()
}

/// First segment of a route, below the base path.
///
/// Replaces the router's `base`, with which its forms would have the base path twice.
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

/// Empty outlet of a page without a dialog.
#[component]
fn NoDialog() -> impl IntoView {}

#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "server")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Not found · Agent Keys" />
        <div class="login">
            <main>
                <section class="panel prompt">
                    <h1>"Page not found"</h1>
                    <p>"The link may be outdated or mistyped."</p>
                    <div class="button-row">
                        <a class="button" data-variant="primary" href=urls::agent_keys()>"Go to agent keys"</a>
                    </div>
                </section>
            </main>
        </div>
    }
    .into_any()
}
