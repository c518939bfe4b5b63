//! Many who write to one database, and many who read it meanwhile.

use crate::support::{
    App,
    attacker::Attacker,
    events::{event_context, intent},
    soak,
};
use server::audit::verify::verify;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_sees_a_locked_database() {
    const WRITERS: i64 = 16;
    const READERS: usize = 64;
    let each = i64::try_from(soak(5, 300)).unwrap();
    let app = App::start().await;
    let store = app.store().clone();
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut failed = Vec::new();
                for number in 0..each {
                    let number = writer * each + number;
                    let written = store.record(&intent(number), &event_context(number)).await;
                    failed.extend(written.err().map(|error| format!("{error:?}")));
                }
                failed
            })
        })
        .collect();
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (store, over) = (store.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut failed, mut read) = (Vec::new(), 0);
                while !over.load(Ordering::SeqCst) {
                    let events = store.audit_events(0, 20).await;
                    failed.extend(events.err().map(|error| format!("{error:?}")));
                    read += 1;
                }
                (failed, read)
            })
        })
        .collect();
    // The control: somebody who neither waits nor asks for the lock at the beginning is told that it is locked.
    let mut careless = Attacker::of(&app).await;
    careless.run("PRAGMA busy_timeout = 0").await;
    let mut locked_out = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let nothing = "UPDATE sessions SET touched_at = touched_at";
        if let Err(error) = careless.try_to(nothing).await {
            assert!(error.to_string().contains("locked"), "{error}");
            locked_out += 1;
        }
        tokio::task::yield_now().await;
    }
    over.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for writer in writers {
        failed.extend(writer.await.unwrap());
    }
    let mut read = 0;
    for reader in readers {
        let (of_reader, times) = reader.await.unwrap();
        failed.extend(of_reader);
        read += times;
    }
    let written = WRITERS * each;
    println!("{written} writes, {read} reads, the control locked out {locked_out} times");
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(locked_out > 0 && read > 0);
    let verified = verify(app.store(), &[]).await.unwrap();
    assert_eq!(verified.rows, written);
}
