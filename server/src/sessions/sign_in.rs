//! Signs in, and verifies the password again.

use super::{
    BrowserInfo, IssuedCookies, Session, Token, known_device::DeviceToken, rate_limit, seal,
    user_agent,
};
use crate::{
    access::{self, Identity, VerifiedPassword},
    audit::{Action, Event, Origin, Outcome, Stamp, Target},
    credential::Credential,
    elasticsearch::{self, cannot_check},
    failure::Failure,
    metrics::SignIn,
    services::Services,
    store::{Attempt, NewSession, RenewedSession},
};
use app::model::{secret::Secret, user::Credentials};
use serde_json::json;

/// Verifies user name and password with Elasticsearch, and begins a session. `replaces` is the session that this
/// browser had: it ends, so that a cookie planted before sign-in is worth nothing after it.
pub async fn sign_in(
    services: &Services,
    credentials: &Credentials,
    replaces: Option<&str>,
    browser: &BrowserInfo,
    stamp: &Stamp,
) -> Result<IssuedCookies, Failure> {
    let purpose = PasswordCheck::SignIn;
    let verified = verify(services, credentials, purpose, browser, stamp).await?;
    let Verified {
        proof,
        credential,
        device,
    } = verified;
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
        id: &services.random.identifier_at(stamp.at)?,
        sealed: &sealed,
        browser: browser.user_agent.as_deref().and_then(user_agent::describe),
    };
    services
        .store
        .begin_session(&proof, new, replaces, stamp)
        .await?;
    Ok(IssuedCookies { token, device })
}

/// Verifies the password once more, records the time, and gives the session another token. The token before opens
/// nothing any more. The session's lifetime is not extended.
///
/// A password that was changed elsewhere meanwhile replaces the stored one.
pub async fn reauthenticate(
    services: &Services,
    session: &Session,
    password: Secret,
    browser: &BrowserInfo,
    stamp: &Stamp,
) -> Result<IssuedCookies, Failure> {
    let credentials = Credentials {
        username: session.credential.username().to_owned(),
        password,
    };
    let purpose = PasswordCheck::Reauthenticate(&session.identity);
    let verified = verify(services, &credentials, purpose, browser, stamp).await?;
    let token = Token::new(&services.random)?;
    let sealed = seal::seal(
        &services.server_key,
        &token,
        verified.proof.identity(),
        &verified.credential,
        &services.random,
    )??;
    let renewed = RenewedSession {
        before: &session.id_hash,
        id_hash: &token.id_hash(),
        sealed: &sealed,
    };
    let is_live = services
        .store
        .renew_session(&verified.proof, renewed, stamp)
        .await?;
    if !is_live {
        return Err(Failure::SignedOut);
    }
    Ok(IssuedCookies {
        token,
        device: verified.device,
    })
}

/// Purpose of a password check.
#[derive(Clone, Copy, Debug)]
enum PasswordCheck<'a> {
    SignIn,
    /// The signed-in user enters the password once more.
    Reauthenticate(&'a Identity),
}

struct Verified {
    proof: VerifiedPassword,
    credential: Credential,
    device: DeviceToken,
}

/// Reason why the password was not verified. The caller cannot tell `Rejected` from `Paused`.
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

/// Verifies a user name and password with Elasticsearch, within the sign-in rate limits. A rate-limited caller gets
/// the same error as for a wrong password, so that the answer does not reveal which it was.
async fn verify(
    services: &Services,
    credentials: &Credentials,
    purpose: PasswordCheck<'_>,
    browser: &BrowserInfo,
    stamp: &Stamp,
) -> Result<Verified, Failure> {
    let verified = try_to_verify(services, credentials, purpose, browser, stamp).await;
    services.metrics.sign_in(match &verified {
        Ok(_) => SignIn::Accepted,
        Err(Refusal::Rejected) => SignIn::Rejected,
        Err(Refusal::Paused) => SignIn::Paused,
        Err(Refusal::Failed(_)) => SignIn::Failed,
    });
    verified.map_err(|refusal| match refusal {
        Refusal::Rejected | Refusal::Paused => Failure::SignInRejected,
        Refusal::Failed(failure) => failure,
    })
}

async fn try_to_verify(
    services: &Services,
    credentials: &Credentials,
    purpose: PasswordCheck<'_>,
    browser: &BrowserInfo,
    stamp: &Stamp,
) -> Result<Verified, Refusal> {
    let username = &credentials.username;
    let Some(credential) = Credential::basic(username, credentials.password.expose()) else {
        return Err(reject(services, purpose, stamp, "cannot be a user").await);
    };
    let devices = services.server_key.device_key()?;
    let presented = browser.device.as_ref();
    let known = presented.and_then(|token| devices.recognise(token, username, stamp.at));
    let keys = rate_limit::limit_keys(username, browser.address, known.as_ref());
    let _permit = services.sign_in_queue.wait(&keys).await;
    let attempt = services.store.attempt_sign_in(&keys, stamp.at).await?;
    if let Attempt::Paused { refusals } = attempt {
        return Err(refuse_paused(services, purpose, stamp, refusals).await);
    }
    let connection = services
        .elasticsearch
        .connect(credential.clone(), stamp.request_id.clone());
    let accepted = access::identify(&connection).await;
    let proof = match (accepted, purpose) {
        (Ok(proof), PasswordCheck::SignIn) => proof,
        (Ok(proof), PasswordCheck::Reauthenticate(identity)) if proof.is_of(identity) => proof,
        // While credentials cannot be checked, a 401 is no wrong guess.
        (Err(elasticsearch::Error::Unauthorized), _)
            if connection.cannot_check_credentials().await =>
        {
            return Err(cannot_check().into());
        }
        (Ok(_), PasswordCheck::Reauthenticate(_))
        | (Err(elasticsearch::Error::Unauthorized), _) => {
            services.store.count_failed_sign_in(&keys, stamp.at).await?;
            return Err(reject(services, purpose, stamp, "not accepted").await);
        }
        (Err(error), _) => return Err(error.into()),
    };
    services.store.forgive_account(&keys).await?;
    Ok(Verified {
        device: devices.issue(username, stamp.at, &services.random)?,
        proof,
        credential,
    })
}

/// Records the first refusal in a row and then every tenth, so that a flood does not fill the audit log.
async fn refuse_paused(
    services: &Services,
    purpose: PasswordCheck<'_>,
    stamp: &Stamp,
    refusals: i64,
) -> Refusal {
    if refusals > 1 && refusals % 10 != 0 {
        return Refusal::Paused;
    }
    let details = json!({ "refusals": refusals });
    let event = failure_event(purpose, Action::LoginThrottled, details);
    match services.store.record(&event, stamp).await {
        Ok(()) => Refusal::Paused,
        Err(error) => error.into(),
    }
}

/// Records a rejected attempt without the name that was typed: users type passwords into the wrong field.
async fn reject(
    services: &Services,
    purpose: PasswordCheck<'_>,
    stamp: &Stamp,
    reason: &str,
) -> Refusal {
    let action = match purpose {
        PasswordCheck::SignIn => Action::UserLogin,
        PasswordCheck::Reauthenticate(_) => Action::Reauth,
    };
    let event = failure_event(purpose, action, json!({ "reason": reason }));
    match services.store.record(&event, stamp).await {
        Ok(()) => Refusal::Rejected,
        Err(error) => error.into(),
    }
}

fn failure_event(
    purpose: PasswordCheck<'_>,
    action: Action,
    details: serde_json::Value,
) -> Event<'_> {
    let actor = match purpose {
        PasswordCheck::SignIn => None,
        PasswordCheck::Reauthenticate(identity) => Some(identity),
    };
    Event {
        actor,
        action,
        outcome: Outcome::Failure,
        target: Target::default(),
        operation: None,
        details,
    }
}
