//! Limit of open connections, and the idle timeout of each.

use crate::config::Limits;
use axum_server::accept::Accept;
use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

/// Connection slots of a listener. Clones share them.
#[derive(Clone, Debug)]
pub struct ConnectionLimiter {
    free: Arc<Semaphore>,
    max: usize,
    idle_timeout: Duration,
    refused: Arc<AtomicU64>,
    /// True once the limit was logged; reset when usage falls below half, so that a flood logs one line.
    logged: Arc<AtomicBool>,
}

impl ConnectionLimiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limits.connections_max)),
            max: limits.connections_max,
            idle_timeout: limits.idle_timeout,
            refused: Arc::default(),
            logged: Arc::default(),
        }
    }

    /// Number of open connections.
    pub fn open(&self) -> usize {
        self.max.saturating_sub(self.free.available_permits())
    }

    /// Number of connections that were closed because of the limit.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn acquire(&self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            if self.free.available_permits() > self.max / 2 {
                self.logged.store(false, Ordering::Relaxed);
            }
            return Ok(permit);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        if !self.logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                connections_max = self.max,
                "there are no places left: new connections are closed (AGENT_KEYS_CONNECTIONS_MAX)"
            );
        }
        Err(io::Error::other("no place"))
    }
}

impl<S> Accept<TcpStream, S> for ConnectionLimiter {
    type Stream = LimitedStream;
    type Service = S;
    type Future = Ready<io::Result<(LimitedStream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.acquire().map(|permit| {
            let now = Instant::now();
            let stream = LimitedStream {
                stream,
                idle_timeout: self.idle_timeout,
                moved_at: now,
                timer: Box::pin(sleep_until(now + self.idle_timeout)),
                _permit: permit,
            };
            (stream, service)
        }))
    }
}

/// A connection with its slot, which is free again when this is dropped.
pub struct LimitedStream {
    stream: TcpStream,
    idle_timeout: Duration,
    moved_at: Instant,
    timer: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl LimitedStream {
    /// Passes the result of a read or write on, or fails with `TimedOut` after the idle timeout. The timer is reset only
    /// when it fires, which is cheaper than with every byte.
    fn check_idle<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.moved_at = Instant::now();
            return poll;
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let end = self.moved_at + self.idle_timeout;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
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
        this.check_idle(context, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
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
