//! The floors of the core: a module uses only its own floor and those below.

/// Each floor's modules, from the ground up. A new top-level module of `core/src` is entered here and in
/// ARCHITECTURE.md.
pub(crate) const FLOORS: [&[&str]; 8] = [
    &["bytes", "id", "time", "entropy", "error", "redact"],
    &["record", "protocol", "limits"],
    &["document", "slot"],
    &["store"],
    &[
        "step",
        "device",
        "reference",
        "replica",
        "outbox",
        "sync",
        "audit",
        "booking",
    ],
    &["engine"],
    &["client", "api"],
    &["platform", "testing"],
];

/// The floor of a top-level module, if it has one.
pub(crate) fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}
