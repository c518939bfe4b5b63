//! Signs in, and verifies the password again.

use super::{IssuedCookies, Token, known_device::DeviceToken, rate_limit, seal, user_agent};
use crate::{
    access::{self, Identity, VerifiedPassword},
    audit::{Action, Event, EventContext, EventSource, Outcome, Target},
    context::{CookieChange, RequestContext},
    credential::Credential,
    elasticsearch::{self, cannot_check},
    error::Error,
    identifier::identifier,
    metrics::SignIn,
    store::{self, Attempt, NewSession, RenewedSession},
};
use app::model::{secret::Secret, user::Credentials};
use serde_json::{Value, json};

/// Maximum number of characters of a name that was tried, in the audit log.
const TRIED_NAME_CHARACTERS_MAX: usize = 64;

/// Verifies user name and password with Elasticsearch, and begins a session. The session that this browser had
/// before ends, so that a cookie planted before sign-in is worth nothing after it.
pub async fn sign_in(ctx: &RequestContext, credentials: &Credentials) -> Result<(), Error> {
    let (state, event_context) = (&ctx.state, &ctx.event_context());
    let replaces = ctx.session().ok().map(|session| session.id_hash.as_str());
    let purpose = PasswordCheck::SignIn;
    let verified = verify(ctx, credentials, purpose, event_context).await?;
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
    let event_context = &EventContext {
        origin: EventSource {
            session: Some(id_hash.clone()),
            ..event_context.origin.clone()
        },
        ..event_context.clone()
    };
    let new = NewSession {
        id_hash: &id_hash,
        id: &identifier(state.random, event_context.at)?,
        sealed: &sealed,
        browser: ctx
            .client()
            .user_agent
            .as_deref()
            .and_then(user_agent::describe),
    };
    state
        .store
        .begin_session(&proof, new, replaces, event_context)
        .await?;
    ctx.change_cookies(CookieChange::Set(IssuedCookies { token, device }));
    Ok(())
}

/// Verifies the password once more, records the time, and gives the session another token. The token before opens
/// nothing any more. The session's lifetime is not extended.
///
/// A password that was changed elsewhere meanwhile replaces the stored one.
pub async fn reauthenticate(ctx: &RequestContext, password: Secret) -> Result<(), Error> {
    let verified = verify_again(ctx, password).await?;
    renew(ctx, verified).await
}

/// Verifies the password of the signed-in user once more.
pub async fn verify_again(ctx: &RequestContext, password: Secret) -> Result<Verified, Error> {
    let session = ctx.session()?;
    let credentials = Credentials {
        username: session.credential.username().to_owned(),
        password,
    };
    let purpose = PasswordCheck::Reauthenticate(&session.identity);
    verify(ctx, &credentials, purpose, &ctx.event_context()).await
}

/// Gives the session another token and seals this credential with it. The token before opens nothing any more.
pub async fn renew(ctx: &RequestContext, verified: Verified) -> Result<(), Error> {
    let (state, event_context, session) = (&ctx.state, &ctx.event_context(), ctx.session()?);
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
        .renew_session(&verified.proof, renewed, event_context)
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

/// A verified password, with what a session needs.
#[derive(Debug)]
pub struct Verified {
    pub proof: VerifiedPassword,
    pub credential: Credential,
    pub device: DeviceToken,
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
    event_context: &EventContext,
) -> Result<Verified, Error> {
    let verified = try_to_verify(ctx, credentials, purpose, event_context).await;
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
    event_context: &EventContext,
) -> Result<Verified, Refusal> {
    let (state, client) = (&ctx.state, ctx.client());
    let username = &credentials.username;
    let devices = state.server_key.device_key()?;
    let presented = client.device.as_ref();
    let known = presented.and_then(|token| devices.recognise(token, username, event_context.at));
    let keys = rate_limit::limit_keys(username, client.address, known.as_ref());
    let _permit = state.sign_in_queue.wait(&keys).await;
    let attempt = state.store.attempt_sign_in(&keys, event_context.at).await?;
    if let Attempt::Paused { refusals } = attempt {
        return Err(refuse_paused(ctx, purpose, username, event_context, refusals).await);
    }
    let Some(credential) = Credential::basic(username, credentials.password.expose()) else {
        let failed = state.store.count_failed_sign_in(&keys, event_context.at);
        failed.await?;
        return Err(reject(ctx, purpose, username, event_context, "cannot be a user").await);
    };
    let connection = state
        .elasticsearch
        .connect(credential.clone(), event_context.request_id.clone());
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
            state
                .store
                .count_failed_sign_in(&keys, event_context.at)
                .await?;
            return Err(reject(ctx, purpose, username, event_context, "not accepted").await);
        }
        (Err(error), _) => return Err(error.into()),
    };
    state.store.forgive_account(&keys).await?;
    Ok(Verified {
        device: devices.issue(username, event_context.at, state.random)?,
        proof,
        credential,
    })
}

/// Records the first refusal in a row, the second, the fourth, and so on, each with their number, so that a flood does
/// not fill the audit log.
async fn refuse_paused(
    ctx: &RequestContext,
    purpose: PasswordCheck<'_>,
    username: &str,
    event_context: &EventContext,
    refusals: i64,
) -> Refusal {
    if refusals.count_ones() > 1 {
        return Refusal::Paused;
    }
    let details = json!({ "refusals": refusals });
    match record_failure(
        ctx,
        purpose,
        Action::LoginThrottled,
        username,
        event_context,
        details,
    )
    .await
    {
        Ok(()) => Refusal::Paused,
        Err(error) => error.into(),
    }
}

/// Records a rejected attempt.
async fn reject(
    ctx: &RequestContext,
    purpose: PasswordCheck<'_>,
    username: &str,
    event_context: &EventContext,
    reason: &str,
) -> Refusal {
    let action = match purpose {
        PasswordCheck::SignIn => Action::UserLogin,
        PasswordCheck::Reauthenticate(_) => Action::Reauth,
    };
    let details = json!({ "reason": reason });
    match record_failure(ctx, purpose, action, username, event_context, details).await {
        Ok(()) => Refusal::Rejected,
        Err(error) => error.into(),
    }
}

/// Records a failure. A name that was typed is recorded only if a user of that name has signed in or was created here:
/// users type passwords into the wrong field.
async fn record_failure(
    ctx: &RequestContext,
    purpose: PasswordCheck<'_>,
    action: Action,
    username: &str,
    event_context: &EventContext,
    mut details: Value,
) -> Result<(), store::Error> {
    let store = &ctx.state.store;
    let mut event = Event::new(action).outcome(Outcome::Failure);
    match purpose {
        PasswordCheck::Reauthenticate(identity) => event = event.by(identity),
        PasswordCheck::SignIn if store.knows_user(username).await? => {
            let name = username.chars().take(TRIED_NAME_CHARACTERS_MAX).collect();
            let name = Some(name);
            event = event.on(Target { id: None, name });
        }
        PasswordCheck::SignIn => details["user"] = "unknown".into(),
    }
    store.record(&event.details(details), event_context).await
}
