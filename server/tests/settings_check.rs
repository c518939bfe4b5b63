//! `agent-keys config check` and `config show`: every error at once, and every setting with its source.

use crate::binary::command;
use server::config::{Config, Environment};
use std::path::Path;

/// Lines of the standard output and of the standard error, and whether the command succeeded.
fn run(command: &mut std::process::Command) -> (Vec<String>, Vec<String>, bool) {
    let output = command.output().unwrap();
    let lines = |bytes| -> Vec<String> {
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    (
        lines(output.stdout),
        lines(output.stderr),
        output.status.success(),
    )
}

#[test]
fn every_error_of_the_settings_is_named_at_once_and_no_value() {
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("agent-keys.toml");
    let text = "log_format = \"hunter2\"\ninsecure_htp = true\n[tls]\ncert_file = \"/hunter2\"\n";
    std::fs::write(settings, text).unwrap();
    let check = || {
        let mut check = command(&directory.path().join("data"));
        check.args(["config", "check"]);
        check
    };
    let mut wrong = check();
    wrong.envs([
        ("AGENT_KEYS_LISTN", "hunter2"),
        ("AGENT_KEYS_CONNECTIONS_MAX", "hunter2"),
        ("AGENT_KEYS_DATABASE_URL", "mysql://a:hunter2@b/c"),
        ("AGENT_KEYS_SERVER_KEY", "hunter2"),
        ("AGENT_KEYS_PUBLIC_URL", ""),
    ]);
    let (out, errors, succeeded) = run(&mut wrong);
    assert!(!succeeded && out.is_empty());
    let told = errors.join("\n");
    for name in [
        "log_format: use text or json",
        "unknown setting: insecure_htp; did you mean insecure_http?",
        "AGENT_KEYS_TLS_CERT_FILE is set and AGENT_KEYS_TLS_KEY_FILE is not",
        "unknown setting: AGENT_KEYS_LISTN; did you mean AGENT_KEYS_LISTEN?",
        "AGENT_KEYS_CONNECTIONS_MAX: use a number",
        "AGENT_KEYS_DATABASE_URL: begin with",
        "AGENT_KEYS_SERVER_KEY: the secret has fewer than 32 characters",
        "AGENT_KEYS_PUBLIC_URL: is empty",
    ] {
        assert!(told.contains(name), "{name} in {told}");
    }
    assert_eq!(errors.len(), 8, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    // The control.
    std::fs::write(directory.path().join("agent-keys.toml"), "log = \"warn\"\n").unwrap();
    let (out, errors, succeeded) = run(&mut check());
    assert!(succeeded && errors.is_empty());
    assert_eq!(out, ["The settings are valid."]);
    assert!(
        !directory.path().join("data").exists(),
        "nothing is started"
    );
}

#[test]
fn effective_settings_are_shown_with_their_source_and_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, "hunter2hunter2").unwrap();
    let settings = "log = \"warn\"\nconnections_max = 100\n";
    std::fs::write(directory.path().join("agent-keys.toml"), settings).unwrap();
    let mut show = command(&directory.path().join("data"));
    show.args(["config", "show"]).envs([
        ("AGENT_KEYS_LOG", "debug"),
        (
            "AGENT_KEYS_SERVER_KEY",
            "hunter2 hunter2 hunter2 hunter2 hunter2",
        ),
    ]);
    show.env("ELASTIC_PASSWORD_FILE", &password);
    let (out, errors, succeeded) = run(&mut show);
    assert!(succeeded && errors.is_empty(), "{errors:?}");
    for line in [
        "log = \"debug\"  # AGENT_KEYS_LOG",
        "connections_max = \"100\"  # agent-keys.toml",
        "listen = \"127.0.0.1:0\"  # AGENT_KEYS_LISTEN",
        "server_key = (a secret)  # AGENT_KEYS_SERVER_KEY",
        "embedded.elastic_password = (a secret)  # ELASTIC_PASSWORD_FILE",
        "elasticsearch.url = (not set)  # default",
    ] {
        assert!(out.iter().any(|shown| shown == line), "{line} in {out:#?}");
    }
    assert!(!out.join("\n").contains("hunter2"), "{out:#?}");
}

/// The names of all settings, from their documentation: the variable and the name in the file.
fn documented() -> Vec<(String, String)> {
    let code = |cell: &str| {
        let cell = cell.trim().strip_prefix('`')?;
        Some(cell.split('`').next()?.to_owned())
    };
    let rows = include_str!("../../docs/settings.md").lines();
    rows.filter_map(|row| {
        let mut cells = row.split('|').skip(1);
        Some((code(cells.next()?)?, code(cells.next()?)?))
    })
    .collect()
}

#[test]
fn bad_value_of_any_setting_is_an_error_that_names_it_and_not_the_value() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.toml");
    let settings = documented();
    assert!(settings.len() > 20);
    let in_environment = |variable: &str, value: &str| {
        std::fs::write(&file, "").unwrap();
        Config::check(Some(&file), &Environment::from([(variable, value)]))
    };
    let in_file = |name: &str, value: &str| {
        let text = match name.split_once('.') {
            Some((table, key)) => format!("[{table}]\n{key} = {value}\n"),
            None => format!("{name} = {value}\n"),
        };
        std::fs::write(&file, text).unwrap();
        Config::check(Some(Path::new(&file)), &Environment::default())
    };
    let huge = "hunter2".repeat(150_000);
    for (variable, name) in &settings {
        for value in [
            "",
            " \t ",
            "\n",
            "\u{feff}hunter2",
            "hunter2\nhunter2",
            huge.as_str(),
        ] {
            let Err(errors) = in_environment(variable, value) else {
                panic!("{variable} takes a bad value of {} bytes", value.len());
            };
            let told = errors[0].to_string();
            assert_eq!(errors.len(), 1, "{variable}: {told:.200}");
            assert!(
                told.starts_with(variable.as_str()),
                "{variable}: {told:.200}"
            );
            assert!(!told.contains("hunter2"), "{variable}: {told:.200}");
        }
        for value in [
            "\"\"",
            "[\"hunter2\"]",
            "1979-05-27T07:32:00Z",
            "1.5",
            "\"\\uFEFFhunter2\"",
            "{ nested = 1 }",
        ] {
            let Err(errors) = in_file(name, value) else {
                panic!("{name} takes {value}");
            };
            let told = errors[0].to_string();
            assert!(told.contains(name.as_str()), "{name}: {told}");
            assert!(!told.contains("hunter2"), "{name}: {told}");
        }
    }
}

#[test]
fn settings_file_that_others_may_write_is_refused_unless_it_is_named() {
    use std::{fs, os::unix::fs::PermissionsExt};

    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("agent-keys.toml");
    fs::write(&settings, "log = \"warn\"\n").unwrap();
    let check = |named: bool| {
        let mut check = command(&directory.path().join("data"));
        if named {
            check.arg("--config").arg(&settings);
        }
        run(check.args(["config", "check"]))
    };
    assert!(check(false).2, "the control");
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o666)).unwrap();
    let (_, errors, succeeded) = check(false);
    assert!(!succeeded);
    let told = errors.join("\n");
    assert!(
        told.contains("another user owns it or may write it; name it with --config"),
        "{told}"
    );
    assert!(check(true).2, "a named file is read");
}
