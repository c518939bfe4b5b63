//! Work that may take long because of what a caller sent.
//!
//! It leaves the threads that serve other requests, two pieces run at a time, and each ends at its
//! deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Pieces of work that run at a time.
const CONCURRENT_MAX: usize = 2;
/// Time limit of one piece, after its wait.
const TIME_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Cpu {
    permits: Arc<Semaphore>,
}

/// Moment at which work ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Default for Cpu {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CONCURRENT_MAX)),
        }
    }
}

impl Cpu {
    /// Runs work on a thread of its own, once a permit is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Deadline) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let internal = |error: String| ApiError::Internal(error);
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|error| internal(error.to_string()))?;
        // The work owns the permit, so that a disconnected client does not free it early.
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(Deadline::from_now())
        })
        .await
        .map_err(|error| internal(error.to_string()))?
    }
}

impl Deadline {
    /// The deadline of work that begins now.
    pub(crate) fn from_now() -> Self {
        Self(Instant::now() + TIME_MAX)
    }

    /// Returns an error after the deadline.
    pub(crate) fn check(self) -> Result<(), ApiError> {
        if Instant::now() > self.0 {
            return Err(ApiError::TimedOut);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Cpu, Deadline};
    use crate::error::ApiError;

    #[tokio::test]
    async fn work_runs_and_returns_its_result() {
        let result = Cpu::default().run(|_| Ok(1)).await;
        assert!(matches!(result, Ok(1)));
    }

    #[test]
    fn check_fails_after_the_deadline() {
        assert!(Deadline::from_now().check().is_ok());
        let past = Deadline(Instant::now() - std::time::Duration::from_millis(1));
        assert!(matches!(past.check(), Err(ApiError::TimedOut)));
    }
}
