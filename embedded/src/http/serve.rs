//! One request from its first byte to its last, in order.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};

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
pub(crate) async fn serve<B: BodyExt<Data = Bytes> + Unpin>(
    shared: Arc<Shared>,
    request: Request<B>,
) -> Response<Full<Bytes>> {
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

async fn run<B: BodyExt<Data = Bytes> + Unpin>(
    shared: &Shared,
    parts: &Parts,
    body: B,
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

async fn read<B: BodyExt<Data = Bytes> + Unpin>(
    headers: &HeaderMap,
    mut body: B,
) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(ApiError::TooLarge);
    }
    // Nearly every body comes in one piece, and is then taken as it is.
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::content("the body could not be read"))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if whole.len() + piece.len() > BODY_BYTES_MAX {
            return Err(ApiError::TooLarge);
        }
        whole = if whole.is_empty() {
            piece
        } else {
            let mut longer = BytesMut::from(whole);
            longer.extend_from_slice(&piece);
            longer.freeze()
        };
    }
    Ok(whole)
}
