//! Checking what is here: against itself, which needs no network, and against the server.

use super::Client;
use crate::audit::AuditVerification;
use crate::engine::{DigestWaiter, Event};
use crate::error::{Code, Result, SyncError};
use crate::id::DocumentId;
use crate::record::Write;
use crate::replica;
use crate::step::Step;
use crate::store::digest::SavedWrite;
use crate::store::{digest, documents};
use crate::sync::digest::DigestReport;
use serde::Serialize;
use tokio::sync::oneshot;

/// Writes of the outbox looked at in one step.
const WRITES_A_STEP: usize = 200;

/// What a check of the store found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StoreVerification {
    /// Documents opened as the gate would let them in, and their rows held against them.
    pub documents: u64,
    /// Documents of which only the rows are here: there is nothing yet to hold these against.
    pub awaited: u64,
    /// Documents that do not open, or that the gate would not let in.
    pub damaged: u64,
    /// Rows that were not as their document has them.
    pub rows: u64,
    /// Those of them that were written anew.
    pub rows_repaired: u64,
    /// Writes in the outbox.
    pub writes: u64,
    /// Writes in the outbox whose bytes are not those that were saved.
    pub writes_broken: u64,
    /// Records of the audit kept here.
    pub audit_records: u64,
    /// The record at which the audit's chain does not hold.
    pub audit_broken_at: Option<u64>,
}

impl StoreVerification {
    /// Whether everything fits, or does by now.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0
            && self.rows == self.rows_repaired
            && self.writes_broken == 0
            && self.audit_broken_at.is_none()
    }
}

/// Checks.
#[derive(Debug)]
pub struct Verifying<'a>(pub(super) &'a Client);

impl Verifying<'_> {
    /// Holds documents, rows, outbox and audit against one another, in small steps between which everybody works on.
    /// With `repair` rows that differ are written anew, and documents that do not open are set aside.
    ///
    /// # Errors
    /// `store_unavailable`, `closed`.
    pub async fn store(&self, repair: bool) -> Result<StoreVerification> {
        let mut found = StoreVerification::default();
        let mut after = None;
        while let Some((id, checked)) = self.0.call(move |step| check_next(step, after, repair)).await? {
            after = Some(id);
            match checked {
                None => found.awaited += 1,
                Some(checked) => {
                    found.documents += 1;
                    found.damaged += u64::from(checked.damaged);
                    found.rows += checked.rows;
                    found.rows_repaired += if repair { checked.rows } else { 0 };
                }
            }
        }
        let mut after = 0;
        while let Some((last, writes, broken)) = self.0.call(move |step| check_writes(step, after)).await? {
            after = last;
            found.writes += writes;
            found.writes_broken += broken;
        }
        let audit: AuditVerification = self.0.audit().verify().await?;
        found.audit_records = audit.records;
        found.audit_broken_at = audit.broken_at;
        Ok(found)
    }

    /// Compares what the server accepted and is here with what the server has, and with `repair` fetches what differs.
    /// Without contact the report says why nothing was compared.
    ///
    /// # Errors
    /// `closed`.
    pub async fn with_server(&self, repair: bool) -> Result<DigestReport> {
        let (sender, receiver) = oneshot::channel();
        let posted = self.0.mailbox.post(Event::Digest(DigestWaiter {
            repair,
            reply: Box::new(move |report| {
                // Whoever asked may be gone; what was repaired stays.
                let _ = sender.send(report);
            }),
        }));
        if !posted {
            return Err(SyncError::from(Code::Closed));
        }
        receiver.await.map_err(|_| SyncError::from(Code::Closed))
    }
}

type Checked = (DocumentId, Option<replica::DocumentCheck>);

fn check_next(step: &mut Step<'_>, after: Option<DocumentId>, repair: bool) -> Result<Option<Checked>> {
    let Some(row) = documents::next(step.transaction, after.as_ref())? else {
        return Ok(None);
    };
    let id = row.key.id();
    if row.health.is_rows_only() {
        return Ok(Some((id, None)));
    }
    let checked = replica::check_document(step, &row, repair)?;
    Ok(Some((id, Some(checked))))
}

/// The last number looked at, how many, and how many are broken.
fn check_writes(step: &mut Step<'_>, after: u64) -> Result<Option<(u64, u64, u64)>> {
    let writes = digest::outbox_after(step.transaction, after, WRITES_A_STEP)?;
    let Some(last) = writes.last().map(|write| write.n) else {
        return Ok(None);
    };
    let is_broken = |write: &&SavedWrite| {
        Write::hash(&write.bytes).as_slice() != write.hash || Write::from_bytes(&write.bytes).is_none()
    };
    let broken = writes.iter().filter(is_broken).count();
    Ok(Some((last, writes.len() as u64, broken as u64)))
}
