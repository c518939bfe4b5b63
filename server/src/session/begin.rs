//! Signing in.

use super::{Token, limit, seal};
use crate::{
    access,
    audit::{Action, Event, Origin, Outcome, Stamp, Target},
    elasticsearch::{self, Credential},
    failure::Failure,
    metrics::SignIn,
    services::Services,
    store::{Attempt, NewSession},
};
use app::model::user::Credentials;
use serde_json::json;

/// Asks Elasticsearch about name and password, and begins a session. `replaces` is the session that this browser
/// had: it ends, so that a cookie planted before signing in is worth nothing after it. Who tries too often is paused,
/// and told what everybody is told whose name or password is wrong.
pub async fn begin(
    services: &Services,
    credentials: &Credentials,
    replaces: Option<&str>,
    stamp: &Stamp,
) -> Result<Token, Failure> {
    let began = try_to_begin(services, credentials, replaces, stamp).await;
    services.metrics.sign_in(match &began {
        Ok(_) => SignIn::Accepted,
        Err(Refusal::Rejected) => SignIn::Rejected,
        Err(Refusal::Paused) => SignIn::Paused,
        Err(Refusal::Failed(_)) => SignIn::Failed,
    });
    began.map_err(|refusal| match refusal {
        // Nobody is told the difference.
        Refusal::Rejected | Refusal::Paused => Failure::SignInRejected,
        Refusal::Failed(failure) => failure,
    })
}

/// Why no session began.
enum Refusal {
    Rejected,
    Paused,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn try_to_begin(
    services: &Services,
    credentials: &Credentials,
    replaces: Option<&str>,
    stamp: &Stamp,
) -> Result<Token, Refusal> {
    let Some(credential) = Credential::basic(&credentials.username, credentials.password.expose())
    else {
        return Err(rejected(services, stamp, "cannot be a user").await);
    };
    let subjects = limit::subjects(&credentials.username, stamp.origin.address);
    let _turn = services.turns.wait(&subjects).await;
    let attempt = services.store.attempt_sign_in(&subjects, stamp.at).await?;
    if let Attempt::Paused { refusals } = attempt {
        return Err(paused(services, stamp, refusals).await);
    }
    let connection = services
        .elasticsearch
        .connect(credential.clone(), stamp.request_id.clone());
    let proof = match access::identify(&connection).await {
        Ok(proof) => proof,
        Err(elasticsearch::Error::Unauthorized) => {
            services
                .store
                .count_failed_sign_in(&subjects, stamp.at)
                .await?;
            return Err(rejected(services, stamp, "not accepted").await);
        }
        Err(error) => return Err(error.into()),
    };
    let token = Token::new(&services.random)?;
    let sealed = seal::seal(
        &services.server_key,
        &token,
        proof.identity(),
        &credential,
        &services.random,
    )??;
    let id_hash = token.id_hash();
    let stamp = &Stamp {
        origin: Origin {
            session: Some(id_hash.clone()),
            ..stamp.origin.clone()
        },
        ..stamp.clone()
    };
    let new = NewSession {
        id_hash: &id_hash,
        sealed: &sealed,
    };
    services
        .store
        .begin_session(&proof, new, replaces, stamp)
        .await?;
    services.store.forgive_account(&subjects).await?;
    Ok(token)
}

/// A flood must not fill the audit log: the first refusal is written down, and then every tenth.
async fn paused(services: &Services, stamp: &Stamp, refusals: i64) -> Refusal {
    if refusals > 1 && refusals % 10 != 0 {
        return Refusal::Paused;
    }
    let event = Event {
        actor: None,
        action: Action::LoginThrottled,
        outcome: Outcome::Failure,
        target: Target::default(),
        operation: None,
        details: json!({ "refusals": refusals }),
    };
    match services.store.record(&event, stamp).await {
        Ok(()) => Refusal::Paused,
        Err(error) => error.into(),
    }
}

/// The name that was typed is not written down: people type passwords into the wrong field.
async fn rejected(services: &Services, stamp: &Stamp, reason: &str) -> Refusal {
    let event = Event {
        actor: None,
        action: Action::UserLogin,
        outcome: Outcome::Failure,
        target: Target::default(),
        operation: None,
        details: json!({ "reason": reason }),
    };
    match services.store.record(&event, stamp).await {
        Ok(()) => Refusal::Rejected,
        Err(error) => error.into(),
    }
}
