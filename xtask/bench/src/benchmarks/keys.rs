//! The engine and the list with many keys.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::bench::{Bench, PASSWORD};
use super::engine::{Engine, api_key, basic, privilege_check};
use super::pages::{LIST, views};
use crate::browser_client::BrowserClient;
use crate::client::request;
use crate::load::{self, Times};
use crate::process::Server;
use crate::report::{Report, milliseconds};
use crate::stock;

pub(super) const CONNECTIONS: usize = 32;
pub(super) const LOAD_TIME: Duration = Duration::from_secs(6);
const FEW_KEYS: u32 = 10_000;
const MANY_KEYS: u32 = 100_000;
const VERY_MANY_KEYS: u32 = 1_000_000;
const LIST_VIEWS: usize = 300;
const QUERIES: usize = 300;
/// Keys that the load of privilege checks goes round.
const DISTINCT_KEYS: u32 = 5_000;
/// People who sign in at the same moment.
const SIGN_INS: usize = 100;

/// A page of the list: filtered by status and owner, the newest first.
const FILTERED: &str = r#"{"size":50,"sort":[{"creation":"desc"},{"name":"asc"}],"query":{"bool":{"filter":[{"term":{"metadata.application":"apm"}},{"term":{"invalidated":false}},{"term":{"username":"owner 42"}}]}}}"#;
/// The same, with a text that is looked for anywhere in the name.
const SEARCHED: &str = r#"{"size":50,"sort":[{"creation":"desc"},{"name":"asc"}],"query":{"bool":{"filter":[{"term":{"metadata.application":"apm"}},{"term":{"invalidated":false}},{"wildcard":{"name":"*team 42*"}}]}}}"#;

/// Fills the engine three times, and measures what grows with it.
pub(super) async fn measure(bench: &Bench, report: &mut Report, floor_a: f64) -> Result<()> {
    let server = bench.start()?;
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let (id, secret) = engine.create("the original").await?;
    drop(server);
    let database = bench.data.join("engine.db");

    stock::fill(&database, &id, FEW_KEYS, 1).await?;
    let few = query_p95(&bench.start()?, FILTERED).await?;

    let ids = stock::fill(&database, &id, MANY_KEYS, DISTINCT_KEYS).await?;
    let server = bench.start()?;
    list(&server, report).await?;
    checks(&server, report, &ids, &secret, floor_a).await?;
    drop(server);

    stock::fill(&database, &id, VERY_MANY_KEYS, 1).await?;
    let server = bench.start()?;
    let very_many = query_p95(&server, FILTERED).await?;
    report.add(
        format!("engine: page of {FEW_KEYS} keys, filtered and sorted, p95"),
        milliseconds(few),
        "",
    );
    report.add(
        format!("engine: page of {VERY_MANY_KEYS} keys, filtered and sorted, p95"),
        milliseconds(very_many),
        "≤ 20 ms",
    );
    report.add(
        "the same, of that with few",
        format!("{:.1} ×", very_many.as_secs_f64() / few.as_secs_f64()),
        "≤ 2 ×",
    );
    report.add(
        format!("engine: search inside {VERY_MANY_KEYS} names, p95"),
        milliseconds(query_p95(&server, SEARCHED).await?),
        "",
    );
    report.add(
        format!("memory with {VERY_MANY_KEYS} keys"),
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 150 MiB",
    );
    Ok(())
}

/// The list page, as a person loads it.
async fn list(server: &Server, report: &mut Report) -> Result<()> {
    let mut person = BrowserClient::at(&server.hosts[0]).await?;
    person.sign_in("elastic", PASSWORD).await?;
    let list = views(&mut person, LIST, LIST_VIEWS).await?;
    report.add(
        format!("list page with {MANY_KEYS} keys, p50"),
        milliseconds(list.percentile(50)),
        "",
    );
    report.add(
        format!("list page with {MANY_KEYS} keys, p95"),
        milliseconds(list.percentile(95)),
        "≤ 30 ms",
    );
    report.add(
        format!("memory with {MANY_KEYS} keys"),
        format!("{:.1} MiB", server.memory_mib()?),
        "≤ 100 MiB",
    );
    Ok(())
}

/// What APM Server asks: of many keys, of one, and of keys that are wrong.
async fn checks(
    server: &Server,
    report: &mut Report,
    ids: &[String],
    secret: &str,
    floor_a: f64,
) -> Result<()> {
    let host = &server.hosts[1];
    let drive = async |ids: &[String], secret: &str, status| {
        let checks = ids
            .iter()
            .map(|id| privilege_check(host, &api_key(id, secret)))
            .collect();
        load::drive(host, checks, status, CONNECTIONS, LOAD_TIME).await
    };
    let of_floor = |load: &load::Load| format!("{:.0} %", load.per_second / floor_a * 100.0);
    let distinct = drive(ids, secret, 200).await?;
    report.add(
        format!("engine: _has_privileges, {DISTINCT_KEYS} keys, 32 connections"),
        format!("{:.0}/s", distinct.per_second),
        "",
    );
    report.add("the same, of floor A", of_floor(&distinct), "≥ 60 %");
    let one = drive(&ids[..1], secret, 200).await?;
    report.add("with one key, of floor A", of_floor(&one), "≥ 70 %");
    let wrong: String = secret.chars().rev().collect();
    let refused = drive(ids, &wrong, 401).await?;
    report.add(
        "with wrong secrets, of that with right ones",
        format!("{:.0} %", refused.per_second / distinct.per_second * 100.0),
        "≥ 50 %",
    );
    sign_ins(server, report, ids, secret).await
}

/// Key checks while many people sign in at once, each of them for the first time.
async fn sign_ins(
    server: &Server,
    report: &mut Report,
    ids: &[String],
    secret: &str,
) -> Result<()> {
    let host = &server.hosts[1];
    let mut engine = Engine::at(host).await?;
    let user = format!(r#"{{"password":"{PASSWORD}","roles":[]}}"#);
    for number in 0..SIGN_INS {
        engine
            .ask(&format!("/_security/user/person-{number}"), &user)
            .await?;
    }
    let checks: Vec<_> = ids
        .iter()
        .map(|id| privilege_check(host, &api_key(id, secret)))
        .collect();
    let alone = load::drive(host, checks.clone(), 200, 8, LOAD_TIME).await?;
    let people = (0..SIGN_INS)
        .map(|number| {
            let authorization = basic(&format!("person-{number}"), PASSWORD);
            let headers = [("Authorization", authorization.as_str())];
            request("GET", host, "/_security/_authenticate", &headers, "")
        })
        .collect();
    let start = Instant::now();
    let (signed_in, beside) = tokio::join!(
        async {
            load::each_once(host, people, SIGN_INS).await?;
            anyhow::Ok(start.elapsed())
        },
        load::drive(host, checks, 200, 8, LOAD_TIME),
    );
    report.add(
        format!("engine: {SIGN_INS} sign-ins at once, all answered after"),
        milliseconds(signed_in?),
        "",
    );
    report.add(
        "key checks beside them, p95",
        format!(
            "{} (alone {})",
            milliseconds(beside?.times.percentile(95)),
            milliseconds(alone.times.percentile(95))
        ),
        "",
    );
    Ok(())
}

async fn query_p95(server: &Server, query: &str) -> Result<Duration> {
    let mut engine = Engine::at(&server.hosts[1]).await?;
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        let start = Instant::now();
        engine.ask("/_security/_query/api_key", query).await?;
        times.push(start.elapsed());
    }
    Ok(Times::new(times).percentile(95))
}
