//! Session layer: tower-sessions around the handlers, with our own store behind it.
//!
//! tower-sessions reads the session cookie, loads the record, and sets or removes the cookie. Its `Session` does not
//! leave this file: handlers get a [`RequestContext`]. Use cases alone write rows, because a row, its audit
//! event and the end of other sessions belong to one transaction. `docs/decisions/session-layer.md` has the reasons.

use super::{
    Web, client_addr::ClientInfo, error_format::problem_response, request_id::SignedInUser,
    when_sent::when_sent,
};
use crate::{
    context::{AppState, CookieChange, NoticeChange, RequestContext},
    identifier::RequestId,
    sessions::{
        self, BrowserInfo, FoundSession, SessionLookup, Token,
        known_device::{AGE_MAX, DeviceToken},
    },
};
use app::model::{
    base_path::BasePath,
    problem::{Problem, ProblemKind},
};
use async_trait::async_trait;
use axum::{extract::Request, extract::State, middleware::Next, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, Entry, SET_COOKIE, USER_AGENT},
};
use serde_json::Value;
use std::{convert::Infallible, sync::Arc};
use time::{Duration, OffsetDateTime};
use tower::{Layer, ServiceExt, service_fn};
use tower_sessions::{
    Session, SessionManagerLayer, SessionStore,
    cookie::{Cookie, SameSite},
    session::{Error, Id, Record},
    session_store,
};

const SESSION: &str = "agent-keys";
const DEVICE: &str = "agent-keys-device";
const NOTICE: &str = "agent-keys-notice";
/// Time for which a message waits for its page.
const NOTICE_AGE: Duration = Duration::minutes(10);
/// Entry of a record with the [`FoundSession`] of its cookie.
const FOUND: &str = "found";
/// Entry of a record with the token that a use case has just issued.
const ISSUED: &str = "issued";

/// Removes what a session may have left in the browser besides its cookie.
const CLEAR: (HeaderName, HeaderValue) = (
    HeaderName::from_static("clear-site-data"),
    HeaderValue::from_static("\"cache\", \"storage\""),
);

/// Manages the session of one request. Name and `Secure` of the cookie depend on the connection, so the layer of
/// tower-sessions is made for each request.
pub(super) async fn manage_session(
    State(web): State<Web>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = ClientInfo::of(request.extensions());
    let tls = client.tls;
    let name = cookie_name(SESSION, client, &web.base_path);
    let device = cookie_name(DEVICE, client, &web.base_path);
    let notice = cookie_name(NOTICE, client, &web.base_path);
    let headers = request.headers().clone();
    keep_session_cookie(request.headers_mut(), &name);
    let layer = SessionManagerLayer::new(SessionRows(Arc::clone(&web.state)))
        .with_name(name)
        .with_secure(tls)
        .with_same_site(SameSite::Lax);
    let handlers = service_fn(move |mut request: Request| {
        *request.headers_mut() = headers.clone();
        let (web, next) = (web.clone(), next.clone());
        async move { Ok::<_, Infallible>(load_session(web, request, next).await) }
    });
    let Ok(mut response) = layer.layer(handlers).oneshot(request).await;
    if let Some(token) = response.extensions_mut().remove::<DeviceToken>() {
        let cookie = Cookie::build((device, token.text()))
            .path("/")
            .max_age(Duration::seconds(AGE_MAX.as_secs().cast_signed()));
        let value = HeaderValue::try_from(cookie.to_string());
        response
            .headers_mut()
            .extend(value.ok().map(|value| (SET_COOKIE, value)));
    }
    if let Some(change) = response.extensions_mut().remove::<NoticeCookie>() {
        let (value, age) = match change.0 {
            NoticeChange::Set(value) => (value, NOTICE_AGE),
            NoticeChange::Remove => (String::new(), Duration::ZERO),
        };
        let cookie = Cookie::build((notice, value)).path("/").max_age(age);
        let value = HeaderValue::try_from(cookie.to_string());
        response
            .headers_mut()
            .extend(value.ok().map(|value| (SET_COOKIE, value)));
    }
    complete_cookies(response.headers_mut(), tls);
    response
}

/// Extension of a response that changes the cookie with the message for the next page.
#[derive(Clone)]
struct NoticeCookie(NoticeChange);

/// Runs the handlers with the request's session, and carries out what they did to it.
async fn load_session(web: Web, mut request: Request, next: Next) -> Response {
    let request_id = RequestId::of(request.extensions());
    let Some(session) = request.extensions_mut().remove::<Session>() else {
        return next.run(request).await;
    };
    let found = look_up(&web.state, &session).await;
    let Ok(found) = found else {
        return problem_response(&Problem {
            kind: ProblemKind::Storage,
            request_id: Some(request_id.as_str().to_owned()),
            reason: None,
        });
    };
    // A cookie that opens nothing is removed. Two kinds stay: that of an ended session until the next sign-in, so that
    // the reason can be shown; and a renewed one, because the browser has the new one by the time this answer comes.
    if matches!(found, SessionLookup::Nothing) {
        forget(&session).await;
    }
    let client = ClientInfo::of(request.extensions());
    let browser = browser(request.headers(), client, &web.base_path);
    let state = Arc::clone(&web.state);
    let ctx = RequestContext::new(state, request_id, found, browser, client.plain_http);
    request.extensions_mut().insert(ctx.clone());
    let mut response = next.run(request).await;
    if let Ok(session) = ctx.session() {
        let user = session.identity.username.clone();
        response.extensions_mut().insert(SignedInUser(user));
    }
    match ctx.take_cookie_change() {
        Some(CookieChange::Set(issued)) => {
            issue(&session, &issued.token).await;
            response.extensions_mut().insert(issued.device);
        }
        Some(CookieChange::Remove) => forget(&session).await,
        Some(CookieChange::SignOut) => {
            forget(&session).await;
            // The header concerns the whole host name. Below a base path, that is other applications' as well.
            if web.base_path == BasePath::default() {
                response.headers_mut().extend([CLEAR]);
            }
        }
        None => {}
    }
    if let Some(change) = ctx.take_notice_change() {
        response.extensions_mut().insert(NoticeCookie(change));
    }
    match ctx.take_work_when_sent() {
        Some(work) => response
            .map(|body| when_sent(body, work, move |work| ctx.state.run_in_background(work))),
        None => response,
    }
}

async fn look_up(state: &AppState, session: &Session) -> Result<SessionLookup, Error> {
    let found: Option<FoundSession> = session.get(FOUND).await?;
    match (session.id(), found) {
        (Some(id), Some(found)) => Ok(sessions::open(state, &token(id), found).await),
        _ => Ok(SessionLookup::Nothing),
    }
}

/// Has the response bring the cookie of an issued token.
async fn issue(session: &Session, issued: &Token) {
    let issued = Id(i128::from_le_bytes(*issued.expose())).to_string();
    // Only a store that fails makes these fail, and ours has nothing to do here.
    let _ = session.cycle_id().await;
    let _ = session.insert(ISSUED, issued).await;
}

/// Has the response remove the cookie, if the request brought one.
async fn forget(session: &Session) {
    if session.id().is_some() {
        let _ = session.flush().await;
    }
}

fn token(id: Id) -> Token {
    Token::of(id.0.to_le_bytes())
}

/// Rows of sessions, as tower-sessions reads them. It changes none: see the module.
#[derive(Debug)]
struct SessionRows(Arc<AppState>);

#[async_trait]
impl SessionStore for SessionRows {
    /// Adopts the token whose row a use case has just written.
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let issued = record.data.remove(ISSUED);
        let id = issued.as_ref().and_then(Value::as_str);
        record.id = id
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| session_store::Error::Encode("no token was issued".to_owned()))?;
        Ok(())
    }

    /// Changes nothing, so that no late request revives an ended session.
    async fn save(&self, _: &Record) -> session_store::Result<()> {
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = sessions::find(&self.0, &token(*id)).await;
        let found = found.map_err(|error| {
            let source: &dyn std::error::Error = &error;
            tracing::error!(error = source, "the session could not be loaded");
            session_store::Error::Backend(error.to_string())
        })?;
        let Some(found) = found else { return Ok(None) };
        let found = serde_json::to_value(found)
            .map_err(|error| session_store::Error::Encode(error.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data: [(FOUND.to_owned(), found)].into(),
            // Required by the type. Our limits are kept by `sessions::find`.
            expiry_date: OffsetDateTime::UNIX_EPOCH,
        }))
    }

    /// Changes nothing: sessions end in [`sessions::manage`], with a reason and an audit event.
    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        Ok(())
    }
}

/// Returns the name of a cookie. With TLS, its prefix makes the browser insist on `Secure`, on this host and on the
/// whole path. So the path cannot keep two applications on one host apart, and the name contains the base path. Browsers
/// send a cookie to every port of its host, so the name contains the port as well.
fn cookie_name(name: &str, client: ClientInfo, base_path: &BasePath) -> String {
    let prefix = if client.tls { "__Host-" } else { "" };
    let port = client.port.map(|port| format!("_{port}"));
    let path = base_path.as_str().replace('/', ".");
    format!("{prefix}{name}{}{path}", port.unwrap_or_default())
}

fn request_cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
}

/// Returns true if the request brings a session cookie, under either name, whatever its value.
pub(super) fn is_brought(headers: &HeaderMap, client: ClientInfo, base_path: &BasePath) -> bool {
    let names =
        [true, false].map(|tls| cookie_name(SESSION, ClientInfo { tls, ..client }, base_path));
    request_cookies(headers).any(|cookie| names.iter().any(|name| name == cookie.name()))
}

/// Leaves the session cookie alone in the headers.
///
/// tower-sessions decodes percent signs in names: it would take `%5F_Host-agent-keys` for `__Host-agent-keys`, without
/// what browsers guarantee for that prefix. Of two cookies with one name it takes the last. Here none counts, because
/// an attacker may have planted one: they become a cookie without value, which opens nothing and is removed.
fn keep_session_cookie(headers: &mut HeaderMap, name: &str) {
    let mut values = request_cookies(headers)
        .filter(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned());
    let kept = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value),
        (Some(_), Some(_)) => Some(String::new()),
    };
    drop(values);
    headers.remove(COOKIE);
    let kept = kept.and_then(|value| HeaderValue::try_from(format!("{name}={value}")).ok());
    headers.extend(kept.map(|value| (COOKIE, value)));
}

/// Completes every `Set-Cookie`, and keeps it out of logs. The cookie by which tower-sessions removes the session's has
/// neither `Secure` nor `HttpOnly`, and browsers refuse it for a name with `__Host-`.
fn complete_cookies(headers: &mut HeaderMap, tls: bool) {
    let Entry::Occupied(mut cookies) = headers.entry(SET_COOKIE) else {
        return;
    };
    for value in cookies.iter_mut() {
        if let Some(complete) = completed(value, tls) {
            *value = complete;
        }
        value.set_sensitive(true);
    }
}

fn completed(value: &HeaderValue, tls: bool) -> Option<HeaderValue> {
    let mut cookie = Cookie::parse(value.to_str().ok()?).ok()?;
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(tls);
    HeaderValue::try_from(cookie.to_string()).ok()
}

/// Reads what a request reveals of its browser. Of several device cookies none counts, because an attacker may have
/// planted one.
pub(super) fn browser(
    headers: &HeaderMap,
    client: ClientInfo,
    base_path: &BasePath,
) -> BrowserInfo {
    let user_agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    let wanted = cookie_name(DEVICE, client, base_path);
    let mut devices = request_cookies(headers).filter(|cookie| cookie.name() == wanted);
    let device = match (devices.next(), devices.next()) {
        (Some(cookie), None) => Some(DeviceToken::presented(cookie.value())),
        _ => None,
    };
    let wanted = cookie_name(NOTICE, client, base_path);
    let notice = request_cookies(headers)
        .find(|cookie| cookie.name() == wanted)
        .map(|cookie| cookie.value().to_owned());
    BrowserInfo {
        address: client.address,
        user_agent: user_agent.map(str::to_owned),
        device,
        notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(tls: bool) -> ClientInfo {
        ClientInfo {
            address: None,
            tls,
            plain_http: !tls,
            by_proxy: false,
            port: None,
        }
    }

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn device_cookie_does_not_count_as_session_cookie() {
        for other in [
            "agent-keys-device=x",
            "__Host-agent-keys-device=x",
            "a=agent-keys",
        ] {
            assert!(
                !is_brought(&headers(other), client(false), &BasePath::default()),
                "{other}"
            );
        }
        for session in ["agent-keys=x", "b=c; __Host-agent-keys=x", "agent-keys="] {
            assert!(
                is_brought(&headers(session), client(false), &BasePath::default()),
                "{session}"
            );
        }
    }

    #[test]
    fn each_base_path_has_its_own_cookie_name() {
        let paths = ["/", "/keys", "/team/keys"].map(|path| BasePath::parse(path).unwrap());
        let names = paths
            .each_ref()
            .map(|path| cookie_name(SESSION, client(true), path));
        let expected = ["", ".keys", ".team.keys"].map(|end| format!("__Host-agent-keys{end}"));
        assert_eq!(names, expected);
        let of_keys = headers("__Host-agent-keys.keys=x");
        assert_eq!(
            paths.map(|path| is_brought(&of_keys, client(true), &path)),
            [false, true, false]
        );
    }

    #[test]
    fn each_port_has_its_own_cookie_name() {
        let root = BasePath::default();
        let other = ClientInfo {
            port: Some(15680),
            ..client(false)
        };
        assert_eq!(cookie_name(SESSION, other, &root), "agent-keys_15680");
        let keys = BasePath::parse("/keys").unwrap();
        assert_eq!(cookie_name(SESSION, other, &keys), "agent-keys_15680.keys");
        assert!(is_brought(&headers("agent-keys_15680=x"), other, &root));
        assert!(!is_brought(&headers("agent-keys=x"), other, &root));
    }

    #[test]
    fn of_two_device_cookies_none_counts() {
        let root = BasePath::default();
        let device = |cookies: &str, tls| browser(&headers(cookies), client(tls), &root).device;
        let one = "agent-keys-device=x; agent-keys=y";
        assert!(device(one, false).is_some());
        assert!(device(one, true).is_none(), "another name with TLS");
        assert!(device("agent-keys-device=x; agent-keys-device=y", false).is_none());
    }

    #[test]
    fn only_one_session_cookie_with_the_exact_name_is_passed_on() {
        let name = "__Host-agent-keys";
        for (brought, passed_on) in [
            ("a=b", None),
            ("a=b; __Host-agent-keys=x; c=d", Some("__Host-agent-keys=x")),
            (
                "__Host-agent-keys=x; __Host-agent-keys=x",
                Some("__Host-agent-keys="),
            ),
            // Browsers enforce nothing for this name.
            ("%5F_Host-agent-keys=x", None),
            (
                "%5F_Host-agent-keys=x; __Host-agent-keys=y",
                Some("__Host-agent-keys=y"),
            ),
        ] {
            let mut headers = headers(brought);
            keep_session_cookie(&mut headers, name);
            let kept = headers.get(COOKIE).map(|value| value.to_str().unwrap());
            assert_eq!(kept, passed_on, "{brought}");
        }
    }

    #[test]
    fn removal_of_a_host_cookie_has_all_attributes_that_browsers_demand() {
        let mut headers = HeaderMap::new();
        let removal = HeaderValue::from_static("__Host-agent-keys=; Path=/; Max-Age=0");
        headers.insert(SET_COOKIE, removal);
        complete_cookies(&mut headers, true);
        let value = &headers[SET_COOKIE];
        assert!(value.is_sensitive());
        let cookie = Cookie::parse(value.to_str().unwrap()).unwrap();
        assert_eq!(cookie.secure(), Some(true));
        assert_eq!(cookie.http_only(), Some(true));
        assert_eq!(cookie.same_site(), Some(SameSite::Lax));
        assert_eq!(cookie.path(), Some("/"));
        assert_eq!(cookie.max_age(), Some(Duration::ZERO));
    }
}
