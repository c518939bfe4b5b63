//! Rate limits of sign-in.
//!
//! Two limits, and both must allow an attempt. The *account* limit grows with failures: the first two cost nothing,
//! then a pause follows that gets longer. The *address* limit refills: ten attempts at once, then ten a minute. The
//! counts and both rules are in [`crate::store::LimitKeys`]'s table. A user name that does not exist is counted like
//! any other, so that the limit does not reveal which exist. A browser in which the user has signed in before has an
//! account limit of its own ([`super::known_device`]); the address limit applies to it too.
//!
//! Failures are counted when they are known. So that a hundred concurrent guesses do not all pass before the first is
//! counted, attempts at one account pass the [`SignInQueue`] one at a time, and those from one address four at a time.

use super::known_device::KnownDevice;
use crate::store::LimitKeys;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use platform::connection_limit::network;
use sha2::{Digest, Sha256};
use std::{
    array,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use unicode_normalization::UnicodeNormalization;

/// Number of queues. Two accounts that share one only wait for each other.
const QUEUES: usize = 256;
/// Attempts from one address in flight at once.
const ADDRESS_AT_ONCE: usize = 4;

/// Queue of sign-in attempts, by account and by address.
#[derive(Debug)]
pub struct SignInQueue {
    accounts: [Semaphore; QUEUES],
    addresses: [Semaphore; QUEUES],
    /// Seeded at random, so that an attacker cannot choose whose queue to share.
    hasher: RandomState,
}

/// Permit for one attempt, released when dropped.
#[derive(Debug)]
pub struct SignInPermit<'a> {
    _account: Option<SemaphorePermit<'a>>,
    _address: Option<SemaphorePermit<'a>>,
}

impl Default for SignInQueue {
    fn default() -> Self {
        Self {
            accounts: array::from_fn(|_| Semaphore::new(1)),
            addresses: array::from_fn(|_| Semaphore::new(ADDRESS_AT_ONCE)),
            hasher: RandomState::new(),
        }
    }
}

impl SignInQueue {
    /// Waits for a permit. The address comes first, so that no attempt holds an account's permit while it waits.
    pub async fn wait(&self, keys: &LimitKeys) -> SignInPermit<'_> {
        // The semaphores are never closed, so there is always a permit.
        let _address = match &keys.address {
            Some(address) => self.queue(&self.addresses, address).acquire().await.ok(),
            None => None,
        };
        let account = self.queue(&self.accounts, &keys.account);
        SignInPermit {
            _account: account.acquire().await.ok(),
            _address,
        }
    }

    fn queue<'a>(&self, queues: &'a [Semaphore; QUEUES], subject: &str) -> &'a Semaphore {
        let hash = self.hasher.hash_one(subject);
        // The remainder is below the number of queues.
        &queues[usize::try_from(hash % QUEUES as u64).unwrap_or(0)]
    }
}

/// Returns the keys under which an attempt is counted: digests, because users type passwords into the wrong field.
///
/// A browser known to the account is counted separately: it neither waits for the failures of others nor adds to them.
pub fn limit_keys(
    username: &str,
    address: Option<IpAddr>,
    device: Option<&KnownDevice>,
) -> LimitKeys {
    let digest = |kind: &str, bytes: &[u8]| {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update(b"\0")
            .chain_update(bytes)
            .finalize();
        BASE64_URL_SAFE_NO_PAD.encode(digest)
    };
    LimitKeys {
        account: match device {
            Some(device) => digest("device", device.id()),
            None => digest("account", folded(username).as_bytes()),
        },
        address: address.map(|address| digest("address", network(address).to_string().as_bytes())),
    }
}

/// Returns the form of a user name in which it is counted. Realms such as Active Directory accept several spellings of
/// a name, which share the limit then.
fn folded(username: &str) -> String {
    username
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_browser_has_its_own_account_key_and_shares_the_address_key() {
        let address = Some("192.0.2.7".parse().unwrap());
        let device = KnownDevice::of_test(1);
        let (known, unknown) = (
            limit_keys("ada", address, Some(&device)),
            limit_keys("ada", address, None),
        );
        assert_ne!(known.account, unknown.account);
        assert_eq!(known.address, unknown.address);
        let other = limit_keys("ada", address, Some(&KnownDevice::of_test(2)));
        assert_ne!(known.account, other.account);
    }

    #[test]
    fn spellings_of_a_name_share_the_account_key() {
        let key = |name| limit_keys(name, None, None).account;
        for spelling in ["ADA", " ada ", "ａｄａ", "Ada"] {
            assert_eq!(key(spelling), key("ada"), "{spelling}");
        }
        assert_ne!(key("adam"), key("ada"));
    }
}
