//! TLS from files, which may be replaced while we run.

use crate::config::TlsFiles;
use axum_server::tls_rustls::RustlsConfig;
use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "AGENT_KEYS_TLS_CERT_FILE and AGENT_KEYS_TLS_KEY_FILE: {cert} and {key} cannot be used: {source}"
)]
pub struct TlsError {
    cert: String,
    key: String,
    source: io::Error,
}

/// Reads certificate and key.
pub(super) async fn load(files: &TlsFiles) -> Result<RustlsConfig, TlsError> {
    RustlsConfig::from_pem_file(&files.cert, &files.key)
        .await
        .map_err(|source| TlsError {
            cert: files.cert.display().to_string(),
            key: files.key.display().to_string(),
            source,
        })
}

/// Looks for new files, for ever. Files that cannot be used are passed over: the old certificate still serves.
pub(super) async fn reload_when_changed(files: TlsFiles, config: RustlsConfig) {
    let mut seen = changed_at(&files);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = changed_at(&files);
        if now == seen {
            continue;
        }
        match config.reload_from_pem_file(&files.cert, &files.key).await {
            Ok(()) => {
                tracing::info!("certificate and key were replaced");
                seen = now;
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "the new certificate and key cannot be used; the old ones stay"
                );
            }
        }
    }
}

fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    [changed(&files.cert), changed(&files.key)]
}
