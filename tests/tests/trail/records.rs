//! Patients' records: check digits, versions, conflicts, likely duplicates.

use vereda_core::client::{PageRequest, PatientFilter, Resolution};
use vereda_core::error::Code;
use vereda_core::id::PatientId;
use vereda_core::record::{Identifier, IdentifierSystem, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::store::conflicts::ConflictSubject;
use vereda_core::store::patients::PatientRow;
use vereda_tests::World;

/// A number with valid check digits.
const CPF: &str = "529.982.247-25";

fn identifier(system: &str, value: &str) -> Identifier {
    Identifier {
        system: IdentifierSystem(system.into()),
        value: Sensitive(value.into()),
    }
}

fn record(world: &mut World, device: usize, patient: PatientId) -> PatientRow {
    world
        .run(device, |client| async move {
            client.open_patient(patient, "test").await?.record().await
        })
        .expect("a record")
}

fn edit(world: &mut World, device: usize, patient: PatientId, change: impl FnOnce(&mut PatientRecord)) {
    let shown = record(world, device, patient);
    let mut edited = shown.record.clone();
    change(&mut edited);
    world
        .run(device, |client| async move {
            client.patients().edit(shown, edited).await
        })
        .expect("edited")
        .expect("something changed");
}

fn shared(seed: u64) -> (World, PatientId) {
    let mut world = World::new(seed, 2);
    let patient = world.patient(0, "Olga Pires");
    world.converge();
    (world, patient)
}

#[test]
fn a_cpf_is_normalised_and_a_wrong_one_saves_nothing() {
    let mut world = World::new(41, 1);
    let with = |value: &str| PatientRecord {
        identifiers: vec![identifier("cpf", value)],
        ..PatientRecord::named("Lia Ramos")
    };
    let wrong = with("529.982.247-26");
    let refused = world.run(0, |client| async move { client.patients().register(wrong).await });
    assert_eq!(refused.expect_err("wrong digits").code, Code::CpfInvalid);
    assert_eq!(world.rows(0).patients.len(), 0);
    let right = with(CPF);
    let patient = world
        .run(0, |client| async move { client.patients().register(right).await })
        .expect("registered")
        .patient;
    let cns = PatientRecord {
        identifiers: vec![identifier("cns", "123")],
        ..PatientRecord::named("Lia Ramos")
    };
    let shown = record(&mut world, 0, patient);
    let refused = world.run(
        0,
        |client| async move { client.patients().edit(shown, cns).await },
    );
    assert_eq!(refused.expect_err("not a card").code, Code::CnsInvalid);
    let kept = record(&mut world, 0, patient).record.identifiers;
    assert_eq!(kept, [Identifier::parse("cpf", CPF).expect("valid")]);
    let found = world
        .run(0, |client| async move {
            let filter = PatientFilter {
                words: Some(Sensitive("52998224725".into())),
            };
            client.patients().list(filter, PageRequest::default()).await
        })
        .expect("a list");
    assert_eq!(found.rows.len(), 1, "found by the whole number");
}

#[test]
fn c3_two_edits_of_one_field_are_a_conflict_with_both_values_on_every_device() {
    for first in 0..2 {
        let mut world = World::new(42 + first as u64, 3);
        let patient = world.patient(2, "Mara Silva");
        world.converge();
        edit(&mut world, 0, patient, |record| {
            record.birth_date = Some("1980-03-04".to_owned().into())
        });
        edit(&mut world, 1, patient, |record| {
            record.birth_date = Some("1980-04-03".to_owned().into())
        });
        world.sync(first);
        world.converge();
        world.assert_same_rows();
        let dates = ["\"1980-03-04\"", "\"1980-04-03\""];
        let conflict = world.the_conflict(1 - first);
        assert_eq!(conflict.subject_kind, ConflictSubject::Patient);
        assert_eq!(conflict.field, "birth_date");
        assert!(conflict.needs_person);
        let values: Vec<&str> = conflict
            .choices
            .iter()
            .map(|choice| choice.value.as_str())
            .collect();
        assert_eq!(
            values,
            [dates[first], dates[1 - first]],
            "the first in the log shows"
        );
        assert_eq!(conflict.choices[0].author, world.enrolment(first).user);
        assert_eq!(conflict.choices[1].author, world.enrolment(1 - first).user);
        assert!(conflict.choices[0].shown && !conflict.choices[1].shown);
        // Whichever value is chosen, the decision closes the conflict everywhere.
        let chosen = conflict.choices[first].clone();
        let write = chosen.write;
        world
            .run(2, |client| async move {
                client
                    .conflicts()
                    .resolve(conflict, Resolution::Choice(write))
                    .await
            })
            .expect("decided");
        assert_eq!(world.rows(2).conflicts, [], "here at once");
        world.converge();
        for device in 0..3 {
            assert_eq!(world.rows(device).conflicts, []);
            let date = record(&mut world, device, patient)
                .record
                .birth_date
                .expect("a date");
            assert_eq!(format!("{:?}", date.as_str()), chosen.value.as_str());
        }
        world.assert_same_rows();
    }
}

#[test]
fn c3_a_value_nobody_edited_names_who_registered_it() {
    let mut world = World::new(44, 3);
    let patient = world.patient(2, "Nina Rocha");
    world.converge();
    edit(&mut world, 0, patient, |record| {
        record.name = "Nina da Rocha".to_owned().into()
    });
    edit(&mut world, 1, patient, |record| {
        record.name = "Nina de Rocha".to_owned().into()
    });
    world.sync(0);
    world.converge();
    // Back to what was registered, against the one that waits.
    let conflict = world.the_conflict(2);
    assert!(
        conflict
            .choices
            .iter()
            .all(|choice| choice.recorded_at.utc_ms > 0)
    );
    assert!(conflict.choices.iter().all(|choice| !choice.author.0.is_nil()));
}

#[test]
fn c3_a_decision_takes_away_only_what_its_author_saw() {
    let mut world = World::new(45, 3);
    let patient = world.patient(0, "Olga Pires");
    world.converge();
    for (device, name) in [(0, "Olga A Pires"), (1, "Olga B Pires")] {
        edit(&mut world, device, patient, |record| {
            record.name = name.to_owned().into()
        });
    }
    // The third one writes before hearing of any of it, and is heard of after the decision.
    edit(&mut world, 2, patient, |record| {
        record.name = "Olga C Pires".to_owned().into()
    });
    world.sync(0);
    world.sync(1);
    world.sync(0);
    let conflict = world.the_conflict(0);
    let write = conflict.choices[0].write;
    world
        .run(0, |client| async move {
            client
                .conflicts()
                .resolve(conflict, Resolution::Choice(write))
                .await
        })
        .expect("decided");
    world.sync(2);
    world.converge();
    world.assert_same_rows();
    let left = world.the_conflict(1);
    let values: Vec<&str> = left.choices.iter().map(|choice| choice.value.as_str()).collect();
    assert_eq!(
        values,
        ["\"Olga A Pires\"", "\"Olga C Pires\""],
        "the third was not seen by who decided"
    );
}

#[test]
fn edits_of_different_fields_merge() {
    let mut world = World::new(46, 2);
    let patient = world.patient(0, "Paulo Nery");
    world.converge();
    edit(&mut world, 0, patient, |record| {
        record.gender = Some("male".to_owned().into())
    });
    edit(&mut world, 1, patient, |record| {
        record.identifiers = vec![identifier("cpf", CPF)]
    });
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.rows(0).conflicts, []);
    let row = record(&mut world, 0, patient);
    assert_eq!(row.record.gender.expect("set").as_str(), "male");
    assert_eq!(row.record.identifiers.len(), 1);
    assert_eq!(row.version, 3, "one registration, two edits");
}

#[test]
fn likely_duplicates_are_shown_offline_and_never_refused() {
    let mut world = World::new(47, 1);
    world.network.cut = true;
    let first = PatientRecord {
        birth_date: Some("1991-02-03".to_owned().into()),
        ..PatientRecord::named("José Antônio de Souza")
    };
    let again = PatientRecord {
        birth_date: Some("1991-02-03".to_owned().into()),
        ..PatientRecord::named("jose antonio souza")
    };
    let other = PatientRecord::named("Quitéria Matos");
    let (found, none, registered) = world
        .run(0, |client| async move {
            let patients = client.patients();
            let saved = patients.register(first).await?;
            let found = patients.duplicates(again.clone(), None).await?;
            let none = patients.duplicates(other, None).await?;
            let registered = patients.register(again).await?;
            assert_ne!(saved.patient, registered.patient);
            Ok::<_, vereda_core::error::SyncError>((found, none, registered))
        })
        .expect("offline");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reason, "same_name_and_birth_date");
    assert_eq!(none.len(), 0);
    world.network.cut = false;
    world.converge();
    assert_eq!(world.rows(0).patients.len(), 2);
    assert!(registered.n > 1);
}

#[test]
fn a_record_that_was_not_accepted_yet_is_edited_and_arrives_whole() {
    let mut world = World::new(48, 2);
    let patient = world.patient(0, "Rita");
    edit(&mut world, 0, patient, |record| {
        record.name = "Rita Lobo".to_owned().into()
    });
    edit(&mut world, 0, patient, |record| {
        record.name = "Rita Lobo Neto".to_owned().into()
    });
    world.add(0, patient, 3, "primeira consulta");
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.rows(1).conflicts, []);
    assert_eq!(
        record(&mut world, 1, patient).record.name.as_str(),
        "Rita Lobo Neto"
    );
}

#[test]
fn c3_two_imports_of_one_patient_that_differ_are_a_conflict() {
    let mut world = World::new(49, 3);
    let patient = PatientId(uuid::Uuid::new_v5(&uuid::Uuid::from_bytes([4; 16]), b"Patient/1"));
    for (device, name) in [(0, "Sara Lins"), (1, "Sarah Lins")] {
        let record = PatientRecord::named(name);
        world
            .run(device, |client| async move {
                client.patients().register_as(Some(patient), record).await
            })
            .expect("registered");
        world.add(device, patient, 1, name);
    }
    world.converge();
    world.assert_same_rows();
    let conflict = world.the_conflict(2);
    let values: Vec<&str> = conflict
        .choices
        .iter()
        .map(|choice| choice.value.as_str())
        .collect();
    assert_eq!(values, ["\"Sara Lins\"", "\"Sarah Lins\""]);
    assert_eq!(world.rows(2).entries.len(), 2);
    let newcomer = world.add_device("north", "user-8", vereda_server::Role::Clinician);
    world
        .run(
            newcomer,
            |client| async move { client.snapshot(vec![patient]).await },
        )
        .expect("a snapshot");
    world.converge();
    world.assert_same_rows();
}

#[test]
fn two_patients_of_one_number_are_found_on_two_pages_of_one() {
    let mut world = World::new(190, 1);
    for name in ["Ana Souza", "Ana de Souza"] {
        let mut record = PatientRecord::named(name);
        record.identifiers = vec![identifier("cpf", CPF)];
        world
            .run(
                0,
                |client| async move { client.patients().register(record).await },
            )
            .expect("registered");
    }
    let (mut found, mut after) = (std::collections::BTreeSet::new(), None);
    for page in 0..2 {
        let filter = PatientFilter {
            words: Some("52998224725".to_owned().into()),
        };
        let request = PageRequest {
            limit: Some(1),
            after,
        };
        let listed = world
            .run(0, |client| async move {
                client.patients().list(filter, request).await
            })
            .expect("a page");
        found.extend(listed.rows.iter().map(|row| row.id));
        after = listed.next;
        assert_eq!(after.is_none(), page == 1);
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn an_edit_from_an_old_screen_leaves_what_a_colleague_changed_meanwhile() {
    let (mut world, patient) = shared(48);
    let shown = record(&mut world, 0, patient);
    edit(&mut world, 1, patient, |record| {
        record.contacts = vec![vereda_core::record::Contact {
            system: "phone".into(),
            value: "11 91234-5678".to_owned().into(),
        }]
    });
    world.converge();
    let mut edited = shown.record.clone();
    edited.birth_date = Some("1984-02-29".to_owned().into());
    world
        .run(
            0,
            |client| async move { client.patients().edit(shown, edited).await },
        )
        .expect("edited");
    world.converge();
    for device in 0..2 {
        let row = record(&mut world, device, patient);
        assert_eq!(row.record.contacts.len(), 1, "the telephone stays");
        assert_eq!(row.record.birth_date, Some("1984-02-29".to_owned().into()));
        assert_eq!(world.rows(device).conflicts.len(), 0);
    }
}

#[test]
fn the_same_field_from_an_old_screen_is_a_conflict_and_no_value_is_lost() {
    let (mut world, patient) = shared(49);
    let shown = record(&mut world, 0, patient);
    let name = |record: &mut PatientRecord, name: &str| record.name = name.to_owned().into();
    edit(&mut world, 1, patient, |record| name(record, "Olga C. Pires"));
    world.converge();
    let mut edited = shown.record.clone();
    name(&mut edited, "Olga Costa");
    world
        .run(
            0,
            |client| async move { client.patients().edit(shown, edited).await },
        )
        .expect("edited");
    world.converge();
    for device in 0..2 {
        let conflict = world.the_conflict(device);
        let mut values: Vec<_> = conflict
            .choices
            .iter()
            .map(|choice| choice.value.0.as_str())
            .collect();
        values.sort_unstable();
        assert_eq!(values, ["\"Olga C. Pires\"", "\"Olga Costa\""]);
    }
}

#[test]
fn a_conflict_that_got_another_value_since_it_was_shown_is_not_decided() {
    let mut world = World::new(50, 3);
    let patient = world.patient(0, "Olga Pires");
    world.converge();
    for (device, name) in [(0, "Olga C. Pires"), (1, "Olga Costa"), (2, "Olga Pires Costa")] {
        edit(&mut world, device, patient, |record| {
            record.name = name.to_owned().into()
        });
    }
    world.sync(0);
    world.sync(1);
    world.sync(0);
    let shown = world.the_conflict(0);
    world.sync(2);
    world.sync(0);
    let write = shown.choices[0].write;
    let decided = world.run(0, |client| async move {
        client.conflicts().resolve(shown, Resolution::Choice(write)).await
    });
    assert_eq!(decided.expect_err("a third name came").code, Code::ContentChanged);
    assert_eq!(world.the_conflict(0).choices.len(), 3);
}
