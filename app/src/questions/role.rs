//! Questions about `apm_agent_key_role`.

use crate::{
    backend::backend,
    model::{problem::Problem, role::AgentKeyRole},
};
use leptos::prelude::*;

/// How the role stands.
#[server(endpoint = "read_agent_key_role")]
pub async fn read_agent_key_role() -> Result<AgentKeyRole, Problem> {
    backend()?.agent_key_role().await
}

/// Creates or repairs the role.
#[server(endpoint = "put_agent_key_role")]
pub async fn put_agent_key_role() -> Result<(), Problem> {
    backend()?.put_agent_key_role().await
}
