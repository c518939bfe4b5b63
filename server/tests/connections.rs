//! Callers that take more than their part: slow ones, silent ones, long ones, and too many.

use crate::support::{App, Setup, client, eventually, self_signed, soak};
use http::{Method, StatusCode};
use platform::connection_limit::ConnectionLimits;
use server::config::{Limits, TrustedProxies};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// Time after which a connection counts as kept open.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a bad one may take of each part, in these tests.
fn limit() -> Duration {
    // Many come in more than a second.
    Duration::from_secs(if each() > 100 { 8 } else { 1 })
}

/// Connections of each bad kind.
fn each() -> usize {
    soak(60, 500)
}

/// Room for the bad ones and the good ones.
fn room(idle_timeout: Duration) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: 4 * each() + 100,
        connections_per_address_max: 4 * each() + 100,
        idle_timeout,
    }
}

fn quick() -> Limits {
    Limits {
        tls_handshake_timeout: limit(),
        first_request_timeout: limit(),
        header_timeout: limit(),
        body_timeout: limit(),
        connections: room(limit() * 2),
    }
}

fn patient() -> Limits {
    let hour = Duration::from_secs(3_600);
    Limits {
        tls_handshake_timeout: hour,
        first_request_timeout: hour,
        header_timeout: hour,
        body_timeout: hour,
        connections: room(hour),
    }
}

async fn app(limits: Limits) -> App {
    let setup = Setup {
        limits: Some(limits),
        ..Setup::default()
    };
    App::start_with(setup).await
}

/// What a bad caller sends first, and then again and again.
#[derive(Clone, Copy, Debug)]
struct Slow {
    first: &'static [u8],
    drop: &'static [u8],
}

const SILENT: Slow = Slow {
    first: b"",
    drop: b"",
};
const HEADERS: Slow = Slow {
    first: b"GET /login HTTP/1.1\r\nHost: x\r\n",
    drop: b"X-Drop: 1\r\n",
};
const BODY: Slow = Slow {
    first: b"POST /api/sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\
            Content-Type: application/x-www-form-urlencoded\r\n\r\n",
    drop: b"x",
};

/// The beginning of HTTP/2, with empty settings, and nothing after it.
const SILENT_HTTP2: Slow = Slow {
    first: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    drop: b"",
};

/// HTTP/2 that goes on with pings.
const PINGS: Slow = Slow {
    first: SILENT_HTTP2.first,
    drop: b"\0\0\x08\x06\0\0\0\0\0pingpong",
};

/// The same after one request.
const REQUEST_THEN_PINGS: Slow = Slow {
    first: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
             \0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01x",
    drop: PINGS.drop,
};

/// A request each time.
const REQUESTS: Slow = Slow {
    first: b"",
    drop: b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
};

/// A bad caller: how long it was let in; `None` when it still is after `patience`.
async fn be_slow(address: SocketAddr, slow: Slow, patience: Duration) -> Option<Duration> {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return Some(Duration::ZERO);
    };
    let began = Instant::now();
    let mut answer = [0; 1_024];
    let _ = stream.write_all(slow.first).await;
    while began.elapsed() < patience {
        match timeout(Duration::from_millis(200), stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return Some(began.elapsed()),
            Ok(Ok(_)) => {}
            Err(_) => {
                let _ = stream.write_all(slow.drop).await;
            }
        }
    }
    None
}

struct Seen {
    /// How many bad callers were sent away in time, of how many.
    sent_away: (usize, usize),
    /// How many good ones were answered, of how many.
    served: (usize, usize),
    /// The slowest twentieth of their answers began here.
    p95: Duration,
}

/// Bad callers of every kind, and good ones beside them.
async fn besiege(app: &App, patience: Duration) -> Seen {
    let address = app.application.address();
    let bad: Vec<_> = [SILENT, HEADERS, BODY, SILENT_HTTP2]
        .into_iter()
        .flat_map(|slow| (0..each()).map(move |_| slow))
        .map(|slow| tokio::spawn(be_slow(address, slow, patience)))
        .collect();
    let (visitor, page) = (client(), format!("{}/login", app.application.url()));
    let (mut took, mut asked) = (Vec::new(), 0);
    while !bad.iter().all(|bad| bad.is_finished()) {
        asked += 1;
        let began = Instant::now();
        // Each on a connection of its own, as a new visitor comes.
        let visit = visitor.get(&page).header("connection", "close").send();
        if visit.await.is_ok_and(|answer| answer.status() == 200) {
            took.push(began.elapsed());
        }
        // A visitor now and then, not a load test.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    took.sort();
    let of = bad.len();
    let bad = futures::future::join_all(bad).await;
    Seen {
        sent_away: (
            bad.iter()
                .filter(|let_in| matches!(let_in, Ok(Some(_))))
                .count(),
            of,
        ),
        served: (took.len(), asked),
        p95: took
            .get(took.len() * 95 / 100)
            .copied()
            .unwrap_or(Duration::MAX),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_disconnected_and_others_served() {
    let bounded = app(quick()).await;
    let seen = besiege(&bounded, PATIENCE).await;
    println!("good callers' p95 {} ms", seen.p95.as_millis());
    assert_eq!(seen.sent_away.0, seen.sent_away.1, "bad ones sent away");
    assert_eq!(seen.served.0, seen.served.1, "good ones served");
    assert!(seen.p95 < limit(), "{:?}", seen.p95);
    eventually("every place is free again", async || {
        bounded.application.connections() == 0
    })
    .await;
}

/// The control: the same siege, where nothing protects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_server_without_time_limits_keeps_slow_clients() {
    let seen = besiege(&app(patient()).await, limit() * 3).await;
    assert_eq!(seen.sent_away.0, 0, "nobody was sent away");
}

/// Asks on this very connection; a client with a pool might open another.
async fn is_live(stream: &mut TcpStream) -> bool {
    let request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"live") {
        let mut bytes = [0; 2_048];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => answer.extend_from_slice(&bytes[..count]),
        }
    }
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn excess_connections_are_closed_and_open_ones_kept() {
    let limits = Limits {
        connections: ConnectionLimits {
            connections_max: 40,
            ..room(Duration::from_secs(3_600))
        },
        ..patient()
    };
    let app = app(limits).await;
    let address = app.application.address();
    let mut inside = TcpStream::connect(address).await.unwrap();
    assert!(is_live(&mut inside).await);
    let mut held = Vec::new();
    for _ in 0..39 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    eventually("every place is taken", async || {
        app.application.connections() == 40
    })
    .await;
    let mut closed = 0;
    for _ in 0..20 {
        let let_in = be_slow(address, HEADERS, PATIENCE).await;
        closed += usize::from(let_in.is_some());
        // Whoever is inside stays, and is answered on the connection it has.
        assert!(is_live(&mut inside).await);
    }
    assert_eq!(closed, 20);
    assert_eq!(app.application.connections(), 40);
    // The detector sees a server that is full: a new visitor is not served.
    let live = format!("{}/health/live", app.application.url());
    assert!(client().get(&live).send().await.is_err());
    // A place that is given back is somebody else's.
    held.truncate(10);
    eventually("a new visitor is served", async || {
        client().get(&live).send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn stalled_handshakes_and_idle_connections_are_closed() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup {
        tls: Some(self_signed(directory.path())),
        limits: Some(quick()),
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    let let_in = be_slow(app.application.address(), SILENT, PATIENCE).await;
    assert!(let_in.is_some_and(|let_in| let_in >= limit()), "{let_in:?}");
    // One that has been answered, and then stays silent.
    let browser = app.nobody();
    assert_eq!(browser.get("/health/live").await.text(), "live");
    assert_eq!(app.application.connections(), 1);
    eventually("the silent one is closed", async || {
        app.application.connections() == 0
    })
    .await;
}

#[tokio::test]
async fn stalled_connection_is_closed_in_every_phase() {
    let idle_timeout = Duration::from_secs(3);
    let limits = Limits {
        connections: room(idle_timeout),
        ..patient()
    };
    let app = app(limits).await;
    let address = app.application.address();
    // The control: a client that asks now and then is not idle.
    let moving = tokio::spawn(be_slow(address, REQUESTS, PATIENCE));
    // Bytes alone are not enough: neither headers without an end, nor the pings of HTTP/2.
    let stalled = [SILENT, SILENT_HTTP2, HEADERS, PINGS, REQUEST_THEN_PINGS]
        .map(|slow| be_slow(address, slow, PATIENCE));
    for let_in in futures::future::join_all(stalled).await {
        assert!(
            let_in.is_some_and(|let_in| let_in >= idle_timeout),
            "{let_in:?}"
        );
    }
    assert!(!moving.is_finished());
    moving.abort();
}

/// A connection from this address of the machine.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn one_address_gets_its_share_of_the_connections() {
    const PROXY: &str = "127.0.0.9";
    let limits = Limits {
        connections: ConnectionLimits {
            connections_max: 40,
            connections_per_address_max: 10,
            ..room(Duration::from_secs(3_600))
        },
        ..patient()
    };
    let setup = Setup {
        limits: Some(limits),
        trusted_proxies: TrustedProxies::parse(PROXY).unwrap(),
        ..Setup::default()
    };
    let app = App::start_with(setup).await;
    let address = app.application.address();
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut stream = connect_from("127.0.0.1", address).await;
        assert!(is_live(&mut stream).await);
        held.push(stream);
    }
    // HTTP/1 and HTTP/2 share the number.
    for slow in [HEADERS, SILENT_HTTP2] {
        assert!(be_slow(address, slow, PATIENCE).await.is_some());
    }
    assert_eq!(app.application.connections(), 10);
    // Another address is served, and a proxy brings as many as there are places.
    for (from, count) in [("127.0.0.2", 10), (PROXY, 20)] {
        for _ in 0..count {
            let mut stream = connect_from(from, address).await;
            assert!(is_live(&mut stream).await, "{from}");
            held.push(stream);
        }
    }
    assert_eq!(app.application.connections(), 40);
    // A connection that ends makes room for the next of its address.
    held.truncate(9);
    eventually("places are free again", async || {
        app.application.connections() == 9
    })
    .await;
    assert!(is_live(&mut connect_from("127.0.0.1", address).await).await);
}

/// Opens and resets streams at once. Returns true if the server ends the connection.
async fn reset_rapidly(address: SocketAddr, streams: u32, patience: Duration) -> bool {
    const HEADERS: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    let mut bytes = SILENT_HTTP2.first.to_vec();
    for number in 0..streams {
        let stream = (2 * number + 1).to_be_bytes();
        bytes.extend([0, 0, 6, 1, 5]);
        bytes.extend(stream);
        bytes.extend(HEADERS);
        bytes.extend([0, 0, 4, 3, 0]);
        bytes.extend(stream);
        bytes.extend(CANCEL);
    }
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let sending = tokio::spawn(async move {
        let _ = write.write_all(&bytes).await;
        // The client keeps it open.
        std::future::pending::<()>().await;
    });
    let ended = timeout(patience, async {
        let mut answers = [0; 4_096];
        while read.read(&mut answers).await.is_ok_and(|count| count > 0) {}
    });
    let ended = ended.await.is_ok();
    sending.abort();
    ended
}

#[tokio::test]
async fn rapid_stream_resets_end_the_connection() {
    let app = app(patient()).await;
    let address = app.application.address();
    assert!(reset_rapidly(address, 100_000, PATIENCE).await);
    assert_eq!(app.nobody().get("/health/live").await.text(), "live");
    // The control: a browser may cancel some requests.
    assert!(!reset_rapidly(address, 10, limit()).await);
}

/// Sends these bytes; the first line of the answer, and how many bytes were sent until it came.
async fn send(app: &App, head: &str, chunk: &[u8], chunks: usize) -> (String, usize) {
    let stream = TcpStream::connect(app.application.address()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let chunk = chunk.to_vec();
    let sending = tokio::spawn(async move {
        for number in 0..chunks {
            if write.write_all(&chunk).await.is_err() {
                return number * chunk.len();
            }
            tokio::task::yield_now().await;
        }
        chunks * chunk.len()
    });
    let mut answer = vec![0; 4_096];
    let count = timeout(PATIENCE, read.read(&mut answer)).await;
    let count = count.unwrap().unwrap_or(0);
    drop(read);
    let line = String::from_utf8_lossy(&answer[..count]);
    let line = line.lines().next().unwrap_or_default().to_owned();
    (
        line,
        timeout(Duration::from_secs(5), sending)
            .await
            .unwrap()
            .unwrap(),
    )
}

#[tokio::test]
async fn oversized_requests_are_refused_before_they_are_read() {
    let app = App::start().await;
    let get = |headers: &str| format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let many = |count: usize| get(&"X-A: 1\r\n".repeat(count));
    let long = |length: usize| get(&format!("X-A: {}\r\n", "a".repeat(length)));
    let cases = [
        (get(""), "200"),
        (many(90), "200"),
        (many(1_000), "431"),
        (long(15_000), "200"),
        (long(17_000), "431"),
    ];
    for (head, expected) in cases {
        let (line, _) = send(&app, &head, b"", 0).await;
        assert!(line.contains(expected), "{expected}: {line:?}");
    }
    for (length, expected) in [
        (8_000, StatusCode::NOT_FOUND),
        (8_300, StatusCode::URI_TOO_LONG),
    ] {
        let path = format!("/pkg/{}", "a".repeat(length));
        let answer = app
            .nobody()
            .request(Method::GET, &path)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), expected, "{length}");
    }
    // An upload without an end is cut off near its beginning.
    let head = "POST /api/sign_in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
    let (line, sent) = send(&app, head, &chunk, 10_000).await;
    assert!(line.contains("413"), "{line:?}");
    // What the sockets of both sides hold was also sent.
    assert!(sent < 16 * 1024 * 1024, "{sent}");
    // And one that announces its size, at once.
    let head = "POST /api/sign_in HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n";
    let (line, _) = send(&app, head, b"", 0).await;
    assert!(line.contains("413"), "{line:?}");
}
