//! Texts of problems: what happened, what did not change, and what to do.

use super::{
    badge::Tone,
    callout::{Announce, Callout},
    icon::{Icon, IconName},
};
use crate::model::{
    audit_query::PeriodError,
    problem::MissingPrivilege,
    problem::{ElasticsearchFault, Problem, ProblemKind},
    revocation::{KEYS_MAX, SelectionError},
};
use crate::urls;
use leptos::prelude::*;
use leptos_router::{hooks::use_location, location::Url};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemText {
    pub title: String,
    /// Effect and advice.
    pub text: String,
}

pub fn problem_text(kind: &ProblemKind) -> ProblemText {
    let (title, text) = match kind {
        ProblemKind::SignedOut => ("You are signed out", "Sign in to go on."),
        ProblemKind::SessionEnded(end) => (end.sentence(), "Nothing was changed."),
        ProblemKind::SignInEnded => (
            "Elasticsearch no longer accepts your sign-in",
            "Your password may have changed, or your user may be disabled. Nothing was changed. Sign in again.",
        ),
        ProblemKind::SignInRejected => (
            "That did not work",
            "Username or password is wrong, the user is disabled, or sign-in is paused after too many attempts. Wait a moment and try again.",
        ),
        ProblemKind::Forbidden(missing) => return forbidden(missing),
        ProblemKind::ReauthRequired => (
            "Enter your password again for this",
            "It was last entered more than five minutes ago. Nothing was changed.",
        ),
        ProblemKind::CrossOrigin => (
            "This form came from another site",
            "Nothing was changed. Open the page here and try again.",
        ),
        ProblemKind::NotFound => (
            "Not found",
            "It does not exist, or it belongs to another user.",
        ),
        ProblemKind::AlreadyDone => (
            "This key was created already",
            "The form was sent twice, and one key was made. Its secret was shown once, to the first answer. If the secret is lost, revoke the key and create another.",
        ),
        ProblemKind::ChangedMeanwhile => (
            "Changed in the meantime",
            "Another administrator changed this at the same time. Check what it is now, and repeat your change if it is missing.",
        ),
        ProblemKind::OwnAccount => (
            "This is your own user",
            "You cannot disable or delete yourself. Ask another administrator.",
        ),
        ProblemKind::ReservedUser => (
            "Elasticsearch keeps this user for itself",
            "Only its password can be changed.",
        ),
        ProblemKind::NewAgentKey(_)
        | ProblemKind::NewUser(_)
        | ProblemKind::NewPassword(_)
        | ProblemKind::ApmSettings(_) => (
            "Something is not filled in right",
            "Nothing was changed. The fields below say what to correct.",
        ),
        ProblemKind::AuditPeriod(PeriodError::Backwards) => (
            "The first day is after the last",
            "Swap “From” and “To”, or leave one of them empty.",
        ),
        ProblemKind::AuditPeriod(PeriodError::From | PeriodError::To) => (
            "This is not a day of the calendar",
            "Write days as 2026-12-14, or leave them empty.",
        ),
        ProblemKind::KeySelection(error) => return selection(*error),
        ProblemKind::BadForm => (
            "This form cannot be read",
            "Nothing was changed. Open the page again and repeat.",
        ),
        ProblemKind::Refused => (
            "Elasticsearch refused this",
            "Nothing was changed. The details show what Elasticsearch said.",
        ),
        ProblemKind::Elasticsearch(fault) => return elasticsearch_text(*fault),
        ProblemKind::Unconfirmed => (
            "We could not confirm whether this was done",
            "Elasticsearch got the request and sent no usable answer. Nothing was shown to anyone. Look at the list before you repeat it. A new key whose secret was lost this way is found and revoked by itself.",
        ),
        ProblemKind::Storage => (
            "This application’s own storage is not available",
            "Nothing was changed. Try again; if it stays like this, the log tells why.",
        ),
        ProblemKind::Offline => (
            "This application cannot be reached",
            "Check your connection and try again.",
        ),
        ProblemKind::Internal => (
            "Something went wrong here",
            "That is our mistake. The log of this application tells more.",
        ),
    };
    ProblemText {
        title: title.to_owned(),
        text: text.to_owned(),
    }
}

fn selection(error: SelectionError) -> ProblemText {
    let (title, text) = match error {
        SelectionError::Empty => (
            "No key is selected".to_owned(),
            "Nothing was changed. Tick the keys in the list first.",
        ),
        SelectionError::TooMany => (
            format!("More than {KEYS_MAX} keys are selected"),
            "Nothing was changed. Revoke them in several steps.",
        ),
        SelectionError::NotAnId => (
            "One of these is not the id of a key".to_owned(),
            "Nothing was changed. Keys are revoked by their exact ids; patterns and lists inside one id are refused.",
        ),
        SelectionError::NotConfirmed => (
            "The number of keys is not confirmed".to_owned(),
            "Nothing was changed. Type how many keys are to be revoked.",
        ),
    };
    ProblemText {
        title,
        text: text.to_owned(),
    }
}

fn forbidden(missing: &[MissingPrivilege]) -> ProblemText {
    let names: Vec<_> = missing.iter().map(privilege_text).collect();
    ProblemText {
        title: "You do not have permission for this".to_owned(),
        text: format!(
            "Your user is missing {}. Ask an administrator for the role apm_agent_key_role.",
            if names.is_empty() {
                "a privilege".to_owned()
            } else {
                names.join(", ")
            }
        ),
    }
}

/// Describes a missing privilege.
pub fn privilege_text(missing: &MissingPrivilege) -> String {
    match missing {
        MissingPrivilege::Cluster(name) => format!("{name} (cluster)"),
        MissingPrivilege::Application {
            application,
            privilege,
            resource,
        } if resource == "*" => {
            format!("{privilege} (application {application})")
        }
        MissingPrivilege::Application {
            application,
            privilege,
            resource,
        } => {
            format!("{privilege} (application {application}, {resource})")
        }
    }
}

fn elasticsearch_text(fault: ElasticsearchFault) -> ProblemText {
    use ElasticsearchFault as F;
    let (title, text) = match fault {
        F::Unreachable => (
            "Elasticsearch cannot be reached".to_owned(),
            "Nothing was changed, and you stay signed in. Try again in a moment.",
        ),
        F::TimedOut => (
            "Elasticsearch took too long to answer".to_owned(),
            "You stay signed in. Try again in a moment.",
        ),
        F::Busy => (
            "Elasticsearch is busy".to_owned(),
            "Nothing was changed, and you stay signed in. Try again in a few seconds.",
        ),
        F::Gateway(status) => (
            format!(
                "Something between this application and Elasticsearch answered (HTTP {status})"
            ),
            "A proxy or load balancer may be in the way. You stay signed in. Try again, or ask whoever runs it.",
        ),
        F::Tls => (
            "The identity of Elasticsearch could not be verified".to_owned(),
            "Nothing was sent. An administrator must check its certificate.",
        ),
        F::WrongProduct => (
            "The address configured as Elasticsearch is not Elasticsearch".to_owned(),
            "An administrator must check the address.",
        ),
        F::BadAnswer => (
            "Elasticsearch answered something that cannot be read".to_owned(),
            "You stay signed in. Try again in a moment.",
        ),
        F::ApiKeysDisabled => (
            "API keys are turned off in Elasticsearch".to_owned(),
            "Nothing was changed. An administrator can turn them on with xpack.security.authc.api_key.enabled.",
        ),
        F::SecurityDisabled => (
            "Security is turned off in Elasticsearch".to_owned(),
            "Without it there are no users and no API keys. An administrator can turn it on with xpack.security.enabled.",
        ),
        F::TooOld { major, minor } => (
            format!("Elasticsearch {major}.{minor} is too old"),
            "Agent Keys needs Elasticsearch 8.0 or later. An administrator can upgrade the cluster, or set another address.",
        ),
        F::OpenSearch => (
            "The address configured as Elasticsearch is OpenSearch".to_owned(),
            "OpenSearch has another security API, without API keys for APM agents. An administrator must set the address of an Elasticsearch, or leave it out to use the embedded engine.",
        ),
        F::LicenseExpired => (
            "The Elasticsearch licence has expired".to_owned(),
            "Nothing was changed. An administrator must renew it, or go back to the free Basic licence.",
        ),
        F::NotOnServerless => (
            "Elasticsearch Serverless does not offer this".to_owned(),
            "Keys and roles work there; people are managed in the Elastic Cloud console.",
        ),
        F::NoMaster => (
            "The Elasticsearch cluster has no master node".to_owned(),
            "You stay signed in. Try again in a moment; if it stays like this, an administrator must look at the cluster.",
        ),
        F::SecurityIndexUnavailable => (
            "Elasticsearch cannot check users and keys at the moment".to_owned(),
            "Its security index is not available, for example while the cluster starts. You stay signed in. Try again in a moment.",
        ),
        F::Blocked => (
            "Elasticsearch refuses requests at the moment".to_owned(),
            "The cluster is starting, or an administrator has blocked it. You stay signed in. Try again in a moment.",
        ),
        F::FloodStage => (
            "Elasticsearch is almost out of disk space".to_owned(),
            "It can be read, and accepts no changes until an administrator frees space. Nothing was changed.",
        ),
        F::OutOfMemory => (
            "Elasticsearch is short of memory".to_owned(),
            "Nothing was changed, and you stay signed in. Try again in a moment.",
        ),
        F::RequestTooLarge => (
            "The request is too large for Elasticsearch".to_owned(),
            "Nothing was changed. Select fewer keys at once, or shorten what you entered.",
        ),
        F::CacheNotCleared => (
            "The change was made, but not every node knows yet".to_owned(),
            "Elasticsearch could not clear its key caches. A revoked key may work for a few minutes, until an administrator clears them: POST /_security/api_key/*/_clear_cache.",
        ),
        F::Failed(status) => (
            format!("Elasticsearch answered with an error (HTTP {status})"),
            "You stay signed in. Try again in a moment.",
        ),
    };
    ProblemText {
        title,
        text: text.to_owned(),
    }
}

/// Returns true if trying again can help.
fn is_passing(kind: &ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::Elasticsearch(_)
            | ProblemKind::Storage
            | ProblemKind::Offline
            | ProblemKind::Internal
    )
}

/// Returns the sign-in page if the session has ended. The script goes there at once, because a page change that is in
/// progress drops the server's redirect.
fn sign_in_again(kind: &ProblemKind) -> Option<String> {
    let reason = kind.end_of_session()?;
    let here = use_location();
    let (path, search) = (here.pathname.get_untracked(), here.search.get_untracked());
    let next = Url::escape(&urls::with_search(&path, &search));
    let address = format!("{}&next={next}", urls::login(reason));
    let to = address.clone();
    Effect::new(move || {
        // On failure there is still the button.
        let _ = window().location().assign(&to);
    });
    Some(address)
}

/// A problem in place of a page's content, with a link to try again.
#[component]
pub fn ProblemPrompt(
    problem: Problem,
    /// Address to try again.
    #[prop(into)]
    retry: String,
) -> impl IntoView {
    let ProblemText { title, text } = problem_text(&problem.kind);
    let icon = match problem.kind {
        ProblemKind::Forbidden(_) => IconName::Lock,
        ProblemKind::Elasticsearch(
            ElasticsearchFault::ApiKeysDisabled | ElasticsearchFault::SecurityDisabled,
        ) => IconName::Off,
        ProblemKind::Elasticsearch(_) | ProblemKind::Offline => IconName::Unplug,
        _ => IconName::Warn,
    };
    let sign_in = sign_in_again(&problem.kind);
    let way_out = match (&sign_in, is_passing(&problem.kind)) {
        (Some(_), _) => "Sign in",
        (None, true) => "Try again",
        (None, false) => "Check again",
    };
    view! {
        <section class="panel prompt" data-tone="warning" role="alert">
            <Icon name=icon />
            <h2>{title}</h2>
            <p>{text}</p>
            <div class="button-row">
                <a class="button" data-variant="primary" href=sign_in.unwrap_or(retry) rel="external">
                    <Icon name=IconName::Rotate />
                    {way_out}
                </a>
            </div>
            <ProblemDetails problem />
        </section>
    }
    .into_any()
}

/// Announces the result of a form that stays on its page.
#[component]
pub fn ResultNotice(
    /// The sentence on success, or the problem.
    result: Result<String, Problem>,
) -> impl IntoView {
    match result {
        Ok(text) => view! {
            <Callout tone=Tone::Success announce=Announce::Status small=true>
                <p>{text}</p>
            </Callout>
        }
        .into_any(),
        Err(problem) => view! { <ProblemCallout problem /> }.into_any(),
    }
}

/// Missing privileges in place of a page's content.
#[component]
pub fn DeniedPrompt(
    title: &'static str,
    username: String,
    missing: Vec<MissingPrivilege>,
    advice: &'static str,
    /// Address to check again.
    #[prop(into)]
    again: String,
) -> impl IntoView {
    let names: Vec<_> = missing.iter().map(privilege_text).collect();
    view! {
        <section class="panel prompt" data-tone="warning" role="alert">
            <Icon name=IconName::Lock />
            <h2>{title}</h2>
            <p>
                "You are signed in as " <strong><bdi>{username}</bdi></strong> ". This page needs "
                {names.join(", ")} ". " {advice}
            </p>
            <CheckAgain href=again />
        </section>
    }
    .into_any()
}

/// Link that loads the page again.
#[component]
pub fn CheckAgain(#[prop(into)] href: String) -> impl IntoView {
    view! {
        <div class="button-row">
            <a class="button" data-variant="primary" href=href rel="external">
                <Icon name=IconName::Rotate />
                "Check again"
            </a>
        </div>
    }
    .into_any()
}

/// A problem above a form.
#[component]
pub fn ProblemCallout(problem: Problem) -> impl IntoView {
    let ProblemText { title, text } = problem_text(&problem.kind);
    sign_in_again(&problem.kind);
    view! {
        <Callout tone=Tone::Danger announce=Announce::Alert>
            <strong>{title}</strong>
            <p>{text}</p>
            <ProblemDetails problem />
        </Callout>
    }
    .into_any()
}

/// Request id and Elasticsearch's reason, for finding the problem in the log.
#[component]
fn ProblemDetails(problem: Problem) -> impl IntoView {
    let reason = problem.reason.map(|reason| {
        view! { <p class="small">"Elasticsearch: " <q>{reason}</q></p> }
    });
    problem.request_id.map(|id| {
        view! {
            <details class="disclosure">
                <summary>"Show details"</summary>
                {reason}
                <p class="small">
                    "Request " <code>{id}</code> ", status " {problem.kind.status()}
                    ". The log of this application has more under that request."
                </p>
            </details>
        }
    })
}
