//! Server functions, for two kinds of browsers.
//!
//! The script gets the bare answer, with the status that the problem deserves. A browser without JavaScript
//! posts a form and wants a page: the same server function runs, and the answer is either the redirect it asked
//! for or the page the form stood on, drawn with the outcome. That page is the only place where a new key's secret
//! is, and is never stored on the way.

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

/// Marks the answer of a server function that asks the browser half to go elsewhere.
const REDIRECT_HEADER: &str = "serverfnredirect";

/// For a person who asks for the answer to a form by its address: it was sent once and is kept nowhere.
fn forms_only(web: &Web) -> Html<String> {
    let list = web.base_path.join(AGENT_KEYS);
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><title>Agent Keys</title>\
         <p>This address takes forms. What it answered before is not kept. \
         <a href=\"{list}\">Go to agent keys</a></p></html>"
    ))
}

/// Runs the server function of this address.
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

/// What a server function answered.
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
        // The body may be another than the one that was measured.
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
    // Asked for a page, a server function would answer with a redirect and put its error into the address.
    let bare = HeaderValue::from_static(PostcardEncoding::CONTENT_TYPE);
    request.headers_mut().insert(ACCEPT, bare);
    let base_path = web.base_path.clone();
    let context = move || {
        provide_context(Arc::clone(&backend));
        provide_context(base_path.clone());
    };
    let answered = leptos_axum::handle_server_fns_with_context(context, request).await;
    let (mut response, body) = answered.into_response().into_parts();
    // Our own answer: as large as a page of the list, at most.
    let mut body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let page = || page_of_form(web, parts, &input);
    let problem = is_problem(&response.headers).then(|| Problem {
        request_id: Some(request_id::of(&parts.extensions).as_str().to_owned()),
        ..Problem::de(body.clone())
    });
    if let Some(problem) = &problem {
        body = problem.ser();
        if problem.kind == ProblemKind::ReauthRequired {
            // Both kinds of browsers go there, and come back to the page they were on.
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

/// The page a form stood on: the one it names, else the one the browser came from, else the list.
fn page_of_form(web: &Web, parts: &Parts, input: &[u8]) -> Uri {
    let named = url::form_urlencoded::parse(input)
        .find(|(name, _)| name == PAGE_FIELD)
        .and_then(|(_, page)| own_page(&web.base_path, &page));
    // That the referring page is of the same origin, the browser says: our policy tells it to send nothing else's.
    let came_from = || {
        let referer = parts.headers.get(REFERER)?.to_str().ok()?;
        own_page(&web.base_path, referer)
    };
    named
        .or_else(came_from)
        .unwrap_or_else(|| Uri::from_static(AGENT_KEYS))
}

/// Path and query of an address, below the base path, if it is a page of ours.
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
