//! The binary `agent-keys`: command line, logs, signals.

use app::model::base_path::BasePath;
use clap::{Parser, Subcommand};
use platform::Clock;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use sd_notify::NotifyState;
use secrecy::ExposeSecret;
use serde_json::json;
use server::{
    application::Application,
    audit::{
        Action, Outcome,
        anchors::Anchors,
        verify::{Verified, verify},
    },
    backup,
    config::{AuditDestination, Config, Elasticsearch, Environment, LogFormat},
    data_lock::DataLock,
    database,
    doctor::{self, Verdict},
    log::{self, LogWriter, SetLevel},
};
use std::{
    alloc::System,
    error::Error,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::signal::unix::{SignalKind, signal};
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed: libraries for HTTP, TLS and databases hold copies of secrets in their buffers.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

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
    /// Checks data directory, disk, databases, clock, certificates, addresses, Elasticsearch and the service user. The
    /// application may run meanwhile; nothing is changed.
    Doctor,
    /// Looks at the settings, and starts nothing.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Looks after the audit log.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Subcommand)]
enum ConfigCommand {
    /// Names everything that is wrong with the settings, at once.
    Check,
    /// Prints every setting in effect and where it comes from, without the values of secrets.
    Show,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Walks the whole log and says whether anything was edited, removed, moved, added or cut off. The application
    /// may run meanwhile; nothing is written.
    Verify {
        /// A copy that `backup` made, or a copy of the data directory, in place of the database in use.
        copy: Option<PathBuf>,
    },
    /// Confirms that the clock is right after it jumped, so that old events are removed again. Stop the application
    /// first.
    ResumeRetention,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let environment = Environment::of_process();
    if let Some(Command::Config { command }) = arguments.command {
        return look_at_settings(command, arguments.config.as_deref(), &environment);
    }
    // The format is known before the settings are: they may be the reason.
    let format = environment.log_format();
    let (format, ended) = match Config::read(arguments.config.as_deref(), &environment) {
        Ok(config) => (config.log_format, run(arguments, config).await),
        Err(error) => (format, Err(error.into())),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = log::failure(error.as_ref(), format);
            // Standard error may be closed, and the exit status still says that it failed.
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn look_at_settings(
    command: ConfigCommand,
    file: Option<&Path>,
    environment: &Environment,
) -> ExitCode {
    let (printed, code) = match Config::check(file, environment) {
        Ok(_) if command == ConfigCommand::Check => {
            (print("The settings are valid."), ExitCode::SUCCESS)
        }
        Ok(settings) => {
            let lines = settings.into_iter().map(|setting| {
                let value = match (setting.value, &setting.source) {
                    (Some(value), _) => format!("{value:?}"),
                    (None, Some(_)) => "(a secret)".to_owned(),
                    (None, None) => "(not set)".to_owned(),
                };
                let source = setting.source.as_deref().unwrap_or("default");
                format!("{} = {value}  # {source}", setting.name)
            });
            (
                print(&lines.collect::<Vec<_>>().join("\n")),
                ExitCode::SUCCESS,
            )
        }
        Err(errors) => {
            let lines = errors
                .iter()
                .map(|error| log::failure(error, LogFormat::Text));
            let text: String = lines.collect();
            (io::stderr().write_all(text.as_bytes()), ExitCode::FAILURE)
        }
    };
    match printed {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints the result of a command, or fails: after `reset-password` nobody could have the password.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

async fn run(arguments: Arguments, config: Config) -> Result<(), Box<dyn Error>> {
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config, arguments.config.as_deref()).await,
        Command::Backup { file } => {
            for written in backup::back_up(&config, &file).await? {
                print(&format!("Written and checked: {}", written.display()))?;
            }
            Ok(())
        }
        Command::Restore { file } => {
            // Before the lock, which would be a file of this account.
            backup::check_owner(&config)?;
            let _lock = DataLock::acquire(&config)?;
            for restored in backup::restore(&config, &Clock::system(), &file).await? {
                print(&format!("Restored: {}", restored.display()))?;
            }
            Ok(())
        }
        Command::ResetPassword { user } => reset_password(&config, &user).await,
        Command::Rekey => rekey(&config).await,
        Command::Doctor => see_doctor(&config).await,
        // It needs no valid settings, and ended above.
        Command::Config { .. } => Ok(()),
        Command::Audit {
            command: AuditCommand::Verify { copy },
        } => verify_audit_log(&config, copy.as_deref()).await,
        Command::Audit {
            command: AuditCommand::ResumeRetention,
        } => resume_retention(&config).await,
    }
}

async fn serve(config: Config, file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let log = LogWriter::start()?;
    let color = io::stderr().is_terminal();
    let set_level = log::begin(&config.log, config.log_format, color, log.clone());
    let served = serve_until_signal(config, file, set_level).await;
    log.flush();
    served
}

async fn serve_until_signal(
    config: Config,
    file: Option<&Path>,
    set_level: SetLevel,
) -> Result<(), Box<dyn Error>> {
    disable_core_dumps();
    raise_open_files();
    // Before anything is started, so that a signal in the first moments is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let base_path = config.base_path.clone();
    let format = config.log_format;
    // With the audit log on standard output, it holds only those lines, and its reader may be slow or gone.
    let mut announce: Box<dyn Write> = match config.audit_log {
        Some(AuditDestination::Stdout) => Box::new(io::stderr()),
        _ => Box::new(io::stdout()),
    };
    let application = Application::start(config, Clock::system()).await?;
    application.record(Action::AppStart).await;
    let text = announcement(&application, &base_path, format);
    if let Err(error) = announce.write_all(text.as_bytes()) {
        tracing::warn!(%error, "the address could not be printed");
    }
    tell_service_manager(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // As daemons do. It never ends the process.
            _ = hang_up.recv() => {
                match NotifyState::monotonic_usec_now() {
                    Ok(now) => tell_service_manager(&[NotifyState::Reloading, now]),
                    Err(error) => tracing::warn!(%error, "the clock cannot be read"),
                }
                reload(&application, file, &set_level);
                tell_service_manager(&[NotifyState::Ready]);
            }
        }
    }
    tell_service_manager(&[NotifyState::Stopping]);
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

/// The addresses, and a first password, as printed when requests are answered.
fn announcement(application: &Application, base_path: &BasePath, format: LogFormat) -> String {
    let password = application
        .first_password()
        .map(ExposeSecret::expose_secret);
    let url = format!("{}{}", application.url(), base_path.as_str());
    let elasticsearch = application.elasticsearch_url();
    let is_embedded = application.engine_address().is_some();
    match format {
        LogFormat::Text => {
            let password = password
                .map(|password| format!("First-run password of elastic: {password}\n"))
                .unwrap_or_default();
            let engine = if is_embedded {
                "embedded engine at "
            } else {
                ""
            };
            format!(
                "{password}Agent Keys is ready at {url} (Elasticsearch: {engine}{elasticsearch})\n"
            )
        }
        LogFormat::Json => {
            let password = password.map(|password| {
                json!({ "message": "First-run password of elastic", "password": password })
            });
            let ready = json!({
                "message": "Agent Keys is ready",
                "url": url,
                "elasticsearch": elasticsearch,
                "embedded_engine": is_embedded,
            });
            let lines = password.into_iter().chain([ready]);
            lines.map(|line| format!("{line}\n")).collect()
        }
    }
}

/// Reads again what can change while the process runs: certificates and keys, and what is logged.
fn reload(application: &Application, file: Option<&Path>, set_level: &SetLevel) {
    tracing::info!("SIGHUP: certificates, keys and the setting `log` are read again");
    application.reload();
    match Config::read(file, &Environment::of_process()) {
        Ok(config) => set_level(&config.log),
        Err(error) => {
            let error: &dyn Error = &error;
            tracing::warn!(error, "the settings cannot be read, and stay as they were");
        }
    }
}

/// Tells systemd, if it started this process.
fn tell_service_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
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
    let engine_file = config.engine_file();
    if !engine_file.exists() {
        return Err(format!("{} does not exist", engine_file.display()).into());
    }
    // Before anything is changed: a password that cannot be recorded is not set.
    let (store, _) = database::open(config).await?;
    let reset = embedded::reset_password(&engine_file, user).await;
    let outcome = match &reset {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    let recorded = database::record_password_reset(&store, &Clock::system(), user, outcome).await;
    store.close().await;
    let password = reset?;
    print(&format!(
        "New password of {user}: {}",
        password.expose_secret()
    ))?;
    // The password is set, so that it is printed all the same.
    recorded?;
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

async fn see_doctor(config: &Config) -> Result<(), Box<dyn Error>> {
    let findings = doctor::examine(config, &Clock::system()).await;
    for finding in &findings {
        print(&finding.to_string())?;
    }
    let count = |verdict| findings.iter().filter(|one| one.verdict == verdict).count();
    match (count(Verdict::Failed), count(Verdict::Warning)) {
        (0, 0) => Ok(print("No fault was found.")?),
        (0, warnings) => Ok(print(&format!(
            "No fault was found; warnings: {warnings}."
        ))?),
        (faults, _) => Err(format!("faults: {faults}").into()),
    }
}

async fn verify_audit_log(config: &Config, copy: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let (store, anchors) = match copy {
        None => (
            database::open_to_read(config).await?,
            Anchors::new(&config.data_dir).read()?,
        ),
        Some(copy) => database::open_copy(config, copy).await?,
    };
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
