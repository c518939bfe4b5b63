//! Circuit breaker for Elasticsearch.
//!
//! Opens after [`FAILURES`] waits within [`WITHIN`] that ended without a response; calls then fail at once. Once a second
//! one call may probe, and the first response closes the circuit. [`Breaker::watch`] reports both changes.
//!
//! Only waits count: for a connection, and for a response that never comes, as behind a load balancer whose backend
//! hangs. A refused connection costs no time, and the next may be accepted. An error response is a response: there
//! the timeout of each call and the limit of concurrent calls are the bound.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Failures without a response between them that open the circuit.
const FAILURES: usize = 5;
/// A failure after less time is not counted.
const WAITED_MIN: Duration = Duration::from_millis(250);
/// Window in which the failures are counted.
const WITHIN: Duration = Duration::from_secs(30);
/// Interval between probes while the circuit is open.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Circuit breaker. Clones share its state.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Mutex<Inner>>);

/// State of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Calls are made.
    Closed,
    /// Calls fail at once. Since when there has been no response.
    Open(Instant),
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Start of the first call without a response; `None` after a response.
    unavailable_since: Option<Instant>,
    circuit: watch::Sender<Circuit>,
}

#[derive(Debug)]
enum State {
    /// Calls are made. Times of the latest failures.
    Closed { failed_at: Vec<Instant> },
    /// Calls fail at once. Time of the last probe.
    Open { probed_at: Instant },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            state: State::closed(),
            unavailable_since: None,
            circuit: watch::Sender::new(Circuit::Closed),
        })))
    }
}

impl State {
    fn closed() -> Self {
        Self::Closed {
            failed_at: Vec::new(),
        }
    }
}

impl Breaker {
    /// Returns true if calls fail at once.
    pub fn is_open(&self) -> bool {
        self.with(|inner| matches!(inner.state, State::Open { .. }))
    }

    /// Reports when the circuit opens and closes.
    pub fn watch(&self) -> watch::Receiver<Circuit> {
        self.with(|inner| inner.circuit.subscribe())
    }

    /// Time since the first call without a response; `None` if the last call had one.
    pub fn unavailable_for(&self, now: Instant) -> Option<Duration> {
        let since = self.with(|inner| inner.unavailable_since)?;
        Some(now.saturating_duration_since(since))
    }

    /// Records that the call which started at `started` got no response.
    pub(super) fn record_no_response(&self, started: Instant) {
        self.with(|inner| inner.unavailable_since = inner.unavailable_since.or(Some(started)));
    }

    /// Returns true if a probe may be sent now: always while the circuit is closed, once a second while it is open.
    pub(super) fn allows_probe(&self, now: Instant) -> bool {
        self.with(|inner| {
            let State::Open { probed_at } = &mut inner.state else {
                return true;
            };
            let allowed = now.saturating_duration_since(*probed_at) >= PROBE_INTERVAL;
            if allowed {
                *probed_at = now;
            }
            allowed
        })
    }

    /// Records a response, of any status.
    pub(super) fn record_response(&self) {
        let before = self.with(|inner| {
            inner.unavailable_since = None;
            inner.circuit.send_if_modified(|circuit| {
                std::mem::replace(circuit, Circuit::Closed) != Circuit::Closed
            });
            std::mem::replace(&mut inner.state, State::closed())
        });
        if matches!(before, State::Open { .. }) {
            tracing::info!("Elasticsearch can be reached again");
        }
    }

    /// Records a call without a response, which took `waited`. A request that timed out counts as `weight` connections
    /// that did.
    pub(super) fn record_failure(&self, now: Instant, waited: Duration, weight: usize) {
        if waited < WAITED_MIN {
            return;
        }
        let opened = self.with(|inner| {
            let State::Closed { failed_at } = &mut inner.state else {
                return false;
            };
            failed_at.retain(|at| now.saturating_duration_since(*at) < WITHIN);
            failed_at.extend(std::iter::repeat_n(now, weight));
            if failed_at.len() < FAILURES {
                return false;
            }
            inner.state = State::Open { probed_at: now };
            let since = inner.unavailable_since.unwrap_or(now);
            inner.circuit.send_replace(Circuit::Open(since));
            true
        });
        if opened {
            tracing::warn!("Elasticsearch cannot be reached; calls fail at once until it can");
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_at(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.record_failure(now, WAITED_MIN, 1);
        }
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn circuit_opens_after_five_failures_in_thirty_seconds_and_closes_on_a_response() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for second in 0..100 {
            // Three failures within thirty seconds are no outage.
            breaker.record_failure(now + Duration::from_secs(second * 10), WAITED_MIN, 1);
            assert!(!breaker.is_open());
        }
        let now = now + Duration::from_secs(2_000);
        for round in 0..50 {
            breaker.record_failure(now, WAITED_MIN, 1);
            assert!(!breaker.is_open() && breaker.allows_probe(now), "{round}");
            if round % 4 == 3 {
                breaker.record_response();
            }
        }
        for _ in 0..FAILURES {
            breaker.record_failure(now, WAITED_MIN, 1);
        }
        assert!(breaker.is_open());
        breaker.record_response();
        assert!(!breaker.is_open() && breaker.allows_probe(now));
    }

    #[test]
    fn failures_without_a_wait_never_open_the_circuit() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.record_failure(now, Duration::from_millis(2), 1);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn open_circuit_allows_one_probe_a_second() {
        let now = Instant::now();
        let breaker = open_at(now);
        let mut admitted = 0;
        for ms in (0..10_000).step_by(10) {
            let now = now + Duration::from_millis(ms);
            admitted += usize::from(breaker.allows_probe(now));
        }
        assert_eq!(admitted, 9);
    }

    #[test]
    fn unavailability_lasts_from_the_first_call_without_a_response_to_the_next_response() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let breaker = Breaker::default();
        let mut circuit = breaker.watch();
        assert_eq!(breaker.unavailable_for(after(9)), None);
        breaker.record_no_response(after(1));
        breaker.record_no_response(after(2));
        assert_eq!(
            breaker.unavailable_for(after(9)),
            Some(Duration::from_secs(8))
        );
        for _ in 0..FAILURES {
            breaker.record_failure(after(3), WAITED_MIN, 1);
        }
        assert_eq!(*circuit.borrow_and_update(), Circuit::Open(after(1)));
        breaker.record_response();
        assert_eq!(*circuit.borrow_and_update(), Circuit::Closed);
        assert_eq!(breaker.unavailable_for(after(9)), None);
        breaker.record_response();
        assert!(!circuit.has_changed().unwrap());
    }
}
