//! `cargo xtask test`: every check there is, one after the other, all of them even when one fails.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::totals::Totals;
use crate::{install, licences, process, wasm, workspace};

enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(Failure),
}

struct Step {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// Runs every step, prints a line for each, and as the very last line the tests' own totals.
pub(crate) fn run() -> Result<(), Failure> {
    install::ensure(install::FOR_TESTS)?;
    let mut totals = Totals::default();
    let steps = [
        step("format", format),
        step("lints", lints),
        step("tests", || tests(&mut totals)),
        step("wasm", || passed_if(wasm::run(&wasm::Arguments::default()))),
        step("licences", || passed_if(licences::run())),
    ];
    println!();
    for step in &steps {
        println!("{}", summary(step));
    }
    println!("{totals}");
    if steps
        .iter()
        .any(|step| matches!(step.outcome, Outcome::Failed(_)))
    {
        Err(Failure::Steps)
    } else {
        Ok(())
    }
}

fn format() -> Outcome {
    if !has_component("fmt") {
        return Outcome::Skipped("rustfmt is not installed (rustup component add rustfmt)");
    }
    passed_if(process::run(&mut in_workspace(&["fmt", "--all", "--check"])))
}

fn lints() -> Outcome {
    if !has_component("clippy") {
        return Outcome::Skipped("clippy is not installed (rustup component add clippy)");
    }
    let clippy = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    passed_if(process::run(&mut in_workspace(&clippy)))
}

fn tests(totals: &mut Totals) -> Outcome {
    let mut cargo = in_workspace(&["test", "--locked", "--workspace", "--no-fail-fast"]);
    passed_if(process::run_watched(&mut cargo, |line| totals.add_line(line)))
}

fn has_component(subcommand: &str) -> bool {
    process::answer(process::cargo().args([subcommand, "--version"])).is_some()
}

fn in_workspace(arguments: &[&str]) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(workspace::root()).args(arguments);
    cargo
}

fn passed_if(result: Result<(), Failure>) -> Outcome {
    result.map_or_else(Outcome::Failed, |()| Outcome::Passed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is for the reader; nothing is decided by it"
)]
fn step(name: &'static str, work: impl FnOnce() -> Outcome) -> Step {
    let started = Instant::now();
    let outcome = work();
    if let Outcome::Failed(failure) = &outcome {
        eprintln!("error: {failure}");
    }
    Step {
        name,
        outcome,
        took: started.elapsed(),
    }
}

fn summary(step: &Step) -> String {
    let (word, reason) = match &step.outcome {
        Outcome::Passed => ("passed", String::new()),
        Outcome::Skipped(reason) => ("skipped", format!("  {reason}")),
        Outcome::Failed(failure) => ("FAILED", format!("  {}", failure.to_string().replace('\n', " "))),
    };
    format!(
        "{:<10} {word:<8} {:>7.1} s{reason}",
        step.name,
        step.took.as_secs_f64()
    )
}
