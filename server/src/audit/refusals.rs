//! Number of refused requests, so that a flood of them is a few events with a count.

use app::model::timestamp::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Time after which refusals are counted from the beginning.
const WINDOW: Duration = Duration::from_hours(1);
/// Users and addresses that are counted apart. Further ones share one count.
const SUBJECTS_MAX: usize = 1_000;

/// Counts of refusals, by user or address and by reason.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<(String, &'static str), Counted>>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    since: Timestamp,
    count: u64,
}

impl Refusals {
    /// Counts a refusal of `subject`. Returns the count if it is to be recorded: for the first within an hour, the
    /// second, the fourth, and so on.
    pub fn count(&self, subject: String, reason: &'static str, now: Timestamp) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = now.minus(WINDOW);
        let mut key = (subject, reason);
        if !counts.contains_key(&key) && counts.len() >= SUBJECTS_MAX {
            counts.retain(|_, counted| counted.since > begun);
            if counts.len() >= SUBJECTS_MAX {
                key.0 = String::new();
            }
        }
        let first = Counted {
            since: now,
            count: 0,
        };
        let counted = counts.entry(key).or_insert(first);
        if counted.since <= begun {
            *counted = first;
        }
        counted.count += 1;
        counted.count.is_power_of_two().then_some(counted.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_042);

    #[test]
    fn flood_is_recorded_a_few_times_and_each_hour_anew() {
        let refusals = Refusals::default();
        let ada = |now| refusals.count("ada".to_owned(), "forbidden", now);
        let recorded: Vec<_> = (0..100).filter_map(|_| ada(NOW)).collect();
        assert_eq!(recorded, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(refusals.count("bob".to_owned(), "forbidden", NOW), Some(1));
        assert_eq!(
            refusals.count("ada".to_owned(), "cross_origin", NOW),
            Some(1)
        );
        assert_eq!(ada(NOW.plus(WINDOW).minus(Duration::from_secs(1))), None);
        assert_eq!(ada(NOW.plus(WINDOW)), Some(1));
    }

    #[test]
    fn flood_from_many_addresses_shares_one_count() {
        let refusals = Refusals::default();
        let recorded = (0..100_000)
            .filter_map(|number| refusals.count(number.to_string(), "cross_origin", NOW))
            .count();
        assert!(recorded <= SUBJECTS_MAX + 20, "{recorded}");
        let later = NOW.plus(WINDOW);
        assert_eq!(
            refusals.count("new".to_owned(), "cross_origin", later),
            Some(1)
        );
    }
}
