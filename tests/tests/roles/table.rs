//! The table of docs/roles.md, as the tests believe it.

use vereda_core::record::Compartment;
use vereda_server::{Activity, Duty, Role};

/// The page.
const PAGE: &str = include_str!("../../../docs/roles.md");

/// What a cell says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// `—`
    No,
    /// `reads`, `writes`, `yes`
    Yes,
    /// `granted`
    Granted,
}

/// The cell of a role and a column.
pub(crate) fn cell(role: Role, column: &str) -> Cell {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let place = rows[0].iter().position(|name| *name == column).expect("a column");
    let row = rows.iter().find(|row| row[0] == role.name()).expect("a row");
    match row[place] {
        "—" => Cell::No,
        "granted" => Cell::Granted,
        "reads" | "writes" | "yes" => Cell::Yes,
        other => panic!("a cell says {other}"),
    }
}

/// Compartments with a column.
pub(crate) const COMPARTMENTS: [Compartment; 4] = [
    Compartment::Identity,
    Compartment::Clinical,
    Compartment::Sensitive,
    Compartment::Agenda,
];

#[test]
fn the_page_shows_the_table_of_the_code() {
    let columns = COMPARTMENTS
        .map(Compartment::name)
        .into_iter()
        .chain(Activity::ALL.map(Activity::name))
        .chain(Duty::ALL.map(Duty::name));
    let mut lines = vec![format!("| role | {} |", columns.collect::<Vec<_>>().join(" | "))];
    for role in Role::ALL {
        let rights = role.rights();
        let word = |holds: bool, word: &'static str| if holds { word } else { "—" };
        let mut cells = vec![role.name()];
        cells.extend(
            COMPARTMENTS.map(|compartment| match rights.grants.contains(&compartment) {
                true => "granted",
                false => word(rights.reads.contains(&compartment), "reads"),
            }),
        );
        cells.extend(Activity::ALL.map(|activity| word(rights.writes.contains(&activity), "writes")));
        cells.extend(Duty::ALL.map(|duty| word(rights.duties.contains(&duty), "yes")));
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    for line in lines {
        assert!(PAGE.contains(&line), "docs/roles.md lacks: {line}");
    }
    let rows = PAGE.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, 1 + Role::ALL.len(), "a row of docs/roles.md is nobody's");
}
