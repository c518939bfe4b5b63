//! Making an agent key.

use super::reconcile;
use crate::{
    access::{self, APM, Grant, Permission},
    audit::{Action, Target},
    elasticsearch::{Error, keys::CreatedKey},
    failure::Failure,
    services::{Person, Services},
    store::{Began, Ending, Intent, OpenOperation, OperationState},
};
use app::model::{
    agent_key::{CreatedAgentKey, KeyId},
    new_agent_key::NewAgentKey,
    secret::Secret,
    timestamp::Timestamp,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Makes a key and hands its secret out, once.
///
/// The intent is durable before Elasticsearch is asked, and the outcome before the secret goes out. The same
/// operation never makes a second key: it is refused while the first is under way, after it was done, and when
/// nobody knows; only one that certainly did nothing may be tried again.
#[tracing::instrument(name = "agent_keys.key.create", skip_all)]
pub async fn create(
    services: &Services,
    person: &Person,
    new: NewAgentKey,
) -> Result<CreatedAgentKey, Failure> {
    let grant = person.grant(services, Permission::CreateAgentKey).await?;
    let operation = new.operation.clone();
    let change = {
        let (services, person, grant) = (services.clone(), person.clone(), grant.clone());
        async move { carry_out(&services, &person, &grant, new).await }
    };
    let created = services.detached(change).await?;
    // Only a browser that is still there gets this far.
    let (services_, stamp) = (services.clone(), person.stamp(services));
    services.in_background(async move {
        let sent = services_
            .store
            .send_secret(&grant, operation.as_str(), &stamp);
        if let Err(error) = sent.await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "it could not be noted that a secret was sent");
        }
    });
    Ok(created)
}

async fn carry_out(
    services: &Services,
    person: &Person,
    grant: &Grant,
    new: NewAgentKey,
) -> Result<CreatedAgentKey, Failure> {
    let operation = new.operation.as_str();
    let named = |id: Option<&KeyId>| Target {
        id: id.map(|id| id.as_str().to_owned()),
        name: Some(new.name.as_str().to_owned()),
    };
    let began_at = services.clock.now();
    let intent = Intent {
        operation,
        action: Action::AgentKeyCreate,
        target: named(None),
        fingerprint: Some(fingerprint(&new)),
        details: json!({
            "privileges": new.privileges.names(),
            "expiration": new.expiration.time_value(),
        }),
    };
    let began = services
        .store
        .begin_operation(grant, intent, &person.stamp(services))
        .await?;
    match began {
        Began::Now => {}
        Began::Before(OperationState::Unknown | OperationState::NeverDelivered) => {
            return Err(Failure::StillUnconfirmed);
        }
        Began::Before(_) => return Err(Failure::AlreadyDone),
        Began::Otherwise => return Err(Failure::OperationReused),
    }
    let end = async |state, target, details| {
        let ending = Ending {
            state,
            target,
            details,
        };
        let stamp = person.stamp(services);
        services
            .store
            .end_operation(grant, operation, Action::AgentKeyCreate, ending, &stamp)
            .await
    };
    let created = match ask(person, &new).await {
        Ok(created) => created,
        Err(failure) => {
            let state = match &failure {
                Failure::Unconfirmed(_) => OperationState::Unknown,
                _ => OperationState::Rejected,
            };
            let details = json!({ "reason": failure.to_string() });
            end(state, named(None), details).await?;
            if state == OperationState::Unknown {
                let identity = grant.identity();
                let lost = OpenOperation {
                    username: identity.username.clone(),
                    realm: identity.realm.clone(),
                    id: operation.to_owned(),
                    action: Action::AgentKeyCreate,
                    target: named(None),
                    in_cache: false,
                    began_at,
                };
                let (services_, person) = (services.clone(), person.clone());
                services.in_background(async move {
                    reconcile::follow_up(&services_, &person, lost).await;
                });
            }
            return Err(failure);
        }
    };
    let details = json!({
        "privileges": new.privileges.names(),
        "expiration": created.expiration,
    });
    let recorded = end(OperationState::Created, named(Some(&created.id)), details).await;
    if !matches!(recorded, Ok(true)) {
        // Nobody has seen the secret, and nothing here remembers the key: better that it does not exist.
        let undone = person
            .elasticsearch()
            .invalidate_api_keys(&[&created.id], true)
            .await;
        if let Err(error) = undone {
            let error: &dyn std::error::Error = &error;
            tracing::error!(key.id = %created.id, error, "a key that could not be recorded could not be revoked");
        }
        return Err(match recorded {
            Err(error) => error.into(),
            Ok(_) => Failure::GivenUp,
        });
    }
    // The key exists: without the settings, the snippets only miss an address.
    let settings = services.store.read_apm_settings().await.unwrap_or_default();
    Ok(CreatedAgentKey {
        operation: new.operation,
        id: created.id,
        expiration: created.expiration.map(Timestamp),
        api_key: created.api_key,
        encoded: created.encoded,
        name: new.name,
        labels: new.labels,
        apm_server_url: settings.server_url.map(String::from),
    })
}

async fn ask(person: &Person, new: &NewAgentKey) -> Result<Verified, Failure> {
    let connection = person.elasticsearch();
    let missing = access::missing_for_new_key(connection, &new.privileges).await?;
    if !missing.is_empty() {
        return Err(Failure::Missing(missing));
    }
    let created = connection.create_api_key(&request(new)).await;
    created
        .and_then(|created| verify(created, new))
        .map_err(Failure::of_write)
}

/// The request, as Kibana would send it, so that each shows the other's keys; and our own part of the metadata, by
/// which a key is found again if its answer is lost.
fn request(new: &NewAgentKey) -> Value {
    let mut ours = json!({ "v": 1, "operation": new.operation.as_str() });
    let labels = [
        ("service", &new.labels.service),
        ("environment", &new.labels.environment),
        ("team", &new.labels.team),
    ];
    for (name, label) in labels {
        if let Some(label) = label {
            ours[name] = json!(label);
        }
    }
    let mut body = json!({
        "name": new.name.as_str(),
        "metadata": { "application": APM, "agent_keys": ours },
        "role_descriptors": { "apm": {
            "cluster": [],
            "index": [],
            "applications": [{
                "application": APM,
                "privileges": new.privileges.names(),
                "resources": ["*"],
            }],
        } },
    });
    if let Some(expiration) = new.expiration.time_value() {
        body["expiration"] = json!(expiration);
    }
    body
}

/// A digest of the request. The operation itself is a part of it, so equal requests of two people differ.
fn fingerprint(new: &NewAgentKey) -> String {
    let digest = Sha256::digest(request(new).to_string());
    BASE64_STANDARD.encode(digest)
}

struct Verified {
    id: KeyId,
    expiration: Option<i64>,
    api_key: Secret,
    encoded: Secret,
}

/// Whether the answer is an answer to this request: a proxy that mixes up two of them must not show one person
/// another's secret.
fn verify(created: CreatedKey, new: &NewAgentKey) -> Result<Verified, Error> {
    let id = KeyId::parse(&created.id).ok_or(Error::BadAnswer("key id"))?;
    if created.name != new.name.as_str() {
        return Err(Error::BadAnswer("the name is another"));
    }
    if created.api_key.expose().is_empty() {
        return Err(Error::BadAnswer("no secret"));
    }
    let pair = Secret::new(format!("{id}:{}", created.api_key.expose()));
    let computed = Secret::new(BASE64_STANDARD.encode(pair.expose()));
    if created.encoded.is_some_and(|encoded| encoded != computed) {
        return Err(Error::BadAnswer("the encoded form is another"));
    }
    Ok(Verified {
        id,
        expiration: created.expiration,
        api_key: created.api_key,
        encoded: computed,
    })
}
