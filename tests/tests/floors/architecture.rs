//! ARCHITECTURE.md draws the floors for people; this reads its table back.

/// One row of the table: the floor, and the modules it names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) floor: usize,
    pub(crate) modules: Vec<String>,
}

/// The rows of the first table whose first column is a floor's number: `| 0 | \`id\` \`time\` | what |`.
pub(crate) fn rows(markdown: &str) -> Vec<Row> {
    let numbered = markdown.lines().filter_map(|line| {
        let mut columns = line.trim().strip_prefix('|')?.split('|');
        let floor = columns.next()?.trim().parse().ok()?;
        Some(Row {
            floor,
            modules: modules(columns.next()?),
        })
    });
    numbered.collect()
}

/// The words between backticks; `platform/{native,web}` is the module `platform`.
fn modules(column: &str) -> Vec<String> {
    let quoted = column.split('`').skip(1).step_by(2);
    let name = |words: &str| {
        words
            .split(['/', ':', '{'])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    quoted.map(name).filter(|name| !name.is_empty()).collect()
}

/// Where the drawing and the table of floors, or the drawing and the modules that exist, do not agree.
pub(crate) fn disagreements(
    rows: &[Row],
    existing: &[&str],
    floor_of: impl Fn(&str) -> Option<usize>,
) -> Vec<String> {
    let mut broken = Vec::new();
    for row in rows {
        for module in &row.modules {
            if !existing.contains(&module.as_str()) {
                broken.push(format!("ARCHITECTURE.md draws `{module}`, which does not exist"));
            } else if floor_of(module) != Some(row.floor) {
                broken.push(format!("ARCHITECTURE.md draws `{module}` on floor {}", row.floor));
            }
        }
    }
    for module in existing {
        if !rows
            .iter()
            .any(|row| row.modules.iter().any(|drawn| drawn == module))
        {
            broken.push(format!("ARCHITECTURE.md does not draw `{module}`"));
        }
    }
    broken
}
