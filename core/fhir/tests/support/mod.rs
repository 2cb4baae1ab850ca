//! A store in memory that judges what it is given as the core does.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use vereda_core::error::Result;
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::record::{
    ChartFields, Compartment, Intent, KindRegistry, NewEntry, PatientRecord, ReferenceRow, Relation,
};
use vereda_fhir::{Held, HeldPatient, Import, ImportReport, ImportTarget, MappedChart, Origins, Source};

/// What was written.
#[derive(Default, Clone, PartialEq, Debug)]
pub(crate) struct MemoryStore {
    pub(crate) patients: BTreeMap<PatientId, PatientRecord>,
    pub(crate) entries: BTreeMap<EntryId, (PatientId, NewEntry)>,
    pub(crate) chart: BTreeMap<ChartItemId, (PatientId, ChartFields)>,
    pub(crate) reference: BTreeMap<uuid::Uuid, ReferenceRow>,
    pub(crate) links: BTreeSet<(PatientId, PatientId)>,
    pub(crate) writes: u64,
}

impl MemoryStore {
    /// Imports sources; every resource must be explained.
    pub(crate) async fn import(&mut self, sources: Vec<Source>) -> ImportReport {
        let report = Import::of(sources, Origins::unique())
            .run(self)
            .await
            .expect("the store takes all");
        assert!(report.is_complete(), "{report:?}");
        report
    }

    /// The entry a resource became, or the last amendment of it.
    pub(crate) fn current(&self, resource: &str) -> &NewEntry {
        let mut current = Origins::unique().entry(resource);
        while let Some(next) = self.amendment_of(current) {
            current = next;
        }
        &self.entries[&current].1
    }

    fn amendment_of(&self, entry: EntryId) -> Option<EntryId> {
        let amends = |relation: &Option<Relation>| matches!(relation, Some(Relation::Amends(it) | Relation::Retracts(it)) if *it == entry);
        self.entries
            .iter()
            .find(|(_, (_, entry))| amends(&entry.relation))
            .map(|(id, _)| *id)
    }

    fn judge(&self, intent: Intent) -> Result<()> {
        intent.validate(&KindRegistry::standard())
    }

    fn insert(&mut self, patient: PatientId, entry: NewEntry) {
        assert!(
            self.patients.contains_key(&patient),
            "entries of an unknown patient"
        );
        let id = entry.id.expect("a derived id");
        assert!(
            self.entries.insert(id, (patient, entry)).is_none(),
            "an entry written twice"
        );
    }
}

impl ImportTarget for MemoryStore {
    async fn patient(&mut self, patient: PatientId) -> Result<Option<HeldPatient>> {
        Ok(self.patients.get(&patient).map(|record| HeldPatient {
            record: record.clone(),
            digest: record.origin.as_ref().map(|origin| origin.digest.clone()),
        }))
    }

    async fn entries(&mut self, _: PatientId, ids: &[EntryId]) -> Result<Vec<Option<Held>>> {
        assert!(ids.len() <= 500);
        let held = |id: &EntryId| {
            self.entries.get(id)?;
            let mut current = *id;
            while let Some(next) = self.amendment_of(current) {
                current = next;
            }
            let digest = self.entries[&current].1.origin.as_ref()?.digest.clone();
            Some(Held { current, digest })
        };
        Ok(ids.iter().map(held).collect())
    }

    async fn register(&mut self, patient: PatientId, record: PatientRecord) -> Result<()> {
        self.judge(Intent::Register {
            record: record.clone(),
            patient: Some(patient),
        })?;
        self.writes += 1;
        assert!(
            self.patients.insert(patient, record).is_none(),
            "a patient registered twice"
        );
        Ok(())
    }

    async fn edit(&mut self, patient: PatientId, record: PatientRecord) -> Result<()> {
        record.check()?;
        self.writes += 1;
        self.patients.insert(patient, record);
        Ok(())
    }

    async fn chart(&mut self, _: PatientId, item: ChartItemId) -> Result<Option<ChartFields>> {
        Ok(self.chart.get(&item).map(|(_, fields)| fields.clone()))
    }

    async fn link(&mut self, one: PatientId, other: PatientId) -> Result<bool> {
        Ok(self.links.insert((one, other)))
    }

    async fn add(&mut self, patient: PatientId, _: Compartment, entries: Vec<NewEntry>) -> Result<()> {
        self.judge(Intent::Add {
            entries: entries.clone(),
        })?;
        self.writes += 1;
        for entry in entries {
            self.insert(patient, entry);
        }
        Ok(())
    }

    async fn set_chart(
        &mut self,
        patient: PatientId,
        chart: MappedChart,
        entry: Option<NewEntry>,
    ) -> Result<()> {
        self.judge(Intent::SetChart {
            item: None,
            kind: chart.kind,
            fields: chart.fields.clone(),
            entry: entry.clone().map(Box::new),
        })?;
        self.writes += 1;
        if let Some(entry) = entry {
            self.insert(patient, entry);
        }
        self.chart
            .entry(chart.item)
            .or_insert((patient, ChartFields::new()))
            .1
            .extend(chart.fields);
        Ok(())
    }

    async fn reference(&mut self, rows: Vec<ReferenceRow>) -> Result<()> {
        self.judge(Intent::AddReference { rows: rows.clone() })?;
        for row in rows {
            if self.reference.get(&row.id) != Some(&row) {
                self.writes += 1;
                self.reference.insert(row.id, row);
            }
        }
        Ok(())
    }
}

/// A Bundle of resources, each under the `urn:uuid:` of its id.
pub(crate) fn bundle(resources: &[serde_json::Value]) -> Source {
    let entries: Vec<_> = resources
        .iter()
        .map(|resource| {
            let id = resource["id"].as_str().unwrap_or_default();
            serde_json::json!({ "fullUrl": format!("urn:uuid:{id}"), "resource": resource })
        })
        .collect();
    let bundle = serde_json::json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    Source::Bytes("bundle.json".to_owned(), bundle.to_string().into_bytes())
}

/// NDJSON of resources.
pub(crate) fn ndjson(name: &str, lines: &[String]) -> Source {
    Source::Bytes(name.to_owned(), lines.join("\n").into_bytes())
}
