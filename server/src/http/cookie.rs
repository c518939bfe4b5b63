//! The cookies: the session's, and the one by which a browser is known.

use crate::{
    session::{
        Token,
        device::{AGE_MS_MAX, DeviceToken},
    },
    visit::CookieChange,
};
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header::COOKIE};

/// With TLS, names that make the browser insist on `Secure`, on this host and on the whole path.
const SECURE_NAME: &str = "__Host-agent-keys";
const PLAIN_NAME: &str = "agent-keys";
const SECURE_DEVICE_NAME: &str = "__Host-agent-keys-device";
const PLAIN_DEVICE_NAME: &str = "agent-keys-device";

fn name(tls: bool) -> &'static str {
    if tls { SECURE_NAME } else { PLAIN_NAME }
}

fn device_name(tls: bool) -> &'static str {
    if tls {
        SECURE_DEVICE_NAME
    } else {
        PLAIN_DEVICE_NAME
    }
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
pub(super) fn is_brought(headers: &HeaderMap) -> bool {
    cookies(headers).any(|cookie| [SECURE_NAME, PLAIN_NAME].contains(&cookie.name()))
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
pub(super) fn read(headers: &HeaderMap, tls: bool) -> Brought {
    let wanted = name(tls);
    let mut found = cookies(headers).filter(|cookie| cookie.name() == wanted);
    match (found.next(), found.next()) {
        (None, _) => Brought::Nothing,
        (Some(cookie), None) => {
            Token::parse(cookie.value()).map_or(Brought::Nonsense, Brought::Token)
        }
        (Some(_), Some(_)) => Brought::Nonsense,
    }
}

/// What the request brings to be known by. Of several, none: whoever planted one chose it.
pub(super) fn read_device(headers: &HeaderMap, tls: bool) -> Option<DeviceToken> {
    let wanted = device_name(tls);
    let mut found = cookies(headers).filter(|cookie| cookie.name() == wanted);
    match (found.next(), found.next()) {
        (Some(cookie), None) => Some(DeviceToken::brought(cookie.value())),
        _ => None,
    }
}

/// The `Set-Cookie` header. Without an age, the browser forgets the cookie when it is closed; the session itself
/// ends by the server's clock.
pub(super) fn write(change: &CookieChange, tls: bool) -> Option<HeaderValue> {
    match change {
        CookieChange::Set(token) => header(name(tls), token.text().as_str(), tls, None),
        CookieChange::Remove | CookieChange::SignOut => header(name(tls), "", tls, Some(0)),
    }
}

/// The `Set-Cookie` header by which the browser stays known after it is closed.
pub(super) fn write_device(token: &DeviceToken, tls: bool) -> Option<HeaderValue> {
    header(
        device_name(tls),
        token.text(),
        tls,
        Some(AGE_MS_MAX / 1_000),
    )
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
            assert!(!is_brought(&headers(other)), "{other}");
        }
        for session in ["agent-keys=x", "b=c; __Host-agent-keys=x", "agent-keys="] {
            assert!(is_brought(&headers(session)), "{session}");
        }
    }

    #[test]
    fn of_two_cookies_none_counts() {
        let one = headers("agent-keys-device=x; agent-keys=y");
        assert!(read_device(&one, false).is_some());
        assert!(read_device(&one, true).is_none(), "another name with TLS");
        let two = headers("agent-keys-device=x; agent-keys-device=y");
        assert!(read_device(&two, false).is_none());
    }
}
