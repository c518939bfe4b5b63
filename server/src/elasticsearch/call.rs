//! One call of Elasticsearch: limits, headers, choice of the node, metrics.

use super::{
    Connection, Error,
    response::{Response, read_response},
    transport::{Node, may_move_on},
};
use http::{Method, header};
use serde::Serialize;
use std::time::{Duration, Instant};
use url::Url;

const READ_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest response to a change of one thing.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// The largest response to a bulk change: a thousand keys that could not be revoked, with an error for each.
const BULK_WRITE_BYTES_MAX: usize = 1024 * 1024;
/// The largest response to a read: a page of keys, or all users.
const READ_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Effect of a call. Decides its time limit, its size limit, and whether it may move on to another node.
#[derive(Clone, Copy)]
pub(super) enum CallKind {
    Read,
    Write,
    /// A change of many things, with a result for each.
    BulkWrite,
}

impl CallKind {
    const fn timeout(self) -> Duration {
        match self {
            Self::Read => READ_TIMEOUT,
            Self::Write | Self::BulkWrite => WRITE_TIMEOUT,
        }
    }

    const fn bytes_max(self) -> usize {
        match self {
            Self::Read => READ_BYTES_MAX,
            Self::Write => WRITE_BYTES_MAX,
            Self::BulkWrite => BULK_WRITE_BYTES_MAX,
        }
    }
}

impl Connection {
    /// Sends one request and reads its whole response. `path` is joined segment by segment, each of them encoded.
    pub(super) async fn send_once<B: Serialize + ?Sized>(
        &self,
        kind: CallKind,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Response, Error> {
        let operation = match self.instead {
            Some(_) => "probe_security_index",
            None => operation(&method, path),
        };
        let began = Instant::now();
        let elasticsearch = &self.elasticsearch;
        let is_stopping = elasticsearch.stopping().is_cancelled();
        let result = if !is_stopping && elasticsearch.allows_call().await {
            let began = Instant::now();
            let secret = holds_password(operation);
            let exchange = self.exchange(kind, method, path, query, body, secret);
            match elasticsearch.stopping().run_until_cancelled(exchange).await {
                Some(result) => {
                    elasticsearch.record(&result, began);
                    result
                }
                // It may have been sent.
                None => Err(Error::TimedOut),
            }
        } else {
            Err(Error::Unreachable)
        };
        let outcome = match result.as_ref().map(Response::success) {
            Ok(Ok(())) => "success",
            Ok(Err(error)) => error.name(),
            Err(error) => error.name(),
        };
        elasticsearch
            .calls()
            .ended(operation, outcome, began.elapsed());
        result
    }

    async fn exchange<B: Serialize + ?Sized>(
        &self,
        kind: CallKind,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&B>,
        secret: bool,
    ) -> Result<Response, Error> {
        let authorization = self.authorization()?;
        let is_read = matches!(kind, CallKind::Read);
        let transport = &self.elasticsearch.transport;
        let _slot = self.elasticsearch.acquire_slot().await?;
        let http = transport.http();
        let mut result = Err(Error::Unreachable);
        for node in transport.nodes() {
            let mut request = http
                .request(method.clone(), url(node, path, query)?)
                .timeout(kind.timeout())
                .header(header::AUTHORIZATION, authorization.clone())
                .header(header::ACCEPT, "application/json")
                .header("x-opaque-id", self.request_id.as_str());
            if let Some(token) = &self.elasticsearch.engine_token {
                request = request.header(embedded::APPLICATION_TOKEN, token.clone());
            }
            if let Some(traceparent) = self.request_id.traceparent() {
                request = request.header("traceparent", traceparent);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let failed = |error: &reqwest::Error| node.explain(error);
            result = match request.send().await {
                Ok(response) => read_response(response, kind.bytes_max(), secret, failed).await,
                Err(error) => Err(failed(&error)),
            };
            node.note(&result);
            match &result {
                Err(error) if may_move_on(error, is_read) => node.failed(),
                Err(Error::TimedOut | Error::Interrupted) => {
                    node.failed();
                    break;
                }
                _ => {
                    node.reached();
                    break;
                }
            }
        }
        result
    }
}

/// Returns true if the body of the request holds a password.
fn holds_password(operation: &str) -> bool {
    matches!(operation, "put_user" | "set_password")
}

fn url(node: &Node, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
    // Such a segment would vanish from the path and change the meaning of the request.
    if path.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(Error::Invalid {
            kind: "path".to_owned(),
            reason: "a name that no path can hold".to_owned(),
        });
    }
    let mut url = node.url.clone();
    url.path_segments_mut()
        .map_err(|()| Error::Unreachable)?
        .pop_if_empty()
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Label of the operation in metrics. Holds no name.
fn operation(method: &Method, path: &[&str]) -> &'static str {
    match (method.as_str(), path) {
        ("GET", []) => "info",
        ("GET", ["_security", "_authenticate"]) => "authenticate",
        ("POST", ["_security", "user", "_has_privileges"]) => "has_privileges",
        ("GET", ["_security", "user", "_privileges"]) => "list_privileges",
        ("POST", ["_security", "_query", "api_key"]) => "query_api_keys",
        ("GET", ["_security", "api_key"]) => "get_api_keys",
        ("POST", ["_security", "api_key"]) => "create_api_key",
        ("DELETE", ["_security", "api_key"]) => "invalidate_api_keys",
        ("GET", ["_security", "role", _]) => "get_role",
        ("PUT", ["_security", "role", _]) => "put_role",
        ("GET", ["_security", "user", ..]) => "get_users",
        ("PUT", ["_security", "user", _]) => "put_user",
        ("DELETE", ["_security", "user", _]) => "delete_user",
        ("PUT", ["_security", "user", _, "_password"]) => "set_password",
        ("PUT", ["_security", "user", _, "_enable" | "_disable"]) => "set_enabled",
        _ => "other",
    }
}
