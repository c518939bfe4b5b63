//! What is measured, row by row.

mod browser;
mod creations;
mod engine;
mod floors;
mod keys;
mod pages;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::Server;
use crate::report::Report;

const PASSWORD: &str = "a-password-for-measuring";

/// Measures everything, prints the table and writes it to a file.
pub(crate) async fn measure(binary: &Path, in_the_browser: &Path, file: &Path) -> Result<()> {
    let mut report = Report::default();
    let floor_a = floors::measure(&mut report).await?;
    {
        let bench = Bench::new(binary, "pages")?;
        pages::measure(&bench, &mut report).await?;
        browser::add(in_the_browser, &mut report)?;
        keys::measure(&bench, &mut report, floor_a).await?;
    }
    creations::measure(&Bench::new(binary, "creations")?, &mut report).await?;

    let table = report.markdown();
    println!("\n{table}");
    fs::write(file, &table).with_context(|| format!("{} cannot be written", file.display()))
}

/// The binary and the folder of its data, which goes when this is dropped.
struct Bench {
    binary: PathBuf,
    data: PathBuf,
}

impl Bench {
    fn new(binary: &Path, name: &str) -> Result<Self> {
        let data = env::temp_dir().join(format!("agent-keys-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
        Ok(Self {
            binary: binary.to_path_buf(),
            data,
        })
    }

    fn start(&self) -> Result<Server> {
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
