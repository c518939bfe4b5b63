//! One request: who makes it, and what its answer must tell the browser about the session.

use crate::{
    audit::Origin,
    request_id::RequestId,
    sessions::{
        BrowserInfo, IssuedCookies, Session, SessionLookup, Token, known_device::DeviceToken,
    },
};
use app::model::session::SessionEnd;
use std::sync::{Arc, Mutex, PoisonError};

/// One request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Visit {
    request_id: RequestId,
    browser: BrowserInfo,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    found: SessionLookup,
    cookie: Option<CookieChange>,
    device: Option<DeviceToken>,
    problem_status: Option<u16>,
}

/// What the answer does to the browser's cookie.
#[derive(Debug)]
pub enum CookieChange {
    /// A session began, or has another token.
    Set(Token),
    /// There is no session any more.
    Remove,
    /// The person signed out: nothing of the session may stay in the browser.
    SignOut,
}

impl Visit {
    /// A request of somebody who is signed in, or of nobody.
    pub fn new(request_id: RequestId, found: SessionLookup, browser: BrowserInfo) -> Self {
        let state = State {
            found,
            cookie: None,
            device: None,
            problem_status: None,
        };
        Self {
            request_id,
            browser,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The request's name.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Who sends it, before anybody is known.
    pub fn browser(&self) -> &BrowserInfo {
        &self.browser
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        Origin {
            address: self.browser.address,
            session: self.session().map(|session| session.id_hash),
        }
    }

    /// Who is signed in at this point of the request.
    pub fn session(&self) -> Option<Session> {
        self.with(|state| match &state.found {
            SessionLookup::Live(session) => Some(Session::clone(session)),
            SessionLookup::Ended(_) | SessionLookup::Renewed | SessionLookup::Nothing => None,
        })
    }

    /// Why the session that its cookie once opened is no more, where that is known.
    pub fn end_of_session(&self) -> Option<SessionEnd> {
        self.with(|state| match state.found {
            SessionLookup::Ended(end) => Some(end),
            SessionLookup::Live(_) | SessionLookup::Renewed | SessionLookup::Nothing => None,
        })
    }

    /// A session began, or was renewed; the answer brings its cookie, and the one by which the browser is known.
    pub fn began(&self, issued: IssuedCookies) {
        self.with(|state| {
            state.cookie = Some(CookieChange::Set(issued.token));
            state.device = Some(issued.device);
        });
    }

    /// The session ended; the answer takes its cookie away.
    pub fn ended(&self) {
        self.end(CookieChange::Remove);
    }

    /// The person signed out; the answer takes the cookie away, and what else the browser keeps.
    pub fn signed_out(&self) {
        self.end(CookieChange::SignOut);
    }

    fn end(&self, change: CookieChange) {
        self.with(|state| {
            state.found = SessionLookup::Nothing;
            state.cookie = Some(change);
        });
    }

    /// A question of this request was answered with a problem of this status. The gravest counts.
    pub fn met_problem(&self, status: u16) {
        self.with(|state| state.problem_status = state.problem_status.max(Some(status)));
    }

    /// The status of the gravest problem so far.
    pub fn problem_status(&self) -> Option<u16> {
        self.with(|state| state.problem_status)
    }

    /// What the answer does to the cookie. Asked once, when the answer is ready.
    pub fn take_cookie_change(&self) -> Option<CookieChange> {
        self.with(|state| state.cookie.take())
    }

    /// What makes the browser a known one. Asked once, when the answer is ready.
    pub fn take_device(&self) -> Option<DeviceToken> {
        self.with(|state| state.device.take())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
