//! Forms that a browser without JavaScript posts by itself.

use crate::support::{App, Browser, PASSWORD, key_form, mark, shown};
use http::{Method, StatusCode};

const NEW: &str = "/settings/agent-keys/new";

#[tokio::test]
async fn sign_in_redirects_to_the_requested_page() {
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
async fn refused_sign_in_keeps_the_user_name() {
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
async fn refused_key_form_keeps_its_fields() {
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
async fn form_of_another_user_is_rendered_again_with_its_fields() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let ben = app.with_key_user("ben").await;
    // One browser: Ada opened the form, and Ben signed in after her.
    let form = ada.get(NEW).await.text();
    assert!(form.contains(&format!(r#"name="user" value="{}""#, mark("ada"))));
    let now_ben = Browser {
        user: ada.user,
        ..ben.clone()
    };
    let typed = key_form("op-1", "typed-by-ada");
    let answer = now_ben.submit(NEW, "create_agent_key", &typed).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let page = shown(&answer.text());
    assert!(page.contains("You are now signed in as ben"), "{page}");
    assert!(page.contains("typed-by-ada"), "{page}");
    assert!(app.engine.keys().await.is_empty());
    // That page is Ben's, and so is the form on it.
    assert!(page.contains(&mark("ben")) && !page.contains(&mark("ada")));
    let answer = ben.submit(NEW, "create_agent_key", &typed).await;
    assert_eq!(answer.status, StatusCode::OK);
    // No form of a page is without its user.
    for page in [
        NEW,
        "/settings/sessions",
        "/settings/agent-keys",
        "/reauthenticate",
    ] {
        let page = ben.get(page).await.text();
        let forms = page.matches(r#"method="post""#).count();
        assert!(forms > 0);
        let field = format!(r#"name="user" value="{}""#, mark("ben"));
        assert_eq!(page.matches(&field).count(), forms);
    }
}

#[tokio::test]
async fn plain_form_post_responds_with_the_new_key() {
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
async fn revocation_redirects_to_the_list() {
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
    assert_eq!(list, "/settings/agent-keys");
    assert_eq!(ada.get(&list).await.status, StatusCode::OK);
}

#[tokio::test]
async fn form_of_an_unknown_page_is_rendered_on_the_list() {
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

/// The value of a hidden field on a page.
pub fn hidden(page: &str, name: &str) -> String {
    let start = format!(r#"name="{name}" value=""#);
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    shown(rest.split('"').next().unwrap())
}

#[tokio::test]
async fn form_of_an_ended_session_comes_back_after_sign_in() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    app.engine.put_user("ben", &["apm_agent_key_role"]).await;
    let mut typed = key_form("op-1", "typed & kept").to_vec();
    typed.extend([("page", NEW), ("form[password]", "hunter2hunter2")]);
    ada.clone().post("sign_out", &[]).await;
    for (user, expected) in [
        ("ada", "You are signed in again"),
        ("ben", "You are now signed in as ben"),
    ] {
        let answer = ada.submit(NEW, "create_agent_key", &typed).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let login = answer.text();
        assert!(login.contains("Sign in to Agent Keys") && login.contains("Your session ended"));
        assert!(!login.contains("hunter2"), "a password is never drawn");
        let (path, input) = (
            hidden(&login, "interrupted_path"),
            hidden(&login, "interrupted_input"),
        );
        let fields = |password| {
            vec![
                ("username", user),
                ("password", password),
                ("interrupted_path", path.as_str()),
                ("interrupted_input", input.as_str()),
            ]
        };
        // It outlives a wrong password.
        let wrong = app
            .nobody()
            .submit("/login", "sign_in", &fields("wrong"))
            .await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        assert_eq!(hidden(&wrong.text(), "interrupted_input"), input);
        app.clock.advance(std::time::Duration::from_secs(10));
        let answer = app
            .nobody()
            .submit("/login", "sign_in", &fields(PASSWORD))
            .await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.cookie().is_some());
        let page = shown(&answer.text());
        assert!(page.contains(expected), "{page}");
        assert!(
            page.contains("typed & kept") && page.contains(&mark(user)),
            "{page}"
        );
    }
    assert!(app.engine.keys().await.is_empty(), "nothing was sent again");
    // Only forms of this application come back.
    for path in [
        "/api/nothing",
        "/settings/users",
        "/api/read_viewer",
        "//evil.example",
    ] {
        let fields = [
            ("username", "ada"),
            ("password", PASSWORD),
            ("interrupted_path", path),
            ("interrupted_input", "a=b"),
        ];
        let answer = app.nobody().submit("/login", "sign_in", &fields).await;
        assert_eq!(
            answer.header("location"),
            Some("/settings/agent-keys"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn reload_after_creation_says_that_the_secret_is_gone() {
    let app = App::start().await;
    let ada = app.with_key_user("ada").await;
    let created = ada.create_as("op-1", "checkout").await;
    let id = app.engine.keys().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = ada.get_after(&created, NEW).await;
    let text = shown(&page.text());
    assert!(
        text.contains("a moment ago") && text.contains("Create it again"),
        "{text}"
    );
    assert!(text.contains(&format!("/settings/agent-keys/{id}/revoke")));
    assert!(
        text.contains(r#"value="checkout""#),
        "the name is filled in"
    );
    // Once: neither a second reload nor a link says so.
    assert!(!ada.get(NEW).await.text().contains("a moment ago"));
    // On the list, the row is marked instead.
    let list = "/settings/agent-keys";
    let marked = r#"data-state="new""#;
    assert!(ada.get_after(&created, list).await.text().contains(marked));
    assert!(!ada.get(list).await.text().contains(marked));
    // Without script, a reload sends the form again. The form it gets makes another key.
    let again = ada
        .submit(NEW, "create_agent_key", &key_form("op-1", "checkout"))
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let operation = hidden(&again.text(), "form[operation]");
    assert_ne!(operation, "op-1");
    assert_eq!(
        ada.create_as(&operation, "checkout").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn empty_sign_in_is_answered_at_its_fields() {
    let app = App::start().await;
    for (username, password, shown_errors) in [
        (
            "",
            "",
            ["Enter your username.", "Enter your password."].as_slice(),
        ),
        ("ada", "", &["Enter your password."]),
        (" ", "x", &["Enter your username."]),
    ] {
        let fields = [("username", username), ("password", password)];
        let answer = app.nobody().submit("/login", "sign_in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text();
        for error in ["Enter your username.", "Enter your password."] {
            let expected = shown_errors.contains(&error);
            assert_eq!(page.contains(error), expected, "{username}/{password}");
        }
        assert_eq!(
            page.matches(r#"aria-invalid="true""#).count(),
            shown_errors.len()
        );
        // Success is not drawn beside it.
        assert!(!page.contains(r#"data-tone="success""#));
    }
    assert!(
        app.events()
            .await
            .iter()
            .all(|event| event.action != "user_login")
    );
}

#[tokio::test]
async fn sign_out_works_without_script() {
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
async fn pages_are_compressed_and_responses_with_a_secret_are_not() {
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
            .form(&ada.form(&key_form(operation, "secret")));
        assert!(!size(request).await.1, "{accept}");
    }
}

#[tokio::test]
async fn chosen_theme_is_drawn_by_the_server() {
    let app = App::start().await;
    let mut admin = app.as_admin().await;
    let list = "/settings/agent-keys?sort=name";
    assert!(
        admin
            .get(list)
            .await
            .text()
            .contains("data-theme=\"system\"")
    );
    let fields = [("theme", "dark"), ("page", list)];
    let answer = admin.submit(list, "set_theme", &fields).await;
    assert_eq!(answer.header("location"), Some(list));
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("agent-keys-theme=dark; "), "{cookie}");
    assert!(cookie.contains("Path=/; Max-Age=31536000"), "{cookie}");
    let session = admin.cookie.take().unwrap();
    admin.cookie = Some(format!("{session}; agent-keys-theme=dark"));
    let page = admin.get(list).await.text();
    assert!(
        page.contains("<html lang=\"en\" data-theme=\"dark\""),
        "{page}"
    );
    let refused = admin
        .submit(list, "set_theme", &[("theme", "\"><script>")])
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    admin.cookie = Some(format!("{session}; agent-keys-theme=neon"));
    assert!(
        admin
            .get(list)
            .await
            .text()
            .contains("data-theme=\"system\"")
    );
}
