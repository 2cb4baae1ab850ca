//! Entries for measuring: the same seed gives the same entries, on every machine.

use crate::{body::body, text::sentence};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;
use vereda_core::id::{NAMESPACE, PatientId};
use vereda_core::record::{Kind, NewEntry, canonical_text};
use vereda_core::time::{EpochMs, Zoned};

/// The kinds that are generated, in the proportion of their places.
pub const KINDS: [&str; 12] = [
    "note",
    "vitals",
    "encounter",
    "lab",
    "note",
    "vitals",
    "medication",
    "observation",
    "immunization",
    "procedure",
    "referral",
    "task",
];

/// 2024-01-08T10:00:00Z, when the first patient's first entry is.
const FIRST_MS: EpochMs = 1_704_708_000_000;

/// An entry, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PatientEntry {
    /// The patient, by number from 0.
    pub number: u32,
    /// The patient, by id.
    pub patient: PatientId,
    /// The entry: twelve words of text, a body that satisfies its kind, no id (it derives from the write).
    pub entry: NewEntry,
}

/// The id of the seed's patient of a number.
pub fn patient_id(seed: u64, number: u32) -> PatientId {
    PatientId(Uuid::new_v5(
        &NAMESPACE,
        format!("generated/{seed}/{number}").as_bytes(),
    ))
}

/// Entries of so many patients, patient after patient, each patient's in order of occurrence: two years of care
/// in a clinic at -03:00. A patient's entries do not depend on how many patients there are.
pub fn entries(seed: u64, patients: u32, per_patient: u32) -> impl Iterator<Item = PatientEntry> {
    (0..patients).flat_map(move |number| {
        let patient = patient_id(seed, number);
        let mut rng = patient_rng(seed, number);
        let mut minutes: i64 = i64::from(number) * 7;
        (0..per_patient).map(move |_| {
            minutes += if rng.random_bool(0.6) {
                rng.random_range(1..=20)
            } else {
                rng.random_range(60..=20_000)
            };
            PatientEntry {
                number,
                patient,
                entry: entry(&mut rng, FIRST_MS + minutes * 60_000),
            }
        })
    })
}

pub(crate) fn patient_rng(seed: u64, number: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(number));
    rng
}

fn entry(rng: &mut ChaCha8Rng, utc_ms: EpochMs) -> NewEntry {
    let kind = KINDS[rng.random_range(0..KINDS.len())];
    let occurred_at = Zoned {
        utc_ms,
        offset_minutes: -180,
    };
    let text = sentence(rng, kind);
    let body = canonical_text(&body(rng, kind, occurred_at.utc_year()));
    NewEntry::new(Kind(kind.to_owned()), occurred_at, text).with_body(body)
}
