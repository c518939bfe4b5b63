//! The settings: what is read, what wins, and what is refused without telling a secret.

use platform::Clock;
use server::config::{AuditDestination, Config, Elasticsearch, Environment, Error, KibanaFeature};
use std::path::PathBuf;

pub(crate) fn read<const COUNT: usize>(
    environment: [(&str, &str); COUNT],
) -> Result<Config, Error> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent-keys.toml");
    std::fs::write(&file, "").unwrap();
    Config::read(Some(&file), &Environment::from(environment))
}

pub(crate) fn read_file<const COUNT: usize>(
    text: &str,
    environment: [(&str, &str); COUNT],
) -> Result<Config, Error> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent-keys.toml");
    std::fs::write(&file, text).unwrap();
    Config::read(Some(&file), &Environment::from(environment))
}

#[test]
fn every_setting_has_a_default() {
    let config = read([("PATH", "/bin"), ("HOME", "/root")]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:5680");
    assert_eq!(config.data_dir, PathBuf::from("data"));
    assert_eq!(config.access.kibana_feature, KibanaFeature::Require);
    assert_eq!(config.access.kibana_space, "default");
    assert!(config.tls.is_none() && config.database_url.is_none());
    assert_eq!(config.audit_log, None);
    assert_eq!(config.audit_retention_days, 400);
    let Elasticsearch::Embedded {
        listen,
        elastic_password,
    } = config.elasticsearch
    else {
        panic!("the embedded engine is the default");
    };
    assert_eq!(listen.to_string(), "127.0.0.1:9200");
    assert!(elastic_password.is_none());
}

#[test]
fn environment_overrides_the_file() {
    let text = r#"
        listen = "127.0.0.1:1"
        data_dir = "/from/the/file"
        audit_log = "stdout"
        [elasticsearch]
        url = "https://es.example.com:9200/path"
        [access]
        kibana_feature = "ignore"
    "#;
    let config = read_file(text, [("AGENT_KEYS_LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.audit_log, Some(AuditDestination::Stdout));
    let file = read_file(text, [("AGENT_KEYS_AUDIT_LOG", "/var/log/keys.jsonl")]).unwrap();
    let path = AuditDestination::File("/var/log/keys.jsonl".into());
    assert_eq!(file.audit_log, Some(path));
    assert_eq!(config.data_dir, PathBuf::from("/from/the/file"));
    assert_eq!(config.access.kibana_feature, KibanaFeature::Ignore);
    let Elasticsearch::Cluster(cluster) = config.elasticsearch else {
        panic!("a cluster is named");
    };
    assert_eq!(cluster.url.as_str(), "https://es.example.com:9200/path/");
}

#[test]
fn invalid_settings_are_named_and_values_not_printed() {
    let secret = "hunter2";
    let cases = [
        (
            read([("AGENT_KEYS_LISTN", secret)]),
            "unknown setting: AGENT_KEYS_LISTN; did you mean AGENT_KEYS_LISTEN?",
        ),
        (
            read([("AGENT_KEYS_LISTEN", secret)]),
            "AGENT_KEYS_LISTEN: use an IP address",
        ),
        (
            read([("AGENT_KEYS_INSECURE_HTTP", secret)]),
            "AGENT_KEYS_INSECURE_HTTP: use true or false",
        ),
        (
            read([("AGENT_KEYS_TRUSTED_PROXIES", secret)]),
            "AGENT_KEYS_TRUSTED_PROXIES: use the proxies' networks",
        ),
        (
            read([("AGENT_KEYS_TRUSTED_PROXIES", "10.0.0.0/8, 0.0.0.0/0")]),
            "AGENT_KEYS_TRUSTED_PROXIES: use the proxies' networks",
        ),
        (
            read([("AGENT_KEYS_TRUSTED_PROXIES", "10.0.0.0/33")]),
            "AGENT_KEYS_TRUSTED_PROXIES: use the proxies' networks",
        ),
        (
            read_file("trusted_proxies = \"10.0.0.1,\"", []),
            "trusted_proxies: use the proxies' networks",
        ),
        (
            read([("AGENT_KEYS_CONNECTIONS_MAX", secret)]),
            "AGENT_KEYS_CONNECTIONS_MAX: use a number",
        ),
        (
            read([("AGENT_KEYS_CONNECTIONS_MAX", "0")]),
            "AGENT_KEYS_CONNECTIONS_MAX: use a number",
        ),
        (
            read([("AGENT_KEYS_METRICS_LISTEN", secret)]),
            "AGENT_KEYS_METRICS_LISTEN: use an IP address",
        ),
        (
            read([("AGENT_KEYS_DATABASE_URL", "mysql://u:hunter2@h/d")]),
            "AGENT_KEYS_DATABASE_URL: begin with",
        ),
        (
            read([("AGENT_KEYS_SERVER_KEY", secret)]),
            "AGENT_KEYS_SERVER_KEY: the secret has fewer than 32",
        ),
        (
            read([("AGENT_KEYS_LISTEN", "0.0.0.0:80")]),
            "AGENT_KEYS_LISTEN is 0.0.0.0:80: plain HTTP",
        ),
        (
            read([("AGENT_KEYS_TLS_CERT_FILE", "/x")]),
            "AGENT_KEYS_TLS_CERT_FILE is set and AGENT_KEYS_TLS_KEY_FILE is not",
        ),
        (
            read([("AGENT_KEYS_TLS_KEY_FILE", "/x")]),
            "AGENT_KEYS_TLS_KEY_FILE is set and AGENT_KEYS_TLS_CERT_FILE is not",
        ),
        (
            read([("AGENT_KEYS_ELASTICSEARCH_URL", "https://u:hunter2@h:9200")]),
            "AGENT_KEYS_ELASTICSEARCH_URL: leave out user and password",
        ),
        (
            read([("AGENT_KEYS_ELASTICSEARCH_URL", "ftp://h")]),
            "AGENT_KEYS_ELASTICSEARCH_URL: begin with",
        ),
        (
            read([("AGENT_KEYS_ACCESS_KIBANA_FEATURE", "off")]),
            "AGENT_KEYS_ACCESS_KIBANA_FEATURE: use require or ignore",
        ),
        (
            read([("AGENT_KEYS_ACCESS_KIBANA_SPACE", "a b")]),
            "AGENT_KEYS_ACCESS_KIBANA_SPACE: use a space's id",
        ),
        (
            read([
                ("ELASTIC_PASSWORD", secret),
                ("ELASTIC_PASSWORD_FILE", "/x"),
            ]),
            "ELASTIC_PASSWORD is given both",
        ),
        (
            read([("ELASTIC_PASSWORD_FILE", "/no/such/file")]),
            "ELASTIC_PASSWORD_FILE: cannot read",
        ),
        (
            read_file("lisen = \"x\"", []),
            "unknown setting: lisen; did you mean listen?",
        ),
        (
            read_file("[tls]\ncert = \"x\"", []),
            "unknown setting: tls.cert",
        ),
        (
            read_file("listen = [\"hunter2\"]", []),
            "listen: use a text",
        ),
        (
            read_file("listen = \"x\"\nhunter2", []),
            "is not TOML: line 2",
        ),
    ];
    for (result, expected) in cases {
        let error = result.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected), "{text:?} lacks {expected:?}");
        assert!(
            !text.contains(secret) && !format!("{error:?}").contains(secret),
            "{text}"
        );
    }
}

#[test]
fn named_settings_file_must_exist() {
    let error =
        Config::read(Some("/no/such/file.toml".as_ref()), &Environment::default()).unwrap_err();
    assert!(error.to_string().contains("/no/such/file.toml"));
}

#[test]
fn plain_http_on_a_public_address_requires_a_setting() {
    let listen = ("AGENT_KEYS_LISTEN", "0.0.0.0:5680");
    assert!(read([listen]).is_err());
    assert!(read([listen, ("AGENT_KEYS_INSECURE_HTTP", "true")]).is_ok());
    let tls = [
        listen,
        ("AGENT_KEYS_TLS_CERT_FILE", "/c"),
        ("AGENT_KEYS_TLS_KEY_FILE", "/k"),
    ];
    assert!(read(tls).is_ok());
}

#[test]
fn plain_http_of_the_engine_on_a_public_address_requires_a_setting() {
    let listen = ("AGENT_KEYS_EMBEDDED_LISTEN", "0.0.0.0:9200");
    let error = read([listen]).unwrap_err().to_string();
    let expected = "AGENT_KEYS_EMBEDDED_LISTEN is 0.0.0.0:9200: plain HTTP";
    assert!(error.starts_with(expected), "{error}");
    assert!(read([listen, ("AGENT_KEYS_INSECURE_HTTP", "true")]).is_ok());
    let tls = [
        listen,
        ("AGENT_KEYS_TLS_CERT_FILE", "/c"),
        ("AGENT_KEYS_TLS_KEY_FILE", "/k"),
    ];
    assert!(read(tls).is_ok());
    // With a cluster there is no engine.
    assert!(read([listen, ("AGENT_KEYS_ELASTICSEARCH_URL", "https://es:9200")]).is_ok());
}

#[tokio::test]
async fn failed_start_has_a_clear_error() {
    use server::application::Application;
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = crate::support::config(directory.path());
    config.listen = taken.local_addr().unwrap();
    let error = Application::start(config, Clock::system())
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("AGENT_KEYS_LISTEN: cannot listen on"),
        "{error}"
    );
    let mut config = crate::support::config(directory.path());
    config.elasticsearch = Elasticsearch::Embedded {
        listen: taken.local_addr().unwrap(),
        elastic_password: None,
    };
    let error = Application::start(config, Clock::system())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("AGENT_KEYS_EMBEDDED_LISTEN"), "{error}");
    assert!(error.contains("AGENT_KEYS_ELASTICSEARCH_URL"), "{error}");
    let mut config = crate::support::config(directory.path());
    config.audit_log = Some(AuditDestination::File(
        "/no/such/directory/audit.jsonl".into(),
    ));
    let error = Application::start(config, Clock::system())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.starts_with("AGENT_KEYS_AUDIT_LOG: "), "{error}");
    let mut config = crate::support::config(directory.path());
    let garbage = directory.path().join("garbage.pem");
    std::fs::write(&garbage, "hunter2").unwrap();
    config.tls = Some(server::config::TlsFiles {
        cert: garbage.clone(),
        key: garbage,
    });
    let error = Application::start(config, Clock::system())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("AGENT_KEYS_TLS_CERT_FILE") && !error.contains("hunter2"),
        "{error}"
    );
}

#[tokio::test]
async fn application_restarts_on_the_same_data() {
    use server::application::Application;
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    for first in [true, false] {
        let mut config = crate::support::config(&data_dir);
        if let Elasticsearch::Embedded {
            elastic_password, ..
        } = &mut config.elasticsearch
        {
            *elastic_password = None;
        }
        let hashing = embedded::PasswordHashing::FastForTests;
        let application = Application::start_with(config, Clock::system(), hashing)
            .await
            .unwrap();
        assert_eq!(application.first_password().is_some(), first);
        assert!(application.engine_address().is_some());
        let answer = crate::support::client()
            .get(format!("{}/health/ready", application.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text().await.unwrap(), "ready");
        application.stop().await;
    }
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    for file in std::fs::read_dir(&data_dir).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

fn cluster<const COUNT: usize>(
    settings: [(&str, &str); COUNT],
) -> Result<server::config::Cluster, server::config::Error> {
    let mut all = std::collections::BTreeMap::from(settings);
    all.entry("AGENT_KEYS_ELASTICSEARCH_URL")
        .or_insert("https://es:9200");
    let text = all.iter().map(|(name, value)| {
        let key = name.trim_start_matches("AGENT_KEYS_ELASTICSEARCH_");
        format!("{} = {value:?}\n", key.to_lowercase())
    });
    let text = format!("[elasticsearch]\n{}", text.collect::<String>());
    match read_file(&text, [])?.elasticsearch {
        Elasticsearch::Cluster(cluster) => Ok(*cluster),
        Elasticsearch::Embedded { .. } => panic!("a cluster is named"),
    }
}

#[test]
fn elasticsearch_addresses_are_separated_by_commas() {
    let cluster_of = |text| cluster([("AGENT_KEYS_ELASTICSEARCH_URL", text)]);
    let found = cluster_of("https://a:9200, https://b/es,http://c").unwrap();
    assert_eq!(found.url.as_str(), "https://a:9200/");
    let others: Vec<&str> = found.fallback_urls.iter().map(|url| url.as_str()).collect();
    assert_eq!(others, ["https://b/es/", "http://c/"]);
    for bad in [
        "https://a,",
        ",https://a",
        "https://a,https://a/",
        "https://a,ftp://b",
    ] {
        let error = cluster_of(bad).unwrap_err().to_string();
        assert!(error.starts_with("elasticsearch.url: "), "{bad}: {error}");
    }
}

#[test]
fn empty_setting_is_an_error_in_the_environment_and_in_the_file() {
    for name in ["AGENT_KEYS_ELASTICSEARCH_URL", "AGENT_KEYS_LISTEN"] {
        for value in ["", " \t"] {
            let error = read([(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: is empty")), "{error}");
        }
    }
    let error = read_file("data_dir = \"\"", []).unwrap_err().to_string();
    assert!(error.starts_with("data_dir: is empty"), "{error}");
}

#[test]
fn value_that_is_not_text_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || std::ffi::OsString::from_vec(vec![b'x', 0xff]);
    let environment = Environment::from([("AGENT_KEYS_DATA_DIR", bytes())]);
    let error = Config::read(None, &environment).unwrap_err().to_string();
    assert_eq!(error, "AGENT_KEYS_DATA_DIR: is not UTF-8");
    // The control: other programs' variables may hold anything.
    assert!(Config::read(None, &Environment::from([("LS_COLORS", bytes())])).is_ok());
}

#[test]
fn variables_of_kubernetes_are_no_settings() {
    let config = read([
        ("AGENT_KEYS_SERVICE_HOST", "10.96.0.7"),
        ("AGENT_KEYS_SERVICE_PORT", "5680"),
        ("AGENT_KEYS_SERVICE_PORT_WEB", "5680"),
        ("AGENT_KEYS_PORT", "tcp://10.96.0.7:5680"),
        ("AGENT_KEYS_PORT_5680_TCP", "tcp://10.96.0.7:5680"),
        ("AGENT_KEYS_PORT_5680_TCP_PROTO", "tcp"),
        ("AGENT_KEYS_PORT_5680_TCP_PORT", "5680"),
        ("AGENT_KEYS_PORT_5680_TCP_ADDR", "10.96.0.7"),
    ]);
    assert_eq!(config.unwrap().listen.port(), 5680);
    for (name, value) in [
        ("AGENT_KEYS_PORT", "5680"),
        ("AGENT_KEYS_SERVICE_HOST", "keys.example.com"),
        ("AGENT_KEYS_TEST_URL", "http://es:9200"),
    ] {
        let error = read([(name, value)]).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("unknown setting: {name}")),
            "{error}"
        );
    }
}

#[test]
fn log_takes_levels_and_targets_with_levels() {
    for good in ["warn", "OFF", "server=debug,info", "debug,sqlx=error"] {
        assert_eq!(read([("AGENT_KEYS_LOG", good)]).unwrap().log, good);
    }
    for bad in ["verbose", "inof", "server", "server=inof", "info,", "=info"] {
        let error = read([("AGENT_KEYS_LOG", bad)]).unwrap_err().to_string();
        assert!(
            error.starts_with("AGENT_KEYS_LOG: use off, error"),
            "{error}"
        );
    }
}

#[test]
fn audit_log_is_stdout_in_any_case_or_a_path() {
    for stdout in ["stdout", "STDOUT"] {
        let config = read([("AGENT_KEYS_AUDIT_LOG", stdout)]).unwrap();
        assert_eq!(config.audit_log, Some(AuditDestination::Stdout));
    }
    for bad in ["stderr", "-", "true"] {
        let error = read([("AGENT_KEYS_AUDIT_LOG", bad)]).unwrap_err();
        assert!(error.to_string().starts_with("AGENT_KEYS_AUDIT_LOG: use"));
    }
}

#[test]
fn ca_fingerprint_may_be_written_with_and_without_colons() {
    use server::config::Trust;
    let digits = "0a".repeat(32);
    let colons = vec!["0A"; 32].join(":");
    for text in [digits.as_str(), &colons, &digits.to_uppercase()] {
        let found = cluster([("AGENT_KEYS_ELASTICSEARCH_CA_FINGERPRINT", text)]).unwrap();
        assert_eq!(found.trust, Trust::CaFingerprint([10; 32]));
    }
    for bad in [
        "0a",
        &digits[1..],
        &digits.replace('a', "g"),
        &"0a".repeat(33),
        ":",
    ] {
        let error = cluster([("AGENT_KEYS_ELASTICSEARCH_CA_FINGERPRINT", bad)]);
        assert!(error.unwrap_err().to_string().contains("64 hexadecimal"));
    }
    let both = cluster([
        ("AGENT_KEYS_ELASTICSEARCH_CA_FINGERPRINT", &digits),
        ("AGENT_KEYS_ELASTICSEARCH_CA_FILE", "/ca.pem"),
    ]);
    assert!(both.unwrap_err().to_string().contains("give one"));
}

#[test]
fn client_certificate_needs_its_key_and_the_proxy_an_address() {
    for (given, missing) in [("CERT", "KEY"), ("KEY", "CERT")] {
        let given = format!("AGENT_KEYS_ELASTICSEARCH_CLIENT_{given}_FILE");
        let error = cluster([(&given, "/x.pem")]).unwrap_err().to_string();
        let missing = format!("AGENT_KEYS_ELASTICSEARCH_CLIENT_{missing}_FILE is not");
        assert!(
            error.starts_with(&given) && error.contains(&missing),
            "{error}"
        );
    }
    for bad in [
        "proxy:3128",
        "https://proxy",
        "http://proxy/path",
        "socks5://hunter2@proxy",
    ] {
        let error = cluster([("AGENT_KEYS_ELASTICSEARCH_PROXY", bad)]).unwrap_err();
        assert!(error.to_string().starts_with("elasticsearch.proxy: "));
        assert!(!error.to_string().contains("hunter2"));
    }
    let found = cluster([(
        "AGENT_KEYS_ELASTICSEARCH_PROXY",
        "http://u:hunter2@proxy:3128",
    )]);
    let found = found.unwrap();
    assert!(found.proxy.is_some() && !format!("{found:?}").contains("hunter2"));
}

#[test]
fn base_path_is_a_path_of_plain_characters() {
    for (good, path) in [("/", ""), ("/keys/", "/keys"), ("/apm/keys", "/apm/keys")] {
        let config = read([("AGENT_KEYS_BASE_PATH", good)]).unwrap();
        assert_eq!(config.base_path.as_str(), path);
    }
    for bad in [
        "",
        "keys",
        "/Keys",
        "/settings",
        "https://keys.example.com/keys",
    ] {
        let error = read([("AGENT_KEYS_BASE_PATH", bad)]).unwrap_err();
        assert!(error.to_string().starts_with("AGENT_KEYS_BASE_PATH: "));
    }
}

#[test]
fn public_url_is_an_origin() {
    for good in ["https://keys.example.com", "http://keys.example.com:8080/"] {
        let config = read([("AGENT_KEYS_PUBLIC_URL", good)]).unwrap();
        let url = config.public_url.unwrap();
        let origin = url.origin().ascii_serialization();
        assert_eq!(origin, good.trim_end_matches('/'));
    }
    for bad in [
        "",
        "keys.example.com",
        "https://a/path",
        "https://u@a",
        "https://a?q",
        "ftp://a",
    ] {
        let error = read([("AGENT_KEYS_PUBLIC_URL", bad)]).unwrap_err();
        assert!(error.to_string().starts_with("AGENT_KEYS_PUBLIC_URL: "));
    }
}
