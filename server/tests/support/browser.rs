//! Browsers of the tests, without script, and the answers that they get.

use super::key_form;
use app::{
    api::form_post::USER_FIELD,
    model::problem::{Problem, ProblemKind},
};
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect;
use serde::de::DeserializeOwned;
use server::access::Identity;
use url::Url;

/// The HTTP client of a browser. It follows no redirect, so that a test sees it.
pub(crate) fn client() -> reqwest::Client {
    client_with(|builder| builder)
}

/// The same, with something of its own.
pub(crate) fn client_with(
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .no_gzip()
        .tls_danger_accept_invalid_certs(true);
    change(builder).build().unwrap()
}

/// Mark of a user of the engine in forms.
pub(crate) fn mark(username: &str) -> String {
    let realm = match username {
        "elastic" => "reserved",
        _ => "default_native",
    };
    let identity = Identity {
        username: username.to_owned(),
        realm: realm.to_owned(),
        realm_kind: "native".to_owned(),
        full_name: None,
    };
    identity.mark()
}

/// Browser with a cookie. Sends the origin of its forms.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) url: String,
    pub(crate) cookie: Option<String>,
    /// Mark of the signed-in user, a field of every form.
    pub(crate) user: Option<String>,
    pub(crate) http: reqwest::Client,
}

impl Browser {
    /// A request with what a browser always sends.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    /// Origin of the page that a form is on.
    fn origin(&self) -> String {
        let url = Url::parse(&self.url).unwrap();
        url.origin().ascii_serialization()
    }

    /// The fields of a form, with the user whose page it is on.
    pub(crate) fn form<'a>(&self, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, String)> {
        let named = fields.iter().any(|(name, _)| *name == USER_FIELD);
        let user = self.user.as_deref().filter(|_| !named);
        let user = user.map(|user| (USER_FIELD, mark(user)));
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        fields.chain(user).collect()
    }

    /// Calls a server function as the script does.
    pub(crate) async fn post(&self, function: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self
            .request(Method::POST, &format!("/api/{function}"))
            .header("origin", self.origin())
            .header("sec-fetch-site", "same-origin")
            .header("accept", "application/x-postcard")
            .form(&self.form(fields));
        Answer::of(request).await
    }

    /// The same, for a server that may go away meanwhile: then there is no answer.
    pub(crate) async fn try_post(&self, function: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        let request = self
            .request(Method::POST, &format!("/api/{function}"))
            .header("origin", self.origin())
            .header("accept", "application/json")
            .form(&self.form(fields));
        let response = request.send().await.ok()?;
        Some(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.ok()?.to_vec(),
        })
    }

    /// Calls a server function that is no form.
    pub(crate) async fn post_bytes(&self, function: &str, body: Vec<u8>) -> Answer {
        let request = self
            .request(Method::POST, &format!("/api/{function}"))
            .header("origin", self.origin())
            .header("accept", "application/x-postcard")
            .header("content-type", "application/x-postcard")
            .body(body);
        Answer::of(request).await
    }

    /// Posts a form as a browser without JavaScript does, from the page at `page`.
    pub(crate) async fn submit(
        &self,
        page: &str,
        function: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let request = self
            .request(Method::POST, &format!("/api/{function}"))
            .header("origin", self.origin())
            .header("sec-fetch-site", "same-origin")
            .header("referer", format!("{}{page}", self.url))
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .form(&self.form(fields));
        Answer::of(request).await
    }

    /// Opens the page that follows a form, with the message that was left for it.
    pub(crate) async fn get_after(&self, form: &Answer, path: &str) -> Answer {
        let cookies = [self.cookie.clone(), form.notice_cookie()];
        let cookies: Vec<_> = cookies.into_iter().flatten().collect();
        let with_notice = Self {
            cookie: Some(cookies.join("; ")),
            ..self.clone()
        };
        with_notice.get(path).await
    }

    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(
            self.request(Method::GET, path)
                .header("accept", "text/html"),
        )
        .await
    }

    /// Signs in, and keeps the cookie.
    pub(crate) async fn sign_in(&mut self, username: &str, password: &str) -> Answer {
        let fields = [("username", username), ("password", password)];
        let answer = self.post("sign_in", &fields).await;
        if let Some(cookie) = answer.cookie() {
            self.cookie = Some(cookie);
            self.user = Some(username.to_owned());
        }
        answer
    }

    /// Asks for one page of the list.
    pub(crate) async fn list(
        &self,
        change: impl FnOnce(&mut app::model::key_list::KeyListQuery),
    ) -> Answer {
        let mut query = app::model::key_list::KeyListQuery::default();
        change(&mut query);
        let question = app::api::agent_keys::ListAgentKeys { query };
        let body = postcard::to_allocvec(&question).unwrap();
        self.post_bytes("list_agent_keys", body).await
    }

    /// Makes a key that may do both, under a new operation.
    pub(crate) async fn create(&self, name: &str) -> Answer {
        let operation = format!("op-{}", uuid::Uuid::now_v7());
        self.create_as(&operation, name).await
    }

    /// Makes a key under this operation.
    pub(crate) async fn create_as(&self, operation: &str, name: &str) -> Answer {
        self.post("create_agent_key", &key_form(operation, name))
            .await
    }
}

/// The text of a page: without the comments that mark where it changes, and with its characters written out.
pub(crate) fn shown(page: &str) -> String {
    let marks = ["<!>", "<!---->", "<bdi>", "</bdi>"];
    let text = marks
        .iter()
        .fold(page.to_owned(), |text, mark| text.replace(mark, ""));
    // The ampersand comes last, so that nothing is read twice.
    let names = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    names.iter().fold(text, |text, (name, character)| {
        text.replace(name, character)
    })
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Sends the request and reads its whole answer.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    /// The body.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a server function that did what was asked.
    #[track_caller]
    pub(crate) fn value<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        postcard::from_bytes(&self.body).unwrap()
    }

    /// The problem of a refused request; the status must be the problem's own.
    #[track_caller]
    pub(crate) fn problem(&self) -> ProblemKind {
        let problem: Problem = postcard::from_bytes(&self.body).unwrap();
        assert_eq!(
            self.status.as_u16(),
            problem.kind.status(),
            "{}",
            self.text()
        );
        assert!(problem.request_id.is_some(), "{}", self.text());
        problem.kind
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The session's cookie, as the browser will send it; `None` when the answer sets none or takes it away.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.set_cookie("agent-keys")
    }

    /// The cookie by which the browser is known from now on, as it will send it.
    pub(crate) fn device_cookie(&self) -> Option<String> {
        self.set_cookie("agent-keys-device")
    }

    /// The cookie with the message for the next page, as the browser will send it.
    pub(crate) fn notice_cookie(&self) -> Option<String> {
        self.set_cookie("agent-keys-notice")
    }

    fn set_cookie(&self, wanted: &str) -> Option<String> {
        let pairs = self.headers.get_all("set-cookie").into_iter();
        let mut pairs = pairs.map(|value| value.to_str().unwrap().split(';').next().unwrap());
        let pair = pairs.find(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            // After these come the port and the base path.
            let name = name
                .split(['_', '.'])
                .find(|part| part.contains("agent-keys"));
            let name = name.unwrap();
            name.trim_start_matches("Host-") == wanted && !value.is_empty()
        })?;
        Some(pair.to_owned())
    }
}
