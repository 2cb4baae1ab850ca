//! Comparing with the server: once a day by itself, or when somebody asks. Reading what is here comes behind people's
//! commands and behind synchronising, one bounded step at a time; then one sync brings the server's roots, and only
//! where one differs more is asked. What cannot be compared now is tried again later, and nothing is tried for ever.

mod descend;
mod repair;

use super::*;
use crate::document::digest::{Difference, DigestTree};
use crate::limits::{DIGEST_EVERY_MS, DIGEST_RETRY_MS, DIGEST_ROUNDS_MAX};
use crate::record::{Compartment, Stream};
use crate::store::{cursors, digest};
use crate::sync::digest::{DigestKept, DigestReport, LocalDigest};
use crate::sync::tail::GivingBack;
use crate::time::EpochMs;
use descend::Descending;
use repair::Repairing;
use std::collections::VecDeque;

/// How often a comparison begins anew because the server or the device went on meanwhile.
const TRIES_MAX: u32 = 5;

/// Who waits for a comparison.
pub struct DigestWaiter {
    /// Whether what differs is repaired.
    pub repair: bool,
    /// Takes what it came to.
    pub reply: Box<dyn FnOnce(DigestReport) + Send>,
}

/// What is kept of comparisons, and the one under way.
#[derive(Default)]
pub(super) struct Comparing {
    pub(super) kept: DigestKept,
    run: Option<Run>,
    /// Whether the documents that lack an item were fetched since somebody asked, or since the last such item.
    has_mended: bool,
}

impl Comparing {
    /// As the store has it.
    pub(super) fn open(connection: &rusqlite::Connection, now: &Now) -> Result<Self> {
        Ok(Self {
            kept: DigestKept::open(connection, now)?,
            run: None,
            has_mended: false,
        })
    }
}

struct Run {
    repair: bool,
    /// Nothing is compared: documents that lack an item are fetched.
    mends: bool,
    waiters: Vec<DigestWaiter>,
    stage: Stage,
    local: LocalDigest,
    roots: Vec<Root>,
    /// Streams that were compared.
    settled: BTreeSet<Stream>,
    tries: u32,
    rounds: u32,
    report: DigestReport,
}

/// What a sync said of a stream, and where the device stood in it then.
#[derive(Clone, Copy)]
struct Root {
    stream: Stream,
    seq: u64,
    chain: [u8; 32],
    root: [u8; 8],
}

/// What differs, and in which stream.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Found {
    compartment: Compartment,
    difference: Difference,
}

enum Stage {
    /// What is here is read.
    Reading,
    /// The next sync asks for the roots.
    Rooting,
    /// What changed meanwhile is read again, then compared.
    Refreshing,
    /// Where roots differ, the way down.
    Descending(Descending),
    /// Documents that differ are opened, to be sure.
    Judging(VecDeque<Found>, Vec<Found>),
    /// What differs comes whole.
    Repairing(Repairing),
}

impl Engine {
    /// Somebody wants to know now.
    pub(super) fn digest_now(&mut self, waiter: DigestWaiter) {
        let run = match &mut self.comparing.run {
            Some(run) if !run.mends => run,
            _ => self.begin_digest(),
        };
        run.repair |= waiter.repair;
        run.waiters.push(waiter);
    }

    fn begin_digest(&mut self) -> &mut Run {
        let enrolment = self.device.enrolment.as_ref();
        let streams = enrolment.map_or(Vec::new(), |enrolment| enrolment.scope.streams.clone());
        self.comparing.run.insert(Run {
            repair: false,
            mends: false,
            waiters: Vec::new(),
            stage: Stage::Reading,
            local: LocalDigest::new(streams),
            roots: Vec::new(),
            settled: BTreeSet::new(),
            tries: 0,
            rounds: 0,
            report: DigestReport::default(),
        })
    }

    /// Whether somebody waits for a comparison.
    pub(super) fn digest_is_awaited(&self) -> bool {
        let run = self.comparing.run.as_ref();
        run.is_some_and(|run| !run.waiters.is_empty())
    }

    /// Whether the next sync shall ask for the roots.
    pub(super) fn digest_wants_roots(&self) -> bool {
        let run = self.comparing.run.as_ref();
        run.is_some_and(|run| matches!(run.stage, Stage::Rooting))
    }

    /// Takes note of what a step changed while a comparison is under way.
    pub(super) fn digest_note(&mut self, changes: &Changes) {
        if let Some(run) = &mut self.comparing.run {
            run.local.note(changes);
        }
    }

    /// What a comparison has to do next, when there is nothing else to do.
    pub(super) fn digest_move(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        if self.comparing.run.is_none() {
            if !self.digest_is_due(&now) {
                return;
            }
            // Another process of the same store may have compared meanwhile.
            if let Ok(kept) = DigestKept::read(self.store.connection()) {
                self.comparing.kept = kept;
            }
            if !self.digest_is_due(&now) {
                return;
            }
            self.begin_digest().repair = true;
        }
        match self.comparing.run.as_ref().map(|run| &run.stage) {
            Some(Stage::Reading | Stage::Refreshing | Stage::Judging(..)) => effects.push(Effect::Continue),
            Some(Stage::Descending(_)) => self.ask_digest(now, entropy, effects),
            Some(Stage::Repairing(repairing)) if repairing.has_come() => effects.push(Effect::Continue),
            Some(Stage::Repairing(_)) => self.ask_repair(now, entropy, effects),
            Some(Stage::Rooting) | None => {}
        }
    }

    /// By itself only while the server answers: what is read of the store would be read for nothing.
    fn digest_is_due(&self, now: &Now) -> bool {
        self.automatic
            && self.comparing.kept.is_due(now)
            && self.device.resync.is_none()
            && self.schedule.failure.is_none()
            && self.schedule.last_success_ms.is_some()
    }

    /// Whether a step of a comparison is to be done.
    pub(super) fn digest_has_step(&self) -> bool {
        match self.comparing.run.as_ref().map(|run| &run.stage) {
            Some(Stage::Reading | Stage::Refreshing | Stage::Judging(..)) => true,
            Some(Stage::Repairing(repairing)) => repairing.has_come(),
            _ => false,
        }
    }

    /// The next step of a comparison. The host calls it when people's commands are done.
    pub(super) fn continue_digest(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        let Some(mut run) = self.comparing.run.take() else {
            return;
        };
        let worked = match &mut run.stage {
            Stage::Reading | Stage::Refreshing => {
                let read = self.transact(now, entropy, effects, |step| run.local.read_some(step));
                read.map(|more| {
                    if !more {
                        self.is_read(&mut run);
                    }
                })
            }
            Stage::Judging(left, kept) => match left.pop_front() {
                Some(found) => self
                    .transact(now, entropy, effects, |step| is_so(step, &found))
                    .map(|is_so| kept.extend(is_so.then_some(found))),
                None => {
                    let differences = std::mem::take(kept);
                    run.judged(differences);
                    Ok(())
                }
            },
            Stage::Repairing(_) => self.continue_repair(now, entropy, effects, &mut run),
            Stage::Rooting | Stage::Descending(_) => Ok(()),
        };
        let is_over = run.is_over();
        self.comparing.run = Some(run);
        match worked {
            Err(error) => self.end_digest(now, entropy, effects, Some(error.code.as_str())),
            Ok(()) if is_over => self.end_digest(now, entropy, effects, None),
            Ok(()) => {}
        }
    }

    fn is_read(&mut self, run: &mut Run) {
        match run.stage {
            Stage::Refreshing => self.compare(run),
            _ => run.stage = Stage::Rooting,
        }
    }

    /// A sync was applied to its end, and asked for the roots.
    pub(super) fn take_roots(&mut self, roots: &[(Stream, [u8; 8])]) {
        let connection = self.store.connection();
        let Some(run) = &mut self.comparing.run else {
            return;
        };
        if !matches!(run.stage, Stage::Rooting) {
            return;
        }
        let stand = |(stream, root): &(Stream, [u8; 8])| {
            let cursor = cursors::get(connection, stream).ok()?;
            Some(Root {
                stream: *stream,
                seq: cursor.seq,
                chain: cursor.chain,
                root: *root,
            })
        };
        run.roots = roots.iter().filter_map(stand).collect();
        run.stage = Stage::Refreshing;
    }

    /// Whether what is here is what the logs say up to their cursors, and nothing else.
    fn is_settled(&mut self) -> bool {
        let connection = self.store.connection();
        self.device.departures.is_none()
            && self.device.resync.is_none()
            && digest::has_own(connection).is_ok_and(|has| !has)
            && GivingBack::streams_left(connection) == 0
    }

    fn compare(&mut self, run: &mut Run) {
        if !run.local.is_ready() {
            return;
        }
        if !self.is_settled() {
            return run.try_again();
        }
        let mut open: VecDeque<(Root, DigestTree)> = VecDeque::new();
        let mut has_moved = false;
        for root in std::mem::take(&mut run.roots) {
            if run.settled.contains(&root.stream) {
                continue;
            }
            if !self.stands_at(&root) {
                has_moved = true;
                continue;
            }
            let Some(tree) = run.local.tree(&root.stream) else {
                continue;
            };
            if tree.root().to_be_bytes() == root.root {
                run.settle(root.stream, tree.len());
            } else {
                open.push_back((root, tree));
            }
        }
        if has_moved {
            run.try_again();
        } else {
            run.stage = Stage::Descending(Descending::new(open));
        }
    }

    fn stands_at(&mut self, root: &Root) -> bool {
        let cursor = cursors::get(self.store.connection(), &root.stream);
        cursor.is_ok_and(|cursor| cursor.seq == root.seq && cursor.chain == root.chain)
    }

    /// What a failure of synchronising means for a comparison: it is tried again in a while.
    pub(super) fn digest_failed(&mut self, now: &Now, report: &SyncReport, effects: &mut Vec<Effect>) {
        let code = match report {
            SyncReport::Done => return,
            SyncReport::NeedsPerson { code } => code.as_str().to_owned(),
            SyncReport::AgainLater { code, .. } => code
                .clone()
                .unwrap_or_else(|| Code::NoContact.as_str().to_owned()),
        };
        let Some(mut run) = self.comparing.run.take() else {
            return;
        };
        self.comparing.kept.due_ms = now.wall_ms.saturating_add(DIGEST_RETRY_MS);
        run.count();
        run.tell(Some(&code), effects);
    }

    fn end_digest(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        code: Option<&str>,
    ) {
        let Some(mut run) = self.comparing.run.take() else {
            return;
        };
        run.count();
        run.report.code = code.map(str::to_owned);
        let wait_ms = match run.report.skipped == 0 && code.is_none() {
            true => DIGEST_EVERY_MS,
            false => DIGEST_RETRY_MS,
        };
        let due_ms: EpochMs = now.wall_ms.saturating_add(wait_ms);
        let (kept, report) = (self.comparing.kept, run.report.clone());
        match self.transact(now, entropy, effects, |step| {
            step.changes.queue = true;
            kept.note(step, &report, due_ms)
        }) {
            Ok(kept) => self.comparing.kept = kept,
            Err(error) => {
                self.comparing.kept.due_ms = due_ms;
                effects.push(Effect::Log(LogEvent::Failed(error.code)));
            }
        }
        if report.standing() > 0 {
            effects.push(Effect::Log(LogEvent::Differs {
                found: report.found,
                standing: report.standing(),
            }));
        }
        run.tell(code, effects);
    }
}

impl Run {
    /// The roots are asked for again; after some tries what is not settled is left.
    fn try_again(&mut self) {
        self.tries += 1;
        self.stage = match self.tries < TRIES_MAX {
            true => Stage::Rooting,
            false => Stage::Descending(Descending::default()),
        };
    }

    fn count(&mut self) {
        let all = self.local.streams().len() as u64;
        self.report.streams = self.settled.len() as u64;
        self.report.skipped = all.saturating_sub(self.report.streams);
    }

    fn settle(&mut self, stream: Stream, leaves: usize) {
        self.settled.insert(stream);
        self.report.compared += leaves as u64;
    }

    fn is_over(&self) -> bool {
        match &self.stage {
            Stage::Descending(descending) => descending.is_over(),
            Stage::Repairing(repairing) => repairing.is_over(),
            _ => false,
        }
    }

    /// What differs is known for sure.
    fn judged(&mut self, differences: Vec<Found>) {
        self.report.found += differences.len() as u64;
        let only_here = differences
            .iter()
            .filter(|found| matches!(found.difference, Difference::OnlyHere(_)));
        self.report.only_here += only_here.count() as u64;
        self.stage = Stage::Repairing(if self.repair {
            Repairing::new(&differences)
        } else {
            Repairing::default()
        });
    }

    /// There is more than one comparison finds, and this one repaired something: again.
    fn go_round(&mut self) -> bool {
        if !self.report.more || self.rounds >= DIGEST_ROUNDS_MAX {
            return false;
        }
        self.rounds += 1;
        self.tries = 0;
        self.report.more = false;
        self.settled.clear();
        self.stage = Stage::Rooting;
        true
    }

    fn tell(self, code: Option<&str>, effects: &mut Vec<Effect>) {
        let report = DigestReport {
            code: code.map(str::to_owned),
            ..self.report
        };
        for waiter in self.waiters {
            let report = report.clone();
            effects.push(Effect::Reply(Box::new(move || (waiter.reply)(report))));
        }
    }
}

/// Whether a difference is one: the leaf of a document that was read from its frames may miss that one change contains
/// another.
fn is_so(step: &Step<'_>, found: &Found) -> Result<bool> {
    let Difference::Otherwise(leaf) = found.difference else {
        return Ok(true);
    };
    let id = DocumentId::from_bytes(leaf.id);
    let row = documents::get(step.transaction, &id)?;
    if found.compartment == Compartment::Identity || row.is_none_or(|row| row.health.is_rows_only()) {
        return Ok(true);
    }
    Ok(crate::replica::opened_leaf(step, &id)? != Some(leaf.leaf))
}
