//! Reading a patient. The view exists only once the audit of its opening is durable; pages, filters and search
//! inside it need no more. Left idle it closes.

use super::page::{Page, PageRequest, completeness};
use super::{Client, Watched};
use crate::audit;
use crate::bytes::ByteArray;
use crate::engine::Completeness;
use crate::error::{Code, Result, SyncError};
use crate::id::{EntryId, PatientId};
use crate::limits::VIEW_IDLE_MS;
use crate::protocol::AuditRecord;
use crate::replica;
use crate::step::{Changes, Step};
use crate::store::chart::{self, ChartRow};
use crate::store::conflicts::{self, ConflictRow};
use crate::store::entries::{self, EntryFilter, EntryPlace, EntryRow};
use crate::store::links::{self, LinkRow, Person};
use crate::store::patients::{self, PatientRow};
use crate::store::receipts;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::error::TryRecvError;

/// A patient, opened for a purpose.
#[derive(Clone, Debug)]
pub struct PatientView {
    client: Client,
    patient: PatientId,
    /// Names this opening in the audit and in the server's log.
    pub correlation: [u8; 8],
    purpose: Arc<str>,
    last_used_boot_ms: Arc<AtomicU64>,
    /// The records whose opening is in the audit.
    audited: Arc<Mutex<BTreeSet<PatientId>>>,
}

/// All that is known of an entry.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EntryDetail {
    /// Its row.
    pub entry: EntryRow,
    /// When the server received it; none while it waits.
    pub received_ms: Option<i64>,
    /// Its place in the stream's log.
    pub seq: Option<u64>,
    /// Every final text people signed under this entry, when there is more than one.
    pub other_texts: Vec<crate::redact::Sensitive<String>>,
    /// Of a draft two people wrote at once: the bodies that are not shown (`None` where one of them removed it).
    pub other_bodies: Vec<Option<crate::redact::Sensitive<String>>>,
    /// And the times of occurrence that are not shown.
    pub other_times: Vec<crate::time::Zoned>,
}

impl Client {
    /// Opens a patient: one durable record of the audit, which names the records linked with it too, then the view.
    /// The view shows what is under all of them.
    ///
    /// # Errors
    /// `purpose_required`, `unknown_patient`, `disk_full`.
    pub async fn open_patient(&self, patient: PatientId, purpose: impl Into<String>) -> Result<PatientView> {
        let purpose: Arc<str> = purpose.into().into();
        let why = purpose.clone();
        let (correlation, boot_ms, opened) = self
            .call(move |step| {
                if why.trim().is_empty() {
                    return Err(SyncError::from(Code::PurposeRequired));
                }
                if !patients::exists(step.transaction, &patient)? {
                    return Err(SyncError::from(Code::UnknownPatient));
                }
                let mut correlation = [0; 8];
                step.entropy.fill(&mut correlation);
                let person = links::person(step.transaction, &patient)?;
                audit_opening(step, &person, &why, correlation)?;
                Ok((correlation, step.now.boot_ms, person.patients))
            })
            .await?;
        Ok(PatientView {
            client: self.clone(),
            patient,
            correlation,
            purpose,
            last_used_boot_ms: Arc::new(AtomicU64::new(boot_ms)),
            audited: Arc::new(Mutex::new(opened.into_iter().collect())),
        })
    }
}

fn audit_opening(step: &mut Step<'_>, person: &Person, purpose: &str, correlation: [u8; 8]) -> Result<()> {
    let Some((patient, linked)) = person.patients.split_first() else {
        return Err(SyncError::from(Code::UnknownPatient));
    };
    let opened = AuditRecord::Opened {
        user: step.device.enrolled()?.user,
        patient: *patient,
        purpose: purpose.to_owned(),
        at_ms: step.now.wall_ms,
        correlation: ByteArray::new(correlation),
        linked: linked.to_vec(),
    };
    audit::record(step, &opened)
}

/// Whether everything of a person is here: a linked record that is not makes it partial.
pub(super) fn completeness_of(step: &Step<'_>, person: &Person) -> Result<Completeness> {
    for patient in &person.patients {
        if person.cut || !patients::exists(step.transaction, patient)? {
            return Ok(Completeness::Partial);
        }
    }
    completeness(step)
}

impl PatientView {
    /// The patient.
    pub fn patient(&self) -> PatientId {
        self.patient
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Step<'_>, &Person) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (patient, correlation) = (self.patient, self.correlation);
        let (last_used, purpose) = (self.last_used_boot_ms.clone(), self.purpose.clone());
        let audited = self.audited().clone();
        let (found, opened) = self
            .client
            .call(move |step| {
                let now = step.now.boot_ms;
                if now.saturating_sub(last_used.load(Ordering::Relaxed)) > VIEW_IDLE_MS {
                    return Err(SyncError::from(Code::ViewClosed));
                }
                last_used.store(now, Ordering::Relaxed);
                let person = links::person(step.transaction, &patient)?;
                // Somebody linked another record since: its opening is audited before its first byte, too.
                if person.patients.iter().any(|patient| !audited.contains(patient)) {
                    audit_opening(step, &person, &purpose, correlation)?;
                }
                Ok((query(step, &person)?, person.patients))
            })
            .await?;
        self.audited().extend(opened);
        Ok(found)
    }

    fn audited(&self) -> MutexGuard<'_, BTreeSet<PatientId>> {
        self.audited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record that was opened: what is shown, what the server has, its version.
    pub async fn record(&self) -> Result<PatientRow> {
        let patient = self.patient;
        self.read(move |step, _| {
            patients::get(step.transaction, &patient)?.ok_or(SyncError::from(Code::UnknownPatient))
        })
        .await
    }

    /// The records of the person that are here: the opened one, then those linked with it, the nearest first.
    pub async fn records(&self) -> Result<Vec<PatientRow>> {
        self.read(|step, person| {
            let rows = person.patients.iter();
            let rows = rows.map(|patient| patients::get(step.transaction, patient));
            Ok(rows.filter_map(|row| row.transpose()).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A page of the timeline. Where few of a long timeline's entries hold the words, they are looked for in several
    /// steps: other people's commands go in between.
    pub async fn timeline(&self, filter: EntryFilter, page: PageRequest) -> Result<Page<EntryRow>> {
        let limit = page.rows();
        let after: Option<(i64, EntryId)> = page.place()?;
        let mut after = after.map(|(occurred_ms, id)| EntryPlace { occurred_ms, id });
        let mut rows = Vec::new();
        loop {
            let (filter, wanted) = (filter.clone(), limit + 1 - rows.len());
            let (stretch, completeness) = self
                .read(move |step, person| {
                    let stretch =
                        entries::stretch(step.transaction, &person.patients, &filter, after, wanted)?;
                    Ok((stretch, completeness_of(step, person)?))
                })
                .await?;
            rows.extend(stretch.rows);
            after = stretch.looked_up_to;
            if after.is_none() || rows.len() > limit {
                return Ok(Page::cut(rows, limit, completeness, |row| {
                    (row.occurred_at.utc_ms, row.id)
                }));
            }
        }
    }

    /// The same, watched.
    pub fn watch_timeline(&self, filter: EntryFilter, page: PageRequest) -> Watched<Page<EntryRow>> {
        self.watched(move |view| {
            let (view, filter, page) = (view.clone(), filter.clone(), page.clone());
            Box::pin(async move { view.timeline(filter, page).await })
        })
    }

    /// The chart: the items of all records of the person. What two of them say alike shows once, and says where else
    /// it stands.
    pub async fn chart(&self) -> Result<Vec<ChartRow>> {
        self.read(|step, person| Ok(chart::of_person(step.transaction, &person.patients)?))
            .await
    }

    /// The chart, watched.
    pub fn watch_chart(&self) -> Watched<Vec<ChartRow>> {
        self.watched(|view| {
            let view = view.clone();
            Box::pin(async move { view.chart().await })
        })
    }

    /// The links that make the person's records one, each from either side.
    pub async fn links(&self) -> Result<Vec<LinkRow>> {
        self.read(|step, person| {
            let mut found = Vec::new();
            for patient in &person.patients {
                found.extend(links::of(step.transaction, patient)?);
            }
            Ok(found)
        })
        .await
    }

    /// The links, watched.
    pub fn watch_links(&self) -> Watched<Vec<LinkRow>> {
        self.watched(|view| {
            let view = view.clone();
            Box::pin(async move { view.links().await })
        })
    }

    /// The record, watched.
    pub fn watch_record(&self) -> Watched<PatientRow> {
        self.watched(|view| {
            let view = view.clone();
            Box::pin(async move { view.record().await })
        })
    }

    /// The patient's open conflicts.
    pub async fn conflicts(&self) -> Result<Vec<ConflictRow>> {
        self.read(|step, person| {
            let mut open = Vec::new();
            for patient in &person.patients {
                open.extend(conflicts::list(step.transaction, Some(patient))?);
            }
            Ok(open)
        })
        .await
    }

    /// The open conflicts, watched.
    pub fn watch_conflicts(&self) -> Watched<Vec<ConflictRow>> {
        self.watched(|view| {
            let view = view.clone();
            Box::pin(async move { view.conflicts().await })
        })
    }

    /// All that is known of an entry.
    ///
    /// # Errors
    /// `unknown_entry`, also for another patient's.
    pub async fn entry(&self, id: EntryId) -> Result<EntryDetail> {
        self.read(move |step, person| {
            let mut row = None;
            for patient in &person.patients {
                row = match row {
                    None => entries::get(step.transaction, patient, &id)?,
                    found => found,
                };
            }
            let row = row.filter(|row| person.patients.contains(&row.patient));
            let row = row.ok_or(SyncError::from(Code::UnknownEntry))?;
            let receipt = receipts::of_entry(step.transaction, (&row.patient, &id), &row.write)?;
            let mut detail = EntryDetail {
                received_ms: receipt.map(|receipt| receipt.received_ms),
                seq: receipt.map(|receipt| receipt.seq),
                other_texts: Vec::new(),
                other_bodies: Vec::new(),
                other_times: Vec::new(),
                entry: row,
            };
            let row = &detail.entry;
            if row.headers > 1 {
                let state = replica::entry_state(step, row)?;
                let others = state.headers.into_values();
                let others = others.filter(|header| header.write != row.write);
                detail.other_texts = others.map(|header| header.entry.text).collect();
            } else if row.status == entries::EntryStatus::Draft
                && let Some(draft) = replica::entry_state(step, row)?.draft
            {
                detail.other_bodies = draft.body.into_iter().skip(1).collect();
                detail.other_times = draft.occurred_at.into_iter().skip(1).collect();
            }
            Ok(detail)
        })
        .await
    }

    /// The same, watched.
    pub fn watch_entry(&self, id: EntryId) -> Watched<EntryDetail> {
        self.watched(move |view| {
            let view = view.clone();
            Box::pin(async move { view.entry(id).await })
        })
    }

    pub(super) fn watched<T: 'static>(
        &self,
        query: impl Fn(&Self) -> std::pin::Pin<Box<dyn Future<Output = Result<T>> + Send>> + Send + Sync + 'static,
    ) -> Watched<T> {
        let view = self.clone();
        Watched::new(
            self.client.changes(),
            self.touches(),
            Box::new(move || query(&view)),
        )
    }

    /// Which commits change what the view shows.
    fn touches(&self) -> Box<dyn Fn(&Changes) -> bool + Send + Sync> {
        let audited = self.audited.clone();
        Box::new(move |changes| {
            let audited = audited.lock().unwrap_or_else(PoisonError::into_inner);
            changes.many || !changes.patients.is_disjoint(&audited)
        })
    }

    /// Tells, when called, whether a commit changed the patient since this call.
    pub(super) fn changed_since(&self) -> impl FnMut() -> bool + Send + use<> {
        let (mut changes, touches) = (self.client.changes(), self.touches());
        move || loop {
            match changes.try_recv() {
                Ok(changes) if touches(&changes) => return true,
                Err(TryRecvError::Lagged(_)) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}
