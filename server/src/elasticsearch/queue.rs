//! How many requests are under way at once: a slow Elasticsearch must not collect them without end.

use super::Error;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Requests under way at once; those beyond wait.
const IN_FLIGHT_MAX: usize = 32;
/// Requests that wait; those beyond are told to come back.
const WAITING_MAX: usize = 64;
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The places. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    in_flight: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            waiting: Arc::default(),
        }
    }
}

impl Queue {
    /// A place among the requests under way, or [`Error::Busy`]: then nothing was sent.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.in_flight.try_acquire() {
            return Ok(permit);
        }
        let waiting = Waiting::begin(&self.waiting).ok_or(Error::Busy)?;
        let permit = timeout(WAIT_TIMEOUT, self.in_flight.acquire()).await;
        drop(waiting);
        permit.ok().and_then(Result::ok).ok_or(Error::Busy)
    }
}

/// A place among those that wait, given up when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (before < WAITING_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
