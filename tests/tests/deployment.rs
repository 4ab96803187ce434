//! What people deploy with: `compose.yaml` and what it loads, the unit of systemd, the image.

#[path = "deployment/compose.rs"]
mod compose;
#[path = "deployment/systemd.rs"]
mod systemd;

use std::{fs, path::Path};

use anyhow::Context;

/// A file of the checkout.
fn file(name: &str) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}
