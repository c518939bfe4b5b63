//! The floors: the least that an answer costs on this machine, in this run.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::Result;

use super::keys::{CONNECTIONS, LOAD_TIME};
use crate::client::request;
use crate::process::Server;
use crate::report::Report;
use crate::{floor, load};

/// Measures both floors. Returns floor A's answers a second.
pub(super) async fn measure(report: &mut Report) -> Result<f64> {
    let this = env::current_exe()?;
    let server = Server::start(Command::new(&this).arg("floor-a"))?;
    let host = &server.hosts[0];
    let a = load::drive(
        host,
        vec![request("GET", host, "/", &[], "")],
        200,
        CONNECTIONS,
        LOAD_TIME,
    )
    .await?;
    report.add(
        "floor A: a constant, 32 connections",
        format!("{:.0}/s", a.per_second),
        "",
    );
    drop(server);

    let file = env::temp_dir().join(format!("agent-keys-floor-{}.db", std::process::id()));
    let server = Server::start(Command::new(&this).arg("floor-b").arg(&file))?;
    let host = &server.hosts[0];
    let requests = (0..floor::ROWS)
        .map(|id| request("GET", host, &format!("/{id}"), &[], ""))
        .collect();
    let b = load::drive(host, requests, 200, CONNECTIONS, LOAD_TIME).await;
    drop(server);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
    let b = b?.per_second;
    report.add(
        "floor B: an indexed read, 32 connections",
        format!("{b:.0}/s"),
        "",
    );
    Ok(a.per_second)
}
