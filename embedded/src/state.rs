//! State that all requests share.

use crate::{
    authentication::password::Passwords, clock::Clock, privilege::answers::Answers,
    randomness::Randomness, store::Store, version::Version,
};
use std::net::SocketAddr;

/// State that all requests share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) answers: Answers,
    pub(crate) clock: Clock,
    pub(crate) randomness: Randomness,
    /// True if OAuth2 tokens are issued.
    pub(crate) token_service: bool,
    /// Where the engine listens.
    pub(crate) address: SocketAddr,
    /// The version it answers as.
    pub(crate) version: Version,
}
