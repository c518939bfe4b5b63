//! A proxy between the application and the engine that can go wrong in every way a network can.

use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What Elasticsearch answers when it has revoked keys and could not clear the cache of every node.
pub(crate) const CACHE_NOT_CLEARED: &str = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\
    X-elastic-product: Elasticsearch\r\nContent-Type: application/json\r\n\r\n\
    {\"error\":{\"type\":\"exception\",\"reason\":\"clearing the API key cache failed; \
    please clear the caches manually\"},\"status\":500}";

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection is closed before a byte is read.
    Hangup,
    /// The request is read, and nothing is answered for this long.
    Silence(Duration),
    /// The engine does what was asked, and the connection breaks after so many bytes of its answer.
    CutAfter(usize),
    /// The engine does what was asked, and something else is answered.
    AnswerAfterwards(&'static str),
    /// The engine never hears of it, and this is answered.
    Answer(&'static str),
    /// The engine never hears of it, and these bytes are answered.
    Bytes(Vec<u8>),
    /// The engine never hears of it. The head is answered, and then the body again and again, with a pause between.
    Endless {
        head: Vec<u8>,
        body: Vec<u8>,
        pause: Duration,
    },
    /// The engine does what was asked, and its answer waits until the gate is open.
    Late(Gate),
    /// The security index cannot be read: everybody gets the 401 of a wrong password, and API keys another.
    SecurityIndexUnavailable,
    /// The realm of these users cannot check passwords, as while an LDAP server is away.
    RealmAway(Vec<&'static str>),
    /// The engine does what was asked, and this is done to its answer.
    Edited(fn(&mut Value)),
    /// The cluster is of a later version: roles have this field too, with this value.
    RoleField(&'static str, Arc<Mutex<Value>>),
    /// The engine never hears of these ids among the others, and an error is answered for each.
    ErrorsFor(Vec<String>),
    /// The engine never hears of requests that hold this text, and this is answered.
    AnswerTo(&'static str, &'static str),
    /// Only the first request goes wrong in the first way. After it, those of this line go wrong in the second.
    Then(Box<Fault>, &'static str, Box<Fault>),
}

/// What holds answers up. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Lets everything through, now and later.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let mut open = self.0.subscribe();
        open.wait_for(|open| *open).await.unwrap();
    }
}

struct Plan {
    /// Requests whose first line begins with this go wrong.
    on: String,
    fault: Fault,
}

type Plans = Arc<Mutex<Vec<Plan>>>;

/// The proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    engine: SocketAddr,
    plans: Plans,
    seen: Arc<Mutex<Vec<String>>>,
    delay: Arc<Mutex<Duration>>,
    /// Bytes of endless answers that were taken.
    taken: Arc<AtomicUsize>,
    /// Connections that are open.
    busy: watch::Sender<usize>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// Stands in front of `engine`, and lets everything through.
    pub(crate) async fn start(engine: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            engine,
            plans: Arc::default(),
            seen: Arc::default(),
            delay: Arc::default(),
            taken: Arc::default(),
            busy: watch::Sender::default(),
            accepting: Mutex::default(),
        };
        proxy.accept(listener);
        proxy
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same as a socket's, for a proxy in front of this one.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, requests whose first line begins with `on` go wrong. An empty text means all.
    pub(crate) fn fail(&self, on: &str, fault: Fault) {
        self.heal();
        self.fail_too(on, fault);
    }

    /// The same, without healing what goes wrong already.
    pub(crate) fn fail_too(&self, on: &str, fault: Fault) {
        let on = on.to_owned();
        self.plans.lock().unwrap().push(Plan { on, fault });
    }

    /// From now on, everything goes well.
    pub(crate) fn heal(&self) {
        self.plans.lock().unwrap().clear();
    }

    /// From now on, every request waits this long before it is passed on, and its answer as long again.
    pub(crate) fn delay(&self, time: Duration) {
        *self.delay.lock().unwrap() = time;
    }

    /// From now on, connections are refused.
    pub(crate) async fn refuse(&self) {
        let accepting = self.accepting.lock().unwrap().take();
        if let Some(accepting) = accepting {
            accepting.abort();
            let _ = accepting.await;
        }
    }

    /// Accepts connections again.
    pub(crate) async fn stop_refusing(&self) {
        self.accept(TcpListener::bind(self.address).await.unwrap());
    }

    /// How many requests there were whose first line begins with `line`.
    pub(crate) fn count(&self, line: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.starts_with(line)).count()
    }

    /// How many bytes of endless answers were taken since this was last asked.
    pub(crate) fn taken(&self) -> usize {
        self.taken.swap(0, Ordering::Relaxed)
    }

    /// Waits until nothing is under way, so that what the engine was asked has happened.
    pub(crate) async fn settled(&self) {
        let mut busy = self.busy.subscribe();
        busy.wait_for(|busy| *busy == 0).await.unwrap();
    }

    fn accept(&self, listener: TcpListener) {
        let (engine, plans, seen) = (self.engine, Arc::clone(&self.plans), Arc::clone(&self.seen));
        let (delay, busy) = (Arc::clone(&self.delay), self.busy.clone());
        let taken = Arc::clone(&self.taken);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let delay = *delay.lock().unwrap();
                let (plans, seen) = (Arc::clone(&plans), Arc::clone(&seen));
                let (busy, taken) = (busy.clone(), Arc::clone(&taken));
                tokio::spawn(async move {
                    busy.send_modify(|busy| *busy += 1);
                    serve(stream, engine, plans, seen, delay, &taken).await;
                    busy.send_modify(|busy| *busy -= 1);
                });
            }
        });
        *self.accepting.lock().unwrap() = Some(task);
    }
}

/// One connection, one request: so a fault that is set now strikes the next request, not the next connection.
async fn serve(
    mut client: TcpStream,
    engine: SocketAddr,
    plans: Plans,
    seen: Arc<Mutex<Vec<String>>>,
    delay: Duration,
    taken: &AtomicUsize,
) {
    let hangs_up = |plan: &Plan| matches!(plan.fault, Fault::Hangup) && plan.on.is_empty();
    if plans.lock().unwrap().iter().any(hangs_up) {
        return;
    }
    let Some(request) = read_request(&mut client).await else {
        return;
    };
    let line = String::from_utf8_lossy(&request);
    let line = line.lines().next().unwrap_or_default().to_owned();
    let fault = {
        let mut plans = plans.lock().unwrap();
        let plan = plans.iter_mut().find(|plan| line.starts_with(&plan.on));
        plan.map(|plan| match plan.fault.clone() {
            Fault::Then(first, on, next) => {
                *plan = Plan {
                    on: on.to_owned(),
                    fault: *next,
                };
                *first
            }
            fault => fault,
        })
    };
    seen.lock().unwrap().push(line.clone());
    match fault {
        None => {
            tokio::time::sleep(delay).await;
            let answer = ask(engine, &request).await;
            tokio::time::sleep(delay).await;
            let _ = client.write_all(&answer).await;
        }
        Some(Fault::Hangup) => {}
        Some(Fault::Silence(time)) => tokio::time::sleep(time).await,
        Some(Fault::CutAfter(bytes)) => {
            let answer = ask(engine, &request).await;
            let _ = client.write_all(&answer[..bytes.min(answer.len())]).await;
        }
        Some(Fault::AnswerAfterwards(answer)) => {
            ask(engine, &request).await;
            let _ = client.write_all(answer.as_bytes()).await;
        }
        Some(Fault::Answer(answer)) => {
            let _ = client.write_all(answer.as_bytes()).await;
        }
        Some(Fault::AnswerTo(text, answer)) => {
            if String::from_utf8_lossy(&request).contains(text) {
                let _ = client.write_all(answer.as_bytes()).await;
            } else {
                let _ = client.write_all(&ask(engine, &request).await).await;
            }
        }
        Some(Fault::Then(..)) => unreachable!("the first of its faults is taken out above"),
        Some(Fault::Bytes(answer)) => {
            let _ = client.write_all(&answer).await;
        }
        Some(Fault::Endless { head, body, pause }) => {
            let mut next = client.write_all(&head).await;
            while next.is_ok() {
                tokio::time::sleep(pause).await;
                next = client.write_all(&body).await;
                taken.fetch_add(body.len(), Ordering::Relaxed);
            }
        }
        Some(Fault::Late(gate)) => {
            let answer = ask(engine, &request).await;
            gate.passed().await;
            let _ = client.write_all(&answer).await;
        }
        Some(Fault::SecurityIndexUnavailable) => {
            let detail = authorization(&request).starts_with("ApiKey").then_some(
                "API key: apikey authentication for id agent-keys-probe encountered a failure",
            );
            let _ = client.write_all(&unauthorized(detail)).await;
        }
        Some(Fault::RealmAway(users)) => {
            let sender = authorization(&request);
            let is_of = |user: &&str| sender == basic(user);
            let answer = if users.iter().any(is_of) {
                unauthorized(None)
            } else {
                ask(engine, &request).await
            };
            let _ = client.write_all(&answer).await;
        }
        Some(Fault::Edited(edit)) => {
            let answer = with_body(&ask(engine, &request).await, edit);
            let _ = client.write_all(&answer).await;
        }
        Some(Fault::RoleField(field, value)) => {
            let answer = if line.starts_with("PUT /_security/role/") {
                let request = with_body(&request, |role| {
                    let role = role.as_object_mut().unwrap();
                    *value.lock().unwrap() = role.remove(field).unwrap_or_default();
                });
                ask(engine, &request).await
            } else if line.starts_with("GET /_security/role/") {
                with_body(&ask(engine, &request).await, |roles| {
                    for role in roles.as_object_mut().unwrap().values_mut() {
                        role[field] = value.lock().unwrap().clone();
                    }
                })
            } else {
                ask(engine, &request).await
            };
            let _ = client.write_all(&answer).await;
        }
        Some(Fault::ErrorsFor(ids)) => {
            let mut failed = Vec::new();
            let request = with_body(&request, |body| {
                let asked = body["ids"].as_array_mut().unwrap();
                asked.retain(|id| {
                    let fails = ids.iter().any(|one| id == one);
                    failed.extend(
                        fails.then(|| json!({ "type": "version_conflict_engine_exception" })),
                    );
                    !fails
                });
            });
            let answer = with_body(&ask(engine, &request).await, |body| {
                body["error_count"] = failed.len().into();
                body["error_details"] = failed.into();
            });
            let _ = client.write_all(&answer).await;
        }
    }
    let _ = client.shutdown().await;
}

/// The value of the request's `Authorization`.
fn authorization(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let line = text
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
    line.map_or("", |line| &line["authorization: ".len()..])
        .to_owned()
}

fn basic(user: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let pair = BASE64_STANDARD.encode(format!("{user}:{}", super::PASSWORD));
    format!("Basic {pair}")
}

/// A 401 as a real cluster sends it: without the product header.
fn unauthorized(detail: Option<&str>) -> Vec<u8> {
    let mut error = json!({
        "type": "security_exception",
        "reason": "unable to authenticate user [ada] for REST request [/]",
    });
    if let Some(detail) = detail {
        error["additional_unsuccessful_credentials"] = detail.into();
    }
    let body = json!({ "error": error, "status": 401 }).to_string();
    format!(
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Type: application/json\r\n\
         WWW-Authenticate: Basic realm=\"security\", charset=\"UTF-8\"\r\nWWW-Authenticate: ApiKey\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 8_192];
    loop {
        let count = client
            .read(&mut buffer)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
        let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        if request.len() >= head + 4 + length {
            return Some(request);
        }
    }
}

/// The same request or answer with its body of JSON changed.
fn with_body(message: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let text = std::str::from_utf8(message).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut body = serde_json::from_str(body).unwrap();
    change(&mut body);
    let body = body.to_string();
    let is_length = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
    let lines: Vec<_> = head.split("\r\n").filter(|line| !is_length(line)).collect();
    let head = lines.join("\r\n");
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The request without `Accept-Encoding`, so that the answer can be read and changed.
fn plain(request: &[u8]) -> Vec<u8> {
    const HEADER: &[u8] = b"\r\naccept-encoding:";
    let begin = request
        .windows(HEADER.len())
        .position(|window| window.eq_ignore_ascii_case(HEADER));
    let Some(begin) = begin else {
        return request.to_vec();
    };
    let rest = &request[begin + 2..];
    let end = rest.windows(2).position(|window| window == b"\r\n");
    let after = &rest[end.unwrap_or(rest.len())..];
    [&request[..begin], after].concat()
}

/// Nothing where the engine is gone.
async fn ask(engine: SocketAddr, request: &[u8]) -> Vec<u8> {
    try_ask(engine, request).await.unwrap_or_default()
}

async fn try_ask(engine: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let line = request
        .windows(2)
        .position(|window| window == b"\r\n")
        .unwrap();
    let mut stream = TcpStream::connect(engine).await?;
    stream.write_all(&request[..line]).await?;
    stream.write_all(b"\r\nConnection: close").await?;
    stream.write_all(&plain(&request[line..])).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
