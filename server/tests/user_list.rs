//! The list of users: search, order, pages, the menu of a row, and the dialogs over the list.

use crate::support::{Answer, App, Browser, PASSWORD, proxy::Fault, shown};
use app::model::{user::GeneratedPassword, user_list::UserList};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Users that Elasticsearch keeps for itself.
const RESERVED: usize = 7;

async fn page(browser: &Browser, query: &str) -> String {
    let page = browser.get(&format!("/settings/users{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{query}");
    let tags = ["<strong>", "</strong>", "<b>", "</b>"];
    let text = shown(&page.text());
    tags.iter().fold(text, |text, tag| text.replace(tag, ""))
}

async fn names(browser: &Browser, query: &str) -> Vec<String> {
    let answer = browser.post("list_users", &[("list", query)]).await;
    let list: UserList = answer.value();
    list.users.into_iter().map(|user| user.username).collect()
}

/// 5,000 more users, as Elasticsearch answers with them.
fn with_thousands_of_users(users: &mut Value) {
    for number in 0..5_000 {
        let name = format!("u{number:04}");
        users[&name] = json!({
            "username": name, "roles": [], "full_name": null, "email": null, "metadata": {}, "enabled": true,
        });
    }
}

/// Rows of the table without its heading.
fn rows(page: &str) -> usize {
    page.matches("<tr").count().saturating_sub(1)
}

#[tokio::test]
async fn list_of_thousands_of_users_has_pages() {
    let (app, proxy) = App::behind_proxy().await;
    let admin = app.as_admin().await;
    let get_users = "GET /_security/user";
    proxy.fail(get_users, Fault::Edited(with_thousands_of_users));
    let first = page(&admin, "").await;
    assert!(first.contains("5,000 of 5,000 users, by name"), "{first}");
    assert!(first.contains("1–25 of 5,000 users"), "{first}");
    assert_eq!(rows(&first), 25);
    assert!(first.len() < 250_000, "{} bytes", first.len());
    assert!(first.contains("href=\"/settings/users?page=2\""));
    assert!(!first.contains("rel=\"prev\""));
    let last = page(&admin, "?page=200").await;
    assert!(last.contains("4,976–5,000 of 5,000 users") && last.contains("u4999"));
    assert!(last.contains("rel=\"prev\"") && !last.contains("rel=\"next\""));
    // A page that no longer exists is the last one.
    assert!(page(&admin, "?page=999").await.contains("4,976–5,000 of"));
    let large = page(&admin, "?rows=100&page=2").await;
    assert_eq!(rows(&large), 100);
    assert!(large.contains("101–200 of 5,000 users"));
    assert!(large.contains("href=\"/settings/users?rows=100&page=3\""));
    // Paging keeps search and order, and each user is found.
    let found = page(&admin, "?q=U49&order=desc&rows=15").await;
    assert!(
        found.contains("100 of 5,000 users, by name, Z to A"),
        "{found}"
    );
    assert!(found.contains("href=\"/settings/users?q=U49&order=desc&rows=15&page=2\""));
    for (search, matching) in [("u4999", 1), ("U499", 10), ("nobody", 0)] {
        let text = page(&admin, &format!("?q={search}")).await;
        assert_eq!(rows(&text), matching, "{search}");
    }
}

#[tokio::test]
async fn list_is_sorted_on_the_server() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for name in ["ada", "ben", "cleo"] {
        app.engine.put_user(name, &["superuser"]).await;
    }
    for name in ["one", "two"] {
        app.engine.kibana_key("cleo", name).await;
    }
    app.engine.kibana_key("ben", "three").await;
    let disable = "/_security/user/ben/_disable";
    app.engine.ask(Method::PUT, disable, None).await;
    for (query, expected) in [
        ("", ["ada", "ben", "cleo"]),
        ("order=desc", ["cleo", "ben", "ada"]),
        ("sort=keys", ["cleo", "ben", "ada"]),
        ("sort=keys&order=asc", ["ada", "ben", "cleo"]),
        ("sort=status", ["ben", "ada", "cleo"]),
        ("sort=status&order=desc", ["ada", "cleo", "ben"]),
        ("sort=password&order=sideways", ["ada", "ben", "cleo"]),
    ] {
        assert_eq!(names(&admin, query).await, expected, "{query}");
    }
    let text = page(&admin, "?sort=keys").await;
    assert!(text.contains("aria-sort=\"descending\""), "{text}");
    assert!(text.contains("href=\"/settings/users?sort=keys&order=asc\""));
    assert!(text.contains("href=\"/settings/users?sort=status\""));
}

#[tokio::test]
async fn reserved_users_are_listed_on_request_with_what_they_may_do() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("dana", &["viewer"]).await;
    assert_eq!(names(&admin, "").await, ["dana"]);
    let text = page(&admin, "").await;
    assert!(text.contains("1 of 1 user, "), "{text}");
    assert!(!text.contains("kibana_system"));

    let text = page(&admin, "?reserved=true").await;
    assert!(
        text.contains(&format!("{0} of {0} users", RESERVED + 1)),
        "{text}"
    );
    assert!(text.contains("Superuser: may do everything in this cluster."));
    assert!(text.contains("may manage Kibana’s data and create API keys for its users."));
    assert!(
        !text.contains("Built into Elasticsearch."),
        "each is described"
    );
    // Only the password of a reserved user can be changed.
    assert!(text.contains("/settings/users/password?user=kibana%5Fsystem&reserved=true"));
    for dialog in ["disable", "delete"] {
        let of = |name| format!("/settings/users/{dialog}?user={name}");
        assert!(!text.contains(&of("kibana%5Fsystem")), "{dialog}");
        assert!(text.contains(&of("dana")), "{dialog}");
    }
    // A search that only finds hidden users says so.
    let none = page(&admin, "?q=kibana").await;
    assert!(none.contains("No user matches"), "{none}");
    assert!(none.contains("href=\"/settings/users?q=kibana&reserved=true\""));
}

#[tokio::test]
async fn list_without_rows_says_why() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let none = page(&admin, "").await;
    assert!(
        none.contains("No users yet") && !none.contains("<table"),
        "{none}"
    );
    app.engine.put_user("dana", &["viewer"]).await;
    let none = page(&admin, "?q=nobody+at+all").await;
    assert!(
        none.contains("No user matches") && !none.contains("<table"),
        "{none}"
    );
    assert!(none.contains("<a href=\"/settings/users\" class=\"button\">Show all users</a>"));
    let all = page(&admin, "").await;
    assert!(
        all.contains("<table") && !all.contains("No user matches"),
        "{all}"
    );
}

#[tokio::test]
async fn invisible_characters_of_a_user_are_drawn() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let body = json!({
        "password": PASSWORD, "roles": ["view\u{202e}er"], "full_name": "Dana \u{202e}nimda", "email": null,
    });
    let path = "/_security/user/dana";
    app.engine.ask(Method::PUT, path, Some(body)).await;
    let text = page(&admin, "").await;
    assert!(text.contains("Dana ⟨U+202E⟩nimda"), "{text}");
    assert!(text.contains("view⟨U+202E⟩er"), "{text}");
    // The resource that the script reads holds the name as it is.
    let (table, _) = text.split_once("<script").unwrap_or((&text, ""));
    assert!(!table.contains('\u{202e}'));
}

#[tokio::test]
async fn change_in_the_list_is_announced_once_and_names_the_user() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("dana", &["viewer"]).await;
    let here = "/settings/users?q=dan";
    for (function, field, said) in [
        (
            "assign_agent_key_role",
            ("assigned", "true"),
            "Gave the agent key role to dana.",
        ),
        (
            "assign_agent_key_role",
            ("assigned", "false"),
            "Took the agent key role from dana.",
        ),
        ("set_user_enabled", ("enabled", "false"), "Disabled dana."),
        ("set_user_enabled", ("enabled", "true"), "Enabled dana."),
    ] {
        let fields = [
            ("username", "dana"),
            field,
            ("list", "?q=dan"),
            ("page", here),
        ];
        let by_script = admin.post(function, &fields).await;
        assert_eq!(by_script.status, StatusCode::OK, "{}", by_script.text());
        assert!(by_script.notice_cookie().is_some(), "{said}");
        // Without script, the form goes back to the list.
        let posted = admin.submit(here, function, &fields).await;
        assert_eq!(posted.status, StatusCode::SEE_OTHER, "{}", posted.text());
        assert_eq!(posted.header("location"), Some(here), "{said}");
        let after = admin.get_after(&posted, here).await;
        assert!(shown(&after.text()).contains(said), "{said}");
        let again = admin.get(here).await;
        assert!(!shown(&again.text()).contains(said), "{said}");
    }
    // A refusal stays on its page and leaves no message.
    let fields = [("username", "gone"), ("assigned", "true"), ("page", here)];
    let refused = admin.submit(here, "assign_agent_key_role", &fields).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(refused.notice_cookie(), None);
    assert!(shown(&refused.text()).contains("Not found"));
}

/// A dialog over the list: its server function, its page, its fields, and how the list names the change.
type DialogRow = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[rustfmt::skip]
const DIALOGS: [DialogRow; 4] = [
    ("create_user", "/settings/users/new?", &[("form[username]", "dave"), ("form[password]", PASSWORD)], "Created dave."),
    ("reset_password", "/settings/users/password?user=dana&", &[("username", "dana"), ("password", PASSWORD)], "Set a new password for dana."),
    ("set_user_enabled", "/settings/users/disable?user=dana&", &[("username", "dana"), ("enabled", "false")], "Disabled dana."),
    ("delete_user", "/settings/users/delete?user=dana&", &[("username", "dana")], "Deleted dana."),
];

#[tokio::test]
async fn user_dialog_keeps_the_list_behind_it() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    for name in ["dana", "zoe"] {
        app.engine.put_user(name, &["viewer"]).await;
    }
    let after = "/settings/users?q=dan&sort=keys";
    let list = shown(&admin.get(after).await.text());
    for (function, page, fields, change) in DIALOGS {
        let page = format!("{page}q=dan&sort=keys");
        assert!(list.contains(&format!("href=\"{page}\"")), "{page}: {list}");
        let dialog = shown(&admin.get(&page).await.text());
        // Close and Cancel.
        let close = dialog.matches(&format!("href=\"{after}\"")).count();
        assert_eq!(close, 2, "{page}: {dialog}");
        let field = "name=\"list\" value=\"?q=dan&sort=keys\"";
        assert!(dialog.contains(field), "{page}");
        assert!(dialog.contains("for dana"), "{page}");
        assert!(!dialog.contains("for zoe"), "{page}");

        let fields = [fields, &[("list", "?q=dan&sort=keys")]].concat();
        for by_script in [true, false] {
            app.engine.put_user("dana", &["viewer"]).await;
            let path = "/_security/user/dave";
            app.engine.ask(Method::DELETE, path, None).await;
            let answer = if by_script {
                admin.post(function, &fields).await
            } else {
                admin.submit(&page, function, &fields).await
            };
            assert_eq!(answer.header("location"), Some(after), "{}", answer.text());
            // The change is named once.
            let page = admin.get_after(&answer, after).await;
            assert!(shown(&page.text()).contains(change), "{change}");
            assert_eq!(page.notice_cookie(), None);
            let again = admin.get(after).await;
            assert!(!shown(&again.text()).contains(change), "{change}");
        }
    }
    // A form that is refused, and drawn again without a script.
    app.engine.put_user("dana", &["viewer"]).await;
    let fields = [
        ("username", "dana"),
        ("password", "short"),
        ("list", "?q=dan"),
    ];
    let page = "/settings/users/password?user=dana&q=dan";
    let refused = admin.submit(page, "reset_password", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = shown(&refused.text());
    assert!(text.contains("name=\"list\" value=\"?q=dan\""), "{text}");
    assert!(text.contains("for dana") && !text.contains("for zoe"));
}

#[tokio::test]
async fn user_dialog_redirects_only_to_the_users_page() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("dana", &["viewer"]).await;
    for (list, sent) in [
        ("//evil.example", ""),
        ("?q=//evil.example", "?q=%2F%2Fevil%2Eexample"),
        ("?q=a%0D%0ASet-Cookie: b=c", "?q=aSet%2DCookie%3A%20b%3Dc"),
        ("?q=a%26created=eve%23b", "?q=a%26created%3Deve%23b"),
        ("?q=é&page=2&rows=7", "?q=%C3%A9&page=2"),
    ] {
        let fields = [
            ("username", "dana"),
            ("password", "another good passphrase"),
            ("list", list),
        ];
        let scripted = admin.post("reset_password", &fields).await;
        let page = "/settings/users/password?user=dana";
        let posted = admin.submit(page, "reset_password", &fields).await;
        for answer in [scripted, posted] {
            let expected = format!("/settings/users{sent}");
            let location = answer.header("location");
            assert_eq!(location, Some(&*expected), "{}", answer.text());
            assert!(answer.cookie().is_none());
        }
    }
}

/// Text of the element `output`, which shows a password.
fn shown_password(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("<output").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

#[tokio::test]
async fn generated_password_is_in_one_response_and_signs_in() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("dana", &["viewer"]).await;
    let create = [
        ("form[username]", "dave"),
        ("form[password_source]", "generated"),
    ];
    let reset = [
        ("username", "dana"),
        ("password_source", "generated"),
        ("list", "?q=da"),
    ];
    let mut passwords = Vec::new();
    for (function, page, fields, name) in [
        ("create_user", "/settings/users/new", &create[..], "dave"),
        (
            "reset_password",
            "/settings/users/password?user=dana",
            &reset,
            "dana",
        ),
    ] {
        for by_script in [true, false] {
            let path = "/_security/user/dave";
            app.engine.ask(Method::DELETE, path, None).await;
            let (answer, password) = if by_script {
                let answer = admin.post(function, fields).await;
                let generated: Option<GeneratedPassword> = answer.value();
                let generated = generated.unwrap();
                assert_eq!(generated.username, name);
                let password = generated.password.expose().to_owned();
                (answer, password)
            } else {
                let answer = admin.submit(page, function, fields).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
                let password = shown_password(&answer);
                (answer, password)
            };
            assert_eq!(password.len(), 20, "{password}");
            assert_eq!(answer.header("location"), None);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let signed_in = app.nobody().sign_in(name, &password).await;
            assert_eq!(signed_in.status, StatusCode::OK, "{function}");
            // The list announces the change and does not hold the password.
            let list = admin.get_after(&answer, "/settings/users").await.text();
            assert!(shown(&list).contains(&format!("{name}.")), "{list}");
            for text in [list, answer.notice_cookie().unwrap()] {
                assert!(!text.contains(&password));
            }
            passwords.push(password);
        }
    }
    let events = app.events().await;
    let records: String = events.iter().map(|event| format!("{event:?}")).collect();
    assert!(records.contains("user_create"), "the control");
    let on_disk = app.bytes_on_disk();
    for password in &passwords {
        assert!(!records.contains(password.as_str()));
        let is_on_disk = on_disk
            .windows(password.len())
            .any(|bytes| bytes == password.as_bytes());
        assert!(!is_on_disk);
    }
    passwords.sort();
    passwords.dedup();
    assert_eq!(passwords.len(), 4, "each is another");
}

#[tokio::test]
async fn refused_form_keeps_the_choice_of_a_generated_password() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("dana", &["viewer"]).await;
    for (source, refused_for) in [
        ("generated", "This user exists."),
        ("typed", "This user exists."),
    ] {
        let fields = [
            ("form[username]", "dana"),
            ("form[password_source]", source),
            ("form[password]", PASSWORD),
        ];
        let page = admin
            .submit("/settings/users/new", "create_user", &fields)
            .await;
        let text = shown(&page.text());
        assert!(text.contains(refused_for), "{text}");
        let chosen = text
            .split("<input")
            .find(|input| input.contains("type=\"radio\"") && input.contains(" checked"));
        let chosen = chosen.unwrap().split('>').next().unwrap();
        assert!(chosen.contains(&format!("value=\"{source}\"")), "{chosen}");
        assert!(!text.contains(PASSWORD));
    }
}
