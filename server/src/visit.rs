//! One request: who makes it, and what its answer must tell the browser about the session.

use crate::{
    audit::Origin,
    request_id::RequestId,
    session::{Session, Token},
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// One request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Visit {
    request_id: RequestId,
    address: Option<IpAddr>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    session: Option<Session>,
    cookie: Option<CookieChange>,
    problem_status: Option<u16>,
}

/// What the answer does to the browser's cookie.
#[derive(Debug)]
pub enum CookieChange {
    /// A session began.
    Set(Token),
    /// There is no session any more.
    Remove,
}

impl Visit {
    /// A request of somebody who is signed in, or of nobody, from the machine at `address`.
    pub fn new(request_id: RequestId, session: Option<Session>, address: Option<IpAddr>) -> Self {
        let state = State {
            session,
            cookie: None,
            problem_status: None,
        };
        Self {
            request_id,
            address,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The request's name.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        Origin {
            address: self.address,
            session: self.session().map(|session| session.id_hash),
        }
    }

    /// Who is signed in at this point of the request.
    pub fn session(&self) -> Option<Session> {
        self.with(|state| state.session.clone())
    }

    /// A session began; the answer brings its cookie.
    pub fn began(&self, token: Token) {
        self.with(|state| state.cookie = Some(CookieChange::Set(token)));
    }

    /// The session ended; the answer takes its cookie away.
    pub fn ended(&self) {
        self.with(|state| {
            state.session = None;
            state.cookie = Some(CookieChange::Remove);
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

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
