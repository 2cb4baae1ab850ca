//! `cargo xtask wasm`: the core compiles for the browser, its C included.
//!
//! `cargo check` is enough: build scripts run, so SQLCipher's C is compiled for wasm32 too. The ordinary way is
//! rustup's target. Where rustup can fetch none, Debian's compiler builds the standard library from its sources.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::failure::Failure;
use crate::{install, process, workspace};

const TARGET: &str = "wasm32-unknown-unknown";

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Which compiler to use; without it rustup's target, and Debian's compiler where that cannot be had.
    #[arg(long, value_enum)]
    compiler: Option<Compiler>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compiler {
    /// The toolchain in use, with the target's standard library.
    Rustup,
    /// /usr/bin/rustc of the package rustc-web, which builds the standard library.
    Debian,
}

/// Checks that the core compiles for the browser, installing what that needs.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    install::ensure(install::FOR_WASM)?;
    let compiler = match arguments.compiler {
        Some(compiler) => compiler,
        None if rustup_target_is_ready() => Compiler::Rustup,
        None => Compiler::Debian,
    };
    // Another compiler version or profile in the shared folder would rebuild everybody's dependencies.
    let target_folder = workspace::target_folder()?.join("wasm");
    match compiler {
        Compiler::Rustup => process::run(&mut check(process::cargo(), &target_folder.join("rustup"))),
        Compiler::Debian => {
            install::ensure(install::FOR_WASM_BY_DEBIAN)?;
            process::run(
                check(Command::new("/usr/bin/cargo"), &target_folder.join("debian"))
                    .arg("-Zbuild-std=std,panic_abort")
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    // Cargo put the other toolchain's libraries there when it started this task.
                    .env_remove("LD_LIBRARY_PATH"),
            )
        }
    }
}

fn check(mut cargo: Command, target_folder: &Path) -> Command {
    cargo
        .current_dir(workspace::root())
        .args([
            "check",
            "--locked",
            "--package",
            "vereda-core",
            "--no-default-features",
            "--target",
            TARGET,
        ])
        // Nobody runs what is built here: optimising SQLCipher's C would only take minutes.
        .args(["--config", r#"profile.dev.package."*".opt-level=0"#])
        .env("CARGO_TARGET_DIR", target_folder);
    cargo
}

/// Is the target's standard library there, or can rustup fetch it?
fn rustup_target_is_ready() -> bool {
    target_library_is_present() || {
        let mut add = Command::new("rustup");
        add.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "1");
        process::answer(&mut add).is_some() && target_library_is_present()
    }
}

fn target_library_is_present() -> bool {
    let mut ask = Command::new("rustc");
    process::answer(ask.args(["--print", "target-libdir", "--target", TARGET]))
        .is_some_and(|folder| Path::new(&folder).is_dir())
}
