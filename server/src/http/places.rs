//! A limited number of connections, each of them closed when nothing moves on it any more.

use super::bounds::Bounds;
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

/// The places of a listener. Clones share them.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    max: usize,
    idle_timeout: Duration,
    refused: Arc<AtomicU64>,
    /// Whether the log was told that there are no places left, since there were last plenty.
    told: Arc<AtomicBool>,
}

impl Places {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            free: Arc::new(Semaphore::new(bounds.connections_max)),
            max: bounds.connections_max,
            idle_timeout: bounds.idle_timeout,
            refused: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Connections that are open.
    pub fn taken(&self) -> usize {
        self.max.saturating_sub(self.free.available_permits())
    }

    /// Connections that found no place.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn take(&self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            if self.free.available_permits() > self.max / 2 {
                self.told.store(false, Ordering::Relaxed);
            }
            return Ok(place);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        // A flood of connections must not become a flood of lines.
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                connections_max = self.max,
                "there are no places left: new connections are closed (AGENT_KEYS_CONNECTIONS_MAX)"
            );
        }
        Err(io::Error::other("no place"))
    }
}

impl<S> Accept<TcpStream, S> for Places {
    type Stream = Placed;
    type Service = S;
    type Future = Ready<io::Result<(Placed, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.take().map(|place| {
            let now = Instant::now();
            let placed = Placed {
                stream,
                idle_timeout: self.idle_timeout,
                moved_at: now,
                alarm: Box::pin(sleep_until(now + self.idle_timeout)),
                _place: place,
            };
            (placed, service)
        }))
    }
}

/// A connection in its place, which is free again when this is dropped.
pub struct Placed {
    stream: TcpStream,
    idle_timeout: Duration,
    moved_at: Instant,
    alarm: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Placed {
    /// What came of a read or a write, or the end when nothing has moved for too long. The alarm is put off only when
    /// it rings: that is cheaper than with every byte.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.moved_at = Instant::now();
            return poll;
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            let end = self.moved_at + self.idle_timeout;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.watch(context, poll)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watch(context, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watch(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(context);
        this.watch(context, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_shutdown(context);
        this.watch(context, poll)
    }
}
