//! What a stored password costs to guess at.

use embedded::{Config, Engine, PasswordHashing};
use sqlx::{Connection, SqliteConnection};
use std::path::Path;

use crate::support::*;

const ME: &str = "/_security/_authenticate";

/// The stored hash of a user, as text.
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

/// Whether OWASP's least for argon2id is reached: 46 MiB with one pass, or 19 MiB with two.
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
async fn stored_passwords_are_dear_to_guess_at() {
    let engine =
        TestEngine::start_with(|config| config.password_hashing = PasswordHashing::Standard).await;
    engine.person_with("ann", &["monitor"]).await;
    let folder = engine.folder();
    let (elastic, ann) = (stored(folder, "elastic").await, stored(folder, "ann").await);
    assert!(is_dear(&elastic) && is_dear(&ann), "{ann}");
    assert!(elastic.contains("m=47104,t=2,p=1"), "{elastic}");
    // Equal passwords have unequal hashes.
    engine.person_with("ben", &["monitor"]).await;
    assert_ne!(
        stored(folder, "ben").await.rsplit('$').next(),
        ann.rsplit('$').next()
    );
    // The control: what the other tests use is not.
    let cheap = TestEngine::start().await;
    assert!(!is_dear(&stored(cheap.folder(), "elastic").await));
    requirement("R22", 2, 2);
}

#[tokio::test]
async fn a_cheap_hash_is_made_anew_at_the_next_sign_in() {
    let engine = TestEngine::start().await;
    engine.person_with("ann", &["monitor"]).await;
    engine.person_with("ben", &["monitor"]).await;
    let Private { engine, folder, .. } = engine.into_private();
    engine.stop().await;
    let cheap = stored(folder.path(), "ann").await;
    assert!(!is_dear(&cheap));
    // The policy has risen.
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), folder.path().join("engine.db"));
    config.password_hashing = PasswordHashing::Standard;
    let engine = TestEngine::of(Private {
        clock: config.clock.clone(),
        engine: Engine::start(config).await.unwrap(),
        folder,
    });
    let folder = engine.folder();
    // Whoever fails renews nothing.
    engine.user("ann", "wrong").get(ME).await;
    assert_eq!(stored(folder, "ann").await, cheap);
    engine
        .user("ann", "password of theirs")
        .get(ME)
        .await
        .assert_ok();
    let renewed = stored(folder, "ann").await;
    assert!(is_dear(&renewed), "{renewed}");
    // It is still the same password, and is left alone from now on.
    engine
        .user("ann", "password of theirs")
        .get(ME)
        .await
        .assert_ok();
    assert_eq!(stored(folder, "ann").await, renewed);
    assert_eq!(engine.user("ann", "wrong").get(ME).await.status, 401);
    // The control: who has not signed in has the one from before.
    assert!(!is_dear(&stored(folder, "ben").await));
    requirement("R22", 1, 1);
}

#[tokio::test]
async fn a_crowd_waits_and_who_cannot_is_sent_away() {
    // Each of these costs a hash. Two are made at once, and 256 may wait.
    let crowd = soak(12, 400);
    let engine =
        TestEngine::start_with(|config| config.password_hashing = PasswordHashing::Standard).await;
    let tasks: Vec<_> = (0..crowd)
        .map(|number| {
            let person = engine.user(&format!("nobody-{number}"), "wrong");
            tokio::spawn(async move { person.status_of_me().await })
        })
        .collect();
    let mut statuses = std::collections::BTreeMap::new();
    for task in tasks {
        *statuses.entry(task.await.unwrap()).or_insert(0) += 1;
    }
    println!("of {crowd} at once: {statuses:?}");
    // Whoever has waited for half a minute is told so.
    assert!(
        statuses
            .keys()
            .all(|status| [401, 429, 503].contains(status))
    );
    assert_eq!(statuses.contains_key(&429), crowd > 258);
    assert_eq!(engine.elastic().status_of_me().await, 200);
    requirement("R22", crowd, crowd);
}
