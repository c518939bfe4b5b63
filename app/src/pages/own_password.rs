//! Change of the user's own password.

use super::layout::{use_viewer, viewer_with_access};
use crate::{
    api::users::ChangeOwnPassword,
    components::{
        form::{ActionForm, FieldKind, SubmitButton, TextField, use_form, use_problem},
        icon::IconName,
        problem::{ProblemCallout, ProblemPrompt},
        status::{Callout, Tone},
    },
    model::{
        problem::{Problem, ProblemKind},
        session::Viewer,
        user::OwnPasswordErrors,
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn OwnPasswordPage() -> impl IntoView {
    let viewer = use_viewer();
    let change = use_form::<ChangeOwnPassword>();
    view! {
        <Title text="Change password · Agent Keys" />
        <main id="main" class="page">
            <header class="page-header">
                <div data-part="title">
                    <h1>"Change password"</h1>
                    <p>"Your own password in Elasticsearch. Your keys are not affected."</p>
                </div>
            </header>
            <Suspense fallback=|| view! { <p role="status">"Loading"</p> }>
                {move || Suspend::new(async move {
                    match viewer_with_access(viewer).await {
                        Ok(viewer) if viewer.access.own_password.is_granted() => {
                            view! { <PasswordForm change username=viewer.username /> }.into_any()
                        }
                        Ok(viewer) => view! { <KeptElsewhere viewer /> }.into_any(),
                        Err(problem) => view! { <ProblemPrompt problem retry=urls::own_password() /> }.into_any(),
                    }
                })}
            </Suspense>
        </main>
    }
    .into_any()
}

/// For a user whose password is not Elasticsearch's to change.
#[component]
fn KeptElsewhere(viewer: Viewer) -> impl IntoView {
    view! {
        <Callout tone=Tone::Accent icon=IconName::Lock>
            <h2>"Your password is not kept in Elasticsearch"</h2>
            <p>
                "You signed in through the realm " <strong><bdi>{viewer.realm}</bdi></strong>
                ". Change your password where that realm keeps it. If you have just upgraded Agent Keys, sign in again first."
            </p>
        </Callout>
    }
    .into_any()
}

#[component]
fn PasswordForm(change: ServerAction<ChangeOwnPassword>, username: String) -> impl IntoView {
    let problem = use_problem(change);
    let errors = Memo::new(move |_| match problem.get() {
        Some(Problem {
            kind: ProblemKind::OwnPassword(errors),
            ..
        }) => errors,
        _ => OwnPasswordErrors::default(),
    });
    let current = Signal::derive(move || {
        let error = errors.read().current;
        error.iter().map(ToString::to_string).collect()
    });
    let new = Signal::derive(move || {
        let error = errors.read().new;
        error.iter().map(ToString::to_string).collect()
    });
    let repeated = Signal::derive(move || {
        let differs = errors.read().repeated;
        differs
            .then(|| "This is not the same as the new password.".to_owned())
            .into_iter()
            .collect()
    });
    view! {
        <section class="panel" data-width="sm" aria-label="Change password">
            <ActionForm action=change>
                <div data-part="body" class="stack" data-gap="lg">
                    {move || problem.get().map(|problem| view! { <ProblemCallout problem /> })}
                    // For password managers. The server does not read it.
                    <input type="text" name="username" value=username autocomplete="username" readonly hidden />
                    <TextField
                        id="current-password"
                        name="current_password"
                        label="Current password"
                        kind=FieldKind::Password
                        errors=current
                        required=true
                        autofocus=true
                        autocomplete="current-password"
                    />
                    <TextField
                        id="new-password"
                        name="new_password"
                        label="New password"
                        kind=FieldKind::Password
                        help="At least 15 characters."
                        errors=new
                        required=true
                        autocomplete="new-password"
                    />
                    <TextField
                        id="repeated-password"
                        name="repeated_password"
                        label="New password again"
                        kind=FieldKind::Password
                        errors=repeated
                        required=true
                        autocomplete="new-password"
                    />
                    <p class="small muted">"Your other sessions end. You stay signed in here."</p>
                    <div class="button-row">
                        <SubmitButton label="Change password" pending=change.pending() />
                        <a class="button" data-variant="quiet" href=urls::sessions()>"Cancel"</a>
                    </div>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
