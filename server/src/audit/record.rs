//! An event as the line that is written down: JSON in the names of the Elastic Common Schema.

use super::{Action, Event, Stamp};
use app::model::timestamp::Timestamp;
use serde_json::{Map, Value, json};

const ECS_VERSION: &str = "8.17.0";

/// What of an event is also in columns of its own, to search by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Its place: 1, 2, 3, without gaps.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who; `None` when nobody was signed in.
    pub actor: Option<String>,
    /// The realm of who did it.
    pub actor_realm: Option<String>,
    /// What.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// Elasticsearch's id of what it was done to.
    pub target_id: Option<String>,
    /// The name of what it was done to.
    pub target_name: Option<String>,
    /// The operation that links an intent with its outcome.
    pub operation: Option<String>,
    /// In which request.
    pub request_id: String,
    /// Whatever else is known, as JSON.
    pub details: String,
}

impl Columns {
    /// The columns of an event.
    pub fn of(sequence: i64, event: &Event<'_>, stamp: &Stamp) -> Self {
        Self {
            sequence,
            at: stamp.at,
            actor: event.actor.map(|actor| actor.username.clone()),
            actor_realm: event.actor.map(|actor| actor.realm.clone()),
            action: event.action.name().to_owned(),
            outcome: event.outcome.name().to_owned(),
            target_id: event.target.id.clone(),
            target_name: event.target.name.clone(),
            operation: event.operation.map(str::to_owned),
            request_id: stamp.request_id.as_str().to_owned(),
            details: event.details.to_string(),
        }
    }

    /// Whether this line says the same as the columns. The line is what the chain protects; the columns are what
    /// people search.
    pub fn agree_with(&self, record: &Value) -> bool {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let target = |part: &str| {
            TARGETS
                .iter()
                .find_map(|place| text(&format!("{place}/{part}")))
        };
        let details: Option<Value> = serde_json::from_str(&self.details).ok();
        record.pointer("/event/sequence") == Some(&json!(self.sequence))
            && text("/@timestamp") == Some(self.at.iso_ms().as_str())
            && text("/user/name") == self.actor.as_deref()
            && text("/agent_keys/authn/realm") == self.actor_realm.as_deref()
            && text("/event/action") == Some(self.action.as_str())
            && text("/event/outcome") == Some(self.outcome.as_str())
            && target("id") == self.target_id.as_deref()
            && target("name") == self.target_name.as_deref()
            && text("/agent_keys/op/id") == self.operation.as_deref()
            && text("/trace/id") == Some(self.request_id.as_str())
            && record.pointer("/agent_keys/details") == details.as_ref()
    }
}

/// What is known beyond the columns.
#[derive(Debug, Default)]
pub struct More {
    /// The event's own identifier.
    pub id: Option<String>,
    /// The other end of the connection.
    pub source: Option<String>,
    /// A name for the session.
    pub session: Option<String>,
}

/// Where the target stands, by what kind of thing it is.
const TARGETS: [&str; 3] = ["/user/target", "/agent_keys/api_key", "/agent_keys/role"];

/// The line, as a value. What is not known is left out.
pub fn compose(columns: &Columns, more: More) -> Value {
    let action = Action::parse(&columns.action);
    let details: Value = serde_json::from_str(&columns.details).unwrap_or_default();
    let (category, kind, target_at) = action.map_or((&[][..], &[][..], TARGETS[1]), schema);
    let mut record = json!({
        "@timestamp": columns.at.iso_ms(),
        "ecs": { "version": ECS_VERSION },
        "event": {
            "kind": "event",
            "dataset": "agent_keys.audit",
            "sequence": columns.sequence,
            "action": columns.action,
            "category": category,
            "type": kind,
            "outcome": columns.outcome,
        },
        "message": message(columns, action),
        "service": { "name": "agent-keys", "version": env!("CARGO_PKG_VERSION") },
        "trace": { "id": columns.request_id },
    });
    put(&mut record, "/event/id", more.id);
    let reason = details.get("reason").and_then(Value::as_str);
    put(&mut record, "/event/reason", reason.map(str::to_owned));
    put(&mut record, "/source/ip", more.source);
    put(&mut record, "/user/name", columns.actor.clone());
    put(
        &mut record,
        "/agent_keys/authn/realm",
        columns.actor_realm.clone(),
    );
    put(&mut record, "/agent_keys/session/ref", more.session);
    put(&mut record, "/agent_keys/op/id", columns.operation.clone());
    put(
        &mut record,
        &format!("{target_at}/id"),
        columns.target_id.clone(),
    );
    put(
        &mut record,
        &format!("{target_at}/name"),
        columns.target_name.clone(),
    );
    put(&mut record, "/agent_keys/details", Some(details));
    record
}

/// Puts what is known into its place, and makes the objects on the way.
fn put(record: &mut Value, pointer: &str, value: Option<impl Into<Value>>) {
    let Some(value) = value else { return };
    let mut place = record;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = value.into();
}

/// The line for whatever collects lines: the same, with its code and the one before it.
pub fn with_codes(mut record: Value, previous: &str, mac: &str) -> Value {
    put(&mut record, "/event/hash", Some(mac));
    put(&mut record, "/agent_keys/audit/prev_hash", Some(previous));
    record
}

/// What happened, as a sentence for people who read lines.
fn message(columns: &Columns, action: Option<Action>) -> String {
    let who = columns.actor.as_deref().unwrap_or("Nobody");
    let what = action.map_or(columns.action.as_str(), |action| action.label());
    let target = columns
        .target_name
        .as_deref()
        .or(columns.target_id.as_deref());
    let target = target.map(|name| format!(" {name}")).unwrap_or_default();
    format!("{who}: {what}{target}: {}", columns.outcome)
}

/// Category and types in the schema's words, and where the target stands.
fn schema(
    action: Action,
) -> (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
) {
    let [user, key, role] = TARGETS;
    match action {
        Action::UserLogin => (&["authentication"], &["start"], user),
        Action::LoginThrottled => (&["authentication"], &["denied"], user),
        Action::Reauth => (&["authentication"], &["info"], user),
        Action::UserLogout => (&["authentication"], &["end"], user),
        Action::SessionEnded => (&["session"], &["end"], user),
        Action::AgentKeyCreate => (&["iam"], &["creation", "admin"], key),
        Action::AgentKeySecretSent
        | Action::AgentKeySecretAcknowledged
        | Action::AgentKeyNeverDelivered
        | Action::AgentKeyDrift => (&["iam"], &["info"], key),
        Action::AgentKeyInvalidate => (&["iam"], &["deletion", "admin"], key),
        Action::RoleUpdate => (&["iam"], &["change", "group"], role),
        Action::UserCreate => (&["iam"], &["creation", "user"], user),
        Action::UserRolesChange
        | Action::UserEnable
        | Action::UserDisable
        | Action::UserPasswordChange => (&["iam"], &["change", "user"], user),
        Action::UserDelete => (&["iam"], &["deletion", "user"], user),
        Action::AppRecovered => (&["process"], &["info"], key),
        Action::ApmSettingsChange => (&["configuration"], &["change"], key),
        Action::AuditExport => (&["iam"], &["access"], key),
        Action::AuditRetentionCut => (&["iam"], &["deletion"], key),
        Action::EsConnectionState => (&["network"], &["info"], key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            sequence: 7,
            at: Timestamp(1_797_244_927_042),
            actor: Some("ada".to_owned()),
            actor_realm: Some("native1".to_owned()),
            action: "user_roles_change".to_owned(),
            outcome: "failure".to_owned(),
            target_id: None,
            target_name: Some("ben\r\n\u{1b}[31m\",\"outcome\":\"success".to_owned()),
            operation: Some("op".to_owned()),
            request_id: "request".to_owned(),
            details: json!({ "reason": "it\nbroke", "n": [1, 2] }).to_string(),
        }
    }

    #[test]
    fn a_line_agrees_with_its_columns_and_with_no_others() {
        let record = compose(&columns(), More::default());
        assert!(columns().agree_with(&record));
        let changes: [fn(&mut Columns); 11] = [
            |columns| columns.sequence = 8,
            |columns| columns.at = Timestamp(0),
            |columns| columns.actor = None,
            |columns| columns.actor_realm = Some("file1".to_owned()),
            |columns| columns.action = "user_delete".to_owned(),
            |columns| columns.outcome = "success".to_owned(),
            |columns| columns.target_id = Some("id".to_owned()),
            |columns| columns.target_name = None,
            |columns| columns.operation = None,
            |columns| columns.request_id = "another".to_owned(),
            |columns| columns.details = "{}".to_owned(),
        ];
        for change in changes {
            let mut changed = columns();
            change(&mut changed);
            assert!(!changed.agree_with(&record), "{changed:?}");
        }
    }

    #[test]
    fn a_hostile_name_stays_inside_its_line() {
        let line = compose(&columns(), More::default()).to_string();
        assert!(!line.contains(['\r', '\n', '\u{1b}']), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["event"]["outcome"], "failure");
        assert_eq!(
            read["user"]["target"]["name"].as_str(),
            columns().target_name.as_deref()
        );
        assert_eq!(read["event"]["reason"], "it\nbroke");
    }
}
