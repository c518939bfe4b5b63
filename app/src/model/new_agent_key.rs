//! The request for a new key: what the form holds, and what it means.

use super::{
    expiration::{Expiration, ExpirationError},
    key_name::{KeyName, KeyNameError},
    labels::{Labels, parse_label},
    privilege::{AgentPrivilege, AgentPrivileges},
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The form, field by field, exactly as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewAgentKeyForm {
    /// Made by the server when it drew the form; the same value never makes a second key.
    pub operation: String,
    /// The key's name.
    pub name: String,
    /// Present when `event:write` is ticked.
    pub event_write: Option<String>,
    /// Present when `config_agent:read` is ticked.
    pub config_agent_read: Option<String>,
    /// `30`, `60`, `90`, `365`, `custom` or `never`.
    pub expires: String,
    /// The date for `custom`.
    pub expires_on: String,
    /// Label.
    pub service: String,
    /// Label.
    pub environment: String,
    /// Label.
    pub team: String,
}

/// A request that Elasticsearch will accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAgentKey {
    /// Identifies this request: the same value never makes a second key.
    pub operation: OperationId,
    /// The key's name.
    pub name: KeyName,
    /// What it may do.
    pub privileges: AgentPrivileges,
    /// When it ends.
    pub expiration: Expiration,
    /// What it is for.
    pub labels: Labels,
}

/// An operation's identifier: 1 to 64 characters of `a-z A-Z 0-9 -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OperationId(String);

impl OperationId {
    /// The identifier, if the text can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (!text.is_empty() && text.len() <= 64 && text.chars().all(allowed))
            .then(|| Self(text.to_owned()))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is wrong with a form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAgentKeyErrors {
    /// Broken rules of the name.
    pub name: Vec<KeyNameError>,
    /// No privilege is ticked.
    pub no_privilege: bool,
    /// The end cannot be used.
    pub expiration: Option<ExpirationError>,
    /// The service label cannot be used.
    pub service: bool,
    /// The environment label cannot be used.
    pub environment: bool,
    /// The team label cannot be used.
    pub team: bool,
    /// The form did not come from our page.
    pub operation: bool,
}

impl NewAgentKeyForm {
    /// Reads the form, or tells everything that is wrong with it.
    pub fn parse(&self, now: Timestamp) -> Result<NewAgentKey, NewAgentKeyErrors> {
        let operation = OperationId::parse(&self.operation);
        let name = KeyName::parse(&self.name);
        let privileges = AgentPrivileges::new(
            [
                self.event_write
                    .as_ref()
                    .map(|_| AgentPrivilege::EventWrite),
                self.config_agent_read
                    .as_ref()
                    .map(|_| AgentPrivilege::ConfigAgentRead),
            ]
            .into_iter()
            .flatten(),
        );
        let expiration = Expiration::parse(&self.expires, &self.expires_on, now);
        let service = parse_label(&self.service);
        let environment = parse_label(&self.environment);
        let team = parse_label(&self.team);
        match (
            operation,
            name,
            privileges,
            expiration,
            service,
            environment,
            team,
        ) {
            (
                Some(operation),
                Ok(name),
                Some(privileges),
                Ok(expiration),
                Ok(service),
                Ok(environment),
                Ok(team),
            ) => Ok(NewAgentKey {
                operation,
                name,
                privileges,
                expiration,
                labels: Labels {
                    service,
                    environment,
                    team,
                },
            }),
            (operation, name, privileges, expiration, service, environment, team) => {
                Err(NewAgentKeyErrors {
                    operation: operation.is_none(),
                    name: name.err().unwrap_or_default(),
                    no_privilege: privileges.is_none(),
                    expiration: expiration.err(),
                    service: service.is_err(),
                    environment: environment.is_err(),
                    team: team.is_err(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_797_244_927_000);

    fn filled_in() -> NewAgentKeyForm {
        NewAgentKeyForm {
            operation: "0199-a".to_owned(),
            name: "checkout".to_owned(),
            event_write: Some("on".to_owned()),
            expires: "90".to_owned(),
            service: " checkout ".to_owned(),
            ..NewAgentKeyForm::default()
        }
    }

    #[test]
    fn a_filled_in_form_is_a_request() {
        let key = filled_in().parse(NOW).unwrap();
        assert_eq!(key.privileges.names(), ["event:write"]);
        assert_eq!(key.expiration, Expiration::InDays(90));
        assert_eq!(key.labels.service.as_deref(), Some("checkout"));
        assert_eq!(key.labels.team, None);
    }

    #[test]
    fn all_fields_are_judged_together() {
        let form = NewAgentKeyForm {
            name: "_x".to_owned(),
            event_write: None,
            expires: "custom".to_owned(),
            team: "a\u{7}".to_owned(),
            ..filled_in()
        };
        let errors = form.parse(NOW).unwrap_err();
        assert_eq!(errors.name, [KeyNameError::LeadingUnderscore]);
        assert!(errors.no_privilege && errors.team && !errors.service);
        assert_eq!(errors.expiration, Some(ExpirationError::NotADate));
    }
}
