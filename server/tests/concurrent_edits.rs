//! Several administrators at once.

use crate::support::{
    App, PASSWORD, eventually,
    proxy::{Fault, Gate},
    soak,
};
use app::model::problem::ProblemKind;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const ROLE: &str = "apm_agent_key_role";

fn dana(full_name: &str) -> Value {
    json!({
        "password": PASSWORD, "roles": ["viewer"], "full_name": full_name,
        "email": "dana@example.com", "metadata": { "team": { "name": "payments", "size": 4 } },
    })
}

async fn put(app: &App, user: Value) {
    let path = "/_security/user/dana";
    app.engine.ask(Method::PUT, path, Some(user)).await;
}

#[tokio::test]
async fn concurrent_edits_of_a_user_are_all_kept() {
    let rounds = soak(12, 100);
    let (app, proxy) = App::behind_proxy().await;
    let one = app.with_user("one", &["superuser"]).await;
    let two = app.with_user("two", &["superuser"]).await;
    put(&app, dana("Dana W.")).await;
    let mut expected = app.engine.user("dana").await;
    // Time enough to get in between.
    proxy.delay(Duration::from_millis(3));
    for round in 0..rounds {
        let assigned = round % 2 == 0;
        // The one who may sign in changes beside the one who holds the role, in all four ways.
        let enabled = round % 4 < 2;
        let (role, sign_in) = (assigned.to_string(), enabled.to_string());
        let role = [("username", "dana"), ("assigned", role.as_str())];
        let sign_in = [("username", "dana"), ("enabled", sign_in.as_str())];
        let (by_one, by_two) = tokio::join!(
            one.post("assign_agent_key_role", &role),
            two.post("set_user_enabled", &sign_in)
        );
        assert_eq!(by_one.status, StatusCode::OK, "{}", by_one.text());
        assert_eq!(by_two.status, StatusCode::OK, "{}", by_two.text());
        expected["enabled"] = enabled.into();
        expected["roles"] = match assigned {
            true => json!(["viewer", ROLE]),
            false => json!(["viewer"]),
        };
        assert_eq!(app.engine.user("dana").await, expected, "round {round}");
    }
}

#[tokio::test]
async fn edit_by_another_client_is_kept_and_reported() {
    let rounds = soak(5, 100);
    let (app, proxy) = App::behind_proxy().await;
    let admin = app.as_admin().await;
    let mut held = 0;
    for round in 0..rounds {
        put(&app, dana("Dana W.")).await;
        let gate = Gate::default();
        proxy.fail("PUT /_security/user/dana", Fault::Late(gate.clone()));
        let fields = [("username", "dana"), ("assigned", "true")];
        let ours = admin.post("assign_agent_key_role", &fields);
        let theirs = async {
            eventually("our write is there", async || {
                app.engine.user("dana").await["roles"] == json!(["viewer", ROLE])
            })
            .await;
            put(&app, dana("Dana Whitfield")).await;
            gate.open();
        };
        let (answer, ()) = tokio::join!(ours, theirs);
        assert_eq!(answer.problem(), ProblemKind::ChangedMeanwhile, "{round}");
        let kept = app.engine.user("dana").await["full_name"] == "Dana Whitfield";
        held += usize::from(kept && answer.status == StatusCode::CONFLICT);
    }
    // The control: undisturbed, the same is done.
    proxy.heal();
    let fields = [("username", "dana"), ("assigned", "true")];
    let answer = admin.post("assign_agent_key_role", &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(held, rounds);
}

#[tokio::test]
async fn one_administrator_remains_when_two_remove_each_other() {
    let rounds = soak(6, 100);
    let (app, proxy) = App::behind_proxy().await;
    for round in 0..rounds {
        proxy.delay(Duration::ZERO);
        let names = [format!("one-{round}"), format!("two-{round}")];
        let one = app.with_user(&names[0], &["superuser"]).await;
        let two = app.with_user(&names[1], &["superuser"]).await;
        proxy.delay(Duration::from_millis(3));
        let off = |name| [("username", name), ("enabled", "false")];
        let other_one = [("username", names[1].as_str())];
        let other_two = [("username", names[0].as_str())];
        // By deleting, or by keeping from signing in.
        let (by_one, by_two) = if round % 2 == 0 {
            tokio::join!(
                one.post("delete_user", &other_one),
                two.post("delete_user", &other_two)
            )
        } else {
            let (one_off, two_off) = (off(names[1].as_str()), off(names[0].as_str()));
            tokio::join!(
                one.post("set_user_enabled", &one_off),
                two.post("set_user_enabled", &two_off)
            )
        };
        let statuses = [by_one.status, by_two.status];
        let done = statuses.iter().filter(|status| status.is_success()).count();
        let mut remaining = 0;
        for name in &names {
            remaining += usize::from(app.engine.user(name).await["enabled"] == true);
        }
        assert_eq!((done, remaining), (1, 1), "round {round}: {statuses:?}");
        app.clock.advance(Duration::from_secs(60));
    }
}
