//! Signs in, and verifies the password again.

use super::{IssuedCookies, Token, known_device::DeviceToken, rate_limit, seal, user_agent};
use crate::{
    access::{self, Identity, VerifiedPassword},
    audit::{Action, Event, EventContext, EventSource, Outcome, Target},
    context::{AppState, CookieChange, RequestContext},
    credential::Credential,
    elasticsearch::{self, cannot_check},
    error::Error,
    identifier::identifier,
    metrics::SignIn,
    store::{self, Attempt, NewSession, RenewedSession, Store},
};
use app::model::{secret::Secret, user::Credentials};
use serde_json::{Value, json};
use std::net::IpAddr;

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
    /// A client of the embedded engine's port.
    EnginePort,
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
        record_pause(&state.store, purpose, username, event_context, refusals).await?;
        return Err(Refusal::Paused);
    }
    let Some(credential) = Credential::basic(username, credentials.password.expose()) else {
        let failed = state.store.count_failed_sign_in(&keys, event_context.at);
        failed.await?;
        let (store, reason) = (&state.store, "cannot be a user");
        record_rejection(store, purpose, username, event_context, reason).await?;
        return Err(Refusal::Rejected);
    };
    let connection = state
        .elasticsearch
        .connect(credential.clone(), event_context.request_id.clone());
    let accepted = access::identify(&connection).await;
    let proof = match (accepted, purpose) {
        (Ok(proof), PasswordCheck::SignIn | PasswordCheck::EnginePort) => proof,
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
            let (store, reason) = (&state.store, "not accepted");
            record_rejection(store, purpose, username, event_context, reason).await?;
            return Err(Refusal::Rejected);
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

/// Checks a password at the port of the embedded engine, within the limits of signing in, and counts and records a
/// failure like one. Returns `None` if the check does, or if nothing can be counted.
pub async fn check_at_engine_port(
    state: &AppState,
    username: &str,
    address: IpAddr,
    check: impl Future<Output = Option<bool>>,
) -> Option<bool> {
    let event_context = EventContext {
        origin: EventSource {
            address: Some(address),
            session: None,
        },
        ..state.event_context().ok()?
    };
    let checked = try_at_engine_port(state, username, &event_context, check).await;
    checked.unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a password at the engine's port was not accepted, because attempts cannot be counted"
        );
        None
    })
}

async fn try_at_engine_port(
    state: &AppState,
    username: &str,
    event_context: &EventContext,
    check: impl Future<Output = Option<bool>>,
) -> Result<Option<bool>, store::Error> {
    let (store, purpose) = (&state.store, PasswordCheck::EnginePort);
    let keys = rate_limit::limit_keys(username, event_context.origin.address, None);
    let _permit = state.engine_port_queue.wait(&keys).await;
    if let Attempt::Paused { refusals } = store.attempt_sign_in(&keys, event_context.at).await? {
        state.metrics.sign_in(SignIn::Paused);
        record_pause(store, purpose, username, event_context, refusals).await?;
        return Ok(Some(false));
    }
    let checked = check.await;
    match checked {
        Some(true) => store.forgive_account(&keys).await?,
        Some(false) => {
            state.metrics.sign_in(SignIn::Rejected);
            store.count_failed_sign_in(&keys, event_context.at).await?;
            record_rejection(store, purpose, username, event_context, "not accepted").await?;
        }
        None => {}
    }
    Ok(checked)
}

/// Records the first refusal in a row, the second, the fourth, and so on, each with their number, so that a flood does
/// not fill the audit log.
async fn record_pause(
    store: &Store,
    purpose: PasswordCheck<'_>,
    username: &str,
    event_context: &EventContext,
    refusals: i64,
) -> Result<(), store::Error> {
    if refusals.count_ones() > 1 {
        return Ok(());
    }
    tracing::warn!(
        refusals,
        "a sign-in is paused after too many failures: the password was not checked"
    );
    let (action, details) = (Action::LoginThrottled, json!({ "refusals": refusals }));
    record_failure(store, purpose, action, username, event_context, details).await
}

/// Records a rejected attempt.
async fn record_rejection(
    store: &Store,
    purpose: PasswordCheck<'_>,
    username: &str,
    event_context: &EventContext,
    reason: &str,
) -> Result<(), store::Error> {
    let action = match purpose {
        PasswordCheck::SignIn | PasswordCheck::EnginePort => Action::UserLogin,
        PasswordCheck::Reauthenticate(_) => Action::Reauth,
    };
    let details = json!({ "reason": reason });
    record_failure(store, purpose, action, username, event_context, details).await
}

/// Records a failure. A name that was typed is recorded only if a user of that name has signed in or was created here:
/// users type passwords into the wrong field.
async fn record_failure(
    store: &Store,
    purpose: PasswordCheck<'_>,
    action: Action,
    username: &str,
    event_context: &EventContext,
    mut details: Value,
) -> Result<(), store::Error> {
    let mut event = Event::new(action).outcome(Outcome::Failure);
    if let PasswordCheck::EnginePort = purpose {
        details["port"] = "engine".into();
    }
    match purpose {
        PasswordCheck::Reauthenticate(identity) => event = event.by(identity),
        PasswordCheck::SignIn | PasswordCheck::EnginePort if store.knows_user(username).await? => {
            let name = username.chars().take(TRIED_NAME_CHARACTERS_MAX).collect();
            let name = Some(name);
            event = event.on(Target { id: None, name });
        }
        PasswordCheck::SignIn | PasswordCheck::EnginePort => details["user"] = "unknown".into(),
    }
    store.record(&event.details(details), event_context).await
}
