//! The owner's mailbox: people's commands go before everything else, and slices of answers come last.

use crate::engine::Event;
use crate::limits::WATCHER_CHANGES_MAX;
use crate::step::Changes;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

#[derive(Default)]
struct Queues {
    commands: VecDeque<Event>,
    events: VecDeque<Event>,
    closed: bool,
}

/// What the owner does next.
#[derive(Debug)]
pub enum Next {
    /// Takes an event.
    Event(Event),
    /// Nothing came in the time given (or nothing waits, with no time given).
    Nothing,
    /// Stops.
    Closed,
}

/// The mailbox.
pub struct Mailbox {
    queues: Mutex<Queues>,
    came: Condvar,
    changes: broadcast::Sender<Changes>,
    progress: watch::Sender<(usize, usize)>,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox")
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            queues: Mutex::default(),
            came: Condvar::new(),
            changes: broadcast::channel(WATCHER_CHANGES_MAX).0,
            progress: watch::channel((0, 0)).0,
        }
    }
}

impl Mailbox {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        // A thread that panicked while it held the lock left the queues whole: every change of them is one call.
        self.queues
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts an event in; false when the mailbox is closed.
    pub fn post(&self, event: Event) -> bool {
        let mut queues = self.queues();
        if queues.closed {
            return false;
        }
        match event {
            Event::Command(_) | Event::Status(_) => queues.commands.push_back(event),
            event => queues.events.push_back(event),
        }
        drop(queues);
        self.came.notify_one();
        true
    }

    /// Takes the next event; waits for it up to `wait` (for ever when `None`).
    pub fn next(&self, wait: Option<Duration>) -> Next {
        let mut queues = self.queues();
        loop {
            if let Some(event) = queues.commands.pop_front().or_else(|| queues.events.pop_front()) {
                return Next::Event(event);
            }
            if queues.closed {
                return Next::Closed;
            }
            match wait {
                Some(Duration::ZERO) => return Next::Nothing,
                Some(wait) => {
                    let (guard, timed_out) = self
                        .came
                        .wait_timeout(queues, wait)
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    queues = guard;
                    if timed_out.timed_out() && queues.commands.is_empty() && queues.events.is_empty() {
                        return if queues.closed {
                            Next::Closed
                        } else {
                            Next::Nothing
                        };
                    }
                }
                None => {
                    queues = self
                        .came
                        .wait(queues)
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                }
            }
        }
    }

    /// Takes no more events; those inside are still handled.
    pub fn close(&self) {
        self.queues().closed = true;
        self.came.notify_all();
    }

    /// Tells who watches. A watcher that is too slow starts anew.
    pub fn tell(&self, changes: Changes) {
        // Nobody may be watching.
        let _ = self.changes.send(changes);
    }

    /// Tells how far an answer is applied.
    pub fn tell_progress(&self, applied: usize, total: usize) {
        self.progress.send_replace((applied, total));
    }

    pub(super) fn watch(&self) -> broadcast::Receiver<Changes> {
        self.changes.subscribe()
    }

    pub(super) fn progress(&self) -> watch::Receiver<(usize, usize)> {
        self.progress.subscribe()
    }
}
