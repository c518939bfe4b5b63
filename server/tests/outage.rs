//! Elasticsearch's machine goes away, and comes back.

use crate::support::{App, Browser, NOW, PASSWORD, Setup, engine::Engine, eventually, requirement};
use app::model::problem::{ElasticsearchFault, ProblemKind};
use http::StatusCode;
use server::clock::Clock;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

const UNREACHABLE: ProblemKind = ProblemKind::Elasticsearch(ElasticsearchFault::Unreachable);

/// The way to an engine's machine, which may be switched off: then connections are neither accepted nor refused.
struct Machine {
    engine: SocketAddr,
    listener: Arc<TcpListener>,
    serving: Option<JoinHandle<()>>,
    waiting: Vec<TcpStream>,
}

impl Machine {
    async fn start(engine: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut machine = Self {
            engine,
            listener: Arc::new(socket.listen(16).unwrap()),
            serving: None,
            waiting: Vec::new(),
        };
        machine.switch_on();
        machine
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    fn switch_on(&mut self) {
        self.waiting.clear();
        let (listener, engine) = (Arc::clone(&self.listener), self.engine);
        self.serving = Some(tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(engine).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
    }

    async fn switch_off(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
        // What nobody accepts fills the queue; whoever comes after that waits in vain.
        let address = self.listener.local_addr().unwrap();
        let brief = Duration::from_millis(100);
        while let Ok(Ok(stream)) = tokio::time::timeout(brief, TcpStream::connect(address)).await {
            self.waiting.push(stream);
        }
    }
}

async fn start() -> (App, Machine) {
    let clock = Clock::manual(NOW);
    let engine = Arc::new(Engine::start(&clock).await);
    let machine = Machine::start(engine.address()).await;
    let setup = Setup {
        elasticsearch: Some(machine.url()),
        ..Setup::default()
    };
    (App::start_at(engine, clock, setup).await, machine)
}

fn is_given_up(app: &App) -> bool {
    app.application.services().elasticsearch.is_given_up()
}

/// How long it took to be told that there is no Elasticsearch.
async fn is_refused(browser: &Browser) -> Duration {
    let began = Instant::now();
    assert_eq!(browser.list(|_| {}).await.problem(), UNREACHABLE);
    began.elapsed()
}

/// Asks until nobody waits any more; every wait.
async fn give_up(app: &App, browser: &Browser) -> Vec<Duration> {
    let waits = futures::future::join_all((0..5).map(|_| is_refused(browser))).await;
    assert!(is_given_up(app));
    waits
}

#[tokio::test]
async fn a_machine_that_is_gone_is_not_waited_for_again_and_again() {
    let (app, mut machine) = start().await;
    let ada = app.with_key_user("ada").await;
    machine.switch_off().await;
    // The control: who asks first has to wait, for a connection that nobody accepts.
    let first = give_up(&app, &ada).await;
    let waited = |took: &Duration| *took > Duration::from_millis(1_900);
    assert!(first.iter().all(waited), "{first:?}");
    let mut took = Vec::new();
    for _ in 0..100 {
        took.push(is_refused(&ada).await);
    }
    took.sort();
    println!("refused after {} ms at p95", took[94].as_millis());
    assert!(took[94] < Duration::from_millis(300), "{took:?}");
    // A change is refused before anything of it is sent, and may be asked for again.
    let answer = ada.create_as("op-1", "during the outage").await;
    assert_eq!(answer.problem(), UNREACHABLE);
    machine.switch_on();
    let ended = Instant::now();
    let is_back = async || ada.list(|_| {}).await.status == StatusCode::OK;
    eventually("the list is back", is_back).await;
    println!("the list is back after {} ms", ended.elapsed().as_millis());
    assert!(ended.elapsed() < Duration::from_secs(6));
    let answer = ada.create_as("op-1", "during the outage").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(app.engine.keys().await.len(), 1);
    requirement("R38", 100, 100, None);
}

/// Nobody asks meanwhile, so nobody is let through to look: the task alone finds the end.
#[tokio::test]
async fn a_creation_is_not_refused_for_an_outage_that_is_over() {
    let (app, mut machine) = start().await;
    let ada = app.with_key_user("ada").await;
    machine.switch_off().await;
    give_up(&app, &ada).await;
    machine.switch_on();
    let ended = Instant::now();
    eventually("the end is found", async || !is_given_up(&app)).await;
    let took = ended.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    let created = ada.create("after the outage").await;
    assert_eq!(created.status, StatusCode::OK);
    requirement("R38", 1, 1, None);
}

#[tokio::test]
async fn a_restart_that_refuses_connections_keeps_nobody_out_afterwards() {
    let (app, proxy) = App::behind_proxy().await;
    let ada = app.with_key_user("ada").await;
    proxy.refuse().await;
    for _ in 0..50 {
        is_refused(&ada).await;
    }
    proxy.stop_refusing().await;
    assert_eq!(ada.list(|_| {}).await.status, StatusCode::OK);
    let answer = app.nobody().sign_in("ada", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
}
