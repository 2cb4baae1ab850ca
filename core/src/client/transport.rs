//! What the host provides: a way to send, and clocks.

use crate::engine::HttpRequest;
use crate::sync::{Reply, TransportError};
use crate::time::Now;
use std::future::Future;
use std::pin::Pin;

/// A reply on its way.
pub type TransportFuture = Pin<Box<dyn Future<Output = Result<Reply, TransportError>> + Send>>;

/// Sends requests. Runs off the owner's thread; may fail in any way.
pub trait Transport: Send + Sync {
    /// Sends one request and brings its reply, within `limits::REQUEST_TIMEOUT_MS`.
    fn send(&self, request: HttpRequest) -> TransportFuture;
}

/// Reads the clocks.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Now;
}
