//! State that all requests share.

use std::net::SocketAddr;

use platform::{Clock, Random};

use crate::{
    cpu::Cpu, guard::GuardedBy, oidc, passwords::Passwords,
    roles::has_privileges_cache::HasPrivilegesCache, store::Store, version::Version,
};

/// State that all requests share.
pub(crate) struct AppState {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) has_privileges_cache: HasPrivilegesCache,
    pub(crate) cpu: Cpu,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    /// `None` without an application that limits and records.
    pub(crate) guard: Option<GuardedBy>,
    /// True if OAuth2 tokens are issued.
    pub(crate) token_service: bool,
    pub(crate) oidc_realms: Vec<oidc::Realm>,
    /// Maximum size of a request body after decompression, in bytes.
    pub(crate) body_bytes_max: usize,
    /// Address of the listener.
    pub(crate) address: SocketAddr,
    /// Version of Elasticsearch that the engine answers as.
    pub(crate) version: Version,
}
