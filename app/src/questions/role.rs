//! Questions about `apm_agent_key_role`.

#[cfg(feature = "server")]
use super::or_sign_in;
#[cfg(feature = "server")]
use crate::backend::backend;
use crate::model::{problem::Problem, role::AgentKeyRole};
use leptos::{prelude::*, server_fn::codec::Postcard};

/// How the role stands.
#[server(endpoint = "read_agent_key_role", output = Postcard)]
pub async fn read_agent_key_role() -> Result<AgentKeyRole, Problem> {
    or_sign_in(backend()?.agent_key_role().await)
}

/// Creates or repairs the role.
#[server(endpoint = "put_agent_key_role", output = Postcard)]
pub async fn put_agent_key_role() -> Result<(), Problem> {
    or_sign_in(backend()?.put_agent_key_role().await)
}
