//! The audit as a person reads it.

use super::{Client, Watched};
use crate::audit::{self, AuditEntry, AuditVerification};
use crate::error::Result;
use serde::Serialize;

/// The audit.
#[derive(Debug)]
pub struct Auditing<'a>(pub(super) &'a Client);

/// What of the audit is kept here, for export.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AuditExport {
    /// The records, in order. Those the server has a receipt for were purged here.
    pub records: Vec<AuditEntry>,
    /// Whether the chain is whole.
    pub verification: AuditVerification,
}

impl Auditing<'_> {
    /// The records kept here, after a place.
    pub async fn list(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        self.0
            .call(move |step| audit::list(step.transaction, after, limit))
            .await
    }

    /// The same, watched.
    pub fn watch_list(&self, after: u64, limit: usize) -> Watched<Vec<AuditEntry>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.audit),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.audit().list(after, limit).await })
            }),
        )
    }

    /// Walks the chain.
    pub async fn verify(&self) -> Result<AuditVerification> {
        self.0
            .call(|step| {
                let counters = step.device.counters;
                audit::verify(step.transaction, counters.audit_last, &counters.audit_head)
            })
            .await
    }

    /// All records kept here, and whether the chain is whole; the export is itself audited.
    pub async fn export(&self, reason: String) -> Result<AuditExport> {
        self.0
            .call(move |step| {
                audit::did(step, "export_audit", None, &reason)?;
                let counters = step.device.counters;
                Ok(AuditExport {
                    records: audit::list(step.transaction, 0, usize::MAX >> 1)?,
                    verification: audit::verify(step.transaction, counters.audit_last, &counters.audit_head)?,
                })
            })
            .await
    }
}
