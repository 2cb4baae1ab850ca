//! INVARIANT O6: what the client accepts, the gate accepts. Random writes travel as the bytes of their changes, so
//! that the server's gate judges each of them; none may be refused, parked or computed differently.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::limits::{BODY_BYTES_MAX, TEXT_CHARACTERS_MAX};
use vereda_core::record::{ChartKind, Kind, NewEntry};
use vereda_tests::{World, at, note};

/// Texts as people and hostile keyboards make them: accents, joined emoji, right-to-left, controls, repetition.
fn text(random: &mut ChaCha8Rng) -> String {
    let pieces = [
        "dor",
        "de",
        "cabeça",
        "há dois dias",
        "👩🏽‍⚕️",
        "e\u{301}",
        "שלום",
        "\u{200d}",
        "\u{feff}",
        "\n",
        "\t",
        "𝄞",
        "a",
        "0",
        "\"",
        "\\",
        "\u{10ffff}",
        "  ",
    ];
    let length = match random.random_range(0..20) {
        0 => TEXT_CHARACTERS_MAX / 20,
        1..4 => 400,
        _ => random.random_range(1..20),
    };
    let mut made = "texto ".to_owned();
    for _ in 0..length {
        made.push_str(pieces.choose(random).expect("pieces"));
    }
    if random.random_range(0..30) == 0 {
        made = "x".repeat(TEXT_CHARACTERS_MAX);
    }
    made.chars().take(TEXT_CHARACTERS_MAX).collect()
}

fn body(random: &mut ChaCha8Rng) -> Option<String> {
    match random.random_range(0..6) {
        0 => Some(format!(
            r#"{{"value":{},"unit":"mg"}}"#,
            random.random_range(-1_000_000..1_000_000_i64)
        )),
        1 => Some(r#"{"b":[1,2.5,null,true],"a":{"ç":"é"}}"#.into()),
        2 if random.random_range(0..10) == 0 => {
            Some(format!(r#"{{"a":"{}"}}"#, "y".repeat(BODY_BYTES_MAX - 100)))
        }
        _ => None,
    }
}

/// What the writer knows.
#[derive(Default)]
struct Known {
    entries: Vec<EntryId>,
    drafts: Vec<EntryId>,
    items: Vec<ChartItemId>,
}

fn entry(random: &mut ChaCha8Rng, minutes: i64) -> NewEntry {
    let mut entry = note(minutes, &text(random));
    entry.kind = Kind(
        ["note", "x-test.anything", "administrative"]
            .choose(random)
            .expect("kinds")
            .to_string(),
    );
    entry.occurred_at = at(-i64::from(random.random_range(0..3_000_000)));
    entry.body = body(random).map(Into::into);
    entry
}

/// One random write; whether the client took it.
fn write(world: &mut World, random: &mut ChaCha8Rng, patients: &[PatientId], known: &mut Known) -> bool {
    let patient = *patients.choose(random).expect("patients");
    let (words, structured) = (text(random), body(random));
    let pick = |ids: &[EntryId], random: &mut ChaCha8Rng| ids.choose(random).copied();
    match random.random_range(0..10) {
        0 | 1 => {
            let entry = entry(random, 0);
            let saved = world.run(
                0,
                |client| async move { client.timeline().add(patient, entry).await },
            );
            known.entries.extend(saved.iter().filter_map(|saved| saved.entry));
            saved.is_ok()
        }
        2 => {
            let count = random.random_range(1..40);
            let entries: Vec<NewEntry> = (0..count).map(|_| entry(random, 0)).collect();
            world
                .run(
                    0,
                    |client| async move { client.imports().add(patient, entries).await },
                )
                .is_ok()
        }
        3 => {
            let saved = world.run(0, |client| async move {
                client
                    .drafts()
                    .open(patient, Kind("note".into()), None, words, structured)
                    .await
            });
            known.drafts.extend(saved.iter().filter_map(|saved| saved.entry));
            saved.is_ok()
        }
        4 | 5 => match pick(&known.drafts, random) {
            Some(draft) => world
                .run(0, |client| async move {
                    client.drafts().write(draft, None, words).await
                })
                .is_ok(),
            None => false,
        },
        6 => match pick(&known.drafts, random) {
            Some(draft) => {
                let saved = world.run(0, |client| async move {
                    client.drafts().finalize(draft, None, true).await
                });
                if saved.is_ok() {
                    known.drafts.retain(|known| *known != draft);
                    known.entries.push(draft);
                }
                saved.is_ok()
            }
            None => false,
        },
        7 => match pick(&known.entries, random) {
            Some(id) => world
                .run(0, |client| async move {
                    client.timeline().amend(id, Some(words), structured).await
                })
                .is_ok(),
            None => false,
        },
        8 => match pick(&known.entries, random) {
            Some(id) if random.random_range(0..2) == 0 => world
                .run(0, |client| async move {
                    client.timeline().move_to(id, patient, "engano".into()).await
                })
                .is_ok(),
            Some(id) => world
                .run(0, |client| async move {
                    client.timeline().retract(id, "engano".into()).await
                })
                .is_ok(),
            None => false,
        },
        _ => {
            let item = known
                .items
                .choose(random)
                .copied()
                .filter(|_| random.random_range(0..2) == 0);
            let line: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
            let kind = ChartKind(
                ["allergy", "problem", "medication"]
                    .choose(random)
                    .expect("kinds")
                    .to_string(),
            );
            let fields = [
                ("display".to_owned(), line.clone().into()),
                ("note".to_owned(), line.into()),
            ];
            let fields = fields.into_iter().collect();
            let saved = world.run(0, |client| async move {
                client.chart().set(patient, item, kind, fields).await
            });
            known
                .items
                .extend(saved.iter().filter_map(|saved| saved.chart_item));
            saved.is_ok()
        }
    }
}

#[test]
fn o6_what_the_client_accepts_the_gate_accepts() {
    for seed in 0..2 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new(800 + seed, 2);
        let patients = [world.patient(0, "Ana Souza"), world.patient(0, "Bento Lima")];
        world.converge();
        let mut known = Known::default();
        let mut taken = 0;
        for _ in 0..2 {
            for _ in 0..30 {
                taken += usize::from(write(&mut world, &mut random, &patients, &mut known));
            }
            // The changes travel as bytes: the gate judges each, and compares it with what it computes.
            world.edit_store(0, |store| {
                store
                    .connection()
                    .execute("UPDATE outbox SET raw = 1", [])
                    .expect("rows");
            });
            for item in world.outbox(0) {
                assert_ne!(item.state, "parked");
            }
            world.converge();
            let refused: Vec<_> = world
                .drawer(0)
                .into_iter()
                .map(|item| (item.code, item.detail))
                .collect();
            assert_eq!(refused, [], "seed {seed}");
            assert_eq!(world.outbox(0).len(), 0, "seed {seed}");
        }
        assert!(taken > 30, "{taken} writes");
        for patient in patients {
            assert_eq!(world.timeline(0, patient), world.timeline(1, patient));
        }
    }
}

#[test]
fn o6_notes_that_repeat_themselves_reach_the_server_and_every_device() {
    let mut world = vereda_tests::World::new(920, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    for minutes in 0..12 {
        world.add(0, patient, minutes, &"−".repeat(32_768));
    }
    world.converge();
    assert_eq!(world.texts(1, patient).len(), 12);
    let patients = vec![patient];
    let newcomer = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    world
        .run(newcomer, |client| async move { client.snapshot(patients).await })
        .expect("a snapshot");
    world.converge();
    assert_eq!(world.texts(newcomer, patient).len(), 12);
}

#[test]
fn o6_a_chart_item_too_large_for_one_change_is_refused_before_it_is_saved() {
    let mut world = World::new(921, 1);
    let patient = world.patient(0, "Ana Souza");
    let set = |characters: usize| {
        move |client: vereda_core::client::Client| async move {
            let mut fields = vereda_core::record::ChartFields::new();
            fields.insert("display".into(), "Dipirona".to_owned().into());
            for index in 0..60 {
                fields.insert(format!("note-{index}"), "𝄞".repeat(characters).into());
            }
            let kind = ChartKind("medication".into());
            client.chart().set(patient, None, kind, fields).await
        }
    };
    let refused = world.run(0, set(4_096)).expect_err("refused");
    assert_eq!(refused.code.as_str(), "too_large");
    world.run(0, set(900)).expect("just below");
    world.converge();
    assert_eq!(world.outbox(0), []);
}
