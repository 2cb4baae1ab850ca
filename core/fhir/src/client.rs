//! An import into a device's store, through the core's façade.

use crate::plan::MappedChart;
use crate::target::{Held, HeldPatient, ImportTarget, Progress};
use vereda_core::client::Client;
use vereda_core::error::Result;
use vereda_core::id::{ChartItemId, EntryId, PatientId, UnitId};
use vereda_core::record::{ChartFields, Compartment, NewEntry, PatientRecord, ReferenceRow};

/// A client as the target of an import, with what to do as it goes on.
#[derive(Debug)]
pub struct ClientTarget<'a, F> {
    client: &'a Client,
    unit: Option<UnitId>,
    progress: F,
}

impl<'a, F: FnMut(&Progress) + Send> ClientTarget<'a, F> {
    /// Imports into the store of a client; `progress` is called after each write, on the importing task.
    pub fn new(client: &'a Client, progress: F) -> Self {
        Self {
            client,
            unit: None,
            progress,
        }
    }

    /// Registers new patients in this unit instead of the user's first.
    pub fn in_unit(mut self, unit: Option<UnitId>) -> Self {
        self.unit = unit;
        self
    }
}

impl<F: FnMut(&Progress) + Send> ImportTarget for ClientTarget<'_, F> {
    async fn patient(&mut self, patient: PatientId) -> Result<Option<HeldPatient>> {
        let held = self.client.imports().patient(patient).await?;
        Ok(held.map(|(record, digest)| HeldPatient { record, digest }))
    }

    async fn entries(&mut self, _: PatientId, ids: &[EntryId]) -> Result<Vec<Option<Held>>> {
        let held = self.client.imports().entries(ids.to_vec()).await?;
        let held = held.into_iter().map(|entry| {
            entry.map(|it| Held {
                current: it.current,
                digest: it.digest,
            })
        });
        Ok(held.collect())
    }

    async fn register(&mut self, patient: PatientId, record: PatientRecord) -> Result<()> {
        self.client
            .patients()
            .register_in(self.unit, Some(patient), record)
            .await
            .map(drop)
    }

    async fn edit(&mut self, patient: PatientId, record: PatientRecord) -> Result<()> {
        self.client.imports().edit(patient, record).await.map(drop)
    }

    async fn add(
        &mut self,
        patient: PatientId,
        compartment: Compartment,
        entries: Vec<NewEntry>,
    ) -> Result<()> {
        let imports = self.client.imports();
        imports.add_in(patient, compartment, entries).await.map(drop)
    }

    async fn chart(&mut self, patient: PatientId, item: ChartItemId) -> Result<Option<ChartFields>> {
        self.client.imports().chart_item(patient, item).await
    }

    async fn link(&mut self, one: PatientId, other: PatientId) -> Result<bool> {
        let reason = "imported".to_owned();
        let saved = self.client.patients().link(one, other, reason).await?;
        Ok(saved.is_some())
    }

    async fn set_chart(
        &mut self,
        patient: PatientId,
        chart: MappedChart,
        entry: Option<NewEntry>,
    ) -> Result<()> {
        let charts = self.client.chart();
        charts
            .set_with_entry(patient, Some(chart.item), chart.kind, chart.fields, entry)
            .await
            .map(drop)
    }

    async fn reference(&mut self, rows: Vec<ReferenceRow>) -> Result<()> {
        self.client.imports().reference(rows).await.map(drop)
    }

    fn progress(&mut self, progress: &Progress) {
        (self.progress)(progress);
    }
}
