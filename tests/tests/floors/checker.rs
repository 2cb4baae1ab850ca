//! The checker itself, on small made-up trees: each rule finds what it is for and leaves the rest alone.

use crate::source::{SourceFile, parse};
use crate::{architecture, rules};

fn tree(files: &[(&str, &str)]) -> Vec<SourceFile> {
    parse(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    )
}

#[test]
fn an_import_from_a_floor_above_is_found_however_it_is_written() {
    let found = rules::upward_imports(&tree(&[
        ("store/rows.rs", "use crate::engine::Step;"),
        (
            "store/mod.rs",
            "use crate::{\n    id::PatientId,\n    sync::{Cursor, client},\n};",
        ),
        ("record.rs", "fn f() { matches!(x, crate::store::Row { .. }) }"),
        ("document/gate.rs", "use super::super::store::Row;"),
        ("limits.rs", "mod inner { pub use super::super::engine::Step; }"),
        ("time.rs", "pub use super::record::Entry;"),
    ]));
    assert_eq!(
        found,
        [
            "store/rows.rs:1: `store` (floor 3) uses `engine` (floor 5)",
            "store/mod.rs:3: `store` (floor 3) uses `sync` (floor 4)",
            "record.rs:1: `record` (floor 1) uses `store` (floor 3)",
            "document/gate.rs:1: `document` (floor 2) uses `store` (floor 3)",
            "limits.rs:1: `limits` (floor 1) uses `engine` (floor 5)",
            "time.rs:1: `time` (floor 0) uses `record` (floor 1)",
        ]
    );
}

#[test]
fn imports_of_the_own_floor_and_below_comments_strings_and_tests_are_no_finding() {
    let found = rules::upward_imports(&tree(&[
        ("lib.rs", "pub mod engine; pub use crate::engine::Step;"),
        (
            "engine/step.rs",
            "use crate::{store::Row, time::Now}; use super::effect::Effect; pub(crate) struct A;",
        ),
        ("outbox.rs", "use crate::sync::Cursor; crate::branded!(Id);"),
        (
            "store.rs",
            "// use crate::engine::Step;\nconst S: &str = \"crate::engine\";",
        ),
        ("slot.rs", "#[cfg(test)] mod tests { use crate::engine::Step; }"),
        ("document/mod.rs", "#[cfg(test)] mod tests;\nmod gate;"),
        ("document/tests.rs", "use crate::engine::Step;"),
    ]));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_module_without_a_floor_and_a_name_that_hides_its_floor_are_found() {
    let found = rules::upward_imports(&tree(&[
        ("wormhole/mod.rs", "pub struct A;"),
        ("store.rs", "use crate::Engine;"),
    ]));
    assert_eq!(
        found,
        [
            "wormhole/mod.rs: give it a floor: `wormhole` is not in the table of floors",
            "store.rs:1: `crate::Engine` hides its floor: name the module it comes from",
        ]
    );
}

#[test]
fn a_condition_on_the_target_is_found_outside_platform() {
    let found = rules::platform_differences(&tree(&[
        (
            "lib.rs",
            "#[cfg(feature = \"native\")]\npub mod platform;\n#[cfg(feature = \"native\")]\npub mod sync;",
        ),
        ("platform/native.rs", "#[cfg(target_os = \"ios\")] fn f() {}"),
        ("store.rs", "fn f() { if cfg!(target_arch = \"wasm32\") {} }"),
        (
            "time.rs",
            "#[cfg(all(test, feature = \"testing\"))] fn f() {}\n#[cfg_attr(not(unix), inline)] fn g() {}",
        ),
    ]));
    let rule = "only platform/ may depend on the target or on the feature `native`";
    assert_eq!(
        found,
        [
            format!("lib.rs:3: {rule}"),
            format!("store.rs:1: {rule}"),
            format!("time.rs:2: {rule}")
        ]
    );
}

#[test]
fn a_clock_is_found_outside_platform_also_in_tests() {
    let found = rules::clocks(&tree(&[
        (
            "time.rs",
            "#[cfg(test)] mod tests { fn f() { std::time::Instant::now(); } }",
        ),
        (
            "sync/pace.rs",
            "// SystemTime::now()\nfn f() { let now = SystemTime::now(); }",
        ),
        ("platform/native.rs", "fn f() { SystemTime::now(); }"),
    ]));
    assert_eq!(
        found,
        [
            "time.rs:1: only platform/ may read a clock",
            "sync/pace.rs:2: only platform/ may read a clock"
        ]
    );
}

#[test]
fn a_bare_unwrap_is_found_where_it_ships() {
    let found = rules::bare_unwraps(&tree(&[
        (
            "id.rs",
            "fn f() { g()\n    .unwrap(); h().expect(\"why\"); k().unwrap_or(1); }",
        ),
        ("time.rs", "#[cfg(test)] mod tests { fn f() { g().unwrap(); } }"),
        (
            "slot.rs",
            "#[cfg(test)]\nfn only_for_tests() { g().unwrap(); }\nfn f() { vec![g().unwrap()]; }",
        ),
    ]));
    assert_eq!(found, ["id.rs:2: a bare unwrap", "slot.rs:3: a bare unwrap"]);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    let found = rules::empty_names(&tree(&[
        ("store/utils.rs", ""),
        ("common/mod.rs", ""),
        ("store/misconduct.rs", ""),
    ]));
    assert_eq!(
        found,
        [
            "store/utils.rs: name it after the concept it holds",
            "common/mod.rs: name it after the concept it holds"
        ]
    );
}

#[test]
fn a_drawing_that_does_not_match_the_floors_is_found() {
    let page = "| floor | modules | what |\n|---|---|---|\n| 0 | `id` `engine` | words |\n| 7 | `platform/{native,web}` | host |";
    let rows = architecture::rows(page);
    let found = architecture::disagreements(&rows, &["engine", "id", "store"], crate::table::floor_of);
    assert_eq!(
        found,
        [
            "ARCHITECTURE.md draws `engine` on floor 0",
            "ARCHITECTURE.md draws `platform`, which does not exist",
            "ARCHITECTURE.md does not draw `store`",
        ]
    );
}
