//! Browsers in which a user has signed in before.
//!
//! Signing in leaves a second cookie for a year. It opens nothing. While an attacker guesses at the account, and the
//! account is therefore paused, a browser with this cookie is not paused with it: its own wrong passwords are counted
//! separately. So an attacker cannot lock a user out by guessing, and gains no more guesses from a stolen cookie.
//!
//! The cookie is `id ‖ issued ‖ mac`: 16 random bytes, milliseconds since 1970, and an HMAC over both and the user
//! name, with a key derived from the server key. The name itself is not in it, and for another name it is worth nothing.

use app::model::timestamp::Timestamp;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use platform::{Random, RandomError};
use sha2::Sha256;
use std::{fmt, time::Duration};
use zeroize::Zeroizing;

/// Time for which a browser stays known.
pub const AGE_MAX: Duration = Duration::from_hours(365 * 24);
/// One block of SHA-256.
pub(super) const KEY_BYTES: usize = 64;
const ID_BYTES: usize = 16;
const ISSUED_BYTES: usize = 8;
const VERSION: &[u8] = b"agent-keys device 1";

/// Key of the MACs in these cookies. Does not print.
pub struct DeviceKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

/// Value of the cookie. Does not print.
#[derive(Clone)]
pub struct DeviceToken(Zeroizing<String>);

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken")
    }
}

impl DeviceToken {
    /// Wraps a request's cookie, which may be any text.
    pub fn presented(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Browser known to one user. Made only by [`DeviceKey::recognise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    id: [u8; ID_BYTES],
}

impl KnownDevice {
    pub(super) fn id(&self) -> &[u8] {
        &self.id
    }

    #[cfg(test)]
    pub(super) fn of_test(byte: u8) -> Self {
        Self {
            id: [byte; ID_BYTES],
        }
    }
}

impl DeviceKey {
    pub(super) fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// Issues the cookie for a browser in which this user has just signed in.
    pub fn issue(
        &self,
        username: &str,
        now: Timestamp,
        random: Random,
    ) -> Result<DeviceToken, RandomError> {
        let (id, issued) = (random.bytes::<ID_BYTES>()?, now.0.to_be_bytes());
        let mac = self.mac(username, &id, &issued).finalize().into_bytes();
        let bytes = [id.as_slice(), &issued, &mac].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Ok(DeviceToken(Zeroizing::new(text)))
    }

    /// Returns the browser if this cookie was issued for this user name, at most [`AGE_MAX`] ago.
    pub fn recognise(
        &self,
        token: &DeviceToken,
        username: &str,
        now: Timestamp,
    ) -> Option<KnownDevice> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.text()).ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (issued, mac) = rest.split_first_chunk::<ISSUED_BYTES>()?;
        self.mac(username, id, issued).verify_slice(mac).ok()?;
        let issued = Timestamp(i64::from_be_bytes(*issued));
        (now < issued.plus(AGE_MAX)).then_some(KnownDevice { id: *id })
    }

    fn mac(&self, username: &str, id: &[u8], issued: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        for part in [VERSION, username.as_bytes(), id, issued] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_000);

    fn key(byte: u8) -> DeviceKey {
        DeviceKey::new(Zeroizing::new([byte; KEY_BYTES]))
    }

    fn issued() -> DeviceToken {
        key(7).issue("ada", NOW, Random).unwrap()
    }

    #[test]
    fn browser_is_known_to_one_user_by_one_key_for_a_year() {
        let token = issued();
        let known =
            |key: &DeviceKey, name: &str, at: Timestamp| key.recognise(&token, name, at).is_some();
        let end = NOW.plus(AGE_MAX);
        assert!(known(&key(7), "ada", NOW));
        assert!(known(&key(7), "ada", end.plus_ms(-1)));
        assert!(!known(&key(7), "ada", end));
        assert!(!known(&key(7), "ben", NOW));
        assert!(!known(&key(7), "ad", NOW));
        assert!(!known(&key(8), "ada", NOW));
    }

    #[test]
    fn changed_cookie_is_not_recognised() {
        let token = issued();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.text()).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = DeviceToken::presented(&BASE64_URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(key(7).recognise(&changed, "ada", NOW), None, "byte {at}");
        }
        for text in ["", "A", "%00", &token.text()[..40], &"A".repeat(8_000)] {
            let none = DeviceToken::presented(text);
            assert_eq!(key(7).recognise(&none, "ada", NOW), None, "{text}");
        }
    }

    #[test]
    fn two_browsers_have_different_ids() {
        let device = |token: DeviceToken| key(7).recognise(&token, "ada", NOW).unwrap();
        assert_ne!(device(issued()), device(issued()));
    }
}
