//! The engine: `step(now, entropy, event) -> effects`, each step in one SQLite transaction. The only place that
//! composes the floor below. A crash after the commit equals a lost request; a step that does not commit evicts
//! every document it touched.

mod command;
mod effect;
mod status;

pub use command::{Command, command};
pub use effect::{Effect, Event, HttpRequest, LogEvent, SyncReport, Waiter};
pub use status::{Completeness, Status};

use crate::device::Device;
use crate::entropy::Entropy;
use crate::error::{Code, Result, SyncError};
use crate::id::DocumentId;
use crate::protocol::{Encoding, PATH_SYNC, SyncAnswer, decode_body, encode_body};
use crate::record::KindRegistry;
use crate::replica::DocumentCache;
use crate::step::{Changes, Step};
use crate::store::documents::{self, DocumentHealth};
use crate::store::{Location, Store, StoreError, StoreKey, meta, outbox};
use crate::sync::{
    Asked, PendingAnswer, Reply, Schedule, SliceResult, TransportError, Verdict, Wish, apply_slice,
    build_request, check_answer, classify, recall, retry_after_ms,
};
use crate::time::Now;
use rusqlite::TransactionBehavior;
use std::collections::BTreeSet;

/// How often a device with nothing to send asks for news when it synchronises by itself.
const POLL_MS: u64 = 60_000;

/// The engine of one store.
pub struct Engine {
    store: Store,
    device: Device,
    documents: DocumentCache,
    kinds: KindRegistry,
    schedule: Schedule,
    in_flight: Option<(u64, Asked)>,
    pending: Option<PendingAnswer>,
    waiters: Vec<Waiter>,
    next_request: u64,
    data_version: i64,
    automatic: bool,
    may_send: bool,
    own_in_full: bool,
    raw: bool,
    with_refresh: bool,
    ask_again: bool,
    last_poll_boot_ms: Option<u64>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where the store lies.
    pub location: Location,
    /// Its key.
    pub key: StoreKey,
    /// The kinds of entries.
    pub kinds: KindRegistry,
    /// Whether it synchronises by itself, or only when asked.
    pub automatic: bool,
}

impl Engine {
    /// Opens a store. What was in flight is pending again; documents whose first load killed the process are set
    /// aside.
    ///
    /// # Errors
    /// `store_locked`, `store_too_new`, `store_damaged`, `disk_full`.
    pub fn open(options: EngineOptions, now: Now, entropy: &mut dyn Entropy) -> Result<Self> {
        let mut store = Store::open(&options.location, &options.key)?;
        let transaction = store
            .connection()
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        documents::quarantine_interrupted_loads(&transaction)?;
        outbox::recall_in_flight(&transaction)?;
        let mut schedule: Schedule =
            meta::get(&transaction, "schedule")?.unwrap_or_else(|| Schedule::new(&now));
        if schedule.boot_id != now.boot_id {
            // The deadlines of single writes count in a boot that is over.
            outbox::cap_due(&transaction, 1)?;
        }
        schedule.clamp(&now);
        // The app may be another version now, or the administrator have acted: asked once, it is known.
        schedule.halted = false;
        outbox::cap_due(&transaction, schedule_limit(&now))?;
        let device = Device::load(&transaction, entropy)?;
        transaction.commit().map_err(StoreError::from)?;
        let data_version = store.data_version()?;
        Ok(Self {
            store,
            device,
            documents: DocumentCache::default(),
            kinds: options.kinds,
            schedule,
            in_flight: None,
            pending: None,
            waiters: Vec::new(),
            next_request: 1,
            data_version,
            automatic: options.automatic,
            may_send: true,
            own_in_full: false,
            raw: false,
            with_refresh: false,
            ask_again: false,
            last_poll_boot_ms: None,
        })
    }

    /// Whether this process may send: another one of the same store holds the right otherwise.
    pub fn set_may_send(&mut self, may_send: bool) {
        self.may_send = may_send;
    }

    /// Takes an event, and returns what the host shall do. Never fails: what fails is answered or logged.
    pub fn step(&mut self, now: Now, entropy: &mut dyn Entropy, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Command(mut command) => {
                let ran = self.transact(now, entropy, &mut effects, |step| command.run(step));
                effects.push(Effect::Reply(Box::new(move || command.finish(ran))));
            }
            Event::Status(reply) => {
                let status = self.status(&now);
                effects.push(Effect::Reply(Box::new(move || reply(status))));
            }
            Event::SyncNow(waiter) => {
                self.waiters.push(waiter);
                self.schedule.wake(&now);
                self.schedule.halted = false;
                self.ask_again = true;
            }
            Event::Hint => self.schedule.wake(&now),
            Event::Poke => self.ask_again = true,
            Event::Wake => {}
            Event::HttpDone { id, reply } => self.http_done(now, entropy, &mut effects, id, reply),
        }
        self.go_on(now, entropy, &mut effects);
        effects
    }

    /// Runs work in one transaction; on failure everything it touched is as before, in the file and in memory.
    fn transact<T>(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut Step<'_>) -> Result<T>,
    ) -> Result<T> {
        let before = self.device.clone();
        let mut damaged = BTreeSet::new();
        let done = self.transact_inner(now, entropy, effects, &mut damaged, work);
        if done.is_ok() && has_new_tokens(&before, &self.device) {
            // Enrolled again: it goes on by itself.
            self.schedule.halted = false;
        }
        if done.is_err() {
            self.device = before;
            self.documents.rolled_back();
            self.set_aside(&damaged, effects);
        }
        done
    }

    fn transact_inner<T>(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        damaged: &mut BTreeSet<DocumentId>,
        work: impl FnOnce(&mut Step<'_>) -> Result<T>,
    ) -> Result<T> {
        let transaction = self
            .store
            .connection()
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let version: i64 = transaction
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(StoreError::from)?;
        if version != self.data_version {
            // Another process committed: what is in memory may be old.
            self.data_version = version;
            self.documents.clear();
            self.device = Device::load(&transaction, entropy)?;
        }
        let mut step = Step {
            transaction: &transaction,
            now,
            entropy,
            device: &mut self.device,
            documents: &mut self.documents,
            kinds: &self.kinds,
            changes: Changes::default(),
            damaged: BTreeSet::new(),
        };
        let worked = work(&mut step);
        damaged.append(&mut step.damaged);
        let changes = std::mem::take(&mut step.changes);
        let value = worked?;
        self.device.store_counters(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        self.documents.committed();
        if !changes.is_empty() {
            effects.push(Effect::Changed(changes));
        }
        Ok(value)
    }

    /// Damaged documents are set aside, alone; the rest works.
    fn set_aside(&mut self, damaged: &BTreeSet<DocumentId>, effects: &mut Vec<Effect>) {
        for id in damaged {
            self.documents.evict(id);
            match documents::set_health(self.store.connection(), id, DocumentHealth::Quarantined) {
                Ok(()) => effects.push(Effect::Log(LogEvent::DocumentSetAside(*id))),
                Err(_) => effects.push(Effect::Log(LogEvent::Failed(Code::StoreUnavailable))),
            }
        }
    }

    /// What to do next by itself: a slice of an answer, a request, or a time to wake.
    fn go_on(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        if self.pending.is_some() {
            effects.push(Effect::Continue);
            return;
        }
        if self.in_flight.is_some() {
            return;
        }
        let has_tokens = self
            .device
            .enrolment
            .as_ref()
            .is_some_and(|enrolment| enrolment.tokens.is_some());
        if !has_tokens {
            self.ask_again = false;
            self.report(
                SyncReport::NeedsPerson {
                    code: match self.device.enrolment {
                        None => Code::NotEnrolled,
                        Some(_) => Code::Unauthenticated,
                    },
                },
                effects,
            );
            return;
        }
        if self.schedule.halted {
            self.ask_again = false;
            self.report(
                SyncReport::NeedsPerson {
                    code: Code::Unauthenticated,
                },
                effects,
            );
            return;
        }
        if !self.may_send {
            self.ask_again = false;
            let code = Some(Code::SyncElsewhere.as_str().to_owned());
            self.report(
                SyncReport::AgainLater {
                    at_boot_ms: now.boot_ms,
                    code,
                },
                effects,
            );
            return;
        }
        let wanted = self.ask_again || (self.automatic && self.has_reason(&now));
        if !wanted {
            let report = self.done_report(&now);
            self.report(report, effects);
            if self.automatic {
                effects.push(Effect::WakeAt {
                    boot_ms: self.next_wake(&now),
                });
            }
            return;
        }
        if !self.schedule.is_due(&now) {
            self.report(
                SyncReport::AgainLater {
                    at_boot_ms: self.schedule.due_boot_ms,
                    code: self.failure_code(),
                },
                effects,
            );
            self.ask_again = false;
            if self.automatic {
                effects.push(Effect::WakeAt {
                    boot_ms: self.schedule.due_boot_ms,
                });
            }
            return;
        }
        self.ask(now, entropy, effects);
    }

    fn failure_code(&self) -> Option<String> {
        self.schedule.failure.as_ref().map(|failure| failure.code.clone())
    }

    fn due_ms(now: &Now) -> i64 {
        i64::try_from(now.boot_ms).unwrap_or(i64::MAX)
    }

    fn has_reason(&mut self, now: &Now) -> bool {
        let polled = self
            .last_poll_boot_ms
            .is_some_and(|last| now.boot_ms.saturating_sub(last) < POLL_MS);
        !polled || self.has_due_writes(now)
    }

    /// When the next write becomes due that is not due now.
    fn next_due(&mut self, now: &Now) -> Option<u64> {
        let due = outbox::next_due_ms(self.store.connection(), Self::due_ms(now))
            .ok()
            .flatten();
        due.map(|due| u64::try_from(due).unwrap_or(0))
    }

    fn next_wake(&mut self, now: &Now) -> u64 {
        let poll = self.last_poll_boot_ms.unwrap_or(now.boot_ms) + POLL_MS;
        self.next_due(now)
            .unwrap_or(poll)
            .min(poll)
            .max(self.schedule.due_boot_ms)
            .max(now.boot_ms + 1)
    }

    /// What waits for a time comes before what waits for a person: that is not asked for while work goes on.
    fn done_report(&mut self, now: &Now) -> SyncReport {
        let drawer = crate::store::drawer::count(self.store.connection()).unwrap_or(0);
        let size = self.outbox_size(now);
        let next_due = self.next_due(now);
        match (drawer, size.parked, next_due) {
            (_, _, Some(at_boot_ms)) => SyncReport::AgainLater {
                at_boot_ms,
                code: self.failure_code(),
            },
            (0, 0, None) if size.writes == 0 => SyncReport::Done,
            (0, 0, None) => SyncReport::AgainLater {
                at_boot_ms: now.boot_ms,
                code: self.failure_code(),
            },
            (0, _, None) => SyncReport::NeedsPerson {
                code: self.parked_code(),
            },
            _ => SyncReport::NeedsPerson {
                code: Code::PolicyRefused,
            },
        }
    }

    /// Why the first parked write is.
    fn parked_code(&mut self) -> Code {
        let reason = outbox::first_parked_reason(self.store.connection());
        let reason = reason.ok().flatten().unwrap_or_default();
        Code::parse(&reason).unwrap_or(Code::AppTooOld)
    }

    fn outbox_size(&mut self, now: &Now) -> outbox::OutboxSize {
        let before = now.wall_ms - crate::limits::STUCK_AGE_MS;
        outbox::size(self.store.connection(), crate::limits::STUCK_ATTEMPTS, before).unwrap_or_default()
    }

    fn report(&mut self, report: SyncReport, effects: &mut Vec<Effect>) {
        for waiter in std::mem::take(&mut self.waiters) {
            let report = report.clone();
            effects.push(Effect::Reply(Box::new(move || waiter(report))));
        }
    }

    fn ask(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        self.ask_again = false;
        self.last_poll_boot_ms = Some(now.boot_ms);
        let schedule = self.schedule.clone();
        let wish = Wish {
            own_in_full: self.own_in_full,
            raw: self.raw,
            with_refresh: self.with_refresh,
            unmarked: false,
        };
        let mut asked = self.transact(now, entropy, effects, |step| build_request(step, &schedule, wish));
        if asked.as_ref().is_err_and(|error| error.code == Code::DiskFull) {
            let unmarked = Wish {
                unmarked: true,
                ..wish
            };
            asked = self.transact(now, entropy, effects, |step| {
                build_request(step, &schedule, unmarked)
            });
        }
        let (asked, enrolment) = match (asked, self.device.enrolment.clone()) {
            (Ok(asked), Some(enrolment)) => (asked, enrolment),
            (Err(error), _) => {
                self.schedule.failed(&now, error.code.as_str(), 0, 0, entropy);
                effects.push(Effect::Log(LogEvent::Failed(error.code)));
                return self.report(
                    SyncReport::AgainLater {
                        at_boot_ms: self.schedule.due_boot_ms,
                        code: Some(error.code.as_str().into()),
                    },
                    effects,
                );
            }
            (Ok(_), None) => return,
        };
        let id = self.next_request;
        self.next_request += 1;
        let request = HttpRequest {
            server: enrolment.server.clone(),
            authority: enrolment.authority.map(|authority| *authority),
            method: "POST",
            path: PATH_SYNC,
            // The refresh token in the body proves as much: an ended access token need not travel.
            bearer: match asked.request.refresh {
                Some(_) => None,
                None => enrolment.tokens.map(|tokens| tokens.access.clone()),
            },
            content_type: Encoding::Vereda.media_type(),
            body: encode_body(&asked.request, Encoding::Vereda),
        };
        effects.push(Effect::Log(LogEvent::Asked {
            writes: asked.pushed.len(),
            bytes: request.body.len(),
        }));
        self.in_flight = Some((id, asked));
        effects.push(Effect::Http { id, request });
    }

    fn http_done(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        id: u64,
        reply: Result<Reply, TransportError>,
    ) {
        // A reply to a request that was given up says nothing.
        if self.in_flight.as_ref().is_none_or(|(waiting, _)| *waiting != id) {
            return;
        }
        let Some((_, asked)) = self.in_flight.take() else {
            return;
        };
        match classify(&reply) {
            Verdict::Message => self.take_message(
                now,
                entropy,
                effects,
                asked,
                reply.map(|reply| reply.body).unwrap_or_default(),
            ),
            Verdict::Reused => self.take_another_key(now, entropy, effects, &asked),
            verdict => {
                let retry_after = match &reply {
                    Ok(Reply {
                        retry_after: Some(value),
                        ..
                    }) => retry_after_ms(value, self.device.server_ms(&now).unwrap_or(now.wall_ms)),
                    _ => 0,
                };
                self.give_back(now, entropy, effects, &asked);
                let code = match &verdict {
                    Verdict::Retry { code } | Verdict::Authenticate { code } | Verdict::Reject { code } => {
                        code
                    }
                    Verdict::ScopeLost => "out_of_scope",
                    Verdict::Split => "too_large",
                    _ => "protocol_unsupported",
                };
                let blamed = may_be_of_its_writes(&reply);
                self.failed(now, entropy, effects, &asked, &verdict, code, retry_after, blamed);
            }
        }
        self.keep_schedule(effects);
    }

    /// The one write of the request has another one's number at the server.
    fn take_another_key(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asked: &Asked,
    ) {
        let taken = self.transact(now, entropy, effects, |step| {
            for n in &asked.pushed {
                if let Some(row) = outbox::get(step.transaction, *n)? {
                    crate::outbox::take_another_key(step, &row)?;
                }
            }
            Ok(())
        });
        match taken {
            Ok(()) => {
                effects.push(Effect::Log(LogEvent::Forked));
                self.schedule.succeeded(&now, asked.pushed.len());
                self.ask_again = true;
            }
            Err(error) => {
                self.give_back(now, entropy, effects, asked);
                let code = error.code.as_str();
                let verdict = Verdict::Retry { code };
                self.failed(now, entropy, effects, asked, &verdict, code, 0, false);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one failure, told once")]
    fn failed(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asked: &Asked,
        verdict: &Verdict,
        code: &str,
        retry_after: u64,
        blamed: bool,
    ) {
        let pushed = asked.pushed.len();
        effects.push(Effect::Log(LogEvent::RequestFailed {
            code: code.to_owned(),
            failures: self.schedule.failures + 1,
        }));
        match verdict {
            Verdict::Split if pushed > 1 => {
                self.schedule.split(pushed);
                self.ask_again = true;
                return;
            }
            Verdict::Split | Verdict::Reject { .. } if pushed == 1 => {
                let n = asked.pushed[0];
                let code = code.to_owned();
                let parked = self.transact(now, entropy, effects, |step| {
                    Ok(outbox::set_state(
                        step.transaction,
                        n,
                        outbox::WriteState::Parked,
                        Some(&code),
                    )?)
                });
                if parked.is_ok() {
                    self.ask_again = true;
                    return;
                }
            }
            Verdict::Reject { .. } if pushed > 1 => {
                self.schedule.split(pushed);
                self.ask_again = true;
                return;
            }
            // The access token ended although the clock here said otherwise: the refresh credential decides.
            Verdict::Authenticate {
                code: "unauthenticated",
            } if asked.request.refresh.is_none() => {
                self.with_refresh = true;
                self.ask_again = true;
                return;
            }
            Verdict::Authenticate { .. } | Verdict::Update => self.schedule.halted = true,
            Verdict::ScopeLost => {
                if let Some(enrolment) = self.device.enrolment.as_mut() {
                    enrolment.scope.version = 0;
                }
            }
            _ => {}
        }
        let suspects = if blamed { pushed } else { 0 };
        self.schedule.failed(&now, code, retry_after, suspects, entropy);
        if suspects == 1 {
            self.hold_back(now, entropy, effects, asked.pushed[0], code);
        }
        let report = match verdict {
            Verdict::Authenticate { code } => SyncReport::NeedsPerson {
                code: Code::parse(code).unwrap_or(Code::Unauthenticated),
            },
            Verdict::Update => SyncReport::NeedsPerson {
                code: Code::ProtocolUnsupported,
            },
            _ => SyncReport::AgainLater {
                at_boot_ms: self.schedule.due_boot_ms,
                code: Some(code.to_owned()),
            },
        };
        self.report(report, effects);
    }

    /// A write that failed alone so often travels alone, on its own deadline, and blocks no other lane.
    fn hold_back(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        n: u64,
        code: &str,
    ) {
        let failed_often = self.schedule.batch_failures >= outbox::ALONE_ATTEMPTS;
        let code = code.to_owned();
        let held = self.transact(now, entropy, effects, |step| {
            let Some(row) = outbox::get(step.transaction, n)? else {
                return Ok(false);
            };
            if row.attempts < outbox::ALONE_ATTEMPTS && !failed_often {
                return Ok(false);
            }
            let attempts = row.attempts.max(outbox::ALONE_ATTEMPTS - 1) + 1;
            let delay_ms =
                crate::sync::retry_delay_ms(attempts + 1, crate::limits::RETRY_DELAY_MS_BASE, step.entropy);
            let due = Self::due_ms(&step.now).saturating_add(delay_ms as i64);
            step.changes.queue = true;
            outbox::set_retry(step.transaction, n, attempts, due, &code)?;
            Ok(true)
        });
        match held {
            Ok(true) => self.schedule.batch_failures = 0,
            Ok(false) => {}
            Err(error) => effects.push(Effect::Log(LogEvent::Failed(error.code))),
        }
    }

    fn give_back(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>, asked: &Asked) {
        if asked.pushed.is_empty() {
            return;
        }
        let recalled = self.transact(now, entropy, effects, |step| recall(step, asked));
        if let Err(error) = recalled {
            // They are pending again at the next open; nothing is lost.
            effects.push(Effect::Log(LogEvent::Failed(error.code)));
        }
    }

    fn take_message(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asked: Asked,
        body: Vec<u8>,
    ) {
        let bytes = body.len();
        let answer: Result<SyncAnswer> = decode_body(&body, Encoding::Vereda)
            .map_err(|_| SyncError::new(Code::NotOurServer, "the body is not an answer"));
        let mut copied = false;
        let checked = answer.and_then(|answer| {
            self.transact(now, entropy, effects, |step| {
                copied = crate::sync::is_copy(step, &asked, &answer)?;
                check_answer(step, asked.clone(), answer)
            })
        });
        match checked {
            Ok(pending) => {
                effects.push(Effect::Log(LogEvent::Answered {
                    items: pending.total,
                    bytes,
                }));
                self.pending = Some(pending);
            }
            Err(error) => {
                self.give_back(now, entropy, effects, &asked);
                if copied && self.begin_incarnation(now, entropy, effects) {
                    self.ask_again = true;
                    return;
                }
                // An own item that is not as the server has it (a lost answer, then another encoding): pull it whole.
                let first_time = !self.own_in_full;
                self.own_in_full = first_time;
                if first_time
                    && matches!(error.code, Code::MissingDependency | Code::NotOurServer)
                    && !asked.own_in_full
                {
                    self.ask_again = self.schedule.failures == 0;
                }
                if !self.ask_again {
                    let code = error.code.as_str();
                    let verdict = Verdict::Retry { code };
                    self.failed(now, entropy, effects, &asked, &verdict, code, 0, false);
                }
            }
        }
    }

    /// This file is a copy of one that went on elsewhere: before anything else it takes a name of its own.
    fn begin_incarnation(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) -> bool {
        match self.transact(now, entropy, effects, crate::outbox::fork) {
            Ok(()) => {
                effects.push(Effect::Log(LogEvent::Forked));
                true
            }
            Err(error) => {
                effects.push(Effect::Log(LogEvent::Failed(error.code)));
                false
            }
        }
    }

    /// Applies the next slice of the answer under way. The host calls it when people's commands are done.
    pub fn continue_pending(&mut self, now: Now, entropy: &mut dyn Entropy) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(mut pending) = self.pending.take() {
            let mut asked_raw = false;
            let applied = self.transact(now, entropy, &mut effects, |step| {
                match apply_slice(step, &mut pending)? {
                    SliceResult::NeedRaw => {
                        asked_raw = true;
                        Err(SyncError::from(Code::EncodingMismatch))
                    }
                    result => Ok(result),
                }
            });
            match applied {
                Ok(SliceResult::More) => {
                    effects.push(Effect::Progress {
                        applied: pending.applied,
                        total: pending.total,
                    });
                    self.pending = Some(pending);
                }
                Ok(SliceResult::Done { more }) => {
                    effects.push(Effect::Progress {
                        applied: pending.applied,
                        total: pending.total,
                    });
                    self.own_in_full = false;
                    self.raw = false;
                    self.with_refresh = false;
                    self.schedule.succeeded(&now, pending.pushed());
                    self.ask_again = more || pending.asked().own_in_full || self.has_due_writes(&now);
                }
                Ok(SliceResult::Forked) => {
                    effects.push(Effect::Log(LogEvent::Forked));
                    self.ask_again = true;
                }
                Ok(SliceResult::NeedRaw) => {}
                Err(error) => {
                    let again = asked_raw && !self.raw;
                    self.raw = asked_raw;
                    effects.push(Effect::Log(LogEvent::Failed(error.code)));
                    self.give_back(now, entropy, &mut effects, pending.asked());
                    if again {
                        self.ask_again = true;
                    } else {
                        self.schedule.failed(&now, error.code.as_str(), 0, 0, entropy);
                        self.ask_again = !self.waiters.is_empty();
                    }
                }
            }
            self.keep_schedule(&mut effects);
        }
        self.go_on(now, entropy, &mut effects);
        effects
    }

    fn has_due_writes(&mut self, now: &Now) -> bool {
        outbox::due(self.store.connection(), Self::due_ms(now), 1).is_ok_and(|rows| !rows.is_empty())
    }

    fn keep_schedule(&mut self, effects: &mut Vec<Effect>) {
        if meta::set(self.store.connection(), "schedule", &self.schedule).is_err() {
            effects.push(Effect::Log(LogEvent::Failed(Code::StoreUnavailable)));
        }
    }

    /// The file may not grow any more, or again: a full disk, for tests.
    #[cfg(feature = "testing")]
    pub fn limit_pages(&mut self, full: bool) {
        let most = if full { "1" } else { "4294967294" };
        // A limit under the pages there are is raised to them by SQLite.
        let _ = self
            .store
            .connection()
            .pragma_update_and_check(None, "max_page_count", most, |_| Ok(()));
    }

    /// The state of synchronising, for a screen.
    pub fn status(&mut self, now: &Now) -> Status {
        status::read(self, now)
    }
}

fn has_new_tokens(before: &Device, now: &Device) -> bool {
    let tokens = |device: &Device| {
        device
            .enrolment
            .as_ref()
            .and_then(|enrolment| enrolment.tokens.clone())
    };
    tokens(now).is_some_and(|new| tokens(before) != Some(new))
}

/// Whether a failure may come from what the request carried: it arrived and was not answered as it should.
fn may_be_of_its_writes(reply: &Result<Reply, TransportError>) -> bool {
    match reply {
        Ok(reply) => matches!(reply.status, 413 | 500..=502 | 504..=510),
        Err(error) => matches!(error, TransportError::TimedOut | TransportError::Cut),
    }
}

fn schedule_limit(now: &Now) -> i64 {
    i64::try_from(now.boot_ms + crate::limits::RETRY_DELAY_MS_MAX).unwrap_or(i64::MAX)
}
