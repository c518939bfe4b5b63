//! The one context argument of every use case: process-wide state, the request, and who sends it.

use crate::{
    access::{Grant, Identity, KibanaFeatureCheck, Permission, Permissions},
    audit::{Action, Event, EventContext, EventSource, Outcome, refusals::Refusals},
    elasticsearch::{self, Connection, Elasticsearch},
    error::Error,
    health::Health,
    identifier::{RequestId, identifier},
    made_elsewhere::MadeElsewhereCache,
    metrics::Metrics,
    sessions::RecentPassword,
    sessions::{
        self, BrowserInfo, IssuedCookies, ServerKey, Session, SessionLookup, Token, notice,
        rate_limit::SignInQueue,
    },
    store::Store,
};
use app::model::{notice::Notice, session::SessionEnd, timestamp::Timestamp};
use futures::future::BoxFuture;
use platform::{Clock, Random, RandomError, connection_limit::network};
use serde_json::Value;
use std::{
    fmt,
    sync::{Arc, Mutex as StdMutex, PoisonError},
};
use tokio::sync::{self, Mutex, OnceCell};
use tokio_util::task::TaskTracker;

/// Process-wide state.
pub struct AppState {
    /// The application's own database.
    pub store: Store,
    /// The client of Elasticsearch.
    pub elasticsearch: Elasticsearch,
    /// Decides whether Kibana's feature privileges count.
    pub kibana_feature: KibanaFeatureCheck,
    /// The server's half of every session's key.
    pub server_key: ServerKey,
    /// Queue of passwords entered on the pages.
    pub sign_in_queue: SignInQueue,
    /// Queue of passwords at the engine's port, whose checks may take long, because strangers' checks share a lane.
    pub engine_port_queue: SignInQueue,
    pub metrics: Metrics,
    /// Refused requests, which the audit log aggregates.
    pub refusals: Refusals,
    /// Age in days at which audit events are removed.
    pub audit_retention_days: u32,
    /// True if the settings name a service user, who revokes old keys of rotations.
    pub has_service_user: bool,
    pub clock: Clock,
    pub random: Random,
    pub background: Background,
    pub health: Health,
    /// Keys made elsewhere, as they were found lately.
    pub made_elsewhere: MadeElsewhereCache,
}

/// Work that outlives its request.
#[derive(Debug, Default)]
pub struct Background {
    tasks: TaskTracker,
    key_creation: Mutex<()>,
    user_writes: Mutex<()>,
}

impl AppState {
    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ms())
    }

    /// A new identifier that sorts by time.
    pub fn new_identifier(&self) -> Result<String, RandomError> {
        identifier(self.random, self.now())
    }

    /// Time and origin of an audit event that no request caused.
    pub fn event_context(&self) -> Result<EventContext, RandomError> {
        Ok(EventContext {
            at: self.now(),
            request_id: RequestId::new(&self.new_identifier()?),
            origin: EventSource::default(),
        })
    }
}

impl AppState {
    /// Records that a request was refused: the first of a user or address within an hour, the second, the fourth, and
    /// so on, each with their number.
    pub async fn record_refusal(
        &self,
        actor: Option<&Identity>,
        reason: &'static str,
        mut details: Value,
        context: &EventContext,
    ) {
        let subject = match (actor, context.origin.address) {
            (Some(actor), _) => format!("{}/{}", actor.realm, actor.username),
            (None, Some(address)) => network(address).to_string(),
            (None, None) => String::new(),
        };
        let Some(count) = self.refusals.count(subject, reason, context.at) else {
            return;
        };
        details["reason"] = reason.into();
        details["refusals"] = count.into();
        let event = Event::new(Action::RequestRefused)
            .outcome(Outcome::Failure)
            .by(actor)
            .details(details);
        if let Err(error) = self.store.record(&event, context).await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a refused request could not be recorded");
        }
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppState")
    }
}

impl AppState {
    /// Runs a change to its end in a task of its own: a client that disconnects, or a handler that times out, cancels
    /// nothing.
    pub async fn run_to_completion<T, F>(&self, change: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        use tracing::Instrument;
        let task = self.background.tasks.spawn(change.in_current_span());
        task.await.unwrap_or(Err(Error::TaskEnded))
    }

    /// Runs work for which no request waits; the application does not stop before its end.
    pub fn run_in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        use tracing::Instrument;
        self.background.tasks.spawn(work.in_current_span());
    }

    /// Waits until no other key is being created by this process, and holds off others until the guard is dropped.
    pub(crate) async fn lock_key_creation(&self) -> sync::MutexGuard<'_, ()> {
        self.background.key_creation.lock().await
    }

    /// Waits until no other user is being changed, and holds off other changes of users until the guard is dropped.
    pub(crate) async fn lock_user_writes(&self) -> sync::MutexGuard<'_, ()> {
        self.background.user_writes.lock().await
    }

    /// Waits for the end of every background task.
    pub async fn drain(&self) {
        self.background.tasks.close();
        self.background.tasks.wait().await;
    }
}

/// One request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub(crate) state: Arc<AppState>,
    request: Arc<Request>,
    /// The signed-in user, or why the session that the cookie once opened has ended.
    user: Result<Arc<User>, Option<SessionEnd>>,
}

#[derive(Debug)]
struct Request {
    id: RequestId,
    client: BrowserInfo,
    plain_http: bool,
    received_at: Timestamp,
    response: StdMutex<ResponseState>,
}

#[derive(Default)]
struct ResponseState {
    when_sent: Option<BoxFuture<'static, ()>>,
    cookie: Option<CookieChange>,
    problem_status: Option<u16>,
    notice: Option<NoticeChange>,
}

impl fmt::Debug for ResponseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseState")
    }
}

/// What the response does to the cookie with the message for the next page.
#[derive(Clone, Debug)]
pub enum NoticeChange {
    Set(String),
    /// A page shows the message.
    Remove,
}

/// Change of the browser's cookies by the response.
#[derive(Debug)]
pub enum CookieChange {
    /// A session began, or its token changed.
    Set(IssuedCookies),
    /// The cookie opens nothing any more.
    Remove,
    /// The user signed out: nothing of the session may stay in the browser.
    SignOut,
}

#[derive(Debug)]
struct User {
    session: Session,
    connection: Connection,
    /// Requested once for each request, by whichever use case comes first.
    permissions: OnceCell<Result<Permissions, elasticsearch::Error>>,
}

impl RequestContext {
    /// The context of a request whose cookie opens `found`. `plain_http` is true if passwords travel unencrypted
    /// beyond this machine.
    pub fn new(
        state: Arc<AppState>,
        id: RequestId,
        found: SessionLookup,
        client: BrowserInfo,
        plain_http: bool,
    ) -> Self {
        let user = match found {
            SessionLookup::Live(session) => Ok(Arc::new(User::new(&state, *session, &id))),
            SessionLookup::Ended(end) => Err(Some(end)),
            SessionLookup::Renewed | SessionLookup::Nothing => Err(None),
        };
        let request = Request {
            id,
            client,
            plain_http,
            received_at: state.now(),
            response: StdMutex::default(),
        };
        Self {
            state,
            request: Arc::new(request),
            user,
        }
    }

    /// The same request with permissions that are requested anew, as after a change.
    pub fn with_new_permissions(mut self) -> Self {
        if let Ok(user) = &self.user {
            let session = user.session.clone();
            self.user = Ok(Arc::new(User::new(&self.state, session, &self.request.id)));
        }
        self
    }

    /// The same request with the session that it has just begun or renewed, if it has.
    pub async fn with_new_session(&self) -> Option<Self> {
        let token = self.with_response(|response| match &response.cookie {
            Some(CookieChange::Set(issued)) => Some(Token::of(*issued.token.expose())),
            _ => None,
        })?;
        let found = sessions::find(&self.state, &token).await.ok()??;
        let SessionLookup::Live(session) = sessions::open(&self.state, &token, found).await else {
            return None;
        };
        Some(Self {
            user: Ok(Arc::new(User::new(&self.state, *session, &self.request.id))),
            ..self.clone()
        })
    }

    pub fn request_id(&self) -> &RequestId {
        &self.request.id
    }

    pub fn client(&self) -> &BrowserInfo {
        &self.request.client
    }

    pub fn plain_http(&self) -> bool {
        self.request.plain_http
    }

    /// When the request was received.
    pub fn received_at(&self) -> Timestamp {
        self.request.received_at
    }

    pub fn is_signed_in(&self) -> bool {
        self.user.is_ok()
    }

    /// Reason why the session of the cookie has ended, if known.
    pub fn session_end(&self) -> Option<SessionEnd> {
        self.user.as_ref().err().copied().flatten()
    }

    fn user(&self) -> Result<&User, Error> {
        self.user.as_deref().map_err(|end| match end {
            Some(end) => Error::SessionEnded(*end),
            None => Error::SignedOut,
        })
    }

    /// The session as it was when the request began.
    pub fn session(&self) -> Result<&Session, Error> {
        Ok(&self.user()?.session)
    }

    /// Elasticsearch with the user's own credential.
    pub fn elasticsearch(&self) -> Result<&Connection, Error> {
        Ok(&self.user()?.connection)
    }

    /// Time and origin of an audit event of this request.
    pub fn event_context(&self) -> EventContext {
        EventContext {
            at: self.state.now(),
            request_id: self.request.id.clone(),
            origin: EventSource {
                address: self.request.client.address,
                // The service user has no session.
                session: self
                    .session()
                    .ok()
                    .map(|session| session.id_hash.clone())
                    .filter(|id_hash| !id_hash.is_empty()),
            },
        }
    }

    /// The user's permissions.
    pub async fn permissions(&self) -> Result<&Permissions, Error> {
        let user = self.user()?;
        let identity = &user.session.identity;
        let request = || {
            Permissions::request(
                &user.connection,
                identity.clone(),
                &self.state.kibana_feature,
            )
        };
        let permissions = user.permissions.get_or_init(request).await;
        Ok(permissions.as_ref().map_err(elasticsearch::Error::clone)?)
    }

    /// The grant for a permission, or the error that names the missing privileges.
    pub async fn grant<P: Permission>(&self) -> Result<Grant<P>, Error> {
        let permissions = self.permissions().await?;
        permissions.grant().map_err(Error::Missing)
    }

    /// Proof that the user entered the password recently.
    pub fn require_recent_password(&self) -> Result<RecentPassword, Error> {
        let now = self.state.now();
        RecentPassword::of(self.session()?, now).ok_or(Error::ReauthRequired)
    }

    /// Decides what the response does to the cookies. The last call counts.
    pub fn change_cookies(&self, change: CookieChange) {
        self.with_response(|response| response.cookie = Some(change));
    }

    /// Takes the cookie change, when the response is ready.
    pub fn take_cookie_change(&self) -> Option<CookieChange> {
        self.with_response(|response| response.cookie.take())
    }

    /// Leaves a message for the next page. Without a session there is none.
    pub fn leave_notice(&self, notice: &Notice) -> Result<(), Error> {
        let session = &self.session()?.id;
        let cookie = notice::seal(&self.state.server_key, session, notice)?;
        self.with_response(|response| response.notice = Some(NoticeChange::Set(cookie)));
        Ok(())
    }

    /// Returns the message that an earlier request left, for this response to show, and no later one.
    pub fn notice(&self) -> Option<Notice> {
        let cookie = self.client().notice.as_deref()?;
        let notice = notice::open(&self.state.server_key, &self.session().ok()?.id, cookie);
        self.with_response(|response| {
            response.notice.get_or_insert(NoticeChange::Remove);
        });
        notice
    }

    /// Returns true if the response leaves a message for the next page.
    pub fn leaves_notice(&self) -> bool {
        self.with_response(|response| matches!(response.notice, Some(NoticeChange::Set(_))))
    }

    /// Takes the change of the message's cookie, when the response is ready.
    pub fn take_notice_change(&self) -> Option<NoticeChange> {
        self.with_response(|response| response.notice.take())
    }

    /// Runs `work` when the response was handed to the connection, and never for a response that was not. The last call
    /// counts.
    pub fn when_sent(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.with_response(|response| response.when_sent = Some(Box::pin(work)));
    }

    /// Takes the work that waits for the response.
    pub fn take_work_when_sent(&self) -> Option<BoxFuture<'static, ()>> {
        self.with_response(|response| response.when_sent.take())
    }

    /// Notes the status of a problem that the response shows. The highest status counts.
    pub fn note_problem_status(&self, status: u16) {
        self.with_response(|response| {
            response.problem_status = response.problem_status.max(Some(status));
        });
    }

    /// The highest status of the problems so far.
    pub fn problem_status(&self) -> Option<u16> {
        self.with_response(|response| response.problem_status)
    }

    fn with_response<T>(&self, change: impl FnOnce(&mut ResponseState) -> T) -> T {
        let response = &self.request.response;
        change(&mut response.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl User {
    fn new(state: &AppState, session: Session, request_id: &RequestId) -> Self {
        let connection = state.elasticsearch.connect_session(
            session.credential.clone(),
            &session.identity.realm,
            request_id.clone(),
        );
        Self {
            session,
            connection,
            permissions: OnceCell::new(),
        }
    }
}
