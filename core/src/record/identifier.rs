//! Identifiers of a patient.

use super::text::check_line;
use crate::error::{Code, SyncError};
use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};

/// Who issues it: `cpf`, `cns`, or any other name or URI.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentifierSystem(pub String);

impl IdentifierSystem {
    /// The Brazilian taxpayer number.
    pub const CPF: &'static str = "cpf";
    /// The Brazilian national health card.
    pub const CNS: &'static str = "cns";

    /// The system of a name or URI: the URIs and OIDs that FHIR profiles give CPF and CNS become `cpf` and `cns`.
    pub fn parse(name: &str) -> Result<Self, SyncError> {
        let name = name.trim();
        check_line(name, "identifier.system")?;
        Ok(Self(
            match name.to_ascii_lowercase().as_str() {
                "cpf"
                | "http://rnds.saude.gov.br/fhir/r4/namingsystem/cpf"
                | "https://saude.gov.br/fhir/sid/cpf"
                | "http://www.saude.gov.br/fhir/r4/namingsystem/cpf"
                | "urn:oid:2.16.840.1.113883.13.237" => Self::CPF,
                "cns"
                | "http://rnds.saude.gov.br/fhir/r4/namingsystem/cns"
                | "https://saude.gov.br/fhir/sid/cns"
                | "http://www.saude.gov.br/fhir/r4/namingsystem/cns"
                | "urn:oid:2.16.840.1.113883.13.236" => Self::CNS,
                _ => name,
            }
            .to_owned(),
        ))
    }
}

/// One identifier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identifier {
    /// Who issues it.
    pub system: IdentifierSystem,
    /// The value, normalised.
    pub value: Sensitive<String>,
}

impl Identifier {
    /// Reads an identifier: of CPF and CNS the digits alone, with check digits that match (`cpf_invalid`,
    /// `cns_invalid`); of others any text on one line (`identifier_invalid`).
    pub fn parse(system: &str, value: &str) -> Result<Self, SyncError> {
        let malformed = |error: SyncError| SyncError::new(Code::IdentifierInvalid, error.detail);
        let system = IdentifierSystem::parse(system).map_err(malformed)?;
        let value = match system.0.as_str() {
            IdentifierSystem::CPF => digits(value)
                .filter(|digits| is_cpf(digits))
                .map(written)
                .ok_or(Code::CpfInvalid)?,
            IdentifierSystem::CNS => digits(value)
                .filter(|digits| is_cns(digits))
                .map(written)
                .ok_or(Code::CnsInvalid)?,
            _ => {
                let value = value.trim();
                check_line(value, "identifier.value").map_err(malformed)?;
                value.to_owned()
            }
        };
        Ok(Self {
            system,
            value: Sensitive(value),
        })
    }
}

/// The digits of a number written with the usual separators; `None` when anything else stands in it.
fn digits(value: &str) -> Option<Vec<u32>> {
    value
        .chars()
        .filter(|character| !matches!(character, '.' | '-' | '/') && !character.is_whitespace())
        .map(|character| character.to_digit(10))
        .collect()
}

fn written(digits: Vec<u32>) -> String {
    digits
        .into_iter()
        .filter_map(|digit| char::from_digit(digit, 10))
        .collect()
}

/// Σ digit × weight, the weights falling by one from `first`.
fn weighted(digits: &[u32], first: u32) -> u32 {
    digits
        .iter()
        .zip((1..=first).rev())
        .map(|(digit, weight)| digit * weight)
        .sum()
}

/// Eleven digits, not all alike, of which the last two are check digits modulo 11 (Receita Federal).
fn is_cpf(digits: &[u32]) -> bool {
    let check = |count: usize| match weighted(&digits[..count], count as u32 + 1) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    digits.len() == 11
        && digits.iter().any(|digit| *digit != digits[0])
        && digits[9] == check(9)
        && digits[10] == check(10)
}

/// Fifteen digits. Definitive numbers (1, 2) are a PIS number, `000` or `001`, and a check digit; provisional ones
/// (7, 8, 9) have a weighted sum that 11 divides (DATASUS).
fn is_cns(digits: &[u32]) -> bool {
    if digits.len() != 15 {
        return false;
    }
    match digits[0] {
        1 | 2 => {
            let sum = weighted(&digits[..11], 15);
            let tail = match 11 - sum % 11 {
                11 => [0, 0, 0, 0],
                10 => [0, 0, 1, 11 - (sum + 2) % 11],
                check => [0, 0, 0, check],
            };
            digits[11..] == tail
        }
        7..=9 => weighted(digits, 15).is_multiple_of(11),
        _ => false,
    }
}
