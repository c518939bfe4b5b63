//! The site: everything a browser may load, named by its content and compressed once.
//!
//! A name that changes with the content may be kept by browsers for ever, and a file whose
//! name exists already need not be compressed again.
//! The style sheet is every file that `main.css` imports, in one, without its white space.

use crate::{build, up_to_date::short_digest, workspace::Workspace};
use anyhow::{Context, Result, anyhow};
use flate2::{Compression, write::GzEncoder};
use lightningcss::{
    bundler::{Bundler, FileProvider},
    printer::PrinterOptions,
    stylesheet::{MinifyOptions, ParserOptions},
    targets::{Browsers, Targets},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// What the site consists of, as `site.json` says it; paths are relative to the site.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Manifest {
    /// The style sheet.
    pub(crate) css: String,
    /// The JavaScript that loads the module.
    pub(crate) js: String,
    /// The module that every page loads.
    pub(crate) wasm: String,
    /// The JavaScript that loads the module's other parts when they are needed.
    pub(crate) parts_js: String,
    /// Everything else, by the name it has in the source.
    pub(crate) assets: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the manifest of the site that was built last.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let path = workspace.target("site/site.json");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} is missing; run `cargo xtask build`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is garbled", path.display()))
    }
}

/// Puts the site together and returns the folder it is in.
pub(super) fn assemble(workspace: &Workspace, browser: &Path, stylesheet: &str) -> Result<PathBuf> {
    let site = workspace.target("site");
    let mut package = Package::new(site.join("pkg"));

    let assets = workspace.path("style/assets");
    let mut names = BTreeMap::new();
    for path in files_below(&assets)? {
        let name = path
            .strip_prefix(&assets)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        let hashed = package.add(&name, &read(&path)?)?;
        names.insert(name, hashed);
    }

    let folder = add_folder(&mut package, browser)?;
    let manifest = Manifest {
        css: package.add("agent-keys.css", stylesheet.as_bytes())?,
        js: format!("{folder}/{}", build::JS),
        wasm: format!("{folder}/{}", build::WASM),
        parts_js: format!("{folder}/{}", build::PARTS_JS),
        assets: names,
    };
    package.sweep()?;

    let mut text = serde_json::to_string_pretty(&manifest)?;
    text.push('\n');
    write_if_changed(&site.join("site.json"), text.as_bytes())?;
    Ok(site)
}

/// Adds files that refer to each other by name: here the folder is what carries the hash. Returns its path in the site.
fn add_folder(package: &mut Package, files: &Path) -> Result<String> {
    let mut contents = Vec::new();
    let mut all = Vec::new();
    for path in files_below(files)? {
        let name = path
            .strip_prefix(files)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        let bytes = read(&path)?;
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&bytes);
        contents.push((name, bytes));
    }
    let folder = format!("browser-{}", short_digest(&all));
    for (name, bytes) in contents {
        package.put(&format!("{folder}/{name}"), &bytes)?;
    }
    Ok(format!("pkg/{folder}"))
}

/// The folder of files with lasting names.
struct Package {
    folder: PathBuf,
    kept: BTreeSet<PathBuf>,
}

impl Package {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            kept: BTreeSet::new(),
        }
    }

    /// Adds a file under a name that changes with its content, and returns its path in the site.
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let name = hashed_name(name, bytes);
        self.put(&name, bytes)?;
        Ok(format!("pkg/{name}"))
    }

    /// Adds a file and its compressed siblings, where they are worth it.
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        self.keep(path.clone(), || Ok(bytes.to_vec()))?;
        if is_compressible(name) {
            self.keep(with_suffix(&path, "br"), || brotli(bytes))?;
            self.keep(with_suffix(&path, "gz"), || gzip(bytes))?;
        }
        Ok(())
    }

    fn keep(&mut self, path: PathBuf, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        if !path.is_file() {
            write_whole(&path, &make()?)?;
        }
        self.kept.insert(path);
        Ok(())
    }

    /// Removes what earlier builds left.
    fn sweep(&self) -> Result<()> {
        for path in files_below(&self.folder)? {
            if !self.kept.contains(&path) {
                fs::remove_file(&path)
                    .with_context(|| format!("{} cannot be removed", path.display()))?;
            }
        }
        Ok(())
    }
}

/// Puts the digest of the content before the file's extension.
fn hashed_name(name: &str, bytes: &[u8]) -> String {
    let digest = short_digest(bytes);
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}.{digest}.{extension}"),
        None => format!("{name}.{digest}"),
    }
}

/// Pictures and fonts are compressed by their own formats.
fn is_compressible(name: &str) -> bool {
    ["css", "ico", "js", "json", "svg", "txt", "wasm"]
        .iter()
        .any(|extension| {
            name.rsplit_once('.')
                .is_some_and(|(_, found)| found == *extension)
        })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(suffix);
    path.into()
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut compressed, &parameters)
        .context("Brotli could not compress a file")?;
    Ok(compressed)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .context("gzip could not compress a file")
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("{} cannot be read", folder.display()))?
            .path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Leaves the file's time of change alone when there is nothing new, so that the server is not
/// compiled again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    write_whole(path, bytes)
}

/// Writes a file so that it never exists by halves.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = with_suffix(path, "unfinished");
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&unfinished, bytes))
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// The oldest browsers served: the first with `light-dark()`, which are newer than the first
/// with nesting, so both stay as they are written.
const BROWSERS: Browsers = Browsers {
    android: None,
    chrome: Some(version(125, 0)),
    edge: Some(version(125, 0)),
    firefox: Some(version(128, 0)),
    ie: None,
    ios_saf: Some(version(17, 5)),
    opera: None,
    safari: Some(version(17, 5)),
    samsung: None,
};

const fn version(major: u32, minor: u32) -> u32 {
    major << 16 | minor << 8
}

/// Bundles and minifies a style sheet.
pub(super) fn bundle(entry: &Path) -> Result<String> {
    let targets = Targets::from(BROWSERS);
    let files = FileProvider::new();
    let mut bundler = Bundler::new(&files, None, ParserOptions::default());
    // The errors borrow the files, so they leave as text.
    let mut stylesheet = bundler
        .bundle(entry)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("{} cannot be bundled", entry.display()))?;
    stylesheet
        .minify(MinifyOptions {
            targets,
            ..MinifyOptions::default()
        })
        .map_err(|error| anyhow!("{error}"))
        .context("the style sheet cannot be minified")?;
    let printed = stylesheet
        .to_css(PrinterOptions {
            minify: true,
            targets,
            ..PrinterOptions::default()
        })
        .map_err(|error| anyhow!("{error}"))
        .context("the style sheet cannot be printed")?;
    Ok(printed.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Read};

    #[test]
    fn a_name_changes_with_the_content() {
        assert_eq!(
            hashed_name("agent-keys.css", b""),
            "agent-keys.e3b0c44298fc1c14.css"
        );
        assert_eq!(hashed_name("LICENSE", b""), "LICENSE.e3b0c44298fc1c14");
        assert_ne!(hashed_name("a.js", b"one"), hashed_name("a.js", b"two"));
    }

    #[test]
    fn what_is_compressed_can_be_read_again() {
        let text = "event:write config_agent:read ".repeat(100);

        let mut read = Vec::new();
        brotli::BrotliDecompress(&mut &*brotli(text.as_bytes()).unwrap(), &mut read).unwrap();
        assert_eq!(read, text.as_bytes());

        let mut read = String::new();
        flate2::read::GzDecoder::new(&*gzip(text.as_bytes()).unwrap())
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn what_is_no_longer_wanted_is_swept_away() {
        let folder = std::env::temp_dir().join(format!("xtask-pkg-{}", std::process::id()));
        let mut first = Package::new(folder.clone());
        first.add("a.css", b"one").unwrap();
        first.add("a.png", b"picture").unwrap();
        first.sweep().unwrap();
        assert_eq!(files_below(&folder).unwrap().len(), 4);

        let mut second = Package::new(folder.clone());
        second.add("a.css", b"two").unwrap();
        second.sweep().unwrap();
        let digest = short_digest(b"two");
        assert_eq!(
            files_below(&folder).unwrap(),
            ["css", "css.br", "css.gz"].map(|end| folder.join(format!("a.{digest}.{end}")))
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn imports_become_layers_and_modern_css_stays() {
        let folder = std::env::temp_dir().join(format!("xtask-css-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("main.css"),
            "@layer base, pages;\n@import url(\"base.css\") layer(base);\n",
        )
        .unwrap();
        fs::write(
            folder.join("base.css"),
            ".a { color: light-dark(black, white); &:hover { color: red } }\n",
        )
        .unwrap();

        let css = bundle(&folder.join("main.css")).unwrap();
        assert_eq!(
            css,
            "@layer base{.a{color:light-dark(#000,#fff);&:hover{color:red}}}@layer pages;"
        );

        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_fault_names_its_file() {
        let error = bundle(Path::new("/nowhere/main.css")).unwrap_err();
        assert!(
            format!("{error:#}").contains("/nowhere/main.css"),
            "{error:#}"
        );
    }
}
