//! What differs between hosts, and nothing else: clocks, randomness, HTTP, the owner's thread.

#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub mod native;
