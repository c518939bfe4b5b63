//! Whether name and password belong together, within the limits.

use super::{Browser, device::DeviceToken, limit};
use crate::{
    access::{self, Identity, SignedIn},
    audit::{Action, Event, Outcome, Stamp, Target},
    elasticsearch::{self, Credential, recheck::cannot_check},
    failure::Failure,
    metrics::SignIn,
    services::Services,
    store::Attempt,
};
use app::model::user::Credentials;
use serde_json::json;

/// Who says that they are who they say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asking<'a> {
    /// Somebody who wants to sign in.
    Nobody,
    /// Somebody who is signed in, once more.
    Again(&'a Identity),
}

/// The right password.
pub(super) struct Checked {
    pub(super) proof: SignedIn,
    pub(super) credential: Credential,
    pub(super) device: DeviceToken,
}

/// Why nobody is the wiser.
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

/// Asks Elasticsearch about name and password. Who tries too often is paused, and told what everybody is told whose
/// name or password is wrong.
pub(super) async fn check(
    services: &Services,
    credentials: &Credentials,
    asking: Asking<'_>,
    browser: &Browser,
    stamp: &Stamp,
) -> Result<Checked, Failure> {
    let checked = try_to_check(services, credentials, asking, browser, stamp).await;
    services.metrics.sign_in(match &checked {
        Ok(_) => SignIn::Accepted,
        Err(Refusal::Rejected) => SignIn::Rejected,
        Err(Refusal::Paused) => SignIn::Paused,
        Err(Refusal::Failed(_)) => SignIn::Failed,
    });
    checked.map_err(|refusal| match refusal {
        // Nobody is told the difference.
        Refusal::Rejected | Refusal::Paused => Failure::SignInRejected,
        Refusal::Failed(failure) => failure,
    })
}

async fn try_to_check(
    services: &Services,
    credentials: &Credentials,
    asking: Asking<'_>,
    browser: &Browser,
    stamp: &Stamp,
) -> Result<Checked, Refusal> {
    let username = &credentials.username;
    let Some(credential) = Credential::basic(username, credentials.password.expose()) else {
        return Err(rejected(services, asking, stamp, "cannot be a user").await);
    };
    let devices = services.server_key.device_key()?;
    let brought = browser.device.as_ref();
    let known = brought.and_then(|token| devices.recognise(token, username, stamp.at));
    let subjects = limit::subjects(username, browser.address, known.as_ref());
    let _turn = services.turns.wait(&subjects).await;
    let attempt = services.store.attempt_sign_in(&subjects, stamp.at).await?;
    if let Attempt::Paused { refusals } = attempt {
        return Err(paused(services, asking, stamp, refusals).await);
    }
    let connection = services
        .elasticsearch
        .connect(credential.clone(), stamp.request_id.clone());
    let accepted = access::identify(&connection).await;
    let proof = match (accepted, asking) {
        (Ok(proof), Asking::Nobody) => proof,
        (Ok(proof), Asking::Again(identity)) if proof.is_of(identity) => proof,
        // While credentials cannot be checked, a 401 is no wrong guess.
        (Err(elasticsearch::Error::Unauthorized), _)
            if connection.cannot_check_credentials().await =>
        {
            return Err(cannot_check().into());
        }
        (Ok(_), Asking::Again(_)) | (Err(elasticsearch::Error::Unauthorized), _) => {
            services
                .store
                .count_failed_sign_in(&subjects, stamp.at)
                .await?;
            return Err(rejected(services, asking, stamp, "not accepted").await);
        }
        (Err(error), _) => return Err(error.into()),
    };
    services.store.forgive_account(&subjects).await?;
    Ok(Checked {
        device: devices.issue(username, stamp.at, &services.random)?,
        proof,
        credential,
    })
}

/// A flood must not fill the audit log: the first refusal is written down, and then every tenth.
async fn paused(services: &Services, asking: Asking<'_>, stamp: &Stamp, refusals: i64) -> Refusal {
    if refusals > 1 && refusals % 10 != 0 {
        return Refusal::Paused;
    }
    let details = json!({ "refusals": refusals });
    let event = failure(asking, Action::LoginThrottled, details);
    match services.store.record(&event, stamp).await {
        Ok(()) => Refusal::Paused,
        Err(error) => error.into(),
    }
}

/// The name that was typed is not written down: people type passwords into the wrong field.
async fn rejected(services: &Services, asking: Asking<'_>, stamp: &Stamp, reason: &str) -> Refusal {
    let action = match asking {
        Asking::Nobody => Action::UserLogin,
        Asking::Again(_) => Action::Reauth,
    };
    let event = failure(asking, action, json!({ "reason": reason }));
    match services.store.record(&event, stamp).await {
        Ok(()) => Refusal::Rejected,
        Err(error) => error.into(),
    }
}

fn failure(asking: Asking<'_>, action: Action, details: serde_json::Value) -> Event<'_> {
    let actor = match asking {
        Asking::Nobody => None,
        Asking::Again(identity) => Some(identity),
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
