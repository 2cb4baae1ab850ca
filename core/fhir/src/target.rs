//! What an import needs of the store it fills.

use crate::plan::MappedChart;
use std::future::Future;
use vereda_core::error::Result;
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::record::{ChartFields, Compartment, NewEntry, PatientRecord, ReferenceRow};

/// What the store has of a patient.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HeldPatient {
    /// The record as it is now.
    pub record: PatientRecord,
    /// The digest of the content imported last, if any was.
    pub digest: Option<String>,
}

/// What the store has of a resource's entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The entry itself, or the last one in the chain of *imported* amendments of it (entries with an origin that
    /// amend or retract it, those that amend these …).
    pub current: EntryId,
    /// The digest in that entry's origin.
    pub digest: String,
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Bytes of the files read so far.
    pub bytes: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
    /// Resources read so far.
    pub resources: u64,
    /// Entries written so far.
    pub entries: u64,
    /// Problems so far.
    pub problems: u64,
}

/// A store that takes an import. Each call is one write of its own (or one read); an import that is cut anywhere
/// is carried to its end by running it again.
pub trait ImportTarget {
    /// What is held of a patient; `None` where it is unknown.
    fn patient(&mut self, patient: PatientId) -> impl Future<Output = Result<Option<HeldPatient>>> + Send;

    /// What is held of entries (at most 500), in the order asked; `None` for each one that was never written.
    fn entries(
        &mut self,
        patient: PatientId,
        ids: &[EntryId],
    ) -> impl Future<Output = Result<Vec<Option<Held>>>> + Send;

    /// Registers a patient under a derived id.
    fn register(
        &mut self,
        patient: PatientId,
        record: PatientRecord,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Brings a patient's record to what the source now says.
    fn edit(&mut self, patient: PatientId, record: PatientRecord) -> impl Future<Output = Result<()>> + Send;

    /// Writes entries of one patient, all of them or none: at most 500, of one UTC year, in order of
    /// (occurred, id), none of them there yet.
    fn add(
        &mut self,
        patient: PatientId,
        compartment: Compartment,
        entries: Vec<NewEntry>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// What is held of a chart item; `None` where it was never written.
    fn chart(
        &mut self,
        patient: PatientId,
        item: ChartItemId,
    ) -> impl Future<Output = Result<Option<ChartFields>>> + Send;

    /// Links two records; whether they were not linked before.
    fn link(&mut self, one: PatientId, other: PatientId) -> impl Future<Output = Result<bool>> + Send;

    /// Writes a chart item, and the entry that tells of it where there is one.
    fn set_chart(
        &mut self,
        patient: PatientId,
        chart: MappedChart,
        entry: Option<NewEntry>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Keeps professionals and organizations (at most 500), by id; equal rows change nothing.
    fn reference(&mut self, rows: Vec<ReferenceRow>) -> impl Future<Output = Result<()>> + Send;

    /// Told after each write.
    fn progress(&mut self, _progress: &Progress) {}
}
