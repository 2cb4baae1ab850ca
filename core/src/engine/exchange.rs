//! One request and its reply: asking, and what a reply means for the writes in it.

use super::give_back::is_refused_tail;
use super::*;

impl Engine {
    pub(super) fn ask(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        self.ask_again = false;
        self.last_poll_boot_ms = Some(now.boot_ms);
        let schedule = self.schedule.clone();
        let wish = Wish {
            own_in_full: self.own_in_full,
            raw: self.raw,
            with_refresh: self.with_refresh,
            unmarked: false,
            digest: self.digest_wants_roots(),
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
        let (mut asked, enrolment) = match (asked, self.device.enrolment.clone()) {
            (Ok(asked), Some(enrolment)) => (asked, enrolment),
            (Err(error), _) => {
                self.schedule.failed(&now, error.code.as_str(), 0, 0, entropy);
                effects.push(Effect::Log(LogEvent::Failed(error.code)));
                return self.report(
                    &now,
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
            path: match asked.tail {
                Some(_) => PATH_TAIL,
                None => PATH_SYNC,
            },
            // The refresh token in the body proves as much: an ended access token need not travel.
            bearer: match asked.request.refresh {
                Some(_) => None,
                None => enrolment.tokens.map(|tokens| tokens.access.clone()),
            },
            content_type: Encoding::Vereda.media_type(),
            body: match &asked.tail {
                Some(tail) => encode_body(tail.as_ref(), Encoding::Vereda),
                None => encode_body(&asked.request, Encoding::Vereda),
            },
        };
        asked.correlation = request.correlation();
        effects.push(Effect::Log(LogEvent::Asked {
            correlation: asked.correlation,
            writes: asked.pushed.len(),
            bytes: request.body.len(),
        }));
        self.in_flight = Some((id, asked));
        effects.push(Effect::Http { id, request });
    }

    pub(super) fn http_done(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        id: u64,
        reply: Result<Reply, TransportError>,
    ) {
        if self.digest_done(now, entropy, effects, id, &reply)
            || self.slot_done(now, entropy, effects, id, &reply)
        {
            return;
        }
        // A reply to a request that was given up says nothing.
        if self.in_flight.as_ref().is_none_or(|(waiting, _)| *waiting != id) {
            return;
        }
        let Some((_, asked)) = self.in_flight.take() else {
            return;
        };
        match classify(&reply) {
            Verdict::Message if asked.tail.is_some() => {
                let body = reply.map(|reply| reply.body).unwrap_or_default();
                self.take_tail_answer(now, entropy, effects, &asked, &body);
            }
            _ if asked.tail.is_some() && is_refused_tail(&reply) => {
                self.pass_over_tail(now, entropy, effects, &asked);
            }
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
    pub(super) fn take_another_key(
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
    pub(super) fn failed(
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
            correlation: asked.correlation,
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
        self.report(&now, report, effects);
    }

    /// A write that failed alone so often travels alone, on its own deadline, and blocks no other lane.
    pub(super) fn hold_back(
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

    pub(super) fn give_back(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asked: &Asked,
    ) {
        if asked.pushed.is_empty() {
            return;
        }
        let recalled = self.transact(now, entropy, effects, |step| recall(step, asked));
        if let Err(error) = recalled {
            // They are pending again at the next open; nothing is lost.
            effects.push(Effect::Log(LogEvent::Failed(error.code)));
        }
    }

    pub(super) fn take_message(
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
        let mut needed = BTreeSet::new();
        let checked = answer.and_then(|answer| {
            self.transact(now, entropy, effects, |step| {
                copied = crate::sync::is_copy(step, &asked, &answer)?;
                let pending = check_answer(step, asked.clone(), answer)?;
                needed = crate::sync::documents_needed(step, &pending)?;
                Ok(pending)
            })
        });
        match checked {
            Ok(pending) => {
                effects.push(Effect::Log(LogEvent::Answered {
                    correlation: asked.correlation,
                    items: pending.total,
                    bytes,
                }));
                self.pending = Some(pending);
                self.slot.needed = needed;
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
    pub(super) fn begin_incarnation(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
    ) -> bool {
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
}

/// Whether a failure may come from what the request carried: it arrived and was not answered as it should.
fn may_be_of_its_writes(reply: &Result<Reply, TransportError>) -> bool {
    match reply {
        Ok(reply) => matches!(reply.status, 413 | 500..=502 | 504..=510),
        Err(error) => matches!(error, TransportError::TimedOut | TransportError::Cut),
    }
}
