//! Security headers of every response.

use super::{Web, client_addr::ClientInfo, csp_reports};
use axum::{extract::Request, extract::State, middleware::Next, response::Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER,
        STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    },
};
use leptos::nonce::Nonce;

const FIXED: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // Not `no-referrer`: a form that is posted without JavaScript needs the URL of its page.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ),
];

/// Sets the headers, with a new nonce for each response. Only scripts and styles with that nonce run.
pub(super) async fn set(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let Ok(bytes) = web.state.random.bytes::<16>() else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let nonce = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let reports = web.base_path.join(csp_reports::PATH);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; \
         font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
         object-src 'none'; report-uri {reports}; report-to csp"
    );
    let reporting = format!("csp=\"{reports}\"");
    request.extensions_mut().insert(Nonce::from_value(nonce));
    let client = ClientInfo::of(request.extensions());
    let is_form = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    if unavailable {
        // In seconds.
        let soon = HeaderValue::from_static("2");
        headers.entry(RETRY_AFTER).or_insert(soon);
    }
    for (name, value) in FIXED {
        headers.insert(name, value);
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if let Ok(reporting) = HeaderValue::from_str(&reporting) {
        headers.insert(HeaderName::from_static("reporting-endpoints"), reporting);
    }
    // Other hosts below this one are not ours to decide about.
    let is_public_tls = web.public_url.as_ref().map(|url| url.scheme() == "https");
    if is_public_tls.unwrap_or(client.tls) {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    // The answer to a form may hold a secret, and a proxy such as nginx writes what a slow browser has not read yet to
    // its disk.
    if is_form {
        headers.insert(
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        );
    }
    // Pages hold data of one user, valid at this moment.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
