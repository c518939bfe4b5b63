//! Code that the server and the embedded engine share. Pages and browser do not use it.

mod clock;
pub mod connection_limit;
pub mod private_files;
pub mod sql;

pub use clock::Clock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// The operating system's source of random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

/// The operating system returned no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError(#[from] getrandom::Error);

impl Random {
    pub fn bytes<const N: usize>(self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A secret of 256 random bits: 43 URL-safe characters.
    pub fn secret(self) -> Result<SecretString, RandomError> {
        let bytes = Zeroizing::new(self.bytes::<32>()?);
        Ok(SecretString::from(URL_SAFE_NO_PAD.encode(*bytes)))
    }

    /// A password that users can type: 20 letters without look-alikes, 100 random bits.
    pub fn password(self) -> Result<SecretString, RandomError> {
        const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyzACDEFGHKM";
        let bytes = Zeroizing::new(self.bytes::<20>()?);
        let mut password = Zeroizing::new(String::with_capacity(20));
        for byte in *bytes {
            password.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        Ok(SecretString::from(password.as_str()))
    }
}
