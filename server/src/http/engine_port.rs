//! Protection of the embedded engine's port: guesses are limited as at signing in, and changes are recorded.

use super::{
    client_addr::{ClientInfo, client_from_forwarded},
    host_names::HostNames,
};
use crate::{
    access::Identity,
    audit::{Action, Event, EventContext, EventSource, Outcome, Target},
    config::TrustedProxies,
    context::AppState,
    sessions::check_at_engine_port,
};
use embedded::{Boxed, Change, Guard};
use http::{HeaderMap, Uri};
use serde_json::json;
use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

/// Names and ids of one change in the audit log. The details say how many there were.
const TARGETS_MAX: usize = 100;
/// Length of each.
const TARGET_CHARACTERS_MAX: usize = 256;

/// The application as the engine sees it.
pub struct EnginePort {
    proxies: TrustedProxies,
    host_names: HostNames,
    /// Set when the application has started. Until then no password is accepted.
    state: OnceLock<Arc<AppState>>,
}

impl EnginePort {
    pub fn new(proxies: TrustedProxies, host_names: HostNames) -> Self {
        Self {
            proxies,
            host_names,
            state: OnceLock::new(),
        }
    }

    pub fn begin(&self, state: Arc<AppState>) {
        // It is called once.
        let _ = self.state.set(state);
    }
}

impl Guard for EnginePort {
    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.contains(address)
    }

    fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        client_from_forwarded(&self.proxies, peer.to_canonical(), headers)
    }

    fn answers_for(&self, peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> bool {
        let peer = peer.to_canonical();
        ClientInfo::is_forwarded_tls(&self.proxies, peer, headers)
            || self.host_names.answer(uri, headers)
    }

    fn limit_guesses<'a>(
        &'a self,
        username: &'a str,
        client: IpAddr,
        check: Boxed<'a, Option<bool>>,
    ) -> Boxed<'a, Option<bool>> {
        Box::pin(async move {
            let state = self.state.get()?;
            check_at_engine_port(state, username, client, check).await
        })
    }

    fn record_change(&self, change: Change) -> Boxed<'static, ()> {
        let state = self.state.get().cloned();
        Box::pin(async move {
            let Some(state) = state else { return };
            if let Err(error) = record(&state, change).await {
                tracing::error!(
                    error = &*error,
                    "a change at the engine's port could not be recorded in the audit log"
                );
            }
        })
    }
}

async fn record(
    state: &AppState,
    change: Change,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let context = EventContext {
        origin: EventSource {
            address: Some(change.client),
            session: None,
        },
        ..state.event_context()?
    };
    let count = change.targets.len();
    let shortened = |target: &String| target.chars().take(TARGET_CHARACTERS_MAX).collect();
    let targets: Vec<String> = change
        .targets
        .iter()
        .take(TARGETS_MAX)
        .map(shortened)
        .collect();
    let actor = Identity {
        username: change.username,
        realm: change.realm,
        realm_kind: String::new(),
        full_name: None,
    };
    let target = Target {
        id: None,
        name: targets.first().cloned(),
    };
    let outcome = if change.succeeded {
        Outcome::Success
    } else {
        Outcome::Unknown
    };
    let mut details = json!({ "action": change.action, "targets": targets, "count": count });
    if let Some(id) = change.api_key {
        details["api_key"] = id.into();
    }
    let event = Event::new(Action::EngineChange)
        .outcome(outcome)
        .by(&actor)
        .on(target)
        .details(details);
    state.store.record(&event, &context).await?;
    Ok(())
}
