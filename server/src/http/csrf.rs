//! Protection against cross-site request forgery, for every server function and form.

use super::{Web, client_addr::ClientInfo, error_format::problem_response, session_layer};
use crate::{
    audit::{EventContext, EventSource},
    identifier::RequestId,
};
use app::model::problem::{Problem, ProblemKind};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    Extensions, HeaderName,
    header::{HOST, ORIGIN},
};
use serde_json::json;
use tower_http::csrf::{CsrfLayer, ProtectionError};

/// Length of a path in the audit log.
const PATH_CHARACTERS_MAX: usize = 256;

/// Extension of a response that rejects a cross-origin request.
#[derive(Clone, Copy)]
struct Refused;

/// Rejects cross-origin requests, by `Sec-Fetch-Site` or `Origin`. `public_origin` is accepted even if `Host` differs.
pub(super) fn refuse_cross_origin(
    public_origin: Option<String>,
) -> CsrfLayer<impl FnMut(ProtectionError) -> Response<Body> + Clone + use<>> {
    let mut layer = CsrfLayer::new();
    if let Some(origin) = public_origin {
        match layer.clone().add_trusted_origin(origin) {
            Ok(with_origin) => layer = with_origin,
            Err(error) => tracing::error!(%error, "AGENT_KEYS_PUBLIC_URL is not used"),
        }
    }
    layer.with_rejection_response(|_: ProtectionError| {
        let mut response = problem_response(&ProblemKind::CrossOrigin.into());
        response.extensions_mut().insert(Refused);
        response
    })
}

/// Logs a rejection with the compared headers: behind a proxy that changes `Host`, they differ for every form.
pub(super) async fn log_refusal(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let extensions = request.extensions().clone();
    let response = next.run(request).await;
    if response.extensions().get::<Refused>().is_some() {
        record(&web, uri.path(), &extensions, "cross_origin").await;
        let text = |name| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (origin, site) = (
            text(ORIGIN),
            text(HeaderName::from_static("sec-fetch-site")),
        );
        // HTTP/2 has the host in the address.
        let host = text(HOST).or_else(|| uri.authority().map(ToString::to_string));
        tracing::warn!(
            origin = origin.unwrap_or_default(),
            host = host.unwrap_or_default(),
            sec_fetch_site = site.unwrap_or_default(),
            public_url = web.public_origin().unwrap_or_default(),
            "a form from another origin was refused; if it is your own, let the proxy pass Host on or set \
             AGENT_KEYS_PUBLIC_URL"
        );
    }
    response
}

/// Records a rejection in the audit log. The session is not opened, so the user is not known.
async fn record(web: &Web, path: &str, extensions: &Extensions, reason: &'static str) {
    let context = EventContext {
        at: web.state.now(),
        request_id: RequestId::of(extensions),
        origin: EventSource {
            address: ClientInfo::of(extensions).address,
            session: None,
        },
    };
    let path: String = path.chars().take(PATH_CHARACTERS_MAX).collect();
    let details = json!({ "path": path });
    web.state
        .record_refusal(None, reason, details, &context)
        .await;
}

/// Rejects changes whose origin is not shown to be ours: with a session cookie but without `Origin` and `Sec-Fetch-Site`,
/// of which every supported browser sends one; or, without `Sec-Fetch-Site`, from the same host over plain HTTP, where
/// anybody in the network may write the page, although we are served over TLS.
pub(super) async fn refuse_unproven(
    State(web): State<Web>,
    request: Request,
    next: Next,
) -> Response {
    let (headers, client) = (request.headers(), ClientInfo::of(request.extensions()));
    let has_site = headers.contains_key("sec-fetch-site");
    let reason = match headers.get(ORIGIN) {
        _ if has_site || request.method().is_safe() => None,
        Some(origin) if client.tls && origin.as_bytes().starts_with(b"http:") => {
            Some("cross_origin")
        }
        None if session_layer::is_brought(headers, client, &web.base_path) => Some("no_origin"),
        _ => None,
    };
    let Some(reason) = reason else {
        return next.run(request).await;
    };
    tracing::warn!(
        reason,
        "a form that does not show that it is ours was refused"
    );
    let (path, extensions) = (request.uri().path(), request.extensions());
    record(&web, path, extensions, reason).await;
    problem_response(&Problem {
        kind: ProblemKind::CrossOrigin,
        request_id: Some(RequestId::of(extensions).as_str().to_owned()),
        reason: None,
    })
}
