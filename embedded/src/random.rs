//! Random bytes of the operating system, and ids, secrets and passwords from them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Prefix of every key id. Every encoded key then begins with `YXBta2V5`, which secret scanners
/// can find.
pub(crate) const ID_PREFIX: &str = "apmkey";

/// The operating system's source of random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Random;

/// The operating system returned no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub(crate) struct RandomError;

impl Random {
    pub(crate) fn bytes<const N: usize>(self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
        Ok(bytes)
    }

    /// An API key's id of 20 URL-safe characters: the prefix, the time, and 42 random bits.
    pub(crate) fn api_key_id(self, now_ms: i64) -> Result<String, RandomError> {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let random = u64::from_le_bytes(self.bytes::<8>()?);
        let mut id = String::with_capacity(20);
        id.push_str(ID_PREFIX);
        for part in [now_ms.cast_unsigned(), random] {
            for position in (0..7).rev() {
                let index = usize::try_from((part >> (6 * position)) & 63).unwrap_or(0);
                id.push(char::from(ALPHABET[index]));
            }
        }
        Ok(id)
    }

    /// A secret of 256 random bits: 43 URL-safe characters.
    pub(crate) fn secret(self) -> Result<SecretString, RandomError> {
        let bytes = Zeroizing::new(self.bytes::<32>()?);
        Ok(SecretString::from(URL_SAFE_NO_PAD.encode(*bytes)))
    }

    /// A password that users can type: 20 characters without look-alikes, 100 random bits.
    pub(crate) fn password(self) -> Result<SecretString, RandomError> {
        const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyzACDEFGHKM";
        let bytes = Zeroizing::new(self.bytes::<20>()?);
        let mut password = Zeroizing::new(String::with_capacity(20));
        for byte in *bytes {
            password.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        Ok(SecretString::from(password.as_str()))
    }

    /// A cluster's uuid: 22 URL-safe characters.
    pub(crate) fn uuid(self) -> Result<String, RandomError> {
        Ok(URL_SAFE_NO_PAD.encode(self.bytes::<16>()?))
    }
}
