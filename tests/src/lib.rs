//! What the whole-system tests share: a world of real engines and the real server in one process, under a network
//! and clocks the test moves.

mod in_process;
mod inspect;
mod network;
mod pages;
mod probe;
mod verified;
mod world;

pub use in_process::{InProcessServer, devices, devices_with};
pub use inspect::{LogPlace, Rows, open_file};
pub use network::{Fault, Faults};
pub use verified::Planted;
pub use world::{BEGIN_MS, World, at, note};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So are those of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/recipes.md")]
struct Recipes;

/// And compiled, that of the quick start.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/quick-start.md")]
struct QuickStart;
