//! The clock and the operating system's randomness: nothing else in the server reads them.

use crate::exchange::ServerNow;
use ring::rand::{SecureRandom, SystemRandom};
use vereda_core::entropy::Entropy;

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        // A key or token drawn from nothing would be worse than an end.
        if SystemRandom::new().fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// The server's time.
pub fn server_now() -> ServerNow {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the server's clock is read"
    )]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    ServerNow {
        ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
    }
}

/// Lets a panic say where it happened and not with what: its message may hold a patient's data. For programs; the
/// server itself catches what panics inside a request.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a panic");
    }));
}
