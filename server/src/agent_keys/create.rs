//! Making an agent key.

use crate::{
    access::{self, APM, Grant, Permission},
    audit::{Action, Target},
    elasticsearch::{Error, api_key::create::CreatedKey},
    failure::Failure,
    services::{Person, Services},
    store::{Began, Ending, OperationState},
};
use app::model::{
    agent_key::{CreatedAgentKey, KeyId},
    new_agent_key::NewAgentKey,
    secret::Secret,
    timestamp::Timestamp,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

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
    let (services_, person) = (services.clone(), person.clone());
    let change = async move { carry_out(&services_, &person, &grant, new).await };
    services.detached(change).await
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
    let began = services
        .store
        .begin_operation(
            grant,
            operation,
            Action::AgentKeyCreate,
            named(None),
            json!({
                "privileges": new.privileges.names(),
                "expiration": new.expiration.time_value(),
            }),
            &person.stamp(services),
        )
        .await?;
    match began {
        Began::Now => {}
        Began::Before(OperationState::Unknown) => return Err(Failure::StillUnconfirmed),
        Began::Before(
            OperationState::Intended | OperationState::Done | OperationState::Rejected,
        ) => {
            return Err(Failure::AlreadyDone);
        }
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
            return Err(failure);
        }
    };
    let details = json!({
        "privileges": new.privileges.names(),
        "expiration": created.expiration,
    });
    if let Err(error) = end(OperationState::Done, named(Some(&created.id)), details).await {
        // Nobody has seen the secret, and nothing here remembers the key: better that it does not exist.
        let undone = person
            .elasticsearch()
            .invalidate_api_key(&created.id, true)
            .await;
        if let Err(error) = undone {
            let error: &dyn std::error::Error = &error;
            tracing::error!(key.id = %created.id, error, "a key that could not be recorded could not be revoked");
        }
        return Err(error.into());
    }
    // The key exists: without the settings, the snippets only miss an address.
    let settings = services.store.read_apm_settings().await.unwrap_or_default();
    Ok(CreatedAgentKey {
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
