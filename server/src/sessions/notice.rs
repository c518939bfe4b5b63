//! Seals the message for the next page into a cookie, so that it is shown once, and no link can claim it.
//!
//! The cookie is the message and an authentication code over it, bound to the session. The message is no secret: it
//! goes to the user whom it concerns.

use super::{SealError, ServerKey};
use app::model::{notice::Notice, session::SessionId};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

const CODE_BYTES: usize = 32;

/// Returns the value of the cookie.
pub fn seal(key: &ServerKey, session: &SessionId, notice: &Notice) -> Result<String, SealError> {
    let message = serde_json::to_vec(notice).map_err(|_| SealError)?;
    let code = key.notice_code(session, &message)?;
    let bytes = [code.as_slice(), &message].concat();
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns the message of a cookie that was sealed for this session.
pub fn open(key: &ServerKey, session: &SessionId, cookie: &str) -> Option<Notice> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cookie).ok()?;
    let (code, message) = bytes.split_first_chunk::<CODE_BYTES>()?;
    let expected = key.notice_code(session, message).ok()?;
    // Every byte is compared, so that the time reveals nothing.
    let difference = code
        .iter()
        .zip(expected.iter())
        .fold(0, |difference, (one, other)| difference | (one ^ other));
    (difference == 0)
        .then(|| serde_json::from_slice(message).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str) -> SessionId {
        SessionId::parse(id).unwrap()
    }

    #[test]
    fn notice_opens_for_its_session_and_key_alone() {
        let [key, other] = ["one", "other"].map(|key| ServerKey::given(key.into()));
        let notice = Notice::UserDeleted("ada".to_owned());
        let cookie = seal(&key, &session("a"), &notice).unwrap();
        assert_eq!(open(&key, &session("a"), &cookie), Some(notice));
        assert_eq!(open(&key, &session("b"), &cookie), None);
        assert_eq!(open(&other, &session("a"), &cookie), None);
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&cookie).unwrap();
        for index in 0..bytes.len() {
            bytes[index] ^= 1;
            let changed = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(open(&key, &session("a"), &changed), None, "{index}");
            bytes[index] ^= 1;
        }
        for text in ["", "x", &cookie[1..]] {
            assert_eq!(open(&key, &session("a"), text), None, "{text}");
        }
    }
}
