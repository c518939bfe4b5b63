//! Entering the password again.

use super::{
    Begun, Browser, Session, Token,
    check::{Asking, check},
    seal,
};
use crate::{audit::Stamp, failure::Failure, services::Services, store::RenewedSession};
use app::model::{secret::Secret, user::Credentials};

/// Asks Elasticsearch about the password once more, notes when that was, and gives the session another token: the one
/// before opens nothing any more. The session's life is no longer than it was.
///
/// A password that was changed elsewhere meanwhile is taken over by that.
pub async fn reauthenticate(
    services: &Services,
    session: &Session,
    password: Secret,
    browser: &Browser,
    stamp: &Stamp,
) -> Result<Begun, Failure> {
    let credentials = Credentials {
        username: session.credential.username().to_owned(),
        password,
    };
    let asking = Asking::Again(&session.identity);
    let checked = check(services, &credentials, asking, browser, stamp).await?;
    let token = Token::new(&services.random)?;
    let sealed = seal::seal(
        &services.server_key,
        &token,
        checked.proof.identity(),
        &checked.credential,
        &services.random,
    )??;
    let renewed = RenewedSession {
        before: &session.id_hash,
        id_hash: &token.id_hash(),
        sealed: &sealed,
    };
    let lives = services
        .store
        .renew_session(&checked.proof, renewed, stamp)
        .await?;
    if !lives {
        return Err(Failure::SignedOut);
    }
    Ok(Begun {
        token,
        device: checked.device,
    })
}
