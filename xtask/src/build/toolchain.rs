//! A compiler for the browser: cargo with a standard library for `wasm32-unknown-unknown`.
//!
//! Most machines have one or are a `rustup target add` away from it. Where rustup's
//! server is out of reach, Debian's own packages bring a second Rust and the source of
//! its standard library, which is then compiled along.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{command, debian};

/// The browser, as rustc calls it.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's Rust with what it needs to compile a standard library for the browser.
const DEBIAN_PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "lld-22",
];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library";

/// Who compiles for the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that compiled xtask.
    Own,
    /// Debian's, compiling the standard library too.
    Debian,
}

/// Something that may lead to a toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Have(Toolchain),
    AddWithRustup,
    InstallFromDebian,
}

/// What the machine has.
#[derive(Clone, Copy, Debug, Default)]
struct Machine {
    target_installed: bool,
    rustup: bool,
    debian_toolchain: bool,
    may_install: bool,
}

impl Toolchain {
    /// Finds a toolchain, or sets one up.
    pub(crate) fn ready(workspace: &Workspace) -> Result<Self> {
        for way in ways(Machine::look(workspace)) {
            match way {
                Way::Have(toolchain) => return Ok(toolchain),
                Way::AddWithRustup => {
                    let added =
                        command::run(Command::new("rustup").args(["target", "add", TARGET]));
                    if added.is_ok() && target_installed(workspace) {
                        return Ok(Self::Own);
                    }
                }
                Way::InstallFromDebian => {
                    debian::install(&DEBIAN_PACKAGES)?;
                    if debian_toolchain() {
                        return Ok(Self::Debian);
                    }
                }
            }
        }
        bail!(
            "Rust cannot compile for the browser here: its standard library for {TARGET} is missing. \
             Install it with `rustup target add {TARGET}`, or, as root on Debian 12, with \
             `apt-get install {}`, then try again.",
            DEBIAN_PACKAGES.join(" ")
        );
    }

    /// Cargo, ready for `build` and its arguments, and the folder it builds into.
    pub(crate) fn cargo_build(self, workspace: &Workspace) -> (Command, PathBuf) {
        let mut command = command::cargo(workspace);
        match self {
            Self::Own => {
                command.args(["build", "--target", TARGET]);
                (command, workspace.target_folder().to_path_buf())
            }
            Self::Debian => {
                // Another compiler's work is kept apart, or each would undo the other's.
                let folder = workspace.target("debian");
                let mut debian = Command::new(DEBIAN_CARGO);
                debian.current_dir(workspace.root());
                for (name, value) in command.get_envs() {
                    match value {
                        Some(value) => debian.env(name, value),
                        None => debian.env_remove(name),
                    };
                }
                debian
                    .args([
                        "build",
                        "--target",
                        TARGET,
                        "-Z",
                        "build-std=std,panic_abort",
                    ])
                    .env("CARGO", DEBIAN_CARGO)
                    .env("RUSTC", DEBIAN_RUSTC)
                    // Opens `-Z` to a stable compiler.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_DIR", &folder)
                    .env_remove("RUSTUP_TOOLCHAIN");
                (debian, folder)
            }
        }
    }
}

impl Machine {
    fn look(workspace: &Workspace) -> Self {
        Self {
            target_installed: target_installed(workspace),
            rustup: command::find("rustup").is_some(),
            debian_toolchain: debian_toolchain(),
            may_install: debian::can_install(),
        }
    }
}

/// What to try, in this order: the quick before the slow, the usual before the odd.
fn ways(machine: Machine) -> Vec<Way> {
    if machine.target_installed {
        return vec![Way::Have(Toolchain::Own)];
    }
    let mut ways = Vec::new();
    if machine.rustup {
        ways.push(Way::AddWithRustup);
    }
    if machine.debian_toolchain {
        ways.push(Way::Have(Toolchain::Debian));
    } else if machine.may_install {
        ways.push(Way::InstallFromDebian);
    }
    ways
}

fn target_installed(workspace: &Workspace) -> bool {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .current_dir(workspace.root())
        .args(["--print", "target-libdir", "--target", TARGET]);
    command::read(&mut rustc).is_ok_and(|folder| has_core(Path::new(folder.trim())))
}

/// The folder alone proves nothing: Debian's packages leave an empty one.
fn has_core(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

fn debian_toolchain() -> bool {
    [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_SOURCE]
        .iter()
        .all(|path| Path::new(path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_target_is_used_as_it_is() {
        let machine = Machine {
            target_installed: true,
            rustup: true,
            debian_toolchain: true,
            may_install: true,
        };
        assert_eq!(ways(machine), [Way::Have(Toolchain::Own)]);
    }

    #[test]
    fn rustup_is_asked_before_debian() {
        let machine = Machine {
            rustup: true,
            may_install: true,
            ..Machine::default()
        };
        assert_eq!(ways(machine), [Way::AddWithRustup, Way::InstallFromDebian]);
    }

    #[test]
    fn debian_packages_are_not_installed_twice() {
        let machine = Machine {
            debian_toolchain: true,
            may_install: true,
            ..Machine::default()
        };
        assert_eq!(ways(machine), [Way::Have(Toolchain::Debian)]);
    }

    #[test]
    fn without_any_way_there_is_only_the_error() {
        assert_eq!(ways(Machine::default()), []);
    }

    #[test]
    fn an_empty_folder_is_no_standard_library() {
        let folder = std::env::temp_dir().join(format!("xtask-libdir-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(!has_core(&folder));
        std::fs::write(folder.join("libcore-0123.rlib"), "").unwrap();
        assert!(has_core(&folder));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
