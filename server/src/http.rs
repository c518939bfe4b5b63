//! The web: addresses, and what every request passes on its way.

mod audit_export;
pub mod bounds;
pub mod caller;
mod cookie;
mod headers;
mod health;
mod identify;
mod legible;
pub mod listener;
pub(crate) mod metrics;
mod name;
mod pages;
pub mod places;
mod problems;
mod same_origin;
mod server_functions;
mod site;
mod tls;

use crate::{services::Services, sessions::SessionLookup, visit::Visit};
use app::model::base_path::BasePath;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{from_fn, from_fn_with_state, map_request_with_state},
    routing::{any, get},
};
use bounds::{BODY_BYTES_MAX, Bounds};
use caller::{Caller, TrustedProxies};
use http::{Response, StatusCode, Uri, uri::PathAndQuery};
use std::{any::Any, time::Duration};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    timeout::TimeoutLayer,
};

const HANDLER_TIMEOUT: Duration = Duration::from_secs(30);

/// What the handlers work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web {
    /// The use cases' own.
    pub services: Services,
    /// Whether our own listener speaks TLS.
    pub tls: bool,
    /// Whether it lets passwords travel unprotected beyond this machine.
    pub plain_http: bool,
    /// Whose word on a request's origin counts.
    pub trusted_proxies: TrustedProxies,
    /// The path below which browsers find us.
    pub base_path: BasePath,
    /// The origin of our pages in browsers, where `Host` may say otherwise.
    pub public_origin: Option<String>,
    /// How much a caller may take.
    pub bounds: Bounds,
}

/// Every address there is.
pub fn router(web: Web) -> Router {
    let pages = Router::new()
        .route("/", get(pages::to_the_list))
        .route("/login", get(pages::login))
        .route("/reauthenticate", get(pages::reauthenticate))
        .route("/settings", get(pages::to_the_list))
        .route("/settings/audit/export.jsonl", get(audit_export::lines))
        .route("/settings/audit/export.csv", get(audit_export::csv))
        .route(
            "/settings/{*page}",
            get(pages::settings).layer(compressed()),
        )
        .route("/api/{*function}", any(server_functions::answer))
        .fallback(pages::not_found)
        .layer(from_fn_with_state(web.clone(), identify::identify));
    let rest = Router::new()
        .route("/pkg/{*path}", get(site::serve))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    let all = pages.merge(rest).with_state(web.clone());
    let base_path = web.base_path.clone();
    // Around the router, which looks at the path first.
    Router::new()
        .fallback_service(with_middleware(all, web))
        .layer(map_request_with_state(base_path, strip_base_path))
}

/// Takes the base path away. A path without it stays: some proxies have taken it away, and what watches the process
/// asks for `/health/ready` without one.
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

/// A page that is only looked at is a tenth as large when it is compressed, and holds no secret. What answers a form may
/// hold one beside text that a user typed, and the compressed size would reveal it: that is never compressed.
fn compressed() -> CompressionLayer {
    CompressionLayer::new()
}

/// What every request passes, from the outside in. Each layer wraps those above it in this function, so the last
/// one is the first that a request meets. Tests put routes of their own into it.
#[doc(hidden)]
pub fn with_middleware(router: Router, web: Web) -> Router {
    router
        // Forms come from our own pages, or not at all. Innermost: a refusal is an answer like any other.
        .layer(from_fn_with_state(
            web.clone(),
            same_origin::refuse_unmarked,
        ))
        .layer(same_origin::refuse_cross_origin(
            web.public_origin.as_deref(),
        ))
        .layer(from_fn_with_state(web.clone(), same_origin::log_refusal))
        // A handler that takes too long is given up; changes go on in tasks of their own.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            HANDLER_TIMEOUT,
        ))
        // Nothing is read beyond the limit, and nobody may send a body drop by drop.
        .layer(from_fn_with_state(web.clone(), bounds::take_body))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(from_fn(bounds::refuse_long_address))
        // A mistake of ours in one request stays in that request.
        .layer(CatchPanicLayer::custom(after_panic))
        // Errors from the layers above are formatted for the script or for a person.
        .layer(from_fn(legible::make_legible))
        // Whatever answered above, panics and refusals included, carries the browser's instructions.
        .layer(from_fn_with_state(web.clone(), headers::protect))
        // Everything that is logged below has the request's name.
        .layer(from_fn_with_state(web.clone(), name::name))
        // Outermost: all layers below see the same client address.
        .layer(from_fn_with_state(web, caller::find))
}

fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a handler panicked");
    let mut response = Response::new(Body::from("Something went wrong in Agent Keys."));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// The request's visit: with a session, or without one.
fn visit_of(parts: &http::request::Parts) -> Visit {
    // The layer above has put it there for every address that asks.
    parts.extensions.get::<Visit>().cloned().unwrap_or_else(|| {
        let id = name::request_id(&parts.extensions);
        let caller = Caller::of(&parts.extensions);
        let browser = identify::browser(&parts.headers, caller, &BasePath::default());
        Visit::new(id, SessionLookup::Nothing, browser)
    })
}
