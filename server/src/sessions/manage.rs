//! Lists and ends sessions.

use super::{IDLE_MAX, LIFE_MAX, Session};
use crate::{
    access::ManageSecurity,
    audit::{Action, Event},
    context::{CookieChange, RequestContext},
    error::Error,
    store::{ActiveWindow, ListedSession, SessionFilter},
};
use app::model::{
    audit::SearchText,
    session::{EndedSession, LiveSession, SessionId, SessionList},
    timestamp::Timestamp,
};
use serde_json::json;

/// Most sessions in a list. A user's own are never more.
pub const SESSIONS_MAX: usize = 100;

/// Reason for ending the session in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    SignedOut,
    /// Elasticsearch no longer accepts the credential.
    NotAccepted,
}

/// Lists the user's own sessions. Elasticsearch is not called: they must be found, and ended, also while it is down.
#[tracing::instrument(name = "session.list.own", skip_all)]
pub async fn own(ctx: &RequestContext) -> Result<SessionList, Error> {
    let now = ctx.state.now();
    let session = ctx.session()?;
    let found = ctx
        .state
        .store
        .own_sessions(&session.identity, active_at(now))
        .await?;
    Ok(SessionList {
        notice: ctx.notice(),
        ..list(&session.id, found, now)
    })
}

/// Lists the sessions of other users whose user name contains `name`.
#[tracing::instrument(name = "session.list.others", skip_all)]
pub async fn others(ctx: &RequestContext, name: SearchText) -> Result<SessionList, Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    let now = ctx.state.now();
    // One more than is shown reveals that there are more.
    let found = ctx
        .state
        .store
        .others_sessions(&grant, &name, active_at(now), SESSIONS_MAX + 1)
        .await?;
    Ok(list(&ctx.session()?.id, found, now))
}

/// Ends the session in use for good, if there is one. Its cookie goes even if the database cannot be written.
pub async fn end(ctx: &RequestContext, reason: EndReason) -> Result<(), Error> {
    let session = ctx.session().ok();
    if reason == EndReason::SignedOut {
        ctx.change_cookies(CookieChange::SignOut);
    } else if session.is_some() {
        ctx.change_cookies(CookieChange::Remove);
    }
    match session {
        Some(session) => record_end(ctx, session, reason).await,
        None => Ok(()),
    }
}

async fn record_end(
    ctx: &RequestContext,
    session: &Session,
    reason: EndReason,
) -> Result<(), Error> {
    let (action, reason) = match reason {
        EndReason::SignedOut => (Action::UserLogout, "signed_out"),
        EndReason::NotAccepted => (Action::SessionEnded, "es_401"),
    };
    let event = Event::new(action)
        .by(&session.identity)
        .details(json!({ "reason": reason }));
    let store = &ctx.state.store;
    store
        .end_session(&session.id_hash, &event, &ctx.event_context())
        .await?;
    Ok(())
}

/// Ends one session, chosen by its public id: one of the user's own, or with `manage_security` any. Ending the session
/// in use is signing out. Without that privilege, other users' sessions are reported as not found.
///
/// One's own needs no recent password, so that a user who finds a stranger in their account is rid of them at once.
#[tracing::instrument(name = "session.end_one", skip_all)]
pub async fn end_by_id(ctx: &RequestContext, id: SessionId) -> Result<EndedSession, Error> {
    let event_context = ctx.event_context();
    let session = ctx.session()?;
    if id == session.id {
        record_end(ctx, session, EndReason::SignedOut).await?;
        ctx.change_cookies(CookieChange::SignOut);
        return Ok(EndedSession::This);
    }
    let active = active_at(event_context.at);
    let own = SessionFilter::Own {
        identity: &session.identity,
        id: &id,
    };
    if ctx
        .state
        .store
        .end_sessions(own, active, &event_context)
        .await?
        > 0
    {
        return Ok(EndedSession::Another);
    }
    let grant = match ctx.grant::<ManageSecurity>().await {
        Ok(grant) => grant,
        Err(Error::Missing(_)) => return Err(Error::NotFound),
        Err(failure) => return Err(failure),
    };
    let fresh = ctx.require_recent_password()?;
    let any = SessionFilter::Any {
        grant: &grant,
        fresh: &fresh,
        id: &id,
    };
    match ctx
        .state
        .store
        .end_sessions(any, active, &event_context)
        .await?
    {
        0 => Err(Error::NotFound),
        _ => Ok(EndedSession::Another),
    }
}

/// Ends all of the user's sessions but the one in use, and returns their number.
#[tracing::instrument(name = "session.end_others", skip_all)]
pub async fn end_all_others(ctx: &RequestContext) -> Result<u64, Error> {
    let event_context = ctx.event_context();
    let session = ctx.session()?;
    let others = SessionFilter::OwnExcept {
        identity: &session.identity,
        except: &session.id,
    };
    let ended = ctx
        .state
        .store
        .end_sessions(others, active_at(event_context.at), &event_context)
        .await?;
    Ok(ended)
}

fn active_at(now: Timestamp) -> ActiveWindow {
    ActiveWindow {
        touched_after: now.minus(IDLE_MAX),
        created_after: now.minus(LIFE_MAX),
    }
}

fn list(this: &SessionId, found: Vec<ListedSession>, now: Timestamp) -> SessionList {
    let more = found.len() > SESSIONS_MAX;
    let sessions = found
        .into_iter()
        .take(SESSIONS_MAX)
        .map(|session| LiveSession {
            is_this: session.id == this.as_str(),
            id: session.id,
            username: session.username,
            realm: session.realm,
            browser: session.browser,
            address: session.address,
            signed_in_at: session.created_at,
            used_at: session.touched_at,
        });
    SessionList {
        sessions: sessions.collect(),
        more,
        now,
        notice: None,
    }
}
