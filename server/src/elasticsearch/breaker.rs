//! Circuit breaker for Elasticsearch.
//!
//! Opens after [`FAILURES`] waits within [`WITHIN`] that ended without an answer; calls then fail at once. Once a second
//! one call is admitted to probe, and the first answer closes the circuit. [`Breaker::watch`] reports both changes.
//!
//! Only waits count: for a connection, and for an answer that never comes, as behind a load balancer whose backend
//! hangs. A refused connection costs no time, and the next may be accepted. An error in an answer is an answer: there
//! the deadline of each call and the queue are the limit.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Failures, with no answer among them, that open it.
const FAILURES: usize = 5;
/// What is shorter than this is no waiting.
const WAITED_MIN: Duration = Duration::from_millis(250);
/// How close together they are.
const WITHIN: Duration = Duration::from_secs(30);
/// How often a probe is admitted while it is open.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Circuit breaker. Clones share its state.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Mutex<Inner>>);

/// State of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Calls are made.
    Closed,
    /// Calls fail at once; nothing was answered since then.
    Open(Instant),
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Since when nothing has been answered.
    unavailable_since: Option<Instant>,
    circuit: watch::Sender<Circuit>,
}

#[derive(Debug)]
enum State {
    /// Calls are made. When the latest of them failed.
    Closed { failed_at: Vec<Instant> },
    /// Calls fail at once. When the last probe was admitted.
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
    /// Whether calls fail at once.
    pub fn is_open(&self) -> bool {
        self.with(|inner| matches!(inner.state, State::Open { .. }))
    }

    /// Tells when it opens and closes, for as long as anybody can ask.
    pub fn watch(&self) -> watch::Receiver<Circuit> {
        self.with(|inner| inner.circuit.subscribe())
    }

    /// For how long nothing has been answered; `None` when the last question was.
    pub fn unavailable_for(&self, now: Instant) -> Option<Duration> {
        let since = self.with(|inner| inner.unavailable_since)?;
        Some(now.saturating_duration_since(since))
    }

    /// A question that was asked at `asked` has no answer.
    pub(super) fn record_no_response(&self, asked: Instant) {
        self.with(|inner| inner.unavailable_since = inner.unavailable_since.or(Some(asked)));
    }

    /// Returns true if a probe may be sent now: always while the circuit is closed, once a second while it is open.
    pub(super) fn allows_probe(&self, now: Instant) -> bool {
        self.with(|inner| {
            let State::Open { probed_at } = &mut inner.state else {
                return true;
            };
            let admitted = now.saturating_duration_since(*probed_at) >= PROBE_EVERY;
            if admitted {
                *probed_at = now;
            }
            admitted
        })
    }

    /// Elasticsearch answered, whatever it said.
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

    /// Records a call without an answer, which took `waited`. A request that timed out counts as `weight` connections
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
    fn five_failures_within_half_a_minute_open_it_and_an_answer_closes_it() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for second in 0..100 {
            // One in ten seconds is no outage.
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
    fn what_is_refused_at_once_never_opens_it() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.record_failure(now, Duration::from_millis(2), 1);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn an_open_circuit_admits_one_probe_a_second() {
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
    fn the_silence_begins_with_the_first_question_without_an_answer_and_ends_with_an_answer() {
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
