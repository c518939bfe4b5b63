//! The style sheet: every file that `main.css` imports, in one, without its white space.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use lightningcss::bundler::{Bundler, FileProvider};
use lightningcss::printer::PrinterOptions;
use lightningcss::stylesheet::{MinifyOptions, ParserOptions};
use lightningcss::targets::{Browsers, Targets};

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
    use std::fs;

    use super::*;

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
