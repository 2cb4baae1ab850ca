//! A request and its answer, without a socket.

use crate::access::bearer;
use std::net::IpAddr;
use vereda_core::protocol::CorrelationId;
use vereda_core::time::EpochMs;

/// The server's time. Passed in, never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerNow {
    /// Milliseconds since 1970.
    pub ms: EpochMs,
}

/// What the protocol reads of an HTTP request.
#[derive(Clone, Default)]
pub struct HttpRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// Without the query, which the protocol never uses.
    pub path: String,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// Where it comes from.
    pub address: Option<IpAddr>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// Names it in the logs of both sides.
    pub fn correlation(&self) -> CorrelationId {
        CorrelationId::of(bearer(self.authorization.as_deref()).as_deref(), &self.body)
    }
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// Found again in the logs of both sides; part of a problem's body.
    pub correlation: CorrelationId,
    /// The body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("correlation", &self.correlation)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
