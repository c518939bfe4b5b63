//! Nobody is led to another place: no person after signing in, and no credential by a redirect.

use crate::support::{Answer, App, PASSWORD, proxy::Fault};
use app::model::problem::{ElasticsearchFault, ProblemKind};
use http::StatusCode;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::TcpListener;
use url::Url;

/// Places that somebody might want a person to be led to.
const HOSTILE: [&str; 47] = [
    "//evil.example",
    "///evil.example",
    "////evil.example/%2e%2e",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "https://evil.example",
    "http://evil.example",
    "HTTPS://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "ftp://evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:https://evil.example/1",
    " //evil.example",
    "\t//evil.example",
    "\n//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/settings/\r\nLocation: https://evil.example",
    "/settings/\r\n\r\n<script>alert(1)</script>",
    "/settings/%0d%0aLocation:https://evil.example",
    "/settings//evil.example",
    "/settings/..//evil.example",
    "/settings/\\evil.example",
    "/settings/../../\\evil.example",
    "/settings@evil.example",
    "@evil.example",
    ".evil.example",
    ":5680@evil.example",
    "user:password@evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/\u{2215}/evil.example",
    "/\u{ff0f}evil.example",
    "\u{3002}evil.example",
    "/settings/\u{0}//evil.example",
    "/settings/../metrics",
    "/settings/%2e%2E/metrics",
    "/settings/./../metrics",
];

/// Whether an answer leads to a page of ours, as a browser reads it.
fn leads_home(answer: &Answer, own: &str) -> bool {
    let own = Url::parse(own).unwrap();
    let all: Vec<_> = answer.headers.get_all("location").iter().collect();
    let [location] = all.as_slice() else {
        return false;
    };
    let target = own.join(location.to_str().unwrap()).unwrap();
    target.origin() == own.origin() && target.path().starts_with("/settings/")
}

#[tokio::test]
async fn sign_in_redirects_only_to_own_pages() {
    let app = App::start().await;
    // Somebody of whom there are not too many sessions meanwhile.
    let mut ada = app.with_user("ada", &[]).await;
    let url = ada.url.clone();
    for (number, next) in HOSTILE.into_iter().enumerate() {
        let fields = [
            ("username", "elastic"),
            ("password", PASSWORD),
            ("next", next),
        ];
        let by_script = app.nobody().post("sign_in", &fields).await;
        assert_eq!(by_script.status, StatusCode::OK, "{next:?}");
        let by_form = app.nobody().submit("/login", "sign_in", &fields).await;
        assert_eq!(by_form.status, StatusCode::SEE_OTHER, "{next:?}");
        let mut answers = vec![by_script, by_form];
        // The same rule stands behind this form, so some of them will do.
        if number % 4 == 0 {
            let again = ada.post("reauthenticate", &fields[1..]).await;
            assert_eq!(again.status, StatusCode::OK, "{next:?}");
            ada.cookie = again.cookie();
            answers.push(again);
        }
        for answer in &answers {
            assert!(leads_home(answer, &url), "{next:?}: {:?}", answer.headers);
        }
    }
    // The controls: a page of ours is gone to, and a place elsewhere would be seen.
    let fields = [
        ("username", "elastic"),
        ("password", PASSWORD),
        ("next", "/settings/audit?action=user_login"),
    ];
    let answer = app.nobody().post("sign_in", &fields).await;
    let expected = Some("/settings/audit?action=user_login");
    assert_eq!(answer.header("location"), expected);
    let mut elsewhere = answer;
    for next in ["//evil.example/settings/", "/\\evil.example/settings/"] {
        let location = next.parse().unwrap();
        elsewhere.headers.insert("location", location);
        assert!(!leads_home(&elsewhere, &url), "{next}");
    }
}

#[tokio::test]
async fn cross_site_sign_in_is_refused() {
    let app = App::start().await;
    let browser = app.nobody();
    let fields = [("username", "elastic"), ("password", PASSWORD)];
    let origins = ["https://evil.example", "null", "http://127.0.0.1:1"];
    for origin in origins {
        let request = browser
            .request(http::Method::POST, "/api/sign_in")
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .form(&fields);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
        assert!(answer.cookie().is_none());
    }
}

/// A host that nobody has any business with, and how often somebody came.
async fn another_host() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, came)
}

#[tokio::test]
async fn credential_follows_no_redirect() {
    const CALLS: [&str; 5] = [
        "GET /_security/_authenticate",
        "POST /_security/_query/api_key",
        "POST /_security/api_key",
        "DELETE /_security/api_key",
        "PUT /_security/user/dana/_password",
    ];
    let (other, came) = another_host().await;
    let (app, proxy) = App::behind_proxy().await;
    app.engine.put_user("dana", &[]).await;
    let admin = app.as_admin().await;
    let key = app.engine.kibana_key("elastic", "to revoke").await;
    let (mut asked, mut held) = (0, 0);
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nConnection: close\r\nX-Elastic-Product: Elasticsearch\r\n\
             Content-Length: 0\r\nLocation: {other}/_security/_authenticate\r\n\r\n"
        );
        // As long as the tests live.
        let answer: &'static str = Box::leak(answer.into_boxed_str());
        for call in CALLS {
            proxy.fail(call, Fault::Answer(answer));
            let before = proxy.count(call);
            let told = match call {
                "GET /_security/_authenticate" => app.nobody().sign_in("elastic", PASSWORD).await,
                "POST /_security/_query/api_key" => admin.list(|_| {}).await,
                "POST /_security/api_key" => admin.create("redirected").await,
                "DELETE /_security/api_key" => {
                    admin.post("revoke_agent_key", &[("id", &key)]).await
                }
                _ => {
                    let fields = [("username", "dana"), ("password", "a good one for her")];
                    admin.post("reset_password", &fields).await
                }
            };
            assert!(proxy.count(call) > before, "{status} {call}");
            proxy.heal();
            asked += 1;
            let expected = [
                ProblemKind::Unconfirmed,
                ProblemKind::Elasticsearch(ElasticsearchFault::Gateway(status)),
                ProblemKind::Elasticsearch(ElasticsearchFault::Failed(status)),
            ];
            let problem = told.problem();
            assert!(expected.contains(&problem), "{status} {call}: {problem:?}");
            held += usize::from(came.load(Ordering::SeqCst) == 0);
        }
    }
    assert_eq!(held, asked);
    // The control: a client that follows redirects goes there.
    let answer = format!(
        "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {other}/\r\n\r\n"
    );
    proxy.fail("", Fault::Answer(Box::leak(answer.into_boxed_str())));
    let follower = crate::support::client_with(|builder| {
        builder
            .redirect(reqwest::redirect::Policy::limited(3))
            .timeout(std::time::Duration::from_secs(5))
    });
    let request = follower
        .get(proxy.url())
        .basic_auth("elastic", Some(PASSWORD));
    tokio::select! {
        _ = request.send() => {}
        () = crate::support::eventually("the control arrives", async || came.load(Ordering::SeqCst) > 0) => {}
    }
    assert!(came.load(Ordering::SeqCst) > 0);
}
