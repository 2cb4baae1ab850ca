//! The project's own tasks. `cargo xtask test` is what the continuous integration runs.

mod bench;
mod demo;
mod failure;
mod install;
mod licences;
mod process;
mod test;
mod totals;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Vereda's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test there is, installing what it lacks.
    Test,
    /// Measures every figure, and writes them to a JSON file.
    Bench(bench::Arguments),
    /// Plays a clinic in a box: a server, three devices, a network that fails.
    Demo(demo::Arguments),
    /// Compiles the core for the browser (wasm32-unknown-unknown).
    Wasm(wasm::Arguments),
    /// Checks every dependency's licence and source against deny.toml, without the network.
    Licences,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Test => test::run(),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Wasm(arguments) => wasm::run(&arguments),
        Task::Licences => licences::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Each step has said why above its summary, and the last line is the tests' totals.
        Err(Failure::Steps) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
