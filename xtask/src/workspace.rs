//! Where the workspace and its build folder are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;
use crate::process;

/// The folder of the workspace's Cargo.toml.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The folder cargo builds into, whatever the environment or a configuration file made of it.
pub(crate) fn target_folder() -> Result<PathBuf, Failure> {
    let described = metadata(&["--no-deps"])?;
    match described["target_directory"].as_str() {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Err(unreadable("cargo metadata names no target_directory")),
    }
}

/// What `cargo metadata` says of the workspace.
pub(crate) fn metadata(arguments: &[&str]) -> Result<Value, Failure> {
    let mut command = process::cargo();
    command
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments);
    let printed = process::answer(&mut command)
        .ok_or_else(|| unreadable("cargo metadata failed; is Cargo.lock current?"))?;
    serde_json::from_str(&printed).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(reason: &str) -> Failure {
    Failure::Unreadable {
        path: root().join("Cargo.toml").display().to_string(),
        reason: reason.to_owned(),
    }
}
