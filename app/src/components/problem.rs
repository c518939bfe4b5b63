//! Texts of problems: what happened, what did not change, and what to do.

use super::{
    icon::{Icon, IconName},
    status::{Announce, Callout, Tone},
};
use crate::api::form_post::{page_user, set_page_user};
use crate::model::{
    agent_key::MissingPrivilege,
    audit::PeriodError,
    problem::{ElasticsearchFault, Problem, ProblemKind},
    revocation::{KEYS_MAX, SelectionError},
    text::grouped,
    user::AGENT_KEY_ROLE,
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
        ProblemKind::SignedOut => ("You are signed out", "Sign in to continue."),
        ProblemKind::SessionEnded(end) => (end.sentence(), "Nothing was changed."),
        ProblemKind::SignInEnded => (
            "Elasticsearch no longer accepts your sign-in",
            "Your password may have changed, or your user may be disabled. Nothing was changed. Sign in again.",
        ),
        ProblemKind::SignInRejected => (
            "Sign-in failed",
            "The username or password is wrong, the user is disabled, or there were too many attempts. Wait a moment and try again.",
        ),
        ProblemKind::SignInIncomplete { .. } => (
            "Enter your username and password",
            "Nothing was sent to Elasticsearch.",
        ),
        ProblemKind::SignedInAgain => (
            "You are signed in again",
            "Nothing was changed. Check the form before you submit it again.",
        ),
        ProblemKind::Forbidden(missing) => return forbidden(missing),
        ProblemKind::ReauthRequired => (
            "Enter your password again",
            "It was last entered more than five minutes ago. Nothing was changed.",
        ),
        ProblemKind::CrossOrigin => (
            "This form came from another site",
            "Nothing was changed. Open the page here and try again.",
        ),
        ProblemKind::OtherUser { username, .. } => {
            return ProblemText {
                title: format!("You are now signed in as {username}"),
                text: format!(
                    "Another user signed in after this page was opened. Nothing was changed. Check the form before you submit it as {username}."
                ),
            };
        }
        ProblemKind::NotFound => (
            "Not found",
            "It does not exist, or it belongs to another user.",
        ),
        ProblemKind::InProgress => (
            "Already in progress",
            "The form was submitted twice, and the first request is still running. Wait a moment, then check the list.",
        ),
        ProblemKind::AlreadyDone => (
            "This key was already created",
            "The form was submitted twice, and one key was created. Its secret was shown once, in the first response. If you do not have it, revoke the key and create another.",
        ),
        ProblemKind::ChangedMeanwhile => (
            "Changed in the meantime",
            "Another administrator made a change at the same time. Check the current state, and repeat your change if it is missing.",
        ),
        ProblemKind::KeysPerUser { max } => {
            return ProblemText {
                title: format!("You already own {} active keys", grouped((*max).into())),
                text: "Administrators allow no more for one user. Nothing was created. Revoke a key that is no longer used, \
                       or ask an administrator to raise the number under APM integration."
                    .to_owned(),
            };
        }
        ProblemKind::OwnAccount => (
            "This is your own user",
            "Another administrator can disable or delete you. To change your password, choose “Change password” in the menu with your name.",
        ),
        ProblemKind::ReservedUser => (
            "This user is reserved by Elasticsearch",
            "Only its password can be changed.",
        ),
        ProblemKind::MappingNotEditable => (
            "This role mapping cannot be changed here",
            "Its rules are more than this form can write, or it comes from a settings file of the cluster. Change it in Kibana, through the API, or in that file.",
        ),
        ProblemKind::NewAgentKey(_)
        | ProblemKind::Rotation(_)
        | ProblemKind::NewUser(_)
        | ProblemKind::RoleMapping(_)
        | ProblemKind::NewPassword(_)
        | ProblemKind::OwnPassword(_)
        | ProblemKind::ApmSettings(_) => (
            "Some fields are not valid",
            "Nothing was changed. Correct the marked fields.",
        ),
        ProblemKind::AuditPeriod(PeriodError::Backwards) => (
            "The start date is after the end date",
            "Swap “From” and “To”, or leave one of them empty.",
        ),
        ProblemKind::AuditPeriod(PeriodError::From | PeriodError::To) => (
            "This date does not exist",
            "Enter dates as 2026-12-14, or leave them empty.",
        ),
        ProblemKind::KeySelection(error) => return selection(*error),
        ProblemKind::BadForm => (
            "The form could not be read",
            "Nothing was changed. Reload the page and try again.",
        ),
        ProblemKind::Refused => (
            "Elasticsearch refused the request",
            "Nothing was changed. The details show the reason that Elasticsearch gave.",
        ),
        ProblemKind::Elasticsearch(fault) => return elasticsearch_text(*fault),
        ProblemKind::Unconfirmed => (
            "The result is not confirmed",
            "Elasticsearch received the request but sent no usable response. Check the list before you try again. If a key was created, it is revoked automatically, because its secret is lost.",
        ),
        ProblemKind::Storage => (
            "The database of Agent Keys is not available",
            "Nothing was changed. Try again in a moment. If this persists, check the server log.",
        ),
        ProblemKind::Offline => (
            "Agent Keys cannot be reached",
            "Check your connection and try again.",
        ),
        ProblemKind::Internal => (
            "Something went wrong",
            "This is an error in Agent Keys. The server log has the details.",
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
            "Nothing was changed. Select keys in the list first.",
        ),
        SelectionError::TooMany => (
            format!("More than {KEYS_MAX} keys are selected"),
            "Nothing was changed. Revoke them in several steps.",
        ),
        SelectionError::NotAnId => (
            "A selected key id is not valid".to_owned(),
            "Nothing was changed. Keys are revoked by their exact ids, not by patterns or lists.",
        ),
        SelectionError::NotConfirmed => (
            "The number of keys is not confirmed".to_owned(),
            "Nothing was changed. Type the number of keys to revoke.",
        ),
    };
    ProblemText {
        title,
        text: text.to_owned(),
    }
}

fn forbidden(missing: &[MissingPrivilege]) -> ProblemText {
    let names: Vec<_> = missing.iter().map(privilege_text).collect();
    let lacks = if names.is_empty() {
        "a privilege".to_owned()
    } else {
        names.join(", ")
    };
    ProblemText {
        title: "You do not have permission for this".to_owned(),
        text: format!(
            "Your user is missing {lacks}. Ask an administrator for {}.",
            ask_for(missing)
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
            "Nothing was changed, and you are still signed in. Try again in a moment.",
        ),
        F::TimedOut => (
            "Elasticsearch took too long to answer".to_owned(),
            "You are still signed in. Try again in a moment.",
        ),
        F::Busy => (
            "Elasticsearch is busy".to_owned(),
            "Nothing was changed, and you are still signed in. Try again in a few seconds.",
        ),
        F::Gateway(status) => (
            format!("A proxy answered instead of Elasticsearch (HTTP {status})"),
            "You are still signed in. Try again in a moment, or ask the administrator of the proxy or load balancer.",
        ),
        F::Tls => (
            "The identity of Elasticsearch could not be verified".to_owned(),
            "Nothing was sent. An administrator must check its certificate.",
        ),
        F::WrongProduct => (
            "The configured address is not an Elasticsearch cluster".to_owned(),
            "An administrator must check the address.",
        ),
        F::BadAnswer => (
            "Elasticsearch sent an invalid response".to_owned(),
            "You are still signed in. Try again in a moment.",
        ),
        F::ApiKeysDisabled => (
            "API keys are turned off in Elasticsearch".to_owned(),
            "Nothing was changed. An administrator can turn them on with xpack.security.authc.api_key.enabled.",
        ),
        F::SecurityDisabled => (
            "Security is turned off in Elasticsearch".to_owned(),
            "Users and API keys require it. An administrator can turn it on with xpack.security.enabled.",
        ),
        F::TooOld { major, minor } => (
            format!("Elasticsearch {major}.{minor} is too old"),
            "Agent Keys needs Elasticsearch 8.0 or later. An administrator can upgrade the cluster, or set another address.",
        ),
        F::OpenSearch => (
            "The configured address is an OpenSearch cluster".to_owned(),
            "OpenSearch has no API keys for APM agents. An administrator must set the address of an Elasticsearch cluster, or remove it to use the embedded engine.",
        ),
        F::LicenseExpired => (
            "The Elasticsearch licence has expired".to_owned(),
            "Nothing was changed. An administrator must renew it, or switch to the free Basic licence.",
        ),
        F::NotOnServerless => (
            "Elasticsearch Serverless does not support this".to_owned(),
            "Manage users in the Elastic Cloud console. Keys and roles work here.",
        ),
        F::NoMaster => (
            "The Elasticsearch cluster has no master node".to_owned(),
            "You are still signed in. Try again in a moment. If this persists, an administrator must check the cluster.",
        ),
        F::SecurityIndexUnavailable => (
            "Elasticsearch cannot check users and keys right now".to_owned(),
            "Its security index is not available, for example while the cluster starts. You are still signed in. Try again in a moment.",
        ),
        F::Blocked => (
            "Elasticsearch is not accepting requests".to_owned(),
            "The cluster is starting, or an administrator has blocked it. You are still signed in. Try again in a moment.",
        ),
        F::FloodStage => (
            "Elasticsearch is almost out of disk space".to_owned(),
            "Nothing was changed. Changes are blocked until an administrator frees disk space.",
        ),
        F::OutOfMemory => (
            "Elasticsearch is short of memory".to_owned(),
            "Nothing was changed, and you are still signed in. Try again in a moment.",
        ),
        F::RequestTooLarge => (
            "The request is too large for Elasticsearch".to_owned(),
            "Nothing was changed. Select fewer keys at once, or shorten what you entered.",
        ),
        F::CacheNotCleared => (
            "The change was made, but some nodes may not apply it yet".to_owned(),
            "Elasticsearch could not clear its key caches. Some nodes may accept a revoked key for up to 15 minutes, unless an administrator clears them: POST /_security/api_key/*/_clear_cache.",
        ),
        F::NotRevoked => (
            "Elasticsearch did not revoke the key".to_owned(),
            "The key still works. Try again in a moment.",
        ),
        F::Failed(status) => (
            format!("Elasticsearch answered with an error (HTTP {status})"),
            "You are still signed in. Try again in a moment.",
        ),
    };
    ProblemText {
        title,
        text: text.to_owned(),
    }
}

/// Returns true if trying again can help. The other faults last until an administrator acts.
fn is_passing(kind: &ProblemKind) -> bool {
    use ElasticsearchFault as F;
    match kind {
        ProblemKind::Elasticsearch(fault) => !matches!(
            fault,
            F::Tls
                | F::WrongProduct
                | F::ApiKeysDisabled
                | F::SecurityDisabled
                | F::TooOld { .. }
                | F::OpenSearch
                | F::LicenseExpired
                | F::NotOnServerless
                | F::FloodStage
                | F::RequestTooLarge
                | F::CacheNotCleared
        ),
        _ => matches!(
            kind,
            ProblemKind::InProgress
                | ProblemKind::Storage
                | ProblemKind::Offline
                | ProblemKind::Internal
        ),
    }
}

/// Returns the sign-in page if the session has ended. The script goes there at once, because a page change that is in
/// progress drops the server's redirect.
pub fn sign_in_again(kind: &ProblemKind) -> Option<String> {
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

/// Returns what a user with these missing privileges asks an administrator for.
fn ask_for(missing: &[MissingPrivilege]) -> String {
    let broad = missing.iter().find_map(|missing| match missing {
        MissingPrivilege::Cluster(name) if name != "manage_own_api_key" => Some(name),
        _ => None,
    });
    match broad {
        Some(name) => format!("the privilege {name}"),
        None => format!("the role {AGENT_KEY_ROLE}"),
    }
}

/// One sentence on what to ask for, and the missing privileges behind a disclosure.
#[component]
pub fn AskFor(
    /// Purpose, such as “To save”.
    to: &'static str,
    missing: Vec<MissingPrivilege>,
) -> impl IntoView {
    let wanted = ask_for(&missing);
    let names: Vec<_> = missing.iter().map(privilege_text).collect();
    view! {
        <div class="small muted">
            <p id="ask-for">{to} ", ask an administrator for " {wanted} "."</p>
            <details class="disclosure">
                <summary>"Show missing privileges"</summary>
                <p>{names.join(", ")}</p>
            </details>
        </div>
    }
    .into_any()
}

/// Missing privileges in place of a page's content.
#[component]
pub fn DeniedPrompt(
    title: &'static str,
    username: String,
    missing: Vec<MissingPrivilege>,
    /// Address to check again.
    #[prop(into)]
    again: String,
) -> impl IntoView {
    view! {
        <section class="panel prompt" data-tone="warning" role="alert">
            <Icon name=IconName::Lock />
            <h2>{title}</h2>
            <p>"You are signed in as " <strong><bdi>{username}</bdi></strong> "."</p>
            <AskFor to="To see this page" missing />
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

/// Counts how often another user turned out to be signed in. The layout reloads the user then.
#[derive(Clone, Copy)]
pub struct UserChanges(pub RwSignal<u32>);

/// A problem above a form.
#[component]
pub fn ProblemCallout(problem: Problem) -> impl IntoView {
    let ProblemText { title, text } = problem_text(&problem.kind);
    if let ProblemKind::OtherUser { mark, .. } = &problem.kind {
        let (mark, changes) = (mark.clone(), use_context::<UserChanges>());
        Effect::new(move || {
            // The reload draws this problem again.
            if page_user().as_deref() == Some(mark.as_str()) {
                return;
            }
            set_page_user(&mark);
            if let Some(UserChanges(count)) = changes {
                count.update(|count| *count += 1);
            }
        });
    }
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
                    ". Search the server log for this request."
                </p>
            </details>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_role_or_the_broader_privilege() {
        let cluster = |name: &str| MissingPrivilege::Cluster(name.to_owned());
        let apm = MissingPrivilege::Application {
            application: "apm".to_owned(),
            privilege: "event:write".to_owned(),
            resource: "*".to_owned(),
        };
        let role = "the role apm_agent_key_role";
        assert_eq!(ask_for(&[]), role);
        assert_eq!(ask_for(&[cluster("manage_own_api_key"), apm.clone()]), role);
        for broad in ["manage_security", "manage_api_key"] {
            let expected = format!("the privilege {broad}");
            assert_eq!(ask_for(&[apm.clone(), cluster(broad)]), expected);
        }
    }

    #[test]
    fn retry_is_offered_only_for_passing_faults() {
        use ElasticsearchFault as F;
        for fault in [
            F::Unreachable,
            F::TimedOut,
            F::Busy,
            F::NoMaster,
            F::NotRevoked,
        ] {
            assert!(is_passing(&fault.into()), "{fault:?}");
        }
        let too_old = F::TooOld {
            major: 7,
            minor: 17,
        };
        for fault in [too_old, F::OpenSearch, F::LicenseExpired, F::Tls] {
            assert!(!is_passing(&fault.into()), "{fault:?}");
        }
    }
}
