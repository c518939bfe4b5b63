//! Background maintenance: once at the start and then every minute.

pub mod connection;

use crate::{
    access, agent_keys,
    audit::{Origin, Stamp},
    credential::Credential,
    failure::Failure,
    request_id::RequestId,
    services::{Person, Services},
    sessions::{BrowserInfo, IDLE_MS_MAX, LIFE_MS_MAX, Session, SessionLookup},
    visit::Visit,
};
use app::model::{
    session::SessionId,
    timestamp::{DAY_MS, Timestamp},
};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(60);

/// Keeps house until it is aborted. With the credential of a `service` user, everybody's open operations are looked
/// into; without it, that waits for the next person who opens the list.
pub async fn keep(services: Services, service: Option<Credential>) {
    loop {
        tidy(&services, service.as_ref()).await;
        tokio::time::sleep(EVERY).await;
    }
}

/// Takes up what an earlier process left open: with SQLite there is no other process, so nobody carries it out any
/// more, and nobody knows how it ended.
pub async fn recover(services: &Services) -> Result<(), Failure> {
    let open = services.store.abandon_operations(&stamp(services)?).await?;
    if open > 0 {
        tracing::warn!(open, "the last process ended while changes were under way");
    }
    Ok(())
}

/// One round. What fails is logged and tried again in the next one.
pub async fn tidy(services: &Services, service: Option<&Credential>) {
    if services.elasticsearch.is_circuit_open() {
        // So that the end of an outage is noticed without traffic, too.
        services.elasticsearch.is_reachable().await;
    }
    report("sessions", expire_sessions(services).await);
    report("attempts to sign in", forget_attempts(services).await);
    report("unseen secrets", note_unseen_secrets(services).await);
    report("old events", cut_old_events(services).await);
    if let Some(credential) = service {
        report("open operations", reconcile(services, credential).await);
    }
}

/// Sessions that nobody can use any more hold a sealed password for no reason.
async fn expire_sessions(services: &Services) -> Result<(), Failure> {
    let stamp = stamp(services)?;
    let (touched, created) = (
        stamp.at.plus_ms(-IDLE_MS_MAX),
        stamp.at.plus_ms(-LIFE_MS_MAX),
    );
    services
        .store
        .expire_sessions(touched, created, &stamp)
        .await?;
    Ok(())
}

async fn forget_attempts(services: &Services) -> Result<(), Failure> {
    let before = services.clock.now().plus_ms(-DAY_MS);
    services.store.forget_sign_in_attempts(before).await?;
    Ok(())
}

async fn note_unseen_secrets(services: &Services) -> Result<(), Failure> {
    let stamp = stamp(services)?;
    let before = stamp.at.plus_ms(-agent_keys::delivery::ACKNOWLEDGE_MS_MAX);
    services.store.note_unseen_secrets(before, &stamp).await?;
    Ok(())
}

/// Once a day, some at a time, so that nobody waits long for a writer.
async fn cut_old_events(services: &Services) -> Result<(), Failure> {
    const ROWS_MAX: i64 = 10_000;
    let stamp = stamp(services)?;
    let kept_ms = i64::from(services.audit_retention_days) * DAY_MS;
    let before = stamp.at.plus_ms(-kept_ms);
    let due = before.plus_ms(-DAY_MS);
    services
        .store
        .cut_audit_events(due, before, ROWS_MAX, &stamp)
        .await?;
    Ok(())
}

async fn reconcile(services: &Services, credential: &Credential) -> Result<(), Failure> {
    let request_id = stamp(services)?.request_id;
    let connection = services
        .elasticsearch
        .connect(credential.clone(), request_id.clone());
    let identity = access::identify(&connection).await?.identity().clone();
    let session = Session {
        // No row has this digest: the service user has no session.
        id_hash: String::new(),
        id: SessionId::default(),
        authenticated_at: Timestamp(0),
        identity,
        credential: credential.clone(),
    };
    let visit = Visit::new(request_id, SessionLookup::Nothing, BrowserInfo::default());
    let person = Person::new(services, session, &visit);
    agent_keys::reconcile::reconcile(services, &person).await;
    Ok(())
}

pub(crate) fn stamp(services: &Services) -> Result<Stamp, Failure> {
    let name = services.random.identifier(&services.clock)?;
    Ok(Stamp {
        at: services.clock.now(),
        request_id: RequestId::new(&name),
        origin: Origin::default(),
    })
}

fn report(what: &str, result: Result<(), Failure>) {
    if let Err(failure) = result {
        let error: &dyn std::error::Error = &failure;
        tracing::warn!(error, "{what} could not be looked into");
    }
}
