//! Which entries of which patient a command reads: the same options wherever a timeline is read.

use super::{PURPOSE, time};
use crate::failure::Failure;
use vereda_core::client::{Client, PatientView};
use vereda_core::id::PatientId;
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::EntryFilter;

/// Whose entries, and which of them.
#[derive(clap::Args)]
pub(crate) struct Selection {
    /// Whose.
    #[arg(long)]
    patient: PatientId,
    /// Only this kind; several may be given.
    #[arg(long)]
    kind: Vec<String>,
    /// From this time on.
    #[arg(long, value_name = "RFC3339")]
    from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "RFC3339")]
    to: Option<String>,
    /// All these words, as beginnings of words.
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Why the patient is opened, for the audit.
    #[arg(long, default_value = PURPOSE)]
    purpose: String,
}

impl Selection {
    /// What passes. Judged before the patient is opened: a wrong time leaves nothing in the audit.
    pub(super) fn filter(&self) -> Result<EntryFilter, Failure> {
        Ok(EntryFilter {
            kinds: self.kind.clone(),
            from_ms: time(self.from.as_deref())?.map(|at| at.utc_ms),
            to_ms: time(self.to.as_deref())?.map(|at| at.utc_ms),
            words: self.search.clone().map(Sensitive),
            ..EntryFilter::default()
        })
    }

    /// Opens the patient.
    pub(super) async fn open(&self, client: &Client) -> Result<PatientView, Failure> {
        Ok(client.open_patient(self.patient, self.purpose.clone()).await?)
    }
}
