//! `POST /{data stream}/_bulk`: adds documents to a data stream, of this Elasticsearch or another, each once.

use super::{
    Error, StartError,
    connection::{READ_ANSWER_BYTES_MAX, WRITE_TIMEOUT, explain, read_answer},
    transport::client,
};
use http::{HeaderValue, StatusCode, header};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// Of the answer, only what is read.
const FILTER: &str = "filter_path=items.create.status,items.create.error.type";

/// A data stream, and the key that may add to it.
#[derive(Debug)]
pub struct DataStream {
    http: Client,
    url: Url,
    /// Without what is asked of it.
    target: String,
    authorization: HeaderValue,
}

/// A document, as the text that is sent.
#[derive(Debug)]
pub struct Document {
    /// Its id: a document that is there already is not added again.
    pub id: String,
    /// JSON in one line.
    pub source: String,
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there, since now or since before.
    There,
    /// It is not.
    Not {
        /// Why, as a status.
        status: u16,
        /// The error's type.
        kind: String,
    },
}

#[derive(Deserialize)]
struct Bulk {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type")]
    kind: String,
}

impl DataStream {
    /// The data stream `name` of the Elasticsearch at `url`, which ends with a slash. `api_key` is in the form that
    /// Elasticsearch calls encoded. `setting` is the name of the setting that `ca_file` comes from.
    pub fn new(
        mut url: Url,
        name: &str,
        api_key: &SecretString,
        ca_file: Option<PathBuf>,
        setting: &'static str,
    ) -> Result<Self, StartError> {
        let http = client(url.scheme(), ca_file, setting)?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        let target = url.to_string();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push("_bulk");
        }
        url.set_query(Some(FILTER));
        let mut authorization =
            HeaderValue::try_from(format!("ApiKey {}", api_key.expose_secret()))
                .map_err(|_| StartError::ApiKey)?;
        authorization.set_sensitive(true);
        Ok(Self {
            http,
            url,
            target,
            authorization,
        })
    }

    /// Which one it is, without secrets.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Adds documents. What became of each, in their order.
    #[tracing::instrument(name = "elasticsearch.data_stream.create", skip_all)]
    pub async fn create(&self, documents: &[Document]) -> Result<Vec<Added>, Error> {
        let mut body = String::new();
        for Document { id, source } in documents {
            let action = serde_json::json!({ "create": { "_id": id } });
            body.push_str(&format!("{action}\n{source}\n"));
        }
        let request = self
            .http
            .post(self.url.clone())
            .timeout(WRITE_TIMEOUT)
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(body);
        let response = request.send().await.map_err(|error| explain(&error))?;
        let answer = read_answer(response, READ_ANSWER_BYTES_MAX, false).await?;
        let bulk: Bulk = answer.read()?;
        if bulk.items.len() != documents.len() {
            return Err(Error::BadAnswer("items"));
        }
        Ok(bulk.items.into_iter().map(added).collect())
    }
}

fn added(Item { create }: Item) -> Added {
    match StatusCode::from_u16(create.status) {
        Ok(StatusCode::CONFLICT) => Added::There,
        Ok(status) if status.is_success() => Added::There,
        _ => Added::Not {
            status: create.status,
            kind: create.error.map(|error| error.kind).unwrap_or_default(),
        },
    }
}
