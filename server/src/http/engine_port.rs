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
use platform::RandomError;
use serde_json::{Value, json};
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

    fn record_refusal(&self, refused: Change) -> Boxed<'static, ()> {
        let state = self.state.get().cloned();
        Box::pin(async move {
            let Some(state) = state else { return };
            let context = match context(&state, refused.client) {
                Ok(context) => context,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "a refused request could not be recorded");
                    return;
                }
            };
            let (actor, details) = (actor(&refused), details(&refused));
            state
                .record_refusal(Some(&actor), "engine_forbidden", details, &context)
                .await;
        })
    }
}

fn context(state: &AppState, client: IpAddr) -> Result<EventContext, RandomError> {
    Ok(EventContext {
        origin: EventSource {
            address: Some(client),
            session: None,
        },
        ..state.event_context()?
    })
}

fn actor(change: &Change) -> Identity {
    Identity {
        username: change.username.clone(),
        realm: change.realm.clone(),
        realm_kind: String::new(),
        full_name: None,
    }
}

/// Action and targets for the audit log, as many as fit.
fn details(change: &Change) -> Value {
    let shortened = |target: &String| target.chars().take(TARGET_CHARACTERS_MAX).collect();
    let targets: Vec<String> = change
        .targets
        .iter()
        .take(TARGETS_MAX)
        .map(shortened)
        .collect();
    let count = change.targets.len();
    let mut details = json!({ "action": change.action, "targets": targets, "count": count });
    if let Some(id) = &change.api_key {
        details["api_key"] = id.as_str().into();
    }
    details
}

async fn record(
    state: &AppState,
    change: Change,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (actor, details) = (actor(&change), details(&change));
    let target = Target {
        id: None,
        name: details["targets"][0].as_str().map(str::to_owned),
    };
    let outcome = if change.succeeded {
        Outcome::Success
    } else {
        Outcome::Unknown
    };
    let event = Event::new(Action::EngineChange)
        .outcome(outcome)
        .by(&actor)
        .on(target)
        .details(details);
    let context = context(state, change.client)?;
    state.store.record(&event, &context).await?;
    Ok(())
}
