//! Signing in.

use super::{
    Begun, Browser, Token, browser,
    check::{Asking, Checked, check},
    seal,
};
use crate::{
    audit::{Origin, Stamp},
    failure::Failure,
    services::Services,
    store::NewSession,
};
use app::model::user::Credentials;

/// Asks Elasticsearch about name and password, and begins a session. `replaces` is the session that this browser
/// had: it ends, so that a cookie planted before signing in is worth nothing after it.
pub async fn begin(
    services: &Services,
    credentials: &Credentials,
    replaces: Option<&str>,
    browser: &Browser,
    stamp: &Stamp,
) -> Result<Begun, Failure> {
    let checked = check(services, credentials, Asking::Nobody, browser, stamp).await?;
    let Checked {
        proof,
        credential,
        device,
    } = checked;
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
        browser: browser.user_agent.as_deref().and_then(browser::describe),
    };
    services
        .store
        .begin_session(&proof, new, replaces, stamp)
        .await?;
    Ok(Begun { token, device })
}
