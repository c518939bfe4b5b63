//! Encryption of sessions, against an attacker with the database *and* the server key but no cookie.

use crate::support::{App, Browser, PASSWORD, client, config};
use app::model::problem::ProblemKind;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use http::StatusCode;
use platform::Random;
use server::{
    application::Application,
    config::{Config, Elasticsearch},
    sessions::Token,
};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Connection, Row};
use std::{collections::BTreeSet, path::Path};

const NONCE_BYTES: usize = 24;
const TOKEN_BYTES: usize = 16;

/// A session as the thief has it.
struct Stolen {
    id_hash: String,
    sealed: Vec<u8>,
}

async fn stolen_from(database: &Path) -> Vec<Stolen> {
    let url = format!("sqlite://{}", database.display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let rows = sqlx::query("SELECT id_hash, sealed FROM sessions ORDER BY username")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let rows = rows.iter().map(|row| {
        let sealed: String = row.get("sealed");
        Stolen {
            id_hash: row.get("id_hash"),
            sealed: decode(&sealed),
        }
    });
    rows.collect()
}

fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Everything of a token's length that can be cut or computed from what was stolen.
fn guesses(stolen: &Stolen, server_key: &str) -> BTreeSet<Vec<u8>> {
    let id = decode(&stolen.id_hash);
    let key = decode(server_key);
    let mut guesses: BTreeSet<Vec<u8>> = stolen
        .sealed
        .windows(TOKEN_BYTES)
        .map(<[u8]>::to_vec)
        .collect();
    for parts in [
        vec![id.as_slice()],
        vec![stolen.id_hash.as_bytes()],
        vec![server_key.as_bytes()],
        vec![key.as_slice(), id.as_slice()],
        vec![id.as_slice(), key.as_slice()],
        vec![b"agent-keys session id\0", id.as_slice()],
    ] {
        guesses.insert(Sha256::digest(parts.concat()).to_vec());
    }
    guesses.extend([id, key, vec![0; TOKEN_BYTES]]);
    guesses
}

/// What the application does to open a session, with this in the token's place.
fn unseal(stolen: &Stolen, server_key: &str, token: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(token, server_key.as_bytes())
        .expand(b"agent-keys session credential", &mut key)
        .ok()?;
    let (nonce, encrypted) = stolen.sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: encrypted,
        aad: stolen.id_hash.as_bytes(),
    };
    XChaCha20Poly1305::new_from_slice(&key)
        .ok()?
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
}

#[tokio::test]
async fn database_and_server_key_open_no_session_and_reveal_no_password() {
    let app = App::start().await;
    let people = [
        app.with_key_user("ada").await,
        app.with_key_user("ben").await,
    ];
    let tokens = people.map(|person| {
        let cookie = person.cookie.unwrap();
        cookie.split_once('=').unwrap().1.to_owned()
    });
    app.store().close().await;
    // Another machine, with a copy of everything.
    let copy = tempfile::tempdir().unwrap();
    for file in ["agent-keys.db", "server.key"] {
        std::fs::copy(app.data_dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let server_key = std::fs::read_to_string(copy.path().join("server.key")).unwrap();
    let server_key = server_key.trim();
    let stolen = stolen_from(&copy.path().join("agent-keys.db")).await;
    assert_eq!(stolen.len(), tokens.len());
    let config = Config {
        elasticsearch: Elasticsearch::Cluster(Box::new(server::config::Cluster::from(
            format!("{}/", app.engine.url())
                .parse::<url::Url>()
                .unwrap(),
        ))),
        ..config(copy.path())
    };
    let elsewhere = Application::start(config, app.clock.clone()).await.unwrap();
    let mut browser = Browser {
        url: elsewhere.url(),
        cookie: None,
        user: None,
        http: client(),
    };
    let (_, port) = elsewhere
        .url()
        .rsplit_once(':')
        .map(|(url, port)| (url.to_owned(), port.to_owned()))
        .unwrap();
    let name = format!("agent-keys_{port}");
    let (mut refused, mut tried) = (0, 0);
    for (stolen, token) in stolen.iter().zip(&tokens) {
        for guess in guesses(stolen, server_key) {
            let text = BASE64_URL_SAFE_NO_PAD.encode(&guess);
            browser.cookie = Some(format!("{name}={text}"));
            let answer = browser.post("read_viewer", &[]).await;
            let opened = unseal(stolen, server_key, Some(&guess)).is_some();
            tried += 1;
            refused += usize::from(answer.problem() == ProblemKind::SignedOut && !opened);
        }
        assert!(unseal(stolen, server_key, None).is_none());
        // The control: with the cookie as well, both ways lead in.
        browser.cookie = Some(format!("{name}={token}"));
        let answer = browser.post("read_viewer", &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let opened = unseal(stolen, server_key, Some(&decode(token))).unwrap();
        assert!(String::from_utf8(opened).unwrap().contains(PASSWORD));
    }
    assert_eq!(refused, tried);
}

#[test]
fn tokens_are_128_bits_without_a_pattern() {
    let count = 10_000;
    let random = Random;
    let tokens = (0..count).map(|_| Token::new(random).unwrap().expose().to_vec());
    let tokens: BTreeSet<_> = tokens.collect();
    assert_eq!(tokens.len(), count, "no two are the same");
    assert!(tokens.iter().all(|token| token.len() == TOKEN_BYTES));
    let ones: u32 = tokens.iter().flatten().map(|byte| byte.count_ones()).sum();
    let bits = u32::try_from(count * TOKEN_BYTES * 8).unwrap();
    // Seven times the deviation that fair coins have.
    let allowed = f64::from(bits).sqrt() / 2.0 * 7.0;
    let off = f64::from(ones) - f64::from(bits) / 2.0;
    assert!(off.abs() < allowed, "{ones} of {bits} bits are set");
}
