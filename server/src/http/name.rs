//! The request's name, its span, and one line about it when it has been answered.

use super::Web;
use crate::request_id::RequestId;
use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, HeaderValue};
use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};
use tracing::Instrument;

/// Names the request, and tells the name in the answer.
pub(super) async fn name(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let id = web
        .services
        .random
        .identifier(&web.services.clock)
        .unwrap_or_default();
    let id = RequestId::new(&id);
    request.extensions_mut().insert(id.clone());
    // The path alone: a query may hold what somebody typed.
    let span = tracing::info_span!(
        "http.request",
        request.id = %id,
        http.request.method = %request.method(),
        url.path = request.uri().path(),
    );
    async move {
        let began = Instant::now();
        let mut response = next.run(request).await;
        tracing::info!(
            http.response.status_code = response.status().as_u16(),
            duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert("x-request-id", value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The other end of the request's connection. A proxy in between is what is seen of everybody behind it.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_canonical())
}

/// The name of the request with these extensions.
pub(super) fn request_id(extensions: &Extensions) -> RequestId {
    extensions
        .get::<RequestId>()
        .cloned()
        .unwrap_or_else(|| RequestId::new("unnamed"))
}
