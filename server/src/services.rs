//! What every use case works with, and the person for whom it works.

use crate::{
    access::{Actor, Fresh, Gate, Grant, Permission},
    agent_keys,
    audit::{Origin, Stamp},
    clock::Clock,
    elasticsearch::{self, Connection, Elasticsearch},
    failure::Failure,
    metrics::Metrics,
    random::Random,
    request_id::RequestId,
    sessions::{ServerKey, Session, rate_limit::SignInQueue},
    store::Store,
    visit::Visit,
};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio_util::task::TaskTracker;

/// What lasts as long as the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    tasks: TaskTracker,
    changing_a_user: Mutex<()>,
    turn: Mutex<()>,
    made_elsewhere: agent_keys::elsewhere::Cache,
}

/// The parts, by name.
pub struct Parts {
    /// Our own database.
    pub store: Store,
    /// Elasticsearch.
    pub elasticsearch: Elasticsearch,
    /// Whether Kibana's gate counts.
    pub gate: Gate,
    pub server_key: ServerKey,
    pub sign_in_queue: SignInQueue,
    /// What is counted.
    pub metrics: Metrics,
    /// How long events of the audit log are kept.
    pub audit_retention_days: u32,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

impl std::ops::Deref for Services {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.inner.parts
    }
}

impl Services {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let tasks = TaskTracker::new();
        Self {
            inner: Arc::new(Inner {
                parts,
                tasks,
                changing_a_user: Mutex::default(),
                turn: Mutex::default(),
                made_elsewhere: agent_keys::elsewhere::Cache::default(),
            }),
        }
    }

    /// The keys made elsewhere, as they were found lately.
    pub fn made_elsewhere(&self) -> &agent_keys::elsewhere::Cache {
        &self.inner.made_elsewhere
    }

    /// Carries out a change to its end, whether or not anybody still waits for it: a browser that goes away, or a
    /// handler that runs out of time, cancels nothing.
    pub async fn detached<T, F>(&self, change: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        use tracing::Instrument;
        let task = self.inner.tasks.spawn(change.in_current_span());
        task.await.unwrap_or(Err(Failure::TaskEnded))
    }

    /// Carries out what nobody waits for; the application does not end before it.
    pub fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        use tracing::Instrument;
        self.inner.tasks.spawn(work.in_current_span());
    }

    /// Waits until no other user is being changed, and lets none be changed until the turn is dropped.
    pub(crate) async fn turn_to_change_a_user(&self) -> MutexGuard<'_, ()> {
        self.inner.changing_a_user.lock().await
    }

    /// A turn among what is done in the background: one after the other, so that it never takes Elasticsearch away from
    /// those who wait for it.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.inner.turn.lock().await
    }

    /// Waits for every change that is under way.
    pub async fn drain(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

/// A person who is signed in, for one request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Person {
    inner: Arc<PersonInner>,
}

#[derive(Debug)]
struct PersonInner {
    session: Session,
    connection: Connection,
    request_id: RequestId,
    origin: Origin,
    /// Asked once for the whole request, whichever question comes first: nobody waits twice for the same silence.
    actor: OnceCell<Result<Actor, elasticsearch::Error>>,
}

impl Person {
    /// The person of `session`, in one request.
    pub fn new(services: &Services, session: Session, visit: &Visit) -> Self {
        let request_id = visit.request_id().clone();
        let connection = services.elasticsearch.connect_session(
            session.credential.clone(),
            &session.identity.realm,
            request_id.clone(),
        );
        let actor = OnceCell::new();
        Self {
            inner: Arc::new(PersonInner {
                session,
                connection,
                request_id,
                origin: visit.origin(),
                actor,
            }),
        }
    }

    /// Elasticsearch, in this person's name.
    pub fn elasticsearch(&self) -> &Connection {
        &self.inner.connection
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.inner.session
    }

    /// When and where this is, for the audit trail.
    pub fn stamp(&self, services: &Services) -> Stamp {
        Stamp {
            at: services.clock.now(),
            request_id: self.inner.request_id.clone(),
            origin: self.inner.origin.clone(),
        }
    }

    /// What this person may do.
    pub async fn actor(&self, services: &Services) -> Result<&Actor, Failure> {
        let inner = &self.inner;
        let identity = &inner.session.identity;
        let ask = async || Actor::ask(&inner.connection, identity.clone(), &services.gate).await;
        let actor = inner.actor.get_or_init(ask).await;
        Ok(actor.as_ref().map_err(elasticsearch::Error::clone)?)
    }

    /// The permission, or the failure that names what is missing.
    pub async fn grant(
        &self,
        services: &Services,
        permission: Permission,
    ) -> Result<Grant, Failure> {
        let actor = self.actor(services).await?;
        actor.grant(permission).map_err(Failure::Missing)
    }

    /// The proof that this person entered the password a short while ago.
    pub fn fresh(&self, services: &Services) -> Result<Fresh, Failure> {
        let now = services.clock.now();
        Fresh::of(&self.inner.session, now).ok_or(Failure::ReauthRequired)
    }
}
