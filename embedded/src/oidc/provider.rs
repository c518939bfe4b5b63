//! Calls of an OpenID Connect provider: metadata, keys, exchange of a code, user information.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{
    ClientAuth, OidcError, OidcRealm, RealmError,
    id_token::{self, Expected, Refusal},
    safe_address,
};

/// Time limit of one call.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Age at which metadata are read anew.
const METADATA_AGE_MAX: Duration = Duration::from_secs(3_600);
/// Largest answer.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The provider of a realm.
pub(super) struct Provider {
    http: Client,
    metadata_url: Url,
    issuer: String,
    metadata: Mutex<Option<(Instant, Arc<Metadata>)>>,
    keys: Mutex<Option<Arc<JwkSet>>>,
}

/// Metadata of a provider, after their check.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    token_endpoint: Url,
    jwks_uri: Url,
    code_challenge_methods: Vec<String>,
    sends_issuer: bool,
}

impl Metadata {
    /// Returns true if the provider takes part in PKCE.
    pub(super) fn takes_pkce(&self) -> bool {
        self.code_challenge_methods
            .iter()
            .any(|method| method == "S256")
    }

    /// Returns true if each answer of the provider names the issuer.
    pub(super) fn sends_issuer(&self) -> bool {
        self.sends_issuer
    }
}

/// Metadata as they are published.
#[derive(Deserialize)]
struct Published {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Tokens that a provider issued for a code.
#[derive(Deserialize)]
pub(super) struct IssuedTokens {
    #[serde(deserialize_with = "secret")]
    pub(super) id_token: SecretString,
    #[serde(default, deserialize_with = "optional_secret")]
    pub(super) access_token: Option<SecretString>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn optional_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    secret(deserializer).map(Some)
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

impl Provider {
    pub(super) fn new(settings: &OidcRealm, issuer: &Url) -> Result<Self, RealmError> {
        let mut http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .user_agent(concat!("agent-keys/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &settings.ca_certificates {
            http = http.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        } else if issuer.scheme() == "http" {
            http = http.tls_certs_only([]);
        }
        let base = settings.issuer.trim_end_matches('/');
        Ok(Self {
            http: http.build()?,
            metadata_url: safe_address(&format!("{base}/.well-known/openid-configuration"))?,
            issuer: settings.issuer.clone(),
            metadata: Mutex::default(),
            keys: Mutex::default(),
        })
    }

    /// Returns the provider's metadata, which are kept for [`METADATA_AGE_MAX`].
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let mut kept = self.metadata.lock().await;
        if let Some((read_at, metadata)) = kept.as_ref()
            && read_at.elapsed() < METADATA_AGE_MAX
        {
            return Ok(Arc::clone(metadata));
        }
        let published: Published = read(self.http.get(self.metadata_url.clone())).await?;
        if published.issuer != self.issuer {
            let other = "its metadata name another issuer";
            return Err(OidcError::Unavailable(other.to_owned()));
        }
        let address = |text: &str| {
            safe_address(text).map_err(|error| OidcError::Unavailable(error.to_string()))
        };
        let optional = |text: Option<String>| text.as_deref().map(address).transpose();
        let metadata = Arc::new(Metadata {
            authorization_endpoint: address(&published.authorization_endpoint)?,
            token_endpoint: address(&published.token_endpoint)?,
            jwks_uri: address(&published.jwks_uri)?,
            userinfo_endpoint: optional(published.userinfo_endpoint)?,
            end_session_endpoint: optional(published.end_session_endpoint)?,
            code_challenge_methods: published.code_challenge_methods_supported,
            sends_issuer: published.authorization_response_iss_parameter_supported,
        });
        *kept = Some((Instant::now(), Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// Exchanges a code. It is used up afterwards, also if the answer is lost.
    pub(super) async fn exchange(
        &self,
        metadata: &Metadata,
        settings: &OidcRealm,
        code: &SecretString,
        verifier: Option<&SecretString>,
    ) -> Result<IssuedTokens, OidcError> {
        read(self.exchange_request(metadata, settings, code, verifier)).await
    }

    fn exchange_request(
        &self,
        metadata: &Metadata,
        settings: &OidcRealm,
        code: &SecretString,
        verifier: Option<&SecretString>,
    ) -> RequestBuilder {
        let secret = settings.client_secret.expose_secret();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose_secret())
            .append_pair("redirect_uri", &settings.redirect_uri);
        if let Some(verifier) = verifier {
            form.append_pair("code_verifier", verifier.expose_secret());
        }
        let mut request = self.http.post(metadata.token_endpoint.clone());
        match settings.client_auth {
            ClientAuth::Post => {
                form.append_pair("client_id", &settings.client_id)
                    .append_pair("client_secret", secret);
            }
            ClientAuth::Basic => {
                // Both are form-encoded first (RFC 6749, section 2.3.1).
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = format!("{}:{}", encode(&settings.client_id), encode(secret));
                let pair = Zeroizing::new(pair);
                let value = format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes()));
                request = request.header(header::AUTHORIZATION, value);
            }
        }
        request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish())
    }

    /// Checks an ID token. Keys are read anew once if none of the known ones fits.
    pub(super) async fn verified_claims(
        &self,
        metadata: &Metadata,
        token: &SecretString,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, OidcError> {
        let known = self.keys.lock().await.clone();
        if let Some(keys) = known {
            match id_token::verified_claims(token, &keys, expected) {
                Ok(claims) => return Ok(claims),
                Err(Refusal::Other(reason)) => return Err(OidcError::IdToken(reason)),
                Err(Refusal::NoKey) => {}
            }
        }
        let keys: JwkSet = read(self.http.get(metadata.jwks_uri.clone())).await?;
        let keys = Arc::new(keys);
        *self.keys.lock().await = Some(Arc::clone(&keys));
        id_token::verified_claims(token, &keys, expected).map_err(|refusal| {
            OidcError::IdToken(match refusal {
                Refusal::NoKey => "no key of the provider fits its signature",
                Refusal::Other(reason) => reason,
            })
        })
    }

    pub(super) async fn userinfo(
        &self,
        endpoint: &Url,
        access_token: &SecretString,
    ) -> Result<Map<String, Value>, OidcError> {
        let request = self.http.get(endpoint.clone());
        read(request.bearer_auth(access_token.expose_secret())).await
    }
}

/// Sends a request and reads its JSON answer, up to [`ANSWER_BYTES_MAX`].
async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, OidcError> {
    // An error of reqwest holds the address, which holds no secret, but its causes are enough.
    let failed = |error: reqwest::Error| OidcError::Unavailable(error.without_url().to_string());
    let mut response = request
        .header(header::ACCEPT, "application/json")
        .send()
        .await
        .map_err(failed)?;
    let status = response.status();
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(OidcError::Malformed("too large"));
        }
        body.extend_from_slice(&chunk);
    }
    if status != StatusCode::OK {
        if let Ok(ErrorAnswer { error }) = serde_json::from_slice(&body) {
            return Err(OidcError::Refused(error.chars().take(64).collect()));
        }
        return Err(OidcError::Unavailable(format!("it answered {status}")));
    }
    serde_json::from_slice(&body).map_err(|_| OidcError::Malformed("not the expected JSON"))
}
