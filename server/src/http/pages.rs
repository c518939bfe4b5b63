//! Server-side rendering of pages, for browsers with and without JavaScript.

use super::{Web, client_addr::ClientInfo, context_of, session_layer, static_files::Site};
use app::{
    backend::Backend,
    components::form::PostedForm,
    model::notice::Notice,
    shell::{SiteFiles, shell},
    urls::{self, AGENT_KEYS, AUDIT},
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, StatusCode, Uri, header::REFRESH, request::Parts, uri::PathAndQuery};
use leptos::{context::provide_context, nonce::Nonce};
use std::sync::Arc;
use url::form_urlencoded;

pub(super) async fn to_the_list(State(web): State<Web>) -> Redirect {
    Redirect::to(&web.base_path.join(AGENT_KEYS))
}

pub(super) async fn login(State(web): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if context_of(&web, &parts).is_signed_in() {
        return to_the_list(State(web)).await.into_response();
    }
    render(&web, Request::from_parts(parts, body), None).await
}

pub(super) async fn settings(State(web): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !context_of(&web, &parts).is_signed_in() {
        return to_login(&web, &parts.uri, reason(&web, &parts));
    }
    if let Some(page) = without_empty_parameters(&parts.uri) {
        return Redirect::to(&web.base_path.join(&page)).into_response();
    }
    let notice = (parts.uri.path() == AUDIT)
        .then(|| context_of(&web, &parts).notice())
        .flatten();
    let mut response = render(&web, Request::from_parts(parts, body), None).await;
    if let Some(Notice::Export(file)) = notice {
        // The browser starts the download and stays on the page.
        let refresh = HeaderValue::try_from(format!("0; url={file}"));
        let refresh = refresh.ok().map(|refresh| (REFRESH, refresh));
        response.headers_mut().extend(refresh);
    }
    response
}

/// Pages with a form for search and filters.
const SEARCH_PAGES: [&str; 4] = [AGENT_KEYS, AUDIT, "/settings/users", "/settings/sessions"];

/// Returns the address of a search without the empty fields that a form without script sends; `None` if it has none.
fn without_empty_parameters(uri: &Uri) -> Option<String> {
    let query = uri.query().filter(|query| !query.is_empty())?;
    if !SEARCH_PAGES.contains(&uri.path()) {
        return None;
    }
    let filled_in: Vec<_> = query
        .split('&')
        .filter(|pair| {
            pair.split_once('=')
                .is_some_and(|(_, value)| !value.is_empty())
        })
        .collect();
    let clean = urls::with_search(uri.path(), &filled_in.join("&"));
    (filled_in.len() < query.split('&').count()).then_some(clean)
}

/// The reauthentication page. Without a session, redirects to sign-in, which also counts as entering the password.
pub(super) async fn reauthenticate(State(web): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !context_of(&web, &parts).is_signed_in() {
        let query = parts.uri.query().unwrap_or_default();
        let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
        let next = next.and_then(|(_, next)| web.base_path.strip(&next)?.parse().ok());
        let next = next.unwrap_or_else(|| Uri::from_static(AGENT_KEYS));
        return to_login(&web, &next, reason(&web, &parts));
    }
    render(&web, Request::from_parts(parts, body), None).await
}

pub(super) async fn not_found(State(web): State<Web>, request: Request) -> Response {
    if !matches!(*request.method(), http::Method::GET | http::Method::HEAD) {
        return StatusCode::NOT_FOUND.into_response();
    }
    render(&web, request, None).await
}

/// Reason for which the browser's session ended, if it had one.
pub(super) fn reason(web: &Web, parts: &Parts) -> Option<&'static str> {
    match context_of(web, parts).session_end() {
        Some(end) => Some(end.name()),
        None => session_layer::is_brought(
            &parts.headers,
            ClientInfo::of(&parts.extensions),
            &web.base_path,
        )
        .then_some("ended"),
    }
}

/// Redirect to the sign-in page, which returns to this page.
pub(super) fn to_login(web: &Web, next: &Uri, reason: Option<&str>) -> Response {
    Redirect::to(&login_for(web, next, reason)).into_response()
}

/// URL of the sign-in page, which returns to this page.
pub(super) fn login_for(web: &Web, next: &Uri, reason: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(reason) = reason {
        query.append_pair("reason", reason);
    }
    query.append_pair("next", &in_browser(web, next));
    let to = format!("/login?{}", query.finish());
    web.base_path.join(&to)
}

/// URL of the reauthentication page, which returns to this page.
pub(super) fn reauthenticate_for(web: &Web, next: &Uri) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", &in_browser(web, next));
    let to = format!("/reauthenticate?{}", query.finish());
    web.base_path.join(&to)
}

/// Path and query of a page, with the base path.
fn in_browser(web: &Web, page: &Uri) -> String {
    let path = page
        .path_and_query()
        .map_or(AGENT_KEYS, PathAndQuery::as_str);
    web.base_path.join(path)
}

/// Renders the page of the request. `posted` is the outcome of a form that was posted without script.
pub(super) async fn render(web: &Web, request: Request, posted: Option<PostedForm>) -> Response {
    let (mut parts, _) = request.into_parts();
    if let Ok(uri) = in_browser(web, &parts.uri).parse() {
        parts.uri = uri;
    }
    let mut ctx = context_of(web, &parts);
    if posted.is_some() {
        // The form may have changed what the user may do.
        ctx = ctx.with_new_permissions();
    }
    let backend: Arc<dyn Backend> = Arc::new(ctx.clone());
    let nonce = parts.extensions.get::<Nonce>().cloned();
    let site = Site::embedded().files(&web.base_path);
    let for_context = site.clone();
    let base_path = web.base_path.clone();
    let context = move || {
        provide_context(Arc::clone(&backend));
        provide_context(base_path.clone());
        provide_context::<Option<SiteFiles>>(for_context.clone());
        if let Some(nonce) = nonce.clone() {
            // Replaces the nonce of Leptos by the one in the Content-Security-Policy header.
            provide_context(nonce);
        }
        if let Some(posted) = posted.clone() {
            provide_context(posted);
        }
    };
    let app = move || shell(site.clone());
    let page = leptos_axum::render_app_async_with_context(context, app);
    let mut response = page(Request::from_parts(parts, Body::empty())).await;
    // A page that shows a problem gets its status, unless the page has set one.
    let problem = ctx
        .problem_status()
        .and_then(|status| StatusCode::from_u16(status).ok());
    if let (StatusCode::OK, Some(status)) = (response.status(), problem) {
        *response.status_mut() = status;
    }
    response
}
