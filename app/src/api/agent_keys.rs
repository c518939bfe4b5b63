//! Server functions for agent keys.

#[cfg(feature = "server")]
use super::redirect_if_signed_out;
use crate::{
    backend::AgentKeyPreparation,
    model::{
        agent_key::{FoundAgentKey, RevokedAgentKey},
        key_list::{KeyListPage, KeyListQuery},
        new_agent_key::CreatedAgentKey,
        new_agent_key::NewAgentKeyForm,
        problem::Problem,
        revocation::{FoundAgentKeys, KeyRevocation},
    },
};
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        agent_key::KeyId, new_agent_key::OperationId, problem::ProblemKind,
        revocation::KeySelection,
    },
    urls,
};
use leptos::{prelude::*, server_fn::codec::Postcard};

#[server(endpoint = "list_agent_keys", input = Postcard, output = Postcard)]
pub async fn list_agent_keys(query: KeyListQuery) -> Result<KeyListPage, Problem> {
    redirect_if_signed_out(backend()?.list_agent_keys(query).await)
}

#[server(endpoint = "find_agent_key", output = Postcard)]
pub async fn find_agent_key(id: String) -> Result<FoundAgentKey, Problem> {
    redirect_if_signed_out(backend()?.find_agent_key(key_id(&id)?).await)
}

#[server(endpoint = "find_agent_keys", input = Postcard, output = Postcard)]
pub async fn find_agent_keys(ids: Vec<String>) -> Result<FoundAgentKeys, Problem> {
    let keys = KeySelection::parse(&ids).map_err(|error| {
        let kind = ProblemKind::KeySelection(error);
        // The backend is not called, so the status is set here.
        if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
            response.set_status(http::StatusCode::UNPROCESSABLE_ENTITY);
        }
        kind
    })?;
    redirect_if_signed_out(backend()?.find_agent_keys(keys).await)
}

/// Data for the form of a new key.
#[server(endpoint = "prepare_agent_key", output = Postcard)]
pub async fn prepare_agent_key() -> Result<AgentKeyPreparation, Problem> {
    redirect_if_signed_out(backend()?.prepare_agent_key().await)
}

/// Creates a key. Only this response holds the secret.
#[server(endpoint = "create_agent_key", output = Postcard)]
pub async fn create_agent_key(form: NewAgentKeyForm) -> Result<CreatedAgentKey, Problem> {
    let backend = backend()?;
    let new = form
        .parse(backend.now())
        .map_err(ProblemKind::NewAgentKey)?;
    redirect_if_signed_out(backend.create_agent_key(new).await)
}

/// Records that the browser displayed a new key's secret. A form post without script leaves the page for the list.
#[server(endpoint = "acknowledge_agent_key", output = Postcard)]
pub async fn acknowledge_agent_key(
    operation: String,
    #[server(default)] leave: bool,
) -> Result<(), Problem> {
    let operation = OperationId::parse(&operation).ok_or(ProblemKind::NotFound)?;
    redirect_if_signed_out(backend()?.acknowledge_agent_key(operation).await)?;
    if leave {
        leptos_axum::redirect(&urls::agent_keys());
    }
    Ok(())
}

/// Revokes a key and redirects to the list, which announces it.
#[server(endpoint = "revoke_agent_key", output = Postcard)]
pub async fn revoke_agent_key(id: String) -> Result<RevokedAgentKey, Problem> {
    let revoked = redirect_if_signed_out(backend()?.revoke_agent_key(key_id(&id)?).await)?;
    leptos_axum::redirect(&urls::agent_keys_after_revoking(&revoked.id));
    Ok(revoked)
}

/// Revokes many keys and returns the result of each. `typed` confirms the number of many keys.
#[server(endpoint = "revoke_agent_keys", output = Postcard)]
pub async fn revoke_agent_keys(
    #[server(default)] ids: Vec<String>,
    #[server(default)] typed: String,
) -> Result<Vec<KeyRevocation>, Problem> {
    let keys = KeySelection::parse(&ids)
        .and_then(|keys| keys.confirmed_by(&typed))
        .map_err(ProblemKind::KeySelection)?;
    redirect_if_signed_out(backend()?.revoke_agent_keys(keys).await)
}

#[cfg(feature = "server")]
fn key_id(text: &str) -> Result<KeyId, Problem> {
    KeyId::parse(text).ok_or_else(|| ProblemKind::NotFound.into())
}
