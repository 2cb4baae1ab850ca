//! Carrying plans out on a store: what is new is written, what changed amends, what is the same is left alone.

use crate::import::Import;
use crate::plan::{
    ImportPlan, MappedChart, MappedEntry, PatientUnit, Position, Problem, amendment_of, retraction_of,
};
use crate::target::{Held, HeldPatient, ImportTarget, Progress};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use vereda_core::error::{Code, Result, SyncError};
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::limits::WRITE_ENTRIES_MAX;
use vereda_core::record::{Compartment, NewEntry, PatientRecord};
use vereda_core::redact::Sensitive;

/// Bytes of one write, with [`ENTRY_BYTES`]: the change that carries it stays under what the gate lets in.
const WRITE_BYTES_MAX: usize = 192 * 1024;
/// Bytes an entry takes in a write besides its content: id, times, origin.
const ENTRY_BYTES: usize = 192;

/// What became of things of one sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tally {
    /// Were not there before.
    pub added: u64,
    /// Were there with other content.
    pub changed: u64,
    /// Were there as they are.
    pub unchanged: u64,
}

/// What an import did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ImportReport {
    /// Files looked at.
    pub files: u64,
    /// Resources in them.
    pub resources: u64,
    /// Records.
    pub patients: Tally,
    /// Entries, those of chart items included. `changed` counts amendments and retractions.
    pub entries: Tally,
    /// Chart items.
    pub chart: Tally,
    /// Pairs of records linked as one person's.
    pub links: u64,
    /// Professionals and organizations.
    pub reference: u64,
    /// Resources that are in now, by type.
    pub imported: BTreeMap<String, u64>,
    /// Resources of types that are not imported, by type.
    pub skipped: BTreeMap<String, u64>,
    /// Of the imported ones, those that came again further on, by type: the last one counts.
    pub repeated: BTreeMap<String, u64>,
    /// What is broken, in the order of the files.
    pub problems: Vec<Problem>,
}

impl ImportReport {
    /// Whether every resource is accounted for.
    pub fn is_complete(&self) -> bool {
        let counted: u64 = [&self.imported, &self.skipped]
            .iter()
            .flat_map(|c| c.values())
            .sum();
        counted
            + self
                .problems
                .iter()
                .filter(|problem| problem.index.is_some() && !problem.imported)
                .count() as u64
            == self.resources
    }
}

impl Import {
    /// Carries the import out. What is wrong with a resource goes into the report; an error is the store's, and
    /// the import can be run again.
    pub async fn run<T: ImportTarget>(&self, target: &mut T) -> Result<ImportReport> {
        let files = self.files();
        let mut run = Run {
            report: ImportReport {
                files: files.len() as u64,
                ..ImportReport::default()
            },
            progress: Progress {
                bytes_total: self.bytes(),
                ..Progress::default()
            },
            fresh: HashSet::new(),
            native: HashMap::new(),
            links: BTreeSet::new(),
            files,
            target,
        };
        for plan in self.plans() {
            run.carry_out(plan).await?;
        }
        run.link().await?;
        run.report
            .problems
            .sort_by(|a, b| (&a.file, a.index).cmp(&(&b.file, b.index)));
        Ok(run.report)
    }
}

struct Run<'a, T> {
    target: &'a mut T,
    report: ImportReport,
    progress: Progress,
    files: Vec<String>,
    /// Patients registered by this very run: nothing of theirs can be there already.
    fresh: HashSet<PatientId>,
    /// Patients that an export of this very store brings, by the id an import elsewhere gives them.
    native: HashMap<PatientId, PatientId>,
    /// Pairs to be linked when both are in.
    links: BTreeSet<(PatientId, PatientId)>,
}

impl<T: ImportTarget> Run<'_, T> {
    async fn carry_out(&mut self, plan: ImportPlan) -> Result<()> {
        self.report.resources += plan.resources;
        self.links.extend(plan.links);
        add_counts(&mut self.report.skipped, plan.skipped);
        add_counts(&mut self.report.imported, plan.repeated.clone());
        add_counts(&mut self.report.repeated, plan.repeated);
        self.report.problems.extend(plan.problems);
        for rows in plan.reference.chunks(WRITE_ENTRIES_MAX) {
            self.target.reference(rows.to_vec()).await?;
            self.report.reference += rows.len() as u64;
            for row in rows {
                let kind = if row.kind == "organization" {
                    "Organization"
                } else {
                    "Practitioner"
                };
                self.count_imported(kind);
            }
        }
        for (patient, unit) in plan.patients {
            self.unit(patient, unit).await?;
        }
        self.progress.bytes += plan.bytes;
        self.progress.resources = self.report.resources;
        self.tell();
        Ok(())
    }

    async fn unit(&mut self, patient: PatientId, unit: PatientUnit) -> Result<()> {
        if let Some(native) = unit.native
            && self.target.patient(native).await?.is_some()
        {
            self.native.insert(patient, native);
        }
        let native = self.native.get(&patient).copied();
        let is_there = match native {
            // Who was registered here is not registered again, nor brought back to what an older export says.
            Some(_) => {
                if unit.record.is_some() {
                    self.report.patients.unchanged += 1;
                    self.count_imported("Patient");
                }
                true
            }
            None => self.patient_is_there(patient, unit.record).await?,
        };
        let patient = native.unwrap_or(patient);
        if !is_there {
            let reason = "its patient is neither in this import nor on this device";
            let problem = || SyncError::new(Code::FhirReference, reason);
            for mapped in unit.entries {
                self.refuse(mapped.position, &mapped.entry, problem());
            }
            for (position, name, _) in unit.chart {
                self.list(position, name, problem());
            }
            return Ok(());
        }
        let mut batch = Batch::default();
        for group in unit.entries.chunks(WRITE_ENTRIES_MAX) {
            let known_as = |mapped: &MappedEntry| match mapped.native {
                Some(id) if native.is_some() => Some(id),
                _ => mapped.entry.id,
            };
            let ids: Vec<EntryId> = group.iter().filter_map(known_as).collect();
            let held = if self.fresh.contains(&patient) {
                vec![None; ids.len()]
            } else {
                self.target.entries(patient, &ids).await?
            };
            for (mapped, held) in group.iter().zip(held) {
                self.entry(patient, mapped, held, &mut batch).await?;
            }
        }
        self.write(patient, batch).await?;
        for (position, name, mut chart) in unit.chart {
            let here = crate::map::native(&name)
                .filter(|_| native.is_some())
                .map(ChartItemId);
            if let Some(item) = here
                && self.target.chart(patient, item).await?.is_some()
            {
                chart.item = item;
            }
            self.chart_alone(patient, position, name, chart).await?;
        }
        Ok(())
    }

    /// A chart item of which no entry tells.
    async fn chart_alone(
        &mut self,
        patient: PatientId,
        position: Position,
        name: String,
        chart: MappedChart,
    ) -> Result<()> {
        let held = self.target.chart(patient, chart.item).await?;
        let is_native = chart.item.0.get_version_num() != 5;
        if held.as_ref() == Some(&chart.fields) || (is_native && held.is_some()) {
            self.report.chart.unchanged += 1;
            self.count_imported(&name);
            return Ok(());
        }
        match self.target.set_chart(patient, chart, None).await {
            Ok(()) if held.is_some() => self.report.chart.changed += 1,
            Ok(()) => self.report.chart.added += 1,
            Err(error) if is_about_the_value(error.code) => {
                self.list(position, name, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.count_imported(&name);
        Ok(())
    }

    /// Links the records that say they are one person's, where both are in.
    async fn link(&mut self) -> Result<()> {
        for pair in std::mem::take(&mut self.links) {
            let here = |patient: PatientId| self.native.get(&patient).copied().unwrap_or(patient);
            let (one, other) = (here(pair.0), here(pair.1));
            let both =
                self.target.patient(one).await?.is_some() && self.target.patient(other).await?.is_some();
            if both && self.target.link(one, other).await? {
                self.report.links += 1;
            }
        }
        Ok(())
    }

    /// Registers or edits the patient where the plan has the record. Whether entries have a place to go.
    async fn patient_is_there(
        &mut self,
        patient: PatientId,
        record: Option<(Position, PatientRecord)>,
    ) -> Result<bool> {
        if record.is_none() && self.fresh.contains(&patient) {
            return Ok(true);
        }
        let held = self.target.patient(patient).await?;
        let Some((position, record)) = record else {
            return Ok(held.is_some());
        };
        let name = record
            .origin
            .as_ref()
            .map(|origin| origin.resource.clone())
            .unwrap_or_default();
        let known = held.is_some();
        let written = match &held {
            None => self.target.register(patient, record).await,
            Some(held) if !differs(held, &record) => {
                self.report.patients.unchanged += 1;
                self.count_imported(&name);
                return Ok(true);
            }
            Some(_) => self.target.edit(patient, record).await,
        };
        match written {
            Ok(()) if known => self.report.patients.changed += 1,
            Ok(()) => {
                self.report.patients.added += 1;
                self.fresh.insert(patient);
            }
            Err(error) if is_about_the_value(error.code) => {
                self.list(position, name, error);
                return Ok(known);
            }
            Err(error) => return Err(error),
        }
        self.count_imported(&name);
        Ok(true)
    }

    /// Decides what one entry needs, and writes it or puts it into the batch.
    async fn entry(
        &mut self,
        patient: PatientId,
        mapped: &MappedEntry,
        held: Option<Held>,
        batch: &mut Batch,
    ) -> Result<()> {
        let origin = mapped.entry.origin.as_ref();
        let digest = origin.map(|origin| origin.digest.as_str()).unwrap_or_default();
        let known = held.is_some();
        let entry = match held {
            Some(held) if mapped.is_exact || held.digest == digest => {
                self.report.entries.unchanged += 1;
                self.report.chart.unchanged += u64::from(mapped.chart.is_some());
                self.count_imported(origin.map(|origin| origin.resource.as_str()).unwrap_or_default());
                return Ok(());
            }
            Some(held) if mapped.withdrawn => retraction_of(mapped.entry.clone(), held.current),
            Some(held) => amendment_of(mapped.entry.clone(), held.current),
            None if mapped.withdrawn => {
                let reason = "its source took it back (entered-in-error) and it was never imported";
                self.refuse(
                    mapped.position,
                    &mapped.entry,
                    SyncError::new(Code::FhirMalformed, reason),
                );
                return Ok(());
            }
            None => mapped.entry.clone(),
        };
        let Some(mut chart) = mapped.chart.clone() else {
            if !batch.has_room_for(mapped.compartment, &entry) {
                self.write(patient, std::mem::take(batch)).await?;
            }
            batch.push(mapped.position, mapped.compartment, entry, known);
            return Ok(());
        };
        if mapped.withdrawn {
            chart
                .fields
                .insert("status".to_owned(), Sensitive("entered-in-error".to_owned()));
        }
        match self.target.set_chart(patient, chart, Some(entry.clone())).await {
            Ok(()) => {
                let counter = &mut self.report.chart;
                *(if known {
                    &mut counter.changed
                } else {
                    &mut counter.added
                }) += 1;
                self.written(&entry, known);
            }
            Err(error) if is_about_the_value(error.code) => self.refuse(mapped.position, &entry, error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes a batch. Where the store refuses a value, the batch is halved until the one it means is alone.
    async fn write(&mut self, patient: PatientId, batch: Batch) -> Result<()> {
        let compartment = batch.compartment;
        let mut waiting = vec![batch.entries];
        while let Some(mut group) = waiting.pop() {
            if group.is_empty() {
                continue;
            }
            let entries = group.iter().map(|(_, entry, _)| entry.clone()).collect();
            match self.target.add(patient, compartment, entries).await {
                Ok(()) => {
                    for (_, entry, known) in &group {
                        self.written(entry, *known);
                    }
                    self.tell();
                }
                // Who imports does not write there: what only some may read goes nowhere else.
                Err(error) if error.code == Code::OutOfScope && compartment == Compartment::Sensitive => {
                    for (position, entry, _) in &group {
                        self.refuse(*position, entry, error.clone());
                    }
                }
                Err(error) if !is_about_the_value(error.code) => return Err(error),
                Err(error) if group.len() == 1 => {
                    for (position, entry, _) in &group {
                        self.refuse(*position, entry, error.clone());
                    }
                }
                Err(_) => {
                    let second = group.split_off(group.len() / 2);
                    waiting.push(second);
                    waiting.push(group);
                }
            }
        }
        Ok(())
    }

    fn written(&mut self, entry: &NewEntry, known: bool) {
        let counter = &mut self.report.entries;
        *(if known {
            &mut counter.changed
        } else {
            &mut counter.added
        }) += 1;
        self.progress.entries += 1;
        let resource = entry
            .origin
            .as_ref()
            .map(|origin| origin.resource.clone())
            .unwrap_or_default();
        self.count_imported(&resource);
    }

    fn count_imported(&mut self, resource: &str) {
        let kind = resource.split('/').next().unwrap_or_default();
        *self.report.imported.entry(kind.to_owned()).or_default() += 1;
    }

    fn refuse(&mut self, position: Position, entry: &NewEntry, error: SyncError) {
        let resource = entry
            .origin
            .as_ref()
            .map(|origin| origin.resource.clone())
            .unwrap_or_default();
        self.list(position, resource, error);
    }

    fn list(&mut self, position: Position, resource: String, error: SyncError) {
        self.report.problems.push(Problem {
            file: Sensitive(
                self.files
                    .get(position.file as usize)
                    .cloned()
                    .unwrap_or_default(),
            ),
            index: Some(position.index),
            resource,
            code: error.code,
            reason: error.detail,
            imported: false,
        });
    }

    fn tell(&mut self) {
        self.progress.problems = self.report.problems.len() as u64;
        self.target.progress(&self.progress);
    }
}

/// Entries on their way, each with its place and whether the resource was there before.
struct Batch {
    entries: Vec<(Position, NewEntry, bool)>,
    compartment: Compartment,
    bytes: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            compartment: Compartment::Clinical,
            bytes: 0,
        }
    }
}

impl Batch {
    fn push(&mut self, position: Position, compartment: Compartment, entry: NewEntry, known: bool) {
        self.compartment = compartment;
        self.bytes += ENTRY_BYTES + entry.content_bytes();
        self.entries.push((position, entry, known));
    }

    /// One batch is one write, whole or not at all: within the limits, of one compartment and one year's chapter.
    fn has_room_for(&self, compartment: Compartment, entry: &NewEntry) -> bool {
        let year = self
            .entries
            .first()
            .map(|(_, first, _)| first.occurred_at.utc_year());
        self.entries.len() < WRITE_ENTRIES_MAX
            && self.bytes + ENTRY_BYTES + entry.content_bytes() <= WRITE_BYTES_MAX
            && (self.entries.is_empty() || self.compartment == compartment)
            && year.is_none_or(|year| year == entry.occurred_at.utc_year())
    }
}

/// Whether the source says something it did not say the last time, and that the record does not say either.
fn differs(held: &HeldPatient, record: &PatientRecord) -> bool {
    let digest = record.origin.as_ref().map(|origin| origin.digest.as_str());
    let plain = |record: &PatientRecord| PatientRecord {
        origin: None,
        ..record.clone()
    };
    held.digest.as_deref() != digest && plain(&held.record) != plain(record)
}

/// Whether a code says that this value cannot be stored, rather than that nothing can.
fn is_about_the_value(code: Code) -> bool {
    matches!(
        code,
        Code::TextEmpty
            | Code::TextTooLong
            | Code::BodyTooLarge
            | Code::BodyInvalid
            | Code::KindUnknown
            | Code::NotADate
            | Code::OccurredInFuture
            | Code::CpfInvalid
            | Code::CnsInvalid
            | Code::IdentifierInvalid
            | Code::BirthDateInvalid
            | Code::NameEmpty
            | Code::FieldInvalid
            | Code::TooLarge
    )
}

fn add_counts(into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>) {
    for (kind, count) in from {
        *into.entry(kind).or_default() += count;
    }
}
