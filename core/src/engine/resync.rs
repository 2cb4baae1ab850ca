//! Fetching everything again, beside people's commands: what is shown stays.

use super::*;
use crate::device::Resync;
use crate::replica::{end_resync, mark_documents};
use crate::sync::begin_resync;

impl Engine {
    /// Whether documents are still to be noted as to be fetched.
    pub(super) fn resync_marks(&self) -> bool {
        matches!(self.device.resync, Some(Resync::Marking(_)))
    }

    /// The server answers: what is wanted begins.
    pub(super) fn resync_answered(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        if self.device.resync == Some(Resync::Wanted) {
            self.resync_step(now, entropy, effects, begin_resync);
            self.ask_again |= self.device.resync != Some(Resync::Wanted);
        }
    }

    /// Notes the next documents.
    pub(super) fn continue_resync(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        self.resync_step(now, entropy, effects, mark_documents);
    }

    /// Nothing is left to do: it may be over.
    pub(super) fn resync_idle(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        if self.device.resync == Some(Resync::Fetching) {
            self.resync_step(now, entropy, effects, end_resync);
        }
    }

    fn resync_step(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut Step<'_>) -> Result<()>,
    ) {
        if let Err(error) = self.transact(now, entropy, effects, work) {
            effects.push(Effect::Log(LogEvent::Failed(error.code)));
            self.schedule.failed(&now, error.code.as_str(), 0, 0, entropy);
            self.resync_failed = true;
            self.keep_schedule(effects);
        }
    }
}
