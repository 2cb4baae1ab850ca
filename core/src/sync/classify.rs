//! What a reply means. Total: every status and every failure of the transport has a verdict (INVARIANTS O2).

use crate::error::Code;
use crate::protocol::{Encoding, Problem};

/// Why no reply came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportError {
    /// No connection.
    Unreachable,
    /// Too slow.
    TimedOut,
    /// Cut in the middle.
    Cut,
    /// The certificate is not the one pinned.
    Untrusted,
    /// A redirect to another host.
    Redirected,
}

/// A reply as the transport gives it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a reply means for the request and its writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The body is a message of ours; whether it is one of our server's its signature says.
    Message,
    /// Try again later: the server is busy, broken or not there, or the reply came from somebody else.
    Retry {
        /// The stable code.
        code: &'static str,
    },
    /// Tokens are not taken: a person must enrol again or an administrator act. Nothing unsent is touched.
    Authenticate {
        /// The stable code.
        code: &'static str,
    },
    /// The device's scope changed: ask again with the scope unknown.
    ScopeLost,
    /// Too much at once.
    Split,
    /// The one write of the request has the number of another one at the server: this file is a copy.
    Reused,
    /// The server understands no part of the request.
    Reject {
        /// The stable code.
        code: &'static str,
    },
    /// This app must be updated before it can go on.
    Update,
}

/// Judges a reply.
pub fn classify(reply: &Result<Reply, TransportError>) -> Verdict {
    let reply = match reply {
        Err(TransportError::Untrusted) => {
            return Verdict::Retry {
                code: "server_key_mismatch",
            };
        }
        Err(TransportError::Redirected) => {
            return Verdict::Retry {
                code: "not_our_server",
            };
        }
        Err(_) => return Verdict::Retry { code: "no_contact" },
        Ok(reply) => reply,
    };
    let ours = Encoding::of_media_type(&reply.content_type) == Some(Encoding::Vereda);
    if ours && matches!(reply.status, 200 | 422) {
        return Verdict::Message;
    }
    // A portal or proxy may answer with any status; only our own problem documents say something of our writes.
    let Some(problem) = problem(reply) else {
        return match reply.status {
            429 | 503 => Verdict::Retry { code: "server_busy" },
            500..=599 if reply.status != 511 => Verdict::Retry {
                code: "server_failed",
            },
            413 => Verdict::Split,
            _ => Verdict::Retry {
                code: "not_our_server",
            },
        };
    };
    match reply.status {
        401 | 410 if problem.code == "device_revoked" => Verdict::Authenticate {
            code: "device_revoked",
        },
        401 | 410 => Verdict::Authenticate {
            code: "unauthenticated",
        },
        403 | 404 => Verdict::ScopeLost,
        413 => Verdict::Split,
        422 if problem.code == Code::Reused.as_str() => Verdict::Reused,
        400 | 415 | 422 => Verdict::Reject {
            code: "request_malformed",
        },
        426 => Verdict::Update,
        429 | 503 => Verdict::Retry { code: "server_busy" },
        _ => Verdict::Retry {
            code: "server_failed",
        },
    }
}

/// The problem document of a reply, if it is one of ours.
pub(crate) fn problem(reply: &Reply) -> Option<Problem> {
    let media_type = reply.content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(Problem::MEDIA_TYPE) {
        return None;
    }
    serde_json::from_slice(&reply.body).ok()
}
