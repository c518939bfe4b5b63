//! The database together with its server key: opened by one that fits, restored, or given another key.

use crate::{
    audit::{
        Action, AuditWriter, Event, EventContext, EventSource, Outcome, Target,
        anchors::{Anchors, AnchorsError},
    },
    config::Config,
    identifier::{RequestId, identifier},
    sessions::{KeySource, ServerKey, ServerKeyError},
    store::{self, AuditHead, KeyMatch, OpenError, Rekeyed, Store},
};
use app::model::timestamp::Timestamp;
use platform::{Clock, Random, RandomError};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    ServerKey(#[from] ServerKeyError),
    #[error("the database cannot be read or written")]
    Store(#[from] store::Error),
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("the database has this server key already: there is nothing to do")]
    SameKey,
}

/// Opens the database, migrates it, and refuses a server key with which it was not used. The key of a first start is made.
pub async fn open(config: &Config) -> Result<(Store, ServerKey), Error> {
    let (key, source) = ServerKey::of_config(config, Random)?;
    let store = open_with(config, &key).await?;
    let other = || match source {
        KeySource::Made => ServerKeyError::Missing(config.data_dir.clone()),
        KeySource::Given => ServerKeyError::Other,
    };
    let found = store.compare_server_key().await?;
    if found == KeyMatch::Other {
        return Err(other().into());
    }
    // In its file before anything is written with it.
    if source == KeySource::Made {
        key.save(&config.data_dir)?;
    }
    if found == KeyMatch::Unused && store.adopt_server_key().await? == KeyMatch::Other {
        // Another process was faster.
        return Err(ServerKeyError::Other.into());
    }
    Ok((store, key))
}

/// Opens the database read-only, while the application may be running.
pub async fn open_to_read(config: &Config) -> Result<Store, Error> {
    let key = match &config.server_key {
        Some(key) => ServerKey::given(key.clone()),
        None => ServerKey::load(&config.data_dir)?,
    };
    let writer = AuditWriter::new(key.audit_key()?, Random);
    let url = config.database_url.as_ref();
    let store = Store::open_to_read(url, &config.data_dir, writer).await?;
    if store.compare_server_key().await? == KeyMatch::Other {
        return Err(ServerKeyError::Other.into());
    }
    Ok(store)
}

/// Gives the database the server key of the settings, or a new one if there is none.
pub async fn rekey(config: &Config, clock: &Clock) -> Result<Rekeyed, Error> {
    let (key, source) = ServerKey::of_config(config, Random)?;
    let store = open_with(config, &key).await?;
    if source == KeySource::Made && store.compare_server_key().await? == KeyMatch::Other {
        key.save(&config.data_dir)?;
    }
    let context = context(clock)?;
    let rekeyed = store.replace_server_key(&context).await?;
    let rekeyed = rekeyed.ok_or(Error::SameKey)?;
    anchor(config, &store, context.at).await?;
    store.close().await;
    Ok(rekeyed)
}

/// Confirms that the clock is right, so that expired audit events are removed again. Returns false if nothing is paused.
pub async fn resume_retention(config: &Config, clock: &Clock) -> Result<bool, Error> {
    let (store, _) = open(config).await?;
    let resumed = store.resume_retention(&context(clock)?).await?;
    store.close().await;
    Ok(resumed)
}

/// Records that the database was restored. `replaced` is the end of the log before, if it could be read.
pub async fn record_restore(
    config: &Config,
    clock: &Clock,
    replaced: Option<AuditHead>,
) -> Result<(), Error> {
    let (store, _) = open(config).await?;
    let context = context(clock)?;
    let replaced = replaced.map(|head| json!({ "sequence": head.sequence, "hash": head.mac }));
    let details = json!({ "replaced": replaced });
    let event = Event::new(Action::DatabaseRestore).details(details);
    store.record(&event, &context).await?;
    anchor(config, &store, context.at).await?;
    store.close().await;
    Ok(())
}

/// Anchors the event that continues the log, so that `audit verify` accepts the anchors before it.
async fn anchor(config: &Config, store: &Store, at: Timestamp) -> Result<(), Error> {
    let head = store.audit_head().await?;
    Ok(Anchors::new(&config.data_dir).add(at, head.sequence, &head.mac)?)
}

async fn open_with(config: &Config, key: &ServerKey) -> Result<Store, Error> {
    let writer = AuditWriter::new(key.audit_key()?, Random);
    let url = config.database_url.as_ref();
    Ok(Store::open_with(url, &config.data_dir, writer, config.durability).await?)
}

/// Records that the command `reset-password` gave a user of the embedded engine a new password, or could not.
pub async fn record_password_reset(
    store: &Store,
    clock: &Clock,
    user: &str,
    outcome: Outcome,
) -> Result<(), Error> {
    let event = Event::new(Action::UserPasswordChange)
        .outcome(outcome)
        .on(Target {
            id: None,
            name: Some(user.to_owned()),
        })
        .details(json!({ "by": "reset-password" }));
    store.record(&event, &context(clock)?).await?;
    Ok(())
}

fn context(clock: &Clock) -> Result<EventContext, RandomError> {
    let at = Timestamp(clock.now_ms());
    Ok(EventContext {
        at,
        request_id: RequestId::new(&identifier(Random, at)?),
        origin: EventSource::default(),
    })
}
