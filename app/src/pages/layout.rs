//! Layout of every page behind the sign-in.

use crate::{
    api::{PageResource, page_resource, sessions::read_viewer},
    components::{
        focus::enter_page,
        navigation::{AccessSection, Sidenav, SignOutButton, TopbarEnd, TopbarStart},
        problem::UserChanges,
    },
    model::{
        problem::{ElasticsearchFault, Problem, ProblemKind},
        session::Viewer,
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
    let changes = RwSignal::new(0);
    provide_context(UserChanges(changes));
    let viewer = page_resource(move || changes.get(), |_| read_viewer());
    provide_context(CurrentViewer(viewer));
    let location = use_location();
    let is_down = move || viewer.with_untracked(is_elasticsearch_down);
    Effect::watch(
        move || (location.pathname.get(), location.search.get()),
        move |(path, _), before, _| {
            // A page change loads the user again, in case Elasticsearch answers now.
            if is_down() {
                viewer.refetch();
            }
            let before = before.filter(|(before, _)| before != path && !is_dialog(path));
            if let Some((path, search)) = before {
                enter_page(is_dialog(path).then(|| urls::with_search(path, search)));
            }
        },
        false,
    );
    let behind_dialog = move || is_dialog(&location.pathname.read());
    let title = Signal::derive(move || title(&location.pathname.read()));
    view! {
        <a class="skip-link" href="#main" inert=behind_dialog>"Skip to content"</a>
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
                <Sidenav>
                    <Suspense>
                        {move || Suspend::new(async move {
                            let viewer = viewer.await.ok();
                            viewer
                                .filter(|viewer| viewer.access.manage_security.is_granted())
                                .map(|_| view! { <AccessSection /> })
                        })}
                    </Suspense>
                </Sidenav>
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
    ["/new", "/revoke", "/rotate"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.starts_with("/settings/users/")
}

/// Returns whether a dialog is open over this page, and how many were closed, so that the page loads its data anew.
pub fn use_dialogs() -> Memo<(bool, u32)> {
    let location = use_location();
    Memo::new(move |before: Option<&(bool, u32)>| {
        let is_open = is_dialog(&location.pathname.read());
        let (was_open, closed) = before.copied().unwrap_or((is_open, 0));
        (is_open, closed + u32::from(was_open && !is_open))
    })
}

fn title(path: &str) -> &'static str {
    let path = below_base_path(path);
    if path.starts_with("/settings/users") {
        "Users and roles"
    } else if path.starts_with("/settings/audit") {
        "Audit log"
    } else if path.starts_with("/settings/sessions") {
        "Your sessions"
    } else if path.starts_with("/settings/password") {
        "Change password"
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
