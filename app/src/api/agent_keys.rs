//! Server functions for agent keys.

use super::form_post::FormPost;
#[cfg(feature = "server")]
use super::redirect_if_signed_out;
#[cfg(feature = "server")]
use crate::{
    backend::backend,
    model::{
        agent_key::KeyId, new_agent_key::OperationId, notice::Notice, problem::ProblemKind,
        revocation::KeySelection,
    },
    urls,
};
use crate::{
    backend::{AgentKeyPreparation, RotationPreparation},
    model::{
        agent_key::{FoundAgentKey, RevokedAgentKey},
        key_list::{KeyListPage, KeyListQuery},
        new_agent_key::CreatedAgentKey,
        new_agent_key::NewAgentKeyForm,
        problem::Problem,
        revocation::{FoundAgentKeys, KeyRevocation, MatchingBatch, MatchingForm, MatchingKeys},
        rotation::RotationForm,
    },
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
#[server(endpoint = "create_agent_key", input = FormPost, output = Postcard)]
pub async fn create_agent_key(form: NewAgentKeyForm) -> Result<CreatedAgentKey, Problem> {
    let backend = backend()?;
    let new = form
        .parse(backend.now())
        .map_err(ProblemKind::NewAgentKey)?;
    let created = redirect_if_signed_out(backend.create_agent_key(new).await)?;
    // For the list, and for the form after a reload.
    backend.leave_notice(Notice::KeyCreated {
        id: created.id.to_string(),
        name: created.name.to_string(),
    });
    Ok(created)
}

/// Records that the browser displayed a new key's secret. A form post without script leaves the page for the list.
#[server(endpoint = "acknowledge_agent_key", input = FormPost, output = Postcard)]
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

/// Data for the form that rotates a key.
#[server(endpoint = "prepare_rotation", output = Postcard)]
pub async fn prepare_rotation(id: String) -> Result<RotationPreparation, Problem> {
    redirect_if_signed_out(backend()?.prepare_rotation(key_id(&id)?).await)
}

/// Creates the successor of a key. Only this response holds the secret.
#[server(endpoint = "rotate_agent_key", input = FormPost, output = Postcard)]
pub async fn rotate_agent_key(form: RotationForm) -> Result<CreatedAgentKey, Problem> {
    let backend = backend()?;
    let new = form.parse(backend.now()).map_err(ProblemKind::Rotation)?;
    redirect_if_signed_out(backend.rotate_agent_key(new).await)
}

/// Undoes the end of a key that was rotated, and leads to its page.
#[server(endpoint = "undo_rotation", input = FormPost, output = Postcard)]
pub async fn undo_rotation(id: String) -> Result<(), Problem> {
    let backend = backend()?;
    let kept = redirect_if_signed_out(backend.undo_rotation(key_id(&id)?).await)?;
    backend.leave_notice(Notice::RotationUndone {
        id: kept.id.to_string(),
        name: kept.name,
    });
    leptos_axum::redirect(&urls::agent_key(&kept.id));
    Ok(())
}

/// Revokes a key and redirects to `next`, if that is a page of this application, which announces it.
#[server(endpoint = "revoke_agent_key", input = FormPost, output = Postcard)]
pub async fn revoke_agent_key(
    id: String,
    next: Option<String>,
) -> Result<RevokedAgentKey, Problem> {
    let backend = backend()?;
    let revoked = redirect_if_signed_out(backend.revoke_agent_key(key_id(&id)?).await)?;
    backend.leave_notice(Notice::KeyRevoked {
        id: revoked.id.to_string(),
        name: revoked.name.clone(),
        in_cache: revoked.in_cache,
    });
    leptos_axum::redirect(&urls::page_or_list(next.as_deref()));
    Ok(revoked)
}

/// Revokes many keys and returns the result of each. `typed` confirms the number of many keys.
#[server(endpoint = "revoke_agent_keys", input = FormPost, output = Postcard)]
pub async fn revoke_agent_keys(
    #[server(default)] ids: Vec<String>,
    #[server(default)] typed: String,
) -> Result<Vec<KeyRevocation>, Problem> {
    let keys = KeySelection::parse(&ids)
        .and_then(|keys| keys.confirmed_by(&typed))
        .map_err(ProblemKind::KeySelection)?;
    redirect_if_signed_out(backend()?.revoke_agent_keys(keys).await)
}

/// Counts the keys that match search and filters and that the user may revoke.
#[server(endpoint = "find_matching_keys", input = Postcard, output = Postcard)]
pub async fn find_matching_keys(query: KeyListQuery) -> Result<MatchingKeys, Problem> {
    redirect_if_signed_out(backend()?.find_matching_keys(query).await)
}

/// Revokes the next batch of the keys that match, and returns the result of each.
#[server(endpoint = "revoke_matching_keys", input = FormPost, output = Postcard)]
pub async fn revoke_matching_keys(form: MatchingForm) -> Result<MatchingBatch, Problem> {
    let query = urls::list_query(&urls::parse(&form.query));
    let request = form.parse().map_err(ProblemKind::KeySelection)?;
    let total = request.confirmed;
    let batch = backend()?.revoke_matching_keys(query, request).await;
    let (results, next) = redirect_if_signed_out(batch)?;
    let done = form.done.saturating_add(results.len() as u64);
    Ok(MatchingBatch {
        results,
        next: next.map(|after| MatchingForm {
            after: after.0,
            done,
            ..form
        }),
        done,
        total,
    })
}

#[cfg(feature = "server")]
fn key_id(text: &str) -> Result<KeyId, Problem> {
    KeyId::parse(text).ok_or_else(|| ProblemKind::NotFound.into())
}
