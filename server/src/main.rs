//! The binary `agent-keys`: command line, logs, signals.

use clap::{Parser, Subcommand};
use platform::Clock;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use secrecy::ExposeSecret;
use server::{
    application::Application,
    audit::{
        Action,
        anchors::Anchors,
        verify::{Verified, verify},
    },
    backup,
    config::{AuditDestination, Config, Elasticsearch, Environment, LogFormat},
    data_lock::DataLock,
    database,
    log::LogWriter,
};
use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Manages the API keys of Elastic APM agents.
#[derive(Parser)]
#[command(name = "agent-keys", version, about)]
struct Arguments {
    /// The settings file. Default: agent-keys.toml in the working directory, if there is one.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the application. The default.
    Serve,
    /// Copies the databases to FILE (and FILE.engine) while the application runs.
    Backup {
        /// Path of the copy of the application's own database.
        file: PathBuf,
    },
    /// Puts the copies that `backup` made back in place. Stop the application first.
    Restore {
        /// The FILE that was given to `backup`.
        file: PathBuf,
    },
    /// Gives a user of the embedded engine a new password, and prints it. Stop the application first.
    ResetPassword {
        /// The user, for example elastic.
        user: String,
    },
    /// Gives the database the present server key, or a new one, after the old one was lost or replaced. Ends every
    /// session, and seals the audit log as it is. Stop the application first.
    Rekey,
    /// Looks after the audit log.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Walks the whole log and says whether anything was edited, removed, moved, added or cut off. The application
    /// may run meanwhile; nothing is written.
    Verify,
    /// Confirms that the clock is right after it jumped, so that old events are removed again. Stop the application
    /// first.
    ResumeRetention,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed, and the exit status still says that it failed.
            let _ = io::stderr().write_all(explain(error.as_ref()).as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, each once.
fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("agent-keys: {error}\n");
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Many messages already end with their cause.
        let message = inner.to_string();
        if !text.contains(&message) {
            text += &format!("  because: {message}\n");
        }
        cause = inner.source();
    }
    text
}

/// Prints the result of a command, or fails: after `reset-password` nobody could have the password.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let config = Config::read(arguments.config.as_deref(), &Environment::of_process())?;
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::Backup { file } => {
            for written in backup::back_up(&config, &file).await? {
                print(&format!("Written and checked: {}", written.display()))?;
            }
            Ok(())
        }
        Command::Restore { file } => {
            let _lock = DataLock::acquire(&config)?;
            for restored in backup::restore(&config, &Clock::system(), &file).await? {
                print(&format!("Restored: {}", restored.display()))?;
            }
            Ok(())
        }
        Command::ResetPassword { user } => reset_password(&config, &user).await,
        Command::Rekey => rekey(&config).await,
        Command::Audit {
            command: AuditCommand::Verify,
        } => verify_audit_log(config).await,
        Command::Audit {
            command: AuditCommand::ResumeRetention,
        } => resume_retention(&config).await,
    }
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let log = LogWriter::start()?;
    begin_logging(&config, log.clone())?;
    let served = serve_until_signal(config).await;
    log.flush();
    served
}

async fn serve_until_signal(config: Config) -> Result<(), Box<dyn Error>> {
    disable_core_dumps();
    raise_open_files();
    // Before anything is started, so that a signal in the first moments is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let base_path = config.base_path.clone();
    // With the audit log on standard output, it holds only those lines, and its reader may be slow or gone.
    let mut announce: Box<dyn Write> = match config.audit_log {
        Some(AuditDestination::Stdout) => Box::new(io::stderr()),
        _ => Box::new(io::stdout()),
    };
    let application = Application::start(config, Clock::system()).await?;
    application.record(Action::AppStart).await;
    let mut text = match application.first_password() {
        Some(password) => format!(
            "First-run password of elastic: {}\n",
            password.expose_secret()
        ),
        None => String::new(),
    };
    let elasticsearch = match application.engine_address() {
        Some(_) => format!("embedded engine at {}", application.elasticsearch_url()),
        None => application.elasticsearch_url().to_owned(),
    };
    text += &format!(
        "Agent Keys is ready at {}{} (Elasticsearch: {elasticsearch})\n",
        application.url(),
        base_path.as_str()
    );
    if let Err(error) = announce.write_all(text.as_bytes()) {
        tracing::warn!(%error, "the address could not be printed");
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // As daemons do. It never ends the process.
            _ = hang_up.recv() => {
                tracing::info!("SIGHUP: certificates and keys are read again");
                application.reload();
            }
        }
    }
    tracing::info!("stopping");
    let stopping = async {
        application.announce_stop().await;
        application.record(Action::AppStop).await;
        application.stop().await;
    };
    tokio::select! {
        () = stopping => {}
        // A second signal ends the process at once.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Disables core dumps, which would hold passwords and new keys. A dump that goes to a program, as on systems with
/// `systemd-coredump`, ignores the limit, so the process is not dumpable either. Then only root may trace it.
fn disable_core_dumps() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process could not be made undumpable");
    }
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

/// Raises the limit of open files to what the process may have: both ports together take more than the usual 1,024.
fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, maximum }) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

async fn reset_password(config: &Config, user: &str) -> Result<(), Box<dyn Error>> {
    if matches!(config.elasticsearch, Elasticsearch::Cluster(_)) {
        return Err(
            "AGENT_KEYS_ELASTICSEARCH_URL names a cluster: passwords are reset there".into(),
        );
    }
    let _lock = DataLock::acquire(config)?;
    let password = embedded::reset_password(&config.engine_file(), user).await?;
    print(&format!(
        "New password of {user}: {}",
        password.expose_secret()
    ))?;
    Ok(())
}

async fn rekey(config: &Config) -> Result<(), Box<dyn Error>> {
    let _lock = DataLock::acquire(config)?;
    let rekeyed = database::rekey(config, &Clock::system()).await?;
    print(&format!(
        "The database has the present server key. Sessions ended: {}; audit events sealed: {}.",
        rekeyed.sessions, rekeyed.events
    ))?;
    Ok(())
}

async fn resume_retention(config: &Config) -> Result<(), Box<dyn Error>> {
    let _lock = DataLock::acquire(config)?;
    let text = match database::resume_retention(config, &Clock::system()).await? {
        true => "Old audit events are removed again.",
        false => "Removal of old audit events is not paused: there is nothing to do.",
    };
    Ok(print(text)?)
}

async fn verify_audit_log(config: Config) -> Result<(), Box<dyn Error>> {
    let store = database::open_to_read(&config).await?;
    let anchors = Anchors::new(&config.data_dir).read()?;
    let verified = verify(&store, &anchors).await;
    store.close().await;
    let Verified {
        rows,
        last,
        anchors,
        sealed,
        restored,
    } = verified?;
    let mut text = format!(
        "The audit log is as it was written: {rows} rows verified, the last one is number {last}; \
         anchors that agree: {anchors}."
    );
    if sealed > 0 {
        text += &format!("\nSealed when the server key was replaced: {sealed} rows.");
    }
    if let Some(row) = restored {
        text += &format!("\nRow {row} records that a backup was restored.");
    }
    print(&text)?;
    Ok(())
}

fn begin_logging(config: &Config, log: LogWriter) -> Result<(), Box<dyn Error>> {
    // tower-sessions warns of each cookie whose session has ended, and PostgreSQL notes at each start that tables exist.
    // A directive of the setting may say otherwise.
    let directives = format!(
        "tower_sessions=error,sqlx::postgres::notice=warn,{}",
        config.log
    );
    let filter = EnvFilter::try_new(directives).map_err(
        |_| "AGENT_KEYS_LOG: use a level, or targets with levels, such as server=debug,info",
    )?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(move || log.clone())
        // The formatter would report them on standard error, and panic when that fails too.
        .log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_not_dumpable() {
        disable_core_dumps();
        let behavior = rustix::process::dumpable_behavior();
        assert_eq!(behavior.ok(), Some(DumpableBehavior::NotDumpable));
    }
}
