//! The slot beside synchronising: segments of streams that are read for the first time, and documents of which only
//! the rows are here. One request at a time; what it brings is written in steps of its own.

use super::*;
use crate::bytes::ByteArray;
use crate::document::segment::Segment;
use crate::limits::INGEST_ROWS;
use crate::protocol::{
    DocumentsAnswer, DocumentsRequest, PATH_DOCUMENTS, PATH_SEGMENT, PATH_SEGMENTS, SEGMENT_MEDIA_TYPE,
    SegmentRequest, SegmentsAnswer, SegmentsRequest, SnapshotDocument,
};
use crate::record::{Compartment, Stream};
use crate::replica::{Opening, announce, take_document};
use crate::store::cursors;
use crate::store::first_sync::{self, FirstSyncRow, FirstSyncState, SegmentRow};
use crate::sync::segments::{decline, finish, forget_list, take_list, take_piece};
use std::collections::VecDeque;

/// Whole segments that may wait to be written while the next is fetched.
const SEGMENTS_AHEAD: u32 = 3;
/// Documents asked for at once.
const DOCUMENTS_AT_ONCE: usize = 200;

/// What the slot is doing.
#[derive(Debug, Default)]
pub(super) struct Slot {
    asked: Option<(u64, Asking)>,
    documents: VecDeque<SnapshotDocument>,
    segment: Option<([u8; 32], Segment)>,
    /// Documents somebody waits for.
    pub(super) wanted: BTreeSet<DocumentId>,
    /// Documents the answer under way cannot be applied without.
    pub(super) needed: BTreeSet<DocumentId>,
    /// The token was not taken: not before a round brought another.
    pub(super) blocked: bool,
}

#[derive(Debug)]
enum Asking {
    List(Stream, u32),
    Piece(SegmentRow),
    Documents(Vec<DocumentId>),
}

/// Whether the slot has something to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SlotState {
    /// No.
    Idle,
    /// It is doing it.
    Busy,
    /// It has, and must wait for its time or for a round.
    Waits,
}

impl Engine {
    /// Starts what the slot can do now.
    pub(super) fn slot_move(&mut self, now: Now, effects: &mut Vec<Effect>) -> SlotState {
        let is_asked = self.automatic || !self.waiters.is_empty();
        if !self.may_synchronise() || !is_asked {
            return SlotState::Idle;
        }
        let has_work = self.slot_has_work();
        if has_work && self.pending_is_blocked() {
            effects.push(Effect::Continue);
        }
        if self.slot.asked.is_some() || !self.pending_is_blocked() {
            return SlotState::Busy;
        }
        let next = match self.next_asking() {
            Some(next) => next,
            None if has_work => return SlotState::Busy,
            None => return SlotState::Idle,
        };
        if self.slot.blocked || !self.schedule.is_due(&now) {
            return if has_work {
                SlotState::Busy
            } else {
                SlotState::Waits
            };
        }
        if !self.has_fresh_token(&now) {
            self.slot.blocked = true;
            self.with_refresh = true;
            self.ask_again = true;
            return SlotState::Waits;
        }
        match self.ask_slot(next, effects) {
            Some(()) => SlotState::Busy,
            None => SlotState::Idle,
        }
    }

    /// Whether something that came is to be written.
    pub(super) fn slot_has_work(&mut self) -> bool {
        !self.slot.documents.is_empty()
            || self.slot.segment.is_some()
            || self.next_to_write().is_ok_and(|next| next.is_some())
    }

    /// Whether nothing of an answer can be applied now: then the slot's work comes first.
    pub(super) fn pending_is_blocked(&self) -> bool {
        match &self.pending {
            None => true,
            Some(pending) => !self.slot.needed.is_empty() && pending.has_outcomes_applied(),
        }
    }

    fn may_synchronise(&self) -> bool {
        let enrolment = self.device.enrolment.as_ref();
        enrolment.is_some_and(|enrolment| enrolment.tokens.is_some())
            && self.may_send
            && !self.schedule.halted
    }

    pub(super) fn has_fresh_token(&self, now: &Now) -> bool {
        let server_ms = self.device.server_ms(now);
        let tokens = self
            .device
            .enrolment
            .as_ref()
            .and_then(|enrolment| enrolment.tokens.as_ref());
        match (server_ms, tokens) {
            (Some(server_ms), Some(tokens)) => server_ms + 10_000 < tokens.expires_ms,
            _ => false,
        }
    }

    fn next_asking(&mut self) -> Option<Asking> {
        let first: BTreeSet<DocumentId> = self
            .slot
            .needed
            .iter()
            .chain(&self.slot.wanted)
            .copied()
            .collect();
        if !first.is_empty() && self.slot.documents.is_empty() {
            return Some(Asking::Documents(
                first.into_iter().take(DOCUMENTS_AT_ONCE).collect(),
            ));
        }
        let connection = self.store.connection();
        let rows = first_sync::list(connection).ok()?;
        let open: Vec<&FirstSyncRow> = rows
            .iter()
            .filter(|row| row.state == FirstSyncState::UnderWay)
            .collect();
        if let Some(row) = open.iter().find(|row| row.list_seq == 0) {
            return Some(Asking::List(row.stream, 0));
        }
        if let Some(piece) = first_sync::next_to_fetch(connection, SEGMENTS_AHEAD).ok()? {
            return Some(Asking::Piece(piece));
        }
        if let Some(row) = open.iter().find(|row| !row.listed) {
            let known = first_sync::known(connection, &row.stream).ok()?;
            return Some(Asking::List(row.stream, known));
        }
        // The rest comes behind, when everything else is here.
        if !open.is_empty() || self.pending.is_some() || self.ask_again || !self.slot.documents.is_empty() {
            return None;
        }
        let next = documents::rows_only(connection, None, DOCUMENTS_AT_ONCE).ok()?;
        (!next.is_empty()).then_some(Asking::Documents(next))
    }

    fn ask_slot(&mut self, asking: Asking, effects: &mut Vec<Effect>) -> Option<()> {
        let (path, body) = match &asking {
            Asking::List(stream, from) => {
                let rows = first_sync::list(self.store.connection()).ok()?;
                let row = rows.iter().find(|row| row.stream == *stream);
                let request = SegmentsRequest {
                    stream: *stream,
                    from: *from,
                    as_of: row.map_or(0, |row| row.list_seq),
                };
                (PATH_SEGMENTS, encode_body(&request, Encoding::Vereda))
            }
            Asking::Piece(segment) => {
                let request = SegmentRequest {
                    hash: ByteArray::new(segment.hash),
                    from: segment.got,
                };
                (PATH_SEGMENT, encode_body(&request, Encoding::Vereda))
            }
            Asking::Documents(documents) => {
                let documents = documents.clone();
                (
                    PATH_DOCUMENTS,
                    encode_body(
                        &DocumentsRequest {
                            documents,
                            ..DocumentsRequest::default()
                        },
                        Encoding::Vereda,
                    ),
                )
            }
        };
        let id = self.send_beside(path, body, effects)?;
        self.slot.asked = Some((id, asking));
        Some(())
    }

    /// Sends a request beside synchronising, with the access token.
    pub(super) fn send_beside(
        &mut self,
        path: &'static str,
        body: Vec<u8>,
        effects: &mut Vec<Effect>,
    ) -> Option<u64> {
        let enrolment = self.device.enrolment.clone()?;
        let id = self.next_request;
        self.next_request += 1;
        let request = HttpRequest {
            server: enrolment.server.clone(),
            authority: enrolment.authority.map(|authority| *authority),
            method: "POST",
            path,
            bearer: enrolment.tokens.map(|tokens| tokens.access.clone()),
            content_type: Encoding::Vereda.media_type(),
            body,
        };
        effects.push(Effect::Log(LogEvent::Asked {
            correlation: request.correlation(),
            writes: 0,
            bytes: request.body.len(),
        }));
        effects.push(Effect::Http { id, request });
        Some(id)
    }

    /// Takes the reply to a request of the slot; says whether it was one.
    pub(super) fn slot_done(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        id: u64,
        reply: &Result<Reply, TransportError>,
    ) -> bool {
        if self.slot.asked.as_ref().is_none_or(|(waiting, _)| *waiting != id) {
            return false;
        }
        let Some((_, asking)) = self.slot.asked.take() else {
            return true;
        };
        let taken = match (&asking, reply) {
            (Asking::Piece(segment), Ok(reply)) if is_piece(reply) => {
                let (segment, body) = (*segment, reply.body.clone());
                self.transact(now, entropy, effects, |step| take_piece(step, &segment, &body))
            }
            (Asking::Piece(segment), reply) if matches!(classify(reply), Verdict::ScopeLost) => {
                // The server no longer has it: the list is asked for anew.
                let stream = segment.stream;
                self.transact(now, entropy, effects, |step| forget_list(step, &stream))
            }
            (_, reply) => match classify(reply) {
                Verdict::Message => {
                    let body = reply.as_ref().map(|reply| reply.body.clone()).unwrap_or_default();
                    self.take_slot_message(now, entropy, effects, &asking, &body)
                }
                Verdict::Authenticate {
                    code: "unauthenticated",
                } => {
                    self.slot.blocked = true;
                    self.with_refresh = true;
                    self.ask_again = true;
                    Ok(())
                }
                Verdict::Retry { code } | Verdict::Authenticate { code } | Verdict::Reject { code } => {
                    Err(SyncError::from(Code::parse(code).unwrap_or(Code::ServerFailed)))
                }
                _ => Err(SyncError::from(Code::NotFound)),
            },
        };
        match taken {
            Ok(()) => {
                if self.schedule.failures > 0 {
                    self.schedule.succeeded(&now, 0);
                }
            }
            Err(error) => {
                effects.push(Effect::Log(LogEvent::Failed(error.code)));
                let retry_after = match reply {
                    Ok(Reply {
                        retry_after: Some(value),
                        ..
                    }) => retry_after_ms(value, self.device.server_ms(&now).unwrap_or(now.wall_ms)),
                    _ => 0,
                };
                self.schedule
                    .failed(&now, error.code.as_str(), retry_after, 0, entropy);
                self.drop_blocked_answer(now, entropy, effects);
            }
        }
        self.keep_schedule(effects);
        true
    }

    /// An answer that waits for documents which did not come is asked for again.
    pub(super) fn drop_blocked_answer(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
    ) {
        if self.slot.needed.is_empty() {
            return;
        }
        self.slot.needed.clear();
        if let Some(pending) = self.pending.take() {
            self.give_back(now, entropy, effects, pending.asked());
            self.ask_again = true;
        }
    }

    fn take_slot_message(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asking: &Asking,
        body: &[u8],
    ) -> Result<()> {
        let not_ours = |_| SyncError::from(Code::NotOurServer);
        match asking {
            Asking::List(stream, known) => {
                let answer: SegmentsAnswer = decode_body(body, Encoding::Vereda).map_err(not_ours)?;
                let (stream, known) = (*stream, *known);
                let offered = self.transact(now, entropy, effects, |step| {
                    take_list(step, &stream, known, &answer)
                })?;
                self.ask_again |= !offered;
                self.finish_streams(now, entropy, effects)
            }
            Asking::Documents(asked) => {
                let answer: DocumentsAnswer = decode_body(body, Encoding::Vereda).map_err(not_ours)?;
                let came: BTreeSet<DocumentId> =
                    answer.documents.iter().map(|document| document.id).collect();
                let left: BTreeSet<DocumentId> = answer.left_out.iter().copied().collect();
                let missing: Vec<DocumentId> = asked
                    .iter()
                    .filter(|id| !came.contains(id) && !left.contains(id))
                    .copied()
                    .collect();
                for id in asked.iter().filter(|id| !left.contains(id)) {
                    self.slot.wanted.remove(id);
                }
                for id in &missing {
                    self.slot.needed.remove(id);
                }
                self.slot.documents.extend(answer.documents);
                // The server has none of this name for us: the rows stay, what speaks of it is kept unread.
                self.transact(now, entropy, effects, |step| {
                    missing
                        .iter()
                        .try_for_each(|id| crate::replica::keep_document(step, id))
                })
            }
            Asking::Piece(_) => Err(SyncError::from(Code::NotOurServer)),
        }
    }

    /// Writes the next rows of a segment, or the next document. The host calls it when people's commands are done.
    pub(super) fn continue_slot(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        let worked = match self.slot.documents.pop_front() {
            Some(document) => self.take_slot_document(now, entropy, effects, &document),
            None => self.continue_segment(now, entropy, effects),
        };
        if let Err(error) = worked {
            self.slot.segment = None;
            effects.push(Effect::Log(LogEvent::Failed(error.code)));
            self.schedule.failed(&now, error.code.as_str(), 0, 0, entropy);
            self.keep_schedule(effects);
        }
    }

    fn take_slot_document(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        document: &SnapshotDocument,
    ) -> Result<()> {
        self.slot.needed.remove(&document.id);
        if documents::get(self.store.connection(), &document.id)?.is_none() {
            return Ok(());
        }
        let announced = self.transact(now, entropy, effects, |step| {
            announce(step, document, Opening::First)
        })?;
        if !announced {
            return Ok(());
        }
        let taken = self.transact(now, entropy, effects, |step| take_document(step, document));
        match taken {
            Err(error) if error.code == Code::DocumentQuarantined => Ok(()),
            taken => taken,
        }
    }

    /// The next segment to be written. Whose its documents are is read first: the log of the unit's records.
    fn next_to_write(&mut self) -> Result<Option<SegmentRow>> {
        let Some(enrolment) = self.device.enrolment.as_ref() else {
            return Ok(None);
        };
        let scope = enrolment.scope.streams.clone();
        let connection = self.store.connection();
        for segment in first_sync::to_apply(connection)? {
            let records = Stream::new(segment.stream.unit, Compartment::Identity);
            if !scope.contains(&records) || cursors::get(connection, &records)?.caught_up {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }

    fn continue_segment(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
    ) -> Result<()> {
        let (hash, mut segment) = match self.slot.segment.take() {
            Some(segment) => segment,
            None => {
                let Some(next) = self.next_to_write()? else {
                    return Ok(());
                };
                let bytes = first_sync::pieces(self.store.connection(), &next.hash)?;
                match Segment::decode(&bytes) {
                    Ok(segment) if segment.stream() == next.stream => (next.hash, segment),
                    // Its hash was signed: this version cannot read it. The log can be read.
                    _ => {
                        self.ask_again = true;
                        return self.transact(now, entropy, effects, |step| decline(step, &next.stream));
                    }
                }
            }
        };
        let more = self.transact(now, entropy, effects, |step| {
            if !first_sync::has_open(step.transaction, &segment.stream())? {
                // The stream left the scope meanwhile.
                return Ok(false);
            }
            let more = crate::replica::ingest(step, &mut segment, INGEST_ROWS)?;
            if !more {
                first_sync::note_applied(step.transaction, &hash)?;
            }
            step.changes.queue = true;
            Ok(more)
        })?;
        if more {
            self.slot.segment = Some((hash, segment));
            return Ok(());
        }
        if let Ok(Some(progress)) = first_sync::progress(self.store.connection()) {
            effects.push(Effect::Progress {
                applied: progress.rows as usize,
                total: progress.rows_total as usize,
            });
        }
        self.finish_streams(now, entropy, effects)
    }

    /// Streams whose rows are all here go on from the log.
    fn finish_streams(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
    ) -> Result<()> {
        for row in first_sync::list(self.store.connection())? {
            let finished = row.state == FirstSyncState::UnderWay
                && row.listed
                && !first_sync::has_open(self.store.connection(), &row.stream)?;
            if finished {
                self.transact(now, entropy, effects, |step| finish(step, &row))?;
                self.ask_again = true;
            }
        }
        Ok(())
    }
}

fn is_piece(reply: &Reply) -> bool {
    reply.status == 200
        && reply.content_type.eq_ignore_ascii_case(SEGMENT_MEDIA_TYPE)
        && !reply.body.is_empty()
}
