//! The pages with an almost empty database.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::bench::{Bench, PASSWORD};
use super::engine::{Engine, PRIVILEGES};
use crate::browser_client::{BrowserClient, Form};
use crate::load::Times;
use crate::process::Server;
use crate::report::{Report, milliseconds};

pub(super) const LIST: &str = "/settings/agent-keys";
const STARTS: usize = 7;
const PAGE_VIEWS: usize = 1_000;
const CREATIONS: usize = 60;

/// Starts, memory, the first load, and a key made through the page.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    // The first start makes the data that the others find.
    drop(bench.start()?);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(bench.start()?.ready_after);
    }
    report.add(
        "start to ready, existing data",
        milliseconds(Times::new(starts).percentile(50)),
        "≤ 150 ms",
    );

    let server = bench.start()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    report.add(
        "memory idle",
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 40 MiB",
    );

    let mut person = BrowserClient::at(&server.hosts[0]).await?;
    person.sign_in("elastic", PASSWORD).await?;
    creations(&server, &mut person, report).await?;
    // Now there are keys enough for a whole page.
    first_load(&mut person, report).await?;

    views(&mut person, LIST, PAGE_VIEWS).await?;
    report.add(
        format!("memory after {PAGE_VIEWS} page views"),
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 60 MiB",
    );
    Ok(())
}

/// What a browser with an empty cache transfers for the list.
async fn first_load(person: &mut BrowserClient, report: &mut Report) -> Result<()> {
    /// What a browser says.
    const ENCODINGS: &str = "gzip, deflate, br";
    let mut bytes = person.get_encoded(LIST, ENCODINGS).await?.wire_bytes;
    let page = person.get(LIST).await?;
    let files: BTreeSet<_> = page
        .text()
        .unwrap_or_default()
        .split(['"', '\''])
        .filter(|word| word.starts_with("/pkg/"))
        .collect();
    if files.is_empty() {
        bail!("the list names no file of the site; was the binary built by `cargo xtask build`?");
    }
    for file in &files {
        bytes += person.get_encoded(file, ENCODINGS).await?.wire_bytes;
    }
    report.add(
        format!("first load of the list, {} requests", files.len() + 1),
        format!("{:.0} KB", f64::from(u32::try_from(bytes)?) / 1000.0),
        "≤ 300 KB",
    );
    Ok(())
}

/// A key made through the page, and the same calls made to the engine directly.
async fn creations(server: &Server, person: &mut BrowserClient, report: &mut Report) -> Result<()> {
    let mut with_script = Vec::new();
    let mut without_script = Vec::new();
    for number in 0..CREATIONS {
        let page = person.get(&format!("{LIST}/new")).await?;
        let form =
            Form::with_field(page.text()?, "name").context("the page for a new key has no form")?;
        let name = format!("bench {number}");
        let filled = [("name", name.as_str())];
        let start = Instant::now();
        // In turns, so that both meet the same machine.
        let (answer, times) = if number % 2 == 0 {
            (person.call(&form, &filled).await?, &mut with_script)
        } else {
            (person.post(&form, &filled).await?, &mut without_script)
        };
        times.push(start.elapsed());
        if answer.status != 200 {
            bail!(
                "a key made through the page was answered with status {}",
                answer.status
            );
        }
    }
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let mut direct = Vec::new();
    for number in 0..CREATIONS {
        let start = Instant::now();
        engine
            .ask("/_security/user/_has_privileges", PRIVILEGES)
            .await?;
        engine.create(&format!("direct {number}")).await?;
        direct.push(start.elapsed());
    }
    let p50 = |times| Times::new(times).percentile(50);
    let (with_script, without_script, direct) =
        (p50(with_script), p50(without_script), p50(direct));
    report.add(
        "create through the page, p50",
        milliseconds(with_script),
        "",
    );
    report.add(
        "create: beyond Elasticsearch's calls, p50",
        milliseconds(with_script.saturating_sub(direct)),
        "≤ 10 ms",
    );
    report.add(
        "create without JavaScript, page included, p50",
        milliseconds(without_script),
        "",
    );
    Ok(())
}

/// Loads a page so many times.
pub(super) async fn views(person: &mut BrowserClient, path: &str, count: usize) -> Result<Times> {
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let page = person.get(path).await?;
        times.push(start.elapsed());
        if page.status != 200 {
            bail!("{path} was answered with status {}", page.status);
        }
    }
    Ok(Times::new(times))
}
