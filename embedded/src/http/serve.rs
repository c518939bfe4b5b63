//! One request from its first byte to its last, in order.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, extract::State};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Limited};

use super::{
    BODY_BYTES_MAX, REQUEST_SECONDS_MAX,
    call::{Answer, Call},
    media_type,
    parameters::Parameters,
    respond::{self, Style},
    routes,
};
use crate::{authentication::authenticate::authenticate, engine::Shared, error::ApiError};

const OPAQUE_ID: HeaderName = HeaderName::from_static("x-opaque-id");

/// Answers a request. Always: errors are answers, too.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let opaque_id = parts.headers.get(OPAQUE_ID).cloned();
    let limit = Duration::from_secs(REQUEST_SECONDS_MAX);
    let mut style = Style::plain(parts.method == Method::HEAD);
    style.tokens = shared.token_service;
    let outcome = tokio::time::timeout(limit, run(&shared, &parts, body, &mut style))
        .await
        .unwrap_or(Err(ApiError::TimedOut));
    let mut response = match outcome {
        Ok(answer) => respond::answer(answer, &style),
        Err(error) => respond::error(&error, &style),
    };
    if let Some(opaque_id) = opaque_id {
        response.headers_mut().insert(OPAQUE_ID, opaque_id);
    }
    response
}

async fn run(
    shared: &Shared,
    parts: &Parts,
    body: Body,
    style: &mut Style,
) -> Result<Answer, ApiError> {
    let path = parts.uri.path();
    let uri = parts
        .uri
        .path_and_query()
        .map_or(path, |both| both.as_str());
    // What is asked for: a path and a method that exist.
    let (operation, segments) = routes::find(parts.method.as_str(), path, uri)?;
    // How the answer is to look.
    let parameters = Parameters::parse(parts.uri.query())?;
    let (head, tokens) = (style.head, style.tokens);
    *style = Style {
        head,
        tokens,
        ..Style::of(&parameters)?
    };
    // The body, bounded.
    let body = read(&parts.headers, body).await?;
    style.media_type = media_type::negotiate(&parts.headers, !body.is_empty())?;
    // Who asks. Only then anything about the request's content is said.
    let action = operation.action();
    let caller = authenticate(shared, &parts.headers, uri, action.name()).await?;
    parameters.check_known(path, operation.parameters())?;
    if operation.parameters().contains(&"refresh") {
        parameters.check_refresh()?;
    }
    let call = Call {
        shared,
        caller,
        segments,
        parameters,
        body,
        action,
    };
    operation.run(&call).await
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(ApiError::TooLarge);
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::TooLarge),
        Err(_) => Err(ApiError::content("the body could not be read")),
    }
}
