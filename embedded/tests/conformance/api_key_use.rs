//! Use of keys, from the first request to the refusal after revocation.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::support::*;

#[tokio::test]
async fn revoked_key_is_refused_on_its_next_use() {
    let rounds = soak(25, 1_000);
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let mut refused = 0;
    for round in 0..rounds {
        let key = elastic.create_key(json!({ "name": "k" })).await;
        let me = engine.key(&key);
        // Control: the key works until then. The requests fill every cache.
        for _ in 0..1 + round % 3 {
            assert_eq!(me.authentication_status().await, 200);
        }
        elastic.invalidate(&key).await.assert_ok();
        refused += usize::from(me.authentication_status().await == 401);
    }
    assert_eq!(refused, rounds);
}

/// The positions in a text that match `YXBta2V5[A-Za-z0-9+/]{78}==`, the expression in the README.
fn scan(text: &[u8]) -> usize {
    const PREFIX: &[u8] = b"YXBta2V5";
    let found = text.windows(88).filter(|window| {
        let middle = &window[PREFIX.len()..86];
        window.starts_with(PREFIX)
            && window.ends_with(b"==")
            && middle
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
    });
    found.count()
}

#[tokio::test]
async fn secret_scanner_finds_every_key_and_nothing_else() {
    let keys = soak(100, 10_000);
    let strings = soak(20_000, 1_000_000);
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let mut found = 0;
    for _ in 0..keys {
        let key = elastic.create_key(json!({ "name": "k" })).await;
        let config = format!("apm:\n  api_key: \"{}\"\n", key.encoded);
        found += scan(config.as_bytes());
    }
    assert_eq!(found, keys);
    // Random bytes with the length of a key, in common notations.
    let mut wrongly = 0;
    for _ in 0..strings / 1_000 {
        let bytes = platform::Random.bytes::<{ 64 * 1_000 }>().unwrap();
        let texts = bytes.chunks_exact(64).map(|chunk| STANDARD.encode(chunk));
        wrongly += texts.map(|text| scan(text.as_bytes())).sum::<usize>();
    }
    assert_eq!(wrongly, 0, "of {strings}");
}

#[tokio::test]
async fn secret_with_one_wrong_character_is_refused() {
    let engine = TestEngine::start().await;
    let key = engine.elastic().create_key(json!({ "name": "k" })).await;
    let pair = STANDARD.decode(&key.encoded).unwrap();
    let pair = String::from_utf8(pair).unwrap();
    let (id, secret) = pair.split_once(':').unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.decode(secret).unwrap().len(),
        32,
        "256 bits"
    );
    let status = async |secret: &str| {
        let encoded = STANDARD.encode(format!("{id}:{secret}"));
        engine
            .with(format!("ApiKey {encoded}"))
            .authentication_status()
            .await
    };
    let mut refused = 0;
    for at in 0..secret.len() {
        let mut typed = secret.to_owned();
        let wrong = if typed[at..].starts_with('x') {
            "y"
        } else {
            "x"
        };
        typed.replace_range(at..=at, wrong);
        refused += usize::from(status(&typed).await == 401);
    }
    for typed in [
        &secret[1..],
        &secret[..secret.len() - 1],
        &format!("{secret}x"),
    ] {
        assert_eq!(status(typed).await, 401);
    }
    assert_eq!(refused, secret.len());
    // Control.
    assert_eq!(status(secret).await, 200);
}
