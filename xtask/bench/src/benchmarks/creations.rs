//! Keys made as fast as the engine can, and whether each that was answered is there after `kill -9`.

use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::bench::{Bench, PASSWORD};
use super::engine::{Engine, basic, new_key};
use crate::client::request;
use crate::load::{self, Times};
use crate::report::{Report, milliseconds};

const CREATIONS: usize = 20_000;
const CONNECTIONS: usize = 16;

/// Makes the keys, kills the process and counts.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let server = bench.start()?;
    let host = &server.hosts[1];
    let authorization = basic("elastic", PASSWORD);
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let creations = (0..CREATIONS)
        .map(|number| {
            let body = new_key(&format!("many {number}"));
            request("POST", host, "/_security/api_key", &headers, &body)
        })
        .collect();
    let start = Instant::now();
    let times = load::each_once(host, creations, CONNECTIONS).await?;
    let seconds = start.elapsed().as_secs_f64();
    // Dropping a server is `kill -9`: nothing is written any more after the last answer.
    drop(server);

    let answered = times.len();
    let times = Times::new(times);
    #[expect(clippy::cast_precision_loss, reason = "the count is far below 2^52")]
    let per_second = answered as f64 / seconds;
    report.add(
        format!("engine: {CREATIONS} keys made on {CONNECTIONS} connections"),
        format!("{per_second:.0}/s"),
        "",
    );
    report.add(
        "the same, p50 and p99",
        format!(
            "{} and {}",
            milliseconds(times.percentile(50)),
            milliseconds(times.percentile(99))
        ),
        "",
    );
    let server = bench.start()?;
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let query = r#"{"size":0,"query":{"prefix":{"name":"many "}}}"#;
    let found = engine.ask("/_security/_query/api_key", query).await?;
    let found = found["total"].as_u64().context("no total was answered")?;
    if found < u64::try_from(answered)? {
        bail!("{answered} keys were answered, and {found} are there after kill -9");
    }
    report.add(
        "the same, there after kill -9",
        format!("{found} of {answered}"),
        "all",
    );
    Ok(())
}
