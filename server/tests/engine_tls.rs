//! The embedded engine for other machines: encrypted with the certificate of the web address.

use crate::{
    support::{
        PASSWORD,
        process::{Process, prepare},
    },
    transport_tls::Authority,
};
use http::{StatusCode, Version};
use reqwest::{Certificate, Client};
use std::process::Command;

#[tokio::test]
async fn engine_beyond_loopback_serves_the_certificate_and_the_application_still_uses_it() {
    let authority = Authority::new("web authority");
    let directory = tempfile::tempdir().unwrap();
    let files = authority.client_files(directory.path(), false);
    // The name is another than the address by which the application reaches its engine.
    let (certificate, key) = authority.issue("127.0.0.1", false);
    std::fs::write(&files.cert, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-keys"));
    prepare(&mut command, &directory.path().join("data"));
    command
        .env("AGENT_KEYS_EMBEDDED_LISTEN", "0.0.0.0:0")
        .env("AGENT_KEYS_TLS_CERT_FILE", &files.cert)
        .env("AGENT_KEYS_TLS_KEY_FILE", &files.key)
        .env("ELASTIC_PASSWORD", PASSWORD);
    let process = Process::run(&mut command);
    let engine = process.engine_url.clone().unwrap();
    assert!(engine.starts_with("https://127.0.0.1:"), "{engine}");
    let apm_server = Client::builder()
        .tls_certs_only([Certificate::from_pem(authority.pem().as_bytes()).unwrap()])
        .no_proxy()
        .build()
        .unwrap();
    let ask = |url: String| {
        let request = apm_server.get(format!("{url}/_security/_authenticate"));
        request.basic_auth("elastic", Some(PASSWORD)).send()
    };
    let answer = ask(engine.clone()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    // Elasticsearch speaks no HTTP/2.
    assert_eq!(answer.version(), Version::HTTP_11);
    assert!(ask(engine.replacen("https", "http", 1)).await.is_err());
    process.as_user("elastic").await;
}
