//! Patient → the record.

use crate::datatype::{address_line, code_of, full_name};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use vereda_core::error::{Code, SyncError};
use vereda_core::record::{Contact, Identifier, IdentifierSystem, PatientRecord};
use vereda_core::redact::Sensitive;

/// Maps a Patient; the second is what of it could not be taken as it came.
pub(crate) fn patient(resource: &Element) -> Result<(PatientRecord, Option<SyncError>), Fault> {
    let name = full_name(resource)?.ok_or_else(|| Fault::new(Code::NameEmpty, "`name` says nothing"))?;
    let deceased = match resource.text("deceasedDateTime")? {
        Some(moment) => Some(moment),
        // Known to have died, nobody knows when.
        None => resource
            .flag("deceasedBoolean")?
            .filter(|dead| *dead)
            .map(|_| "true"),
    };
    let (identifiers, doubt) = identifiers(resource)?;
    let record = PatientRecord {
        name: Sensitive(name),
        birth_date: resource.text("birthDate")?.map(|date| Sensitive(date.to_owned())),
        gender: resource
            .text("gender")?
            .map(|gender| Sensitive(gender.to_owned())),
        identifiers,
        contacts: contacts(resource)?,
        deceased: deceased.map(|moment| Sensitive(moment.to_owned())),
        origin: None,
    };
    Ok((record.validated()?, doubt))
}

/// CPF and CNS whose check digits do not match are kept under a name of their own: they find the patient again,
/// and pass for no proof. Says which did not match.
fn identifiers(resource: &Element) -> Result<(Vec<Identifier>, Option<SyncError>), Fault> {
    let (mut identifiers, mut doubt) = (Vec::new(), None);
    for element in resource.children("identifier")? {
        let Some(value) = element.text("value")? else {
            continue;
        };
        let system = match element.text("system")? {
            Some(system) => system.to_owned(),
            None => code_of(element, "type")?.unwrap_or_else(|| "unknown".to_owned()),
        };
        let read = Identifier::parse(&system, value).or_else(|error| {
            if !matches!(error.code, Code::CpfInvalid | Code::CnsInvalid) {
                return Err(error);
            }
            let name = if error.code == Code::CpfInvalid {
                IdentifierSystem::CPF
            } else {
                IdentifierSystem::CNS
            };
            doubt = Some(error);
            Identifier::parse(&format!("{name}-unverified"), value)
        });
        identifiers.push(read?);
    }
    Ok((identifiers, doubt))
}

fn contacts(resource: &Element) -> Result<Vec<Contact>, Fault> {
    let mut contacts = Vec::new();
    for telecom in resource.children("telecom")? {
        if let Some(value) = telecom
            .text("value")?
            .filter(|_| telecom.get("use") != Some(&"old".into()))
        {
            let system = telecom.text("system")?.unwrap_or("other").to_owned();
            contacts.push(Contact {
                system,
                value: Sensitive(value.to_owned()),
            });
        }
    }
    for address in resource.children("address")? {
        if let Some(line) = address_line(address)?.filter(|_| address.get("use") != Some(&"old".into())) {
            contacts.push(Contact {
                system: "address".to_owned(),
                value: Sensitive(line),
            });
        }
    }
    Ok(contacts)
}
