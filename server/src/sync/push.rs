//! A batch of writes, settled one by one in their order. A write that fails takes nothing with it but what needs it.

use super::settle::{Batch, settle};
use super::verdict::Verdict;
use crate::access::Caller;
use crate::refusal::Refusal;
use crate::writer::Session;
use serde::Deserialize;
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, PatientId};
use vereda_core::protocol::{Outcome, OutcomeRun, PushItem, decode};

/// What can be read of a write whose intent this version does not know.
#[derive(Deserialize)]
struct Sketch {
    n: u64,
    #[serde(default)]
    patient: Option<PatientId>,
}

/// Settles the items; the outcomes are in their order.
pub(super) fn run(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    items: &[PushItem],
) -> Result<Vec<(u64, Outcome)>, Refusal> {
    let mut batch = Batch::default();
    let mut outcomes = Vec::with_capacity(items.len());
    for item in items {
        let settled = match item.write.value() {
            Some(write) => (
                write.n,
                settle(session, caller, incarnation, &mut batch, item, write)?,
            ),
            None => {
                let sketch = sketch(item)?;
                batch.block(sketch.patient);
                (sketch.n, Verdict::Park(Code::ProtocolUnsupported).outcome())
            }
        };
        outcomes.push(settled);
    }
    Ok(outcomes)
}

/// Settles nothing: the device still speaks of an earlier history.
pub(super) fn postpone(items: &[PushItem]) -> Result<Vec<(u64, Outcome)>, Refusal> {
    let postponed = items.iter().map(|item| {
        let n = match item.write.value() {
            Some(write) => write.n,
            None => sketch(item)?.n,
        };
        Ok((n, Verdict::Retry(Code::HistoryChanged).outcome()))
    });
    postponed.collect()
}

fn sketch(item: &PushItem) -> Result<Sketch, Refusal> {
    decode(item.write.bytes()).map_err(|_| Refusal::malformed("an item of the push is no write"))
}

/// Folds outcomes that count on from one another.
pub(super) fn runs(outcomes: Vec<(u64, Outcome)>) -> Vec<OutcomeRun> {
    let mut runs: Vec<OutcomeRun> = Vec::new();
    for (n, outcome) in outcomes {
        match runs.last_mut() {
            Some(run) if run.n + u64::from(run.count) == n && counts_on(run, &outcome) => run.count += 1,
            _ => runs.push(OutcomeRun { n, count: 1, outcome }),
        }
    }
    runs
}

fn counts_on(run: &OutcomeRun, next: &Outcome) -> bool {
    match (&run.outcome, next) {
        (
            Outcome::Accepted {
                seq,
                received_ms,
                changes,
            },
            Outcome::Accepted {
                seq: next_seq,
                received_ms: next_ms,
                changes: next_changes,
            },
        ) => {
            seq + u64::from(run.count) == *next_seq
                && received_ms == next_ms
                && changes.is_empty()
                && next_changes.is_empty()
        }
        (one, other) => one == other,
    }
}
