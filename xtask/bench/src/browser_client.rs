//! A person with a browser that runs no JavaScript: pages, forms, and the cookies between them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use crate::client::{Answer, Connection, request};

/// Someone at the pages.
pub(crate) struct BrowserClient {
    connection: Connection,
    host: String,
    cookies: BTreeMap<String, String>,
}

impl BrowserClient {
    /// Opens the browser.
    pub(crate) async fn at(host: &str) -> Result<Self> {
        let connection = Connection::open(host).await?;
        Ok(Self {
            connection,
            host: host.to_owned(),
            cookies: BTreeMap::new(),
        })
    }

    /// Signs in at the form, as everyone does.
    pub(crate) async fn sign_in(&mut self, username: &str, password: &str) -> Result<()> {
        let page = self.get("/login").await?;
        let form =
            Form::with_field(page.text()?, "password").context("/login has no form to sign in")?;
        self.post(&form, &[("username", username), ("password", password)])
            .await?;
        let list = self.get("/settings/agent-keys").await?;
        if list.status != 200 {
            bail!(
                "after signing in, the list answers with status {}",
                list.status
            );
        }
        Ok(())
    }

    /// Loads a page.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.get_encoded(path, "identity").await
    }

    /// Opens a page or a file, which may come in this encoding.
    pub(crate) async fn get_encoded(&mut self, path: &str, encoding: &str) -> Result<Answer> {
        let headers = [("Accept", "text/html"), ("Accept-Encoding", encoding)];
        let request = self.request("GET", path, &headers, "");
        self.send(&request).await
    }

    /// The request for a page, as this person would send it.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Vec<u8> {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut all = vec![("Sec-Fetch-Site", "same-origin")];
        if !cookies.is_empty() {
            all.push(("Cookie", &cookies));
        }
        all.extend_from_slice(headers);
        request(method, &self.host, path, &all, body)
    }

    /// Sends a form as the page's script does, which asks for the answer alone.
    pub(crate) async fn call(&mut self, form: &Form, filled: &[(&str, &str)]) -> Result<Answer> {
        self.submit(form, filled, "application/json").await
    }

    /// Sends a form with some of its fields filled in; the others keep what the page gave them.
    ///
    /// A field may be named by its last part alone: `name` for `form[name]`.
    pub(crate) async fn post(&mut self, form: &Form, filled: &[(&str, &str)]) -> Result<Answer> {
        self.submit(form, filled, "text/html").await
    }

    async fn submit(
        &mut self,
        form: &Form,
        filled: &[(&str, &str)],
        accept: &str,
    ) -> Result<Answer> {
        let body = form.filled(filled)?;
        let origin = format!("http://{}", self.host);
        let headers = [
            ("Accept", accept),
            ("Origin", origin.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let request = self.request("POST", &form.action, &headers, &body);
        let answer = self.send(&request).await?;
        if answer.status >= 400 {
            bail!(
                "the form at {} was answered with status {}",
                form.action,
                answer.status
            );
        }
        Ok(answer)
    }

    async fn send(&mut self, request: &[u8]) -> Result<Answer> {
        let answer = self.connection.send(request).await?;
        for cookie in answer.header("set-cookie") {
            if let Some((name, value)) = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
            {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if answer
            .header("connection")
            .any(|value| value.eq_ignore_ascii_case("close"))
        {
            self.connection = Connection::open(&self.host).await?;
        }
        Ok(answer)
    }
}

/// A form of a page, with what the page filled in.
#[derive(Debug)]
pub(crate) struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    /// The first form that has a field of that name.
    pub(crate) fn with_field(page: &str, field: &str) -> Option<Self> {
        page.split("<form").skip(1).find_map(|rest| {
            let form = rest.split("</form").next()?;
            let action = attribute(form.split('>').next()?, "action")?;
            let inputs: Vec<_> = form
                .split("<input")
                .skip(1)
                .map(|rest| rest.split('>').next().unwrap_or(rest))
                .collect();
            let names =
                |tag: &&str| attribute(tag, "name").is_some_and(|name| is_named(&name, field));
            inputs.iter().any(names).then(|| Self {
                action,
                fields: inputs.iter().filter_map(|tag| sent(tag)).collect(),
            })
        })
    }

    fn filled(&self, filled: &[(&str, &str)]) -> Result<String> {
        let mut fields = self.fields.clone();
        for (name, value) in filled {
            let field = fields
                .iter_mut()
                .find(|(found, _)| is_named(found, name))
                .with_context(|| format!("the form at {} has no field {name}", self.action))?;
            (*value).clone_into(&mut field.1);
        }
        let pairs: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        Ok(pairs.join("&"))
    }
}

fn is_named(found: &str, name: &str) -> bool {
    found == name || found.ends_with(&format!("[{name}]"))
}

/// What a browser would send of an input: boxes only when they are checked.
fn sent(tag: &str) -> Option<(String, String)> {
    let name = attribute(tag, "name")?;
    let kind = attribute(tag, "type").unwrap_or_default();
    let value = attribute(tag, "value");
    if matches!(kind.as_str(), "checkbox" | "radio") {
        let checked = tag
            .split(['"', ' ', '/'])
            .any(|word| word == "checked" || word == "checked=");
        return checked.then(|| (name, value.unwrap_or_else(|| "on".to_owned())));
    }
    Some((name, value.unwrap_or_default()))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    let value = rest.split('"').next()?;
    let unescaped = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(value.to_owned(), |text, (from, to)| text.replace(from, to));
    Some(unescaped)
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<form action="/search"><input name="q"></form>
        <form method="post" action="/api/create?a=1&amp;b=2"><input type="hidden" name="token" value="a&quot;b">
        <input name="form[name]"><input type="checkbox" name="form[privileges][]" value="event:write" checked>
        <input type="checkbox" name="form[privileges][]" value="other"></form>"#;

    #[test]
    fn a_form_is_sent_as_a_browser_would() {
        let form = Form::with_field(PAGE, "name").unwrap();
        assert_eq!(form.action, "/api/create?a=1&b=2");
        assert_eq!(
            form.filled(&[("name", "my key")]).unwrap(),
            "token=a%22b&form%5Bname%5D=my%20key&form%5Bprivileges%5D%5B%5D=event%3Awrite"
        );
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error() {
        let form = Form::with_field(PAGE, "q").unwrap();
        let error = form.filled(&[("name", "x")]).unwrap_err();
        assert_eq!(error.to_string(), "the form at /search has no field name");
    }
}
