//! The listener for plain HTTP that leads browsers to the public address, in a process of its own.

use crate::{
    binary::{Running, command, fails},
    support::{Answer, client_with},
};
use http::{Method, StatusCode};
use std::{net::TcpListener, path::Path, process::Command};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn with_redirect(directory: &Path, address: &str) -> Command {
    let mut command = command(&directory.join("data"));
    command.envs([
        ("AGENT_KEYS_REDIRECT_LISTEN", address),
        ("AGENT_KEYS_PUBLIC_URL", "https://keys.example.com:8443"),
        ("AGENT_KEYS_LOG", "off"),
    ]);
    command
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn plain_http_leads_known_hosts_to_the_public_address_and_refuses_all_else() {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    let running = Running::start(&mut with_redirect(directory.path(), &address));
    let http = client_with(|builder| builder.redirect(reqwest::redirect::Policy::none()));
    let ask = async |method: Method, host: &str, path: &str| {
        let request = http
            .request(method, format!("http://{address}{path}"))
            .header("host", host);
        Answer::of(request).await
    };
    let ours = "keys.example.com";
    for (method, host, path, location) in [
        (Method::GET, ours, "/", "https://keys.example.com:8443/"),
        (
            Method::HEAD,
            "KEYS.example.com:80",
            "/login?next=/settings&x=1",
            "https://keys.example.com:8443/login?next=/settings&x=1",
        ),
        // No part of a request chooses another host.
        (
            Method::GET,
            ours,
            "//evil.example/",
            "https://keys.example.com:8443//evil.example/",
        ),
        (
            Method::GET,
            "localhost",
            "/@evil.example",
            "https://keys.example.com:8443/@evil.example",
        ),
    ] {
        let answer = ask(method, host, path).await;
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT, "{path}");
        assert_eq!(answer.headers["location"], location);
        assert!(answer.text().is_empty());
    }
    for (method, host, path, status) in [
        (Method::GET, "evil.example", "/", 421),
        (Method::GET, "keys.example.com.evil.example", "/", 421),
        (Method::POST, ours, "/api/sign_in", 405),
        (Method::PUT, ours, "/", 405),
        (Method::OPTIONS, ours, "/", 405),
        (Method::POST, "evil.example", "/", 421),
    ] {
        let answer = ask(method, host, path).await;
        assert_eq!(answer.status, status, "{host} {path}");
        assert!(!answer.headers.contains_key("location"));
    }
    // An address in the place of the path is a host name as well.
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request =
        "GET http://evil.example/ HTTP/1.1\r\nhost: keys.example.com\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    running.stop();
}

#[test]
fn redirect_needs_a_public_address_with_tls() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |public_url: Option<&str>| {
        let mut command = with_redirect(directory.path(), "127.0.0.1:0");
        command.env_remove("AGENT_KEYS_PUBLIC_URL");
        if let Some(url) = public_url {
            command.env("AGENT_KEYS_PUBLIC_URL", url);
        }
        let error = fails(&mut command);
        assert!(
            error.contains("AGENT_KEYS_REDIRECT_LISTEN: set AGENT_KEYS_PUBLIC_URL"),
            "{error}"
        );
    };
    refused(None);
    refused(Some("http://keys.example.com"));
}
