//! Log lines on standard error. A thread of its own writes them, so that neither a full disk nor a closed or stalled pipe
//! stops a request. A line that cannot be written is dropped and counted.

use crate::{audit::line_writer::write_to_stream, config::LogFormat};
use serde_json::{Map, Value, json};
use std::{
    error::Error,
    fmt::{self, Debug},
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// Lines that wait to be written. More are dropped.
const WAITING_MAX: usize = 4_096;
/// Limit for the last lines of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
const FLUSH_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Process-wide, as the log itself.
static DROPPED: AtomicU64 = AtomicU64::new(0);
static FAILING: AtomicBool = AtomicBool::new(false);

/// Number of lines that could not be written.
pub fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Returns true from a line that was dropped until one is written.
pub fn is_failing() -> bool {
    FAILING.load(Ordering::Relaxed)
}

fn drop_line() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
    FAILING.store(true, Ordering::Relaxed);
}

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Writer of log lines, which never fails and never waits.
#[derive(Clone)]
pub struct LogWriter(SyncSender<Message>);

impl LogWriter {
    /// Starts the thread that writes to standard error.
    pub fn start() -> io::Result<Self> {
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let (sender, waiting) = sync_channel(WAITING_MAX);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(stderr, &waiting))?;
        Ok(Self(sender))
    }

    /// Waits until the lines before are written, at most [`FLUSH_TIMEOUT`].
    pub fn flush(&self) {
        let end = Instant::now() + FLUSH_TIMEOUT;
        let (flushed, done) = channel();
        let mut message = Message::Flush(flushed);
        while let Err(TrySendError::Full(back)) = self.0.try_send(message) {
            if Instant::now() >= end {
                return;
            }
            message = back;
            thread::sleep(FLUSH_POLL_INTERVAL);
        }
        let _ = done.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Takes one line a call, as the formatter writes them.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_owned())).is_err() {
            drop_line();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(mut stderr: File, waiting: &Receiver<Message>) {
    // Set while the stream holds the beginning of a line.
    let mut unfinished = false;
    for message in waiting {
        match message {
            Message::Line(line) => match write_to_stream(&mut stderr, &line, &mut unfinished) {
                Ok(()) => FAILING.store(false, Ordering::Relaxed),
                Err(_) => drop_line(),
            },
            // The process no longer waits.
            Message::Flush(flushed) => drop(flushed.send(())),
        }
    }
}

/// Changes what is logged, while the process runs. Takes the text of the setting `log`.
pub type SetLevel = Box<dyn Fn(&str) + Send + Sync>;

/// Begins to log. `directives` is the text of the setting `log`.
pub fn begin(directives: &str, format: LogFormat, color: bool, log: LogWriter) -> SetLevel {
    let logs = tracing_subscriber::fmt()
        .with_ansi(color)
        .with_writer(move || log.clone())
        // The formatter would report them on standard error, and panic when that fails too.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => {
            let logs = logs
                .with_env_filter(filter(directives))
                .with_filter_reloading();
            let handle = logs.reload_handle();
            logs.init();
            Box::new(move |directives| drop(handle.reload(filter(directives))))
        }
        LogFormat::Json => {
            let logs = logs
                .fmt_fields(JsonFields::new())
                .event_format(JsonLine)
                .with_env_filter(filter(directives))
                .with_filter_reloading();
            let handle = logs.reload_handle();
            logs.init();
            Box::new(move |directives| drop(handle.reload(filter(directives))))
        }
    }
}

/// The settings were checked, so that every directive is valid.
fn filter(directives: &str) -> EnvFilter {
    // tower-sessions warns of each cookie whose session has ended, and PostgreSQL notes at each start that tables exist.
    // A directive of the setting may say otherwise.
    EnvFilter::builder().parse_lossy(format!(
        "tower_sessions=error,sqlx::postgres::notice=warn,{directives}"
    ))
}

/// An event as one JSON object a line, with the causes of its error and the fields of its spans.
struct JsonLine;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for JsonLine {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut line = line(metadata.level().as_str(), fields.0);
        line["target"] = metadata.target().into();
        let spans = context.event_scope().into_iter();
        let spans = spans.flat_map(|scope| scope.from_root()).map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str(fields).ok());
            let mut fields: Map<String, Value> = fields.unwrap_or_default();
            fields.insert("name".to_owned(), span.name().into());
            Value::Object(fields)
        });
        let spans: Vec<Value> = spans.collect();
        if !spans.is_empty() {
            line["spans"] = spans.into();
        }
        writeln!(writer, "{line}")
    }
}

/// A line of a log in JSON.
fn line(level: &str, fields: Map<String, Value>) -> Value {
    let mut timestamp = String::new();
    // Formatting into a text does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    json!({ "timestamp": timestamp, "level": level, "fields": fields })
}

/// A line for the end of a process that could not start, in the format of the log.
pub fn failure(error: &(dyn Error + 'static), format: LogFormat) -> String {
    let causes = causes(error);
    match format {
        LogFormat::Text => {
            let causes: String = causes
                .iter()
                .map(|cause| format!("  because: {cause}\n"))
                .collect();
            format!("agent-keys: {error}\n{causes}")
        }
        LogFormat::Json => {
            let mut fields = Map::new();
            fields.insert("message".to_owned(), error.to_string().into());
            if !causes.is_empty() {
                fields.insert("because".to_owned(), causes.into());
            }
            format!("{}\n", line("ERROR", fields))
        }
    }
}

/// An error and its causes, without a line break.
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut parts = vec![error.to_string()];
    parts.extend(causes(error));
    parts.join(": ").replace('\n', " ")
}

/// The causes of an error, each once: many messages already end with their cause.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut told = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !told.contains(&message) {
            told += &message;
            causes.push(message);
        }
        next = cause.source();
    }
    causes
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, value.to_string());
        let causes = causes(value);
        if !causes.is_empty() {
            self.0
                .insert(format!("{}.causes", field.name()), causes.into());
        }
    }
}
