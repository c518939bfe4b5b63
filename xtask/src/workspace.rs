//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout, and the folder that cargo builds into.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the checkout that cargo was called in: several may share a target folder, and so this program.
    ///
    /// Honours `CARGO_TARGET_DIR`, as cargo does.
    pub(crate) fn find() -> Result<Self> {
        let own = env::var_os("CARGO_MANIFEST_DIR")
            .context("this is `cargo xtask`: only cargo knows which checkout is meant")?;
        let root = Path::new(&own)
            .parent()
            .context("xtask lies in no workspace; run it from a checkout")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Relative to where cargo was called, so made absolute before anything moves.
            Some(folder) => env::current_dir()
                .context("the working directory cannot be read; run this from the checkout")?
                .join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A file or folder of the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A file or folder that the build makes.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// The checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that cargo builds into.
    pub(crate) fn target_folder(&self) -> &Path {
        &self.target
    }

    /// The application's binary, in the folder of its profile: `debug` or `release`.
    pub(crate) fn binary(&self, profile: &str) -> PathBuf {
        self.target
            .join(profile)
            .join(format!("agent-keys{}", env::consts::EXE_SUFFIX))
    }
}
