//! What of an opened person is exported.

use super::{ExportedRecord, Signatures};
use vereda_core::client::{Client, PageRequest, PatientView};
use vereda_core::error::Result;
use vereda_core::limits::PAGE_ROWS_MAX;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::entries::EntryFilter;

/// The names of the colleagues who sign.
///
/// # Errors
/// `not_enrolled`.
pub async fn signatures(client: &Client) -> Result<Signatures> {
    let people = client.identity().await?.scope.people;
    Ok(Signatures(
        people
            .into_iter()
            .map(|person| (person.id, person.name))
            .collect(),
    ))
}

/// The records of an opened person, the opened one first, each with what is under it.
///
/// # Errors
/// `view_closed`.
pub async fn gather(view: &PatientView) -> Result<Vec<ExportedRecord>> {
    let links = view.links().await?;
    let mut records: Vec<ExportedRecord> = view
        .records()
        .await?
        .into_iter()
        .map(|patient| ExportedRecord {
            links: links
                .iter()
                .filter(|link| link.patient == patient.id)
                .map(|link| link.other)
                .collect(),
            patient,
            chart: Vec::new(),
            entries: Vec::new(),
        })
        .collect();
    let chart = view.chart().await?;
    for item in chart.into_iter().flat_map(each) {
        if let Some(record) = records
            .iter_mut()
            .find(|record| record.patient.id == item.patient)
        {
            record.chart.push(item);
        }
    }
    let filter = EntryFilter {
        oldest_first: true,
        ..EntryFilter::default()
    };
    let mut request = PageRequest {
        limit: Some(PAGE_ROWS_MAX),
        after: None,
    };
    loop {
        let page = view.timeline(filter.clone(), request.clone()).await?;
        for entry in page.rows {
            if let Some(record) = records
                .iter_mut()
                .find(|record| record.patient.id == entry.patient)
            {
                record.entries.push(entry);
            }
        }
        request.after = page.next;
        if request.after.is_none() {
            return Ok(records);
        }
    }
}

/// An item of the chart that is shown, and those it stands for.
fn each(mut item: ChartRow) -> Vec<ChartRow> {
    let others = std::mem::take(&mut item.also);
    let others = others.into_iter().map(|source| ChartRow {
        id: source.id,
        patient: source.patient,
        compartment: source.compartment,
        author: source.author,
        recorded_at: source.recorded_at,
        ..item.clone()
    });
    let mut items: Vec<ChartRow> = others.collect();
    items.insert(0, item);
    items
}
