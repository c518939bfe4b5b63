//! Pages, forms and cookies below a path of a shared host name.

use crate::support::{App, Browser, PASSWORD, Setup, key_form};
use app::model::base_path::BasePath;
use http::StatusCode;

const PAGES: [&str; 9] = [
    "/settings/agent-keys",
    "/settings/agent-keys/new",
    "/settings/apm-integration",
    "/settings/users",
    "/settings/users/new",
    "/settings/users/password?user=elastic",
    "/settings/sessions",
    "/settings/audit",
    "/reauthenticate?next=%2Fkeys%2Fsettings%2Faudit",
];

async fn app(base_path: &str) -> App {
    let setup = Setup {
        base_path: BasePath::parse(base_path).unwrap(),
        ..Setup::default()
    };
    App::start_with(setup).await
}

/// The addresses of ours that a page leads to: links, forms, and the pages that its forms name.
fn addresses(page: &str) -> Vec<String> {
    let named = |name: &'static str| page.split(name).skip(1);
    [" href=\"/", " src=\"/", " action=\"/", " value=\"/"]
        .into_iter()
        .flat_map(named)
        .filter_map(|rest| Some(format!("/{}", rest.split_once('"')?.0)))
        .collect()
}

/// A browser with a key in its list, whose pages have all links there are.
async fn with_a_key(app: &App) -> (Browser, Vec<String>) {
    let browser = app.as_admin().await;
    let _ = browser.create("checkout").await;
    let id = app.engine.keys().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let list = "/settings/agent-keys";
    let of_key = [
        format!("{list}/{id}"),
        format!("{list}/{id}/revoke"),
        format!("{list}/revoke?id={id}"),
    ];
    let pages = PAGES.map(str::to_owned).into_iter().chain(of_key);
    (browser, pages.collect())
}

#[tokio::test]
async fn every_link_is_below_the_base_path() {
    let below = app("/keys").await;
    let (browser, pages) = with_a_key(&below).await;
    for page in pages {
        let answer = browser.get(&page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        let found = addresses(&answer.text());
        assert!(found.len() > 2, "{page}: {found:?}");
        for address in found {
            assert!(address.starts_with("/keys/"), "{page} leads to {address}");
        }
    }
    let nobody = below.nobody();
    for page in ["/login", "/no/such/page"] {
        let found = addresses(&nobody.get(page).await.text());
        assert!(!found.is_empty(), "{page}");
        let all_below = found.iter().all(|address| address.starts_with("/keys/"));
        assert!(all_below, "{page}: {found:?}");
    }
}

#[tokio::test]
async fn links_have_no_base_path_by_default() {
    let root = app("/").await;
    let (browser, mut pages) = with_a_key(&root).await;
    // It has the page to go back to, as it was asked for.
    pages.retain(|page| !page.starts_with("/reauthenticate"));
    for page in pages {
        let found = addresses(&browser.get(&page).await.text());
        assert!(found.len() > 2, "{page}: {found:?}");
        for address in found {
            let ours = ["/settings/", "/login", "/reauthenticate?", "/api/", "/pkg/"];
            let is_ours = ours.iter().any(|start| address.starts_with(start));
            assert!(is_ours, "{page} leads to {address}");
        }
    }
}

/// Signs in, creates a key, revokes it and signs out, with plain forms. `prefix` is how the proxy passes paths on.
async fn story(app: &App, prefix: &str) {
    let mut browser = app.nobody();
    browser.url = format!("{}{prefix}", app.application.url());
    let to_login = browser.get("/settings/agent-keys").await;
    let next = "/keys/login?next=%2Fkeys%2Fsettings%2Fagent-keys";
    assert_eq!(to_login.header("location"), Some(next));
    let fields = [
        ("username", "elastic"),
        ("password", PASSWORD),
        ("next", "/keys/settings/users"),
        ("page", "/keys/login?next=%2Fkeys%2Fsettings%2Fusers"),
    ];
    let signed_in = browser.submit("/login", "sign_in", &fields).await;
    assert_eq!(signed_in.header("location"), Some("/keys/settings/users"));
    browser.cookie = signed_in.cookie();
    browser.user = Some("elastic".to_owned());
    let mut form = key_form("op-1", "below").to_vec();
    form.push(("page", "/keys/settings/agent-keys/new"));
    let created = browser
        .submit("/settings/agent-keys/new", "create_agent_key", &form)
        .await;
    assert_eq!(created.status, StatusCode::OK);
    let page = created.text();
    assert!(page.contains("Store the key now"), "{page}");
    let all_below = addresses(&page)
        .iter()
        .all(|address| address.starts_with("/keys/"));
    assert!(all_below, "{:?}", addresses(&page));
    let id = app.engine.keys().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let revoked = browser
        .submit(
            &format!("/settings/agent-keys/{id}/revoke"),
            "revoke_agent_key",
            &[("id", &id)],
        )
        .await;
    let after = "/keys/settings/agent-keys";
    assert_eq!(revoked.header("location"), Some(after));
    assert!(revoked.notice_cookie().unwrap().contains(".keys="));
    let out = browser.submit("/settings/users", "sign_out", &[]).await;
    let login = "/keys/login?reason=signed-out";
    assert_eq!(out.header("location"), Some(login));
}

#[tokio::test]
async fn proxy_that_keeps_the_path_serves_the_application() {
    story(&app("/keys").await, "/keys").await;
}

#[tokio::test]
async fn proxy_that_strips_the_path_serves_the_application() {
    story(&app("/keys").await, "").await;
}

#[tokio::test]
async fn base_path_redirects_to_the_list() {
    let app = app("/keys").await;
    let mut browser = app.nobody();
    browser.url = app.application.url();
    for path in ["/keys", "/keys/", "/keys?a=b", "/", "/keys/settings"] {
        let answer = browser.get(path).await;
        let list = Some("/keys/settings/agent-keys");
        assert_eq!(answer.header("location"), list, "{path}");
    }
    let other = browser.get("/keysettings/agent-keys").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    for path in ["/health/live", "/keys/health/ready"] {
        assert_eq!(browser.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn scripts_are_served_below_the_base_path() {
    let app = app("/keys").await;
    let browser = app.as_admin().await;
    let form = [
        ("form[username]", "m.okafor"),
        ("form[password]", PASSWORD),
        ("form[full_name]", ""),
        ("form[email]", ""),
    ];
    let created = browser.post("create_user", &form).await;
    let users = Some("/keys/settings/users");
    assert_eq!(created.header("location"), users, "{}", created.text());
}

#[tokio::test]
async fn reauthentication_returns_below_the_base_path() {
    let app = app("/keys").await;
    let mut browser = app.as_admin().await;
    app.clock.advance(std::time::Duration::from_secs(600));
    let export = browser.get("/settings/audit/export.csv").await;
    let to = export.header("location").unwrap();
    let next = "%2Fkeys%2Fsettings%2Faudit%2Fexport.csv";
    assert_eq!(to, format!("/keys/reauthenticate?next={next}"));
    let export = "/keys/settings/audit/export.csv";
    let fields = [("password", PASSWORD), ("next", export)];
    let entered = browser
        .submit("/reauthenticate", "reauthenticate", &fields)
        .await;
    let audit = Some("/keys/settings/audit");
    assert_eq!(entered.header("location"), audit);
    browser.cookie = entered.cookie();
    let page = browser.get_after(&entered, "/settings/audit").await;
    let refresh = format!("0; url={export}");
    assert_eq!(page.header("refresh"), Some(refresh.as_str()));
    let elsewhere = [("password", PASSWORD), ("next", "/other/settings/audit")];
    let entered = browser
        .submit("/reauthenticate", "reauthenticate", &elsewhere)
        .await;
    let list = Some("/keys/settings/agent-keys");
    assert_eq!(entered.header("location"), list);
}

#[tokio::test]
async fn sign_out_below_a_base_path_clears_only_its_own_cookies() {
    // The control is in `sessions`: at the root of a host name, storage is cleared.
    let app = app("/keys").await;
    let browser = app.as_admin().await;
    let out = browser.submit("/settings/users", "sign_out", &[]).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(out.header("clear-site-data"), None);
}

#[tokio::test]
async fn applications_on_one_host_have_separate_sessions() {
    let (one, other) = (app("/one").await, app("/other").await);
    let (first, second) = (one.as_admin().await, other.as_admin().await);
    let cookies = [&first, &second].map(|browser| browser.cookie.clone().unwrap());
    assert!(cookies[0].contains(".one="), "{}", cookies[0]);
    let mut both = first.clone();
    both.cookie = Some(cookies.join("; "));
    assert_eq!(
        both.get("/settings/agent-keys").await.status,
        StatusCode::OK
    );
    both.url = second.url.clone();
    assert_eq!(
        both.get("/settings/agent-keys").await.status,
        StatusCode::OK
    );
    let of_the_other = Browser {
        cookie: Some(cookies[0].clone()),
        ..second
    };
    let answer = of_the_other.get("/settings/agent-keys").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}
