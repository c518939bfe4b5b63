//! How often somebody may try to sign in.
//!
//! Two limits, and both must allow an attempt. The *account's* grows with its failures: the first two cost nothing,
//! then there is a pause that gets longer, as on a ladder. The *address's* refills: ten at once, and then ten a
//! minute. A name that nobody has is counted like any other, so that the limit does not tell who exists. A browser in
//! which the person has signed in before climbs a ladder of its own ([`super::device`]); the address's limit is for it too.
//!
//! Failures are counted when they are known. So that a hundred guesses at the same moment do not all pass before the
//! first is counted, those at one account take [`Turns`], and those from one address nearly so.

use super::device::KnownDevice;
use crate::store::Subjects;
use app::model::timestamp::{DAY_MS, Timestamp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{
    array,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};
use tokio::sync::{Semaphore, SemaphorePermit};

const SECOND_MS: i64 = 1_000;
/// Failures from one address that cost nothing.
const ADDRESS_BURST: i64 = 10;
/// After that, one attempt in this time.
const ADDRESS_PACE_MS: i64 = 6 * SECOND_MS;

/// How many queues there are. Two accounts that share one only wait for each other.
const QUEUES: usize = 256;
/// Attempts from one address that may be under way at once.
const ADDRESS_AT_ONCE: usize = 4;

/// Who may try now, and who waits for those before.
#[derive(Debug)]
pub struct Turns {
    accounts: [Semaphore; QUEUES],
    addresses: [Semaphore; QUEUES],
    /// Nobody outside can choose with whom to share a queue.
    hasher: RandomState,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _account: Option<SemaphorePermit<'a>>,
    _address: Option<SemaphorePermit<'a>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            accounts: array::from_fn(|_| Semaphore::new(1)),
            addresses: array::from_fn(|_| Semaphore::new(ADDRESS_AT_ONCE)),
            hasher: RandomState::new(),
        }
    }
}

impl Turns {
    /// Waits for a turn. The address comes first, so that nobody waits with an account's turn in hand.
    pub async fn wait(&self, subjects: &Subjects) -> Turn<'_> {
        // Nobody closes these queues, so there is always a turn.
        let _address = match &subjects.address {
            Some(address) => self.queue(&self.addresses, address).acquire().await.ok(),
            None => None,
        };
        let account = self.queue(&self.accounts, &subjects.account);
        Turn {
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

/// What an attempt is counted under. Digests, for people type passwords into the wrong field.
///
/// A browser that is known to the account has a ladder of its own: it neither waits for what others did to the account
/// nor does it add to it.
pub fn subjects(username: &str, address: Option<IpAddr>, device: Option<&KnownDevice>) -> Subjects {
    let digest = |kind: &str, bytes: &[u8]| {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update(b"\0")
            .chain_update(bytes)
            .finalize();
        BASE64_URL_SAFE_NO_PAD.encode(digest)
    };
    Subjects {
        account: match device {
            Some(device) => digest("device", device.id()),
            None => digest("account", username.as_bytes()),
        },
        address: address.map(|address| digest("address", network(address).as_bytes())),
    }
}

/// When an account that has failed so many times may be tried again.
pub fn next_for_account(failures: i64, now: Timestamp) -> Timestamp {
    match failures {
        ..=2 => now,
        3..=8 => now.plus_ms(3 * SECOND_MS),
        9..=24 => now.plus_ms(5 * SECOND_MS),
        25..=99 => now.plus_ms(10 * SECOND_MS),
        // Until the day ends: whoever owns the account notices by then, and nobody is locked out for good.
        _ => Timestamp(now.0.div_euclid(DAY_MS).saturating_add(1) * DAY_MS),
    }
}

/// The time up to which an address has used its attempts, after one more at `now`: a clock that runs ahead of the
/// real one by [`ADDRESS_PACE_MS`] for each attempt.
pub fn used_by_address(used_until: Timestamp, now: Timestamp) -> Timestamp {
    used_until.max(now).plus_ms(ADDRESS_PACE_MS)
}

/// Whether an address that has used its attempts up to this time may try once more.
pub fn address_may(used_until: Timestamp, now: Timestamp) -> bool {
    used_until <= now.plus_ms((ADDRESS_BURST - 1) * ADDRESS_PACE_MS)
}

/// What is counted together of an address: with IPv6 a whole network, for one household has 2^64 addresses.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(DAY_MS / 2);

    fn pause_ms(failures: i64) -> i64 {
        next_for_account(failures, NOON).0 - NOON.0
    }

    #[test]
    fn the_pause_grows_with_the_failures() {
        for (failures, pause) in [
            (1, 0),
            (2, 0),
            (3, 3_000),
            (8, 3_000),
            (9, 5_000),
            (24, 5_000),
            (25, 10_000),
            (99, 10_000),
            (100, DAY_MS / 2),
        ] {
            assert_eq!(pause_ms(failures), pause, "{failures}");
        }
    }

    #[test]
    fn an_account_is_tried_at_most_eighty_times_in_ten_minutes() {
        let (mut now, end) = (NOON, NOON.plus_ms(10 * 60 * SECOND_MS));
        let mut failures = 0;
        while now < end {
            failures += 1;
            now = next_for_account(failures, now);
        }
        assert!(failures <= 80, "{failures}");
    }

    #[test]
    fn an_address_has_ten_attempts_at_once_and_ten_a_minute() {
        let (mut used, mut allowed) = (Timestamp(0), 0);
        for second in 0..600 {
            for _ in 0..20 {
                let now = NOON.plus_ms(second * SECOND_MS);
                if address_may(used, now) {
                    used = used_by_address(used, now);
                    allowed += 1;
                }
            }
        }
        assert!((100..=110).contains(&allowed), "{allowed}");
    }

    #[test]
    fn a_known_browser_is_counted_for_itself_and_for_its_address() {
        let address = Some("192.0.2.7".parse().unwrap());
        let device = KnownDevice::of_test(1);
        let (known, unknown) = (
            subjects("ada", address, Some(&device)),
            subjects("ada", address, None),
        );
        assert_ne!(known.account, unknown.account);
        assert_eq!(known.address, unknown.address);
        let other = subjects("ada", address, Some(&KnownDevice::of_test(2)));
        assert_ne!(known.account, other.account);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:3::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
