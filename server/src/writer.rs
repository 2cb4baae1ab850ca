//! The one writer: whoever asks puts a job into the queue and waits for the store; the one who gets it carries out
//! every job that waits in one transaction (group commit). Nobody sees an answer before its commit.

use crate::cache::DocumentCache;
use crate::entropy::SeededEntropy;
use crate::exchange::ServerNow;
use crate::refusal::Refusal;
use crate::server::{Poke, Shared};
use crate::store::ServerStore;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests in one transaction. A bound on how long the first one waits for the last.
const GROUP_MAX: usize = 64;

/// What a job has in hand while it runs.
pub(crate) struct Session<'a> {
    pub(crate) store: &'a mut dyn ServerStore,
    pub(crate) documents: &'a mut DocumentCache,
    pub(crate) shared: &'a Shared,
    pub(crate) now: ServerNow,
    pub(crate) entropy: SeededEntropy,
    /// Streams that grew: told to listeners after the commit.
    pub(crate) pokes: Vec<Poke>,
    /// Whether a loaded document was changed: if the session fails it holds what the store does not.
    pub(crate) has_changed_documents: bool,
}

/// Why something inside a savepoint was undone.
pub(crate) enum Undone<E> {
    /// It said so itself.
    Failed(E),
    /// It panicked, or the store failed under it.
    Fault,
}

impl Session<'_> {
    /// Runs something in a savepoint: a failure or a panic undoes what it did, and nothing else.
    pub(crate) fn isolated<T, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, Undone<E>> {
        let pokes = self.pokes.len();
        if self.store.savepoint().is_err() {
            return Err(Undone::Fault);
        }
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let done = match done {
            Ok(Ok(value)) => match self.store.release() {
                Ok(()) => return Ok(value),
                Err(_) => Err(Undone::Fault),
            },
            Ok(Err(error)) => Err(Undone::Failed(error)),
            Err(_) => {
                tracing::error!("a panic was caught and its effects undone");
                self.documents.clear();
                Err(Undone::Fault)
            }
        };
        self.pokes.truncate(pokes);
        match self.store.revert() {
            Ok(()) => done,
            Err(_) => {
                self.documents.clear();
                Err(Undone::Fault)
            }
        }
    }
}

/// A job and what comes out of it.
pub(crate) trait Job: Send {
    /// What comes out.
    type Answer: Send;
    /// Carries it out. It may be run on any thread, once.
    fn run(self, session: &mut Session<'_>) -> Result<Self::Answer, Refusal>;
}

struct Ticket<J: Job> {
    waiting: Mutex<Option<(J, ServerNow, [u8; 32])>>,
    /// What is logged while it is carried out belongs to its request.
    span: tracing::Span,
    done: Mutex<Option<Result<J::Answer, Refusal>>>,
}

struct Core {
    store: Box<dyn ServerStore>,
    documents: DocumentCache,
}

/// The queue and the store behind it.
pub(crate) struct Writer<J: Job> {
    queue: Mutex<VecDeque<Arc<Ticket<J>>>>,
    core: Mutex<Core>,
}

/// A lock whose holder panicked is taken all the same: what it guards is undone or evicted by whoever failed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<J: Job> Writer<J> {
    pub(crate) fn new(store: Box<dyn ServerStore>) -> Self {
        Self {
            queue: Mutex::default(),
            core: Mutex::new(Core {
                store,
                documents: DocumentCache::default(),
            }),
        }
    }

    /// Carries out a job, together with what else waits. Blocks until it is durable.
    pub(crate) fn submit(
        &self,
        shared: &Shared,
        job: J,
        now: ServerNow,
        seed: [u8; 32],
    ) -> Result<J::Answer, Refusal> {
        let ticket = Arc::new(Ticket {
            waiting: Mutex::new(Some((job, now, seed))),
            span: tracing::Span::current(),
            done: Mutex::new(None),
        });
        lock(&self.queue).push_back(Arc::clone(&ticket));
        let mut core = lock(&self.core);
        loop {
            if let Some(done) = lock(&ticket.done).take() {
                return done;
            }
            let group: Vec<_> = {
                let mut queue = lock(&self.queue);
                let count = queue.len().min(GROUP_MAX);
                queue.drain(..count).collect()
            };
            if group.is_empty() {
                return Err(Refusal::internal("a request was lost"));
            }
            core.carry_out(shared, group);
        }
    }
}

impl Core {
    fn carry_out<J: Job>(&mut self, shared: &Shared, group: Vec<Arc<Ticket<J>>>) {
        let jobs: Vec<_> = group
            .into_iter()
            .filter_map(|ticket| {
                let waiting = lock(&ticket.waiting).take();
                waiting.map(|waiting| (ticket, waiting))
            })
            .collect();
        let Some((_, (_, _, seed))) = jobs.first() else {
            return;
        };
        match self.store.begin(*seed) {
            Ok(true) => {
                self.documents.clear();
                shared.note_written_elsewhere();
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "no transaction could begin");
                for (ticket, _) in &jobs {
                    *lock(&ticket.done) = Some(Err(Refusal::unavailable("the store is busy", 1)));
                }
                return;
            }
        }
        let mut pokes = Vec::new();
        let mut answers = Vec::with_capacity(jobs.len());
        for (ticket, (job, now, seed)) in jobs {
            let mut session = Session {
                store: self.store.as_mut(),
                documents: &mut self.documents,
                shared,
                now,
                entropy: SeededEntropy::new(seed),
                pokes: Vec::new(),
                has_changed_documents: false,
            };
            let answer = match ticket
                .span
                .in_scope(|| session.isolated(|session| job.run(session)))
            {
                Ok(answer) => {
                    pokes.append(&mut session.pokes);
                    Ok(answer)
                }
                Err(Undone::Failed(refusal)) => {
                    if session.has_changed_documents {
                        session.documents.clear();
                    }
                    Err(refusal)
                }
                Err(Undone::Fault) => {
                    session.documents.clear();
                    Err(Refusal::internal("a fault inside the server"))
                }
            };
            answers.push((ticket, answer));
        }
        if let Err(error) = self.store.commit() {
            tracing::error!(%error, "a group was not committed");
            self.store.rollback();
            self.documents.clear();
            for (ticket, _) in answers {
                *lock(&ticket.done) = Some(Err(Refusal::unavailable("the store did not commit", 5)));
            }
            return;
        }
        for (ticket, answer) in answers {
            *lock(&ticket.done) = Some(answer);
        }
        shared.poke(&pokes);
    }
}
