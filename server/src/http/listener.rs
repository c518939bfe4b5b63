//! Listener for HTTP and HTTPS, with timeouts, certificate reload and graceful shutdown.

use crate::{
    certificate::{self, FileError},
    config::{Limits, TlsFiles, TrustedProxies},
};
use app::model::timestamp::Timestamp;
use axum::Router;
use axum_server::{
    Handle, Server,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use platform::connection_limit::ConnectionLimiter;
use rustls::ServerConfig;
use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::TcpSocket,
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 100;
/// Length of the accept queue.
const BACKLOG: u32 = 1_024;
const STREAMS_MAX: u32 = 128;
/// Streams that a client resets before they were accepted.
const RESET_STREAMS_MAX: usize = 20;
/// Limit for clients that send or read slowly, or keep a connection, at shutdown. Container engines commonly wait ten
/// seconds in all before they kill a process.
const CLIENTS_TIMEOUT: Duration = Duration::from_secs(4);
/// Limit for the answers to the changes that ended last.
const ANSWERS_TIMEOUT: Duration = Duration::from_millis(500);
/// Interval of checks for changed certificate files.
const FILES_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The listener could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("{setting}: cannot listen on {address}: {source}")]
    Bind {
        setting: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("AGENT_KEYS_TLS_CERT_FILE and AGENT_KEYS_TLS_KEY_FILE: {0}")]
    File(#[from] FileError),
    #[error(
        "AGENT_KEYS_TLS_CERT_FILE and AGENT_KEYS_TLS_KEY_FILE: {cert} and {key} cannot be used together: {source}"
    )]
    Pair {
        cert: String,
        key: String,
        source: rustls::Error,
    },
}

/// A running listener.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    connections: ConnectionLimiter,
    serving: JoinHandle<io::Result<()>>,
    tls: Option<Tls>,
}

/// Certificate and key in use. They are read again when the files change, until this value is dropped.
#[derive(Debug)]
pub struct Tls {
    config: RustlsConfig,
    asked: Arc<Notify>,
    reloads: watch::Receiver<Reloads>,
    end: Arc<AtomicI64>,
    reloading: JoinHandle<()>,
}

/// Certificates and keys that were read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    pub count: u64,
    /// True while the files cannot be used.
    pub failing: bool,
}

impl Tls {
    /// For browsers: HTTP/2 and HTTP/1.1.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Self::load_for(files, &[b"h2", b"http/1.1"])
    }

    /// For the embedded engine, which like Elasticsearch speaks HTTP/1.1 alone.
    pub fn load_for_engine(files: &TlsFiles) -> Result<Self, TlsError> {
        Self::load_for(files, &[b"http/1.1"])
    }

    fn load_for(files: &TlsFiles, protocols: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        let (loaded, end) = read_files(files, protocols)?;
        log_end(end);
        let end = Arc::new(AtomicI64::new(end));
        let config = RustlsConfig::from_config(loaded);
        let asked = Arc::new(Notify::new());
        let (reloaded, reloads) = watch::channel(Reloads::default());
        let reloading = reload_when_changed(
            files.clone(),
            protocols,
            config.clone(),
            end.clone(),
            asked.clone(),
            reloaded,
        );
        Ok(Self {
            config,
            asked,
            reloads,
            end,
            reloading: tokio::spawn(reloading),
        })
    }

    pub fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Reports each time the files were read again, and once while they cannot be used.
    pub fn reloads(&self) -> watch::Receiver<Reloads> {
        self.reloads.clone()
    }

    /// End of the certificate in use, in seconds since 1970.
    pub fn end(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.end)
    }

    /// Reads the files again now, whether they look changed or not.
    pub fn reload(&self) {
        self.asked.notify_one();
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.reloading.abort();
    }
}

/// An open port at which no connection is accepted yet.
#[derive(Debug)]
pub struct Port {
    setting: &'static str,
    address: SocketAddr,
    listener: TcpListener,
}

impl Port {
    /// Opens the port at `address`, which `setting` names.
    pub fn open(setting: &'static str, address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind {
            setting,
            address,
            source,
        };
        let listener = bind(address).map_err(failed)?;
        Ok(Self {
            setting,
            address: listener.local_addr().map_err(failed)?,
            listener,
        })
    }
}

/// Starts to accept connections.
pub async fn listen(
    port: Port,
    tls: Option<Tls>,
    limits: &Limits,
    trusted_proxies: &TrustedProxies,
    router: Router,
) -> Result<Listener, ListenError> {
    let Port {
        setting,
        address,
        listener,
    } = port;
    let failed = |source| ListenError::Bind {
        setting,
        address,
        source,
    };
    let handle = Handle::new();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let proxies = trusted_proxies.clone();
    let connections = ConnectionLimiter::new(setting, limits.connections, move |address| {
        proxies.contains(address)
    });
    let serving = match &tls {
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls.config())
                .handshake_timeout(limits.tls_handshake_timeout)
                .acceptor(connections.clone());
            let server = axum_server::from_tcp(listener).map_err(failed)?;
            let server = limited(server.acceptor(acceptor), &handle, limits);
            tokio::spawn(server.serve(service))
        }
        None => {
            let server = axum_server::from_tcp(listener).map_err(failed)?;
            let server = limited(server.acceptor(connections.clone()), &handle, limits);
            tokio::spawn(server.serve(service))
        }
    };
    Ok(Listener {
        address,
        handle,
        connections,
        serving,
        tls,
    })
}

/// Binds with a longer accept queue than the standard library: a client that does not fit in retries after a second.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that a restart does not wait for the last connections of the previous process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

fn limited<A>(
    mut server: Server<SocketAddr, A>,
    handle: &Handle<SocketAddr>,
    limits: &Limits,
) -> Server<SocketAddr, A> {
    let http = server.http_builder();
    http.http1()
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    http.http2()
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(16 * 1024)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX);
    server
        .handle(handle.clone())
        .first_request_timeout(limits.first_request_timeout)
}

impl Listener {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connections(&self) -> &ConnectionLimiter {
        &self.connections
    }

    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// End of the certificate in use, in seconds since 1970; `None` without TLS.
    pub fn certificate_end(&self) -> Option<Arc<AtomicI64>> {
        self.tls.as_ref().map(Tls::end)
    }

    /// Reads certificate and key again.
    pub fn reload(&self) {
        if let Some(tls) = &self.tls {
            tls.reload();
        }
    }

    /// Stops accepting, and waits for open requests: at most [`CLIENTS_TIMEOUT`] for their clients, and until `changes`
    /// has ended for those that wait for a change.
    pub async fn stop(mut self, changes: impl Future<Output = ()>) {
        self.handle.graceful_shutdown(None);
        let mut ended = timeout(CLIENTS_TIMEOUT, &mut self.serving).await;
        if ended.is_err() {
            changes.await;
            ended = timeout(ANSWERS_TIMEOUT, &mut self.serving).await;
        }
        let ended = match ended {
            Ok(ended) => ended,
            Err(_) => {
                self.handle.shutdown();
                self.serving.await
            }
        };
        if let Ok(Err(error)) = ended {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the listener failed"
            );
        }
    }
}

/// Returns the end of the certificate in seconds since 1970, or the reason why the files cannot be used.
pub fn check_files(files: &TlsFiles) -> Result<i64, TlsError> {
    read_files(files, &[]).map(|(_, end)| end)
}

/// The listener's TLS, and the end of its certificate.
fn read_files(files: &TlsFiles, protocols: &[&[u8]]) -> Result<(Arc<ServerConfig>, i64), TlsError> {
    let (chain, key) = certificate::read_pair(files)?;
    let end = chain.first().and_then(certificate::end);
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let mut config = config.map_err(|source| TlsError::Pair {
        cert: files.cert.display().to_string(),
        key: files.key.display().to_string(),
        source,
    })?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok((Arc::new(config), end.unwrap_or(i64::MAX)))
}

/// Logs how long the certificate is valid.
fn log_end(end: i64) {
    const SOON: i64 = 14 * 24 * 60 * 60;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs().cast_signed());
    let until = Timestamp(end.saturating_mul(1_000)).iso_ms();
    if end < now {
        tracing::warn!(
            until,
            "the certificate of AGENT_KEYS_TLS_CERT_FILE has expired: browsers refuse it"
        );
    } else if end < now.saturating_add(SOON) {
        tracing::warn!(
            until,
            "the certificate of AGENT_KEYS_TLS_CERT_FILE expires soon"
        );
    } else {
        tracing::info!(
            until,
            "the certificate of AGENT_KEYS_TLS_CERT_FILE is valid"
        );
    }
}

/// Reloads certificate and key whenever the files change. Unusable files leave the old certificate in use.
async fn reload_when_changed(
    files: TlsFiles,
    protocols: &[&[u8]],
    config: RustlsConfig,
    end: Arc<AtomicI64>,
    asked: Arc<Notify>,
    reloaded: watch::Sender<Reloads>,
) {
    let mut seen = changed_at(&files);
    loop {
        let is_asked = timeout(FILES_CHECK_INTERVAL, asked.notified())
            .await
            .is_ok();
        let now = changed_at(&files);
        if !is_asked && now == seen {
            continue;
        }
        let is_used = reload(&files, protocols, &config, &end);
        if is_used {
            seen = now;
        }
        reloaded.send_if_modified(|reloads| {
            let before = *reloads;
            reloads.count += u64::from(is_used);
            reloads.failing = !is_used;
            *reloads != before
        });
    }
}

/// Returns false if the files cannot be used.
fn reload(
    files: &TlsFiles,
    protocols: &[&[u8]],
    config: &RustlsConfig,
    current_end: &AtomicI64,
) -> bool {
    match read_files(files, protocols) {
        Ok((read, end)) => {
            config.reload_from_config(read);
            current_end.store(end, Ordering::Relaxed);
            tracing::info!("certificate and key were replaced");
            log_end(end);
            true
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the new certificate and key cannot be used; the old ones stay"
            );
            false
        }
    }
}

fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    [changed(&files.cert), changed(&files.key)]
}

/// Replaces an unspecified address by the loopback address.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unusable_certificate_leaves_the_old_one_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            cert: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
        };
        let write = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            fs::write(&files.cert, made.cert.pem()).unwrap();
            fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        };
        write();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Tls::load(&files).unwrap().config();
        let before = config.get_inner();
        fs::write(&files.cert, "half a certificate").unwrap();
        let end = AtomicI64::new(0);
        assert!(!reload(&files, &[b"h2"], &config, &end));
        assert!(Arc::ptr_eq(&before, &config.get_inner()));
        write();
        assert_eq!(end.load(Ordering::Relaxed), 0);
        assert!(reload(&files, &[b"h2"], &config, &end));
        assert!(end.load(Ordering::Relaxed) > 0);
        assert_eq!(config.get_inner().alpn_protocols, [b"h2"]);
        assert!(!Arc::ptr_eq(&before, &config.get_inner()));
    }
}
