//! Readiness of the process: answered at once from what is known, whatever is the matter.

use crate::support::{
    Answer, PASSWORD,
    engine::Engine,
    eventually,
    process::{Process, prepare},
    proxy::{Fault, Proxy},
};
use http::StatusCode;
use platform::Clock;
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Asks, and demands an answer at once.
async fn ready(process: &Process, query: &str) -> Answer {
    let browser = process.nobody();
    let began = Instant::now();
    let answer = browser.get(&format!("/health/ready{query}")).await;
    let took = began.elapsed();
    // 200 ms, and some for a busy machine.
    assert!(took < Duration::from_millis(500), "{took:?}");
    answer
}

#[tokio::test]
async fn readiness_is_answered_at_once_while_elasticsearch_hangs() {
    let engine = Engine::start(&Clock::system()).await;
    let proxy = Proxy::start(engine.address()).await;
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), &proxy.url());
    assert_eq!(ready(&process, "").await.text(), "ready");
    let all_good = "process: ok\ndatabase: ok\ndisk: ok\nelasticsearch: ok\nlog: ok\nready";
    assert_eq!(ready(&process, "?verbose").await.text(), all_good);
    proxy.fail("", Fault::Silence(Duration::from_secs(60)));
    eventually("it is known", async || {
        let answer = ready(&process, "?verbose").await;
        // The pages say what is wrong, so that this process is of use.
        assert_eq!(answer.status, StatusCode::OK);
        answer
            .text()
            .ends_with("elasticsearch: no answer\nlog: ok\nready, without Elasticsearch")
    })
    .await;
}

#[tokio::test]
async fn readiness_fails_while_the_disk_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    // A small disk that only this process sees.
    let script = "mount -t tmpfs -o size=8m,mode=700 tmpfs \"$AGENT_KEYS_DATA_DIR\" && exec \"$0\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "/bin/sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_agent-keys"));
    prepare(&mut command, &data_dir);
    let path = std::env::var_os("PATH").unwrap();
    command
        .env("PATH", path)
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
        .env("ELASTIC_PASSWORD", PASSWORD);
    let may_mount = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(&data_dir)
        .output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        println!("nothing shown: this account may not mount a disk");
        return;
    }
    let process = Process::run(&mut command);
    assert_eq!(ready(&process, "").await.text(), "ready");
    let disk = format!("/proc/{}/root{}", process.id(), data_dir.display());
    let filler = Path::new(&disk).join("filler");
    let mut dd = Command::new("dd");
    let out = format!("of={}", filler.display());
    dd.args(["if=/dev/zero", &out, "bs=64k"]);
    assert!(!dd.output().unwrap().status.success(), "until it is full");
    eventually("readiness fails", async || {
        let answer = ready(&process, "").await;
        answer.status == StatusCode::SERVICE_UNAVAILABLE
            && answer.text() == "not ready: the disk is full"
    })
    .await;
    assert!(
        ready(&process, "?verbose")
            .await
            .text()
            .contains("disk: full\n")
    );
    std::fs::remove_file(filler).unwrap();
    eventually("it is ready again", async || {
        ready(&process, "").await.text() == "ready"
    })
    .await;
}
