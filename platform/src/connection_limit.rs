//! Limits of a listener's connections: their number in all and from one address, and their age without a request.

use std::{
    collections::HashMap,
    fmt,
    future::{Ready, ready},
    io,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};
use tower::Service;

/// Bytes of a response that count like a request. Answers to HTTP/2's PING are smaller by far.
const RESPONSE_BYTES_MIN: usize = 16 * 1024;

/// Limits of the connections of one listener.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections that may be open at once. Further connections are closed at once.
    pub connections_max: usize,
    /// Of these, connections from one address, or from one /64 network of IPv6.
    pub connections_per_address_max: usize,
    /// Age without a byte in either direction, and without a request or 16 KiB of a response.
    pub idle_timeout: Duration,
}

/// Connection slots of a listener. Clones share them.
#[derive(Clone, Debug)]
pub struct ConnectionLimiter {
    limits: ConnectionLimits,
    /// Name of the listener in log lines.
    listener: &'static str,
    free: Arc<Semaphore>,
    by_address: Arc<ByAddress>,
    refused: Arc<AtomicU64>,
    /// True once a limit was logged; reset when usage falls below half, so that a flood logs one line.
    logged: Arc<AtomicBool>,
}

/// Numbers of open connections, by network of the client.
struct ByAddress {
    counts: Mutex<HashMap<IpAddr, usize>>,
    is_exempt: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl fmt::Debug for ByAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByAddress")
    }
}

impl ByAddress {
    fn count(&self, network: IpAddr, change: impl FnOnce(&mut usize) -> bool) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        let changed = change(count);
        if *count == 0 {
            counts.remove(&network);
        }
        changed
    }
}

/// Returns the part of an address that is counted: with IPv6 the /64 network, because one household has 2^64 addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl ConnectionLimiter {
    /// The limits of a listener. The number from one address does not apply to addresses that `is_exempt` returns true
    /// for, such as those of proxies.
    pub fn new(
        listener: &'static str,
        limits: ConnectionLimits,
        is_exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            limits,
            listener,
            free: Arc::new(Semaphore::new(limits.connections_max)),
            by_address: Arc::new(ByAddress {
                counts: Mutex::default(),
                is_exempt: Box::new(is_exempt),
            }),
            refused: Arc::default(),
            logged: Arc::default(),
        }
    }

    /// Number of open connections.
    pub fn open(&self) -> usize {
        let free = self.free.available_permits();
        self.limits.connections_max.saturating_sub(free)
    }

    /// Number of connections that were closed because of a limit.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn acquire(&self, address: IpAddr) -> io::Result<Slot> {
        let max = self.limits.connections_max;
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            return Err(self.refuse(address, "there are no places left"));
        };
        if self.free.available_permits() > max / 2 {
            self.logged.store(false, Ordering::Relaxed);
        }
        let counted = (!(self.by_address.is_exempt)(address)).then(|| network(address));
        if let Some(network) = counted {
            let may = self.by_address.count(network, |count| {
                let may = *count < self.limits.connections_per_address_max;
                *count += usize::from(may);
                may
            });
            if !may {
                return Err(self.refuse(address, "one address has its share of the places"));
            }
        }
        Ok(Slot {
            _permit: permit,
            by_address: Arc::clone(&self.by_address),
            counted,
        })
    }

    fn refuse(&self, address: IpAddr, reason: &'static str) -> io::Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if !self.logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                listener = self.listener,
                connections_max = self.limits.connections_max,
                connections_per_address_max = self.limits.connections_per_address_max,
                %address,
                "{reason}: new connections are closed (AGENT_KEYS_CONNECTIONS_MAX; a proxy of yours belongs into \
                 AGENT_KEYS_TRUSTED_PROXIES)"
            );
        }
        io::Error::other(reason)
    }
}

/// One place, free again when this is dropped.
struct Slot {
    _permit: OwnedSemaphorePermit,
    by_address: Arc<ByAddress>,
    counted: Option<IpAddr>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(network) = self.counted {
            self.by_address.count(network, |count| {
                *count = count.saturating_sub(1);
                true
            });
        }
    }
}

impl<S> Accept<TcpStream, S> for ConnectionLimiter {
    type Stream = LimitedStream;
    type Service = NotingRequests<S>;
    type Future = Ready<io::Result<(LimitedStream, NotingRequests<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = stream.peer_addr().and_then(|peer| {
            let slot = self.acquire(peer.ip().to_canonical())?;
            // Responses are written whole, and the last part of one must not wait for an acknowledgement.
            stream.set_nodelay(true)?;
            let now = Instant::now();
            let requests = Arc::new(AtomicU64::new(0));
            let stream = LimitedStream {
                stream,
                idle_timeout: self.limits.idle_timeout,
                moved_at: now,
                requests: Arc::clone(&requests),
                requests_seen: 0,
                response_bytes: 0,
                used_at: now,
                timer: Box::pin(sleep_until(now + self.limits.idle_timeout)),
                _slot: slot,
            };
            Ok((stream, NotingRequests { service, requests }))
        });
        ready(accepted)
    }
}

/// A service that notes each request for its [`LimitedStream`].
#[derive(Clone, Debug)]
pub struct NotingRequests<S> {
    service: S,
    requests: Arc<AtomicU64>,
}

impl<S, R> Service<R> for NotingRequests<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.service.call(request)
    }
}

/// A connection with its slot, which is free again when this is dropped.
pub struct LimitedStream {
    stream: TcpStream,
    idle_timeout: Duration,
    /// The last byte in either direction.
    moved_at: Instant,
    /// Requests so far, and as many as were seen here.
    requests: Arc<AtomicU64>,
    requests_seen: u64,
    /// Bytes written since `used_at`.
    response_bytes: usize,
    /// The last request, or the last part of a response.
    used_at: Instant,
    timer: Pin<Box<Sleep>>,
    _slot: Slot,
}

impl LimitedStream {
    /// Passes the result of a read or write on, or fails with `TimedOut` after the idle timeout. The timer is reset only
    /// when it fires, which is cheaper than with every byte.
    fn check_idle<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let requests = self.requests.load(Ordering::Relaxed);
        if requests != self.requests_seen || self.response_bytes >= RESPONSE_BYTES_MIN {
            self.requests_seen = requests;
            self.response_bytes = 0;
            self.used_at = Instant::now();
        }
        if poll.is_ready() {
            self.moved_at = Instant::now();
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let end = self.moved_at.min(self.used_at) + self.idle_timeout;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(end);
        }
        poll
    }

    fn note_written(&mut self, poll: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(written)) = poll {
            self.response_bytes += written;
        }
    }
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.check_idle(context, poll)
    }
}

impl AsyncWrite for LimitedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.note_written(&poll);
        this.check_idle(context, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.note_written(&poll);
        this.check_idle(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(context);
        this.check_idle(context, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_shutdown(context);
        this.check_idle(context, poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(connections_max: usize) -> ConnectionLimiter {
        let limits = ConnectionLimits {
            connections_max,
            connections_per_address_max: 2,
            idle_timeout: Duration::from_secs(75),
        };
        let proxy: IpAddr = [10, 0, 0, 1].into();
        ConnectionLimiter::new("test", limits, move |address| address == proxy)
    }

    #[test]
    fn address_gets_its_share_and_no_more() {
        let limiter = limiter(100);
        let address = |text: &str| text.parse().unwrap();
        let first = limiter.acquire(address("192.0.2.1")).unwrap();
        let second = limiter.acquire(address("192.0.2.1")).unwrap();
        assert!(limiter.acquire(address("192.0.2.1")).is_err());
        assert!(limiter.acquire(address("::ffff:192.0.2.1")).is_err());
        assert_eq!((limiter.open(), limiter.refused()), (2, 2));
        let other = limiter.acquire(address("192.0.2.2")).unwrap();
        drop(first);
        let again = limiter.acquire(address("192.0.2.1")).unwrap();
        drop((second, other, again));
        assert_eq!(limiter.open(), 0);
        assert!(limiter.by_address.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn ipv6_addresses_are_counted_by_network() {
        let limiter = limiter(100);
        let address = |text: &str| text.parse().unwrap();
        let slots = ["2001:db8:1:2::1", "2001:db8:1:2:3::9"]
            .map(|text| limiter.acquire(address(text)).unwrap());
        assert!(limiter.acquire(address("2001:db8:1:2::3")).is_err());
        assert!(limiter.acquire(address("2001:db8:1:3::1")).is_ok());
        drop(slots);
        assert!(limiter.acquire(address("2001:db8:1:2::3")).is_ok());
    }

    #[test]
    fn exempt_address_has_only_the_limit_in_all() {
        let limiter = limiter(4);
        let slots: Vec<_> = (0..4)
            .map(|_| limiter.acquire([10, 0, 0, 1].into()).unwrap())
            .collect();
        assert!(limiter.acquire([10, 0, 0, 1].into()).is_err());
        assert!(limiter.acquire([192, 0, 2, 1].into()).is_err());
        drop(slots);
    }
}
