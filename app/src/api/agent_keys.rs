//! Questions about agent keys.

#[cfg(feature = "server")]
use super::redirect_if_signed_out;
use crate::{
    backend::AgentKeyPreparation,
    model::{
        agent_key::{CreatedAgentKey, FoundAgentKey, RevokedAgentKey},
        key_list::{KeyListPage, KeyListQuery},
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

/// One page of the list.
#[server(endpoint = "list_agent_keys", input = Postcard, output = Postcard)]
pub async fn list_agent_keys(query: KeyListQuery) -> Result<KeyListPage, Problem> {
    redirect_if_signed_out(backend()?.list_agent_keys(query).await)
}

/// One key.
#[server(endpoint = "find_agent_key", output = Postcard)]
pub async fn find_agent_key(id: String) -> Result<FoundAgentKey, Problem> {
    redirect_if_signed_out(backend()?.find_agent_key(key_id(&id)?).await)
}

/// The keys of these ids, before they are revoked.
#[server(endpoint = "find_agent_keys", input = Postcard, output = Postcard)]
pub async fn find_agent_keys(ids: Vec<String>) -> Result<FoundAgentKeys, Problem> {
    let keys = KeySelection::parse(&ids).map_err(|error| {
        let kind = ProblemKind::KeySelection(error);
        // The address is wrong, and the page that says so has no answer of the backend's to take its status from.
        if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
            response.set_status(http::StatusCode::UNPROCESSABLE_ENTITY);
        }
        kind
    })?;
    redirect_if_signed_out(backend()?.find_agent_keys(keys).await)
}

/// What the form for a new key needs.
#[server(endpoint = "prepare_agent_key", output = Postcard)]
pub async fn prepare_agent_key() -> Result<AgentKeyPreparation, Problem> {
    redirect_if_signed_out(backend()?.prepare_agent_key().await)
}

/// Makes a key. The secret is in this one answer.
#[server(endpoint = "create_agent_key", output = Postcard)]
pub async fn create_agent_key(form: NewAgentKeyForm) -> Result<CreatedAgentKey, Problem> {
    let backend = backend()?;
    let new = form
        .parse(backend.now())
        .map_err(ProblemKind::NewAgentKey)?;
    redirect_if_signed_out(backend.create_agent_key(new).await)
}

/// Takes the page's word that it has drawn a new key's secret. A form that a browser posts by itself leaves the page
/// with it, and goes back to the list.
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

/// Revokes a key and goes back to the list, which says so.
#[server(endpoint = "revoke_agent_key", output = Postcard)]
pub async fn revoke_agent_key(id: String) -> Result<RevokedAgentKey, Problem> {
    let revoked = redirect_if_signed_out(backend()?.revoke_agent_key(key_id(&id)?).await)?;
    leptos_axum::redirect(&urls::agent_keys_after_revoking(&revoked.id));
    Ok(revoked)
}

/// Revokes many keys. The answer tells what became of each; `typed` is their number, where there are many.
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
