//! Native users of Elasticsearch, and the change of one's own password.
//!
//! The agent key role, as it is documented, is the only role that can be given here: [`assign_role`] and [`create`] use
//! no other, so that nothing here makes an administrator. Every change requires a [`RecentPassword`].

mod list;

use crate::{
    access::{ChangeOwnPassword, Grant, ManageSecurity},
    audit::{Action, Target},
    context::RequestContext,
    credential::Credential,
    elasticsearch::{
        Connection,
        users::{StoredUser, UserBody},
    },
    error::Error,
    ledger,
    sessions::{self, RecentPassword, Verified},
};
use app::model::{
    secret::Secret,
    user::{
        AGENT_KEY_ROLE, CurrentPasswordError, NewPassword, NewUser, OwnPasswordErrors,
        OwnPasswordForm, Username,
    },
};
pub use list::list;
use platform::RandomError;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

/// Returns a random password.
pub fn generate_password(ctx: &RequestContext) -> Result<Secret, RandomError> {
    let password = ctx.state.random.password()?;
    Ok(Secret::new(password.expose_secret().to_owned()))
}

/// Creates a user. Elasticsearch would replace one of the same name, so it is asked first whether there is one.
#[tracing::instrument(name = "users.user.create", skip_all)]
pub async fn create(ctx: &RequestContext, new: NewUser) -> Result<(), Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    let recent_password = ctx.require_recent_password()?;
    let name = new.username.as_str();
    if ctx.elasticsearch()?.get_user(name).await?.is_some() {
        return Err(Error::UsernameTaken);
    }
    let username = new.username.clone();
    let create = move |connection: Connection| async move {
        // Another request may have created the user while this one waited for the lock.
        let name = new.username.as_str();
        if connection.get_user(name).await?.is_some() {
            return Err(Error::UsernameTaken);
        }
        let roles: Vec<_> = new
            .agent_key_role
            .then(|| AGENT_KEY_ROLE.to_owned())
            .into_iter()
            .collect();
        let body = UserBody {
            password: Some(new.password.secret()),
            roles: &roles,
            full_name: new.full_name.as_deref(),
            email: new.email.as_deref(),
            metadata: &Map::new(),
            enabled: true,
        };
        let created = connection
            .put_user(name, &body)
            .await
            .map_err(Error::of_write)?;
        if !created {
            return Err(Error::ChangedMeanwhile);
        }
        Ok(json!({ "roles": roles }))
    };
    let action = Action::UserCreate;
    change(ctx, (grant, recent_password), action, &username, create).await
}

/// Changes this one role and nothing else. Elasticsearch only knows how to replace a whole user, so everything is
/// read under the lock, written back, and read again: if it is not what was written, another client wrote too.
#[tracing::instrument(name = "users.user.assign_role", skip_all)]
pub async fn assign_role(
    ctx: &RequestContext,
    username: Username,
    assigned: bool,
) -> Result<(), Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    let recent_password = ctx.require_recent_password()?;
    let user = changeable(ctx.elasticsearch()?, &username).await?;
    if holds_role(&user) == assigned {
        return Ok(());
    }
    let action = Action::UserRolesChange;
    let name = username.clone();
    let replace = move |connection| replace_roles(connection, name, assigned);
    change(ctx, (grant, recent_password), action, &username, replace).await
}

fn holds_role(user: &StoredUser) -> bool {
    user.roles.iter().any(|role| role == AGENT_KEY_ROLE)
}

async fn replace_roles(
    connection: Connection,
    username: Username,
    assigned: bool,
) -> Result<Value, Error> {
    let before = changeable(&connection, &username).await?;
    let mut wanted = before.clone();
    wanted.roles.retain(|role| role != AGENT_KEY_ROLE);
    if assigned {
        wanted.roles.push(AGENT_KEY_ROLE.to_owned());
    }
    let body = UserBody {
        password: None,
        roles: &wanted.roles,
        full_name: wanted.full_name.as_deref(),
        email: wanted.email.as_deref(),
        metadata: &wanted.metadata,
        enabled: wanted.enabled,
    };
    connection
        .put_user(&wanted.username, &body)
        .await
        .map_err(Error::of_write)?;
    let after = connection
        .get_user(&wanted.username)
        .await
        .map_err(Error::Unconfirmed)?;
    if after.map(in_order) != Some(in_order(wanted.clone())) {
        return Err(Error::ChangedMeanwhile);
    }
    let details = json!({ "before": before.roles, "after": wanted.roles });
    Ok(details)
}

/// Elasticsearch keeps a set of roles, and may list it in another order.
fn in_order(mut user: StoredUser) -> StoredUser {
    user.roles.sort_unstable();
    user.roles.dedup();
    user
}

/// Enables or disables a user. Users cannot disable themselves.
#[tracing::instrument(name = "users.user.set_enabled", skip_all)]
pub async fn set_enabled(
    ctx: &RequestContext,
    username: Username,
    enabled: bool,
) -> Result<(), Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    let recent_password = ctx.require_recent_password()?;
    if !enabled {
        not_own_account(ctx, &username)?;
    }
    changeable(ctx.elasticsearch()?, &username).await?;
    let name = username.clone();
    let set = move |connection: Connection| async move {
        connection
            .set_user_enabled(name.as_str(), enabled)
            .await
            .map_err(Error::of_write)?;
        Ok(json!({}))
    };
    let action = if enabled {
        Action::UserEnable
    } else {
        Action::UserDisable
    };
    change(ctx, (grant, recent_password), action, &username, set).await
}

/// Gives a user a new password. The one thing that can be changed about a reserved user, too. Users change their own
/// with [`change_own_password`].
#[tracing::instrument(name = "users.user.reset_password", skip_all)]
pub async fn reset_password(
    ctx: &RequestContext,
    username: Username,
    password: NewPassword,
) -> Result<(), Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    let recent_password = ctx.require_recent_password()?;
    let me = &ctx.session()?.identity;
    if me.has_stored_password() && me.username == username.as_str() {
        return Err(Error::OwnAccount);
    }
    let user = ctx.elasticsearch()?.get_user(username.as_str()).await?;
    if user.is_none() {
        return Err(Error::NotFound);
    }
    let name = username.clone();
    let set = move |connection: Connection| async move {
        connection
            .set_user_password(name.as_str(), password.secret())
            .await
            .map_err(Error::of_write)?;
        Ok(json!({}))
    };
    let action = Action::UserPasswordChange;
    change(ctx, (grant, recent_password), action, &username, set).await
}

/// Deletes a user. Their keys keep working: a key does not need its owner. Users cannot delete themselves.
#[tracing::instrument(name = "users.user.delete", skip_all)]
pub async fn delete(ctx: &RequestContext, username: Username) -> Result<(), Error> {
    let grant = ctx.grant::<ManageSecurity>().await?;
    let recent_password = ctx.require_recent_password()?;
    not_own_account(ctx, &username)?;
    changeable(ctx.elasticsearch()?, &username).await?;
    let name = username.clone();
    let delete = move |connection: Connection| async move {
        let found = connection
            .delete_user(name.as_str())
            .await
            .map_err(Error::of_write)?;
        if !found {
            return Err(Error::NotFound);
        }
        Ok(json!({}))
    };
    let action = Action::UserDelete;
    change(ctx, (grant, recent_password), action, &username, delete).await
}

/// The user, who must exist and must not be one that Elasticsearch keeps for itself.
async fn changeable(connection: &Connection, username: &Username) -> Result<StoredUser, Error> {
    let user = connection.get_user(username.as_str()).await?;
    let user = user.ok_or(Error::NotFound)?;
    if user.is_reserved() {
        return Err(Error::ReservedUser);
    }
    Ok(user)
}

/// Rejects a change that would lock the user out of their own account.
fn not_own_account(ctx: &RequestContext, username: &Username) -> Result<(), Error> {
    if ctx.session()?.identity.username == username.as_str() {
        return Err(Error::OwnAccount);
    }
    Ok(())
}

/// Carries out the change of a user when those before it have ended. Elasticsearch knows no version of a user and
/// only replaces a whole one, so two changes at once would undo each other; and of two administrators who delete each
/// other, the second must find out that they are none any more.
///
/// The lock holds within this process. A change from outside, as in Kibana, is noticed when it is made
/// after our write and before we have looked at it; between our last look and our write there is one request's time.
async fn change<C, F>(
    ctx: &RequestContext,
    (grant, _): (Grant<ManageSecurity>, RecentPassword),
    action: Action,
    username: &Username,
    call: C,
) -> Result<(), Error>
where
    C: FnOnce(Connection) -> F + Send + 'static,
    F: Future<Output = Result<Value, Error>> + Send,
{
    let target = Target {
        id: None,
        name: Some(username.as_str().to_owned()),
    };
    let (state, connection) = (ctx.state.clone(), ctx.elasticsearch()?.clone());
    let locked = async move || {
        let _guard = state.lock_user_writes().await;
        call(connection).await
    };
    ledger::run_one(ctx, grant, action, target, locked).await
}

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
