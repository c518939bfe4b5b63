//! Layout of every page behind the sign-in.

use crate::{
    api::{PageResource, page_resource, sessions::read_viewer},
    components::navigation::{Sidenav, SignOutButton, TopbarEnd, TopbarStart},
    model::{
        problem::{ElasticsearchFault, Problem, ProblemKind},
        viewer::Viewer,
    },
    urls,
};
use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_location};

/// The signed-in user, loaded once and shared by all pages.
#[derive(Clone, Copy)]
pub struct CurrentViewer(pub PageResource<Result<Viewer, Problem>>);

pub fn use_viewer() -> PageResource<Result<Viewer, Problem>> {
    expect_context::<CurrentViewer>().0
}

/// Top bar, navigation, and the page between them.
#[component]
pub fn SettingsLayout() -> impl IntoView {
    let viewer = page_resource(|| (), |()| read_viewer());
    provide_context(CurrentViewer(viewer));
    let location = use_location();
    // A page change loads the user again, in case Elasticsearch answers now.
    let is_down = move || viewer.with_untracked(is_elasticsearch_down);
    Effect::watch(
        move || (location.pathname.get(), location.search.get()),
        move |_, _, _| {
            if is_down() {
                viewer.refetch();
            }
        },
        false,
    );
    let behind_dialog = move || is_dialog(&location.pathname.read());
    let title = Signal::derive(move || title(&location.pathname.read()));
    view! {
        <a class="skip-link" href="#main">"Skip to content"</a>
        <div class="shell">
            <header class="topbar" inert=behind_dialog>
                <TopbarStart title />
                <div data-part="end">
                    <Suspense>
                        {move || Suspend::new(async move {
                            viewer.await.ok().map(|viewer| view! { <TopbarEnd viewer /> })
                        })}
                    </Suspense>
                    <SignOutButton />
                </div>
            </header>
            <div class="sidenav-slot" inert=behind_dialog>
                <Sidenav />
            </div>
            <Outlet />
        </div>
    }
    .into_any()
}

/// Returns true if Elasticsearch did not answer the query for the user's permissions.
pub fn is_elasticsearch_down(viewer: &Option<Result<Viewer, Problem>>) -> bool {
    matches!(viewer, Some(Ok(viewer)) if viewer.cluster.is_down)
}

/// Returns the user with known permissions, or Elasticsearch's fault.
pub async fn viewer_with_access(
    viewer: PageResource<Result<Viewer, Problem>>,
) -> Result<Viewer, Problem> {
    let viewer = viewer.await?;
    if viewer.cluster.is_down {
        return Err(ProblemKind::from(ElasticsearchFault::Unreachable).into());
    }
    Ok(viewer)
}

/// Returns true if the address is that of a dialog.
pub fn is_dialog(path: &str) -> bool {
    let path = below_base_path(path);
    path.ends_with("/new") || path.ends_with("/revoke") || path.starts_with("/settings/users/")
}

fn title(path: &str) -> &'static str {
    let path = below_base_path(path);
    if path.starts_with("/settings/users") {
        "Users and roles"
    } else if path.starts_with("/settings/audit") {
        "Audit log"
    } else if path.starts_with("/settings/sessions") {
        "Your sessions"
    } else if path.starts_with("/settings/apm-integration") {
        "APM integration"
    } else {
        "Agent keys"
    }
}

fn below_base_path(path: &str) -> String {
    let base_path = urls::base_path();
    let path = base_path.strip(path).unwrap_or_default();
    path.trim_end_matches('/').to_owned()
}
