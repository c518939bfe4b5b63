//! Not to wait again and again for an Elasticsearch that is not there.
//!
//! A connection that nobody accepts costs whoever asks two seconds, and a page asks several times. After
//! [`FAILURES`] such failures within [`WITHIN`], and no answer among them, the breaker is open: calls fail at once,
//! as they would have failed anyway. It closes with the first answer. Two look for one: a task asks about every five
//! seconds, so that nobody is refused for an outage that ended more than six seconds ago; and once a second somebody
//! who wants to read looks first, briefly, so that to try again is worth it. Whoever wants to know of both listens to
//! [`Breaker::watch`].
//!
//! Only waits count: for a connection, and for an answer that never comes, as behind a load balancer whose backend
//! hangs. A connection that is refused at once costs nobody anything, and the next may be accepted. A busy or broken
//! answer is an answer: there the deadline of each call and the queue are the limit.

use super::connection::Effect;
use crate::random::Random;
use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Failures, with no answer among them, that open it.
const FAILURES: usize = 5;
/// What is shorter than this is no waiting.
const WAITED_MIN: Duration = Duration::from_millis(250);
/// How close together they are.
const WITHIN: Duration = Duration::from_secs(30);
/// How often a question is let through while it is open.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// The shortest pause between two questions of the task, and what chance adds to it: processes that lost the same
/// Elasticsearch do not all ask at the same moment, and each knows the answer within six seconds.
const PAUSE_MIN: Duration = Duration::from_millis(4_000);
const PAUSE_CHANCE: Duration = Duration::from_millis(1_500);

/// Whether Elasticsearch is asked at all. Clones share it.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Mutex<Inner>>);

/// Whether it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// It is.
    Closed,
    /// It is not, since then.
    Open(Instant),
}

/// The same for a task that ends when nobody else knows it any more.
pub(super) struct WeakBreaker(Weak<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    state: State,
    /// Since when nothing has been answered.
    silent_since: Option<Instant>,
    circuit: watch::Sender<Circuit>,
    /// Whether a task looks for the end of the outage.
    looked_for: bool,
}

#[derive(Debug)]
enum State {
    /// It is asked. When the last attempts failed, if they did.
    Closed { failed_at: Vec<Instant> },
    /// It is not. When somebody was let through last.
    Open { asked_at: Instant },
}

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// Somebody must look for the end of the outage.
    Look,
}

impl Default for Breaker {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            state: State::closed(),
            silent_since: None,
            circuit: watch::Sender::new(Circuit::Closed),
            looked_for: false,
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
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        let since = self.with(|inner| inner.silent_since)?;
        Some(now.saturating_duration_since(since))
    }

    /// A question that was asked at `asked` has no answer.
    pub(super) fn unanswered(&self, asked: Instant) {
        self.with(|inner| inner.silent_since = inner.silent_since.or(Some(asked)));
    }

    /// Whether this call may be made.
    pub(super) fn admits(&self, effect: Effect, now: Instant) -> bool {
        self.with(|inner| match (&mut inner.state, effect) {
            (State::Closed { .. }, _) => true,
            (State::Open { .. }, Effect::Writes | Effect::WritesMany) => false,
            (State::Open { asked_at }, Effect::Reads) => {
                let may = now.saturating_duration_since(*asked_at) >= RETRY_EVERY;
                if may {
                    *asked_at = now;
                }
                may
            }
        })
    }

    /// Elasticsearch answered, whatever it said.
    pub(super) fn answered(&self) {
        let before = self.with(|inner| {
            inner.silent_since = None;
            inner.circuit.send_if_modified(|circuit| {
                std::mem::replace(circuit, Circuit::Closed) != Circuit::Closed
            });
            std::mem::replace(&mut inner.state, State::closed())
        });
        if matches!(before, State::Open { .. }) {
            tracing::info!("Elasticsearch can be reached again");
        }
    }

    /// No answer came, which was known after `waited`. A request that timed out counts as `weight` connections that
    /// did.
    pub(super) fn failed(&self, now: Instant, waited: Duration, weight: usize) -> Next {
        if waited < WAITED_MIN {
            return Next::Nothing;
        }
        let (opened, next) = self.with(|inner| {
            let State::Closed { failed_at } = &mut inner.state else {
                return (false, Next::Nothing);
            };
            failed_at.retain(|at| now.saturating_duration_since(*at) < WITHIN);
            failed_at.extend(std::iter::repeat_n(now, weight));
            if failed_at.len() < FAILURES {
                return (false, Next::Nothing);
            }
            inner.state = State::Open { asked_at: now };
            let since = inner.silent_since.unwrap_or(now);
            inner.circuit.send_replace(Circuit::Open(since));
            let looked_for = std::mem::replace(&mut inner.looked_for, true);
            (
                true,
                if looked_for {
                    Next::Nothing
                } else {
                    Next::Look
                },
            )
        });
        if opened {
            tracing::warn!("Elasticsearch cannot be reached; calls fail at once until it can");
        }
        next
    }

    /// The same for a task that must not keep it alive.
    pub(super) fn downgrade(&self) -> WeakBreaker {
        WeakBreaker(Arc::downgrade(&self.0))
    }

    /// Whether the task that looks for the end has found it, or somebody else has.
    fn is_found(&self) -> bool {
        self.with(|inner| {
            inner.looked_for = matches!(inner.state, State::Open { .. });
            !inner.looked_for
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl WeakBreaker {
    /// Asks by `is_there` until it is, somebody else had an answer, or nobody needs to know any more.
    pub(super) async fn look_for_the_end<A: Future<Output = bool>>(
        self,
        random: Random,
        is_there: impl Fn() -> A,
    ) {
        // From one question's beginning to the next: one that takes long does not put off the other.
        let mut next = tokio::time::Instant::now();
        loop {
            next += pause(random);
            tokio::time::sleep_until(next).await;
            let answered = is_there().await;
            let Some(breaker) = self.0.upgrade().map(Breaker) else {
                return;
            };
            if answered {
                breaker.answered();
            }
            if breaker.is_found() {
                return;
            }
        }
    }
}

fn pause(random: Random) -> Duration {
    // Without random bytes all ask at once, which is better than not at all.
    let [chance] = random.bytes().unwrap_or_default();
    PAUSE_MIN + PAUSE_CHANCE.mul_f64(f64::from(chance) / f64::from(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_at(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.failed(now, WAITED_MIN, 1);
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
            let next = breaker.failed(now + Duration::from_secs(second * 10), WAITED_MIN, 1);
            assert_eq!((next, breaker.is_open()), (Next::Nothing, false));
        }
        let now = now + Duration::from_secs(2_000);
        for round in 0..50 {
            assert_eq!(breaker.failed(now, WAITED_MIN, 1), Next::Nothing, "{round}");
            assert!(breaker.admits(Effect::Writes, now));
            if round % 4 == 3 {
                breaker.answered();
            }
        }
        for _ in 0..FAILURES {
            breaker.failed(now, WAITED_MIN, 1);
        }
        assert!(breaker.is_open());
        breaker.answered();
        assert!(!breaker.is_open() && breaker.admits(Effect::Writes, now));
    }

    #[test]
    fn what_is_refused_at_once_never_opens_it() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(now, Duration::from_millis(2), 1);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn one_task_looks_for_the_end() {
        let now = Instant::now();
        let breaker = Breaker::default();
        let asked = |breaker: &Breaker| {
            let next = (0..FAILURES).map(|_| breaker.failed(now, WAITED_MIN, 1));
            next.filter(|next| *next == Next::Look).count()
        };
        assert_eq!(asked(&breaker), 1);
        breaker.answered();
        // It has not noticed yet that there is nothing to look for.
        assert_eq!(asked(&breaker), 0);
        assert!(!breaker.is_found());
        breaker.answered();
        assert!(breaker.is_found());
        assert_eq!(asked(&breaker), 1);
    }

    #[test]
    fn while_it_is_open_one_question_a_second_is_let_through_and_no_change() {
        let now = Instant::now();
        let breaker = open_at(now);
        let mut admitted = 0;
        for ms in (0..10_000).step_by(10) {
            let now = now + Duration::from_millis(ms);
            assert!(!breaker.admits(Effect::Writes, now));
            admitted += usize::from(breaker.admits(Effect::Reads, now));
        }
        assert_eq!(admitted, 9);
    }

    #[test]
    fn the_silence_begins_with_the_first_question_without_an_answer_and_ends_with_an_answer() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let breaker = Breaker::default();
        let mut circuit = breaker.watch();
        assert_eq!(breaker.silent_for(after(9)), None);
        breaker.unanswered(after(1));
        breaker.unanswered(after(2));
        assert_eq!(breaker.silent_for(after(9)), Some(Duration::from_secs(8)));
        for _ in 0..FAILURES {
            breaker.failed(after(3), WAITED_MIN, 1);
        }
        assert_eq!(*circuit.borrow_and_update(), Circuit::Open(after(1)));
        breaker.answered();
        assert_eq!(*circuit.borrow_and_update(), Circuit::Closed);
        assert_eq!(breaker.silent_for(after(9)), None);
        breaker.answered();
        assert!(!circuit.has_changed().unwrap());
    }

    #[test]
    fn the_pauses_are_about_five_seconds_and_never_six() {
        for _ in 0..1_000 {
            let pause = pause(Random::default());
            assert!(
                (PAUSE_MIN..=PAUSE_MIN + PAUSE_CHANCE).contains(&pause),
                "{pause:?}"
            );
            assert!(pause < Duration::from_secs(6));
        }
    }
}
