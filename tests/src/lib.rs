//! What the whole-system tests share: a world of real engines and the real server in one process, under a network
//! and clocks the test moves.

mod network;
mod world;

pub use network::{Fault, Faults};
pub use world::{World, at, note};
