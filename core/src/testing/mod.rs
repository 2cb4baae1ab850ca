//! For tests, ours and apps': a device whose clock the test moves, whose network the test is, and which can be
//! crashed after any step. Everything runs on the caller's thread, so a run repeats from its seed.

mod clock;
mod device;
mod entropy;

pub use clock::TestClock;
pub use device::{Crashed, Network, TestDevice};
pub use entropy::SeededEntropy;
