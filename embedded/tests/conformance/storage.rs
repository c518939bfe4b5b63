//! Persistence, retention, and the first start.

use std::time::Duration;

use embedded::{Config, Engine, PasswordHashing, StartError, reset_password};
use secrecy::ExposeSecret;

use crate::support::*;

fn config(folder: &std::path::Path) -> Config {
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.join("engine.db"));
    config.password_hashing = PasswordHashing::FastForTests;
    config
}

/// Stops the engine, and starts it again with the same file and clock.
async fn restart(engine: TestEngine, change: impl FnOnce(&mut Config)) -> TestEngine {
    let Private {
        engine,
        clock,
        folder,
    } = engine.into_private();
    engine.stop().await;
    let mut config = config(folder.path());
    config.clock = clock.clone();
    change(&mut config);
    let engine = Engine::start(config).await.unwrap();
    TestEngine::of(Private {
        engine,
        clock,
        folder,
    })
}

#[tokio::test]
async fn first_start_generates_a_password_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(config(folder.path())).await.unwrap();
    assert!(engine.first_password().unwrap().expose_secret().len() >= 20);
    engine.stop().await;
    let again = Engine::start(config(folder.path())).await.unwrap();
    assert!(again.first_password().is_none());
    again.stop().await;
}

#[tokio::test]
async fn configured_password_is_used_on_the_first_start_only() {
    let engine = TestEngine::start().await;
    assert!(engine.engine().first_password().is_none());
    assert_eq!(engine.elastic().authentication_status().await, 200);
    let other =
        |config: &mut Config| config.elastic_password = Some("another one".to_owned().into());
    let engine = restart(engine, other).await;
    assert_eq!(engine.elastic().authentication_status().await, 200);
}

#[tokio::test]
async fn short_first_password_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for password in ["", "short"] {
        let mut config = config(folder.path());
        config.elastic_password = Some(password.to_owned().into());
        let Err(error) = Engine::start(config).await else {
            panic!("it started with the password {password:?}")
        };
        assert!(error.to_string().contains("at least 6 characters"));
    }
}

#[tokio::test]
async fn address_in_use_error_contains_both_settings() {
    let engine = TestEngine::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut taken = config(folder.path());
    taken.listen = engine.address();
    let Err(error) = Engine::start(taken).await else {
        panic!("it started")
    };
    assert!(matches!(error, StartError::AddressInUse { address } if address == engine.address()));
    let text = error.to_string();
    assert!(
        text.contains("AGENT_KEYS_EMBEDDED_LISTEN")
            && text.contains("AGENT_KEYS_ELASTICSEARCH_URL")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn database_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let engine = TestEngine::start().await;
    let mut seen = 0;
    for file in std::fs::read_dir(engine.folder()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            file.path()
        );
        seen += 1;
    }
    assert!(seen >= 1);
}

#[tokio::test]
async fn database_contains_no_secret() {
    let engine = TestEngine::start().await;
    let created = engine
        .elastic()
        .post("/_security/api_key", json!({"name": "k"}))
        .await
        .assert_ok();
    let Private { engine, folder, .. } = engine.into_private();
    engine.stop().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [
            ELASTIC_PASSWORD,
            created["api_key"].as_str().unwrap(),
            created["encoded"].as_str().unwrap(),
        ] {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes())
            );
        }
    }
}

#[tokio::test]
async fn password_reset_takes_effect_in_a_running_engine() {
    let engine = TestEngine::start().await;
    assert_eq!(engine.elastic().authentication_status().await, 200);
    let file = engine.folder().join("engine.db");
    let password = reset_password(&file, "elastic").await.unwrap();
    assert_eq!(engine.elastic().authentication_status().await, 401);
    assert_eq!(
        engine
            .user("elastic", password.expose_secret())
            .authentication_status()
            .await,
        200
    );
}

#[tokio::test]
async fn password_reset_requires_file_and_user() {
    let engine = TestEngine::start().await;
    let file = engine.folder().join("engine.db");
    assert!(
        reset_password(&file, "nope")
            .await
            .unwrap_err()
            .to_string()
            .contains("nope")
    );
    assert!(
        reset_password(&engine.folder().join("no.db"), "elastic")
            .await
            .is_err()
    );
    assert!(!engine.folder().join("no.db").exists());
}

#[tokio::test]
async fn expired_and_invalidated_keys_are_deleted_after_seven_days() {
    let mut engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let revoked = elastic
        .create_key(json!({"name": "revoked", "metadata": {"a": "b"}}))
        .await;
    elastic.invalidate(&revoked).await.assert_ok();
    elastic
        .create_key(json!({"name": "expired", "expiration": "0"}))
        .await;
    elastic.create_key(json!({"name": "lives"})).await;
    for (days, left) in [(6, 3), (2, 1)] {
        engine.clock().advance(Duration::from_secs(days * 86_400));
        engine = restart(engine, |_| {}).await;
        let mut total = Value::Null;
        // The deletion runs concurrently with the first requests.
        for _ in 0..50 {
            total = engine.elastic().query(json!({})).await.at("/total");
            if total == left {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(total, left);
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_restart() {
    let engine = TestEngine::start().await;
    let elastic = engine.elastic();
    let key = elastic.create_key(json!({"name": "k"})).await;
    for (path, body) in [
        ("/_security/role/r", json!({"cluster": ["monitor"]})),
        (
            "/_security/privilege",
            json!({"myapp": {"p": {"actions": ["a:b"]}}}),
        ),
    ] {
        elastic.put(path, body).await.assert_ok();
    }
    let engine = restart(engine, |_| {}).await;
    for path in [
        "/_security/_authenticate",
        "/_security/role/r",
        "/_security/privilege/myapp/p",
    ] {
        engine.key(&key).get(path).await.assert_ok();
    }
}
