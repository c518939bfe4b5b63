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
    collections::{HashMap, hash_map::Entry},
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

/// Attempts at one account in flight at once.
const ACCOUNT_AT_ONCE: usize = 1;
/// Attempts from one address in flight at once.
const ADDRESS_AT_ONCE: usize = 4;

/// Queues of sign-in attempts: only attempts at one account, or from one address, wait for each other.
#[derive(Debug, Default)]
pub struct SignInQueue {
    accounts: Queues,
    addresses: Queues,
}

/// Permit for one attempt, released when dropped.
#[derive(Debug)]
pub struct SignInPermit<'a> {
    _account: Place<'a>,
    _address: Option<Place<'a>>,
}

impl SignInQueue {
    /// Waits for a permit. The address comes first, so that no attempt holds an account's permit while it waits.
    pub async fn wait(&self, keys: &LimitKeys) -> SignInPermit<'_> {
        let _address = match &keys.address {
            Some(address) => Some(self.addresses.wait(address, ADDRESS_AT_ONCE).await),
            None => None,
        };
        SignInPermit {
            _account: self.accounts.wait(&keys.account, ACCOUNT_AT_ONCE).await,
            _address,
        }
    }
}

/// One queue for each key that an attempt waits for or is made at.
#[derive(Debug, Default)]
struct Queues(Mutex<HashMap<String, Arc<Semaphore>>>);

/// A place in a queue, first waiting, then in flight.
#[derive(Debug)]
struct Place<'a> {
    queues: &'a Queues,
    key: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl Queues {
    async fn wait(&self, key: &str, at_once: usize) -> Place<'_> {
        let queue = {
            let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = queues.entry(key.to_owned());
            Arc::clone(queue.or_insert_with(|| Arc::new(Semaphore::new(at_once))))
        };
        let mut place = Place {
            queues: self,
            key: key.to_owned(),
            permit: None,
        };
        // The semaphore is never closed, so there is always a permit.
        place.permit = queue.acquire_owned().await.ok();
        place
    }
}

impl Drop for Place<'_> {
    /// Removes the queue with its last place, also when the wait is given up.
    fn drop(&mut self) {
        let mut queues = self.queues.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.permit = None;
        if let Entry::Occupied(queue) = queues.entry(mem::take(&mut self.key))
            && Arc::strong_count(queue.get()) == 1
        {
            queue.remove();
        }
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
    use futures::FutureExt;

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
    fn only_attempts_at_one_account_or_from_one_address_wait_for_each_other() {
        let queue = SignInQueue::default();
        let keys = |name: &str, host: u8| limit_keys(name, Some([192, 0, 2, host].into()), None);
        let mut held = Vec::new();
        // As many names as would meet in any table of fixed size.
        for number in 0..2_000 {
            let keys = keys(
                &format!("user{number}"),
                u8::try_from(number % 250).unwrap(),
            );
            if number < 250 * ADDRESS_AT_ONCE {
                held.push(queue.wait(&keys).now_or_never().unwrap());
            } else {
                assert!(queue.wait(&keys).now_or_never().is_none());
            }
        }
        assert!(queue.wait(&keys("user0", 251)).now_or_never().is_none());
        assert!(queue.wait(&keys("ada", 251)).now_or_never().is_some());
        drop(held);
        assert!(queue.wait(&keys("user0", 251)).now_or_never().is_some());
        for queues in [&queue.accounts, &queue.addresses] {
            assert!(queues.0.lock().unwrap().is_empty());
        }
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
