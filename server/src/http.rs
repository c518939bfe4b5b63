//! HTTP: routes, and the middleware of every request.

mod audit_download;
mod client_addr;
mod csp_reports;
mod csrf;
pub mod engine_port;
mod error_format;
mod health_checks;
pub mod host_names;
mod limits;
pub mod listener;
pub(crate) mod monitoring;
mod pages;
mod process_metrics;
pub(crate) mod redirect;
mod request_id;
mod security_headers;
mod server_functions;
mod session_layer;
mod static_files;
mod when_sent;

use crate::{
    config::{Limits, TrustedProxies},
    context::{AppState, RequestContext},
    identifier::RequestId,
    sessions::SessionLookup,
};
use app::model::base_path::BasePath;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{from_fn, from_fn_with_state, map_request_with_state},
    routing::{any, get, post},
};
use client_addr::ClientInfo;
use host_names::HostNames;
use http::{Response, StatusCode, Uri, uri::PathAndQuery};
use limits::BODY_BYTES_MAX;
use std::{any::Any, sync::Arc, time::Duration};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    timeout::TimeoutLayer,
};
use url::Url;

const HANDLER_TIMEOUT: Duration = Duration::from_secs(30);

/// State of the handlers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web {
    pub state: Arc<AppState>,
    /// True if our own listener uses TLS.
    pub tls: bool,
    /// True if it receives passwords unencrypted from beyond this machine.
    pub plain_http: bool,
    pub trusted_proxies: TrustedProxies,
    pub base_path: BasePath,
    /// Origin of our pages in browsers, if `Host` may differ from it.
    pub public_url: Option<Url>,
    pub host_names: HostNames,
    pub limits: Limits,
}

impl Web {
    fn public_origin(&self) -> Option<String> {
        let url = self.public_url.as_ref()?;
        Some(url.origin().ascii_serialization())
    }
}

/// All routes with their middleware.
pub fn router(web: Web) -> Router {
    let pages = Router::new()
        .route("/", get(pages::to_the_list))
        .route("/login", get(pages::login))
        .route("/reauthenticate", get(pages::reauthenticate))
        .route("/settings", get(pages::to_the_list))
        .route("/settings/audit/export.jsonl", get(audit_download::lines))
        .route("/settings/audit/export.csv", get(audit_download::csv))
        .route(
            "/settings/{*page}",
            get(pages::settings).layer(compressed()),
        )
        .route("/api/{*function}", any(server_functions::answer))
        .fallback(pages::not_found)
        .layer(from_fn_with_state(
            web.clone(),
            session_layer::manage_session,
        ));
    let rest = Router::new()
        .route(csp_reports::PATH, post(csp_reports::receive))
        .route("/pkg/{*path}", get(static_files::serve))
        .route("/health/live", get(health_checks::live))
        .route("/health/ready", get(health_checks::ready));
    let all = pages.merge(rest).with_state(web.clone());
    let base_path = web.base_path.clone();
    // Around the router, which looks at the path first.
    Router::new()
        .fallback_service(with_middleware(all, web))
        .layer(map_request_with_state(base_path, strip_base_path))
}

/// Strips the base path. A path without it stays as it is: some proxies strip it themselves, and health checks ask for
/// `/health/ready` without it.
async fn strip_base_path(State(base_path): State<BasePath>, mut request: Request) -> Request {
    let address = request.uri().path_and_query().map(PathAndQuery::as_str);
    let rest = address.and_then(|address| base_path.strip(address));
    let rest = rest.map(|rest| match rest {
        "" => "/".to_owned(),
        rest if rest.starts_with('?') => format!("/{rest}"),
        rest => rest.to_owned(),
    });
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = rest
        .and_then(|rest| rest.parse().ok())
        .or(parts.path_and_query);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// Compression of pages, which hold no secret. The response to a form may hold one beside text of the user, and its
/// compressed size would reveal it (BREACH), so it is never compressed.
fn compressed() -> CompressionLayer {
    CompressionLayer::new()
}

/// Wraps `router` in the middleware. Each layer wraps those above it, so a request passes the last one first.
#[doc(hidden)]
pub fn with_middleware(router: Router, web: Web) -> Router {
    router
        // CSRF protection. Innermost, so that a rejection passes the other layers like any response.
        .layer(from_fn_with_state(web.clone(), csrf::refuse_unproven))
        .layer(csrf::refuse_cross_origin(web.public_origin()))
        .layer(from_fn_with_state(web.clone(), csrf::log_refusal))
        // Cancels a slow handler. Changes continue in tasks of their own.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            HANDLER_TIMEOUT,
        ))
        // Body size and time limits.
        .layer(from_fn_with_state(web.clone(), limits::buffer_body))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(from_fn(limits::refuse_long_uri))
        // A panic ends only its own request.
        .layer(CatchPanicLayer::custom(after_panic))
        // Formats errors from the layers above for the script or for the user.
        .layer(from_fn(error_format::format_middleware_errors))
        // Refuses requests for host names of others.
        .layer(from_fn_with_state(web.clone(), host_names::refuse_unknown))
        // Sets security headers on every response, also after a panic or rejection.
        .layer(from_fn_with_state(web.clone(), security_headers::set))
        // Log lines of the layers above carry the request id.
        .layer(from_fn_with_state(web.clone(), request_id::assign_and_log))
        // Outermost: all layers above see the same client address.
        .layer(from_fn_with_state(web, client_addr::resolve))
}

fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a handler panicked");
    let mut response = Response::new(Body::from("Something went wrong in Agent Keys."));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Returns the request's context.
fn context_of(web: &Web, parts: &http::request::Parts) -> RequestContext {
    // The session layer inserted it for every page and server function.
    let known = parts.extensions.get::<RequestContext>().cloned();
    known.unwrap_or_else(|| {
        let id = RequestId::of(&parts.extensions);
        let caller = ClientInfo::of(&parts.extensions);
        let browser = session_layer::browser(&parts.headers, caller, &BasePath::default());
        let state = Arc::clone(&web.state);
        RequestContext::new(
            state,
            id,
            SessionLookup::Nothing,
            browser,
            caller.plain_http,
        )
    })
}
