//! Software bill of materials: the crates in the binary and in the browser half, in CycloneDX's JSON.

use crate::{build::toolchain::TARGET, command, workspace::Workspace};
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

/// The package whose dependencies are listed. The pages are one of them.
const PRODUCT: &str = "server";

/// The part of `cargo metadata` that is read.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// `None` for a member of the workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` for a normal dependency: not of tests, and not of build scripts.
    kind: Option<String>,
}

/// Writes the bill beside the release binary, and returns its path.
pub(crate) fn write(workspace: &Workspace) -> Result<PathBuf> {
    let version = command::read(Command::new("rustc").arg("-vV"))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not tell its host")?;
    let read = |target: &str| -> Result<Metadata> {
        let mut cargo = command::cargo(workspace);
        let arguments = ["metadata", "--format-version", "1", "--locked"];
        let text = command::read(cargo.args(arguments).args(["--filter-platform", target]))?;
        serde_json::from_str(&text).context("cargo's metadata cannot be read")
    };
    let bill = bill(&[read(host)?, read(TARGET)?]);
    let file = workspace.target("release/agent-keys.cdx.json");
    fs::write(&file, format!("{bill:#}\n"))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}

/// The bill over what the product needs on any of the targets.
fn bill(targets: &[Metadata]) -> Value {
    let (mut packages, mut edges) = (BTreeMap::new(), BTreeMap::new());
    for target in targets {
        let of_target: BTreeMap<_, _> = target.packages.iter().map(|one| (&one.id, one)).collect();
        let nodes: BTreeMap<_, _> = target
            .resolve
            .nodes
            .iter()
            .map(|one| (&one.id, one))
            .collect();
        let product = target.packages.iter().find(|one| is_product(one));
        let mut waiting: Vec<_> = product.map(|one| &one.id).into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            let (Some(package), Some(node)) = (of_target.get(id), nodes.get(id)) else {
                continue;
            };
            if !seen.insert(id) {
                continue;
            }
            packages.insert(reference(package), *package);
            let needed: &mut BTreeSet<_> = edges.entry(reference(package)).or_default();
            for dependency in node.deps.iter().filter(|one| is_normal(one)) {
                needed.extend(of_target.get(&dependency.pkg).map(|one| reference(one)));
                waiting.push(&dependency.pkg);
            }
        }
    }
    let product = packages.values().find(|one| is_product(one));
    let listed = packages.values().filter(|one| !is_product(one));
    let edges = edges.iter();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": product.map(|one| json!({
            "type": "application",
            "bom-ref": reference(one),
            "name": "agent-keys",
            "version": one.version,
        })) },
        "components": listed.map(|one| component(one)).collect::<Value>(),
        "dependencies": edges
            .map(|(package, needed)| json!({ "ref": package, "dependsOn": needed }))
            .collect::<Value>(),
    })
}

fn component(package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
    });
    if package.source.is_some() {
        component["purl"] = json!(reference(package));
    }
    if let Some(license) = &package.license {
        // The form with a slash is older than SPDX expressions.
        let expression = license.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// A package URL, by which scanners know the crate.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn is_product(package: &Package) -> bool {
    package.name == PRODUCT && package.source.is_none()
}

fn is_normal(dependency: &Dependency) -> bool {
    dependency.dep_kinds.iter().any(|one| one.kind.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(value: Value) -> Metadata {
        serde_json::from_value(value).unwrap()
    }

    fn package(name: &str, source: Option<&str>) -> Value {
        json!({
            "id": name, "name": name, "version": "1.2.3", "license": "MIT/Apache-2.0",
            "repository": null, "source": source,
        })
    }

    fn node(name: &str, needed: &[(&str, Option<&str>)]) -> Value {
        let deps = needed
            .iter()
            .map(|(pkg, kind)| json!({ "pkg": pkg, "dep_kinds": [{ "kind": kind }] }));
        json!({ "id": name, "deps": deps.collect::<Value>() })
    }

    #[test]
    fn bill_lists_what_the_product_needs_and_nothing_of_tests_and_build_scripts() {
        let host = metadata(json!({
            "packages": [
                package("server", None), package("app", None), package("axum", Some("registry")),
                package("tempfile", Some("registry")), package("cc", Some("registry")),
                package("unrelated", Some("registry")),
            ],
            "resolve": { "nodes": [
                node("server", &[("app", None), ("axum", None), ("tempfile", Some("dev"))]),
                node("app", &[("cc", Some("build"))]),
                node("axum", &[]), node("tempfile", &[]), node("cc", &[]), node("unrelated", &[]),
            ] },
        }));
        let browser = metadata(json!({
            "packages": [package("server", None), package("app", None), package("web-sys", Some("registry"))],
            "resolve": { "nodes": [
                node("server", &[("app", None)]), node("app", &[("web-sys", None)]), node("web-sys", &[]),
            ] },
        }));
        let bill = bill(&[host, browser]);
        let names: Vec<_> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["name"])
            .collect();
        assert_eq!(names, ["app", "axum", "web-sys"]);
        let axum = &bill["components"][1];
        assert_eq!(axum["purl"], "pkg:cargo/axum@1.2.3");
        assert_eq!(axum["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["metadata"]["component"]["name"], "agent-keys");
        let edges = bill["dependencies"].as_array().unwrap();
        let of_app = edges
            .iter()
            .find(|edge| edge["ref"] == "pkg:cargo/app@1.2.3")
            .unwrap();
        assert_eq!(of_app["dependsOn"], json!(["pkg:cargo/web-sys@1.2.3"]));
    }
}
