//! Work that waits until a response was handed to the connection, down to the last byte of its body.

use axum::body::{Body, Bytes};
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Wraps `body` so that `then` gets `work` at its end. A response that is replaced, or whose client disconnects before,
/// drops the work.
pub(super) fn when_sent(
    body: Body,
    work: BoxFuture<'static, ()>,
    then: impl FnOnce(BoxFuture<'static, ()>) + Send + 'static,
) -> Body {
    Body::new(Watched {
        body,
        at_end: Some(Box::new(move || then(work))),
    })
}

struct Watched {
    body: Body,
    at_end: Option<Box<dyn FnOnce() + Send>>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.body).poll_frame(context);
        // After the last frame of a known length, the connection does not poll again.
        let is_end = match &poll {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => this.body.is_end_stream(),
            _ => false,
        };
        if let Some(at_end) = this.at_end.take_if(|_| is_end) {
            at_end();
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, stream};
    use http_body_util::BodyExt;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    fn counted(body: Body) -> (Body, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let work = async move {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        let then = |work: BoxFuture<'static, ()>| assert_eq!(work.now_or_never(), Some(()));
        (when_sent(body, work.boxed(), then), count)
    }

    #[tokio::test]
    async fn work_runs_once_after_the_last_byte() {
        let pieces = || stream::iter([Ok::<_, std::io::Error>("one"), Ok("two")]);
        for body in [
            Body::from("whole"),
            Body::empty(),
            Body::from_stream(pieces()),
        ] {
            let (body, count) = counted(body);
            body.collect().await.unwrap();
            assert_eq!(count.load(Ordering::SeqCst), 1);
        }
        let (mut body, count) = counted(Body::from_stream(pieces()));
        body.frame().await.unwrap().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn work_does_not_run_for_a_response_that_is_not_sent() {
        let (body, count) = counted(Body::from("whole"));
        drop(body);
        assert_eq!(count.load(Ordering::SeqCst), 0);
        let failing = stream::iter([Ok("one"), Err(std::io::Error::other("broken"))]);
        let (body, count) = counted(Body::from_stream(failing));
        body.collect().await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
}
