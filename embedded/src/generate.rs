//! Random ids.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::{Random, RandomError};

/// Prefix of every key id. Every encoded key then begins with `YXBta2V5`, which secret scanners
/// can find.
pub(crate) const ID_PREFIX: &str = "apmkey";

/// An API key's id of 20 URL-safe characters: the prefix, the time, and 42 random bits.
pub(crate) fn api_key_id(random: Random, now_ms: i64) -> Result<String, RandomError> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let low = u64::from_le_bytes(random.bytes::<8>()?);
    let mut id = String::with_capacity(20);
    id.push_str(ID_PREFIX);
    for part in [now_ms.cast_unsigned(), low] {
        for position in (0..7).rev() {
            let index = usize::try_from((part >> (6 * position)) & 63).unwrap_or(0);
            id.push(char::from(ALPHABET[index]));
        }
    }
    Ok(id)
}

/// A cluster's uuid: 22 URL-safe characters.
pub(crate) fn cluster_uuid(random: Random) -> Result<String, RandomError> {
    Ok(URL_SAFE_NO_PAD.encode(random.bytes::<16>()?))
}
