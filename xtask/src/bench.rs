//! `cargo xtask bench`: every figure, each beside a floor measured in the same run, as a table and as a JSON file.

use std::fs;
use std::process::Command;

use clap::Args;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::install;
use crate::{process, workspace};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Leaves what is measured with 1,000,000 entries out.
    #[arg(long)]
    quick: bool,
}

/// Builds the program in release and runs each figure in a process of its own.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    install::ensure(install::FOR_TESTS)?;
    process::run(process::cargo().current_dir(workspace::root()).args([
        "build",
        "--release",
        "-p",
        "vereda-bench",
    ]))?;
    let target = workspace::target_folder()?;
    let program = target.join("release/vereda-bench");
    let mut parts = vec![
        vec!["writes"],
        vec!["import"],
        vec!["read", "--entries", "100000"],
        vec!["opening"],
        vec!["wire"],
        vec!["gate"],
        vec!["busy"],
        vec!["first-sync", "--entries", "100000"],
        vec!["first-sync", "--entries", "100000", "--http"],
    ];
    if !arguments.quick {
        parts.push(vec!["read", "--entries", "1000000"]);
        parts.push(vec!["stats"]);
        parts.push(vec!["first-sync", "--entries", "1000000"]);
    }
    let mut figures = Vec::new();
    for part in parts {
        process::run_watched(Command::new(&program).args(part), |line| {
            figures.extend(
                serde_json::from_str::<Value>(line)
                    .ok()
                    .filter(|line| line.get("figure").is_some()),
            );
        })?;
    }
    figures.push(syncs_per_write(&program)?);
    println!(
        "\n{:<70} {:>12} {:<10} {:>14} {:>8} {:>5}",
        "figure", "value", "unit", "goal", "× floor", "met"
    );
    for figure in &figures {
        let text = |name: &str| match &figure[name] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            Value::Bool(met) => if *met { "yes" } else { "NO" }.to_owned(),
            other => other.to_string(),
        };
        println!(
            "{:<70} {:>12} {:<10} {:>14} {:>8} {:>5}",
            text("figure"),
            text("value"),
            text("unit"),
            text("goal"),
            text("ratio_to_floor"),
            text("met")
        );
    }
    let file = target.join("bench.json");
    fs::write(&file, format!("{:#}\n", json!({ "figures": figures }))).map_err(|error| {
        Failure::Unreadable {
            path: file.display().to_string(),
            reason: error.to_string(),
        }
    })?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

/// Counts the calls that flush to the disk, of two sizes: what one more write adds.
fn syncs_per_write(program: &std::path::Path) -> Result<Value, Failure> {
    const SIZES: [u32; 2] = [200, 600];
    let mut counts = Vec::new();
    for size in SIZES {
        let log = std::env::temp_dir().join(format!("vereda-syncs-{}-{size}", std::process::id()));
        let mut command = Command::new("strace");
        command
            .args(["-f", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(&log);
        process::run(
            command
                .arg(program)
                .args(["only-writes", "--count", &size.to_string()]),
        )?;
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        counts.push(
            calls
                .lines()
                .filter(|line| line.contains("sync(") && !line.contains("resumed"))
                .count(),
        );
    }
    let per_write = (counts[1] as f64 - counts[0] as f64) / f64::from(SIZES[1] - SIZES[0]);
    Ok(json!({
        "figure": "flushes to disk per local write, checkpoints included",
        "value": per_write,
        "unit": "calls",
        "goal": "1 besides checkpoints",
        "met": per_write < 1.1,
        "floor": Value::Null,
        "ratio_to_floor": Value::Null,
    }))
}
