//! The shape of the sources: floors, platform differences, clocks, unwraps, names.
//!
//! The compiler cannot refuse an import from a floor above; this reads the sources as tokens and does.

mod architecture;
mod checker;
mod rules;
mod source;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::source::{SourceFile, read_tree};

/// Fails with one line for each place that breaks a rule.
fn holds(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn core() -> Vec<SourceFile> {
    read_tree(&repository().join("core/src"))
}

/// The library's and the server's own sources.
fn shipped() -> Vec<SourceFile> {
    ["core/src", "core/fhir/src", "server/src"]
        .iter()
        .flat_map(|folder| read_tree(&repository().join(folder)))
        .collect()
}

#[test]
fn a_floor_uses_only_floors_below_it() {
    holds(&rules::upward_imports(&core()));
}

#[test]
fn only_platform_differs_between_targets() {
    holds(&rules::platform_differences(&core()));
}

#[test]
fn only_platform_reads_a_clock() {
    holds(&rules::clocks(&core()));
}

#[test]
fn nothing_shipped_unwraps_without_a_word() {
    holds(&rules::bare_unwraps(&shipped()));
}

#[test]
fn every_file_is_named_after_a_concept() {
    holds(&rules::empty_names(&shipped()));
}

#[test]
fn the_architecture_page_draws_the_floors_that_exist() {
    let page = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("the page is there");
    let files = core();
    let existing: BTreeSet<&str> = files.iter().filter_map(SourceFile::top_module).collect();
    let existing: Vec<&str> = existing.into_iter().collect();
    let rows = architecture::rows(&page);
    holds(&architecture::disagreements(&rows, &existing, table::floor_of));
}
