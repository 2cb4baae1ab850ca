//! Placeholder while the floors are laid.
fn main() {}
