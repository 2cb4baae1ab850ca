//! The state of synchronising, in plain values for a screen.

use super::Engine;
use crate::limits::{OUTBOX_BYTES_MAX, OUTBOX_WRITES_MAX};
use crate::store::first_sync::{self, FirstSyncProgress};
use crate::store::{conflicts, cursors, documents, drawer, entries, held, meta, patients, unread};
use crate::sync::digest::DigestKept;
use crate::sync::tail::GivingBack;
use crate::sync::{Breaker, SyncFailure, server_makes_copies};
use crate::time::{EpochMs, Now};
use serde::Serialize;

/// Whether a list can be trusted to hold everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "since_ms")]
pub enum Completeness {
    /// Everything the server had at the last contact.
    Complete,
    /// The first read is not through.
    Partial,
    /// Everything the server had then; more may be there by now.
    StaleSince(EpochMs),
}

/// How it stands.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Status {
    /// Whether the device is enrolled and signed in.
    pub enrolled: bool,
    /// Whether the last request was answered.
    pub online: bool,
    /// People's writes that wait.
    pub pending: u64,
    /// The age of the oldest.
    pub oldest_pending_age_ms: Option<i64>,
    /// Writes in the request under way.
    pub in_flight: u64,
    /// Writes that wait for a person or an update.
    pub parked: u64,
    /// Writes that failed so often that a person should know.
    pub stuck: u64,
    /// Refused writes in the drawer.
    pub drawer: u64,
    /// Open conflicts.
    pub conflicts: u64,
    /// Entries with a late edit or two headers.
    pub undecided: u64,
    /// The larger share of the outbox's bounds (writes, bytes) that is used, in percent; loud from 80.
    pub outbox_percent: u8,
    /// When the server last answered, by the device's clock.
    pub last_success_ms: Option<EpochMs>,
    /// Why the last request failed.
    pub failure: Option<SyncFailure>,
    /// In how many milliseconds the next request may go out.
    pub next_attempt_in_ms: u64,
    /// The breaker.
    pub breaker: Breaker,
    /// A person must act before it goes on (enrol again, update).
    pub halted: bool,
    /// Items applied of the answer under way, and how many it has.
    pub progress: Option<(usize, usize)>,
    /// How far streams that are read for the first time have come, in bytes and rows.
    pub first_sync: Option<FirstSyncProgress>,
    /// Everything is being fetched again (`Client::resync`); what is shown stays meanwhile.
    pub resync: bool,
    /// Rows found otherwise than their documents have them, and written anew.
    pub repaired_rows: u64,
    /// Whether lists hold everything.
    pub completeness: Completeness,
    /// Whether what was read lies in a verified copy of the server: `durable`, `waiting` for the next copy, or
    /// `no_backup` where the server makes none.
    pub durability: &'static str,
    /// Bytes of the log kept here, for a server that loses them.
    pub tail_bytes: u64,
    /// The tail reached its bound: what the server loses now may not come back from here.
    pub tail_full: bool,
    /// Streams that are being given back to a restored server.
    pub giving_back: u64,
    /// Items that a restored server did not take back.
    pub not_taken: u64,
    /// When everything in scope was last compared with the server, by the device's clock.
    pub verified_at_ms: Option<EpochMs>,
    /// Documents and records that were found to differ from the server's, so far.
    pub differences_found: u64,
    /// Those of them that were repaired.
    pub differences_repaired: u64,
    /// Those that the last comparison left: somebody must look.
    pub differences_standing: u64,
    /// Documents set aside because they are damaged.
    pub quarantined: u64,
    /// Own writes the server holds for a supervisor, who has not decided.
    pub held_waiting: u64,
    /// Own writes a supervisor decided about; the person has not looked at it.
    pub held_decided: u64,
    /// Log items of a newer version, kept unread.
    pub unread: u64,
    /// Log items that could not be applied here: kept, while their documents are fetched whole.
    pub unapplied: u64,
    /// Server time minus the device's clock, when known.
    pub clock_offset_ms: Option<i64>,
    /// Patients here.
    pub patients: u64,
    /// Entries here.
    pub entries: u64,
    /// Audit records that wait for a receipt.
    pub audit_waiting: u64,
    /// Streams in scope; none for whom no unit lets read anything.
    pub streams: u64,
}

fn durability(cursors: &[cursors::CursorRow], makes_copies: bool) -> &'static str {
    let read: Vec<_> = cursors.iter().filter(|cursor| cursor.seq > 0).collect();
    if !makes_copies && read.iter().all(|cursor| cursor.durable_seq == 0) {
        "no_backup"
    } else if read.iter().all(|cursor| cursor.durable_seq >= cursor.seq) {
        "durable"
    } else {
        "waiting"
    }
}

fn percent(part: u64, whole: u64) -> u8 {
    (part.saturating_mul(100) / whole).min(100) as u8
}

pub(super) fn read(engine: &mut Engine, now: &Now) -> Status {
    let size = engine.outbox_size(now);
    let server_ms = engine.device.server_ms(now);
    let audit_last = engine.device.counters.audit_last;
    let (queued, queued_bytes) = (engine.device.counters.queued, engine.device.counters.queued_bytes);
    let enrolled = engine
        .device
        .enrolment
        .as_ref()
        .is_some_and(|enrolment| enrolment.tokens.is_some());
    let streams = engine
        .device
        .enrolment
        .as_ref()
        .map_or(Vec::new(), |enrolment| enrolment.scope.streams.clone());
    let resync = engine.device.resync.is_some();
    let connection = engine.store.connection();
    let cursors = cursors::list(connection).unwrap_or_default();
    let durability = durability(&cursors, server_makes_copies(connection).unwrap_or(false));
    let tail = crate::sync::tail::state(connection).unwrap_or_default();
    let digest = DigestKept::read(connection).unwrap_or_default();
    let unread = unread::counts(connection).unwrap_or_default();
    let last = engine.schedule.last_success_ms;
    // Who has no stream in scope has read all of it, once the server said so.
    let told = !streams.is_empty() || last.is_some();
    let caught_up = told && !resync && cursors::all_caught_up(connection, &streams).unwrap_or(false);
    Status {
        enrolled,
        online: engine.schedule.failure.is_none() && last.is_some(),
        pending: size.writes,
        oldest_pending_age_ms: size.oldest_ms.map(|oldest| (now.wall_ms - oldest).max(0)),
        in_flight: size.in_flight,
        parked: size.parked,
        stuck: size.stuck,
        drawer: drawer::count(connection).unwrap_or(0),
        conflicts: conflicts::count(connection).unwrap_or(0),
        undecided: entries::undecided(connection, 1_000).map_or(0, |rows| rows.len() as u64),
        outbox_percent: percent(queued, OUTBOX_WRITES_MAX).max(percent(queued_bytes, OUTBOX_BYTES_MAX)),
        last_success_ms: last,
        failure: engine.schedule.failure.clone(),
        next_attempt_in_ms: engine.schedule.due_boot_ms.saturating_sub(now.boot_ms),
        breaker: engine.schedule.breaker(now),
        halted: engine.schedule.halted,
        progress: engine
            .pending
            .as_ref()
            .map(|pending| (pending.applied, pending.total)),
        first_sync: first_sync::progress(connection).unwrap_or_default(),
        resync,
        repaired_rows: meta::get(connection, "repaired_rows")
            .ok()
            .flatten()
            .unwrap_or_default(),
        completeness: match (caught_up, last) {
            (true, Some(last)) if now.wall_ms - last > 2 * super::POLL_MS as i64 => {
                Completeness::StaleSince(last)
            }
            (true, _) => Completeness::Complete,
            _ => Completeness::Partial,
        },
        durability,
        tail_bytes: tail.bytes,
        tail_full: tail.is_full,
        giving_back: GivingBack::streams_left(connection),
        not_taken: GivingBack::not_taken(connection),
        verified_at_ms: digest.verified_ms,
        differences_found: digest.found,
        differences_repaired: digest.repaired,
        differences_standing: digest.standing,
        quarantined: documents::quarantined(connection).unwrap_or(0),
        streams: streams.len() as u64,
        held_waiting: held::count(connection, false).unwrap_or(0),
        held_decided: held::count(connection, true).unwrap_or(0),
        unread: unread.newer,
        unapplied: unread.unapplied,
        clock_offset_ms: server_ms.map(|server_ms| server_ms - now.wall_ms),
        patients: patients::count(connection).unwrap_or(0),
        entries: entries::count(connection).unwrap_or(0),
        audit_waiting: crate::audit::waiting(connection, audit_last).unwrap_or(0),
    }
}
