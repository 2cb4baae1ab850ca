//! The way down where roots differ, one exchange for two levels.

use super::*;
use crate::bytes::ByteArray;
use crate::document::digest::Descent;
use crate::protocol::{DigestAnswer, DigestRequest, PATH_DIGEST};

/// Streams whose roots differ.
#[derive(Default)]
pub(super) struct Descending {
    open: VecDeque<(Root, DigestTree, Descent)>,
    asked: Option<u64>,
    found: Vec<Found>,
}

impl Descending {
    pub(super) fn new(open: VecDeque<(Root, DigestTree)>) -> Self {
        let begin = |(root, tree)| (root, tree, Descent::new());
        Self {
            open: open.into_iter().map(begin).collect(),
            ..Self::default()
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.open.is_empty() && self.found.is_empty() && self.asked.is_none()
    }
}

impl Engine {
    /// Asks for the next nodes, where nothing is asked yet.
    pub(super) fn ask_digest(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        let Some(Run {
            stage: Stage::Descending(descending),
            ..
        }) = &self.comparing.run
        else {
            return;
        };
        if descending.asked.is_some() {
            return;
        }
        let Some((root, tree, descent)) = descending.open.front() else {
            return self.end_digest(now, entropy, effects, None);
        };
        let request = DigestRequest {
            stream: root.stream,
            seq: root.seq,
            root: ByteArray::new(root.root),
            nodes: descent.next(tree),
        };
        let body = encode_body(&request, Encoding::Vereda);
        let asked = self.ask_beside(&now, entropy, PATH_DIGEST, body, effects);
        if let Some(Run {
            stage: Stage::Descending(descending),
            ..
        }) = &mut self.comparing.run
        {
            descending.asked = asked;
        }
    }

    /// Takes the reply to a request of a comparison; says whether it was one.
    pub(in crate::engine) fn digest_done(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        id: u64,
        reply: &Result<Reply, TransportError>,
    ) -> bool {
        let Some(run) = &mut self.comparing.run else {
            return false;
        };
        let is_ours = match &mut run.stage {
            Stage::Descending(descending) => descending.asked.take_if(|asked| *asked == id).is_some(),
            Stage::Repairing(repairing) => repairing.is_asked(id),
            _ => false,
        };
        if !is_ours {
            return false;
        }
        let body = match (classify(reply), reply) {
            (Verdict::Message, Ok(reply)) => &reply.body,
            (verdict, _) => {
                self.end_digest(now, entropy, effects, Some(code_of(&verdict)));
                return true;
            }
        };
        let epoch = self.device.enrolment.as_ref().map(|enrolment| enrolment.epoch);
        let taken = match &mut run.stage {
            Stage::Descending(_) => run.take_digest(epoch, body),
            Stage::Repairing(repairing) => repairing.take(epoch, body),
            _ => Ok(()),
        };
        if let Err(error) = taken {
            self.end_digest(now, entropy, effects, Some(error.code.as_str()));
        }
        true
    }

    /// Sends a request beside synchronising. Without a token that holds, a sync brings one first.
    pub(super) fn ask_beside(
        &mut self,
        now: &Now,
        entropy: &mut dyn Entropy,
        path: &'static str,
        body: Vec<u8>,
        effects: &mut Vec<Effect>,
    ) -> Option<u64> {
        if !self.has_fresh_token(now) {
            let run = self.comparing.run.as_mut()?;
            run.tries += 1;
            if run.tries < TRIES_MAX {
                self.with_refresh = true;
                self.ask_again = true;
            } else {
                let code = Some(Code::Unauthenticated.as_str());
                self.end_digest(*now, entropy, effects, code);
            }
            return None;
        }
        self.send_beside(path, body, effects)
    }
}

impl Run {
    fn take_digest(&mut self, epoch: Option<u64>, body: &[u8]) -> Result<()> {
        let answer: DigestAnswer =
            decode_body(body, Encoding::Vereda).map_err(|_| SyncError::from(Code::NotOurServer))?;
        let Stage::Descending(descending) = &mut self.stage else {
            return Ok(());
        };
        if answer.moved || Some(answer.epoch) != epoch {
            self.try_again();
            return Ok(());
        }
        let Some((root, tree, mut descent)) = descending.open.pop_front() else {
            return Ok(());
        };
        descent.take(&tree, &answer.differing, answer.more);
        if !descent.next(&tree).is_empty() {
            descending.open.push_front((root, tree, descent));
            return Ok(());
        }
        let (found, more) = descent.found();
        self.report.more |= more;
        let compartment = root.stream.compartment;
        for difference in found {
            let found = Found {
                compartment,
                difference,
            };
            // A patient of several units is in the streams of each.
            if !descending.found.contains(&found) {
                descending.found.push(found);
            }
        }
        if descending.open.is_empty() {
            let found = std::mem::take(&mut descending.found);
            self.stage = Stage::Judging(found.into(), Vec::new());
        }
        self.settle(root.stream, tree.len());
        Ok(())
    }
}

pub(super) fn code_of(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Retry { code } | Verdict::Authenticate { code } | Verdict::Reject { code } => code,
        Verdict::ScopeLost => Code::OutOfScope.as_str(),
        Verdict::Split => Code::TooLarge.as_str(),
        _ => Code::ProtocolUnsupported.as_str(),
    }
}
