//! Writes held for a supervisor: they came from outside their author's scope.

use super::duty::Deed;
use super::{Administration, open_store};
use crate::exchange::ServerNow;
use crate::key_file::ServerKeys;
use crate::role::Duty;
use crate::server::{Server, ServerOptions};
use crate::store::{QuarantineDecision, QuarantineRow, Rule, ServerStore, StoreResult};
use std::path::Path;
use uuid::Uuid;
use vereda_core::entropy::Entropy;
use vereda_core::error::SyncError;
use vereda_core::id::{UserId, WriteId};
use vereda_core::time::EpochMs;

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The store, or who asks.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The write does not go in as things stand; it stays in quarantine.
    #[error(transparent)]
    Refused(#[from] SyncError),
}

impl Administration {
    /// What waits for a decision in the units of a user whose duty it is, oldest first. That they looked is a record of
    /// the server's own chain.
    ///
    /// # Errors
    /// Where there is no such tenant or user, or the user is no supervisor.
    pub fn quarantine(
        &mut self,
        tenant: Option<&str>,
        supervisor: &str,
        now_ms: EpochMs,
    ) -> StoreResult<Vec<QuarantineRow>> {
        let (tenant, user) = self.on_duty(tenant, supervisor, Duty::Quarantine)?;
        self.note(tenant, looked(user, "quarantine_listed", None, now_ms))?;
        self.store.begin([0; 32])?;
        let found = self.store.quarantine(tenant).and_then(|rows| {
            let units = self
                .store
                .member(user)?
                .map(|member| member.units)
                .unwrap_or_default();
            let theirs = |row: &QuarantineRow| units.iter().any(|unit| unit.id == row.stream.unit);
            Ok(rows.into_iter().filter(theirs).collect())
        });
        self.store.rollback();
        found
    }
}

fn looked(user: UserId, action: &str, subject: Option<Uuid>, at_ms: EpochMs) -> Deed<'_> {
    Deed {
        user,
        action,
        subject,
        reason: String::new(),
        at_ms,
    }
}

/// Lets a write in, or not, on the file of a server that may be running.
///
/// # Errors
/// Where there is no such write in the supervisor's units, or it does not go in: then it stays where it is.
pub fn decide(
    (path, keys): (&Path, &ServerKeys),
    entropy: &mut dyn Entropy,
    (tenant, supervisor): (Option<&str>, &str),
    write: WriteId,
    decision: QuarantineDecision,
    now_ms: EpochMs,
) -> Result<(), DecisionError> {
    let mut administration = Administration::open(path, keys, entropy)?;
    let (tenant_id, user) = administration.on_duty(tenant, supervisor, Duty::Quarantine)?;
    let waiting = administration.quarantine(tenant, supervisor, now_ms)?;
    let row = waiting
        .iter()
        .find(|row| WriteId::derive(&row.incarnation, row.n) == write)
        .ok_or(crate::store::StoreError::Rule(Rule::QuarantineUnknown))?;
    let action = match decision {
        QuarantineDecision::Released => "quarantine_released",
        QuarantineDecision::Discarded => "quarantine_discarded",
    };
    administration.note(tenant_id, looked(user, action, Some(write.0), now_ms))?;
    let store = open_store(path, keys, entropy)?;
    let server = Server::new(Box::new(store), keys, ServerOptions::default());
    Ok(server.decide(ServerNow { ms: now_ms }, entropy.next_32(), row, decision, user)?)
}
