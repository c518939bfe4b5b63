//! One request from its first byte to its last, in order.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};

use super::{
    REQUEST_SECONDS_MAX, body,
    call::{Answer, Call},
    media_type,
    parameters::Parameters,
    respond::{self, Style},
    routes,
};
use crate::{
    authentication::authenticate::authenticate,
    error::{ApiError, Challenges},
    state::Shared,
};

const OPAQUE_ID: HeaderName = HeaderName::from_static("x-opaque-id");

/// Answers a request. Always: errors are answers, too.
pub(crate) async fn serve<B: BodyExt<Data = Bytes> + Unpin>(
    shared: Arc<Shared>,
    request: Request<B>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let opaque_id = parts.headers.get(OPAQUE_ID).cloned();
    if parts.method == Method::OPTIONS {
        return with_opaque_id(
            respond::options(&routes::methods(parts.uri.path())),
            opaque_id,
        );
    }
    let limit = Duration::from_secs(REQUEST_SECONDS_MAX);
    let challenges = Challenges {
        tokens: shared.token_service,
        version: shared.version,
    };
    let mut style = Style::plain(&parts.method, &parts.headers, challenges);
    let outcome = tokio::time::timeout(limit, run(&shared, &parts, body, &mut style))
        .await
        .unwrap_or(Err(ApiError::TimedOut));
    let response = match outcome {
        Ok(answer) => respond::answer(answer, &style),
        Err(error) => respond::error(&error, &style),
    };
    with_opaque_id(response, opaque_id)
}

fn with_opaque_id(
    mut response: Response<Full<Bytes>>,
    opaque_id: Option<HeaderValue>,
) -> Response<Full<Bytes>> {
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
    // How the answer is to look. What cannot be read is refused only after the caller is known.
    let parameters = Parameters::parse(parts.uri.query());
    let readable = parameters
        .as_ref()
        .map_or(Ok(()), |parameters| style.read(parameters));
    let method = parts.method.as_str();
    if !shared.version.checks_credentials_first() {
        routes::find(method, path, uri)?;
    }
    // Who asks comes before everything else that can be wrong.
    let authenticated = authenticate(shared, &parts.headers, uri).await?;
    let parameters = parameters?;
    // What is asked for: a path and a method that exist.
    let (operation, segments) = routes::find(method, path, uri)?;
    readable?;
    // The body, bounded.
    let body = body::read(&parts.headers, body).await?;
    style.media_type =
        media_type::negotiate(&parts.headers, !body.is_empty(), shared.version.major)?;
    let action = operation.action();
    let caller = authenticated.caller(action.name())?;
    parameters.check_known(path, operation.parameters())?;
    if operation.parameters().contains(&"refresh") {
        parameters.check_refresh()?;
    }
    let call = Call {
        shared,
        caller,
        segments,
        parameters,
        method: &parts.method,
        body,
        action,
    };
    shared.version.refuse(&call, operation, path, uri)?;
    let mut answer = operation.run(&call).await?;
    shared.version.shape(operation, &mut answer);
    Ok(answer)
}
