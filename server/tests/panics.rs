//! A mistake of ours in one request.

use crate::support::{Answer, App, Browser, client, soak};
use app::model::problem::{Problem, ProblemKind};
use axum::{Router, routing::any};
use http::{Method, StatusCode};
use server::{
    config::{Limits, TrustedProxies},
    error::Error,
    http::{Web, listener, with_middleware},
};

/// What a panic says, and nobody outside may read.
const CANARY: &str = "CANARY of a panic";

async fn mistake() -> &'static str {
    panic!("{CANARY}")
}

async fn calm() -> &'static str {
    "calm"
}

#[tokio::test]
async fn panic_affects_only_its_own_request() {
    let panics = soak(30, 1_000);
    let app = App::start().await;
    let state = app.application.state().clone();
    // A change goes on in a task of its own: a panic there is another case.
    let in_a_task = {
        let state = state.clone();
        async move || {
            let change = async { panic!("{CANARY}") };
            let ended: Result<(), Error> = state.run_to_completion(change).await;
            match ended {
                Err(Error::TaskEnded) => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::OK,
            }
        }
    };
    let router = Router::new()
        .route("/api/mistake", any(mistake))
        .route("/mistake", any(mistake))
        .route("/api/in_a_task", any(in_a_task))
        .route("/calm", any(calm));
    let limits = Limits::default();
    let web = Web {
        state,
        tls: false,
        plain_http: false,
        trusted_proxies: TrustedProxies::default(),
        base_path: Default::default(),
        public_url: None,
        host_names: Default::default(),
        limits,
    };
    let address = "127.0.0.1:0".parse().unwrap();
    let router = with_middleware(router, web);
    let port = listener::Port::open("a test", address).unwrap();
    let listener = listener::listen(port, None, &limits, &TrustedProxies::default(), router)
        .await
        .unwrap();
    let browser = Browser {
        url: format!("http://{}", listener.address()),
        cookie: None,
        user: None,
        http: client(),
    };
    let mut held = 0;
    for number in 0..panics {
        let path = ["/api/mistake", "/mistake", "/api/in_a_task"][number % 3];
        let wrong = Answer::of(browser.request(Method::GET, path));
        let others = (0..4).map(|_| browser.get("/calm"));
        // At the same time, and over the same connections.
        let (wrong, others) = tokio::join!(wrong, futures::future::join_all(others));
        assert_eq!(wrong.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(!wrong.text().contains("CANARY") && !wrong.text().contains(".rs"));
        assert_eq!(wrong.header("x-request-id").unwrap().len(), 36);
        assert!(wrong.header("content-security-policy").is_some());
        if path.starts_with("/api/") {
            let problem: Problem = postcard::from_bytes(&wrong.body).unwrap();
            assert_eq!(problem.kind, ProblemKind::Internal);
            assert_eq!(problem.request_id.as_deref(), wrong.header("x-request-id"));
        }
        let undisturbed = |answer: &&Answer| answer.text() == "calm";
        held += usize::from(others.iter().filter(undisturbed).count() == 4);
    }
    assert_eq!(held, panics);
    // What it was about goes on as well.
    app.as_admin().await;
    listener.stop(std::future::ready(())).await;
}
