//! The cookies: the session's, and the one by which a browser is known.

use crate::{
    context::CookieChange,
    sessions::{
        Token,
        known_device::{AGE_MS_MAX, DeviceToken},
    },
};
use app::model::base_path::BasePath;
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header::COOKIE};

const SESSION: &str = "agent-keys";
const DEVICE: &str = "agent-keys-device";

/// With TLS, a name that makes the browser insist on `Secure`, on this host and on the whole path. So the path cannot
/// tell two applications on one host apart, and the name has the base path in it.
fn name(name: &str, tls: bool, base_path: &BasePath) -> String {
    let prefix = if tls { "__Host-" } else { "" };
    format!("{prefix}{name}{}", base_path.as_str().replace('/', "."))
}

/// The request's cookies.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
}

/// Whether the request brings a session's cookie, under either name, whatever it is worth.
pub(super) fn is_brought(headers: &HeaderMap, base_path: &BasePath) -> bool {
    let names = [true, false].map(|tls| name(SESSION, tls, base_path));
    cookies(headers).any(|cookie| names.iter().any(|name| name == cookie.name()))
}

/// What the request brings.
pub(super) enum Brought {
    /// No session's cookie.
    Nothing,
    /// One that cannot be ours, or several.
    Nonsense,
    /// One that may open a session.
    Token(Token),
}

/// The token that the request brings.
pub(super) fn read(headers: &HeaderMap, tls: bool, base_path: &BasePath) -> Brought {
    let wanted = name(SESSION, tls, base_path);
    let mut found = cookies(headers).filter(|cookie| cookie.name() == wanted);
    match (found.next(), found.next()) {
        (None, _) => Brought::Nothing,
        (Some(cookie), None) => {
            Token::parse(cookie.value()).map_or(Brought::Nonsense, Brought::Token)
        }
        (Some(_), Some(_)) => Brought::Nonsense,
    }
}

/// The cookie of a known browser. With several of them, none counts: an attacker may have planted one.
pub(super) fn read_device(
    headers: &HeaderMap,
    tls: bool,
    base_path: &BasePath,
) -> Option<DeviceToken> {
    let wanted = name(DEVICE, tls, base_path);
    let mut found = cookies(headers).filter(|cookie| cookie.name() == wanted);
    match (found.next(), found.next()) {
        (Some(cookie), None) => Some(DeviceToken::presented(cookie.value())),
        _ => None,
    }
}

/// The `Set-Cookie` headers. The session's has no age: the browser drops it when it is closed, and the session itself
/// ends by the server's clock. The known browser's stays.
pub(super) fn write(change: &CookieChange, tls: bool, base_path: &BasePath) -> Vec<HeaderValue> {
    let session = name(SESSION, tls, base_path);
    let headers = match change {
        CookieChange::Set(issued) => {
            let device = name(DEVICE, tls, base_path);
            let age = Some(AGE_MS_MAX / 1_000);
            [
                header(&session, issued.token.text().as_str(), tls, None),
                header(&device, issued.device.text(), tls, age),
            ]
        }
        CookieChange::Remove | CookieChange::SignOut => [header(&session, "", tls, Some(0)), None],
    };
    headers.into_iter().flatten().collect()
}

fn header(name: &str, value: &str, tls: bool, age_s: Option<i64>) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let age = age_s.map(|age| format!("; Max-Age={age}"));
    let age = age.unwrap_or_default();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookie))])
    }

    #[test]
    fn a_known_browser_is_not_taken_for_a_session() {
        for other in [
            "agent-keys-device=x",
            "__Host-agent-keys-device=x",
            "a=agent-keys",
        ] {
            assert!(
                !is_brought(&headers(other), &BasePath::default()),
                "{other}"
            );
        }
        for session in ["agent-keys=x", "b=c; __Host-agent-keys=x", "agent-keys="] {
            assert!(
                is_brought(&headers(session), &BasePath::default()),
                "{session}"
            );
        }
    }

    #[test]
    fn two_base_paths_have_two_cookies() {
        let paths = ["/", "/keys", "/team/keys"].map(|path| BasePath::parse(path).unwrap());
        let names = paths.each_ref().map(|path| name(SESSION, true, path));
        let expected = ["", ".keys", ".team.keys"].map(|end| format!("__Host-agent-keys{end}"));
        assert_eq!(names, expected);
        let of_keys = headers("__Host-agent-keys.keys=x");
        assert_eq!(
            paths.map(|path| is_brought(&of_keys, &path)),
            [false, true, false]
        );
    }

    #[test]
    fn of_two_cookies_none_counts() {
        let root = BasePath::default();
        let one = headers("agent-keys-device=x; agent-keys=y");
        assert!(read_device(&one, false, &root).is_some());
        assert!(
            read_device(&one, true, &root).is_none(),
            "another name with TLS"
        );
        let two = headers("agent-keys-device=x; agent-keys-device=y");
        assert!(read_device(&two, false, &root).is_none());
    }
}
