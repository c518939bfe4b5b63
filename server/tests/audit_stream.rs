//! The audit log goes to a data stream that comes and goes: every event arrives, and is there once.

use crate::support::{
    NOW, client, config,
    events::{intent, stamp},
    eventually, requirement, soak,
};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use server::{
    application::Application,
    clock::Clock,
    config::{AuditStream, Config},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

const KEY: &str = "dGhlOmtleQ==";

/// An Elasticsearch that knows one thing: to add documents to a data stream.
struct Target {
    address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Inside {
    documents: BTreeMap<String, Value>,
    requests: usize,
    /// Documents that were there already.
    repeated: usize,
    /// The number of each document of each request.
    sent: Vec<i64>,
    /// How many requests from now on are carried out and have no answer.
    answers_to_lose: usize,
    /// A document of this number is not taken so often.
    refuses: Option<(i64, usize)>,
}

impl Target {
    async fn prepare() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            inside: Arc::default(),
            serving: None,
        }
    }

    async fn come(&mut self) {
        // Somebody else's connection may have taken the port meanwhile, for as long as it lasts.
        let mut listener = TcpListener::bind(self.address).await;
        while listener.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            listener = TcpListener::bind(self.address).await;
        }
        let listener = listener.unwrap();
        let router = Router::new()
            .route("/{stream}/_bulk", post(add))
            .with_state(Arc::clone(&self.inside));
        self.serving = Some(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
    }

    async fn go(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inside) -> T) -> T {
        look(&mut self.inside.lock().unwrap())
    }
}

async fn add(
    State(inside): State<Arc<Mutex<Inside>>>,
    Path(stream): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(stream, "logs-agent_keys.audit-default");
    assert_eq!(headers["authorization"], format!("ApiKey {KEY}"));
    assert_eq!(headers["content-type"], "application/x-ndjson");
    assert!(body.len() < 1_200_000, "{}", body.len());
    let mut inside = inside.lock().unwrap();
    inside.requests += 1;
    let text = std::str::from_utf8(&body).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let items: Vec<_> = lines
        .chunks_exact(2)
        .map(|pair| {
            let id = pair[0]["create"]["_id"].as_str().unwrap();
            let status = inside.add(id, &pair[1]);
            json!({ "create": { "status": status, "error": { "type": "a_reason" } } })
        })
        .collect();
    if inside.answers_to_lose > 0 {
        inside.answers_to_lose -= 1;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let product = [("x-elastic-product", "Elasticsearch")];
    (product, axum::Json(json!({ "items": items }))).into_response()
}

impl Inside {
    fn add(&mut self, id: &str, document: &Value) -> u16 {
        let number = document["event"]["sequence"].as_i64().unwrap();
        self.sent.push(number);
        if let Some((refused, times)) = &mut self.refuses
            && *refused == number
            && *times > 0
        {
            *times -= 1;
            return 429;
        }
        if self.documents.contains_key(id) {
            self.repeated += 1;
            return 409;
        }
        self.documents.insert(id.to_owned(), document.clone());
        201
    }
}

async fn start(target: &Target, data_dir: &TempDir) -> Application {
    let config = Config {
        audit_stream: Some(AuditStream {
            url: format!("http://{}/", target.address).parse().unwrap(),
            name: "logs-agent_keys.audit-default".to_owned(),
            api_key: SecretString::from(KEY),
            ca_file: None,
        }),
        ..config(data_dir.path())
    };
    let hashing = embedded::PasswordHashing::FastForTests;
    let clock = Clock::manual(NOW);
    Application::start_with(config, clock, hashing)
        .await
        .unwrap()
}

async fn happen(application: &Application, numbers: std::ops::Range<i64>) {
    let store = &application.services().store;
    for number in numbers {
        store.record(&intent(number), &stamp(number)).await.unwrap();
    }
}

/// The longer it was away, the longer it takes until somebody looks for it again.
async fn arrive(target: &Target, count: usize) {
    let patience = Instant::now() + Duration::from_secs(soak(120, 150) as u64);
    while target.with(|inside| inside.documents.len()) != count {
        assert!(Instant::now() < patience, "{count} events do not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_event_arrives_once_at_a_target_that_comes_and_goes() {
    let events = soak(1_200, 10_000);
    let data_dir = tempfile::tempdir().unwrap();
    let mut target = Target::prepare().await;
    let application = start(&target, &data_dir).await;
    // Away: nobody who does something waits for it.
    let began = Instant::now();
    happen(&application, 0..i64::try_from(events).unwrap()).await;
    println!(
        "{events} events written while it was away, in {} ms",
        began.elapsed().as_millis()
    );
    let live = client()
        .get(format!("{}/health/live", application.url()))
        .send()
        .await;
    assert_eq!(live.unwrap().status(), 200);
    // Back, and not well: answers are lost, and an event in the middle of a request is not taken at first.
    target.with(|inside| (inside.answers_to_lose, inside.refuses) = (2, Some((700, 2))));
    target.come().await;
    arrive(&target, events).await;
    // The control: it was sent again what it had, and did not take it twice.
    assert!(target.with(|inside| inside.repeated) > 0);

    let stored = application
        .services()
        .store
        .audit_events(0, 100_000)
        .await
        .unwrap();
    let origin = application
        .services()
        .store
        .audit_head()
        .await
        .unwrap()
        .origin;
    let mut previous = origin;
    let arrived = target.with(|inside| inside.documents.clone());
    for event in &stored {
        let record: Value = serde_json::from_str(&event.record).unwrap();
        let document = &arrived[record["event"]["id"].as_str().unwrap()];
        assert_eq!(document["event"]["sequence"], event.sequence);
        assert_eq!(document["event"]["hash"], event.mac);
        assert_eq!(document["agent_keys"]["audit"]["prev_hash"], previous);
        assert_eq!(document["message"], record["message"]);
        previous = event.mac.clone();
    }
    assert_eq!((stored.len(), arrived.len()), (events, events));

    // Ended while it is away, and started again: what is new arrives, and nothing else is sent.
    target.go().await;
    let end = i64::try_from(events).unwrap();
    happen(&application, end..end + 20).await;
    application.stop().await;
    target.with(|inside| inside.sent.clear());
    target.come().await;
    let application = start(&target, &data_dir).await;
    arrive(&target, events + 20).await;
    assert!(target.with(|inside| inside.sent.iter().all(|number| *number > end)));
    application.stop().await;
    requirement("R37", events + 20, events + 20, None);
}

#[tokio::test]
async fn an_event_that_is_not_taken_holds_back_those_after_it() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut target = Target::prepare().await;
    target.with(|inside| inside.refuses = Some((3, usize::MAX)));
    target.come().await;
    let application = start(&target, &data_dir).await;
    happen(&application, 0..5).await;
    let attempts = async || {
        target.with(|inside| inside.sent.iter().filter(|number| **number == 3).count() > 1)
    };
    eventually("it is tried again", attempts).await;
    let address = format!("http://{}/logs-agent_keys.audit-default", target.address);
    let sent = application.services().store.sent_events(&address).await;
    assert_eq!(sent.unwrap(), 2);
    target.with(|inside| inside.refuses = None);
    arrive(&target, 5).await;
    let arrived = async || {
        application
            .services()
            .store
            .sent_events(&address)
            .await
            .unwrap()
            == 5
    };
    eventually("all are noted", arrived).await;
    application.stop().await;
}
