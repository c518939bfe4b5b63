//! Server functions, called by the script or by a form without script.
//!
//! The script receives the serialized result, with the HTTP status of a problem. For a form without script, the same
//! server function runs, and the response is its redirect or the page of the form with the outcome. That page is the only
//! place of a new key's secret, which is never stored on the way.

use super::{
    Web, context_of,
    error_format::{is_problem, problem_response, status_of, wants_page},
    limits::BODY_BYTES_MAX,
    pages::{login_for, reauthenticate_for, render},
};
use crate::identifier::RequestId;
use app::{
    api::{
        WITHOUT_USER,
        form_post::USER_FIELD,
        sessions::{Reauthenticate, SignOut},
    },
    backend::Backend,
    components::form::{
        INTERRUPTED_INPUT, INTERRUPTED_PATH, InterruptedForm, PAGE_FIELD, PostedForm,
    },
    model::{
        base_path::BasePath,
        notice::Notice,
        problem::{Problem, ProblemKind},
    },
    urls::{AGENT_KEYS, AUDIT, page_of_export},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{
    HeaderValue, StatusCode, Uri,
    header::{ACCEPT, CONTENT_LENGTH, LOCATION, REFERER, SET_COOKIE},
    request::Parts,
};
use leptos::{
    context::provide_context,
    prelude::FromServerFnError,
    server_fn::{ContentType, ServerFn, axum::server_fn_paths, codec::PostcardEncoding},
};
use std::{mem, sync::Arc};

/// Header of a response that redirects the client of server functions.
const REDIRECT_HEADER: &str = "serverfnredirect";

/// Page for a `GET` of a form's URL, for example after a reload. The response to the form is not stored.
fn forms_only(web: &Web) -> Html<String> {
    let list = web.base_path.join(AGENT_KEYS);
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><title>Agent Keys</title>\
         <p>This address only accepts forms. Earlier responses are not stored. \
         <a href=\"{list}\">Go to agent keys</a></p></html>"
    ))
}

/// Runs the server function of the request.
pub(super) async fn answer(State(web): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match known(&parts) {
        Known::Yes => {}
        Known::OtherMethod => {
            return (StatusCode::METHOD_NOT_ALLOWED, forms_only(&web)).into_response();
        }
        Known::No => return StatusCode::NOT_FOUND.into_response(),
    }
    let Ok(input) = to_bytes(body, BODY_BYTES_MAX).await else {
        let mut response = problem_response(&ProblemKind::BadForm.into());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let answered = match other_user(&web, &parts, &input) {
        Some(problem) => Answered::refused(problem),
        None => run(&web, &parts, input.clone()).await,
    };
    if !wants_page(&parts.headers) {
        return answered.into_response();
    }
    let post = Post { parts, input };
    match interrupted_form(&post.input) {
        Some(form) if answered.problem.is_none() => {
            let (post, answered) = resume(&web, post, form, answered).await;
            let mut response = respond(&web, post, answered).await;
            if response.status().is_server_error() {
                // tower-sessions sets no cookie with such a status, and the one before opens nothing any more.
                *response.status_mut() = StatusCode::OK;
            }
            response
        }
        _ => respond(&web, post, answered).await,
    }
}

/// A form posted without script.
struct Post {
    parts: Parts,
    input: Bytes,
}

/// Responds to a form without script.
async fn respond(web: &Web, post: Post, answered: Answered) -> Response {
    let Post { parts, input } = post;
    let page = page_of_form(web, &parts, &input);
    let path = parts.uri.path();
    let kind = answered.problem.as_ref().map(|problem| &problem.kind);
    let reason = kind.and_then(ProblemKind::end_of_session);
    let door = match kind {
        _ if reason.is_some() => Some(login_for(web, &page, reason)),
        Some(ProblemKind::ReauthRequired) => Some(reauthenticate_for(web, &page)),
        _ => None,
    };
    let ctx = context_of(web, &parts);
    if let (SignOut::PATH, Some(ProblemKind::OtherUser { username, .. })) = (path, kind) {
        // No page shows the outcome of this form.
        Backend::leave_notice(&ctx, Notice::OtherUser(username.clone()));
        return Redirect::to(&web.base_path.join(AGENT_KEYS)).into_response();
    }
    // A form that leaves a message for the next page, names no page and has nothing else to show goes back to its own.
    let goes_back = answered.problem.is_none() && answered.body.is_empty() && ctx.leaves_notice();
    let back = goes_back.then(|| web.base_path.join(&page.to_string()));
    if let Some(to) = answered.redirect.as_ref().or(back.as_ref()) {
        let export = web.base_path.strip(to);
        let export = export.filter(|to| path == Reauthenticate::PATH && is_export(to));
        if export.is_some() {
            // A download would leave the browser on the password form.
            Backend::leave_notice(&ctx, Notice::Export(to.clone()));
            return Redirect::to(&page_of_export(to)).into_response();
        }
        let mut response = Redirect::to(to).into_response();
        for cookie in answered.response.headers.get_all(SET_COOKIE) {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        return response;
    }
    let interrupted = match (interrupted_form(&input), &door) {
        (Some(form), _) => Some(form),
        (None, Some(_)) => Some(InterruptedForm {
            path: path.to_owned(),
            input: without_passwords(&input),
        }),
        (None, None) => None,
    };
    let status = answered.status();
    let posted = PostedForm {
        path: path.to_owned(),
        input: input.to_vec(),
        ok: answered.problem.is_none(),
        outcome: answered.body.to_vec(),
        interrupted,
    };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = door
        .and_then(|door| web.base_path.strip(&door)?.parse().ok())
        .unwrap_or(page);
    *request.headers_mut() = parts.headers;
    *request.extensions_mut() = parts.extensions;
    let mut response = render(web, request, Some(posted)).await;
    *response.status_mut() = status;
    response
}

/// Goes on with the form that signing in, or entering the password, interrupted. After entering the password, the form
/// is carried out; after signing in, it is only shown again, because much time may have passed.
async fn resume(
    web: &Web,
    post: Post,
    form: InterruptedForm,
    answered: Answered,
) -> (Post, Answered) {
    let entered_password = post.parts.uri.path() == Reauthenticate::PATH;
    let ctx = context_of(web, &post.parts).with_new_session().await;
    let (Some(ctx), Ok(uri)) = (ctx, form.path.parse::<Uri>()) else {
        return (post, answered);
    };
    let Post { mut parts, .. } = post;
    let before = mem::replace(&mut parts.uri, uri);
    let resumable =
        matches!(known(&parts), Known::Yes) && !WITHOUT_USER.contains(&parts.uri.path());
    if !resumable {
        parts.uri = before;
        let input = post.input;
        return (Post { parts, input }, answered);
    }
    let request_id = Some(ctx.request_id().as_str().to_owned());
    parts.extensions.insert(ctx);
    let input = Bytes::from(form.input);
    let answered = match other_user(web, &parts, &input) {
        Some(problem) => Answered::refused(problem),
        None if entered_password => run(web, &parts, input.clone()).await,
        None => Answered::refused(Problem {
            kind: ProblemKind::SignedInAgain,
            request_id,
            reason: None,
        }),
    };
    (Post { parts, input }, answered)
}

/// Returns the form that came along with a sign-in or a password.
fn interrupted_form(input: &[u8]) -> Option<InterruptedForm> {
    let field = |wanted: &str| {
        let mut fields = url::form_urlencoded::parse(input);
        let (_, value) = fields.find(|(name, _)| name == wanted)?;
        Some(value.into_owned())
    };
    Some(InterruptedForm {
        path: field(INTERRUPTED_PATH)?,
        input: field(INTERRUPTED_INPUT)?,
    })
}

/// Returns the fields of a form without passwords, which never go back into a page.
fn without_passwords(input: &[u8]) -> String {
    let fields = url::form_urlencoded::parse(input);
    let kept = fields.filter(|(name, _)| !name.contains("password"));
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish()
}

/// Returns true for an address of the audit log's export, below the base path.
fn is_export(address: &str) -> bool {
    address.starts_with(&format!("{AUDIT}/export."))
}

enum Known {
    Yes,
    OtherMethod,
    No,
}

fn known(parts: &Parts) -> Known {
    let path = parts.uri.path();
    let mut methods = server_fn_paths()
        .filter(|(known, _)| *known == path)
        .peekable();
    if methods.peek().is_none() {
        Known::No
    } else if methods.any(|(_, method)| method == parts.method) {
        Known::Yes
    } else {
        Known::OtherMethod
    }
}

/// Refuses a form that names no user, or another than the one who is signed in now. The one place that does so.
fn other_user(web: &Web, parts: &Parts, input: &[u8]) -> Option<Problem> {
    if WITHOUT_USER.contains(&parts.uri.path()) {
        return None;
    }
    let ctx = context_of(web, parts);
    let identity = &ctx.session().ok()?.identity;
    let mark = identity.mark();
    let mut fields = url::form_urlencoded::parse(input);
    let kind = match fields.find(|(name, _)| name == USER_FIELD) {
        Some((_, user)) if user == mark => return None,
        Some(_) => ProblemKind::OtherUser {
            username: identity.username.clone(),
            mark,
        },
        None => ProblemKind::BadForm,
    };
    tracing::info!("a form that is not of the signed-in user was refused");
    Some(Problem {
        kind,
        request_id: Some(ctx.request_id().as_str().to_owned()),
        reason: None,
    })
}

/// Result of a server function.
struct Answered {
    response: http::response::Parts,
    body: Bytes,
    problem: Option<Problem>,
    redirect: Option<String>,
}

impl Answered {
    fn refused(problem: Problem) -> Self {
        let (response, _) = problem_response(&problem).into_parts();
        Self {
            response,
            body: problem.ser(),
            problem: Some(problem),
            redirect: None,
        }
    }

    fn status(&self) -> StatusCode {
        self.problem
            .as_ref()
            .map_or(self.response.status, status_of)
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = Response::from_parts(self.response, Body::from(self.body));
        *response.status_mut() = status;
        // The body may have another length.
        response.headers_mut().remove(CONTENT_LENGTH);
        response
    }
}

async fn run(web: &Web, parts: &Parts, input: Bytes) -> Answered {
    let ctx = context_of(web, parts);
    let backend: Arc<dyn Backend> = Arc::new(ctx.clone());
    let mut request = Request::new(Body::from(input.clone()));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    // With `Accept: text/html`, server_fn would redirect and put the error into the URL.
    let bare = HeaderValue::from_static(PostcardEncoding::CONTENT_TYPE);
    request.headers_mut().insert(ACCEPT, bare);
    let base_path = web.base_path.clone();
    let context = move || {
        provide_context(Arc::clone(&backend));
        provide_context(base_path.clone());
    };
    let answered = leptos_axum::handle_server_fns_with_context(context, request).await;
    let (mut response, body) = answered.into_response().into_parts();
    // Our own response: at most as large as a page of the list.
    let mut body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let problem = is_problem(&response.headers).then(|| Problem {
        request_id: Some(RequestId::of(&parts.extensions).as_str().to_owned()),
        ..Problem::de(body.clone())
    });
    if let Some(problem) = &problem {
        body = problem.ser();
        // The script posts the form again as a plain one, so that nothing typed is lost.
        if !WITHOUT_USER.contains(&parts.uri.path()) {
            response.headers.remove(REDIRECT_HEADER);
        }
    }
    let asked = response.headers.contains_key(REDIRECT_HEADER);
    let redirect = asked.then(|| {
        response
            .headers
            .get(LOCATION)?
            .to_str()
            .ok()
            .map(str::to_owned)
    });
    Answered {
        redirect: redirect.flatten(),
        response,
        body,
        problem,
    }
}

/// The page of a form: the page field, otherwise the `Referer`, otherwise the list.
fn page_of_form(web: &Web, parts: &Parts, input: &[u8]) -> Uri {
    let named = url::form_urlencoded::parse(input)
        .find(|(name, _)| name == PAGE_FIELD)
        .and_then(|(_, page)| own_page(&web.base_path, &page));
    // The referrer policy `same-origin` makes browsers send only pages of our origin.
    let came_from = || {
        let referer = parts.headers.get(REFERER)?.to_str().ok()?;
        own_page(&web.base_path, referer)
    };
    named
        .or_else(came_from)
        .unwrap_or_else(|| Uri::from_static(AGENT_KEYS))
}

/// Path and query below the base path, if the URL is one of our pages.
fn own_page(base_path: &BasePath, address: &str) -> Option<Uri> {
    let uri: Uri = address.parse().ok()?;
    let page: Uri = base_path
        .strip(uri.path_and_query()?.as_str())?
        .parse()
        .ok()?;
    let path = page.path();
    let ours = ["/login", "/reauthenticate"].contains(&path) || path.starts_with("/settings/");
    ours.then_some(page)
}
