//! The binary under measurement.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::Server;

/// The password of `elastic` in every run.
pub(super) const PASSWORD: &str = "a-password-for-measuring";

/// The binary and the folder of its data, which goes when this is dropped.
pub(super) struct Bench {
    binary: PathBuf,
    pub(super) data: PathBuf,
}

impl Bench {
    pub(super) fn new(binary: &Path, name: &str) -> Result<Self> {
        let data = env::temp_dir().join(format!("agent-keys-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
        Ok(Self {
            binary: binary.to_path_buf(),
            data,
        })
    }

    pub(super) fn start(&self) -> Result<Server> {
        let mut command = Command::new(&self.binary);
        command
            .arg("serve")
            // Settings of the person who measures would change what is measured.
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .env("AGENT_KEYS_LISTEN", "127.0.0.1:0")
            .env("AGENT_KEYS_EMBEDDED_LISTEN", "127.0.0.1:0")
            .env("AGENT_KEYS_DATA_DIR", &self.data)
            .env("AGENT_KEYS_LOG", "error")
            .env("ELASTIC_PASSWORD", PASSWORD)
            .current_dir(&self.data);
        let server = Server::start(&mut command)?;
        if server.hosts.len() < 2 {
            bail!("the ready line should have the web's and the engine's address");
        }
        Ok(server)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
    }
}
