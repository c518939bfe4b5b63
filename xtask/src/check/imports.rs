//! Imports between the source files of the checkout.
//!
//! Rust is read with a small scanner, not a parser: `use` trees and written-out paths, resolved against the modules
//! that exist as files. Items under `#[cfg(test)]` are left out. A re-export is followed to the file that defines the
//! name, so a module that only hands names on does not tie its children together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// For each file, the files that it imports. Paths are relative to the checkout.
pub(super) type Imports = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// The text of every file with this extension, by its path below `root`.
pub(super) fn read_sources(
    root: &Path,
    folder: &str,
    extension: &str,
) -> Result<BTreeMap<PathBuf, String>> {
    let mut sources = BTreeMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let name = entry.file_name();
            let is_installed = name == "node_modules" || name.as_encoded_bytes()[0] == b'.';
            if entry.file_type()?.is_dir() && !is_installed {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(root.join(&path))
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                sources.insert(path, text);
            }
        }
    }
    Ok(sources)
}

/// A module path below the crate, such as `["store", "sessions"]`.
type Module = Vec<String>;

/// One Rust source file, reduced to the names it mentions.
struct RustFile {
    path: PathBuf,
    /// Paths of `use` items and written-out paths, without re-exports.
    mentions: Vec<Vec<String>>,
    /// Names handed on by `pub use`, with the path that they stand for.
    reexports: BTreeMap<String, Vec<String>>,
}

/// The imports between the files of a Rust crate, whose sources lie in `src`.
pub(super) fn of_crate(src: &Path, sources: &BTreeMap<PathBuf, String>) -> Imports {
    let files: BTreeMap<Module, RustFile> = sources
        .iter()
        .map(|(path, text)| (module_of(src, path), read_rust(path.clone(), text)))
        .collect();
    let mut imports: Imports = files
        .iter()
        .map(|(module, file)| {
            let imported = file
                .mentions
                .iter()
                .filter_map(|path| resolve(&files, module, path, 0))
                .filter(|found| *found != file.path)
                .collect();
            (file.path.clone(), imported)
        })
        .collect();
    // A module and its parts may name each other: the module then counts as what its parts stand on.
    for (module, file) in &files {
        let Some((_, parent)) = module.split_last() else {
            continue;
        };
        if let Some(parent) = files.get(parent)
            && imports[&file.path].contains(&parent.path)
        {
            let of_parent = imports.entry(parent.path.clone()).or_default();
            of_parent.remove(&file.path);
        }
    }
    imports
}

/// `src/store/sessions.rs` and `src/store/sessions/mod.rs` are `["store", "sessions"]`.
fn module_of(src: &Path, path: &Path) -> Module {
    let relative = path.strip_prefix(src).unwrap_or(path).with_extension("");
    let mut module: Module = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if matches!(module.last().map(String::as_str), Some("lib" | "mod")) {
        module.pop();
    }
    module
}

/// The most re-exports that are followed for one name: `pub use` may go in a ring.
const REEXPORTS_MAX: usize = 8;

/// The file that defines what `path` names when written in `module`.
fn resolve(
    files: &BTreeMap<Module, RustFile>,
    module: &[String],
    path: &[String],
    followed: usize,
) -> Option<PathBuf> {
    let mut names = path.iter().peekable();
    let mut current = module.to_vec();
    match names.peek()?.as_str() {
        "crate" => {
            names.next();
            current = Module::new();
        }
        "self" => drop(names.next()),
        "super" => {
            while names.peek().is_some_and(|name| *name == "super") {
                names.next();
                current.pop()?;
            }
        }
        first => {
            // A child module; anything else is another crate's, or was imported by name.
            current.push(first.to_owned());
            if !files.contains_key(&current) {
                return None;
            }
            names.next();
        }
    }
    while let Some(name) = names.next() {
        current.push(name.clone());
        if files.contains_key(&current) {
            continue;
        }
        current.pop();
        let file = files.get(&current)?;
        if let Some(target) = file
            .reexports
            .get(name)
            .filter(|_| followed < REEXPORTS_MAX)
        {
            let whole: Vec<String> = target.iter().chain(names).cloned().collect();
            if let Some(found) = resolve(files, &current, &whole, followed + 1) {
                return Some(found);
            }
        }
        break;
    }
    files.get(&current).map(|file| file.path.clone())
}

fn read_rust(path: PathBuf, text: &str) -> RustFile {
    let tokens = without_tests(&tokens(&without_literals(text)));
    let mut mentions = Vec::new();
    let mut handed_on = Vec::new();
    let mut words = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            let is_public = at > 0 && (tokens[at - 1] == "pub" || is_scoped_pub(&tokens[..at]));
            let end = (at..tokens.len())
                .find(|&end| tokens[end] == ";")
                .unwrap_or(tokens.len());
            let mut leaves = Vec::new();
            read_use_tree(&tokens[at + 1..end], &[], &mut leaves);
            if is_public {
                handed_on.extend(leaves);
            } else {
                mentions.extend(leaves.into_iter().map(|(path, _)| path));
            }
            at = end;
        } else if is_word(&tokens[at]) {
            let mut path = vec![tokens[at].clone()];
            while at + 2 < tokens.len() && tokens[at + 1] == "::" && is_word(&tokens[at + 2]) {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            words.insert(path[0].clone());
            if path.len() > 1 {
                mentions.push(path);
            }
        }
        at += 1;
    }
    // A name that is handed on and also used here ties this file to the one that defines it.
    for (path, name) in &handed_on {
        if words.contains(name) {
            mentions.push(path.clone());
        }
    }
    let reexports = handed_on
        .into_iter()
        .map(|(path, name)| (name, path))
        .collect();
    RustFile {
        path,
        mentions,
        reexports,
    }
}

/// Returns true if the tokens end with `pub(crate)`, `pub(super)` or `pub(in …)`.
fn is_scoped_pub(tokens: &[String]) -> bool {
    let Some(open) = tokens.iter().rposition(|token| token == "(") else {
        return false;
    };
    tokens.last().is_some_and(|last| last == ")")
        && open > 0
        && tokens[open - 1] == "pub"
        && tokens.len() - open <= 8
}

/// Collects every leaf of a `use` tree: its path, and the name that it gets in this file.
fn read_use_tree(tokens: &[String], prefix: &[String], leaves: &mut Vec<(Vec<String>, String)>) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                let mut depth = 0;
                let mut start = at + 1;
                for end in at..tokens.len() {
                    match tokens[end].as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    let closes = depth == 0;
                    if closes || (depth == 1 && tokens[end] == ",") {
                        if start < end {
                            read_use_tree(&tokens[start..end], &path, leaves);
                        }
                        start = end + 1;
                    }
                    if closes {
                        return;
                    }
                }
            }
            "as" => {
                if let (Some(name), false) = (tokens.get(at + 1), path.is_empty()) {
                    leaves.push((path, name.clone()));
                }
                return;
            }
            "self" if !path.is_empty() => {}
            "*" => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    if let Some(name) = path.last().cloned() {
        leaves.push((path, name));
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::`, and every other sign by itself.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut signs = code.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign.is_whitespace() {
            continue;
        }
        let mut token = sign.to_string();
        if sign.is_alphanumeric() || sign == '_' {
            while let Some(next) = signs.next_if(|next| next.is_alphanumeric() || *next == '_') {
                token.push(next);
            }
        } else if sign == ':' && signs.next_if_eq(&':').is_some() {
            token.push(':');
        }
        tokens.push(token);
    }
    tokens
}

/// Leaves out each item under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let starts_test = |at: usize| {
        let of = |words: &[&str]| {
            tokens[at..].len() >= words.len()
                && words.iter().zip(&tokens[at..]).all(|(a, b)| a == b)
        };
        of(&["#", "[", "cfg", "(", "test"]) || of(&["#", "[", "cfg", "(", "all", "(", "test"])
    };
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !starts_test(at) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        // The attribute, further attributes, then the item: up to its block or its semicolon.
        let mut depth = 0_i32;
        while at < tokens.len() {
            let token = tokens[at].as_str();
            at += 1;
            match token {
                "[" | "(" | "{" => depth += 1,
                "]" | ")" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                ";" | "," if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Rust without comments and without the content of literals.
fn without_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            0
        };
        if skipped > 0 {
            code.push(' ');
            at += skipped;
        } else {
            let sign = rest.chars().next().unwrap_or(' ');
            code.push(sign);
            at += sign.len_utf8();
        }
    }
    code
}

/// The length of `r#"…"#` and its relatives, if the text begins with such a string.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let content = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = content.find(&close)?;
    Some(rest.len() - content.len() + end + close.len())
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal, or 1 for the apostrophe of a lifetime.
fn character(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match signs.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => match signs.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// The imports between TypeScript files. Imports of types alone do not count: they are gone when the program runs.
pub(super) fn of_typescript(sources: &BTreeMap<PathBuf, String>) -> Imports {
    sources
        .iter()
        .map(|(path, text)| {
            let folder = path.parent().unwrap_or(Path::new(""));
            let imported = typescript_imports(text)
                .into_iter()
                .map(|from| normal(&folder.join(format!("{from}.ts"))))
                .filter(|found| sources.contains_key(found))
                .collect();
            (path.clone(), imported)
        })
        .collect()
}

/// The relative files that `import … from '…'` and `export … from '…'` name.
fn typescript_imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(" from '.") {
        let from = &rest[at + " from '".len()..];
        let Some(end) = from.find('\'') else { break };
        let clause = rest[..at]
            .rfind("import ")
            .max(rest[..at].rfind("export "))
            .map_or("", |start| &rest[start..at]);
        if !is_of_types_alone(clause) {
            found.push(from[..end].to_owned());
        }
        rest = &from[end..];
    }
    found
}

fn is_of_types_alone(clause: &str) -> bool {
    let names = clause
        .trim_start_matches("import ")
        .trim_start_matches("export ");
    if names.starts_with("type ") {
        return true;
    }
    let Some(braced) = names.trim().strip_prefix('{') else {
        return false;
    };
    braced
        .trim_end_matches('}')
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .all(|name| name.starts_with("type "))
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
        let sources = files
            .iter()
            .map(|(path, text)| (Path::new("c/src").join(path), (*text).to_owned()))
            .collect();
        named(&of_crate(Path::new("c/src"), &sources), "c/src")
    }

    fn named(imports: &Imports, folder: &str) -> BTreeMap<String, Vec<String>> {
        let name = |path: &PathBuf| {
            let relative = path.strip_prefix(folder).unwrap();
            relative.to_string_lossy().into_owned()
        };
        imports
            .iter()
            .map(|(path, imported)| (name(path), imported.iter().map(name).collect()))
            .collect()
    }

    #[test]
    fn use_trees_and_written_out_paths_are_imports() {
        let found = crate_of(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::{b::{self, B as Other}, c};\nmod child;"),
            ("a/child.rs", "fn f() { super::super::b::g(); super::h(); }"),
            (
                "b.rs",
                "use std::fmt; use serde::de::Error; fn f(c: &crate::c::C) {}",
            ),
            ("c.rs", ""),
        ]);
        assert_eq!(found["a.rs"], ["b.rs", "c.rs"]);
        assert_eq!(found["a/child.rs"], ["a.rs", "b.rs"]);
        assert_eq!(found["b.rs"], ["c.rs"]);
        assert!(found["lib.rs"].is_empty());
    }

    #[test]
    fn tests_comments_and_literals_are_no_imports() {
        let found = crate_of(&[
            (
                "a.rs",
                "// use crate::b;\nconst S: &str = \"crate::b::B\"; const C: char = '\"';\n\
                 const R: &str = r#\"\" crate::b::B\"#; fn f<'a>(x: &'a str) {}\n\
                 #[cfg(test)]\n#[path = \"x\"]\nmod tests { use crate::b; fn g() { { } } }",
            ),
            ("b.rs", "use crate::a;"),
        ]);
        assert!(found["a.rs"].is_empty());
        assert_eq!(found["b.rs"], ["a.rs"]);
    }

    #[test]
    fn reexport_leads_to_the_file_that_defines_the_name() {
        let found = crate_of(&[
            (
                "a.rs",
                "mod one; mod two; pub(crate) use one::One; pub use self::two::Two;\nfn f(_: Two) {}",
            ),
            ("a/one.rs", "use super::Two;"),
            ("a/two.rs", ""),
            ("b.rs", "use crate::a::{One, Two};"),
        ]);
        assert_eq!(found["a.rs"], ["a/two.rs"]);
        assert_eq!(found["a/one.rs"], ["a/two.rs"]);
        assert_eq!(found["b.rs"], ["a/one.rs", "a/two.rs"]);
    }

    #[test]
    fn typescript_imports_count_unless_they_are_of_types_alone() {
        let sources = [
            (
                "e/pages/a.ts",
                "import { b } from '../b';\nimport type { C } from './c';",
            ),
            (
                "e/pages/c.ts",
                "import { type B } from '../b';\nexport { A } from './a';",
            ),
            (
                "e/b.ts",
                "import {\n  type C,\n  c,\n} from './pages/c';\nimport { test } from '@playwright/test';",
            ),
        ];
        let sources = sources.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        let found = named(&of_typescript(&sources.into()), "e");
        assert_eq!(found["pages/a.ts"], ["b.ts"]);
        assert_eq!(found["pages/c.ts"], ["pages/a.ts"]);
        assert_eq!(found["b.ts"], ["pages/c.ts"]);
    }
}
