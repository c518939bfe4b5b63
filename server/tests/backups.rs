//! Copies of the data: whose files a restore writes, and the audit log of a copy.

use crate::{
    binary::{Running, command, fails},
    support::PASSWORD,
};
use rustix::process::geteuid;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output},
};

/// Accounts without a name, as in a container.
const SERVICE: u32 = 45_001;
const OTHER: u32 = 45_002;

/// Data of one sign-in, and a backup of them in `backup.db`.
async fn data_and_backup(directory: &Path) {
    let data_dir = directory.join("data");
    let running = Running::start(command(&data_dir).env("ELASTIC_PASSWORD", PASSWORD));
    let mut browser = running.browser();
    assert_eq!(browser.sign_in("elastic", PASSWORD).await.status, 200);
    let backup = run(&data_dir, &["backup"], &directory.join("backup.db"));
    assert!(backup.status.success(), "{backup:?}");
    // Recorded in the data, and not in the copy.
    assert_eq!(browser.post("sign_out", &[]).await.status, 200);
    running.stop();
}

fn run(data_dir: &Path, arguments: &[&str], file: &Path) -> Output {
    let mut command = command(data_dir);
    command.args(arguments).arg(file).output().unwrap()
}

/// Edits the audit log as the owner of the file can.
pub(crate) async fn edit_audit_log(database: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in ["DROP TRIGGER audit_events_stay", statement] {
        let edit = sqlx::query(statement).execute(&mut connection);
        edit.await.unwrap();
    }
    connection.close().await.unwrap();
}

fn all_files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn restore_keeps_the_owner_and_is_refused_to_another_account() {
    if !geteuid().is_root() {
        println!("nothing shown: only root can run as other accounts");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    data_and_backup(directory.path()).await;
    let data_dir = directory.path().join("data");
    let copies = [
        directory.path().join("backup.db"),
        directory.path().join("backup.db.engine"),
    ];
    // As a volume of a container: the directory belongs to root, and the files to the service.
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    mode(directory.path(), 0o755).unwrap();
    mode(&data_dir, 0o777).unwrap();
    for name in all_files(&data_dir) {
        chown(data_dir.join(name), Some(SERVICE), Some(SERVICE)).unwrap();
    }
    for copy in &copies {
        mode(copy, 0o644).unwrap();
    }
    // The binary where every account can run it.
    let binary = directory.path().join("agent-keys");
    fs::copy(env!("CARGO_BIN_EXE_agent-keys"), &binary).unwrap();
    let restore = |user: Option<u32>| {
        let mut restore = Command::new(&binary);
        restore
            .env_clear()
            .env("AGENT_KEYS_DATA_DIR", &data_dir)
            .current_dir(directory.path())
            .arg("restore")
            .arg(&copies[0]);
        if let Some(user) = user {
            restore.uid(user).gid(user);
        }
        restore.output().unwrap()
    };
    let before = all_files(&data_dir);
    let refused = restore(Some(OTHER));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(
        error.contains("belongs to the account with the number 45001"),
        "{error}"
    );
    assert_eq!(all_files(&data_dir), before, "nothing is changed");

    let restored = restore(None);
    assert!(restored.status.success(), "{restored:?}");
    for name in [
        "agent-keys.db",
        "engine.db",
        "server.key",
        "agent-keys.lock",
    ] {
        let about = fs::metadata(data_dir.join(name)).unwrap();
        let owner = (about.uid(), about.gid(), about.permissions().mode() & 0o777);
        assert_eq!(owner, (SERVICE, SERVICE, 0o600), "{name}");
    }
    // The control: the account itself may.
    for name in all_files(&data_dir) {
        if name.contains(".before-restore") {
            fs::remove_file(data_dir.join(name)).unwrap();
        }
    }
    let restored = restore(Some(SERVICE));
    assert!(restored.status.success(), "{restored:?}");
}

#[tokio::test]
async fn audit_log_of_a_copy_is_verified_and_nothing_is_written_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    data_and_backup(directory.path()).await;
    let data_dir = directory.path().join("data");
    let backup = directory.path().join("backup.db");
    let verify = |copy: &Path| run(&data_dir, &["audit", "verify"], copy);
    let rows = |output: &Output| -> i64 {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        let (_, rest) = text.split_once("as it was written: ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let before = all_files(directory.path());
    let of_backup = rows(&verify(&backup));
    assert_eq!(all_files(directory.path()), before);
    // A copy of the whole directory, with its anchors and key.
    let copied = directory.path().join("copied");
    fs::create_dir(&copied).unwrap();
    for name in all_files(&data_dir) {
        fs::copy(data_dir.join(&name), copied.join(&name)).unwrap();
    }
    let before = all_files(&copied);
    let of_copy = rows(&verify(&copied));
    assert!(of_copy > of_backup, "{of_copy} and {of_backup}");
    assert_eq!(all_files(&copied), before);
    // After a restore the anchors of the data that were replaced are no fault of the backup.
    let restored = run(&data_dir, &["restore"], &backup);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(rows(&verify(&backup)), of_backup);

    // The controls: an edited copy, and one of another server key.
    let changed = directory.path().join("changed.db");
    fs::copy(&backup, &changed).unwrap();
    let actor = "UPDATE audit_events SET actor = 'ada' WHERE action = 'user_login'";
    edit_audit_log(&changed, actor).await;
    let mut edited = command(&data_dir);
    let error = fails(edited.args(["audit", "verify"]).arg(&changed));
    assert!(error.contains("was edited"), "{error}");
    let mut other = command(&data_dir);
    other.env(
        "AGENT_KEYS_SERVER_KEY",
        "another key of 32 and more characters",
    );
    let error = fails(other.args(["audit", "verify"]).arg(&backup));
    assert!(error.contains("another server key"), "{error}");
}
