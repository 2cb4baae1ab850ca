//! The outbox and the drawer as a person sees them, and rounds of synchronising until nothing is left to do now.

use super::{Client, Watched};
use crate::engine::{Status, SyncReport};
use crate::error::{Code, Result, SyncError};
use crate::id::{PatientId, WriteId};
use crate::outbox::{self, DrawerItem, Saved};
use crate::record::Write;
use crate::store::held::{self, HeldRow};
use crate::store::outbox::{self as rows, WriteState};
use serde::Serialize;

/// The outbox and the drawer.
#[derive(Debug)]
pub struct Queue<'a>(pub(super) &'a Client);

/// A write on its way.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OutboxItem {
    /// Its id.
    pub id: WriteId,
    /// Its number.
    pub n: u64,
    /// The patient.
    pub patient: PatientId,
    /// `pending`, `in_flight` or `parked`.
    pub state: &'static str,
    /// Why it waits, as a stable code.
    pub reason: Option<String>,
    /// Failed attempts.
    pub attempts: u32,
    /// When it was saved.
    pub saved_ms: i64,
    /// What kind of write.
    pub intent: String,
}

/// How a synchronisation ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "end")]
pub enum SyncEnd {
    /// Everything is sent and read.
    Done,
    /// Something is left for later.
    AgainLater {
        /// In how many milliseconds.
        in_ms: u64,
        /// Why, as a stable code; none where only the budget was used up.
        code: Option<String>,
    },
    /// Something waits for a person.
    NeedsPerson {
        /// What, as a stable code.
        code: String,
    },
}

impl Client {
    /// Synchronises until everything is sent and read, something must wait, or `budget_ms` are used up: what the
    /// system gives an app in the background. Then nothing more is asked for; an answer under way is applied, or read
    /// again next time.
    pub async fn sync_once(&self, budget_ms: u64) -> Result<SyncEnd> {
        let until_boot_ms = self.clock.now().boot_ms.saturating_add(budget_ms);
        let report = self.sync_round(until_boot_ms).await?;
        let now = self.clock.now().boot_ms;
        Ok(match report {
            SyncReport::Done => SyncEnd::Done,
            SyncReport::NeedsPerson { code } => SyncEnd::NeedsPerson {
                code: code.as_str().to_owned(),
            },
            SyncReport::AgainLater { at_boot_ms, code } => SyncEnd::AgainLater {
                in_ms: at_boot_ms.saturating_sub(now),
                code,
            },
        })
    }

    /// How it stands, watched.
    pub fn watch_status(&self) -> Watched<Status> {
        let client = self.clone();
        Watched::new(
            self.changes(),
            Box::new(|changes| changes.queue || !changes.patients.is_empty()),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.status().await })
            }),
        )
    }
}

impl Queue<'_> {
    /// Own writes the server holds because they came from outside the scope, and what a supervisor decided of them.
    pub async fn held(&self) -> Result<Vec<HeldRow>> {
        self.0.call(|step| Ok(held::list(step.transaction)?)).await
    }

    /// The same, watched.
    pub fn watch_held(&self) -> Watched<Vec<HeldRow>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.queue),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.queue().held().await })
            }),
        )
    }

    /// A person has seen what became of a held write: it is listed no more.
    ///
    /// # Errors
    /// `unknown_write`, also for one that still waits for a supervisor.
    pub async fn tick_held(&self, write: WriteId) -> Result<()> {
        self.0
            .call(move |step| {
                step.changes.queue = true;
                match held::tick(step.transaction, &write)? {
                    true => Ok(()),
                    false => Err(SyncError::from(Code::UnknownWrite)),
                }
            })
            .await
    }

    /// The writes on their way, in order.
    pub async fn outbox(&self) -> Result<Vec<OutboxItem>> {
        self.0
            .call(|step| {
                let rows = rows::list(step.transaction)?;
                Ok(rows.iter().map(item).collect())
            })
            .await
    }

    /// The same, watched.
    pub fn watch_outbox(&self) -> Watched<Vec<OutboxItem>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.queue),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.queue().outbox().await })
            }),
        )
    }

    /// Tries parked writes again, but those that wait for an update of the app; returns how many.
    pub async fn unpark(&self) -> Result<usize> {
        self.0.call(crate::outbox::unpark).await
    }

    /// What the server refused, by case.
    pub async fn drawer(&self) -> Result<Vec<DrawerItem>> {
        self.0
            .call(|step| {
                let items = outbox::list_drawer(step.transaction)?;
                super::patients::audit_list(step, "drawer", items.len(), "")?;
                Ok(items)
            })
            .await
    }

    /// The drawer, watched.
    pub fn watch_drawer(&self) -> Watched<Vec<DrawerItem>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.queue),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.queue().drawer().await })
            }),
        )
    }

    /// Sends a refused write again, edited or as it was.
    pub async fn resend(&self, id: WriteId, text: Option<String>, body: Option<String>) -> Result<Saved> {
        self.0
            .call(move |step| outbox::resend(step, &id, text, body))
            .await
    }

    /// Discards a refused write for good; the reason is audited.
    pub async fn discard(&self, id: WriteId, reason: String) -> Result<()> {
        self.0.call(move |step| outbox::discard(step, &id, &reason)).await
    }

    /// Everything in the drawer as JSON, noted in the audit.
    pub async fn export_drawer(&self) -> Result<String> {
        self.0
            .call(|step| {
                let items = outbox::list_drawer(step.transaction)?;
                crate::audit::did(step, "export_drawer", None, "")?;
                serde_json::to_string_pretty(&items).map_err(|_| SyncError::from(Code::Internal))
            })
            .await
    }
}

fn item(row: &rows::OutboxRow) -> OutboxItem {
    OutboxItem {
        id: row.id,
        n: row.n,
        patient: row.lane,
        state: match row.state {
            WriteState::Pending => "pending",
            WriteState::InFlight => "in_flight",
            WriteState::Parked => "parked",
        },
        reason: row.reason.clone(),
        attempts: row.attempts,
        saved_ms: row.saved_ms,
        intent: Write::from_bytes(&row.bytes)
            .map_or_else(String::new, |write| write.intent.name().to_owned()),
    }
}
