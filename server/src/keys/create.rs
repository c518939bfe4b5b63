//! Creates an agent key.

use super::{count_active, count_own_active, reconcile};
use crate::{
    access::{APM, CreateAgentKey, Grant},
    audit::{Action, Target},
    context::RequestContext,
    elasticsearch::{self, keys::CreatedKey},
    error::Error,
    ledger::{self, Changed, Plan, RunError},
    store::{Intent, OpenOperation, OperationOwner},
};
use app::backend::AgentKeyPreparation;
use app::model::{
    agent_key::KeyId, new_agent_key::CreatedAgentKey, new_agent_key::NewAgentKey, secret::Secret,
    timestamp::Timestamp,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A fresh operation, and the figures that the form warns by.
#[tracing::instrument(name = "agent_keys.form.prepare", skip_all)]
pub async fn prepare(ctx: &RequestContext) -> Result<AgentKeyPreparation, Error> {
    ctx.grant::<CreateAgentKey>().await?;
    let now = ctx.state.now();
    let (active_keys, settings) = tokio::try_join!(count_active(ctx), async {
        Ok(ctx.state.store.read_apm_settings().await?)
    })?;
    Ok(AgentKeyPreparation {
        operation: ctx.state.new_identifier()?,
        now,
        active_keys,
        limit: settings.api_key_limit,
        authorization_enabled: settings.api_key_enabled,
        notice: ctx.notice(),
    })
}

/// Creates a key and returns its secret, once.
///
/// The operation comes with the form, and never makes a second key: it is refused while the first attempt is in
/// flight, after it succeeded, and while its outcome is unknown. Only an attempt that was rejected may be repeated.
#[tracing::instrument(name = "agent_keys.key.create", skip_all)]
pub async fn create(ctx: &RequestContext, new: NewAgentKey) -> Result<CreatedAgentKey, Error> {
    let grant = ctx.grant::<CreateAgentKey>().await?;
    let operation = new.operation.clone();
    let task = {
        let (ctx, grant) = (ctx.clone(), grant.clone());
        async move { create_and_record(&ctx, &grant, new).await }
    };
    let created = ctx.state.run_to_completion(task).await?;
    // Not reached after the client has disconnected.
    let (state, event_context) = (ctx.state.clone(), ctx.event_context());
    ctx.when_sent(async move {
        let sent = state
            .store
            .send_secret(&grant, operation.as_str(), &event_context);
        if let Err(error) = sent.await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "it could not be recorded that a secret was sent");
        }
    });
    Ok(created)
}

async fn create_and_record(
    ctx: &RequestContext,
    grant: &Grant<CreateAgentKey>,
    new: NewAgentKey,
) -> Result<CreatedAgentKey, Error> {
    let began_at = ctx.state.now();
    let target = Target {
        id: None,
        name: Some(new.name.as_str().to_owned()),
    };
    let mut details = json!({
        "privileges": new.privileges.names(),
        "expiration": new.expiration.time_value(began_at),
    });
    if let Some(replaced) = &new.replaces {
        details["rotated_from"] = json!(replaced.id);
    }
    let intent = Intent {
        operation: new.operation.as_str().to_owned(),
        action: Action::AgentKeyCreate,
        target: target.clone(),
        fingerprint: Some(fingerprint(&new)),
        details,
        replaces: new.replaces.clone(),
    };
    let plan = Plan {
        intents: vec![intent],
        failure_details: json!({}),
        must_record: true,
    };
    let call = async || vec![call(ctx, &new).await];
    let created = match ledger::run(ctx, grant, plan, call).await {
        Ok(mut results) => results.pop().unwrap_or(Err(Error::TaskEnded)),
        Err(RunError::NotRecorded { mut results, error }) => match results.pop() {
            Some(Ok(created)) => {
                if undo(ctx, &created).await? {
                    Err(error.map_or(Error::GivenUp, Error::from))
                } else {
                    Err(Error::StillUnconfirmed)
                }
            }
            failed => {
                let results = failed.into_iter().collect();
                Err(RunError::NotRecorded { results, error }.into_error())
            }
        },
        Err(error) => Err(error.into_error()),
    };
    if let Err(Error::Unconfirmed(_)) = created {
        let lost = OpenOperation {
            owner: OperationOwner::from(grant.identity()),
            id: new.operation.as_str().to_owned(),
            action: Action::AgentKeyCreate,
            target,
            in_cache: false,
            began_at,
        };
        let ctx_ = ctx.clone();
        ctx.state.run_in_background(async move {
            reconcile::follow_up(&ctx_, lost).await;
        });
    }
    let created = created?;
    // The key exists: without the settings, the snippets only lack an address.
    let settings = ctx
        .state
        .store
        .read_apm_settings()
        .await
        .unwrap_or_default();
    Ok(CreatedAgentKey {
        operation: new.operation,
        id: created.id,
        expiration: created.expiration.map(Timestamp),
        api_key: created.api_key,
        encoded: created.encoded,
        name: new.name,
        labels: new.labels,
        apm_server_url: settings.server_url.map(String::from),
        replaces: new.replaces,
    })
}

/// Revokes a key that could not be recorded: its secret has not left the server. Returns false if the key may still
/// work. The reconciliation revokes it then.
async fn undo(ctx: &RequestContext, created: &VerifiedKey) -> Result<bool, Error> {
    let undone = ctx
        .elasticsearch()?
        .invalidate_api_keys(&[&created.id], true)
        .await;
    match undone {
        Ok(invalidated) => {
            let is_revoked = invalidated.error_count == 0;
            if !is_revoked {
                tracing::error!(key.id = %created.id, "a key that could not be recorded was not revoked");
            }
            Ok(is_revoked)
        }
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(key.id = %created.id, error, "a key that could not be recorded could not be revoked");
            Ok(false)
        }
    }
}

async fn call(ctx: &RequestContext, new: &NewAgentKey) -> Result<Changed<VerifiedKey>, Error> {
    // Elasticsearch would make a key whose owner lacks its privileges, and it would never work.
    let missing = ctx.permissions().await?.missing_for(&new.privileges);
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    let _guard = below_keys_per_user(ctx).await?;
    let created = ctx
        .elasticsearch()?
        .create_api_key(&request(new, ctx.state.now()))
        .await;
    let created = created
        .and_then(|created| verify(created, new))
        .map_err(Error::of_write)?;
    let mut details = json!({
        "privileges": new.privileges.names(),
        "expiration": created.expiration,
    });
    if let Some(replaced) = &new.replaces {
        details["rotated_from"] = json!(replaced.id);
    }
    let id = created.id.as_str().to_owned();
    Ok(Changed {
        id: Some(id),
        ..Changed::new(created, details)
    })
}

/// Refuses another key to a user who owns as many active ones as the settings allow. Two requests at once do not pass the
/// limit together while the guard is held.
async fn below_keys_per_user(ctx: &RequestContext) -> Result<Option<impl Drop>, Error> {
    let settings = ctx.state.store.read_apm_settings().await?;
    let Some(max) = settings.keys_per_user_max else {
        return Ok(None);
    };
    let guard = ctx.state.lock_key_creation().await;
    if count_own_active(ctx).await? >= u64::from(max) {
        return Err(Error::KeysPerUser { max });
    }
    Ok(Some(guard))
}

/// Builds the request as Kibana sends it, so that each shows the other's keys. Our part of the metadata finds the key
/// again if its answer is lost.
fn request(new: &NewAgentKey, now: Timestamp) -> Value {
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
    if let Some(replaced) = &new.replaces {
        ours["rotated_from"] = json!(replaced.id);
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
    if let Some(expiration) = new.expiration.time_value(now) {
        body["expiration"] = json!(expiration);
    }
    body
}

/// A digest of the request. The operation itself is a part of it, so equal requests of two people differ.
fn fingerprint(new: &NewAgentKey) -> String {
    let digest = Sha256::digest(request(new, Timestamp(0)).to_string());
    BASE64_STANDARD.encode(digest)
}

struct VerifiedKey {
    id: KeyId,
    expiration: Option<i64>,
    api_key: Secret,
    encoded: Secret,
}

/// Rejects an answer to another request: a proxy that mixes up two answers must not show one user another's secret.
fn verify(created: CreatedKey, new: &NewAgentKey) -> Result<VerifiedKey, elasticsearch::Error> {
    let id = KeyId::parse(&created.id).ok_or(elasticsearch::Error::BadAnswer("key id"))?;
    if created.name != new.name.as_str() {
        return Err(elasticsearch::Error::BadAnswer("the name is another"));
    }
    if created.api_key.expose().is_empty() {
        return Err(elasticsearch::Error::BadAnswer("no secret"));
    }
    let pair = Secret::new(format!("{id}:{}", created.api_key.expose()));
    let computed = Secret::new(BASE64_STANDARD.encode(pair.expose()));
    if created.encoded.is_some_and(|encoded| encoded != computed) {
        return Err(elasticsearch::Error::BadAnswer(
            "the encoded form is another",
        ));
    }
    Ok(VerifiedKey {
        id,
        expiration: created.expiration,
        api_key: created.api_key,
        encoded: computed,
    })
}
