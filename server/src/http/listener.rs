//! The listener: bounded in time, with or without TLS, and ended in peace.

use super::{bounds::Bounds, places::Places, tls};
use crate::config::TlsFiles;
use axum::Router;
use axum_server::{Handle, Server, tls_rustls::RustlsAcceptor};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tokio::{net::TcpSocket, task::JoinHandle};

pub use super::tls::TlsError;

const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 100;
/// Connections that wait to be accepted.
const QUEUE_MAX: u32 = 1_024;
const STREAMS_MAX: u32 = 128;
/// Streams that a browser opens and gives up before we have seen them.
const RESET_STREAMS_MAX: usize = 20;
const DRAIN: Duration = Duration::from_secs(30);

/// The listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("{setting}: cannot listen on {address}: {source}")]
    Bind {
        /// Who named it.
        setting: &'static str,
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A listener that accepts requests.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    places: Places,
    serving: JoinHandle<io::Result<()>>,
    reloading: Option<JoinHandle<()>>,
}

/// Begins to accept requests at `address`, which `setting` names. When this returns, connections are answered.
pub async fn listen(
    setting: &'static str,
    address: SocketAddr,
    tls_files: Option<&TlsFiles>,
    bounds: &Bounds,
    router: Router,
) -> Result<Listener, ListenError> {
    let failed = |source| ListenError::Bind {
        setting,
        address,
        source,
    };
    let tls = match tls_files {
        Some(files) => Some((files.clone(), tls::load(files).await?)),
        None => None,
    };
    let listener = bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let handle = Handle::new();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let places = Places::new(bounds);
    let mut reloading = None;
    let serving = match tls {
        Some((files, config)) => {
            reloading = Some(tokio::spawn(tls::reload_when_changed(
                files,
                config.clone(),
            )));
            let acceptor = RustlsAcceptor::new(config)
                .handshake_timeout(bounds.tls_handshake_timeout)
                .acceptor(places.clone());
            let server = axum_server::from_tcp(listener).map_err(failed)?;
            let server = limited(server.acceptor(acceptor), &handle, bounds);
            tokio::spawn(server.serve(service))
        }
        None => {
            let server = axum_server::from_tcp(listener).map_err(failed)?;
            let server = limited(server.acceptor(places.clone()), &handle, bounds);
            tokio::spawn(server.serve(service))
        }
    };
    Ok(Listener {
        address,
        handle,
        places,
        serving,
        reloading,
    })
}

/// Binds with a longer accept queue than the standard library: a client that does not fit in retries after a second.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that a restart need not wait for the last connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE_MAX)?.into_std()
}

fn limited<A>(
    mut server: Server<SocketAddr, A>,
    handle: &Handle<SocketAddr>,
    bounds: &Bounds,
) -> Server<SocketAddr, A> {
    let http = server.http_builder();
    http.http1()
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    http.http2()
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(16 * 1024)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX);
    server
        .handle(handle.clone())
        .first_request_timeout(bounds.first_request_timeout)
}

impl Listener {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its places.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Accepts nothing new, and lets what is under way finish, for at most half a minute.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(DRAIN));
        if let Some(reloading) = self.reloading {
            reloading.abort();
        }
        if let Ok(Err(error)) = self.serving.await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the listener failed");
        }
    }
}
