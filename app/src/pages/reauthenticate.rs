//! Entering the password again, before what would do most harm from a browser that somebody left open.

use super::login::wrong_password;
use crate::{
    components::{
        badge::Tone,
        callout::{Announce, Callout},
        field::{FieldKind, TextField},
        form::{ActionForm, use_form},
        icon::Mark,
        problem::{ProblemCallout, sentences},
    },
    model::problem::{Problem, ProblemKind},
    questions::{
        ask,
        session::{Reauthenticate, read_viewer},
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn ReauthenticatePage() -> impl IntoView {
    let viewer = ask(|| (), |()| read_viewer());
    let query = urls::use_parameters();
    let reauthenticate = use_form::<Reauthenticate>();
    let problem = move || reauthenticate.value().get().and_then(Result::err);
    let next = move || query.read().get("next");
    let wrong = wrong_password(problem);
    // Only a page of ours: the server checks where the form leads, and this link leads there too.
    let back = move || urls::page_or_list(next().as_deref());
    view! {
        <Title text="Enter your password · Agent Keys" />
        <div class="login">
            <main>
                <div data-part="brand">
                    <Mark size="lg" />
                    <h1>"Enter your password again"</h1>
                </div>
                <section class="panel">
                    <ActionForm action=reauthenticate>
                        <div data-part="body" class="stack">
                            {move || problem().map(|problem| view! { <Refused problem /> })}
                            <Suspense>
                                {move || Suspend::new(async move {
                                    viewer.await.ok().map(|viewer| view! { <Who username=viewer.username /> })
                                })}
                            </Suspense>
                            <input type="hidden" name="next" value=next />
                            <TextField
                                id="password"
                                name="password"
                                label="Password"
                                kind=FieldKind::Password
                                errors=wrong
                                required=true
                                autofocus=true
                                autocomplete="current-password"
                            />
                            <div class="button-row">
                                <button
                                    class="button"
                                    data-variant="primary"
                                    type="submit"
                                    aria-busy=move || reauthenticate.pending().get().then_some("true")
                                >
                                    "Confirm password"
                                </button>
                                <a class="button" href=back>"Cancel"</a>
                            </div>
                        </div>
                    </ActionForm>
                </section>
            </main>
            <footer>
                "This keeps somebody who finds your browser open from exporting the audit log, revoking many keys at once, or ending other people’s sessions."
            </footer>
        </div>
    }
    .into_any()
}

/// Whose password, and why it is asked for.
#[component]
fn Who(username: String) -> impl IntoView {
    view! {
        <p>
            "You are signed in as " <strong><bdi>{username}</bdi></strong>
            ". What you are about to do needs a password that was entered in the last five minutes."
        </p>
    }
    .into_any()
}

/// What went wrong. Here a wrong password can only be that: the name is known.
#[component]
fn Refused(problem: Problem) -> impl IntoView {
    if problem.kind != ProblemKind::SignInRejected {
        return view! { <ProblemCallout problem /> }.into_any();
    }
    view! {
        <Callout tone=Tone::Danger announce=Announce::Alert small=true>
            <strong>{sentences(&problem.kind).title}</strong>
            <p>
                "The password is wrong, or entering it is paused after too many attempts. You stay signed in. Wait a moment and try again."
            </p>
        </Callout>
    }
    .into_any()
}
