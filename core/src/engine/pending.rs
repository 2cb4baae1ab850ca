//! An answer under way into the store, slice by slice.

use super::*;

impl Engine {
    /// Applies the next slice of the answer under way. The host calls it when people's commands are done.
    pub fn continue_pending(&mut self, now: Now, entropy: &mut dyn Entropy) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.pending.is_none() && self.device.departures.is_some() && !self.departures_failed {
            self.continue_departures(now, entropy, &mut effects);
        } else if self.pending.is_none() && self.resync_marks() && !self.resync_failed {
            self.continue_resync(now, entropy, &mut effects);
        } else if self.pending.is_none() && !self.slot_has_work() && self.digest_has_step() {
            self.continue_digest(now, entropy, &mut effects);
        } else if self.pending_is_blocked() {
            self.continue_slot(now, entropy, &mut effects);
        } else if let Some(mut pending) = self.pending.take() {
            let mut asked_raw = false;
            // Its pages wait for documents, its outcomes and tokens for nothing.
            let waits = !self.slot.needed.is_empty();
            let applied = self.transact(now, entropy, &mut effects, |step| {
                let applied = if waits {
                    apply_outcomes(step, &mut pending)?
                } else {
                    apply_slice(step, &mut pending)?
                };
                match applied {
                    SliceResult::NeedRaw => {
                        asked_raw = true;
                        Err(SyncError::from(Code::EncodingMismatch))
                    }
                    result => Ok(result),
                }
            });
            match applied {
                Ok(SliceResult::More) => {
                    self.slot.blocked = false;
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
                    self.departures_failed = false;
                    self.resync_failed = false;
                    if std::mem::take(&mut self.raw) {
                        self.mend_again();
                    }
                    self.with_refresh = false;
                    self.slot.blocked = false;
                    self.schedule.succeeded(&now, pending.pushed());
                    self.ask_again = more || pending.asked().own_in_full || self.has_due_writes(&now);
                    if pending.asked().request.digest && !self.ask_again {
                        self.take_roots(&pending.digests());
                    }
                    self.resync_answered(now, entropy, &mut effects);
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

    /// Takes the next rows of patients who left the scope away; at the end the log is emptied, so that no older page
    /// is left of them either.
    fn continue_departures(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        // Outside of a transaction the pragma holds for all of the next one.
        let taken = departed::overwrite_deleted(self.store.connection(), true)
            .map_err(SyncError::from)
            .and_then(|()| self.transact(now, entropy, effects, crate::replica::continue_departures));
        let settled = departed::overwrite_deleted(self.store.connection(), false);
        let done = taken.and_then(|done| Ok(settled.map(|()| done)?));
        match done {
            Ok(true) => match departed::empty_log(self.store.connection()) {
                Ok(true) => {
                    let ended = self.transact(now, entropy, effects, crate::replica::end_departures);
                    if let Err(error) = ended {
                        self.departures_failed = true;
                        effects.push(Effect::Log(LogEvent::Failed(error.code)));
                    }
                }
                // Another process reads from it. It is tried again with the next answer.
                Ok(false) => self.departures_failed = true,
                Err(error) => {
                    self.departures_failed = true;
                    effects.push(Effect::Log(LogEvent::Failed(SyncError::from(error).code)));
                }
            },
            Ok(false) => {}
            Err(error) => {
                // A full disk, perhaps. It is tried again with the next answer.
                self.departures_failed = true;
                effects.push(Effect::Log(LogEvent::Failed(error.code)));
            }
        }
    }

    pub(super) fn has_due_writes(&mut self, now: &Now) -> bool {
        outbox::due(self.store.connection(), Self::due_ms(now), 1).is_ok_and(|rows| !rows.is_empty())
    }
}
