//! Whether devices show the same, byte for byte.

use crate::failure::Result;
use crate::program::Device;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct PatientPage {
    patients: Vec<ListedPatient>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct ListedPatient {
    id: String,
}

#[derive(Deserialize)]
struct TimelinePage {
    entries: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// Every patient on a device, by id.
pub(crate) fn patients(device: &Device<'_>) -> Result<Vec<String>> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let mut arguments = vec!["patient", "list", "--limit", "500"];
        if !after.is_empty() {
            arguments.extend(["--after", &after]);
        }
        let page: PatientPage = device.ask(&arguments)?;
        ids.extend(page.patients.into_iter().map(|patient| patient.id));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    ids.sort();
    Ok(ids)
}

/// A patient's whole timeline as printed, and how many entries it has.
pub(crate) fn timeline(device: &Device<'_>, patient: &str) -> Result<(String, usize)> {
    let (mut text, mut count, mut after) = (String::new(), 0, String::new());
    loop {
        let mut arguments = vec!["timeline", "--patient", patient, "--limit", "500"];
        if !after.is_empty() {
            arguments.extend(["--after", &after]);
        }
        let page: TimelinePage = device.ask(&arguments)?;
        for entry in page.entries {
            text.push_str(entry.get());
            text.push('\n');
            count += 1;
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok((text, count)),
        }
    }
}

/// A patient's chart and open conflicts as printed.
pub(crate) fn chart(device: &Device<'_>, patient: &str) -> Result<Value> {
    device.ask(&["chart", "show", "--patient", patient])
}

/// How many conflicts a device shows.
pub(crate) fn conflicts(device: &Device<'_>) -> Result<usize> {
    let shown: Value = device.ask(&["conflicts", "list"])?;
    Ok(shown["conflicts"].as_array().map_or(0, Vec::len))
}

/// How many writes wait on a device.
pub(crate) fn waiting(device: &Device<'_>) -> Result<usize> {
    let outbox: Value = device.ask(&["outbox"])?;
    Ok(outbox["writes"].as_array().map_or(0, Vec::len))
}
