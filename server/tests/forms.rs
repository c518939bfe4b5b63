//! Forms that a browser without JavaScript posts by itself.

use crate::support::{App, PASSWORD, key_form};
use http::{Method, StatusCode};

const NEW: &str = "/settings/agent-keys/new";

#[tokio::test]
async fn signing_in_goes_where_one_wanted_to_go() {
    let app = App::start().await;
    let nobody = app.nobody();
    let fields = [
        ("username", "elastic"),
        ("password", PASSWORD),
        ("next", "/settings/users?q=a"),
    ];
    let answer = nobody
        .submit("/login?next=%2Fsettings%2Fusers", "sign_in", &fields)
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), Some("/settings/users?q=a"));
    assert!(answer.cookie().is_some());
    let hostile = [
        ("username", "elastic"),
        ("password", PASSWORD),
        ("next", "//evil.example"),
    ];
    let answer = nobody.submit("/login", "sign_in", &hostile).await;
    assert_eq!(answer.header("location"), Some("/settings/agent-keys"));
}

#[tokio::test]
async fn a_refused_sign_in_draws_the_page_again_with_what_was_typed() {
    let app = App::start().await;
    let fields = [("username", "ada <b>"), ("password", "hunter2hunter2")];
    let answer = app.nobody().submit("/login", "sign_in", &fields).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let page = answer.text();
    assert!(page.contains("Sign in"), "{page}");
    assert!(
        page.contains("ada &lt;b&gt;")
            || page.contains("ada &lt;b>")
            || page.contains("value=\"ada <b>\""),
        "{page}"
    );
    assert!(!page.contains("hunter2"), "a password is never drawn");
}

#[tokio::test]
async fn a_refused_key_draws_the_form_again_with_what_was_typed() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let answer = ada
        .submit(NEW, "create_agent_key", &key_form("op-1", "_typed-before"))
        .await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.text()
    );
    let page = answer.text();
    assert!(page.contains("_typed-before"), "{page}");
    assert!(
        page.contains("Start the name with something other than"),
        "{page}"
    );
    assert!(!page.contains("hydrate"), "such a page carries no script");
    assert!(app.engine.keys().await.is_empty());
}

#[tokio::test]
async fn a_new_key_is_shown_in_the_answer_to_the_post_itself() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let answer = ada
        .submit(
            NEW,
            "create_agent_key",
            &key_form("op-1", "without a script"),
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("location"), None);
    let id = app.engine.keys().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = answer.text();
    assert!(page.contains(&id), "{page}");
    let prefix = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &id[..18]);
    // The list behind the dialog is in the page too, as base64 with ids in it: the secret is what goes on after the id.
    let start = page.find(&prefix).expect("the secret is in the page");
    let secret: String = page[start..]
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || "+/=".contains(*letter))
        .collect();
    assert!(secret.len() > 50, "{secret}");
    assert!(!page.contains("hydrate"));
    // Posting it again, as after Back, shows no secret and makes no key.
    let again = ada
        .submit(
            NEW,
            "create_agent_key",
            &key_form("op-1", "without a script"),
        )
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(!again.text().contains(&secret));
    assert_eq!(app.engine.keys().await.len(), 1);
}

#[tokio::test]
async fn revoking_goes_back_to_the_list() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    ada.create("to revoke").await;
    let id = app.engine.keys().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = format!("/settings/agent-keys/{id}/revoke");
    let answer = ada.submit(&page, "revoke_agent_key", &[("id", &id)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let list = answer.header("location").unwrap().to_owned();
    assert_eq!(list, format!("/settings/agent-keys?revoked={id}"));
    assert_eq!(ada.get(&list).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_from_a_page_that_is_none_of_ours_is_drawn_on_the_list() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for referer in ["/api/sign_out", "/nowhere", "//evil.example/settings/x", ""] {
        let answer = ada
            .submit(referer, "revoke_agent_key", &[("id", "unknown")])
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{referer}");
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
    }
}

#[tokio::test]
async fn a_form_without_a_session_goes_to_the_sign_in_page_and_back() {
    let app = App::start().await;
    let answer = app
        .nobody()
        .submit(NEW, "create_agent_key", &key_form("op-1", "x"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("/login?"), "{location}");
    assert!(
        location.ends_with("next=%2Fsettings%2Fagent-keys%2Fnew"),
        "{location}"
    );
}

#[tokio::test]
async fn signing_out_works_without_a_script() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let answer = admin.submit("/settings/users", "sign_out", &[]).await;
    assert_eq!(answer.header("location"), Some("/login?reason=signed-out"));
    let page = admin.request(Method::GET, "/settings/users");
    let answer = crate::support::Answer::of(page).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

/// How large an answer is that a browser asks for with compression, and whether it came compressed.
async fn size(request: reqwest::RequestBuilder) -> (usize, bool) {
    let request = request.header("accept-encoding", "gzip, deflate, br");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let compressed = answer.headers().contains_key("content-encoding");
    (answer.bytes().await.unwrap().len(), compressed)
}

#[tokio::test]
async fn pages_are_compressed_and_answers_with_a_secret_never() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    for number in 0..10 {
        ada.create(&format!("service {number}")).await;
    }
    let page = "/settings/agent-keys";
    let whole = ada.get(page).await.body.len();
    let request = ada.request(Method::GET, page).header("accept", "text/html");
    let (small, compressed) = size(request).await;
    assert!(compressed && small * 4 < whole, "{small} of {whole}");
    for (operation, accept) in [("op-1", "text/html"), ("op-2", "application/x-postcard")] {
        let request = ada
            .request(Method::POST, "/api/create_agent_key")
            .header("origin", &ada.url)
            .header("accept", accept)
            .form(&key_form(operation, "secret"));
        assert!(!size(request).await.1, "{accept}");
    }
}
