//! Patient → the record.

use crate::datatype::{address_line, full_name, moment_of};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use vereda_core::error::Code;
use vereda_core::record::{Contact, Identifier, IdentifierSystem, PatientRecord};
use vereda_core::redact::Sensitive;

/// What Brazil's national FHIR profiles (RNDS) and their predecessors call the two numbers.
const CPF: [&str; 4] = [
    "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cpf",
    "https://rnds.saude.gov.br/fhir/r4/NamingSystem/cpf",
    "https://saude.gov.br/fhir/sid/cpf",
    "urn:oid:2.16.840.1.113883.13.237",
];
const CNS: [&str; 4] = [
    "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cns",
    "https://rnds.saude.gov.br/fhir/r4/NamingSystem/cns",
    "https://saude.gov.br/fhir/sid/cns",
    "urn:oid:2.16.840.1.113883.13.236",
];

/// Maps a Patient.
pub(crate) fn patient(resource: &Element) -> Result<PatientRecord, Fault> {
    let name = full_name(resource)?.ok_or_else(|| Fault::new(Code::NameEmpty, "`name` says nothing"))?;
    moment_of(resource, "birthDate").map_err(|_| {
        Fault::new(
            Code::BirthDateInvalid,
            "`birthDate` is not a date between 1900 and 2200",
        )
    })?;
    let deceased = match resource.text("deceasedDateTime")? {
        Some(moment) => {
            moment_of(resource, "deceasedDateTime")?;
            Some(moment)
        }
        // Known to have died, nobody knows when.
        None => resource
            .flag("deceasedBoolean")?
            .filter(|dead| *dead)
            .map(|_| "unknown"),
    };
    Ok(PatientRecord {
        name: Sensitive(name),
        birth_date: resource.text("birthDate")?.map(|date| Sensitive(date.to_owned())),
        gender: resource
            .text("gender")?
            .map(|gender| Sensitive(gender.to_owned())),
        identifiers: identifiers(resource)?,
        contacts: contacts(resource)?,
        deceased: deceased.map(|moment| Sensitive(moment.to_owned())),
        origin: None,
    })
}

fn identifiers(resource: &Element) -> Result<Vec<Identifier>, Fault> {
    let mut identifiers: Vec<Identifier> = Vec::new();
    for element in resource.children("identifier")? {
        let Some(value) = element.text("value")? else {
            continue;
        };
        let system = system_of(element)?;
        let value = match system.as_str() {
            "cpf" | "cns" => value.chars().filter(char::is_ascii_digit).collect(),
            _ => value.to_owned(),
        };
        let identifier = Identifier {
            system: IdentifierSystem(system),
            value: Sensitive(value),
        };
        if !identifiers.contains(&identifier) {
            identifiers.push(identifier);
        }
    }
    Ok(identifiers)
}

fn system_of(identifier: &Element) -> Result<String, Fault> {
    let system = identifier.text("system")?.unwrap_or_default();
    if CPF.contains(&system) || system.eq_ignore_ascii_case("cpf") {
        return Ok("cpf".to_owned());
    }
    if CNS.contains(&system) || system.eq_ignore_ascii_case("cns") {
        return Ok("cns".to_owned());
    }
    if !system.is_empty() {
        return Ok(system.to_owned());
    }
    Ok(crate::datatype::code_of(identifier, "type")?.unwrap_or_else(|| "unknown".to_owned()))
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
