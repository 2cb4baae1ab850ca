//! A patient's record: who they are. Optimistic, field by field; never an Automerge document, because a wrong
//! identity is decided by a person.

use super::text::{check_length, check_line};
use super::{Identifier, PartialDate, canonical_text, parse_json};
use crate::error::{Code, SyncError};
use crate::limits::{FIELDS_MAX, LINE_CHARACTERS_MAX, NAME_CHARACTERS_MAX};
use crate::redact::Sensitive;
use crate::time::Zoned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

/// A way to reach the patient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// `phone`, `email`, `address` … (FHIR ContactPoint.system, open).
    pub system: String,
    /// The number, address …
    pub value: Sensitive<String>,
}

/// Who a patient is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PatientRecord {
    /// The full name as the patient gives it.
    pub name: Sensitive<String>,
    /// The date of birth, `YYYY-MM-DD` (FHIR date; year or year and month alone are allowed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<Sensitive<String>>,
    /// FHIR administrative gender: male, female, other, unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<Sensitive<String>>,
    /// CPF, CNS and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Ways to reach them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// When they died, if they did (FHIR `deceasedDateTime`), or `true` where only that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deceased: Option<Sensitive<String>>,
    /// Of an import: `Patient/id` and the digest of what was mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<super::Origin>,
}

/// A field two people may change at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatientField {
    /// The name.
    Name,
    /// The date of birth.
    BirthDate,
    /// The gender.
    Gender,
    /// All identifiers.
    Identifiers,
    /// All contacts.
    Contacts,
    /// The date of death.
    Deceased,
}

impl PatientField {
    /// Every field.
    pub const ALL: [Self; 6] = [
        Self::Name,
        Self::BirthDate,
        Self::Gender,
        Self::Identifiers,
        Self::Contacts,
        Self::Deceased,
    ];

    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birth_date",
            Self::Gender => "gender",
            Self::Identifiers => "identifiers",
            Self::Contacts => "contacts",
            Self::Deceased => "deceased",
        }
    }

    /// The field of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// A field's value as JSON text, so that every field is compared and shown alike.
pub type PatientValue = Sensitive<String>;

/// One field from the value its author saw to the one they want.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which.
    pub field: PatientField,
    /// What its author saw.
    pub from: PatientValue,
    /// What it shall be.
    pub to: PatientValue,
}

impl PatientRecord {
    /// A record of a name alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Sensitive(name.into()),
            ..Self::default()
        }
    }

    /// The same record, judged and normalised: spaces around and between words of the name, digits of CPF and
    /// CNS, repeated identifiers. Fails with `name_empty`, `birth_date_invalid`, `cpf_invalid`, `cns_invalid`,
    /// `identifier_invalid` or `field_invalid`.
    pub fn validated(self) -> Result<Self, SyncError> {
        if let Some(origin) = &self.origin {
            origin.check()?;
        }
        Ok(Self {
            name: Sensitive(name(&self.name)?),
            birth_date: self
                .birth_date
                .map(|date| birth_date(&date).map(Sensitive))
                .transpose()?,
            gender: self.gender.map(|word| gender(&word).map(Sensitive)).transpose()?,
            identifiers: identifiers(self.identifiers)?,
            contacts: contacts(self.contacts)?,
            deceased: self
                .deceased
                .map(|date| deceased(&date).map(Sensitive))
                .transpose()?,
            origin: self.origin,
        })
    }

    /// Judges a record that somebody else has validated: it must be normalised already.
    pub fn check(&self) -> Result<(), SyncError> {
        if self.clone().validated()? == *self {
            return Ok(());
        }
        Err(SyncError::new(Code::FieldInvalid, "record: not normalised"))
    }

    /// A field's value as canonical JSON: text, `null`, or for identifiers and contacts a list of
    /// `{"system","value"}`.
    pub fn get(&self, field: PatientField) -> PatientValue {
        let optional = |text: &Option<Sensitive<String>>| json!(text.as_ref().map(|text| text.as_str()));
        let value = match field {
            PatientField::Name => json!(self.name.as_str()),
            PatientField::BirthDate => optional(&self.birth_date),
            PatientField::Gender => optional(&self.gender),
            PatientField::Identifiers => self
                .identifiers
                .iter()
                .map(|identifier| json!({"system": identifier.system.0, "value": identifier.value.as_str()}))
                .collect(),
            PatientField::Contacts => self
                .contacts
                .iter()
                .map(|contact| json!({"system": contact.system, "value": contact.value.as_str()}))
                .collect(),
            PatientField::Deceased => optional(&self.deceased),
        };
        Sensitive(canonical_text(&value))
    }

    /// Sets a field from JSON text, judged and normalised; nothing changes where it fails.
    pub fn set(&mut self, field: PatientField, value: &PatientValue) -> Result<(), SyncError> {
        let value = parse_json(value)?;
        match field {
            PatientField::Name => {
                self.name = Sensitive(name(value.as_str().ok_or_else(|| wrong_shape(field))?)?)
            }
            PatientField::BirthDate => self.birth_date = optional(field, &value, birth_date)?,
            PatientField::Gender => self.gender = optional(field, &value, gender)?,
            PatientField::Deceased => self.deceased = optional(field, &value, deceased)?,
            PatientField::Identifiers => {
                let read = pairs(field, &value)?
                    .into_iter()
                    .map(|(system, value)| Identifier::parse(system, value))
                    .collect::<Result<_, _>>()?;
                self.identifiers = identifiers(read)?;
            }
            PatientField::Contacts => {
                let read = pairs(field, &value)?
                    .into_iter()
                    .map(|(system, value)| Contact {
                        system: system.to_owned(),
                        value: Sensitive(value.to_owned()),
                    })
                    .collect();
                self.contacts = contacts(read)?;
            }
        }
        Ok(())
    }

    /// What an author changed who saw `self` and wants `edited`: one change for each field that differs.
    pub fn diff(&self, edited: &Self) -> Vec<FieldChange> {
        PatientField::ALL
            .into_iter()
            .map(|field| FieldChange {
                field,
                from: self.get(field),
                to: edited.get(field),
            })
            .filter(|change| change.from != change.to)
            .collect()
    }
}

fn wrong_shape(field: PatientField) -> SyncError {
    SyncError::new(
        Code::FieldInvalid,
        format!("{}: not of the field's shape", field.name()),
    )
}

fn optional(
    field: PatientField,
    value: &Value,
    judge: fn(&str) -> Result<String, SyncError>,
) -> Result<Option<Sensitive<String>>, SyncError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Sensitive(judge(text)?))),
        _ => Err(wrong_shape(field)),
    }
}

fn pairs(field: PatientField, value: &Value) -> Result<Vec<(&str, &str)>, SyncError> {
    fn pair(item: &Value) -> Option<(&str, &str)> {
        Some((item.get("system")?.as_str()?, item.get("value")?.as_str()?))
    }
    let items = value.as_array().ok_or_else(|| wrong_shape(field))?;
    items
        .iter()
        .map(|item| pair(item).ok_or_else(|| wrong_shape(field)))
        .collect()
}

fn name(text: &str) -> Result<String, SyncError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let name: String = words.join(" ").nfc().collect();
    if name.is_empty() {
        return Err(Code::NameEmpty.into());
    }
    check_length(&name, "name", NAME_CHARACTERS_MAX, Code::FieldInvalid)?;
    check_line(&name, "name")?;
    Ok(name)
}

fn birth_date(text: &str) -> Result<String, SyncError> {
    PartialDate::parse(text.trim())
        .map(|_| text.trim().to_owned())
        .ok_or_else(|| SyncError::new(Code::BirthDateInvalid, "birth_date"))
}

fn gender(text: &str) -> Result<String, SyncError> {
    let word = text.trim();
    if matches!(word, "male" | "female" | "other" | "unknown") {
        return Ok(word.to_owned());
    }
    Err(SyncError::new(
        Code::FieldInvalid,
        "gender: one of male, female, other, unknown",
    ))
}

fn deceased(text: &str) -> Result<String, SyncError> {
    let text = text.trim();
    if text == "true" || PartialDate::parse(text).is_some() || Zoned::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(SyncError::new(Code::NotADate, "deceased"))
}

fn identifiers(given: Vec<Identifier>) -> Result<Vec<Identifier>, SyncError> {
    check_count("identifiers", given.len())?;
    let mut read: Vec<Identifier> = Vec::with_capacity(given.len());
    for identifier in given {
        let identifier = Identifier::parse(&identifier.system.0, &identifier.value)?;
        if !read.contains(&identifier) {
            read.push(identifier);
        }
    }
    Ok(read)
}

fn contacts(given: Vec<Contact>) -> Result<Vec<Contact>, SyncError> {
    check_count("contacts", given.len())?;
    let mut read: Vec<Contact> = Vec::with_capacity(given.len());
    for contact in given {
        let contact = Contact {
            system: contact.system.trim().to_owned(),
            value: Sensitive(contact.value.trim().to_owned()),
        };
        check_line(&contact.system, "contacts.system")?;
        if contact.value.is_empty() {
            return Err(SyncError::new(Code::FieldInvalid, "contacts.value: empty"));
        }
        check_length(
            &contact.value,
            "contacts.value",
            LINE_CHARACTERS_MAX,
            Code::FieldInvalid,
        )?;
        if !read.contains(&contact) {
            read.push(contact);
        }
    }
    Ok(read)
}

fn check_count(field: &str, count: usize) -> Result<(), SyncError> {
    if count > FIELDS_MAX {
        let detail = format!("{field}: {count}, at most {FIELDS_MAX}");
        return Err(SyncError::new(Code::FieldInvalid, detail));
    }
    Ok(())
}
