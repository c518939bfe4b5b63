//! The database together with its server key: opened by one that fits, restored, or given another key.

use crate::{
    audit::{
        Action, AuditWriter, Event, EventContext, EventSource, Outcome, Target,
        anchors::{Anchor, Anchors, AnchorsError},
    },
    config::Config,
    identifier::{RequestId, identifier},
    sessions::{self, KeySource, ServerKey, ServerKeyError},
    store::{self, AuditHead, KeyMatch, OpenError, Rekeyed, Store},
};
use app::model::timestamp::Timestamp;
use platform::{Clock, Random, RandomError};
use serde_json::json;
use std::{io, path::Path};

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

impl Error {
    /// Returns true if no process has made the tables yet, or the server key.
    pub fn is_before_first_start(&self) -> bool {
        match self {
            Self::Store(error) => error.is_of_missing_table(),
            Self::ServerKey(ServerKeyError::File { source, .. }) => {
                source.kind() == io::ErrorKind::NotFound
            }
            _ => false,
        }
    }
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

/// Opens a copy that `backup` made, or a copy of a data directory, and reads the anchors that are older than it. Nothing
/// is written beside it. The server key is that of the settings, or else of the copied directory, or else of the data
/// directory.
pub async fn open_copy(config: &Config, copy: &Path) -> Result<(Store, Vec<Anchor>), Error> {
    let is_directory = copy.is_dir();
    let own_key = is_directory && copy.join(sessions::SERVER_KEY_FILE).exists();
    let key = match &config.server_key {
        Some(key) => ServerKey::given(key.clone()),
        None if own_key => ServerKey::load(copy)?,
        None => ServerKey::load(&config.data_dir)?,
    };
    let file = match is_directory {
        true => copy.join("agent-keys.db"),
        false => copy.to_owned(),
    };
    let store = Store::open_copy(&file, AuditWriter::new(key.audit_key()?, Random)).await?;
    if store.compare_server_key().await? == KeyMatch::Other {
        return Err(ServerKeyError::Other.into());
    }
    let of_copy = Anchors::new(copy);
    let anchors = match is_directory && of_copy.exists() {
        true => of_copy.read()?,
        false => Anchors::new(&config.data_dir).read()?,
    };
    // A copy is of one moment: what was anchored later says nothing about it.
    let newest = store.newest_audit_event().await?;
    let newest = newest.map_or_else(String::new, Timestamp::iso_ms);
    let older = anchors.into_iter().filter(|anchor| anchor.at <= newest);
    Ok((store, older.collect()))
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
