//! Who makes a request: once, before any handler.

use super::{
    Web, client_addr::ClientInfo, cookie, cookie::Brought, error_format::problem_response,
    request_id,
};
use crate::{
    context::{CookieChange, RequestContext},
    sessions::{self, BrowserInfo, SessionLookup},
};
use app::model::{
    base_path::BasePath,
    problem::{Problem, ProblemKind},
};
use axum::{extract::Request, extract::State, middleware::Next, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{SET_COOKIE, USER_AGENT},
};
use std::sync::Arc;

/// What of a session might be left in a browser, besides its cookie.
const CLEAR: (HeaderName, HeaderValue) = (
    HeaderName::from_static("clear-site-data"),
    HeaderValue::from_static("\"cache\", \"storage\""),
);

/// Finds the request's session, and brings the answer's cookies.
pub(super) async fn identify(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let request_id = request_id::of(request.extensions());
    let caller = ClientInfo::of(request.extensions());
    let brought = cookie::read(request.headers(), caller.tls, &web.base_path);
    let found = match &brought {
        Brought::Token(token) => sessions::lookup(&web.state, token).await,
        Brought::Nothing | Brought::Nonsense => Ok(SessionLookup::Nothing),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the session could not be looked for");
            return problem_response(&Problem {
                kind: ProblemKind::Storage,
                request_id: Some(request_id.as_str().to_owned()),
                reason: None,
            });
        }
    };
    // A cookie that opens nothing is of no use to anybody. Two stay: one whose end is still to be told, until somebody
    // signs in; and one that was renewed, for in its place the browser has the new one by the time this answer comes.
    let useless = matches!(found, SessionLookup::Nothing) && !matches!(brought, Brought::Nothing);
    let browser = browser(request.headers(), caller, &web.base_path);
    let state = Arc::clone(&web.state);
    let ctx = RequestContext::new(state, request_id, found, browser, caller.plain_http);
    if useless {
        ctx.change_cookies(CookieChange::Remove);
    }
    request.extensions_mut().insert(ctx.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let Some(change) = ctx.take_cookie_change() else {
        return response;
    };
    // The header concerns the whole host name. Below a path, that is other applications' as well.
    let own_host = web.base_path == BasePath::default();
    if let (CookieChange::SignOut, true) = (&change, own_host) {
        let (name, value) = CLEAR;
        headers.insert(name, value);
    }
    for value in cookie::write(&change, caller.tls, &web.base_path) {
        headers.append(SET_COOKIE, value);
    }
    response
}

/// What a request tells of the browser that sent it.
pub(super) fn browser(
    headers: &HeaderMap,
    caller: ClientInfo,
    base_path: &BasePath,
) -> BrowserInfo {
    let user_agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    BrowserInfo {
        address: caller.address,
        user_agent: user_agent.map(str::to_owned),
        device: cookie::read_device(headers, caller.tls, base_path),
    }
}
