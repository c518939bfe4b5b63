//! How the role stands.

use super::{diff, normalised, recipe, request, unknown};
use crate::{context::RequestContext, elasticsearch, error::Error};
use app::model::role::{AGENT_KEY_ROLE, AgentKeyRole, RoleState};
use serde_json::Value;

/// How the role stands, or that this person may not see it: the request is worth showing to them, too.
#[tracing::instrument(name = "role.role.read", skip_all)]
pub async fn read(ctx: &RequestContext) -> Result<AgentKeyRole, Error> {
    let resource = ctx.state.gate.resource();
    let mut unknown_fields = None;
    let state = match ctx.elasticsearch()?.get_role(AGENT_KEY_ROLE).await {
        Err(elasticsearch::Error::Forbidden { .. }) => RoleState::Unknown,
        Err(error) => return Err(error.into()),
        Ok(None) => RoleState::Missing,
        Ok(Some(stored)) => {
            let fields = unknown(&stored);
            unknown_fields = (!fields.is_empty()).then(|| format!("{:#}", Value::Object(fields)));
            let (stored, wanted) = (normalised(&stored), normalised(&recipe(resource)));
            if stored == wanted {
                RoleState::AsDocumented
            } else {
                let diff = diff::lines(&format!("{stored:#}"), &format!("{wanted:#}"));
                RoleState::Differs { diff }
            }
        }
    };
    Ok(AgentKeyRole {
        state,
        unknown_fields,
        request: request(resource),
        kibana_space: resource.trim_start_matches("space:").to_owned(),
    })
}
