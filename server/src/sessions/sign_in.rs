//! Signs in, and verifies the password again.

use super::{IssuedCookies, Token, known_device::DeviceToken, rate_limit, seal, user_agent};
use crate::{
    access::{self, Identity, VerifiedPassword},
    audit::{Action, Event, EventContext, EventSource, Outcome},
    context::{CookieChange, RequestContext},
    credential::Credential,
    elasticsearch::{self, cannot_check},
    error::Error,
    identifier::identifier,
    metrics::SignIn,
    store::{Attempt, NewSession, RenewedSession},
};
use app::model::{secret::Secret, user::Credentials};
use serde_json::json;

/// Verifies user name and password with Elasticsearch, and begins a session. The session that this browser had
/// before ends, so that a cookie planted before sign-in is worth nothing after it.
pub async fn sign_in(ctx: &RequestContext, credentials: &Credentials) -> Result<(), Error> {
    let (state, stamp) = (&ctx.state, &ctx.stamp());
    let replaces = ctx.session().ok().map(|session| session.id_hash.as_str());
    let purpose = PasswordCheck::SignIn;
    let verified = verify(ctx, credentials, purpose, stamp).await?;
    let Verified {
        proof,
        credential,
        device,
    } = verified;
    let token = Token::new(state.random)?;
    let sealed = seal::seal(
        &state.server_key,
        &token,
        proof.identity(),
        &credential,
        state.random,
    )??;
    let id_hash = token.id_hash();
    let stamp = &EventContext {
        origin: EventSource {
            session: Some(id_hash.clone()),
            ..stamp.origin.clone()
        },
        ..stamp.clone()
    };
    let new = NewSession {
        id_hash: &id_hash,
        id: &identifier(state.random, stamp.at)?,
        sealed: &sealed,
        browser: ctx
            .client()
            .user_agent
            .as_deref()
            .and_then(user_agent::describe),
    };
    state
        .store
        .begin_session(&proof, new, replaces, stamp)
        .await?;
    ctx.change_cookies(CookieChange::Set(IssuedCookies { token, device }));
    Ok(())
}

/// Verifies the password once more, records the time, and gives the session another token. The token before opens
/// nothing any more. The session's lifetime is not extended.
///
/// A password that was changed elsewhere meanwhile replaces the stored one.
pub async fn reauthenticate(ctx: &RequestContext, password: Secret) -> Result<(), Error> {
    let (state, stamp, session) = (&ctx.state, &ctx.stamp(), ctx.session()?);
    let credentials = Credentials {
        username: session.credential.username().to_owned(),
        password,
    };
    let purpose = PasswordCheck::Reauthenticate(&session.identity);
    let verified = verify(ctx, &credentials, purpose, stamp).await?;
    let token = Token::new(state.random)?;
    let sealed = seal::seal(
        &state.server_key,
        &token,
        verified.proof.identity(),
        &verified.credential,
        state.random,
    )??;
    let renewed = RenewedSession {
        before: &session.id_hash,
        id_hash: &token.id_hash(),
        sealed: &sealed,
    };
    let is_live = state
        .store
        .renew_session(&verified.proof, renewed, stamp)
        .await?;
    if !is_live {
        return Err(Error::SignedOut);
    }
    ctx.change_cookies(CookieChange::Set(IssuedCookies {
        token,
        device: verified.device,
    }));
    Ok(())
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
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Verifies a user name and password with Elasticsearch, within the sign-in rate limits. A rate-limited caller gets
/// the same error as for a wrong password, so that the answer does not reveal which it was.
async fn verify(
    ctx: &RequestContext,
    credentials: &Credentials,
    purpose: PasswordCheck<'_>,
    stamp: &EventContext,
) -> Result<Verified, Error> {
    let verified = try_to_verify(ctx, credentials, purpose, stamp).await;
    ctx.state.metrics.sign_in(match &verified {
        Ok(_) => SignIn::Accepted,
        Err(Refusal::Rejected) => SignIn::Rejected,
        Err(Refusal::Paused) => SignIn::Paused,
        Err(Refusal::Failed(_)) => SignIn::Failed,
    });
    verified.map_err(|refusal| match refusal {
        Refusal::Rejected | Refusal::Paused => Error::SignInRejected,
        Refusal::Failed(failure) => failure,
    })
}

async fn try_to_verify(
    ctx: &RequestContext,
    credentials: &Credentials,
    purpose: PasswordCheck<'_>,
    stamp: &EventContext,
) -> Result<Verified, Refusal> {
    let (state, client) = (&ctx.state, ctx.client());
    let username = &credentials.username;
    let Some(credential) = Credential::basic(username, credentials.password.expose()) else {
        return Err(reject(ctx, purpose, stamp, "cannot be a user").await);
    };
    let devices = state.server_key.device_key()?;
    let presented = client.device.as_ref();
    let known = presented.and_then(|token| devices.recognise(token, username, stamp.at));
    let keys = rate_limit::limit_keys(username, client.address, known.as_ref());
    let _permit = state.sign_in_queue.wait(&keys).await;
    let attempt = state.store.attempt_sign_in(&keys, stamp.at).await?;
    if let Attempt::Paused { refusals } = attempt {
        return Err(refuse_paused(ctx, purpose, stamp, refusals).await);
    }
    let connection = state
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
            state.store.count_failed_sign_in(&keys, stamp.at).await?;
            return Err(reject(ctx, purpose, stamp, "not accepted").await);
        }
        (Err(error), _) => return Err(error.into()),
    };
    state.store.forgive_account(&keys).await?;
    Ok(Verified {
        device: devices.issue(username, stamp.at, state.random)?,
        proof,
        credential,
    })
}

/// Records the first refusal in a row and then every tenth, so that a flood does not fill the audit log.
async fn refuse_paused(
    ctx: &RequestContext,
    purpose: PasswordCheck<'_>,
    stamp: &EventContext,
    refusals: i64,
) -> Refusal {
    if refusals > 1 && refusals % 10 != 0 {
        return Refusal::Paused;
    }
    let details = json!({ "refusals": refusals });
    let event = failure_event(purpose, Action::LoginThrottled, details);
    match ctx.state.store.record(&event, stamp).await {
        Ok(()) => Refusal::Paused,
        Err(error) => error.into(),
    }
}

/// Records a rejected attempt without the name that was typed: users type passwords into the wrong field.
async fn reject(
    ctx: &RequestContext,
    purpose: PasswordCheck<'_>,
    stamp: &EventContext,
    reason: &str,
) -> Refusal {
    let action = match purpose {
        PasswordCheck::SignIn => Action::UserLogin,
        PasswordCheck::Reauthenticate(_) => Action::Reauth,
    };
    let event = failure_event(purpose, action, json!({ "reason": reason }));
    match ctx.state.store.record(&event, stamp).await {
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
    Event::new(action)
        .outcome(Outcome::Failure)
        .by(actor)
        .details(details)
}
