//! Passwords: what is taken at a form, and what many who sign in at once cost.

use crate::support::{App, Browser, PASSWORD, process::Process, soak};
use app::model::{problem::ProblemKind, user::PasswordError};
use http::StatusCode;

/// Creates a user at the form; what is wrong with the password, if anything.
async fn create(admin: &Browser, username: &str, password: &str) -> Option<PasswordError> {
    let fields = [("form[username]", username), ("form[password]", password)];
    let answer = admin.post("create_user", &fields).await;
    if answer.status == StatusCode::OK {
        return None;
    }
    match answer.problem() {
        ProblemKind::NewUser(errors) => Some(errors.password.unwrap()),
        other => panic!("{other:?}"),
    }
}

async fn reset(admin: &Browser, username: &str, password: &str) -> Option<PasswordError> {
    let fields = [("username", username), ("password", password)];
    let answer = admin.post("reset_password", &fields).await;
    if answer.status == StatusCode::OK {
        return None;
    }
    match answer.problem() {
        ProblemKind::NewPassword(error) => Some(error),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn new_password_is_long_and_not_commonly_guessed() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    app.engine.put_user("someone", &[]).await;
    let too_long = "0fz8qk".repeat(700);
    let refused: [(&str, PasswordError); 12] = [
        ("", PasswordError::TooShort),
        ("fourteen chars", PasswordError::TooShort),
        ("🚀🦀🌵🧂🪁🎻🧯🪗", PasswordError::TooShort),
        (&too_long[..4_097], PasswordError::TooLong),
        ("passwordpassword", PasswordError::EasilyGuessed),
        ("P@ssw0rdP4$$w0rd", PasswordError::EasilyGuessed),
        ("Elasticsearch2026", PasswordError::EasilyGuessed),
        ("Agent-Keys-Admin-1", PasswordError::EasilyGuessed),
        ("someone-someone-1", PasswordError::EasilyGuessed),
        ("123456789012345", PasswordError::EasilyGuessed),
        ("               ", PasswordError::EasilyGuessed),
        ("qwertyuiopasdfgh", PasswordError::EasilyGuessed),
    ];
    for (password, expected) in refused {
        let by_form = create(&admin, "someone", password).await;
        assert_eq!(by_form, Some(expected), "{password:.40}");
        let by_reset = reset(&admin, "someone", password).await;
        assert_eq!(by_reset, Some(expected), "{password:.40}");
    }
    // Exactly as typed: nothing is trimmed, folded or cut.
    let taken: [&str; 7] = [
        "fifteen charsss",
        " a space before and after ",
        "a+b&c=d%20 and a colon: here",
        "жили-были дед да баба",
        "nothing\u{0}ends here, nor\u{7f} here",
        &"🚀🦀🌵🧂🪁🎻🧯🪗".repeat(8),
        &too_long[..1_024],
    ];
    for (number, password) in taken.into_iter().enumerate() {
        // The clock moves on below, and creating a user takes a recent password.
        let admin = app.as_admin().await;
        let name = format!("user-{number}");
        assert_eq!(
            create(&admin, &name, password).await,
            None,
            "{password:.40}"
        );
        assert_eq!(reset(&admin, &name, password).await, None, "{password:.40}");
        let answer = app.nobody().sign_in(&name, password).await;
        assert_eq!(answer.status, StatusCode::OK, "{password:.40}");
        let cut = &password[..password.char_indices().last().unwrap().0];
        let answer = app.nobody().sign_in(&name, cut).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{password:.40}");
        app.clock.advance(std::time::Duration::from_secs(60));
    }
}

/// The hasher of the shipped binary takes 46 MiB for each of two at once.
const AT_ONCE: i64 = 2;
const HASH_KIB: i64 = 46 * 1_024;

#[tokio::test]
async fn concurrent_sign_ins_take_the_memory_of_two() {
    let people = soak(10, 100);
    let directory = tempfile::tempdir().unwrap();
    let process = Process::with_engine(directory.path());
    // The first one brings the process to what it needs for one.
    process.as_user("elastic").await;
    let before = process.memory_kib("VmHWM");
    let tries = (0..people).map(|number| {
        let mut browser = process.nobody();
        let last = u8::try_from(number % 250 + 2).unwrap();
        let address = std::net::Ipv4Addr::new(127, 0, 3, last);
        browser.http =
            crate::support::client_with(|builder| builder.local_address(Some(address.into())));
        async move {
            let name = format!("person-{number}");
            browser.sign_in(&name, PASSWORD).await
        }
    });
    let answers = futures::future::join_all(tries).await;
    let refused = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::UNAUTHORIZED);
    println!("of {people} at once, {} had their turn", refused.count());
    // Whoever cannot have one in time is told to come back.
    for answer in &answers {
        match answer.status.as_u16() {
            401 | 504 => {}
            503 => assert_eq!(answer.header("retry-after"), Some("2")),
            other => panic!("{other}"),
        }
    }
    let growth = process.memory_kib("VmHWM") - before;
    println!("{people} at once: the peak grew by {growth} KiB from {before} KiB");
    // One was there before; the rest is room for everything else.
    assert!(growth < AT_ONCE * HASH_KIB, "{growth} KiB");
}
