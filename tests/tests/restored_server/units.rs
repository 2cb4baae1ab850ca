//! Two units of a tenant, devices that each have only a part of the scope, and a server that lost a day of shares,
//! claims, moves, links and notes.

use crate::converge_on;
use vereda_core::entropy::Entropy;
use vereda_core::error::SyncError;
use vereda_core::id::{PatientId, UnitId};
use vereda_core::record::{ChartKind, Compartment, Identifier, PatientRecord};
use vereda_core::testing::SeededEntropy;
use vereda_server::Role;
use vereda_tests::{Fault, Rows, World, note};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Devices of the north's unit, of the annex, and of a user who works in both.
const NORTH: [usize; 2] = [0, 1];
const ANNEX: [usize; 2] = [2, 3];
const BOTH: usize = 4;
const ALL: [usize; 5] = [0, 1, 2, 3, 4];

const CPF: [&str; 4] = [
    "529.982.247-25",
    "111.444.777-35",
    "390.533.447-05",
    "987.654.321-00",
];

struct Units {
    world: World,
    north: UnitId,
    annex: UnitId,
    patients: Vec<PatientId>,
    entropy: SeededEntropy,
    written: u64,
}

impl Units {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed, 2);
        let mut entropy = SeededEntropy::new(seed + 7);
        world
            .administration()
            .create_unit(&mut entropy, Some("north"), "unit-annex")
            .expect("a unit");
        for (user, units) in [
            ("user-2", &["unit-annex"][..]),
            ("user-3", &["unit-annex"]),
            ("user-4", &["unit-annex", "unit-north"]),
        ] {
            world.join("north", user, units, Role::Clinician);
        }
        Self {
            north: world.enrolment(NORTH[0]).scope.units[0].id,
            annex: world.enrolment(ANNEX[0]).scope.units[0].id,
            world,
            patients: Vec::new(),
            entropy,
            written: 0,
        }
    }

    fn below(&mut self, count: usize) -> usize {
        (self.entropy.next_u64() % count as u64) as usize
    }

    fn register(&mut self, device: usize) {
        let mut record = PatientRecord::named(format!("Patient {}", self.patients.len()));
        if let Some(cpf) = CPF.get(self.patients.len()) {
            record
                .identifiers
                .push(Identifier::parse("cpf", cpf).expect("a CPF"));
        }
        let unit = if device == ANNEX[0] || device == ANNEX[1] {
            self.annex
        } else {
            self.north
        };
        let saved = self.world.run(device, |client| async move {
            client.patients().register_in(Some(unit), None, record).await
        });
        self.patients.push(saved.expect("registered").patient);
    }

    /// Something a person does on a device; where it is not possible there, nothing.
    fn act(&mut self, device: usize) {
        if self.patients.len() < 3 {
            return self.register(device);
        }
        self.written += 1;
        let (number, what) = (self.written, self.below(16));
        let (one, two) = (self.below(self.patients.len()), self.below(self.patients.len()));
        let (patient, other) = (self.patients[one], self.patients[two]);
        let to = if self.below(2) == 0 {
            self.north
        } else {
            self.annex
        };
        let (cpf, unit) = (
            CPF.get(one).copied(),
            if device < 2 { self.north } else { self.annex },
        );
        let done: Result<(), SyncError> = self.world.run(device, |client| async move {
            let view = client.open_patient(patient, "test").await;
            let Ok(view) = view else {
                if let Some(cpf) = cpf.filter(|_| what < 4) {
                    let _ = client
                        .placement()
                        .find("cpf", cpf, Some(unit), "urgência".into())
                        .await;
                }
                return Ok(());
            };
            let reason = "porque sim".to_owned();
            match what {
                0..6 => drop(
                    client
                        .timeline()
                        .add(patient, note(number as i64, &format!("nota {number}")))
                        .await?,
                ),
                6 => {
                    let fields = [("display".to_owned(), format!("alergia {number}").into())].into();
                    client
                        .chart()
                        .set(patient, None, ChartKind("allergy".into()), fields)
                        .await?;
                }
                7 => {
                    let shown = view.record().await?;
                    let mut edited = shown.record.clone();
                    edited.name = format!("Renamed {number}").into();
                    client.patients().edit(shown, edited).await?;
                }
                8 | 9 => {
                    let compartments = [Compartment::Clinical].into();
                    client
                        .placement()
                        .share(patient, to, compartments, reason, None)
                        .await?;
                }
                10 => {
                    let places = client.placement().list(patient).await?;
                    if let Some(place) = places.last() {
                        client.placement().end(patient, place.write, reason).await?;
                    }
                }
                11 => drop(client.placement().transfer(patient, to, reason).await?),
                12 | 13 if other != patient => {
                    if what == 12 {
                        client.patients().link(patient, other, reason).await?;
                    } else {
                        client.patients().unlink(patient, other, reason).await?;
                    }
                }
                14 if other != patient => {
                    let page = view.timeline(Default::default(), Default::default()).await?;
                    let own = page
                        .rows
                        .iter()
                        .find(|row| row.patient == patient && row.relation.is_none());
                    if let Some(row) = own {
                        client.timeline().move_to(row.id, other, reason).await?;
                    }
                }
                _ => {
                    let kind = vereda_core::record::Kind("note".into());
                    let at = Some(vereda_tests::at(number as i64));
                    let draft = client
                        .drafts()
                        .open(patient, kind, at, format!("rascunho {number}"), None)
                        .await?;
                    let draft = draft.entry.expect("a draft");
                    client.drafts().finalize(draft, None, false).await?;
                }
            }
            Ok(())
        });
        // What is not possible on what a device shows is told at once, and saved nowhere.
        drop(done);
    }

    /// So many things on random devices, with a synchronisation now and then.
    fn live(&mut self, count: usize, devices: &[usize]) {
        for _ in 0..count {
            let device = devices[self.below(devices.len())];
            self.act(device);
            self.world.advance(60_000);
            if self.below(3) == 0 {
                let device = devices[self.below(devices.len())];
                if self.below(6) == 0 {
                    self.world.network.next.push_back(Fault::AnswerLost);
                }
                self.world.sync(device);
            }
        }
        self.world.network.next.clear();
    }

    fn shown(&self) -> Vec<Rows> {
        ALL.map(|device| self.world.rows(device)).into()
    }

    fn drawers(&mut self) -> Vec<usize> {
        ALL.map(|device| self.world.drawer(device).len()).into()
    }

    /// Nothing waits anywhere, and nothing was left out.
    fn assert_settled(&mut self) {
        for device in ALL {
            let status = self.world.status(device);
            assert_eq!((status.pending, status.parked), (0, 0), "device {device} waits");
            assert_eq!((status.not_taken, status.giving_back), (0, 0), "device {device}");
            self.world.assert_rows_follow_from_documents(device);
        }
        // Devices of one scope show the same, and so does a new one.
        let fresh = self.world.join(
            "north",
            &format!("fresh-{}", self.written),
            &["unit-annex", "unit-north"],
            Role::Clinician,
        );
        converge_on(&mut self.world, &[fresh]);
        let rows = self.shown();
        rows[NORTH[0]].assert_same(&rows[NORTH[1]], "the north's devices");
        rows[ANNEX[0]].assert_same(&rows[ANNEX[1]], "the annex's devices");
        rows[BOTH].assert_same(&self.world.rows(fresh), "a new device of both units");
    }
}

#[test]
fn d6_what_two_units_did_in_a_lost_day_is_back_as_it_was() {
    for seed in seeds() {
        let mut units = Units::new(seed);
        units.live(20, &ALL);
        converge_on(&mut units.world, &ALL);
        let copy = units.world.copy_server("day.db");
        units.live(60, &ALL);
        converge_on(&mut units.world, &ALL);
        units.world.advance(DAY_MS / 4);
        converge_on(&mut units.world, &ALL);
        units.assert_settled();
        let (before, drawers) = (units.shown(), units.drawers());
        units.world.restore_server(&copy);
        converge_on(&mut units.world, &ALL);
        for (device, (before, after)) in before.iter().zip(units.shown()).enumerate() {
            before.assert_same(&after, &format!("seed {seed}, device {device}"));
        }
        assert_eq!(units.drawers(), drawers, "seed {seed}: nothing was refused");
        units.assert_settled();
    }
}

/// A few seeds; `VEREDA_SEEDS=from..to` runs others.
fn seeds() -> Vec<u64> {
    let asked = std::env::var("VEREDA_SEEDS").ok();
    let range = asked.as_deref().and_then(|range| range.split_once(".."));
    let parsed = range.and_then(|(from, to)| Some((from.parse().ok()?..to.parse().ok()?).collect()));
    // The last ones found something once.
    parsed.unwrap_or_else(|| (8_000..8_009).chain([9_030, 9_032, 9_059]).collect())
}
