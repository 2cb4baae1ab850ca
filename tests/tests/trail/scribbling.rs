//! Devices that write anything, offline and in any order, end equal: C1, C3, C4, C5 over random runs.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use vereda_core::client::{Client, Resolution};
use vereda_core::error::{Code, Result};
use vereda_core::id::{EntryId, PatientId};
use vereda_core::outbox::Saved;
use vereda_core::record::{ChartKind, Kind, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::EntryStatus;
use vereda_tests::{Fault, World, at, note};

/// What a person may be told when they write on what somebody else changed meanwhile.
const HONEST: [Code; 6] = [
    Code::NotADraft,
    Code::AlreadyRetracted,
    Code::UnknownConflict,
    Code::TextEmpty,
    Code::UnknownEntry,
    Code::FieldInvalid,
];

struct Scribbler {
    random: StdRng,
    patients: Vec<PatientId>,
    written: BTreeSet<EntryId>,
    moment: i64,
}

impl Scribbler {
    fn word(&mut self) -> String {
        ["dor", "tosse", "febre", "alta", "retorno", "exame"]
            .choose(&mut self.random)
            .expect("a word")
            .to_string()
    }

    fn scribble(&mut self, world: &mut World, device: usize) {
        self.moment += 1;
        let patient = *self.patients.choose(&mut self.random).expect("a patient");
        let other = *self.patients.choose(&mut self.random).expect("a patient");
        let rows = world.rows(device);
        let entries: Vec<_> = rows.entries.iter().filter(|row| row.patient == patient).collect();
        let some = entries.choose(&mut self.random).map(|row| row.id);
        let draft = entries
            .iter()
            .filter(|row| row.status == EntryStatus::Draft)
            .map(|row| row.id)
            .next_back();
        let item = rows
            .chart
            .iter()
            .find(|item| item.patient == patient)
            .map(|item| item.id);
        let conflict = rows.conflicts.choose(&mut self.random).cloned();
        let text = format!("{} {}", self.word(), self.moment);
        let (moment, choice) = (at(self.moment), self.random.random_range(0..12));
        let value = self.word();
        let result: Option<Result<Saved>> = world.run(device, |client: Client| async move {
            Some(match (choice, some, draft) {
                (0 | 1, ..) => {
                    client
                        .timeline()
                        .add(patient, note(moment.utc_ms / 60_000 % 1_000, &text))
                        .await
                }
                (2, ..) => {
                    let kind = Kind("note".into());
                    client
                        .drafts()
                        .open(patient, kind, Some(moment), text, None)
                        .await
                }
                (3 | 4, _, Some(draft)) => client.drafts().write(draft, None, text).await,
                (5, _, Some(draft)) => client.drafts().finalize(draft, None, true).await,
                (6, Some(entry), _) => client.timeline().amend(entry, Some(text), None).await,
                (7, Some(entry), _) => client.timeline().retract(entry, text).await,
                (8, Some(entry), _) if other != patient => {
                    client.timeline().move_to(entry, other, text).await
                }
                (9, ..) => {
                    let fields = [("display".to_owned(), Sensitive(value))].into();
                    client
                        .chart()
                        .set(patient, item, ChartKind("allergy".into()), fields)
                        .await
                }
                (10, ..) => match conflict {
                    Some(conflict) => {
                        let write = conflict.choices.last()?.write;
                        client
                            .conflicts()
                            .resolve(conflict, Resolution::Choice(write))
                            .await
                    }
                    None => client.drafts().dismiss_late_edit(some?).await,
                },
                (11, ..) => {
                    let record = PatientRecord::named(text);
                    let view = client.open_patient(patient, "scribbling").await.ok()?;
                    let shown = view.record().await.ok()?;
                    return client.patients().edit(shown, record).await.transpose();
                }
                _ => return None,
            })
        });
        match result {
            Some(Ok(saved)) => self.written.extend(saved.entry),
            Some(Err(error)) => assert!(HONEST.contains(&error.code), "{error} at step {choice}"),
            None => {}
        }
    }
}

/// Three devices; at the end a fourth that was never there before reads the same.
fn run(seed: u64, faults: bool) {
    let mut world = World::new(seed, 3);
    let mut scribbler = Scribbler {
        random: StdRng::seed_from_u64(seed),
        patients: Vec::new(),
        written: BTreeSet::new(),
        moment: 0,
    };
    for name in ["Ana", "Bia"] {
        let patient = world.patient(0, name);
        scribbler.patients.push(patient);
    }
    world.converge();
    for _ in 0..40 {
        let device = scribbler.random.random_range(0..3);
        for _ in 0..scribbler.random.random_range(1..4) {
            scribbler.scribble(&mut world, device);
        }
        if faults && scribbler.random.random_bool(0.3) {
            let fault = match scribbler.random.random_range(0..4) {
                0 => Fault::AnswerLost,
                1 => Fault::Doubled,
                2 => Fault::Lost,
                _ => Fault::Cut(40),
            };
            world.network.next.push_back(fault);
        }
        if faults && scribbler.random.random_bool(0.2) {
            let crashing = scribbler.random.random_range(0..3);
            world.devices[crashing].crash_after = Some(scribbler.random.random_range(0..6));
            let crashed = world.try_run(crashing, |client| async move { client.sync_once(60_000).await });
            world.devices[crashing].crash_after = None;
            if crashed.is_err() {
                world.devices[crashing].reopen().expect("it opens");
            }
        }
        if faults && scribbler.random.random_bool(0.1) {
            let named = scribbler.patients.clone();
            // It may meet a fault; then nothing was taken.
            let _ = world.run(device, |client| async move { client.snapshot(named).await });
        }
        if scribbler.random.random_bool(0.4) {
            let device = scribbler.random.random_range(0..3);
            world.sync(device);
            world.advance(60_000);
        }
    }
    world.network.next.clear();
    let newcomer = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    let named = scribbler.patients.clone();
    world
        .run(newcomer, |client| async move { client.snapshot(named).await })
        .expect("a snapshot");
    world.converge();
    world.assert_same_rows();
    world.assert_places_name_one_change();
    let heads = world.heads(0);
    for device in 0..4 {
        assert_eq!(heads, world.heads(device), "device {device}");
        let rows = world.rows(device);
        let here: BTreeSet<EntryId> = rows.entries.iter().map(|row| row.id).collect();
        assert!(scribbler.written.is_subset(&here), "an entry vanished");
        let drawer = world.run(device, |client| async move { client.queue().drawer().await });
        let refused: Vec<_> = drawer
            .expect("a drawer")
            .into_iter()
            .map(|item| (item.code, item.detail, item.write.intent.name()))
            .collect();
        assert!(refused.is_empty(), "device {device}: {refused:?}");
        assert!(world.verify_audit(device).broken_at.is_none());
    }
    for device in 0..4 {
        world.assert_as_the_server(device);
        world.assert_rows_follow_from_documents(device);
    }
}

#[test]
fn c1_c3_c4_c5_devices_that_write_anything_in_any_order_end_equal() {
    for seed in 400..404 {
        run(seed, false);
    }
}

#[test]
fn c1_c3_c4_c5_the_same_with_lost_doubled_and_cut_answers_and_crashes() {
    // More seeds, when somebody looks for more: a first one and how many.
    let asked: Option<(u64, u64)> = std::env::var("VEREDA_SEEDS")
        .ok()
        .and_then(|text| {
            text.split_once('+')
                .map(|(first, count)| (first.parse(), count.parse()))
        })
        .and_then(|(first, count)| Some((first.ok()?, count.ok()?)));
    let (first, count) = asked.unwrap_or((500, 4));
    for seed in first..first + count {
        run(seed, true);
    }
}
