//! The audit as an auditor reads it: every device's chain of their tenant, and the chain of those who read it here.

use super::Administration;
use super::duty::Deed;
use crate::role::Duty;
use crate::store::{AuditPlace, AuditRow, StoreResult};
use vereda_core::id::UserId;
use vereda_core::protocol::advance_audit;
use vereda_core::time::EpochMs;

/// Records read at a time.
const PAGE_ROWS: usize = 1_000;

/// What a walk over every chain of a tenant found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Chains: one for each incarnation of each device.
    pub chains: u64,
    /// Records in them.
    pub records: u64,
    /// Where a chain does not hold: its first record that is altered, missing or out of place.
    pub broken: Vec<AuditPlace>,
}

impl Administration {
    /// A page of the tenant's audit behind a place, by device and chain, for a user whose duty it is. That they read
    /// it is a record of the server's own chain.
    ///
    /// # Errors
    /// Where there is no such tenant or user, or the user is no auditor.
    pub fn audit(
        &mut self,
        tenant: Option<&str>,
        auditor: &str,
        after: Option<AuditPlace>,
        limit: usize,
        now_ms: EpochMs,
    ) -> StoreResult<Vec<AuditRow>> {
        let (tenant, user) = self.on_duty(tenant, auditor, Duty::Audit)?;
        self.note(tenant, read(user, "audit_listed", now_ms))?;
        self.store.audit_page(tenant, after.as_ref(), limit)
    }

    /// Walks every chain of the tenant, for a user whose duty it is.
    ///
    /// # Errors
    /// Where there is no such tenant or user, or the user is no auditor.
    pub fn verify_audit(
        &mut self,
        tenant: Option<&str>,
        auditor: &str,
        now_ms: EpochMs,
    ) -> StoreResult<AuditReport> {
        let (tenant, user) = self.on_duty(tenant, auditor, Duty::Audit)?;
        self.note(tenant, read(user, "audit_verified", now_ms))?;
        let mut report = AuditReport::default();
        let mut last: Option<(AuditPlace, [u8; 32])> = None;
        loop {
            let place = last.as_ref().map(|(place, _)| *place);
            let page = self.store.audit_page(tenant, place.as_ref(), PAGE_ROWS)?;
            if page.is_empty() {
                return Ok(report);
            }
            for row in page {
                let before = last
                    .as_ref()
                    .filter(|(place, _)| place.incarnation == row.place.incarnation);
                let (k, chain) = before.map_or((0, [0; 32]), |(place, chain)| (place.k, *chain));
                report.chains += u64::from(before.is_none());
                report.records += 1;
                let holds = row.place.k == k + 1 && advance_audit(&chain, &row.record) == row.head;
                let is_known = report
                    .broken
                    .iter()
                    .any(|broken| broken.incarnation == row.place.incarnation);
                if !holds && !is_known {
                    report.broken.push(row.place);
                }
                last = Some((row.place, row.head));
            }
        }
    }
}

fn read(user: UserId, action: &str, at_ms: EpochMs) -> Deed<'_> {
    Deed {
        user,
        action,
        subject: None,
        reason: String::new(),
        at_ms,
    }
}
