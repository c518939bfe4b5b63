//! Questions about agent keys.

#![expect(
    missing_docs,
    reason = "a server function's struct has its arguments as fields"
)]

use crate::{
    backend::{AgentKeyPreparation, backend},
    model::{
        agent_key::{AgentKey, CreatedAgentKey, KeyId, RevokedAgentKey},
        key_list::{KeyListPage, KeyListQuery},
        new_agent_key::NewAgentKeyForm,
        problem::{Problem, ProblemKind},
    },
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the list.
#[server(endpoint = "list_agent_keys", input = Json)]
pub async fn list_agent_keys(query: KeyListQuery) -> Result<KeyListPage, Problem> {
    backend()?.list_agent_keys(query).await
}

/// One key.
#[server(endpoint = "find_agent_key")]
pub async fn find_agent_key(id: String) -> Result<AgentKey, Problem> {
    backend()?.find_agent_key(key_id(&id)?).await
}

/// What the form for a new key needs.
#[server(endpoint = "prepare_agent_key")]
pub async fn prepare_agent_key() -> Result<AgentKeyPreparation, Problem> {
    backend()?.prepare_agent_key().await
}

/// Makes a key. The secret is in this one answer.
#[server(endpoint = "create_agent_key")]
pub async fn create_agent_key(form: NewAgentKeyForm) -> Result<CreatedAgentKey, Problem> {
    let backend = backend()?;
    let new = form
        .parse(backend.now())
        .map_err(ProblemKind::NewAgentKey)?;
    backend.create_agent_key(new).await
}

/// Revokes a key and goes back to the list, which says so.
#[server(endpoint = "revoke_agent_key")]
pub async fn revoke_agent_key(id: String) -> Result<RevokedAgentKey, Problem> {
    let revoked = backend()?.revoke_agent_key(key_id(&id)?).await?;
    leptos_axum::redirect(&format!("/settings/agent-keys?revoked={}", revoked.id));
    Ok(revoked)
}

#[cfg(feature = "server")]
fn key_id(text: &str) -> Result<KeyId, Problem> {
    KeyId::parse(text).ok_or_else(|| ProblemKind::NotFound.into())
}
