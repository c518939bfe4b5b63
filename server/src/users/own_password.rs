//! Changes the signed-in user's own password.

use crate::{
    access::ChangeOwnPassword,
    audit::{Action, Target},
    context::RequestContext,
    credential::Credential,
    error::Error,
    ledger,
    sessions::{self, Verified},
};
use app::model::user::{CurrentPasswordError, NewPassword, OwnPasswordErrors, OwnPasswordForm};
use serde_json::json;

/// Changes the user's own password, after verifying the current one within the sign-in rate limits. The user's other
/// sessions end. This one continues with a new token and the new password sealed in it.
#[tracing::instrument(name = "users.own_password.change", skip_all)]
pub async fn change_own_password(ctx: &RequestContext, form: OwnPasswordForm) -> Result<(), Error> {
    let grant = ctx.grant::<ChangeOwnPassword>().await?;
    let session = ctx.session()?;
    let new = parse(&form, &session.identity.username)?;
    let verified = sessions::verify_again(ctx, form.current).await;
    let verified = verified.map_err(|error| match error {
        Error::SignInRejected => Error::OwnPassword(OwnPasswordErrors {
            current: Some(CurrentPasswordError::Rejected),
            ..OwnPasswordErrors::default()
        }),
        error => error,
    })?;
    let sign_in_name = session.credential.username();
    let Some(credential) = Credential::basic(sign_in_name, new.secret().expose()) else {
        // A validated password always fits Basic authentication.
        return Err(Error::SignInRejected);
    };
    let target = Target {
        id: None,
        name: Some(session.identity.username.clone()),
    };
    // The password just verified may be newer than the one in the session.
    let connection = ctx
        .state
        .elasticsearch
        .connect(verified.credential.clone(), ctx.request_id().clone());
    let set = async move || {
        let set = connection.set_own_password(new.secret()).await;
        set.map_err(Error::of_write)?;
        Ok(json!({ "own": true }))
    };
    let task = {
        let ctx = ctx.clone();
        let verified = Verified {
            credential,
            ..verified
        };
        async move {
            ledger::run_one(&ctx, grant, Action::UserPasswordChange, target, set).await?;
            sessions::renew(&ctx, verified).await?;
            sessions::manage::end_all_others(&ctx).await?;
            Ok(())
        }
    };
    ctx.state.run_to_completion(task).await
}

fn parse(form: &OwnPasswordForm, username: &str) -> Result<NewPassword, Error> {
    let empty = form.current.expose().is_empty();
    let current = empty.then_some(CurrentPasswordError::Empty);
    let repeated = form.new != form.repeated;
    match NewPassword::parse(form.new.clone(), username) {
        Ok(new) if current.is_none() && !repeated => Ok(new),
        new => Err(Error::OwnPassword(OwnPasswordErrors {
            current,
            new: new.err(),
            repeated,
        })),
    }
}
