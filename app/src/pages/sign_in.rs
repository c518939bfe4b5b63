//! The sign-in page, and the page that asks for the password again.

use crate::{
    api::{
        page_resource,
        sessions::{Reauthenticate, SignIn, read_login_info, read_viewer},
    },
    components::{
        form::{FieldKind, InterruptedFields, PlainForm, TextField, use_posted},
        icon::{Icon, IconName, Mark},
        problem::{ProblemCallout, ProblemText, problem_text},
        status::{Announce, Badge, Callout, Tone},
    },
    model::{
        problem::{Problem, ProblemKind},
        session::{LoginInfo, SessionEnd},
    },
    urls,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use serde::de::DeserializeOwned;

#[component]
pub fn LoginPage() -> impl IntoView {
    let login_info = page_resource(|| (), |()| read_login_info());
    let query = urls::use_parameters();
    let (typed, problem) = posted::<SignIn>();
    let username = typed.map(|input| input.username).unwrap_or_default();
    let refused = problem.is_some();
    let (no_username, no_password) = match problem.as_ref().map(|problem| &problem.kind) {
        Some(ProblemKind::SignInIncomplete { username, password }) => (*username, *password),
        _ => (false, false),
    };
    let to_username = username.is_empty() || no_username;
    let username_errors: Vec<_> = no_username
        .then(|| "Enter your username.".to_owned())
        .into_iter()
        .collect();
    let password_errors = password_errors(problem.as_ref());
    let notice = move || match query.read().get_str("reason") {
        Some("ended") => Some("Your session ended. Sign in again."),
        Some("signed-out") => Some("You are signed out."),
        Some(word) => word.parse().ok().map(SessionEnd::sentence),
        None => None,
    };
    let message = match problem {
        Some(_) if no_username || no_password => None,
        Some(problem) => {
            let ProblemText { title, text } = problem_text(&problem.kind);
            Some(
                view! {
                    <Callout tone=Tone::Danger announce=Announce::Alert small=true>
                        <strong>{title}</strong>
                        <p>{text}</p>
                    </Callout>
                }
                .into_any(),
            )
        }
        None => {
            let notice = move || {
                notice().map(|text| {
                    view! {
                        <Callout tone=Tone::Accent announce=Announce::Status small=true>
                            <p>{text}</p>
                        </Callout>
                    }
                })
            };
            Some(notice.into_any())
        }
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
                            login_info.await.ok().map(|door| view! { <Endpoint door refused /> })
                        })}
                    </Suspense>
                    <PlainForm<SignIn>>
                        <InterruptedFields />
                        <div data-part="body" class="stack">
                            {message}
                            <input type="hidden" name="next" value=move || query.read().get("next") />
                            <TextField
                                id="username"
                                name="username"
                                label="Username"
                                value=username
                                errors=Signal::stored(username_errors)
                                required=true
                                autofocus=to_username
                                autocomplete="username"
                            />
                            <TextField
                                id="password"
                                name="password"
                                label="Password"
                                kind=FieldKind::Password
                                errors=Signal::stored(password_errors)
                                required=true
                                autofocus=!to_username
                                autocomplete="current-password"
                            />
                            <button class="button" data-variant="primary" type="submit" data-block>
                                "Sign in"
                            </button>
                            <p class="small muted">
                                "Use any Elasticsearch user with a password: native, LDAP, Active Directory or file realm."
                            </p>
                        </div>
                    </PlainForm<SignIn>>
                </section>
                <Suspense>
                    {move || Suspend::new(async move {
                        login_info.await.ok().filter(|door| door.embedded).map(|_| view! { <FirstTime /> })
                    })}
                </Suspense>
            </main>
            <footer>
                "Elasticsearch checks your password. Agent Keys stores it for the length of your session, encrypted with a key that only your browser holds. It never stores the secrets of agent keys."
            </footer>
        </div>
    }
    .into_any()
}

/// Address and reachability of Elasticsearch.
#[component]
fn Endpoint(
    door: LoginInfo,
    /// True beside a refused sign-in: success must not be drawn beside it.
    refused: bool,
) -> impl IntoView {
    let (tone, word) = if door.reachable {
        let tone = if refused {
            Tone::Neutral
        } else {
            Tone::Success
        };
        (tone, "Reachable")
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
                            "This page uses plain HTTP. Your password and keys are sent unencrypted. Use https:// or a tunnel."
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
            <summary>"First time with the embedded engine?"</summary>
            <div class="stack" data-gap="sm">
                <p class="small">
                    "Sign in as " <code>"elastic"</code>
                    ". The server printed the password at its first start, in the line that begins with “First-run password”."
                </p>
                <p class="small">
                    "Lost it? Run this on the server: " <code>"agent-keys reset-password elastic"</code>
                </p>
            </div>
        </details>
    }
    .into_any()
}

/// Returns input and problem of a form, if this page is the response to a refused post of it.
fn posted<S>() -> (Option<S>, Option<Problem>)
where
    S: ServerFn<Error = Problem, Output = ()> + DeserializeOwned,
{
    match use_posted::<S>() {
        Some((input, outcome)) => (input, outcome.err()),
        None => (None, None),
    }
}

/// Returns the errors of the field `password`.
fn password_errors(problem: Option<&Problem>) -> Vec<String> {
    let sentence = match problem.map(|problem| &problem.kind) {
        Some(ProblemKind::SignInRejected) => Some("Enter the password again."),
        Some(ProblemKind::SignInIncomplete { password: true, .. }) => Some("Enter your password."),
        _ => None,
    };
    sentence.map(str::to_owned).into_iter().collect()
}

#[component]
pub fn ReauthenticatePage() -> impl IntoView {
    let viewer = page_resource(|| (), |()| read_viewer());
    let query = urls::use_parameters();
    let (_, problem) = posted::<Reauthenticate>();
    let next = move || query.read().get("next");
    let errors = password_errors(problem.as_ref());
    let problem =
        problem.filter(|problem| !matches!(problem.kind, ProblemKind::SignInIncomplete { .. }));
    // The server validates the redirect of the form; this link needs the same validation.
    let back = move || urls::page_of_export(&urls::page_or_list(next().as_deref()));
    view! {
        <Title text="Enter your password · Agent Keys" />
        <div class="login">
            <main>
                <div data-part="brand">
                    <Mark size="lg" />
                    <h1>"Enter your password again"</h1>
                </div>
                <section class="panel">
                    <PlainForm<Reauthenticate>>
                        <InterruptedFields />
                        <div data-part="body" class="stack">
                            {problem.map(|problem| view! { <Refused problem /> })}
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
                                errors=Signal::stored(errors)
                                required=true
                                autofocus=true
                                autocomplete="current-password"
                            />
                            <div class="button-row">
                                <button class="button" data-variant="primary" type="submit">
                                    "Confirm password"
                                </button>
                                <a class="button" href=back>"Cancel"</a>
                            </div>
                        </div>
                    </PlainForm<Reauthenticate>>
                </section>
            </main>
            <footer>
                "This protects your session on an unattended device: changing users, roles and settings, exporting the audit log, revoking many keys at once and ending sessions of other users require your password."
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
            ". This action requires a password entered in the last five minutes. It continues after you confirm."
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
            <strong>"Password not accepted"</strong>
            <p>
                "The password is wrong, or there were too many attempts. You are still signed in. Wait a moment and try again."
            </p>
        </Callout>
    }
    .into_any()
}
