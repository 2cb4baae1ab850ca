//! Requests in, answers out.

use crate::access;
use crate::digest;
use crate::documents;
use crate::enrol;
use crate::exchange::{HttpRequest, HttpResponse, ServerNow};
use crate::find;
use crate::key_file::ServerKeys;
use crate::refusal::Refusal;
use crate::segments::{self, SegmentCache};
use crate::snapshot;
use crate::store::{QuarantineDecision, QuarantineRow, ServerStore};
use crate::sync;
use crate::throttle::{Limits, Side, Throttle};
use crate::token::TokenKey;
use crate::writer::{Job, Session, Writer, lock};
use ed25519_dalek::SigningKey;
use serde::de::DeserializeOwned;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tokio::sync::broadcast;
use vereda_core::entropy::Entropy;
use vereda_core::error::{Code, SyncError};
use vereda_core::id::{Incarnation, UserId};
use vereda_core::limits::{BODY_WIRE_BYTES_MAX, SEGMENTS_FROM_BYTES};
use vereda_core::protocol::{
    DigestAnswer, DigestRequest, DocumentsAnswer, DocumentsRequest, Encoding, EnrolAnswer, EnrolRequest,
    FindAnswer, FindRequest, PATH_DIGEST, PATH_DOCUMENTS, PATH_ENROL, PATH_FIND, PATH_SEGMENT, PATH_SEGMENTS,
    PATH_SNAPSHOT, PATH_SYNC, PATH_TAIL, Problem, SEGMENT_MEDIA_TYPE, SegmentRequest, SegmentsAnswer,
    SegmentsRequest, SnapshotAnswer, SnapshotRequest, SyncAnswer, SyncRequest, TailAnswer, TailRequest,
    decode_body, encode_body,
};
use vereda_core::record::{KindRegistry, Stream};
use vereda_core::time::EpochMs;

/// Pokes kept for a listener that reads slowly; past it, it pulls everything.
const POKES_KEPT_MAX: usize = 1_024;

/// A stream grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poke {
    /// The stream.
    pub stream: Stream,
    /// The end of its log.
    pub seq: u64,
}

/// What can be set.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerOptions {
    /// How many requests one side may make.
    pub limits: Limits,
    /// Bytes of a log from which on it is offered as segments; `limits::SEGMENTS_FROM_BYTES` where 0.
    pub segments_from_bytes: u64,
}

/// What every job may look at.
pub(crate) struct Shared {
    pub(crate) token_key: TokenKey,
    pub(crate) signing_key: SigningKey,
    pub(crate) kinds: KindRegistry,
    pub(crate) segments: Mutex<SegmentCache>,
    pub(crate) segments_from_bytes: u64,
    throttle: Mutex<Throttle>,
    pokes: broadcast::Sender<Poke>,
    /// Rises when somebody else wrote to the store: an administrator may have changed who may see what.
    written_elsewhere: AtomicU64,
    /// How the copies stand.
    backup: AtomicU8,
}

impl Shared {
    /// Whether copies are made, though the last one may have failed.
    pub(crate) fn makes_copies(&self) -> bool {
        self.backup.load(Ordering::Relaxed) != NO_BACKUP
    }

    /// Notes that somebody else wrote to the store since its last transaction.
    pub(crate) fn note_written_elsewhere(&self) {
        self.written_elsewhere.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn throttle_caller(&self, device: u32, user: UserId, now_ms: EpochMs) -> Result<(), Refusal> {
        let mut throttle = lock(&self.throttle);
        throttle.take(Side::Device(device), now_ms)?;
        throttle.take(Side::User(user), now_ms)
    }

    /// Identifiers are not tried out one after the other.
    pub(crate) fn throttle_find(&self, user: UserId, now_ms: EpochMs) -> Result<(), Refusal> {
        lock(&self.throttle).take(Side::Find(user), now_ms)
    }

    pub(crate) fn poke(&self, pokes: &[Poke]) {
        for poke in pokes {
            // Nobody may be listening.
            let _ = self.pokes.send(*poke);
        }
    }
}

enum Request {
    Sync(Option<Vec<u8>>, Box<SyncRequest>),
    Enrol(EnrolRequest),
    Snapshot(Option<Vec<u8>>, SnapshotRequest),
    Find(Option<Vec<u8>>, FindRequest),
    Segments(Option<Vec<u8>>, SegmentsRequest),
    Segment(Option<Vec<u8>>, SegmentRequest),
    Documents(Option<Vec<u8>>, DocumentsRequest),
    Digest(Option<Vec<u8>>, Box<DigestRequest>),
    Tail(Option<Vec<u8>>, Box<TailRequest>),
    Listen(Option<Vec<u8>>),
    Decide(Incarnation, u64, QuarantineDecision, UserId),
    Probe,
}

enum Answer {
    Sync(Box<SyncAnswer>),
    Enrol(Box<EnrolAnswer>),
    Snapshot(SnapshotAnswer),
    Find(FindAnswer),
    Segments(SegmentsAnswer),
    Segment(Vec<u8>),
    Documents(DocumentsAnswer),
    Digest(DigestAnswer),
    Tail(TailAnswer),
    Listen(Vec<Stream>),
    Decided,
    Probe,
}

impl Job for Request {
    type Answer = Answer;

    fn run(self, session: &mut Session<'_>) -> Result<Answer, Refusal> {
        match self {
            Self::Sync(access, request) => {
                sync::run(session, access.as_deref(), *request).map(|answer| Answer::Sync(Box::new(answer)))
            }
            Self::Enrol(request) => {
                enrol::run(session, &request).map(|answer| Answer::Enrol(Box::new(answer)))
            }
            Self::Snapshot(access, request) => {
                snapshot::run(session, access.as_deref(), &request).map(Answer::Snapshot)
            }
            Self::Find(access, request) => find::run(session, access.as_deref(), &request).map(Answer::Find),
            Self::Segments(access, request) => {
                segments::list(session, access.as_deref(), &request).map(Answer::Segments)
            }
            Self::Segment(access, request) => {
                segments::piece(session, access.as_deref(), &request).map(Answer::Segment)
            }
            Self::Documents(access, request) => {
                documents::run(session, access.as_deref(), &request).map(Answer::Documents)
            }
            Self::Digest(access, request) => {
                digest::run(session, access.as_deref(), &request).map(Answer::Digest)
            }
            Self::Tail(access, request) => {
                sync::tail::run(session, access.as_deref(), &request).map(Answer::Tail)
            }
            Self::Listen(access) => access::authenticate(session, access.as_deref(), None)
                .map(|caller| Answer::Listen(caller.streams.into_iter().collect())),
            Self::Decide(incarnation, n, decision, supervisor) => {
                sync::quarantine::decide(session, &incarnation, n, decision, supervisor)
                    .map(|()| Answer::Decided)
            }
            Self::Probe => session
                .store
                .epoch()
                .map(|_| Answer::Probe)
                .map_err(Refusal::from),
        }
    }
}

/// The server behind its sockets.
pub struct Server {
    shared: Shared,
    writer: Writer<Request>,
}

/// How the copies stand: none was made, the last one was verified, the last one failed.
const NO_BACKUP: u8 = 0;
const BACKUP_VERIFIED: u8 = 1;
const BACKUP_FAILED: u8 = 2;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server over a store.
    pub fn new(store: Box<dyn ServerStore>, keys: &ServerKeys, options: ServerOptions) -> Self {
        Self {
            shared: Shared {
                token_key: TokenKey(keys.token),
                signing_key: SigningKey::from_bytes(&keys.signing),
                // An app's own kinds pass through, as text and body.
                kinds: KindRegistry::standard().keeping_unknown(),
                segments: Mutex::default(),
                segments_from_bytes: match options.segments_from_bytes {
                    0 => SEGMENTS_FROM_BYTES,
                    from => from,
                },
                throttle: Mutex::new(Throttle::new(options.limits)),
                pokes: broadcast::Sender::new(POKES_KEPT_MAX),
                written_elsewhere: AtomicU64::new(0),
                backup: AtomicU8::new(NO_BACKUP),
            },
            writer: Writer::new(store),
        }
    }

    /// Answers a request. With the embedded store it never pends: it blocks for as long as the commit takes, so a
    /// host calls it from a thread that may.
    pub async fn handle(
        &self,
        now: ServerNow,
        entropy: &mut dyn Entropy,
        request: HttpRequest,
    ) -> HttpResponse {
        let correlation = request.correlation();
        // Around all that is logged meanwhile, also by the thread that carries the request out for this one.
        let span = tracing::error_span!("request", %correlation);
        let _entered = span.enter();
        match self.answer(now, entropy.next_32(), &request) {
            Ok((content_type, body)) => {
                tracing::debug!(up = request.body.len(), down = body.len(), "answered");
                HttpResponse {
                    status: 200,
                    content_type,
                    retry_after: None,
                    correlation,
                    body,
                }
            }
            Err(refusal) => {
                tracing::info!(
                    status = refusal.status,
                    code = refusal.error.code.as_str(),
                    "refused"
                );
                let problem = refusal.problem(correlation);
                HttpResponse {
                    status: refusal.status,
                    content_type: Problem::MEDIA_TYPE,
                    retry_after: refusal.retry_after,
                    correlation,
                    body: encode_body(&problem, Encoding::Json),
                }
            }
        }
    }

    /// Another number whenever somebody else wrote to the store, before anything of the next transaction is told.
    pub(crate) fn written_elsewhere(&self) -> u64 {
        self.shared.written_elsewhere.load(Ordering::SeqCst)
    }

    /// Which streams a listener (`GET /v1/live`) hears of.
    pub(crate) fn listen(
        &self,
        now: ServerNow,
        seed: [u8; 32],
        authorization: Option<&str>,
    ) -> Result<(Vec<Stream>, broadcast::Receiver<Poke>), Refusal> {
        let receiver = self.shared.pokes.subscribe();
        let request = Request::Listen(access::bearer(authorization));
        match self.writer.submit(&self.shared, request, now, seed)? {
            Answer::Listen(streams) => Ok((streams, receiver)),
            _ => Err(Refusal::internal("another request's answer")),
        }
    }

    /// Decides of a write in quarantine.
    pub(crate) fn decide(
        &self,
        now: ServerNow,
        seed: [u8; 32],
        row: &QuarantineRow,
        decision: QuarantineDecision,
        supervisor: UserId,
    ) -> Result<(), SyncError> {
        let request = Request::Decide(row.incarnation, row.n, decision, supervisor);
        let decided = self.writer.submit(&self.shared, request, now, seed);
        decided.map(|_| ()).map_err(|refusal| refusal.error)
    }

    /// Notes whether the last copy went well; readiness tells.
    pub fn note_backup(&self, went_well: bool) {
        let state = if went_well { BACKUP_VERIFIED } else { BACKUP_FAILED };
        self.shared.backup.store(state, Ordering::Relaxed);
    }

    fn answer(
        &self,
        now: ServerNow,
        seed: [u8; 32],
        request: &HttpRequest,
    ) -> Result<(&'static str, Vec<u8>), Refusal> {
        if let Some(address) = request.address {
            lock(&self.shared.throttle).take(Side::Address(address), now.ms)?;
        }
        if request.method == "GET" && request.path == "/health/live" {
            return Ok((Encoding::Json.media_type(), b"{\"status\":\"live\"}\n".to_vec()));
        }
        let parsed = parse(request)?;
        let answer = self.writer.submit(&self.shared, parsed, now, seed)?;
        let encoding = accepted(request);
        let body = match &answer {
            Answer::Sync(answer) => encode_body(answer, encoding),
            Answer::Enrol(answer) => encode_body(answer, encoding),
            Answer::Snapshot(answer) => encode_body(answer, encoding),
            Answer::Tail(answer) => encode_body(answer, encoding),
            Answer::Find(answer) => encode_body(answer, encoding),
            Answer::Segments(answer) => encode_body(answer, encoding),
            Answer::Digest(answer) => encode_body(answer, encoding),
            Answer::Documents(answer) => encode_body(answer, encoding),
            Answer::Segment(bytes) => return Ok((SEGMENT_MEDIA_TYPE, bytes.clone())),
            Answer::Listen(_) | Answer::Decided => return Err(Refusal::internal("another request's answer")),
            Answer::Probe => return Ok((Encoding::Json.media_type(), self.readiness())),
        };
        Ok((encoding.media_type(), body))
    }

    fn readiness(&self) -> Vec<u8> {
        let backup = match self.shared.backup.load(Ordering::Relaxed) {
            BACKUP_VERIFIED => "verified",
            BACKUP_FAILED => "last_copy_failed",
            _ => "no_backup",
        };
        format!("{{\"status\":\"ready\",\"backup\":\"{backup}\"}}\n").into_bytes()
    }
}

fn parse(request: &HttpRequest) -> Result<Request, Refusal> {
    let method = |wanted: &str| {
        if request.method == wanted {
            Ok(())
        } else {
            Err(Refusal::not_found())
        }
    };
    let access = || access::bearer(request.authorization.as_deref());
    match request.path.as_str() {
        "/health/ready" => method("GET").map(|()| Request::Probe),
        PATH_SYNC => {
            method("POST")?;
            body(request).map(|body| Request::Sync(access(), Box::new(body)))
        }
        PATH_ENROL => {
            method("POST")?;
            body(request).map(Request::Enrol)
        }
        PATH_SNAPSHOT => {
            method("POST")?;
            body(request).map(|body| Request::Snapshot(access(), body))
        }
        PATH_FIND => {
            method("POST")?;
            body(request).map(|body| Request::Find(access(), body))
        }
        PATH_SEGMENTS => {
            method("POST")?;
            body(request).map(|body| Request::Segments(access(), body))
        }
        PATH_SEGMENT => {
            method("POST")?;
            body(request).map(|body| Request::Segment(access(), body))
        }
        PATH_DOCUMENTS => {
            method("POST")?;
            body(request).map(|body| Request::Documents(access(), body))
        }
        PATH_DIGEST => {
            method("POST")?;
            body(request).map(|body| Request::Digest(access(), Box::new(body)))
        }
        PATH_TAIL => {
            method("POST")?;
            body(request).map(|body| Request::Tail(access(), Box::new(body)))
        }
        path if is_another_version(path) => Err(Refusal::new(
            426,
            Code::ProtocolUnsupported,
            "this server speaks version 1",
        )),
        _ => Err(Refusal::not_found()),
    }
}

fn is_another_version(path: &str) -> bool {
    path.strip_prefix("/v")
        .and_then(|rest| rest.split('/').next())
        .and_then(|number| number.parse::<u32>().ok())
        .is_some_and(|number| number != u32::from(vereda_core::protocol::VERSION))
}

fn body<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Refusal> {
    let length = request.content_length.unwrap_or(0).max(request.body.len() as u64);
    if length > BODY_WIRE_BYTES_MAX as u64 {
        return Err(Refusal::too_large(format!(
            "a body has at most {BODY_WIRE_BYTES_MAX} bytes"
        )));
    }
    let encoding = request
        .content_type
        .as_deref()
        .and_then(Encoding::of_media_type)
        .ok_or_else(|| {
            Refusal::new(
                415,
                Code::RequestMalformed,
                "send application/vereda or application/json",
            )
        })?;
    Ok(decode_body(&request.body, encoding)?)
}

/// The encoding the asker reads: what `Accept` names, else what it sent.
fn accepted(request: &HttpRequest) -> Encoding {
    [&request.accept, &request.content_type]
        .into_iter()
        .flatten()
        .find_map(|value| Encoding::of_media_type(value))
        .unwrap_or(Encoding::Vereda)
}
