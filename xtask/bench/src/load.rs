//! Load: many connections, each asking again as soon as it was answered.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::LocalSet;

use crate::client::Connection;

/// What came of it.
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) per_second: f64,
    /// How long each answer took.
    pub(crate) times: Times,
}

/// Sends the requests, over and over, on so many connections for so long. Each must be answered with this status.
///
/// Starts to count after a quarter of the time, when everything is warm.
pub(crate) async fn drive(
    host: &str,
    requests: Vec<Vec<u8>>,
    status: u16,
    connections: usize,
    time: Duration,
) -> Result<Load> {
    let requests = Rc::new(requests);
    let start = Instant::now();
    let counted_from = start + time / 4;
    let end = start + time;

    let set = LocalSet::new();
    let mut tasks = Vec::new();
    for number in 0..connections {
        let requests = Rc::clone(&requests);
        let host = host.to_owned();
        tasks.push(set.spawn_local(async move {
            let mut connection = Connection::open(&host).await?;
            let mut next = number;
            let mut counted = Vec::new();
            loop {
                let asked = Instant::now();
                let answer = connection.send(&requests[next % requests.len()]).await?;
                if answer.status != status {
                    bail!("under load came an answer with status {}", answer.status);
                }
                let now = Instant::now();
                if now >= end {
                    return anyhow::Ok(counted);
                }
                if now >= counted_from {
                    counted.push(now - asked);
                }
                // Connections take turns through the requests, so that no two send the same at once.
                next += connections;
            }
        }));
    }
    let times = set
        .run_until(async {
            let mut all = Vec::new();
            for task in tasks {
                all.extend(task.await??);
            }
            anyhow::Ok(all)
        })
        .await?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of a few seconds are far below 2^52"
    )]
    let per_second = times.len() as f64 / (end - counted_from).as_secs_f64();
    Ok(Load {
        per_second,
        times: Times::new(times),
    })
}

/// Sends every request once, on so many connections. How long each took.
pub(crate) async fn each_once(
    host: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
) -> Result<Vec<Duration>> {
    let requests = Rc::new(requests);
    let set = LocalSet::new();
    let tasks: Vec<_> = (0..connections)
        .map(|number| {
            let requests = Rc::clone(&requests);
            let host = host.to_owned();
            set.spawn_local(async move {
                let mut connection = Connection::open(&host).await?;
                let mut times = Vec::new();
                for request in requests.iter().skip(number).step_by(connections) {
                    let asked = Instant::now();
                    let answer = connection.send(request).await?;
                    if answer.status != 200 {
                        bail!("an answer came with status {}", answer.status);
                    }
                    times.push(asked.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    set.run_until(async {
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        Ok(all)
    })
    .await
}

/// How long each of a number of things took.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Takes the times in any order.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that so many percent of them stayed within.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times = Times::new((1..=20).rev().map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50), Duration::from_millis(10));
        assert_eq!(times.percentile(95), Duration::from_millis(19));
        assert_eq!(times.percentile(100), Duration::from_millis(20));
    }
}
