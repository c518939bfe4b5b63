//! Server functions, called by the script or by a form without script.
//!
//! The script receives the serialized result, with the HTTP status of a problem. For a form without script, the same
//! server function runs, and the response is its redirect or the page of the form with the outcome. That page is the only
//! place of a new key's secret, which is never stored on the way.

use super::{
    Web, context_of,
    error_format::{is_problem, problem_response, status_of, wants_page},
    limits::BODY_BYTES_MAX,
    pages::{reauthenticate_for, render, to_login},
    request_id,
};
use app::{
    backend::Backend,
    components::form::{PAGE_FIELD, PostedForm},
    model::{
        base_path::BasePath,
        problem::{Problem, ProblemKind},
    },
    urls::AGENT_KEYS,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{
    HeaderValue, StatusCode, Uri,
    header::{ACCEPT, CONTENT_LENGTH, LOCATION, REFERER},
    request::Parts,
};
use leptos::{
    context::provide_context,
    prelude::FromServerFnError,
    server_fn::{ContentType, axum::server_fn_paths, codec::PostcardEncoding},
};
use std::sync::Arc;

/// Header of a response that redirects the client of server functions.
const REDIRECT_HEADER: &str = "serverfnredirect";

/// Page for a `GET` of a form's URL, for example after a reload. The response to the form is not stored.
fn forms_only(web: &Web) -> Html<String> {
    let list = web.base_path.join(AGENT_KEYS);
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><title>Agent Keys</title>\
         <p>This address takes forms. What it answered before is not kept. \
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
    let answered = run(&web, &parts, input.clone()).await;
    if !wants_page(&parts.headers) {
        return answered.into_response();
    }
    let page = page_of_form(&web, &parts, &input);
    let problem = answered.problem.as_ref();
    let reason = problem.and_then(|problem| problem.kind.end_of_session());
    if reason.is_some() {
        return to_login(&web, &page, reason);
    }
    if let Some(to) = &answered.redirect {
        return Redirect::to(to).into_response();
    }
    let status = answered.status();
    let posted = PostedForm {
        path: parts.uri.path().to_owned(),
        input: input.to_vec(),
        ok: answered.problem.is_none(),
        outcome: answered.body.to_vec(),
    };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = page;
    *request.headers_mut() = parts.headers;
    *request.extensions_mut() = parts.extensions;
    let mut response = render(&web, request, Some(posted)).await;
    *response.status_mut() = status;
    response
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

/// Result of a server function.
struct Answered {
    response: http::response::Parts,
    body: Bytes,
    problem: Option<Problem>,
    redirect: Option<String>,
}

impl Answered {
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
    let page = || page_of_form(web, parts, &input);
    let problem = is_problem(&response.headers).then(|| Problem {
        request_id: Some(request_id::of(&parts.extensions).as_str().to_owned()),
        ..Problem::de(body.clone())
    });
    if let Some(problem) = &problem {
        body = problem.ser();
        if problem.kind == ProblemKind::ReauthRequired {
            // With and without script, the browser goes there and returns to its page.
            let to = HeaderValue::from_str(&reauthenticate_for(web, &page()));
            response.headers.extend(to.ok().map(|to| (LOCATION, to)));
            let mark = HeaderValue::from_static("");
            response.headers.insert(REDIRECT_HEADER, mark);
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
