//! Serves one request, from its first byte to its last.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};

use crate::{
    auth::{authenticate::authenticate, authorization::Action},
    compatibility,
    error::{ApiError, Challenges},
    guard::{Client, Peer},
    http::{
        REQUEST_TIMEOUT, body, media_type,
        request::{ApiRequest, Parameters},
        response::{self, ApiResponse, ResponseFormat},
    },
    recording::Recording,
    routes,
    state::AppState,
};

const OPAQUE_ID: HeaderName = HeaderName::from_static("x-opaque-id");

/// Answers a request, with an error response if it fails or takes too long.
pub(crate) async fn serve<B: BodyExt<Data = Bytes> + Unpin>(
    state: Arc<AppState>,
    peer: Peer,
    request: Request<B>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let opaque_id = parts.headers.get(OPAQUE_ID).cloned();
    let guard = state.guard.as_ref();
    let is_ours = guard.is_none_or(|guarded_by| guarded_by.answers(peer, &parts));
    if parts.method == Method::OPTIONS && is_ours {
        return with_opaque_id(
            response::options_response(&routes::methods(parts.uri.path())),
            opaque_id,
        );
    }
    let challenges = Challenges {
        tokens: state.token_service,
        version: state.version,
    };
    let mut format = ResponseFormat::plain(&parts.method, &parts.headers, challenges);
    let outcome = if is_ours {
        let running = run(&state, peer, &parts, body, &mut format);
        let outcome = tokio::time::timeout(REQUEST_TIMEOUT, running).await;
        outcome.unwrap_or(Err(ApiError::TimedOut))
    } else {
        Err(ApiError::OtherHost)
    };
    let response = match outcome {
        Ok(response) => response::success(response, &format),
        Err(error) => response::error(&error, &format),
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
    state: &AppState,
    peer: Peer,
    parts: &Parts,
    body: B,
    format: &mut ResponseFormat,
) -> Result<ApiResponse, ApiError> {
    let path = parts.uri.path();
    let uri = parts
        .uri
        .path_and_query()
        .map_or(path, |both| both.as_str());
    // The format is read first, because errors are formatted too. A mistake in it is reported
    // only to authenticated callers.
    let parameters = Parameters::parse(parts.uri.query());
    let readable = parameters
        .as_ref()
        .map_or(Ok(()), |parameters| format.read(parameters));
    let method = parts.method.as_str();
    if !state.version.checks_credentials_first() {
        routes::find_route(method, path, uri)?;
    }
    let guard = state.guard.as_ref();
    let client = guard.map_or(Client::Application, |guard| {
        guard.client(peer, &parts.headers)
    });
    let authenticated = authenticate(state, client, &parts.headers, uri).await?;
    let parameters = parameters?;
    let (route, segments) = routes::find_route(method, path, uri)?;
    readable?;
    let body = body::read_body(&parts.headers, body, state.body_bytes_max).await?;
    format.media_type =
        media_type::negotiate(&parts.headers, !body.is_empty(), state.version.major)?;
    let caller = authenticated.caller(route.action)?;
    parameters.check_known(path, route.parameters)?;
    if route.parameters.contains(&"refresh") {
        parameters.check_refresh()?;
    }
    let request = ApiRequest {
        state,
        client,
        caller,
        segments,
        parameters,
        body,
        action: Action {
            name: route.action,
            granted_by: route.granted_by,
        },
    };
    if !route.takes_body && !request.body.is_empty() {
        return Err(ApiError::illegal(format!(
            "request [{method} {path}] does not support having a body"
        )));
    }
    compatibility::check_request(&request, route, parts)?;
    let recording = Recording::begin(&request, route);
    let result = (route.handler)(&request).await;
    if let Some(recording) = recording {
        recording.end(&result).await;
    }
    let mut response = result?;
    compatibility::trim_response(state.version, route, &mut response);
    if let Some(filter_path) = format.filter_path.take() {
        let filter = move |deadline| response.body.filtered(&filter_path, deadline);
        response = ApiResponse {
            status: response.status,
            body: state.cpu.run(filter).await?,
        };
    }
    Ok(response)
}
