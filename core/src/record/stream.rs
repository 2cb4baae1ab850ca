//! A stream is the unit of scope and of order: who may read one of its items may read them all.

use crate::id::UnitId;
use serde::{Deserialize, Serialize};

/// What only some may read is another compartment, hence another stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compartment {
    /// Patients' records.
    Identity,
    /// The clinical timeline and chart.
    Clinical,
    /// Mental health, HIV and what else a unit keeps closer.
    Sensitive,
    /// Bookings.
    Agenda,
    /// Who read and wrote what.
    Audit,
}

impl Compartment {
    /// Every compartment, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Identity,
        Self::Clinical,
        Self::Sensitive,
        Self::Agenda,
        Self::Audit,
    ];

    /// The name on the wire and in a document's derivation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Clinical => "clinical",
            Self::Sensitive => "sensitive",
            Self::Agenda => "agenda",
            Self::Audit => "audit",
        }
    }

    /// The code in the store.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The compartment of a code; `None` for a code this version does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl std::str::FromStr for Compartment {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|compartment| compartment.name() == text)
            .ok_or(())
    }
}

/// One totally ordered log on the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// The unit that works with it.
    pub unit: UnitId,
    /// What it holds.
    pub compartment: Compartment,
}

impl Stream {
    /// The stream of a unit's compartment.
    pub fn new(unit: UnitId, compartment: Compartment) -> Self {
        Self { unit, compartment }
    }
}
