//! `cargo xtask demo`: builds the real programs and plays the demonstration with them.

use std::process::Command;

use crate::failure::Failure;
use crate::{install, process, workspace};

/// What is handed to the demonstration; `cargo xtask demo -- --help` lists it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `--fhir PATH`, `--patients N`, `--seed N`, `--json`, `--headless`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and plays.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    install::ensure(install::FOR_BUILDING)?;
    let mut build = process::cargo();
    build
        .current_dir(workspace::root())
        .args(["build", "--locked", "-p", "vereda-cli", "-p", "vereda-demo"]);
    process::run(&mut build)?;
    let program = workspace::target_folder()?.join("debug").join("vereda-demo");
    process::run(Command::new(program).args(&arguments.arguments))
}
