//! Two units of one tenant, one of another, and what is looked for in bytes.

use vereda_core::client::PageRequest;
use vereda_core::id::{PatientId, UnitId, WriteId};
use vereda_core::record::{Compartment, PatientRecord};
use vereda_core::store::entries::EntryFilter;
use vereda_core::testing::SeededEntropy;
use vereda_server::Role;
use vereda_server::store::QuarantineDecision;
use vereda_tests::World;

pub(crate) struct Clinic {
    pub(crate) world: World,
    pub(crate) north: UnitId,
    pub(crate) annex: UnitId,
}

/// The device of the north's unit, of the annex, and of the other tenant.
pub(crate) const NORTH: usize = 0;
pub(crate) const ANNEX: usize = 1;
pub(crate) const SOUTH: usize = 2;

impl Clinic {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new(seed, 1);
        let mut entropy = SeededEntropy::new(seed + 7);
        world
            .administration()
            .create_unit(&mut entropy, Some("north"), "unit-annex")
            .expect("a unit");
        let mut clinic = Self {
            north: world.enrolment(NORTH).scope.units[0].id,
            annex: UnitId(uuid::Uuid::nil()),
            world,
        };
        let annex = clinic.join("north", "user-annex", &["unit-annex"], Role::Clinician);
        assert_eq!(annex, ANNEX);
        clinic.annex = clinic.world.enrolment(ANNEX).scope.units[0].id;
        assert_eq!(
            clinic.join("south", "user-south", &["unit-south"], Role::Clinician),
            SOUTH
        );
        clinic
    }

    /// A device of a user, in a role and units.
    pub(crate) fn join(&mut self, tenant: &str, user: &str, units: &[&str], role: Role) -> usize {
        self.world.join(tenant, user, units, role)
    }

    /// Streams are read from segments, whatever their size.
    pub(crate) fn offer_segments(&mut self) {
        self.world.segments_from_bytes = 1;
        self.world.start_server();
    }

    /// The user works in a unit, or no longer.
    pub(crate) fn leave(&mut self, user: &str, unit: &str) {
        self.world
            .administration()
            .leave_unit(Some("north"), user, unit)
            .expect("left");
    }

    pub(crate) fn come_back(&mut self, user: &str, unit: &str) {
        let mut entropy = SeededEntropy::new(77);
        self.world
            .administration()
            .put_user(&mut entropy, Some("north"), user, Role::Clinician, &[unit])
            .expect("a user");
    }

    /// A patient with a CPF, registered on a device and everywhere known.
    pub(crate) fn patient(&mut self, device: usize, name: &str, cpf: &str) -> PatientId {
        let mut record = PatientRecord::named(name);
        record
            .identifiers
            .push(vereda_core::record::Identifier::parse("cpf", cpf).expect("a CPF"));
        self.world
            .run(device, |client| async move {
                client.patients().register(record).await
            })
            .expect("a patient")
            .patient
    }

    /// Shares identity and the clinical compartment.
    pub(crate) fn share(&mut self, device: usize, patient: PatientId, to: UnitId) {
        self.share_until(device, patient, to, None);
    }

    /// The same, for so many days.
    pub(crate) fn share_for_days(&mut self, device: usize, patient: PatientId, to: UnitId, days: i64) {
        let until_ms = self.world.server_clock_ms() + days * 86_400_000;
        self.share_until(device, patient, to, Some(until_ms));
    }

    fn share_until(&mut self, device: usize, patient: PatientId, to: UnitId, until_ms: Option<i64>) {
        self.world
            .run(device, |client| async move {
                let compartments = [Compartment::Clinical].into();
                let placement = client.placement();
                placement
                    .share(patient, to, compartments, "encaminhado".into(), until_ms)
                    .await
            })
            .expect("a share");
    }

    /// Ends the one share of a patient.
    pub(crate) fn end_share(&mut self, device: usize, patient: PatientId) {
        self.world
            .run(device, |client| async move {
                let places = client.placement().list(patient).await?;
                let share = places.last().expect("a share").write;
                client.placement().end(patient, share, "alta".into()).await
            })
            .expect("an end");
    }

    /// The timeline's texts, or that the patient is not here.
    pub(crate) fn reads(&mut self, device: usize, patient: PatientId) -> Option<Vec<String>> {
        self.world.run(device, |client| async move {
            let view = client.open_patient(patient, "test").await.ok()?;
            let request = PageRequest {
                limit: Some(500),
                after: None,
            };
            let page = view.timeline(EntryFilter::default(), request).await.ok()?;
            let mut texts: Vec<String> = page.rows.into_iter().map(|row| row.text.0).collect();
            texts.sort();
            Some(texts)
        })
    }

    /// The texts of a patient's own record, without those of linked ones.
    pub(crate) fn own_texts(&mut self, device: usize, patient: PatientId) -> Option<Vec<String>> {
        let rows = self.world.rows(device).entries.into_iter();
        let own: Vec<String> = rows
            .filter(|row| row.patient == patient)
            .map(|row| row.text.0)
            .collect();
        (!own.is_empty()).then_some(own)
    }

    /// What the server holds of a device for a supervisor, as the device knows it.
    pub(crate) fn held(&mut self, device: usize) -> Vec<vereda_core::store::held::HeldRow> {
        self.world
            .run(device, |client| async move { client.queue().held().await })
            .expect("a list")
    }
}

/// A supervisor of the north's tenant decides about a held write.
pub(crate) fn decide(
    clinic: &mut Clinic,
    write: WriteId,
    decision: QuarantineDecision,
) -> Result<(), vereda_server::admin::DecisionError> {
    let now_ms = clinic.world.server_clock_ms();
    let path = clinic.world.server_path();
    let keys = clinic.world.server_keys();
    let mut entropy = SeededEntropy::new(99);
    vereda_server::admin::decide(
        (&path, &keys),
        &mut entropy,
        (Some("north"), "super"),
        write,
        decision,
        now_ms,
    )
}
