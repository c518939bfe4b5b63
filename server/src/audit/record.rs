//! An event as a line of JSON in the names of the Elastic Common Schema, and the columns that index it.

use super::{Action, Event, EventContext, Target};
use app::model::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use std::ops::Range;
use time::{Date, Month, Time};

const ECS_VERSION: &str = "8.17.0";

/// JSON pointers of the target, by kind: user, API key, role.
const TARGETS: [&str; 4] = [
    "/user/target",
    "/agent_keys/api_key",
    "/agent_keys/role",
    "/agent_keys/role_mapping",
];

/// Columns of an event, copied from its record to search by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventIndex {
    /// 1, 2, 3 … without gaps.
    pub sequence: i64,
    pub at: Timestamp,
    /// User name of the actor.
    pub actor: Option<String>,
    pub actor_realm: Option<String>,
    pub action: String,
    pub outcome: String,
    /// Elasticsearch's id of the target.
    pub target_id: Option<String>,
    pub target_name: Option<String>,
    /// Id of the operation, which the events of intent and outcome share.
    pub operation: Option<String>,
    pub request_id: String,
    /// Details as JSON.
    pub details: String,
}

impl EventIndex {
    /// Reads the columns from a record. `None` if the record is not one of ours.
    ///
    /// The chain protects the record, and users search the columns, so both must agree.
    pub fn from_record(record: &Value) -> Option<Self> {
        let text = |pointer: &str| Some(record.pointer(pointer)?.as_str()?.to_owned());
        let target = |part: &str| {
            TARGETS
                .iter()
                .find_map(|pointer| text(&format!("{pointer}/{part}")))
        };
        Some(Self {
            sequence: record.pointer("/event/sequence")?.as_i64()?,
            at: parse_timestamp(&text("/@timestamp")?)?,
            actor: text("/user/name"),
            actor_realm: text("/agent_keys/authn/realm"),
            action: text("/event/action")?,
            outcome: text("/event/outcome")?,
            target_id: target("id"),
            target_name: target("name"),
            operation: text("/agent_keys/op/id"),
            request_id: text("/trace/id")?,
            details: record.pointer("/agent_keys/details")?.to_string(),
        })
    }
}

/// Reads exactly the form of [`Timestamp::iso_ms`], such as `2026-12-14T10:42:07.042Z`.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let number = |range: Range<usize>| text.get(range)?.parse::<u16>().ok();
    let small = |range: Range<usize>| u8::try_from(number(range)?).ok();
    let month = Month::try_from(small(5..7)?).ok()?;
    let date = Date::from_calendar_date(number(0..4)?.into(), month, small(8..10)?).ok()?;
    let time = Time::from_hms_milli(
        small(11..13)?,
        small(14..16)?,
        small(17..19)?,
        number(20..23)?,
    );
    let utc = date.with_time(time.ok()?).assume_utc();
    let at = Timestamp(utc.unix_timestamp() * 1_000 + i64::from(utc.millisecond()));
    (at.iso_ms() == text).then_some(at)
}

/// Parts of a record that no column holds.
#[derive(Debug, Default)]
pub struct EventExtras {
    /// The event's own id.
    pub id: Option<String>,
    /// Address of the client.
    pub source: Option<String>,
    /// Code of the session.
    pub session: Option<String>,
}

/// The record of an event. Unknown values are left out.
pub fn to_record(
    sequence: i64,
    event: &Event<'_>,
    context: &EventContext,
    extras: EventExtras,
) -> Value {
    let (category, kind, target_at) = schema(event.action);
    let mut record = json!({
        "@timestamp": context.at.iso_ms(),
        "ecs": { "version": ECS_VERSION },
        "event": {
            "kind": "event",
            "dataset": "agent_keys.audit",
            "sequence": sequence,
            "action": event.action.name(),
            "category": category,
            "type": kind,
            "outcome": event.outcome.name(),
        },
        "message": message(event),
        "service": { "name": "agent-keys", "version": env!("CARGO_PKG_VERSION") },
        "trace": { "id": context.request_id.as_str() },
    });
    put(&mut record, "/event/id", extras.id);
    let reason = event.details.get("reason").and_then(Value::as_str);
    put(&mut record, "/event/reason", reason);
    put(&mut record, "/source/ip", extras.source);
    let actor = event.actor;
    let (name, realm) = (
        actor.map(|actor| actor.username.as_str()),
        actor.map(|actor| actor.realm.as_str()),
    );
    put(&mut record, "/user/name", name);
    put(&mut record, "/agent_keys/authn/realm", realm);
    put(&mut record, "/agent_keys/session/ref", extras.session);
    put(&mut record, "/agent_keys/op/id", event.operation);
    let Target { id, name } = &event.target;
    put(&mut record, &format!("{target_at}/id"), id.as_deref());
    put(&mut record, &format!("{target_at}/name"), name.as_deref());
    let details = Some(event.details.clone());
    put(&mut record, "/agent_keys/details", details);
    record
}

/// Sets a known value, and creates the objects on the way.
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

/// The record for a collector: with its own MAC and the MAC of the event before.
pub fn with_codes(mut record: Value, previous: &str, mac: &str) -> Value {
    put(&mut record, "/event/hash", Some(mac));
    put(&mut record, "/agent_keys/audit/prev_hash", Some(previous));
    record
}

/// The event as a sentence.
fn message(event: &Event<'_>) -> String {
    let actor = event.actor.map_or("Nobody", |actor| &actor.username);
    let Target { id, name } = &event.target;
    let target = name.as_deref().or(id.as_deref());
    let target = target.map(|name| format!(" {name}")).unwrap_or_default();
    let (action, outcome) = (event.action.label(), event.outcome.name());
    format!("{actor}: {action}{target}: {outcome}")
}

/// ECS category and types, and the pointer of the target.
fn schema(
    action: Action,
) -> (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
) {
    let [user, key, role, mapping] = TARGETS;
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
        Action::AgentKeyUpdate | Action::AgentKeyRotate => (&["iam"], &["change", "admin"], key),
        Action::RoleUpdate => (&["iam"], &["change", "group"], role),
        Action::RoleMappingPut => (&["iam"], &["change", "group"], mapping),
        Action::RoleMappingDelete => (&["iam"], &["deletion", "group"], mapping),
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
        Action::AuditRetentionPause | Action::AuditRetentionResume => {
            (&["configuration"], &["change"], key)
        }
        Action::EsConnectionState => (&["network"], &["info"], key),
        Action::DatabaseRestore => (&["database"], &["change"], key),
        Action::ServerKeyChange | Action::TlsReload => (&["configuration"], &["change"], key),
        Action::EngineChange => (&["iam"], &["change"], key),
        Action::RequestRefused => (&["web"], &["access", "denied"], key),
        Action::AppStart => (&["process"], &["start"], key),
        Action::AppStop => (&["process"], &["end"], key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::Identity,
        audit::{
            Outcome,
            chain::{AuditKey, KEY_BYTES},
        },
        identifier::RequestId,
    };
    use zeroize::Zeroizing;

    const SEQUENCE: i64 = 7;

    fn ada() -> Identity {
        Identity {
            username: "ada".to_owned(),
            realm: "native1".to_owned(),
            realm_kind: "native".to_owned(),
            full_name: None,
        }
    }

    fn event(actor: &Identity) -> Event<'_> {
        Event::new(Action::UserRolesChange)
            .outcome(Outcome::Failure)
            .by(actor)
            .on(Target {
                id: None,
                name: Some("ben\r\n\u{1b}[31m\",\"outcome\":\"success".to_owned()),
            })
            .operation("op")
            .details(json!({ "reason": "it\nbroke", "n": [1, 2] }))
    }

    fn context() -> EventContext {
        EventContext {
            at: Timestamp(1_797_244_927_042),
            request_id: RequestId::new("request"),
            origin: super::super::EventSource::default(),
        }
    }

    /// The record as the chain protects it: databases hold these bytes.
    const GOLDEN: &str = r##"{"@timestamp":"2026-12-14T10:42:07.042Z","agent_keys":{"authn":{"realm":"native1"},"details":{"n":[1,2],"reason":"it\nbroke"},"op":{"id":"op"},"session":{"ref":"0123456789abcdef"}},"ecs":{"version":"8.17.0"},"event":{"action":"user_roles_change","category":["iam"],"dataset":"agent_keys.audit","id":"01993f6e-0000-7000-8000-000000000001","kind":"event","outcome":"failure","reason":"it\nbroke","sequence":7,"type":["change","user"]},"message":"ada: Change roles of user ben\r\n\u001b[31m\",\"outcome\":\"success: failure","service":{"name":"agent-keys","version":"0.1.0"},"source":{"ip":"192.0.2.7"},"trace":{"id":"request"},"user":{"name":"ada","target":{"name":"ben\r\n\u001b[31m\",\"outcome\":\"success"}}}"##;

    #[test]
    fn record_and_codes_keep_their_bytes() {
        let extras = EventExtras {
            id: Some("01993f6e-0000-7000-8000-000000000001".to_owned()),
            source: Some("192.0.2.7".to_owned()),
            session: Some("0123456789abcdef".to_owned()),
        };
        let version = format!(r#""version":"{}""#, env!("CARGO_PKG_VERSION"));
        let record = to_record(SEQUENCE, &event(&ada()), &context(), extras).to_string();
        let record = record.replace(&version, r#""version":"0.1.0""#);
        assert_eq!(record, GOLDEN);
        let key = AuditKey::new(Zeroizing::new([7; KEY_BYTES]));
        let mac = key.mac("", GOLDEN);
        assert_eq!(
            mac,
            "98918d2d05bd0077be495689b4a983bd7af748fa830278bda26503a01cbf0011"
        );
        assert_eq!(
            key.retention_code(SEQUENCE, &mac),
            "11ec817e4cb24a8494ea89a164175d8e5b4000d2ed0b9115d8588748f850e636"
        );
        assert_eq!(key.session_ref("ab"), "e3b92d4a63e5466f");
    }

    #[test]
    fn columns_are_read_from_the_record() {
        let record = to_record(SEQUENCE, &event(&ada()), &context(), EventExtras::default());
        let read: Value = serde_json::from_str(&record.to_string()).unwrap();
        let expected = EventIndex {
            sequence: SEQUENCE,
            at: context().at,
            actor: Some("ada".to_owned()),
            actor_realm: Some("native1".to_owned()),
            action: "user_roles_change".to_owned(),
            outcome: "failure".to_owned(),
            target_id: None,
            target_name: event(&ada()).target.name,
            operation: Some("op".to_owned()),
            request_id: "request".to_owned(),
            details: event(&ada()).details.to_string(),
        };
        assert_eq!(EventIndex::from_record(&read), Some(expected));
        let pointers = [
            "/event/sequence",
            "/@timestamp",
            "/event/action",
            "/event/outcome",
            "/trace/id",
            "/agent_keys/details",
        ];
        for pointer in pointers {
            let mut without = read.clone();
            *without.pointer_mut(pointer).unwrap() = Value::Null;
            if pointer == "/agent_keys/details" {
                without["agent_keys"]
                    .as_object_mut()
                    .unwrap()
                    .remove("details");
            }
            assert_eq!(EventIndex::from_record(&without), None, "{pointer}");
        }
    }

    #[test]
    fn timestamps_are_read_in_one_form_only() {
        for ms in [0, 1, 1_797_244_927_042, 4_102_444_799_999] {
            assert_eq!(
                parse_timestamp(&Timestamp(ms).iso_ms()),
                Some(Timestamp(ms))
            );
        }
        for text in [
            "",
            "2026-12-14",
            "2026-12-14T10:42:07Z",
            "2026-12-14T10:42:07.042+00:00",
            "2026-13-14T10:42:07.042Z",
            "2026-12-14 10:42:07.042Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn hostile_name_stays_inside_its_line() {
        let line = to_record(SEQUENCE, &event(&ada()), &context(), EventExtras::default());
        let line = line.to_string();
        assert!(!line.contains(['\r', '\n', '\u{1b}']), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["event"]["outcome"], "failure");
        assert_eq!(
            read["user"]["target"]["name"].as_str(),
            event(&ada()).target.name.as_deref()
        );
        assert_eq!(read["event"]["reason"], "it\nbroke");
    }
}
