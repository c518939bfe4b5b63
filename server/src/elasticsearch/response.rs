//! Classification of HTTP responses: success of Elasticsearch, error of Elasticsearch, or response of a proxy.
//!
//! Status first, then the body, as Elastic's own clients do. `X-elastic-product` is required on 2xx only: Elasticsearch
//! removes it from 401 and 403, and proxies may remove it anywhere. Any other response is Elasticsearch's when its body
//! has Elasticsearch's error form: `error`, and a `status` equal to the HTTP status where there is one. A 401 or 403
//! also counts by `error.type` or by Elasticsearch's challenges, and a lookup that finds nothing answers 404 with the
//! product header and the usual, empty body.

use super::Error;
use app::model::problem::ElasticsearchFault as Fault;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The largest error: Elasticsearch's hold a few sentences, or a list of shard failures.
const ERROR_BYTES_MAX: usize = 256 * 1024;
/// Characters of an error's reason that are kept.
const REASON_CHARACTERS_MAX: usize = 300;
/// Characters of an error's type that are kept.
const KIND_CHARACTERS_MAX: usize = 80;

/// A response of Elasticsearch's own: a success, or an error in its form.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    body: Vec<u8>,
    /// The request holds a password, so the reason of an error is not kept: it may repeat what was sent.
    secret: bool,
}

impl Response {
    /// Accepts a response that is Elasticsearch's. Others are [`Error::Gateway`], or [`Error::WrongProduct`] on success.
    pub(super) fn classify(
        status: StatusCode,
        headers: &HeaderMap,
        body: Vec<u8>,
        secret: bool,
    ) -> Result<Self, Error> {
        let response = Self {
            status,
            body,
            secret,
        };
        match status.as_u16() {
            200..=299 if is_marked(headers) => Ok(response),
            200..=299 if response.is_opensearch() => Err(Error::Fault {
                fault: Fault::OpenSearch,
                status,
                kind: String::new(),
                reason: String::new(),
            }),
            200..=299 => Err(Error::WrongProduct),
            300..=599 if response.is_error_form() => Ok(response),
            401 | 403 if has_own_challenge(headers) => Ok(response),
            404 if is_marked(headers) && response.is_empty_lookup() => Ok(response),
            // Netty refuses a body that is too large before Elasticsearch sees it.
            413 if is_empty_and_plain(headers, &response.body) => Ok(response),
            _ => Err(Error::Gateway(status)),
        }
    }

    /// Reads the body as `T`, on success.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.success()?;
        self.object().ok_or(Error::BadAnswer("shape"))
    }

    /// Returns the error of any other status than a success.
    pub(super) fn success(&self) -> Result<(), Error> {
        if self.status.is_success() {
            return Ok(());
        }
        let envelope = self.envelope().unwrap_or_default();
        let cause = envelope.error.into_cause();
        let kind = shortened(cause.kind.as_deref(), KIND_CHARACTERS_MAX);
        let reason = if self.secret {
            String::new()
        } else {
            shortened(cause.reason.as_deref(), REASON_CHARACTERS_MAX)
        };
        if let Some(fault) = fault(self.status, &cause) {
            return Err(Error::Fault {
                fault,
                status: self.status,
                kind,
                reason,
            });
        }
        Err(match self.status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized,
            StatusCode::FORBIDDEN => Error::Forbidden { reason },
            StatusCode::BAD_REQUEST => Error::Invalid { kind, reason },
            StatusCode::NOT_FOUND => Error::NotFound,
            status => Error::Fault {
                fault: Fault::Failed(status.as_u16()),
                status,
                kind,
                reason,
            },
        })
    }

    /// Details of an API key that was not accepted, for example `api key is expired`.
    pub(super) fn unsuccessful_credentials(&self) -> String {
        let cause = self.envelope().unwrap_or_default().error.into_cause();
        match cause.unsuccessful {
            Some(Value::String(text)) => text,
            Some(Value::Array(texts)) => texts
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("; "),
            _ => String::new(),
        }
    }

    fn is_opensearch(&self) -> bool {
        let root: Option<Value> = serde_json::from_slice(&self.body).ok();
        root.is_some_and(|root| root["version"]["distribution"] == "opensearch")
    }

    fn envelope(&self) -> Option<Envelope> {
        self.object()
    }

    /// Reads the body, which must be a JSON object: serde would also fill a struct from an array.
    fn object<T: DeserializeOwned>(&self) -> Option<T> {
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    fn is_error_form(&self) -> bool {
        let Some(envelope) = self.envelope() else {
            return false;
        };
        let has_error = match &envelope.error {
            ErrorForm::Text(text) => !text.is_empty(),
            ErrorForm::Cause(cause) => cause.kind.is_some(),
            ErrorForm::Other(_) => false,
        };
        let status = u64::from(self.status.as_u16());
        has_error && envelope.status.is_none_or(|told| told == status)
    }

    /// `{}`, `{"found":false}`, `{"api_keys":[]}`: nothing was found, which is no error.
    fn is_empty_lookup(&self) -> bool {
        serde_json::from_slice::<serde_json::Map<String, Value>>(&self.body)
            .is_ok_and(|body| !body.contains_key("error"))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Envelope {
    error: ErrorForm,
    #[serde(default)]
    status: Option<u64>,
}

/// `error` is an object, or a sentence where the router itself refuses.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ErrorForm {
    Text(String),
    Cause(Box<Cause>),
    Other(serde::de::IgnoredAny),
}

#[derive(Debug, Default, Deserialize)]
struct Cause {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// JSON null while there is no master.
    #[serde(default)]
    reason: Option<String>,
    #[serde(default, rename = "disabled.feature")]
    disabled_feature: Option<String>,
    #[serde(default, rename = "license.expired.feature")]
    expired_feature: Option<String>,
    #[serde(default, rename = "additional_unsuccessful_credentials")]
    unsuccessful: Option<Value>,
}

impl Default for ErrorForm {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl ErrorForm {
    fn into_cause(self) -> Cause {
        match self {
            Self::Cause(cause) => *cause,
            Self::Text(reason) => Cause {
                reason: Some(reason),
                ..Cause::default()
            },
            Self::Other(_) => Cause::default(),
        }
    }
}

/// The condition behind an error, if the user or an administrator can act on it.
fn fault(status: StatusCode, cause: &Cause) -> Option<Fault> {
    let kind = cause.kind.as_deref().unwrap_or_default();
    let reason = cause.reason.as_deref().unwrap_or_default();
    if cause.disabled_feature.as_deref() == Some("api_keys") {
        return Some(Fault::ApiKeysDisabled);
    }
    let is_license = cause.expired_feature.is_some() || reason.contains("license is non-compliant");
    let fault = match (status.as_u16(), kind) {
        (403, _) if is_license => Fault::LicenseExpired,
        (400 | 404 | 410, _) if reason.contains("not available when running in serverless") => {
            Fault::NotOnServerless
        }
        (400 | 405, "") if reason.contains("/_security/") => Fault::SecurityDisabled,
        (500, "exception") if reason.starts_with("Security must be explicitly enabled") => {
            Fault::SecurityDisabled
        }
        (413, _) => Fault::RequestTooLarge,
        (429 | 403, "cluster_block_exception") if reason.contains("flood-stage") => {
            Fault::FloodStage
        }
        (_, "cluster_block_exception") => Fault::Blocked,
        (429, "circuit_breaking_exception") => Fault::OutOfMemory,
        (429, _) => Fault::Busy,
        (503, "master_not_discovered_exception") => Fault::NoMaster,
        (503, _) if is_about_security_index(reason) => Fault::SecurityIndexUnavailable,
        (503, "security_exception") => Fault::SecurityIndexUnavailable,
        (500, _) if reason.contains("clear the caches manually") => Fault::CacheNotCleared,
        _ => return None,
    };
    Some(fault)
}

fn is_about_security_index(reason: &str) -> bool {
    reason.contains("[.security")
}

/// Returns true if the response carries Elasticsearch's product header.
pub(super) fn is_marked(headers: &HeaderMap) -> bool {
    headers
        .get("x-elastic-product")
        .is_some_and(|product| product == "Elasticsearch")
}

/// Returns true if a challenge is one of Elasticsearch's own.
fn has_own_challenge(headers: &HeaderMap) -> bool {
    headers.get_all(WWW_AUTHENTICATE).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.contains(r#"realm="security""#) || value == "ApiKey")
    })
}

fn is_empty_and_plain(headers: &HeaderMap, body: &[u8]) -> bool {
    body.is_empty()
        && !headers.contains_key(CONTENT_TYPE)
        && headers
            .get(CONTENT_LENGTH)
            .is_none_or(|length| length == "0")
}

/// Shortens the text and replaces control characters, which could break a log line.
fn shortened(text: Option<&str>, characters_max: usize) -> String {
    let text = text.unwrap_or_default().chars();
    let plain = text.map(|c| if c.is_control() { ' ' } else { c });
    plain.take(characters_max).collect()
}

/// Reads the whole response, up to `bytes_max`. `secret` says that the request holds a password, `failed` which error it
/// is when the response does not arrive whole.
pub(super) async fn read_response(
    mut response: reqwest::Response,
    bytes_max: usize,
    secret: bool,
    failed: impl FnOnce(&reqwest::Error) -> Error,
) -> Result<Response, Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let is_success = status.is_success();
    let bytes_max = if is_success && is_marked(&headers) {
        bytes_max
    } else {
        ERROR_BYTES_MAX
    };
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => return Err(failed(&error)),
        };
        if body.len() + chunk.len() > bytes_max {
            // No error of Elasticsearch's is this long, so it is not Elasticsearch's.
            return Err(match is_success {
                true if is_marked(&headers) => Error::BadAnswer("size"),
                true => Error::WrongProduct,
                false => Error::Gateway(status),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Response::classify(status, &headers, body, secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const MARK: (&str, &str) = ("x-elastic-product", "Elasticsearch");
    const BASIC: (&str, &str) = (
        "www-authenticate",
        r#"Basic realm="security", charset="UTF-8""#,
    );
    const OLD_BASIC: (&str, &str) = (
        "www-authenticate",
        r#"Basic realm="security" charset="UTF-8""#,
    );
    const HTML: (&str, &str) = ("content-type", "text/html");

    type Row = (
        &'static str,
        u16,
        &'static [(&'static str, &'static str)],
        &'static str,
        Expected,
    );

    /// Expected classification of a row.
    #[derive(Debug, PartialEq, Eq)]
    enum Expected {
        Success,
        Is(&'static str),
        Fault(Fault),
        Gateway,
        WrongProduct,
    }
    use Expected::{Gateway, Is, Success, WrongProduct};

    fn judged(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &[u8],
    ) -> Result<(), Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        Response::classify(status, &map, body.to_vec(), false)?.success()
    }

    fn as_expected(result: Result<(), Error>) -> Expected {
        match result {
            Ok(()) => Success,
            Err(Error::Gateway(_)) => Gateway,
            Err(Error::WrongProduct) => WrongProduct,
            Err(Error::Fault { fault, .. }) => Expected::Fault(fault),
            Err(error) => Is(error.name()),
        }
    }

    #[rustfmt::skip]
    const ANSWERS: &[Row] = &[
        // Elasticsearch 8 and 9.
        ("success", 200, &[MARK], "{}", Success),
        ("9.x wrong password", 401, &[BASIC, ("www-authenticate", "ApiKey")], r#"{"error":{"root_cause":[{"type":"security_exception","reason":"unable to authenticate user [ada] for REST request [/]"}],"type":"security_exception","reason":"unable to authenticate user [ada] for REST request [/]"},"status":401}"#, Is("unauthorized")),
        ("8.x wrong password, no challenge kept by the proxy", 401, &[], r#"{"error":{"type":"security_exception","reason":"unable to authenticate user [ada]"},"status":401}"#, Is("unauthorized")),
        ("challenge alone", 401, &[OLD_BASIC], "", Is("unauthorized")),
        ("403", 403, &[], r#"{"error":{"type":"security_exception","reason":"action [cluster:admin/xpack/security/user/put] is unauthorized for user [ada]"},"status":403}"#, Is("forbidden")),
        ("refused body", 400, &[MARK], r#"{"error":{"type":"illegal_argument_exception","reason":"no"},"status":400}"#, Is("invalid")),
        ("refused body, header removed by a proxy", 400, &[], r#"{"error":{"type":"parse_exception","reason":"no"},"status":400}"#, Is("invalid")),
        ("lookup without result", 404, &[MARK], "{}", Is("not_found")),
        ("delete without result", 404, &[MARK], r#"{"found":false}"#, Is("not_found")),
        ("get without keys", 404, &[MARK], r#"{"api_keys":[]}"#, Is("not_found")),
        ("missing resource", 404, &[MARK], r#"{"error":{"type":"resource_not_found_exception","reason":"no"},"status":404}"#, Is("not_found")),
        ("conflict", 409, &[MARK], r#"{"error":{"type":"version_conflict_engine_exception","reason":"x"},"status":409}"#, Expected::Fault(Fault::Failed(409))),
        ("media type", 406, &[MARK], r#"{"error":"Content-Type header [text/plain] is not supported","status":406}"#, Expected::Fault(Fault::Failed(406))),
        ("too large, answered by Netty", 413, &[("content-length", "0")], "", Expected::Fault(Fault::RequestTooLarge)),
        ("queue full", 429, &[MARK], r#"{"error":{"type":"es_rejected_execution_exception","reason":"rejected"},"status":429}"#, Expected::Fault(Fault::Busy)),
        ("circuit breaker", 429, &[MARK], r#"{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}"#, Expected::Fault(Fault::OutOfMemory)),
        ("flood stage", 429, &[MARK], r#"{"error":{"type":"cluster_block_exception","reason":"index [.security-7] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"},"status":429}"#, Expected::Fault(Fault::FloodStage)),
        ("cluster block", 503, &[MARK], r#"{"error":{"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"},"status":503}"#, Expected::Fault(Fault::Blocked)),
        ("index block", 403, &[], r#"{"error":{"type":"cluster_block_exception","reason":"index [.security-7] blocked by: [FORBIDDEN/8/index write (api)];"},"status":403}"#, Expected::Fault(Fault::Blocked)),
        ("no master", 503, &[MARK], r#"{"error":{"root_cause":[{"type":"master_not_discovered_exception","reason":null}],"type":"master_not_discovered_exception","reason":null},"status":503}"#, Expected::Fault(Fault::NoMaster)),
        ("security index unavailable", 503, &[MARK], r#"{"error":{"type":"unavailable_shards_exception","reason":"at least one search shard for the index [.security-7] is unavailable"},"status":503}"#, Expected::Fault(Fault::SecurityIndexUnavailable)),
        ("caches not cleared", 500, &[MARK], r#"{"error":{"type":"exception","reason":"clearing the API key cache failed; please clear the caches manually"},"status":500}"#, Expected::Fault(Fault::CacheNotCleared)),
        ("API keys off", 400, &[MARK], r#"{"error":{"type":"feature_not_enabled_exception","reason":"api keys are not enabled","disabled.feature":"api_keys"},"status":400}"#, Expected::Fault(Fault::ApiKeysDisabled)),
        ("security off", 400, &[MARK], r#"{"error":"no handler found for uri [/_security/user/_has_privileges] and method [POST]"}"#, Expected::Fault(Fault::SecurityDisabled)),
        ("other error", 500, &[MARK], r#"{"error":{"type":"null_pointer_exception","reason":null},"status":500}"#, Expected::Fault(Fault::Failed(500))),
        // 7.17.
        ("7.17 wrong password", 401, &[OLD_BASIC], r#"{"error":{"type":"security_exception","reason":"missing authentication credentials"},"status":401}"#, Is("unauthorized")),
        ("7.x licence", 403, &[], r#"{"error":{"type":"security_exception","reason":"current license is non-compliant for [security]","license.expired.feature":"security"},"status":403}"#, Expected::Fault(Fault::LicenseExpired)),
        ("7.x security off", 405, &[MARK], r#"{"error":"Incorrect HTTP method for uri [/_security/_authenticate] and method [GET], allowed: [POST]","status":405}"#, Expected::Fault(Fault::SecurityDisabled)),
        ("7.x trial, security off", 500, &[MARK], r#"{"error":{"type":"exception","reason":"Security must be explicitly enabled when using a [trial] license."},"status":500}"#, Expected::Fault(Fault::SecurityDisabled)),
        // Serverless.
        ("serverless", 410, &[MARK], r#"{"error":{"type":"api_not_available_exception","reason":"Request for uri [/_security/user] with method [GET] exists but is not available when running in serverless mode"},"status":410}"#, Expected::Fault(Fault::NotOnServerless)),
        ("serverless of 2023", 400, &[MARK], r#"{"error":"uri [/_security/user] with method [GET] exists but is not available when running in serverless mode"}"#, Expected::Fault(Fault::NotOnServerless)),
        // Elastic Cloud's proxy.
        ("unknown deployment", 404, &[("x-cloud-request-id", "a")], r#"{"ok":false,"message":"Unknown resource."}"#, Gateway),
        ("deployment down", 503, &[("x-cloud-request-id", "a")], r#"{"ok":false,"message":"The requested resource is currently unavailable."}"#, Gateway),
        ("deployment up", 200, &[MARK, ("x-found-handling-cluster", "a")], "{}", Success),
        // Proxies.
        ("HAProxy", 503, &[HTML], "<html><body><h1>503 Service Unavailable</h1> No server is available to handle this request. </body></html>", Gateway),
        ("nginx", 502, &[HTML], "<html><head><title>502 Bad Gateway</title></head></html>", Gateway),
        ("nginx, too large", 413, &[HTML], "<html><head><title>413 Request Entity Too Large</title></head></html>", Gateway),
        ("Envoy", 503, &[("content-type", "text/plain")], "no healthy upstream", Gateway),
        ("load balancer", 504, &[HTML], "<html></html>", Gateway),
        ("JSON that only looks like it", 503, &[], r#"{"error":"service unavailable","status":500}"#, Gateway),
        ("identity-aware proxy", 401, &[("www-authenticate", r#"Basic realm="staff""#)], "Authorization Required", Gateway),
        ("forbidden by a firewall", 403, &[HTML], "<html>Request blocked</html>", Gateway),
        ("captive portal", 200, &[HTML], "<html>Sign in to the network</html>", WrongProduct),
        ("captive portal, redirect", 302, &[("location", "https://portal.example/")], "", Gateway),
        // OpenSearch.
        ("OpenSearch", 200, &[], r#"{"version":{"distribution":"opensearch","number":"2.11.0"},"tagline":"The OpenSearch Project: https://opensearch.org/"}"#, Expected::Fault(Fault::OpenSearch)),
        ("another service", 200, &[], r#"{"version":{"number":"1.0"}}"#, WrongProduct),
        ("OpenSearch, no such path", 400, &[], r#"{"error":"no handler found for uri [/_security/_authenticate] and method [GET]"}"#, Expected::Fault(Fault::SecurityDisabled)),
        ("OpenSearch, not signed in", 401, &[("www-authenticate", r#"Basic realm="OpenSearch Security""#)], "Unauthorized", Gateway),
    ];

    #[test]
    fn responses_are_classified_by_status_and_body() {
        for (name, status, headers, body, expected) in ANSWERS {
            let result = judged(*status, headers, body.as_bytes());
            assert_eq!(&as_expected(result), expected, "{name}");
        }
    }

    /// A refusal that Elasticsearch itself gave leaves nothing open.
    #[test]
    fn refusals_in_elasticsearchs_format_are_definite() {
        for (name, status, headers, body, _) in ANSWERS {
            let Err(error) = judged(*status, headers, body.as_bytes()) else {
                continue;
            };
            let is_refusal = matches!(status, 400 | 401 | 403 | 404 | 409 | 413 | 429)
                && !matches!(error, Error::Gateway(_));
            if is_refusal {
                assert!(error.is_definitely_not_applied(), "{name}");
            }
        }
    }

    #[test]
    fn truncated_responses_are_classified_without_a_panic() {
        for (name, status, headers, body, expected) in ANSWERS {
            for end in 0..body.len() {
                let cut = as_expected(judged(*status, headers, &body.as_bytes()[..end]));
                let is_complete = cut == *expected;
                let is_by_headers = matches!(cut, Is("unauthorized") | Success | WrongProduct);
                assert!(
                    is_complete || is_by_headers || cut == Gateway,
                    "{name} cut at {end}: {cut:?}"
                );
            }
        }
    }

    #[test]
    fn wrong_types_are_not_elasticsearchs_format() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for body in [
            "[]",
            "null",
            "1",
            r#"["x",503]"#,
            r#"{"error":[],"status":503}"#,
            r#"{"error":{"type":1},"status":503}"#,
            r#"{"error":{"reason":"x"},"status":503}"#,
            r#"{"error":"x","status":"503"}"#,
            r#"{"error":"x","status":-1}"#,
            r#"{"error":"","status":503}"#,
            r#"{"error":null}"#,
            "\u{0}\u{1}",
            &deep,
        ] {
            let result = as_expected(judged(503, &[MARK], body.as_bytes()));
            assert_eq!(result, Gateway, "{}", &body[..body.len().min(60)]);
        }
    }

    #[test]
    fn reason_is_shortened_and_has_no_line_breaks() {
        let body = format!(
            r#"{{"error":{{"type":"parse_exception","reason":"a\nb{}"}},"status":400}}"#,
            "x".repeat(5_000)
        );
        let Err(error) = judged(400, &[MARK], body.as_bytes()) else {
            panic!("not refused");
        };
        let reason = error.reason().unwrap();
        assert_eq!(reason.chars().count(), REASON_CHARACTERS_MAX);
        assert!(reason.starts_with("a bx"));
    }

    #[test]
    fn reason_is_dropped_if_the_request_holds_a_password() {
        let body = br#"{"error":{"type":"parse_exception","reason":"CANARY"},"status":400}"#;
        for (secret, kept) in [(false, Some("CANARY")), (true, None)] {
            let answer = Response::classify(
                StatusCode::BAD_REQUEST,
                &HeaderMap::new(),
                body.to_vec(),
                secret,
            );
            let error = answer.unwrap().success().unwrap_err();
            assert_eq!(error.reason(), kept);
        }
    }
}
