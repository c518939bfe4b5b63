//! OpenID Connect realms: users sign in at a provider, with the authorization code flow.
//!
//! The engine keeps nothing of a sign-in that has begun. The application binds `state` and `nonce`
//! to a browser and uses them once.

mod id_token;
mod provider;
mod signature;

use hkdf::Hkdf;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::identity;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
pub use id_token::IdTokenAlgorithm;
use provider::{Metadata, Provider};

/// Type of these realms.
pub(crate) const REALM_TYPE: &str = "oidc";

/// An OpenID Connect realm.
#[derive(Clone, Debug)]
pub struct OidcRealm {
    pub name: String,
    /// Issuer, exactly as the provider spells it. Its metadata are read from
    /// `/.well-known/openid-configuration` below it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub client_auth: ClientAuth,
    /// Address to which the provider sends the browser back.
    pub redirect_uri: String,
    /// Address to which the provider sends the browser after signing out.
    pub post_logout_redirect_uri: Option<String>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    pub algorithm: IdTokenAlgorithm,
    /// Claims that hold the user's name, groups, full name and email address.
    pub claims: Claims,
    /// Certificates of the provider's authorities, as PEM; `None` for those of the system.
    pub ca_certificates: Option<Vec<u8>>,
}

/// Names of claims.
#[derive(Clone, Debug)]
pub struct Claims {
    pub principal: String,
    pub groups: Option<String>,
    pub name: Option<String>,
    pub mail: Option<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            principal: "sub".to_owned(),
            groups: None,
            name: None,
            mail: None,
        }
    }
}

/// The way in which the engine shows its client secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    Basic,
    Post,
}

/// The reason why a realm cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RealmError {
    #[error("its name is empty, given twice, or that of a realm of every engine")]
    Name,
    #[error("[{0}] is no https address, nor http on loopback")]
    Address(String),
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// The reason why a sign-in failed. Holds no token and no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    #[error("the provider answered with the error [{0}]")]
    Refused(String),
    #[error("the answer of the provider is malformed: {0}")]
    Malformed(&'static str),
    #[error("the state is not the one of the request")]
    State,
    #[error("the issuer in the answer is another")]
    Issuer,
    #[error("the ID token is refused: {0}")]
    IdToken(&'static str),
    #[error("the user information is about another subject")]
    OtherSubject,
    #[error("the claim [{0}] is missing or no text")]
    NoPrincipal(String),
    #[error("the provider cannot be used: {0}")]
    Unavailable(String),
}

/// A user who signed in at a provider.
#[derive(Debug)]
pub(crate) struct OidcUser {
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) metadata: Map<String, Value>,
}

/// A realm with what is known of its provider.
pub(crate) struct Realm {
    settings: OidcRealm,
    redirect_uri: Url,
    provider: Provider,
}

/// Opens all realms. The error names the realm.
pub(crate) fn open(realms: Vec<OidcRealm>) -> Result<Vec<Realm>, (String, RealmError)> {
    signature::install();
    let mut opened: Vec<Realm> = Vec::with_capacity(realms.len());
    for settings in realms {
        let name = settings.name.clone();
        let is_new = !name.is_empty()
            && !identity::Realm::is_built_in(&name)
            && opened.iter().all(|realm| realm.name() != name);
        let realm = if is_new {
            Realm::open(settings)
        } else {
            Err(RealmError::Name)
        };
        opened.push(realm.map_err(|error| (name, error))?);
    }
    Ok(opened)
}

/// Parses an address to which secrets may travel.
fn safe_address(text: &str) -> Result<Url, RealmError> {
    let refused = || RealmError::Address(text.to_owned());
    let url = Url::parse(text).map_err(|_| refused())?;
    let is_loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err(refused()),
    }
}

impl Realm {
    fn open(settings: OidcRealm) -> Result<Self, RealmError> {
        let issuer = safe_address(&settings.issuer)?;
        let redirect_uri = Url::parse(&settings.redirect_uri)
            .map_err(|_| RealmError::Address(settings.redirect_uri.clone()))?;
        Ok(Self {
            provider: Provider::new(&settings, &issuer)?,
            redirect_uri,
            settings,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Returns the address at the provider where the browser begins to sign in.
    pub(crate) async fn authorization_url(
        &self,
        state: &str,
        nonce: &str,
        login_hint: Option<&str>,
    ) -> Result<String, OidcError> {
        let metadata = self.provider.metadata().await?;
        let settings = &self.settings;
        let scopes = ["openid"].into_iter();
        let scopes = scopes.chain(settings.scopes.iter().map(String::as_str));
        let mut url = metadata.authorization_endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("scope", &scopes.collect::<Vec<_>>().join(" "))
                .append_pair("response_type", "code")
                .append_pair("redirect_uri", &settings.redirect_uri)
                .append_pair("state", state)
                .append_pair("nonce", nonce)
                .append_pair("client_id", &settings.client_id);
            if let Some(hint) = login_hint {
                query.append_pair("login_hint", hint);
            }
            if let Some(verifier) = self.code_verifier(&metadata, state)? {
                let challenge = Sha256::digest(verifier.expose_secret().as_bytes());
                query
                    .append_pair("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(challenge))
                    .append_pair("code_challenge_method", "S256");
            }
        }
        Ok(url.into())
    }

    /// The secret of PKCE for one sign-in, if the provider takes part. It is derived from the client
    /// secret, because the engine keeps nothing of a sign-in.
    fn code_verifier(
        &self,
        metadata: &Metadata,
        state: &str,
    ) -> Result<Option<SecretString>, OidcError> {
        if !metadata.takes_pkce() {
            return Ok(None);
        }
        let secret = self.settings.client_secret.expose_secret();
        let mut verifier = [0; 32];
        Hkdf::<Sha256>::new(Some(state.as_bytes()), secret.as_bytes())
            .expand(b"agent-keys pkce", &mut verifier)
            .map_err(|_| OidcError::Malformed("state"))?;
        let verifier = BASE64_URL_SAFE_NO_PAD.encode(verifier);
        Ok(Some(verifier.into()))
    }

    /// Ends a sign-in: exchanges the code in `arrived`, the address at which the browser arrived, and
    /// checks everything that the provider answers.
    pub(crate) async fn authenticate(
        &self,
        arrived: &str,
        state: &str,
        nonce: &str,
        now_ms: i64,
    ) -> Result<OidcUser, OidcError> {
        let metadata = self.provider.metadata().await?;
        let code = self.code(&metadata, arrived, state)?;
        let verifier = self.code_verifier(&metadata, state)?;
        let tokens = self
            .provider
            .exchange(&metadata, &self.settings, &code, verifier.as_ref())
            .await?;
        let expected = id_token::Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            algorithm: self.settings.algorithm,
            nonce,
            access_token: tokens.access_token.as_ref(),
            now_ms,
        };
        let mut claims = self
            .provider
            .verified_claims(&metadata, &tokens.id_token, &expected)
            .await?;
        if let (Some(endpoint), Some(access_token)) =
            (&metadata.userinfo_endpoint, &tokens.access_token)
        {
            let more = self.provider.userinfo(endpoint, access_token).await?;
            if more.get("sub") != claims.get("sub") {
                return Err(OidcError::OtherSubject);
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        self.user(&claims)
    }

    /// Returns the code of the provider's answer, after all other checks of the answer.
    fn code(
        &self,
        metadata: &Metadata,
        arrived: &str,
        state: &str,
    ) -> Result<SecretString, OidcError> {
        // The path and the query are enough.
        let arrived = self
            .redirect_uri
            .join(arrived)
            .map_err(|_| OidcError::Malformed("address"))?;
        let parameter = |name: &'static str| {
            let mut found = arrived.query_pairs().filter(|(key, _)| key == name);
            match (found.next(), found.next()) {
                (_, Some(_)) => Err(OidcError::Malformed("a parameter is given twice")),
                (found, None) => Ok(found.map(|(_, value)| value.into_owned())),
            }
        };
        let given = parameter("state")?.ok_or(OidcError::State)?;
        if !bool::from(given.as_bytes().ct_eq(state.as_bytes())) {
            return Err(OidcError::State);
        }
        match parameter("iss")? {
            Some(issuer) if issuer != self.settings.issuer => return Err(OidcError::Issuer),
            None if metadata.sends_issuer() => return Err(OidcError::Issuer),
            _ => {}
        }
        if let Some(error) = parameter("error")? {
            return Err(OidcError::Refused(error.chars().take(64).collect()));
        }
        for token in ["id_token", "access_token"] {
            if parameter(token)?.is_some() {
                return Err(OidcError::Malformed("a token in an address"));
            }
        }
        let code = parameter("code")?.ok_or(OidcError::Malformed("no code"))?;
        Ok(code.into())
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<OidcUser, OidcError> {
        let names = &self.settings.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let username = text(&names.principal)
            .filter(|username| !username.is_empty())
            .ok_or_else(|| OidcError::NoPrincipal(names.principal.clone()))?;
        let groups = match names.groups.as_ref().and_then(|name| claims.get(name)) {
            Some(Value::String(group)) => vec![group.clone()],
            Some(Value::Array(groups)) => {
                let groups = groups.iter().filter_map(Value::as_str);
                groups.map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        // As in Elasticsearch, without lists.
        let metadata = claims
            .iter()
            .filter(|(_, value)| value.is_string() || value.is_number() || value.is_boolean())
            .map(|(name, value)| (format!("oidc({name})"), value.clone()))
            .collect();
        Ok(OidcUser {
            username,
            groups,
            full_name: names.name.as_deref().and_then(text),
            email: names.mail.as_deref().and_then(text),
            metadata,
        })
    }

    /// Returns the address at the provider where the browser ends to be signed in, if there is one.
    pub(crate) async fn logout_url(&self) -> Result<Option<String>, OidcError> {
        let metadata = self.provider.metadata().await?;
        let Some(mut url) = metadata.end_session_endpoint.clone() else {
            return Ok(None);
        };
        // The client's id in place of the ID token, which is not stored.
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id);
        if let Some(back) = &self.settings.post_logout_redirect_uri {
            url.query_pairs_mut()
                .append_pair("post_logout_redirect_uri", back);
        }
        Ok(Some(url.into()))
    }
}
