//! The session's cookie.

use crate::{session::Token, visit::CookieChange};
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header::COOKIE};

/// With TLS, a name that makes the browser insist on `Secure`, on this host and on the whole path.
const SECURE_NAME: &str = "__Host-agent-keys";
const PLAIN_NAME: &str = "agent-keys";

fn name(tls: bool) -> &'static str {
    if tls { SECURE_NAME } else { PLAIN_NAME }
}

/// Whether the request brings a session's cookie, under either name, whatever it is worth.
pub(super) fn is_brought(headers: &HeaderMap) -> bool {
    // The one name ends with the other.
    let holds = |cookies: &HeaderValue| {
        let bytes = cookies.as_bytes();
        bytes
            .windows(PLAIN_NAME.len())
            .any(|window| window == PLAIN_NAME.as_bytes())
    };
    headers.get_all(COOKIE).iter().any(holds)
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
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == wanted);
    match (found.next(), found.next()) {
        (None, _) => Brought::Nothing,
        (Some(cookie), None) => {
            Token::parse(cookie.value()).map_or(Brought::Nonsense, Brought::Token)
        }
        (Some(_), Some(_)) => Brought::Nonsense,
    }
}

/// The `Set-Cookie` header. Without an age, the browser forgets the cookie when it is closed; the session itself
/// ends by the server's clock.
pub(super) fn write(change: &CookieChange, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let name = name(tls);
    let text = match change {
        CookieChange::Set(token) => {
            format!(
                "{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}",
                token.text().as_str()
            )
        }
        CookieChange::Remove => {
            format!("{name}=; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age=0")
        }
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
