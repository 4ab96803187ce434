//! What the compiler does not check by itself: that parts stand alone, and who may know whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::{codegen, workspace};

/// Which crates of ours a crate may depend on, outside its tests.
const EDGES: [(&str, &[&str]); 7] = [
    ("groovebase-domain", &[]),
    ("groovebase-migration", &[]),
    ("groovebase-storage", &["groovebase-domain"]),
    ("groovebase-cache", &["groovebase-domain"]),
    (
        "groovebase-api",
        &["groovebase-cache", "groovebase-domain", "groovebase-migration", "groovebase-storage"],
    ),
    (
        "xtask",
        &["groovebase-api", "groovebase-domain", "groovebase-migration", "groovebase-storage"],
    ),
    (
        "groovebase-tests",
        &[
            "groovebase-api",
            "groovebase-cache",
            "groovebase-domain",
            "groovebase-migration",
            "groovebase-storage",
            "xtask",
        ],
    ),
];

/// Which crates of ours may depend on somebody else's that belongs to one layer.
const LAYERS: [(&str, &[&str]); 7] = [
    ("sea-orm", &["groovebase-storage", "groovebase-tests"]),
    ("sea-orm-migration", &["groovebase-migration"]),
    // An example of `xtask` has it as well, the limit of `cargo xtask bench`: a dependency of tests and examples alone,
    // which are not looked at.
    ("actix-web", &["groovebase-api", "groovebase-tests"]),
    ("utoipa", &["groovebase-api"]),
    ("moka", &["groovebase-cache"]),
    ("deadpool", &["groovebase-cache"]),
    // The tests break servers, for which they speak to them.
    ("deadpool-redis", &["groovebase-cache", "groovebase-tests"]),
];

/// Builds that must stand alone.
const ALONE: [&[&str]; 8] = [
    &["-p", "groovebase-domain"],
    &["-p", "groovebase-migration"],
    &["-p", "groovebase-cache"],
    &["-p", "groovebase-cache", "--no-default-features"],
    &["-p", "groovebase-storage"],
    &["-p", "groovebase-storage", "--no-default-features", "--features", "sqlite"],
    &["-p", "groovebase-storage", "--no-default-features", "--features", "postgres"],
    &["-p", "groovebase-api"],
];

/// Check the layers, build each crate and each feature alone, and compare the generated files.
#[derive(clap::Args)]
pub(crate) struct Task {}

impl Task {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {} = self;
        layers()?;
        for arguments in ALONE {
            let mut check = workspace::cargo(["clippy", "--quiet", "--locked"]);
            check.args(arguments).args(["--", "-D", "warnings"]);
            workspace::run(check)?;
        }
        codegen::check()?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

fn layers() -> anyhow::Result<()> {
    let output = workspace::cargo(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cannot ask cargo for the packages")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;

    let edges = BTreeMap::from(EDGES);
    let ours: BTreeSet<&str> = edges.keys().copied().collect();
    for package in &metadata.packages {
        let allowed = edges
            .get(package.name.as_str())
            .with_context(|| format!("{} has no place in the layers", package.name))?;
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none())
        {
            let name = dependency.name.as_str();
            ensure!(
                !ours.contains(name) || allowed.contains(&name),
                "{} must not depend on {name}",
                package.name
            );
            let guarded = LAYERS.iter().find(|(layer, _)| *layer == name);
            ensure!(
                guarded.is_none_or(|(_, users)| users.contains(&package.name.as_str())),
                "{name} must not be used in {}",
                package.name
            );
        }
    }
    Ok(())
}
