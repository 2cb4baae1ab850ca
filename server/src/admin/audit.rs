//! The audit as an auditor reads it: every device's chain of their tenant, and the chain of those who read it here.

use super::Administration;
use crate::role::Duty;
use crate::store::sqlite::Directory;
use crate::store::{AuditPlace, AuditRow, Rule, ServerStore, StoreResult};
use vereda_core::id::{Incarnation, StoreId, TenantId, UserId};
use vereda_core::protocol::{AuditRecord, advance_audit, encode};
use vereda_core::redact::Sensitive;
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
        self.note(tenant, user, "audit_listed", now_ms)?;
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
        self.note(tenant, user, "audit_verified", now_ms)?;
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

    /// The user of a name, where something is their duty.
    fn on_duty(&mut self, tenant: Option<&str>, user: &str, duty: Duty) -> StoreResult<(TenantId, UserId)> {
        let tenant = self.store.tenant(tenant)?;
        let user = self.store.user(tenant, user)?;
        let role = self.store.role(user)?;
        if role.rights().duties.contains(&duty) {
            Ok((tenant, user))
        } else {
            Err(Rule::NotTheirDuty.into())
        }
    }

    /// A record of the server's own chain: the one of no device, under the tenant's id.
    fn note(&mut self, tenant: TenantId, user: UserId, action: &str, at_ms: EpochMs) -> StoreResult<()> {
        let chain = Incarnation {
            store: StoreId(tenant.0),
            number: 0,
        };
        let record = AuditRecord::Did {
            user,
            action: action.to_owned(),
            subject: None,
            reason: Sensitive(String::new()),
            at_ms,
        };
        self.store.within(|store| {
            let (last, head) = store.audit_anchor(&chain)?;
            let head = advance_audit(&head, &record);
            store.append_audit(tenant, &chain, last + 1, &head, &encode(&record), at_ms)
        })
    }
}
