//! The cost of password hashes.

use embedded::{Config, Engine, PasswordHashing};
use sqlx::{Connection, SqliteConnection};
use std::path::Path;

use crate::support::*;

const ME: &str = "/_security/_authenticate";

/// The stored hash of a user.
async fn stored(folder: &Path, username: &str) -> String {
    let url = format!("sqlite://{}", folder.join("engine.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let query = sqlx::query_scalar("SELECT password_hash FROM users WHERE username = ?");
    query
        .bind(username)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

/// Returns true if the hash meets OWASP's minimum for argon2id: 46 MiB with one pass, or 19 MiB
/// with two.
fn is_dear(hash: &str) -> bool {
    let number = |name: &str| -> u32 {
        let (_, rest) = hash.split_once(name).unwrap();
        let digits = rest.split([',', '$']).next().unwrap();
        digits.parse().unwrap()
    };
    let (memory, passes) = (number("m="), number("t="));
    hash.starts_with("$argon2id$v=19$")
        && ((memory >= 47_104 && passes >= 1) || (memory >= 19_456 && passes >= 2))
}

#[tokio::test]
async fn password_hashes_meet_owasp_minimum() {
    let engine =
        TestEngine::start_with(|config| config.password_hashing = PasswordHashing::Standard).await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    let folder = engine.folder();
    let (elastic, ann) = (stored(folder, "elastic").await, stored(folder, "ann").await);
    assert!(is_dear(&elastic) && is_dear(&ann), "{ann}");
    assert!(elastic.contains("m=47104,t=2,p=1"), "{elastic}");
    // Equal passwords have different hashes.
    engine.user_with_privileges("ben", &["monitor"]).await;
    assert_ne!(
        stored(folder, "ben").await.rsplit('$').next(),
        ann.rsplit('$').next()
    );
    // Control: the cost of the other tests does not meet it.
    let cheap = TestEngine::start().await;
    assert!(!is_dear(&stored(cheap.folder(), "elastic").await));
}

#[tokio::test]
async fn outdated_hash_is_replaced_at_the_next_sign_in() {
    let engine = TestEngine::start().await;
    engine.user_with_privileges("ann", &["monitor"]).await;
    engine.user_with_privileges("ben", &["monitor"]).await;
    let Private { engine, folder, .. } = engine.into_private();
    engine.stop().await;
    let cheap = stored(folder.path(), "ann").await;
    assert!(!is_dear(&cheap));
    // The required cost has risen.
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.path().join("engine.db"));
    config.password_hashing = PasswordHashing::Standard;
    let engine = TestEngine::of(Private {
        clock: config.clock.clone(),
        engine: Engine::start(config).await.unwrap(),
        folder,
    });
    let folder = engine.folder();
    // A failed authentication does not replace the hash.
    engine.user("ann", "wrong").get(ME).await;
    assert_eq!(stored(folder, "ann").await, cheap);
    engine
        .user("ann", "password of theirs")
        .get(ME)
        .await
        .assert_ok();
    let renewed = stored(folder, "ann").await;
    assert!(is_dear(&renewed), "{renewed}");
    // The password is the same, and the new hash is kept.
    engine
        .user("ann", "password of theirs")
        .get(ME)
        .await
        .assert_ok();
    assert_eq!(stored(folder, "ann").await, renewed);
    assert_eq!(engine.user("ann", "wrong").get(ME).await.status, 401);
    // Control: a user without a sign-in keeps the old hash.
    assert!(!is_dear(&stored(folder, "ben").await));
}

#[tokio::test]
async fn excess_password_checks_get_429() {
    // Each request needs a hash. Two are computed at once, and 256 may wait.
    let crowd = soak(12, 400);
    let engine =
        TestEngine::start_with(|config| config.password_hashing = PasswordHashing::Standard).await;
    let tasks: Vec<_> = (0..crowd)
        .map(|number| {
            let client = engine.user(&format!("nobody-{number}"), "wrong");
            tokio::spawn(async move { client.authentication_status().await })
        })
        .collect();
    let mut statuses = std::collections::BTreeMap::new();
    for task in tasks {
        *statuses.entry(task.await.unwrap()).or_insert(0) += 1;
    }
    println!("of {crowd} at once: {statuses:?}");
    // Requests that waited for half a minute time out.
    assert!(
        statuses
            .keys()
            .all(|status| [401, 429, 503].contains(status))
    );
    assert_eq!(statuses.contains_key(&429), crowd > 258);
    assert_eq!(engine.elastic().authentication_status().await, 200);
}
