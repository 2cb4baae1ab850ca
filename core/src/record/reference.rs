//! What a tenant keeps for all its devices: units, specialities, professionals, kinds. The server decides; a device
//! shows what it was given and how fresh that is. A row of another kind, or a field of a later version, is kept as
//! it came.

use super::text::check_line;
use crate::error::SyncError;
use crate::id::UnitId;
use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};

/// What a row tells of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceKind {
    /// A unit of the tenant; its id is the unit's UUID.
    Unit,
    /// A speciality; its id is its code.
    Speciality,
    /// A professional; its id is a UUID.
    Professional,
    /// A kind of entries of the tenant's own; its id is the kind's name, its content the definition.
    Kind,
}

impl ReferenceKind {
    /// Every kind of row.
    pub const ALL: [Self; 4] = [Self::Unit, Self::Speciality, Self::Professional, Self::Kind];

    /// The name on the wire and in the stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Speciality => "speciality",
            Self::Professional => "professional",
            Self::Kind => "kind",
        }
    }
}

impl std::str::FromStr for ReferenceKind {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// A unit of the tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnitReference {
    /// Its name.
    pub name: String,
}

/// A speciality.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Speciality {
    /// Its title in Portuguese.
    pub pt: String,
    /// Its title in English.
    pub en: String,
}

/// A registration with a professional council.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Council {
    /// Which council, as people write it (`CRM-AM`, `COREN`); free text.
    pub kind: String,
    /// The number, as the council writes it.
    pub number: String,
}

/// Somebody patients are seen by or referred to, with or without a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Professional {
    /// The name.
    pub name: Sensitive<String>,
    /// The code of their speciality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speciality: Option<String>,
    /// The units they work in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitId>,
    /// Their registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub council: Option<Council>,
}

impl Speciality {
    /// Judges it: both titles are there, each a line.
    ///
    /// # Errors
    /// `field_invalid`.
    pub fn check(&self) -> Result<(), SyncError> {
        check_line(&self.pt, "pt")?;
        check_line(&self.en, "en")
    }
}

impl Professional {
    /// Judges it: a name, and lines everywhere.
    ///
    /// # Errors
    /// `field_invalid`.
    pub fn check(&self) -> Result<(), SyncError> {
        check_line(&self.name, "name")?;
        if let Some(council) = &self.council {
            check_line(&council.kind, "council.kind")?;
            check_line(&council.number, "council.number")?;
        }
        Ok(())
    }
}
