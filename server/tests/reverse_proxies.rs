//! nginx, HAProxy and Caddy in front of the application, with the configurations that the documentation shows.

use crate::support::{Answer, App, PASSWORD, Setup, client, eventually, key_form, self_signed};
use http::{Method, StatusCode};
use server::config::TrustedProxies;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const NGINX: &str = include_str!("../../docs/proxies/nginx.conf");
const HAPROXY: &str = include_str!("../../docs/proxies/haproxy.cfg");
const CADDY: &str = include_str!("../../docs/proxies/Caddyfile");

/// Starts of a proxy whose port is taken.
const STARTS_MAX: usize = 100;

/// A proxy that runs, and ends with its test.
struct ReverseProxy {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl Drop for ReverseProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Replaces what a reader of the documentation replaces. Each text must be there.
fn fill_in(template: &str, values: &[(&str, String)]) -> String {
    let mut text = template.to_owned();
    for (old, new) in values {
        assert!(text.contains(old), "{old} is not in the documentation");
        text = text.replace(old, new);
    }
    text
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nginx,
    /// As people forget it: `Host` becomes the address of the application.
    NginxWithoutHost,
    Haproxy,
    Caddy,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxWithoutHost => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
        }
    }

    /// The path of the program. Panics when it is not installed.
    fn path(self) -> PathBuf {
        // Some are in `/usr/sbin`, which is not in every user's path.
        let mut places = vec![PathBuf::from("/usr/sbin")];
        places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut programs = places.iter().map(|place| place.join(self.program()));
        let program = programs.find(|program| program.exists());
        // Debian's package has the name of the program.
        let name = self.program();
        program.unwrap_or_else(|| panic!("{name} is not installed: apt-get install {name}"))
    }

    /// The command that stays in the foreground.
    fn command(self, directory: &Path, port: u16, to: &str) -> Command {
        let files = self_signed(directory);
        let (cert, key) = (files.cert.display(), files.key.display());
        let place = directory.display();
        let file = directory.join("configuration");
        let mut command = Command::new(self.path());
        let text = match self {
            Self::Nginx | Self::NginxWithoutHost => {
                let mut server = fill_in(
                    NGINX,
                    &[
                        ("listen 443", format!("listen 127.0.0.1:{port}")),
                        ("/etc/ssl/agent-keys.pem", cert.to_string()),
                        ("/etc/ssl/agent-keys.key", key.to_string()),
                        ("127.0.0.1:5680", to.to_owned()),
                    ],
                );
                if self == Self::NginxWithoutHost {
                    let line = "proxy_set_header Host $http_host;";
                    server = fill_in(&server, &[(line, String::new())]);
                }
                let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let paths = paths.map(|name| format!("{name}_temp_path {place}/{name};\n"));
                command.arg("-p").arg(directory).arg("-c").arg(&file);
                format!(
                    "daemon off; master_process off; pid {place}/pid; error_log stderr;\n\
                     events {{}}\nhttp {{\naccess_log off;\n{}{server}}}",
                    paths.concat()
                )
            }
            Self::Haproxy => {
                let both = directory.join("both.pem");
                let read = |path| std::fs::read_to_string(path).unwrap();
                std::fs::write(&both, read(&files.cert) + &read(&files.key)).unwrap();
                command.arg("-db").arg("-f").arg(&file);
                fill_in(
                    HAPROXY,
                    &[
                        ("bind :443", format!("bind 127.0.0.1:{port}")),
                        (
                            "/etc/ssl/agent-keys-with-key.pem",
                            both.display().to_string(),
                        ),
                        ("127.0.0.1:5680", to.to_owned()),
                    ],
                )
            }
            Self::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]);
                command.arg(&file).env("HOME", directory);
                command.env("XDG_DATA_HOME", directory);
                command.env("XDG_CONFIG_HOME", directory);
                let site = fill_in(
                    CADDY,
                    &[
                        (
                            "https://keys.example.com",
                            format!("https://localhost:{port}"),
                        ),
                        ("/etc/ssl/agent-keys.pem", cert.to_string()),
                        ("/etc/ssl/agent-keys.key", key.to_string()),
                        ("127.0.0.1:5680", to.to_owned()),
                    ],
                );
                format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
            }
        };
        std::fs::write(&file, text).unwrap();
        command
    }

    async fn start(self, app: &App, port: u16) -> ReverseProxy {
        let directory = tempfile::tempdir().unwrap();
        let to = app.application.address().to_string();
        let mut command = self.command(directory.path(), port, &to);
        let log = directory.path().join("log");
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(&log);
        command.stdout(Stdio::null()).stderr(file.unwrap());
        let mut proxy = ReverseProxy {
            process: command.spawn().unwrap(),
            url: format!("https://localhost:{port}"),
            _directory: directory,
        };
        let live = format!("{}/health/live", proxy.url);
        let mut starts = 1;
        eventually("the proxy passes requests on", async || {
            // A connection of another test may have had the port for a moment.
            if starts < STARTS_MAX && proxy.process.try_wait().unwrap().is_some() {
                starts += 1;
                proxy.process = command.spawn().unwrap();
            }
            let answer = client().get(&live).send().await;
            let is_live = answer.is_ok_and(|answer| answer.status() == StatusCode::OK);
            assert!(
                is_live || starts < STARTS_MAX,
                "{self:?} does not start: {}",
                std::fs::read_to_string(&log).unwrap()
            );
            is_live
        })
        .await;
        proxy
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn app(port: u16, with_public_url: bool) -> App {
    let url = format!("https://localhost:{port}");
    let setup = Setup {
        trusted_proxies: TrustedProxies::parse("127.0.0.1").unwrap(),
        public_url: with_public_url.then(|| url.parse().unwrap()),
        ..Setup::default()
    };
    App::start_with(setup).await
}

/// Signs in, creates a key, sees its secret, finds it in the list, revokes it and signs out: with plain forms.
async fn story(kind: Kind) {
    let port = free_port();
    let app = app(port, kind == Kind::NginxWithoutHost).await;
    let proxy = kind.start(&app, port).await;
    let mut browser = app.nobody();
    browser.url = proxy.url.clone();
    let to_login = browser.get("/settings/agent-keys").await;
    assert_eq!(to_login.status, StatusCode::SEE_OTHER, "{kind:?}");
    assert!(to_login.header("location").unwrap().starts_with("/login?"));
    assert_eq!(browser.get("/login").await.status, StatusCode::OK);
    let fields = [("username", "elastic"), ("password", PASSWORD)];
    let answer = browser.submit("/login", "sign_in", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let cookie = answer.cookie().unwrap();
    assert!(cookie.starts_with("__Host-"), "{kind:?}: {cookie}");
    browser.cookie = Some(cookie);
    browser.user = Some("elastic".to_owned());
    let new = "/settings/agent-keys/new";
    let form = key_form("op-1", "behind-a-proxy");
    let created = browser.submit(new, "create_agent_key", &form).await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.text());
    let page = created.text();
    assert!(page.contains("behind-a-proxy") && page.contains("Copy"));
    let list = browser.get("/settings/agent-keys").await.text();
    assert!(list.contains("behind-a-proxy"));
    let keys = app.engine.keys().await;
    let id = keys[0]["id"].as_str().unwrap();
    let page = format!("/settings/agent-keys/{id}/revoke");
    let revoked = browser
        .submit(&page, "revoke_agent_key", &[("id", id)])
        .await;
    let to = revoked.header("location").unwrap();
    assert_eq!(to, "/settings/agent-keys");
    assert_eq!(app.engine.keys().await[0]["invalidated"], true);
    let out = browser.submit("/settings/users", "sign_out", &[]).await;
    assert_eq!(out.header("location"), Some("/login?reason=signed-out"));
    let after = browser.get("/settings/agent-keys").await;
    assert_eq!(after.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nginx_serves_sign_in_create_and_revoke() {
    story(Kind::Nginx).await;
}

#[tokio::test]
async fn nginx_that_rewrites_host_serves_sign_in_create_and_revoke() {
    story(Kind::NginxWithoutHost).await;
}

#[tokio::test]
async fn haproxy_serves_sign_in_create_and_revoke() {
    story(Kind::Haproxy).await;
}

#[tokio::test]
async fn caddy_serves_sign_in_create_and_revoke() {
    story(Kind::Caddy).await;
}

/// A sign-in as browsers without `Sec-Fetch-Site` send it.
async fn sign_in_by_origin(app: &App, origin: &str) -> StatusCode {
    let request = app
        .nobody()
        .request(Method::POST, "/api/sign_in")
        .header("host", "backend:5680")
        .header("origin", origin)
        .header("accept", "text/html")
        .form(&[("username", "elastic"), ("password", PASSWORD)]);
    Answer::of(request).await.status
}

#[tokio::test]
async fn public_url_is_the_origin_where_host_was_rewritten() {
    let with = app(8443, true).await;
    let public = "https://localhost:8443";
    assert_eq!(
        sign_in_by_origin(&with, public).await,
        StatusCode::SEE_OTHER
    );
    for other in ["https://evil.example", "http://localhost:8443"] {
        let status = sign_in_by_origin(&with, other).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{other}");
    }
    let without = app(8443, false).await;
    let status = sign_in_by_origin(&without, public).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
