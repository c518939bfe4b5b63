//! Request id, tracing span, metrics, and the access log line of each request.

use super::{Web, client_addr::ClientInfo};
use crate::identifier::RequestId;
use axum::{
    body::{Body, Bytes},
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use leptos::server_fn::axum::server_fn_paths;
use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tracing::{Instrument, Span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Extension of a response: the name of the user who was signed in.
#[derive(Clone, Debug)]
pub(super) struct SignedInUser(pub(super) String);

/// Gives the request an id and returns it in `x-request-id`; counts and logs the response.
///
/// The id and the trace come from a trusted proxy, or are made here; never from another client.
pub(super) async fn assign_and_log(
    State(web): State<Web>,
    mut request: Request,
    next: Next,
) -> Response {
    let state = &web.state;
    let client = ClientInfo::of(request.extensions());
    let headers = client.by_proxy.then(|| request.headers());
    let id = headers.and_then(|headers| forwarded(headers, &REQUEST_ID, is_request_id));
    let trace = headers.and_then(|headers| forwarded(headers, &TRACEPARENT, is_traceparent));
    let id = match id {
        Some(id) => RequestId::new(id),
        None => RequestId::new(&state.new_identifier().unwrap_or_default()),
    };
    let id = match trace {
        Some(trace) => id.with_traceparent(trace),
        None => id,
    };
    request.extensions_mut().insert(id.clone());
    let path = request.uri().path();
    let is_probe = path.starts_with("/health/");
    // The path alone: a query may hold text that a user typed.
    let span = tracing::info_span!(
        "http.request",
        request.id = %id,
        trace.id = id.trace_id(),
        http.request.method = %request.method(),
        url.path = path,
    );
    let route = route_of(&request);
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    state.metrics.answered(&route, status, began.elapsed());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let user = response.extensions_mut().remove::<SignedInUser>();
    let line = AccessLine {
        span,
        status: status.as_u16(),
        began,
        client: client.address,
        user: user.map(|SignedInUser(name)| name),
        is_probe,
        bytes: 0,
    };
    response.map(|body| Body::new(Counted { body, line }))
}

/// A header of a proxy, if it is valid. Of several none counts.
fn forwarded<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    is_valid: fn(&str) -> bool,
) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    value.to_str().ok().filter(|text| is_valid(text))
}

/// Without characters that a log, a header, a page or a spreadsheet could take for something else.
fn is_request_id(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_allowed)
}

/// Version 00 of the W3C's Trace Context: `00-<trace>-<parent>-<flags>`.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        part.len() == length && part.chars().all(is_digit)
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.contains(|c| c != '0');
    match text.split('-').collect::<Vec<_>>().as_slice() {
        ["00", trace, parent, flags] => is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2),
        _ => false,
    }
}

/// The route template of the request, or the path of a server function. Never text that a user typed.
fn route_of(request: &Request) -> String {
    let path = request.uri().path();
    let function = server_fn_paths().find(|(known, _)| *known == path);
    let template = request.extensions().get::<MatchedPath>();
    function
        .map(|(known, _)| known)
        .or(template.map(MatchedPath::as_str))
        .unwrap_or("none")
        .to_owned()
}

/// The access line of a request, which is logged when its response was sent or given up.
struct AccessLine {
    span: Span,
    status: u16,
    began: Instant,
    client: Option<IpAddr>,
    user: Option<String>,
    is_probe: bool,
    bytes: u64,
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        macro_rules! answered {
            ($level:ident) => {
                tracing::$level!(
                    parent: &self.span,
                    http.response.status_code = self.status,
                    http.response.body.bytes = self.bytes,
                    client.address = self.client.map(tracing::field::display),
                    user.name = self.user,
                    duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "answered"
                )
            };
        }
        if self.is_probe {
            answered!(debug);
        } else {
            answered!(info);
        }
    }
}

/// A body whose bytes are counted.
struct Counted {
    body: Body,
    line: AccessLine,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &poll
            && let Some(data) = frame.data_ref()
        {
            this.line.bytes += u64::try_from(data.len()).unwrap_or(0);
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        for id in ["a", "4bf92f35-77b3", "0A:1B.2_c", &"x".repeat(128)] {
            assert!(is_request_id(id), "{id}");
        }
        for id in [
            "",
            "-x",
            "=1+1",
            "a b",
            "a\"b",
            "a,b",
            "ä",
            "a/b",
            &"x".repeat(129),
        ] {
            assert!(!is_request_id(id), "{id}");
        }
    }

    #[test]
    fn only_valid_traces_are_taken_over() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert!(is_traceparent(&format!("00-{trace}-{parent}-01")));
        for text in [
            format!("01-{trace}-{parent}-01"),
            format!("00-{trace}-{parent}-01-x"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{parent}"),
            String::new(),
        ] {
            assert!(!is_traceparent(&text), "{text}");
        }
    }
}
