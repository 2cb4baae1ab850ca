//! Two tenants, three units, and in each of them a patient whose every part has a word of its own.

use crate::table::{COMPARTMENTS, Cell, cell};
use vereda_core::id::{PatientId, UnitId};
use vereda_core::record::{ChartKind, Compartment, Identifier, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::testing::SeededEntropy;
use vereda_server::Role;
use vereda_tests::{BEGIN_MS, World, note};

/// A unit of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) tenant: &'static str,
    pub(crate) unit: &'static str,
}

/// The places: two units of one tenant, one of another.
pub(crate) const PLACES: [Place; 3] = [
    Place {
        tenant: "north",
        unit: "unit-north",
    },
    Place {
        tenant: "north",
        unit: "unit-annex",
    },
    Place {
        tenant: "south",
        unit: "unit-south",
    },
];

/// What each place's patient is known by.
const IDENTIFIERS: [&str; 3] = ["529.982.247-25", "111.444.777-35", "390.533.447-05"];

/// Something that may be read only by whoever reads the compartment in the place.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    pub(crate) what: String,
    pub(crate) place: Place,
    pub(crate) compartment: Compartment,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is a word a person wrote: ids need not travel where they can be computed.
    pub(crate) is_text: bool,
}

/// Whose device it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    pub(crate) device: usize,
    pub(crate) place: Place,
    pub(crate) role: Role,
    /// Whether the sensitive compartment is granted to them.
    pub(crate) is_granted: bool,
}

impl Reader {
    /// What docs/roles.md says.
    pub(crate) fn reads(&self, place: Place, compartment: Compartment) -> bool {
        if !COMPARTMENTS.contains(&compartment) {
            // The audit is read at the server: its column is a duty.
            return false;
        }
        let cell = cell(self.role, compartment.name());
        place == self.place && (cell == Cell::Yes || (cell == Cell::Granted && self.is_granted))
    }
}

/// A world with its patients.
pub(crate) struct Clinic {
    pub(crate) world: World,
    pub(crate) needles: Vec<Needle>,
    pub(crate) patients: Vec<PatientId>,
    /// Of each place the patient's identifier.
    pub(crate) identifiers: Vec<Identifier>,
    /// Of each place the author's device.
    pub(crate) authors: Vec<usize>,
    /// Of each place the unit.
    pub(crate) units: Vec<UnitId>,
}

impl Clinic {
    pub(crate) fn new(seed: u64) -> Self {
        Self::planted(World::new(seed, 0))
    }

    /// Plants a patient in each place.
    pub(crate) fn planted(mut world: World) -> Self {
        let mut entropy = SeededEntropy::new(901);
        world
            .administration()
            .create_unit(&mut entropy, Some("north"), "unit-annex")
            .expect("a unit");
        let mut clinic = Self {
            world,
            needles: Vec::new(),
            patients: Vec::new(),
            identifiers: Vec::new(),
            authors: Vec::new(),
            units: Vec::new(),
        };
        for place in PLACES {
            let author = clinic.join(place, &format!("author of {}", place.unit), Role::Clinician, true);
            clinic.authors.push(author);
            let unit = clinic.world.enrolment(author).scope.units[0].id;
            clinic.units.push(unit);
            clinic.plant(place, author);
        }
        // As after a verified copy: what is durable is a count too.
        clinic
            .world
            .server_file()
            .execute_batch("update stream_head set durable = seq")
            .expect("durable");
        clinic
    }

    /// A device of a new user.
    pub(crate) fn join(&mut self, place: Place, user: &str, role: Role, is_granted: bool) -> usize {
        let device = self.world.add_unenrolled_device();
        let code = self.code(place, user, role, is_granted);
        self.world
            .run(device, |client| async move {
                client.enrol("http://localhost", &code, "a tablet").await
            })
            .expect("it enrols");
        self.world.sync(device);
        device
    }

    fn code(&mut self, place: Place, user: &str, role: Role, is_granted: bool) -> String {
        let mut entropy = SeededEntropy::new(7_000 + self.world.devices.len() as u64);
        let expires_ms = self.world.server_clock_ms() + 86_400_000;
        let mut admin = self.world.administration();
        let tenant = Some(place.tenant);
        admin
            .put_user(&mut entropy, tenant, user, role, &[place.unit])
            .expect("a user");
        if is_granted {
            admin
                .grant_scope(tenant, user, place.unit, Compartment::Sensitive, BEGIN_MS)
                .expect("granted");
        }
        admin
            .enrolment_code(&mut entropy, tenant, user, expires_ms, None)
            .expect("a code")
    }

    fn plant(&mut self, place: Place, author: usize) {
        let word =
            |compartment: Compartment| format!("zq{}{}", place.unit.replace('-', ""), compartment.name());
        let (identity, clinical, sensitive) = (
            word(Compartment::Identity),
            word(Compartment::Clinical),
            word(Compartment::Sensitive),
        );
        let world = &mut self.world;
        let identifier = Identifier::parse("cpf", IDENTIFIERS[self.patients.len()]).expect("a CPF");
        let record = PatientRecord {
            identifiers: vec![identifier.clone()],
            ..PatientRecord::named(format!("{identity} da Silva"))
        };
        let patient = world
            .run(author, |client| async move {
                client.patients().register(record).await
            })
            .expect("registered")
            .patient;
        let mut ids = Vec::new();
        for (compartment, text) in [
            (Compartment::Clinical, clinical.clone()),
            (Compartment::Sensitive, sensitive.clone()),
        ] {
            let saved = world.run(author, |client| async move {
                let timeline = client.timeline();
                let saved = timeline
                    .add_in(patient, compartment, note(1, &text), false)
                    .await?;
                // What amends an entry names it on the wire.
                let entry = saved.entry.expect("an entry");
                timeline
                    .amend(entry, Some(format!("{text}, corrigido")), None)
                    .await?;
                Ok::<_, vereda_core::error::SyncError>(entry)
            });
            ids.push((compartment, saved.expect("written")));
        }
        let fields = [("display".to_owned(), Sensitive(format!("{clinical} alergia")))].into();
        world
            .run(author, |client| async move {
                let kind = ChartKind("allergy".into());
                client.chart().set(patient, None, kind, fields).await
            })
            .expect("set");
        world.sync(author);
        assert_eq!(world.outbox(author).len(), 0, "all of it is at the server");
        assert_eq!(world.drawer(author).len(), 0);
        self.patients.push(patient);
        self.identifiers.push(identifier.clone());
        let mut needle = |what: &str, compartment, bytes: &[u8]| {
            self.needles.push(Needle {
                what: format!("{what} of {}", place.unit),
                place,
                compartment,
                bytes: bytes.to_vec(),
                is_text: bytes.starts_with(b"zq"),
            });
        };
        needle("the name", Compartment::Identity, identity.as_bytes());
        needle(
            "the identifier",
            Compartment::Identity,
            identifier.value.as_bytes(),
        );
        needle("the patient's id", Compartment::Identity, patient.as_bytes());
        needle(
            "the patient's id as text",
            Compartment::Identity,
            patient.to_string().as_bytes(),
        );
        needle("the note", Compartment::Clinical, clinical.as_bytes());
        needle("the sensitive note", Compartment::Sensitive, sensitive.as_bytes());
        for (compartment, id) in ids {
            needle("an entry's id", compartment, id.as_bytes());
            needle("an entry's id as text", compartment, id.to_string().as_bytes());
        }
    }
}

/// Where a needle lies in bytes.
pub(crate) fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
