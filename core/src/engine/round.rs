//! What the engine does next by itself: a slice, a request, a time to wake; and what it reports of a round.

use super::first_sync::SlotState;
use super::*;

impl Engine {
    /// What to do next by itself: a slice of an answer, a request, or a time to wake.
    pub(super) fn go_on(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        self.end_waits(&now, effects);
        let slot = self.slot_move(now, effects);
        self.next_move(now, entropy, effects, slot);
        if let Some(first) = self.waiters.iter().map(|waiter| waiter.until_boot_ms).min() {
            let asked = effects.iter().find_map(|effect| match effect {
                Effect::WakeAt { boot_ms } => Some(*boot_ms),
                _ => None,
            });
            effects.push(Effect::WakeAt {
                boot_ms: asked.unwrap_or(first).min(first),
            });
        }
    }

    /// Answers those whose time is up.
    fn end_waits(&mut self, now: &Now, effects: &mut Vec<Effect>) {
        let is_over = |waiter: &mut Waiter| waiter.until_boot_ms <= now.boot_ms;
        let over: Vec<Waiter> = self.waiters.extract_if(.., is_over).collect();
        for waiter in over {
            let report = SyncReport::AgainLater {
                at_boot_ms: self.schedule.due_boot_ms.max(now.boot_ms),
                code: self.failure_code(),
            };
            effects.push(Effect::Reply(Box::new(move || (waiter.reply)(report))));
        }
    }

    fn next_move(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>, slot: SlotState) {
        if self.pending.is_some() {
            if !self.pending_is_blocked() {
                effects.push(Effect::Continue);
                return;
            }
            if slot == SlotState::Busy {
                return;
            }
            self.drop_blocked_answer(now, entropy, effects);
        }
        if self.device.departures.is_some() && !self.departures_failed {
            effects.push(Effect::Continue);
            return;
        }
        if self.resync_marks() && !self.resync_failed {
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
                &now,
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
                &now,
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
                &now,
                SyncReport::AgainLater {
                    at_boot_ms: now.boot_ms,
                    code,
                },
                effects,
            );
            if self.automatic {
                // The other process may end without a word: the right to send is asked for again.
                effects.push(Effect::WakeAt {
                    boot_ms: now.boot_ms + POLL_MS,
                });
            }
            return;
        }
        let wanted = if self.automatic {
            self.ask_again || self.has_reason(&now)
        } else {
            self.ask_again && (!self.waiters.is_empty() || self.digest_is_awaited())
        } || (slot == SlotState::Idle && self.digest_wants_roots());
        let waits = slot == SlotState::Waits && !self.schedule.is_due(&now);
        if !wanted && slot == SlotState::Busy {
            if self.automatic {
                effects.push(Effect::WakeAt {
                    boot_ms: self.next_wake(&now),
                });
            }
            return;
        }
        if !wanted && !waits {
            self.resync_idle(now, entropy, effects);
            self.mend_unapplied();
            self.tell_done(&now, effects);
            if self.move_digest(now, entropy, effects) {
                return self.ask(now, entropy, effects);
            }
            self.tell_done(&now, effects);
            if self.automatic {
                effects.push(Effect::WakeAt {
                    boot_ms: self.next_wake(&now),
                });
            }
            return;
        }
        if !self.schedule.is_due(&now) {
            self.report(
                &now,
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

    /// Answers those who wait, once what could not be applied is fetched, too.
    fn tell_done(&mut self, now: &Now, effects: &mut Vec<Effect>) {
        // Counting the queue walks all of it: only for somebody who asked, never after every step.
        if !self.waiters.is_empty() && !self.is_mending() {
            let report = self.done_report(now);
            self.answer_waiters(&report, effects);
        }
    }

    /// A comparison's next move; says whether it needs a sync first.
    fn move_digest(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) -> bool {
        let asked_before = self.ask_again;
        self.digest_move(now, entropy, effects);
        let needs_sync = self.digest_wants_roots() || (self.ask_again && !asked_before);
        if !needs_sync || self.schedule.is_due(&now) {
            return needs_sync;
        }
        let report = SyncReport::AgainLater {
            at_boot_ms: self.schedule.due_boot_ms,
            code: self.failure_code(),
        };
        self.digest_failed(&now, &report, effects);
        false
    }

    pub(super) fn failure_code(&self) -> Option<String> {
        self.schedule.failure.as_ref().map(|failure| failure.code.clone())
    }

    pub(super) fn due_ms(now: &Now) -> i64 {
        i64::try_from(now.boot_ms).unwrap_or(i64::MAX)
    }

    pub(super) fn has_reason(&mut self, now: &Now) -> bool {
        let polled = self
            .last_poll_boot_ms
            .is_some_and(|last| now.boot_ms.saturating_sub(last) < POLL_MS);
        !polled || self.has_due_writes(now)
    }

    /// When the next write becomes due that is not due now.
    pub(super) fn next_due(&mut self, now: &Now) -> Option<u64> {
        let due = outbox::next_due_ms(self.store.connection(), Self::due_ms(now))
            .ok()
            .flatten();
        due.map(|due| u64::try_from(due).unwrap_or(0))
    }

    pub(super) fn next_wake(&mut self, now: &Now) -> u64 {
        let poll = self.last_poll_boot_ms.unwrap_or(now.boot_ms) + POLL_MS;
        self.next_due(now)
            .unwrap_or(poll)
            .min(poll)
            .max(self.schedule.due_boot_ms)
            .max(now.boot_ms + 1)
    }

    /// What waits for a time comes before what waits for a person: that is not asked for while work goes on.
    pub(super) fn done_report(&mut self, now: &Now) -> SyncReport {
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
    pub(super) fn parked_code(&mut self) -> Code {
        let reason = outbox::first_parked_reason(self.store.connection());
        let reason = reason.ok().flatten().unwrap_or_default();
        Code::parse(&reason).unwrap_or(Code::AppTooOld)
    }

    pub(super) fn outbox_size(&mut self, now: &Now) -> outbox::OutboxSize {
        let before = now.wall_ms - crate::limits::STUCK_AGE_MS;
        outbox::size(self.store.connection(), crate::limits::STUCK_ATTEMPTS, before).unwrap_or_default()
    }

    /// Tells who waits how a round ended that could not go to its end.
    pub(super) fn report(&mut self, now: &Now, report: SyncReport, effects: &mut Vec<Effect>) {
        self.digest_failed(now, &report, effects);
        self.answer_waiters(&report, effects);
    }

    fn answer_waiters(&mut self, report: &SyncReport, effects: &mut Vec<Effect>) {
        for waiter in std::mem::take(&mut self.waiters) {
            let report = report.clone();
            effects.push(Effect::Reply(Box::new(move || (waiter.reply)(report))));
        }
    }
}
