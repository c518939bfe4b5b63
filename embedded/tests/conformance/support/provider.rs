//! A provider of OpenID Connect whose answers a test can bend.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use embedded::{Claims, ClientAuth, IdTokenAlgorithm, OidcRealm};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) const REALM: &str = "oidc-agentkeys";
pub(crate) const CLIENT: &str = "agent keys";
pub(crate) const CLIENT_SECRET: &str = "s3cret:of client";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:5680/sign-in/callback";

/// A key that signs ID tokens.
pub(crate) enum SigningKey {
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    pub(crate) fn new() -> Self {
        let (random, kind) = (
            SystemRandom::new(),
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        );
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random);
        Self::Ec(Box::new(pair.unwrap()))
    }

    /// A new RSA key. ring makes none, so OpenSSL does.
    pub(crate) fn rsa() -> Self {
        let arguments = [
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
        ];
        let made = Command::new("openssl")
            .args(arguments)
            .args(["-outform", "DER"])
            .output()
            .unwrap();
        // Its versions differ in the form.
        let pair = RsaKeyPair::from_der(&made.stdout);
        let pair = pair
            .or_else(|_| RsaKeyPair::from_pkcs8(&made.stdout))
            .unwrap();
        Self::Rsa(Box::new(pair))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// The public half, with the id `kid`.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": encode(x), "y": encode(y)})
            }
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "use": "sig", "kid": kid, "n": encode(&public.n), "e": encode(&public.e)})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &signature::RSA_PKCS1_SHA256,
                    &random,
                    message,
                    &mut signature,
                )
                .unwrap();
                signature
            }
        }
    }
}

/// Answers of the provider.
pub(crate) struct Answers {
    pub(crate) key: SigningKey,
    pub(crate) kid: &'static str,
    /// Algorithm in the header of ID tokens; `None` for that of the key.
    pub(crate) alg: Option<&'static str>,
    pub(crate) jwks: Value,
    pub(crate) claims: Value,
    pub(crate) userinfo: Value,
    pub(crate) metadata: Value,
    /// Requests so far: path, `Authorization` and body.
    pub(crate) requests: Vec<(String, String, String)>,
    codes: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Provider {
    address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
}

impl Provider {
    /// A provider on a free port, at which `ada` signs in.
    pub(crate) async fn start(key: SigningKey, now_seconds: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = format!("http://{address}");
        let answers = Answers {
            jwks: json!({"keys": [key.jwk("one")]}),
            key,
            kid: "one",
            alg: None,
            claims: json!({
                "iss": base, "aud": CLIENT, "sub": "ada", "nonce": "n", "iat": now_seconds,
                "exp": now_seconds + 300, "auth_time": now_seconds,
            }),
            userinfo: json!({
                "sub": "ada", "name": "Ada Lovelace", "email": "ada@example.com",
                "groups": ["APM", "Staff"],
            }),
            metadata: json!({
                "issuer": base,
                "authorization_endpoint": format!("{base}/auth?tenant=1"),
                "token_endpoint": format!("{base}/token"),
                "jwks_uri": format!("{base}/jwks"),
                "userinfo_endpoint": format!("{base}/me"),
                "end_session_endpoint": format!("{base}/end"),
            }),
            requests: Vec::new(),
            codes: Vec::new(),
        };
        let provider = Self {
            address,
            answers: Arc::new(Mutex::new(answers)),
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move { provider.serve(stream).await });
            }
        });
        provider
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }

    /// The realm of this provider, with another name.
    pub(crate) fn named(&self, name: &str) -> OidcRealm {
        OidcRealm {
            name: name.to_owned(),
            ..self.realm()
        }
    }

    /// The realm of this provider.
    pub(crate) fn realm(&self) -> OidcRealm {
        let algorithm = match self.answers().key {
            SigningKey::Ec(_) => IdTokenAlgorithm::Es256,
            SigningKey::Rsa(_) => IdTokenAlgorithm::default(),
        };
        OidcRealm {
            name: REALM.to_owned(),
            issuer: self.issuer(),
            client_id: CLIENT.to_owned(),
            client_secret: CLIENT_SECRET.to_owned().into(),
            client_auth: ClientAuth::Basic,
            redirect_uri: REDIRECT.to_owned(),
            post_logout_redirect_uri: Some("http://127.0.0.1:5680/login".to_owned()),
            scopes: vec!["profile".to_owned()],
            algorithm,
            claims: Claims {
                groups: Some("groups".to_owned()),
                name: Some("name".to_owned()),
                mail: Some("email".to_owned()),
                ..Claims::default()
            },
            ca_certificates: None,
        }
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut read = Vec::new();
        let (head, length) = loop {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            read.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some(end) = text.find("\r\n\r\n") {
                let length = header(&text, "content-length").parse().unwrap_or(0);
                if read.len() >= end + 4 + length {
                    break (text, end + 4);
                }
            }
        };
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let authorization = header(&head, "authorization");
        let (status, answer) = self.answer(&path, authorization, head[length..].to_owned());
        let answer = answer.to_string();
        let response = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        let _ = stream.write_all(response.as_bytes()).await;
    }

    fn answer(&self, path: &str, authorization: String, body: String) -> (u16, Value) {
        let mut answers = self.answers();
        let code = body
            .split('&')
            .find_map(|field| field.strip_prefix("code="));
        let code = code.unwrap_or_default().to_owned();
        let request = (path.to_owned(), authorization, body);
        answers.requests.push(request);
        match path {
            "/.well-known/openid-configuration" => (200, answers.metadata.clone()),
            "/jwks" => (200, answers.jwks.clone()),
            "/me" => (200, answers.userinfo.clone()),
            "/token" if code.is_empty() || answers.codes.contains(&code) => {
                (400, json!({"error": "invalid_grant"}))
            }
            "/token" => {
                answers.codes.push(code);
                let token = json!({
                    "id_token": answers.id_token(), "access_token": "opaque", "token_type": "Bearer",
                });
                (200, token)
            }
            _ => (404, json!({})),
        }
    }
}

impl Answers {
    fn id_token(&self) -> String {
        let alg = self.alg.unwrap_or(self.key.algorithm());
        let header = json!({"alg": alg, "kid": self.kid});
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(&header), encode(&self.claims));
        let signature = match alg {
            "none" => Vec::new(),
            _ => self.key.sign(message.as_bytes()),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Value of a header in the text of a request.
fn header(head: &str, name: &str) -> String {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}
