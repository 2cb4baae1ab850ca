//! The engine: `step(now, entropy, event) -> effects`, each step in one SQLite transaction. The only place that
//! composes the floor below. A crash after the commit equals a lost request; a step that does not commit evicts
//! every document it touched.

mod command;
mod digest;
mod effect;
mod exchange;
mod first_sync;
mod give_back;
mod pending;
mod resync;
mod round;
mod status;

pub use command::{Command, command};
pub use digest::DigestWaiter;
pub use effect::{Effect, Event, HttpRequest, LogEvent, SyncReport, Waiter};
pub use status::{Completeness, Status};

use crate::device::Device;
use crate::entropy::Entropy;
use crate::error::{Code, Result, SyncError};
use crate::id::DocumentId;
use crate::outbox::release_updated;
use crate::protocol::{Encoding, PATH_SYNC, PATH_TAIL, SyncAnswer, decode_body, encode_body};
use crate::record::KindRegistry;
use crate::reference;
use crate::replica::DocumentCache;
use crate::step::{Changes, Step};
use crate::store::documents::{self, DocumentHealth};
use crate::store::entry_counts::CountChanges;
use crate::store::{Location, Store, StoreError, StoreKey, departed, meta, outbox};
use crate::sync::{
    Asked, PendingAnswer, Reply, Schedule, SliceResult, TransportError, Verdict, Wish, apply_outcomes,
    apply_slice, build_request, check_answer, classify, recall, retry_after_ms,
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
    /// The kinds the app was built with.
    app_kinds: KindRegistry,
    /// The same with the tenant's own.
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
    departures_failed: bool,
    resync_failed: bool,
    last_poll_boot_ms: Option<u64>,
    slot: first_sync::Slot,
    comparing: digest::Comparing,
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
    /// The kinds of entries the app was built with; the tenant's own come beside them.
    pub kinds: KindRegistry,
    /// Whether it synchronises by itself, or only when asked.
    pub automatic: bool,
}

impl Engine {
    /// Opens a store. What was in flight is pending again; bytes from outside that
    /// were being opened when the process died are not opened again.
    ///
    /// # Errors
    /// `store_locked`, `store_too_new`, `store_damaged`, `disk_full`.
    pub fn open(options: EngineOptions, now: Now, entropy: &mut dyn Entropy) -> Result<Self> {
        let mut store = Store::open(&options.location, &options.key)?;
        let transaction = store
            .connection()
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        documents::note_interrupted_loads(&transaction)?;
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
        let kinds = reference::kinds(&transaction, &options.kinds)?;
        release_updated(&transaction, &kinds)?;
        let comparing = digest::Comparing::open(&transaction, &now)?;
        transaction.commit().map_err(StoreError::from)?;
        let data_version = store.data_version()?;
        Ok(Self {
            store,
            device,
            documents: DocumentCache::default(),
            app_kinds: options.kinds,
            kinds,
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
            departures_failed: false,
            resync_failed: false,
            last_poll_boot_ms: None,
            slot: first_sync::Slot::default(),
            comparing,
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
                let resyncs = self.device.resync.is_some();
                let ran = self.transact(now, entropy, &mut effects, |step| command.run(step));
                effects.push(Effect::Reply(Box::new(move || command.finish(ran))));
                self.ask_again |= !resyncs && self.device.resync.is_some();
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
                self.mend_again();
            }
            Event::Digest(waiter) => {
                self.digest_now(waiter);
                self.schedule.wake(&now);
                self.schedule.halted = false;
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
            self.kinds = reference::kinds(&transaction, &self.app_kinds)?;
        }
        let mut step = Step {
            transaction: &transaction,
            now,
            entropy,
            device: &mut self.device,
            documents: &mut self.documents,
            kinds: &self.kinds,
            changes: Changes::default(),
            counts: CountChanges::default(),
            damaged: BTreeSet::new(),
            awaited: BTreeSet::new(),
        };
        let worked = work(&mut step);
        damaged.append(&mut step.damaged);
        self.slot.wanted.append(&mut step.awaited);
        let (changes, counts) = (
            std::mem::take(&mut step.changes),
            std::mem::take(&mut step.counts),
        );
        let value = worked?;
        counts.write(&transaction)?;
        self.device.store_counters(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        self.documents.committed();
        self.digest_note(&changes);
        if changes.reference {
            self.take_kinds(effects);
        }
        if !changes.is_empty() {
            effects.push(Effect::Changed(changes));
        }
        Ok(value)
    }

    /// The tenant's kinds may be others now. What was committed stays, whatever becomes of this.
    fn take_kinds(&mut self, effects: &mut Vec<Effect>) {
        let taken = reference::kinds(self.store.connection(), &self.app_kinds)
            .map_err(SyncError::from)
            .and_then(|kinds| {
                self.kinds = kinds;
                release_updated(self.store.connection(), &self.kinds)
            });
        if let Err(error) = taken {
            effects.push(Effect::Log(LogEvent::Failed(error.code)));
        }
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

fn schedule_limit(now: &Now) -> i64 {
    i64::try_from(now.boot_ms + crate::limits::RETRY_DELAY_MS_MAX).unwrap_or(i64::MAX)
}
