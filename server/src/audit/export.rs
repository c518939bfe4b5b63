//! Export of the audit log: JSON lines exactly as the chain protects them, or CSV for a spreadsheet.

use super::{Action, Event};
use crate::{
    access::{Grant, ReadAudit},
    context::RequestContext,
    error::Error,
    sessions::RecentPassword,
    store::{self, Store, StoredEvent},
};
use app::model::audit::{AuditPlace, AuditQuery, Period};
use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::json;
use std::{fmt::Write, pin::Pin};

/// Events per read.
const ROWS: i64 = 500;

/// Format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Lines,
    Csv,
}

impl Format {
    /// File name extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// The content of the file.
pub type Export = Pin<Box<dyn Stream<Item = Result<Bytes, store::Error>> + Send>>;

/// Writes an event about the export, then exports the events up to it, oldest first.
#[tracing::instrument(name = "audit_log.file.export", skip_all)]
pub async fn export(
    ctx: &RequestContext,
    query: AuditQuery,
    format: Format,
) -> Result<Export, Error> {
    let grant = ctx.grant::<ReadAudit>().await?;
    let fresh = ctx.require_recent_password()?;
    let query = query.at(AuditPlace::Newest);
    let period = query.period().map_err(Error::BadPeriod)?;
    let event = export_event(&grant, &fresh, &query, format);
    let store = ctx.state.store.clone();
    store.record(&event, &ctx.event_context()).await?;
    let last = store.audit_head().await?.sequence;
    let reading = Reading {
        store,
        query,
        period,
        after: 0,
        last,
    };
    let head = match format {
        Format::Lines => String::new(),
        Format::Csv => CSV_HEAD.to_owned(),
    };
    let rest = stream::try_unfold(reading, move |reading| async move {
        let Some((events, reading)) = reading.next().await? else {
            return Ok(None);
        };
        let mut text = String::new();
        for event in &events {
            match format {
                Format::Lines => write_line(&mut text, event),
                Format::Csv => write_row(&mut text, event),
            }
        }
        Ok(Some((Bytes::from(text), reading)))
    });
    let head = stream::iter((!head.is_empty()).then(|| Ok(Bytes::from(head))));
    Ok(Box::pin(futures::StreamExt::chain(head, rest)))
}

/// The event about an export, which needs the permission and a recent password.
fn export_event<'a>(
    grant: &'a Grant<ReadAudit>,
    _: &RecentPassword,
    query: &AuditQuery,
    format: Format,
) -> Event<'a> {
    let filters: serde_json::Map<_, _> = query
        .parameters()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Event::new(Action::AuditExport)
        .by(grant.identity())
        .details(json!({ "format": format.name(), "filters": filters }))
}

/// State of the reading.
struct Reading {
    store: Store,
    query: AuditQuery,
    period: Period,
    after: i64,
    /// Number of the last exported event: later events are not part of the file.
    last: i64,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Vec<StoredEvent>, Self)>, store::Error> {
        let query = self.query.at(AuditPlace::After(self.after));
        let mut events = self
            .store
            .find_audit_events(&query, self.period, ROWS)
            .await?;
        events.retain(|event| event.sequence <= self.last);
        let Some(last) = events.last() else {
            return Ok(None);
        };
        self.after = last.sequence;
        Ok(Some((events, self)))
    }
}

/// The record is not parsed and serialized again: these are the bytes that the MAC covers.
fn write_line(text: &mut String, event: &StoredEvent) {
    let StoredEvent { record, mac, .. } = event;
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{{\"record\":{record},\"mac\":\"{mac}\"}}");
}

const CSV_HEAD: &str = "sequence,time,person,realm,action,outcome,target_id,target_name,operation,\
    request_id,details,mac\r\n";

fn write_row(text: &mut String, event: &StoredEvent) {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        event.sequence.to_string(),
        event.at.iso_ms(),
        optional(&event.actor),
        optional(&event.actor_realm),
        event.action.clone(),
        event.outcome.clone(),
        optional(&event.target_id),
        optional(&event.target_name),
        optional(&event.operation),
        event.request_id.clone(),
        event.details.clone(),
        event.mac.clone(),
    ];
    let cells = cells.map(|value| cell(&value));
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// First characters of a formula. Some spreadsheets read the full-width ones too.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// A CSV cell. Text that a spreadsheet would read as a formula gets an apostrophe in front.
fn cell(value: &str) -> String {
    let formula = value.starts_with(FORMULA_STARTS);
    let apostrophe = if formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn formula_is_exported_as_text() {
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        for start in ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"] {
            assert!(cell(&format!("{start}1")).starts_with("\"'"), "{start:?}");
        }
        assert_eq!(cell("a, \"b\"\r\nc"), "\"a, \"\"b\"\"\r\nc\"");
        assert_eq!(cell(""), "\"\"");
    }
}
