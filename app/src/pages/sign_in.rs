//! The sign-in page, and the page that asks for the password again.

use crate::{
    api::{
        page_resource,
        sessions::{Reauthenticate, SignIn, read_login_info, read_viewer},
    },
    components::{
        badge::{Badge, Tone},
        callout::{Announce, Callout},
        field::{FieldKind, TextField},
        form::{ActionForm, use_form},
        icon::{Icon, IconName, Mark},
        problem::{ProblemCallout, problem_text},
    },
    model::{
        problem::{Problem, ProblemKind},
        session::SessionEnd,
        viewer::LoginInfo,
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn LoginPage() -> impl IntoView {
    let login_info = page_resource(|| (), |()| read_login_info());
    let query = urls::use_parameters();
    let sign_in = use_form::<SignIn>();
    let problem = move || sign_in.value().get().and_then(Result::err);
    let username = sign_in
        .input()
        .get_untracked()
        .map(|input| input.username)
        .unwrap_or_default();
    let wrong = wrong_password(problem);
    let notice = move || match query.read().get_str("reason") {
        Some("ended") => Some("Your session ended. Sign in again."),
        Some("signed-out") => Some("You are signed out."),
        Some(word) => word.parse().ok().map(SessionEnd::sentence),
        None => None,
    };
    let message = move || {
        problem().map_or_else(
            || {
                notice().map(|text| {
                    view! {
                        <Callout tone=Tone::Accent announce=Announce::Status small=true>
                            <p>{text}</p>
                        </Callout>
                    }
                    .into_any()
                })
            },
            |problem| {
                let problem_text = problem_text(&problem.kind);
                Some(
                    view! {
                        <Callout tone=Tone::Danger announce=Announce::Alert small=true>
                            <strong>{problem_text.title}</strong>
                            <p>{problem_text.text}</p>
                        </Callout>
                    }
                    .into_any(),
                )
            },
        )
    };
    view! {
        <Title text="Sign in · Agent Keys" />
        <div class="login">
            <main>
                <div data-part="brand">
                    <Mark size="lg" />
                    <h1>"Sign in to Agent Keys"</h1>
                </div>
                <section class="panel">
                    <Suspense>
                        {move || Suspend::new(async move {
                            login_info.await.ok().map(|door| view! { <Endpoint door /> })
                        })}
                    </Suspense>
                    <ActionForm action=sign_in>
                        <div data-part="body" class="stack">
                            {message}
                            <input type="hidden" name="next" value=move || query.read().get("next") />
                            <TextField
                                id="username"
                                name="username"
                                label="Username"
                                value=username
                                errors=Signal::stored(Vec::new())
                                required=true
                                autofocus=true
                                autocomplete="username"
                            />
                            <TextField
                                id="password"
                                name="password"
                                label="Password"
                                kind=FieldKind::Password
                                errors=wrong
                                required=true
                                autocomplete="current-password"
                            />
                            <button
                                class="button"
                                data-variant="primary"
                                type="submit"
                                data-block
                                aria-busy=move || sign_in.pending().get().then_some("true")
                            >
                                "Sign in"
                            </button>
                            <p class="small muted">
                                "Use any Elasticsearch user with a password: native, LDAP, Active Directory or file realm."
                            </p>
                        </div>
                    </ActionForm>
                </section>
                <Suspense>
                    {move || Suspend::new(async move {
                        login_info.await.ok().filter(|door| door.embedded).map(|_| view! { <FirstTime /> })
                    })}
                </Suspense>
            </main>
            <footer>
                "Your password goes to Elasticsearch. This application keeps it sealed for the time of your session, under a key that only your browser holds; it never stores a key’s secret."
            </footer>
        </div>
    }
    .into_any()
}

/// Address and reachability of Elasticsearch.
#[component]
fn Endpoint(door: LoginInfo) -> impl IntoView {
    let (tone, word) = if door.reachable {
        (Tone::Success, "Reachable")
    } else {
        (Tone::Danger, "Not reachable")
    };
    view! {
        <div data-part="endpoint">
            <Icon name=IconName::Server tone=tone.word() />
            <span>{if door.embedded { "Embedded engine at" } else { "Elasticsearch at" }}</span>
            <Badge tone text=word variant="dot" />
            <b>{door.url}</b>
        </div>
        {door
            .plain_http
            .then(|| {
                view! {
                    <Callout tone=Tone::Warning small=true>
                        <p>
                            "This page came over plain HTTP. Your password and every key travel in plain text. Use https:// or a tunnel."
                        </p>
                    </Callout>
                }
            })}
    }
    .into_any()
}

/// Help for the first sign-in.
#[component]
fn FirstTime() -> impl IntoView {
    view! {
        <details class="disclosure" data-variant="panel">
            <summary>"First time here, with the embedded engine?"</summary>
            <div class="stack" data-gap="sm">
                <p class="small">
                    "Sign in as " <code>"elastic"</code>
                    ". The server printed its password once, on first start, in the line that begins with “First-run password”."
                </p>
                <p class="small">
                    "Lost it? Run this on the server: " <code>"agent-keys reset-password elastic"</code>
                </p>
            </div>
        </details>
    }
    .into_any()
}

/// Returns the errors of the field `password`, and empties the field after a rejection.
fn wrong_password(
    problem: impl Fn() -> Option<Problem> + Copy + Send + Sync + 'static,
) -> Signal<Vec<String>> {
    Effect::new(move || {
        if problem().is_some() {
            empty_field("password");
        }
    });
    Signal::derive(move || {
        let rejected = problem().is_some_and(|problem| problem.kind == ProblemKind::SignInRejected);
        let sentence = rejected.then(|| "Enter the password again.".to_owned());
        sentence.into_iter().collect()
    })
}

#[cfg(feature = "hydrate")]
fn empty_field(id: &str) {
    use wasm_bindgen::JsCast;
    let field = document().get_element_by_id(id);
    if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlInputElement>().ok())
    {
        field.set_value("");
    }
}

#[cfg(not(feature = "hydrate"))]
fn empty_field(_id: &str) {}

#[component]
pub fn ReauthenticatePage() -> impl IntoView {
    let viewer = page_resource(|| (), |()| read_viewer());
    let query = urls::use_parameters();
    let reauthenticate = use_form::<Reauthenticate>();
    let problem = move || reauthenticate.value().get().and_then(Result::err);
    let next = move || query.read().get("next");
    let wrong = wrong_password(problem);
    // The server validates the redirect of the form; this link needs the same validation.
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

/// Explains whose password is needed and why.
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

/// Problem of the form. The text for a wrong password differs from the sign-in page's, because the user is known.
#[component]
fn Refused(problem: Problem) -> impl IntoView {
    if problem.kind != ProblemKind::SignInRejected {
        return view! { <ProblemCallout problem /> }.into_any();
    }
    view! {
        <Callout tone=Tone::Danger announce=Announce::Alert small=true>
            <strong>{problem_text(&problem.kind).title}</strong>
            <p>
                "The password is wrong, or entering it is paused after too many attempts. You stay signed in. Wait a moment and try again."
            </p>
        </Callout>
    }
    .into_any()
}
