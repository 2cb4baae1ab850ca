//! Which document something lies in. Derived, so that two devices that never met write the same one.

use crate::id::{DocumentId, PatientId};
use crate::record::Compartment;
use serde::{Deserialize, Serialize};

/// What a document holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// The entries of one UTC year, or of a part of it.
    Chapter {
        /// The year of occurrence.
        year: i32,
        /// 0 first; a writer opens the next part when one is full.
        part: u32,
    },
    /// What is true of the patient now.
    Chart,
}

/// Names a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DocumentKey {
    /// What it holds.
    pub kind: DocumentKind,
    /// Whose it is.
    pub patient: PatientId,
    /// Who may read it.
    pub compartment: Compartment,
}

impl DocumentKey {
    /// The chapter of a year.
    pub fn chapter(patient: PatientId, compartment: Compartment, year: i32, part: u32) -> Self {
        Self {
            kind: DocumentKind::Chapter { year, part },
            patient,
            compartment,
        }
    }

    /// The chart.
    pub fn chart(patient: PatientId, compartment: Compartment) -> Self {
        Self {
            kind: DocumentKind::Chart,
            patient,
            compartment,
        }
    }

    /// The year and part; zeros for a chart.
    pub fn chapter_numbers(&self) -> (i32, u32) {
        match self.kind {
            DocumentKind::Chapter { year, part } => (year, part),
            DocumentKind::Chart => (0, 0),
        }
    }

    /// The kind's name, in the derivation and in the store.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            DocumentKind::Chapter { .. } => "chapter",
            DocumentKind::Chart => "chart",
        }
    }

    /// The key of a kind's name and numbers; `None` for a kind this version does not know.
    pub fn from_parts(
        name: &str,
        patient: PatientId,
        compartment: Compartment,
        chapter: (i32, u32),
    ) -> Option<Self> {
        match name {
            "chapter" => Some(Self::chapter(patient, compartment, chapter.0, chapter.1)),
            "chart" => Some(Self::chart(patient, compartment)),
            _ => None,
        }
    }

    /// The document's id.
    pub fn id(&self) -> DocumentId {
        let (year, part) = self.chapter_numbers();
        DocumentId::derive(
            self.kind_name(),
            self.patient,
            self.compartment.name(),
            year,
            part,
        )
    }
}
