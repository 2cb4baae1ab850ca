//! What the whole-system tests share: a world of real engines and the real server in one process, under a network
//! and clocks the test moves.

mod in_process;
mod network;
mod probe;
mod world;

pub use in_process::InProcessServer;
pub use network::{Fault, Faults};
pub use world::{World, at, note};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
