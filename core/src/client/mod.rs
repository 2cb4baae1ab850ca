//! The façade apps use. Every call is a command to the owner of the store and awaits its reply; `Ok` of a write
//! means durable. Reading a patient starts with [`Client::open_patient`], which is audited before the first byte.

mod access;
mod conflicts;
mod drafts;
mod enrol;
mod export;
mod import;
mod links;
mod mailbox;
mod page;
mod patients;
mod placement;
mod queue;
mod reference;
mod resync;
mod splice;
mod statistics;
mod timeline;
mod transport;
mod unit_statistics;
mod verify;
mod view;
mod watch;

pub use access::{AuditExport, Auditing};
pub use conflicts::{Conflicts, Resolution};
pub use drafts::Drafts;
pub use export::ExportFormat;
pub use import::{ImportedEntry, Imports};
pub use links::LinkedPatient;
pub use mailbox::{Mailbox, Next};
pub use page::{Page, PageRequest};
pub use patients::{DuplicatePatient, PatientFilter, PatientSummary, Patients};
pub use placement::{FoundPatient, Placement};
pub use queue::{OutboxItem, Queue, SyncEnd};
pub use reference::{Freshness, Reference, ReferenceEntry, ReferenceList, TenantKind};
pub use statistics::{NumericPoint, NumericRequest, NumericSeries, NumericStatistics, TimelineStatistics};
pub use timeline::{Charts, Timeline};
pub use transport::{Clock, Transport, TransportFuture};
pub use unit_statistics::UnitStatistics;
pub use verify::{StoreVerification, Verifying};
pub use view::{EntryDetail, PatientView};
pub use watch::Watched;

use crate::engine::{Event, Status, SyncReport, Waiter, command};
use crate::error::{Code, Result, SyncError};
use crate::id::{Incarnation, UserId};
use crate::protocol::Scope;
use crate::step::{Changes, Step};
use std::sync::Arc;
use tokio::sync::{broadcast, oneshot};

/// A handle to an open store. Cheap to clone; the store closes when the host is stopped.
#[derive(Clone)]
pub struct Client {
    mailbox: Arc<Mailbox>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// Who works on this store.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The store and its incarnation.
    pub incarnation: Incarnation,
    /// The server.
    pub server: String,
    /// What they may see.
    pub scope: Scope,
    /// Whether they are signed in.
    pub signed_in: bool,
}

impl Client {
    /// A client of a mailbox that an owner empties.
    pub fn new(mailbox: Arc<Mailbox>, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            mailbox,
            transport,
            clock,
        }
    }

    /// Runs work in a transaction of the owner.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Step<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let posted = self.mailbox.post(Event::Command(command(work, move |reply| {
            // Whoever asked may be gone; what was committed stays.
            let _ = sender.send(reply);
        })));
        if !posted {
            return Err(SyncError::from(Code::Closed));
        }
        receiver.await.unwrap_or(Err(SyncError::from(Code::Closed)))
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<Changes> {
        self.mailbox.watch()
    }

    /// Who works on this store.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub async fn identity(&self) -> Result<Identity> {
        self.call(|step| {
            let enrolment = step.device.enrolled()?;
            Ok(Identity {
                user: enrolment.user,
                incarnation: step.device.incarnation,
                server: enrolment.server.clone(),
                scope: enrolment.scope.clone(),
                signed_in: enrolment.tokens.is_some(),
            })
        })
        .await
    }

    /// Patients: register, edit, list, find duplicates.
    pub fn patients(&self) -> Patients<'_> {
        Patients(self)
    }

    /// Which units have a patient: share, move, find.
    pub fn placement(&self) -> Placement<'_> {
        Placement(self)
    }

    /// Entries: add, amend, retract, move.
    pub fn timeline(&self) -> Timeline<'_> {
        Timeline(self)
    }

    /// Drafts: open, edit, finalize.
    pub fn drafts(&self) -> Drafts<'_> {
        Drafts(self)
    }

    /// The chart: allergies, problems, medication, alerts, tasks.
    pub fn chart(&self) -> Charts<'_> {
        Charts(self)
    }

    /// Conflicts: list, resolve.
    pub fn conflicts(&self) -> Conflicts<'_> {
        Conflicts(self)
    }

    /// The outbox and the drawer.
    pub fn queue(&self) -> Queue<'_> {
        Queue(self)
    }

    /// The audit.
    pub fn audit(&self) -> Auditing<'_> {
        Auditing(self)
    }

    /// Many entries of one patient in one write.
    pub fn imports(&self) -> Imports<'_> {
        Imports(self)
    }

    /// Whether what is here is whole, and what the server has.
    pub fn verifying(&self) -> Verifying<'_> {
        Verifying(self)
    }

    /// Reference data: units, specialities, professionals, the tenant's own kinds.
    pub fn reference(&self) -> Reference<'_> {
        Reference(self)
    }

    /// Writes the whole read model again from the documents, for repair. Returns how many documents were read.
    ///
    /// # Errors
    /// `store_damaged` when one does not load; nothing is changed then.
    pub async fn rebuild_read_model(&self) -> Result<u64> {
        self.call(crate::replica::reproject_everything).await
    }

    /// How it stands.
    pub async fn status(&self) -> Result<Status> {
        let (sender, receiver) = oneshot::channel();
        let posted = self.mailbox.post(Event::Status(Box::new(move |status| {
            let _ = sender.send(status);
        })));
        if !posted {
            return Err(SyncError::from(Code::Closed));
        }
        receiver.await.map_err(|_| SyncError::from(Code::Closed))
    }

    /// The network or the screen came back: asks now, without forgetting earlier failures.
    pub fn hint(&self) {
        self.mailbox.post(Event::Hint);
    }

    /// One round of synchronising, until a time since boot.
    async fn sync_round(&self, until_boot_ms: u64) -> Result<SyncReport> {
        let (sender, receiver) = oneshot::channel();
        let posted = self.mailbox.post(Event::SyncNow(Waiter {
            until_boot_ms,
            reply: Box::new(move |report| {
                let _ = sender.send(report);
            }),
        }));
        if !posted {
            return Err(SyncError::from(Code::Closed));
        }
        receiver.await.map_err(|_| SyncError::from(Code::Closed))
    }

    /// How far the answer under way is applied: (items, of all), as it moves.
    pub fn progress(&self) -> tokio::sync::watch::Receiver<(usize, usize)> {
        self.mailbox.progress()
    }

    /// Closes the store. Calls that come later answer `closed`.
    pub fn close(&self) {
        self.mailbox.close();
    }
}
