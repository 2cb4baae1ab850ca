//! Answers of a restored server to what is given back to it.

use super::*;
use crate::protocol::TailAnswer;
use crate::sync::{problem, tail};

impl Engine {
    pub(super) fn take_tail_answer(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asked: &Asked,
        body: &[u8],
    ) {
        let Some(request) = asked.tail.as_deref() else {
            return;
        };
        let answer: Result<TailAnswer> = decode_body(body, Encoding::Vereda)
            .map_err(|_| SyncError::new(Code::NotOurServer, "the body is not an answer"));
        let taken = answer.and_then(|answer| {
            self.transact(now, entropy, effects, |step| {
                tail::take_answer(step, request, &answer)?;
                Ok(answer.appended as usize)
            })
        });
        match taken {
            Ok(items) => {
                effects.push(Effect::Log(LogEvent::Answered {
                    correlation: asked.correlation,
                    items,
                    bytes: body.len(),
                }));
                self.with_refresh = false;
                self.schedule.succeeded(&now, 0);
                self.ask_again = true;
            }
            Err(error) => {
                let code = error.code.as_str();
                let verdict = Verdict::Retry { code };
                self.failed(now, entropy, effects, asked, &verdict, code, 0, false);
            }
        }
    }

    /// The server refused the run or the stream for good: the rest goes on, and what was not taken is told.
    pub(super) fn pass_over_tail(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        asked: &Asked,
    ) {
        let Some(request) = asked.tail.as_deref() else {
            return;
        };
        let passed = self.transact(now, entropy, effects, |step| tail::refused(step, request));
        effects.push(Effect::Log(LogEvent::Failed(Code::TailRefused)));
        match passed {
            Ok(()) => self.ask_again = true,
            Err(error) => {
                let code = error.code.as_str();
                let verdict = Verdict::Retry { code };
                self.failed(now, entropy, effects, asked, &verdict, code, 0, false);
            }
        }
    }
}

/// Whether the server itself says that it will never take this: it does not believe it, it does not know the stream,
/// or it is too large to travel.
pub(super) fn is_refused_tail(reply: &Result<Reply, TransportError>) -> bool {
    let Ok(reply) = reply else { return false };
    problem(reply).is_some_and(|problem| {
        problem.code == Code::TailRefused.as_str() || matches!(reply.status, 403 | 404 | 413)
    })
}
