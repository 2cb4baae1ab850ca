//! What comes into the engine, and what the host carries out for it.

use super::{Command, DigestWaiter, Status};
use crate::error::Code;
use crate::id::DocumentId;
use crate::protocol::{CorrelationId, Credential};
use crate::step::Changes;
use crate::sync::{Reply, TransportError};

/// How a round of synchronising ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SyncReport {
    /// Everything is sent and read.
    Done,
    /// Not now.
    AgainLater {
        /// Since boot.
        at_boot_ms: u64,
        /// Why, as a stable code; none where only the time was up.
        code: Option<String>,
    },
    /// Something waits for a person: the drawer, a parked write, tokens.
    NeedsPerson {
        /// What.
        code: Code,
    },
}

/// Who waits for a round of synchronising.
pub struct Waiter {
    /// How long, since boot: then the answer is `AgainLater`, and what is under way goes on without a further request.
    pub until_boot_ms: u64,
    /// Takes the answer.
    pub reply: Box<dyn FnOnce(SyncReport) + Send>,
}

/// What comes in.
pub enum Event {
    /// Somebody wants something of the store.
    Command(Box<dyn Command>),
    /// Somebody wants to know how it stands.
    Status(Box<dyn FnOnce(Status) + Send>),
    /// Somebody wants a round of synchronising now.
    SyncNow(Waiter),
    /// Somebody wants to know now whether what is here is what the server has.
    Digest(DigestWaiter),
    /// The network or the screen came back.
    Hint,
    /// The server has something new.
    Poke,
    /// The time asked for with `WakeAt` has come.
    Wake,
    /// A request ended.
    HttpDone {
        /// Which.
        id: u64,
        /// How.
        reply: Result<Reply, TransportError>,
    },
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Command(_) => "Command",
            Self::Status(_) => "Status",
            Self::SyncNow(_) => "SyncNow",
            Self::Digest(_) => "Digest",
            Self::Hint => "Hint",
            Self::Poke => "Poke",
            Self::Wake => "Wake",
            Self::HttpDone { .. } => "HttpDone",
        })
    }
}

/// A request for the transport.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// `https://host[:port]`.
    pub server: String,
    /// SHA-256 of the authority the TLS chain must end in; none behind a public one.
    pub authority: Option<[u8; 32]>,
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// Goes into `Authorization: Bearer` as base64url.
    pub bearer: Option<Credential>,
    /// The body's media type, and the one asked for.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// Names it in the logs of both sides.
    pub fn correlation(&self) -> CorrelationId {
        CorrelationId::of(self.bearer.as_ref().map(|bearer| bearer.0.as_slice()), &self.body)
    }
}

/// What may be logged: numbers and codes, by type.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LogEvent {
    /// A request went out.
    Asked {
        /// Names it in the server's log too.
        correlation: CorrelationId,
        /// Writes in it.
        writes: usize,
        /// Bytes of its body.
        bytes: usize,
    },
    /// An answer came.
    Answered {
        /// The request's.
        correlation: CorrelationId,
        /// Log items in it.
        items: usize,
        /// Bytes of its body.
        bytes: usize,
    },
    /// A request failed.
    RequestFailed {
        /// The request's.
        correlation: CorrelationId,
        /// The stable code.
        code: String,
        /// Failures in a row.
        failures: u32,
    },
    /// Something failed that nobody waits for.
    Failed(Code),
    /// A damaged document was set aside.
    DocumentSetAside(DocumentId),
    /// What is here is not what the server has.
    Differs {
        /// Documents and records that differed.
        found: u64,
        /// Those that still do.
        standing: u64,
    },
    /// This file turned out to be a copy of one that went on elsewhere.
    Forked,
}

/// What the host does.
pub enum Effect {
    /// Call it, not on the owner's thread if it runs foreign code.
    Reply(Box<dyn FnOnce() + Send>),
    /// Send it, and bring `HttpDone`.
    Http {
        /// To be given back.
        id: u64,
        /// What to send.
        request: HttpRequest,
    },
    /// Bring `Wake` at this time since boot, unless something else comes first.
    WakeAt {
        /// Since boot.
        boot_ms: u64,
    },
    /// Call `continue_pending` when no command waits.
    Continue,
    /// Tell who watches.
    Changed(Changes),
    /// How far an answer is applied.
    Progress {
        /// Items applied.
        applied: usize,
        /// Items in all.
        total: usize,
    },
    /// Log it.
    Log(LogEvent),
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(_) => f.write_str("Reply"),
            Self::Http { id, .. } => write!(f, "Http({id})"),
            Self::WakeAt { boot_ms } => write!(f, "WakeAt({boot_ms})"),
            Self::Continue => f.write_str("Continue"),
            Self::Changed(changes) => write!(f, "{changes:?}"),
            Self::Progress { applied, total } => write!(f, "Progress({applied}/{total})"),
            Self::Log(event) => write!(f, "{event:?}"),
        }
    }
}
