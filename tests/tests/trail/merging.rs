//! Whole devices: conflicts show both values, a decision closes them everywhere, and equal heads are equal rows.

use vereda_core::client::Resolution;
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::record::{ChartKind, NewEntry};
use vereda_core::redact::Sensitive;
use vereda_core::store::conflicts::ConflictSubject;
use vereda_tests::{World, at};

fn set(
    world: &mut World,
    device: usize,
    patient: PatientId,
    item: Option<ChartItemId>,
    fields: &[(&str, &str)],
) -> ChartItemId {
    let fields = fields
        .iter()
        .map(|(field, value)| ((*field).to_owned(), Sensitive((*value).to_owned())))
        .collect();
    let saved = world.run(device, |client| async move {
        client
            .chart()
            .set(patient, item, ChartKind("allergy".into()), fields)
            .await
    });
    saved.expect("a chart item").chart_item.expect("its id")
}

fn conflicting(seed: u64) -> (World, PatientId, ChartItemId) {
    let mut world = World::new(seed, 3);
    let patient = world.patient(0, "Helena Prado");
    let item = set(
        &mut world,
        0,
        patient,
        None,
        &[("display", "Dipirona"), ("severity", "leve")],
    );
    world.converge();
    set(&mut world, 0, patient, Some(item), &[("severity", "grave")]);
    set(&mut world, 1, patient, Some(item), &[("severity", "moderada")]);
    world.converge();
    (world, patient, item)
}

#[test]
fn c3_a_conflict_shows_both_values_with_who_and_when_on_every_device() {
    let (world, patient, item) = conflicting(31);
    world.assert_same_rows();
    let conflict = world.the_conflict(2);
    assert_eq!((conflict.patient, conflict.subject), (patient, item.0));
    assert_eq!(conflict.subject_kind, ConflictSubject::ChartItem);
    assert_eq!(conflict.field, "severity");
    assert!(conflict.needs_person, "an allergy is never left to the machine");
    let mut said: Vec<(&str, _)> = conflict
        .choices
        .iter()
        .map(|choice| (choice.value.as_str(), choice.author))
        .collect();
    said.sort_unstable();
    let (first, second) = (world.enrolment(0).user, world.enrolment(1).user);
    assert_eq!(said, [("grave", first), ("moderada", second)]);
    assert!(
        conflict
            .choices
            .iter()
            .all(|choice| choice.recorded_at.utc_ms > 0)
    );
    assert_eq!(conflict.choices.iter().filter(|choice| choice.shown).count(), 1);
}

#[test]
fn a_conflict_is_one_patients_whoever_else_has_an_item_of_its_id() {
    // An import names its items by their source (UUIDv5): nothing keeps another patient's from having the same id.
    let mut world = World::new(39, 2);
    let patients = [world.patient(0, "Helena Prado"), world.patient(0, "Rui Prado")];
    let item = ChartItemId(uuid::Uuid::new_v5(
        &uuid::Uuid::NAMESPACE_OID,
        b"AllergyIntolerance/1",
    ));
    for patient in patients {
        set(&mut world, 0, patient, Some(item), &[("display", "Dipirona")]);
    }
    world.converge();
    set(&mut world, 0, patients[0], Some(item), &[("severity", "grave")]);
    set(
        &mut world,
        1,
        patients[0],
        Some(item),
        &[("severity", "moderada")],
    );
    world.converge();
    let open = world.the_conflict(1);
    set(&mut world, 1, patients[1], Some(item), &[("severity", "leve")]);
    world.converge();
    for device in 0..2 {
        assert_eq!(world.the_conflict(device), open);
    }
    set(&mut world, 0, patients[1], Some(item), &[("display", "Iodo")]);
    set(&mut world, 1, patients[1], Some(item), &[("display", "Látex")]);
    world.converge();
    for device in 0..2 {
        let of: Vec<_> = world
            .rows(device)
            .conflicts
            .iter()
            .map(|conflict| conflict.patient)
            .collect();
        assert_eq!(of.len(), 2);
        assert!(of.contains(&patients[0]) && of.contains(&patients[1]));
    }
}

#[test]
fn c3_a_decision_is_a_write_that_closes_the_conflict_everywhere() {
    for chosen in 0..3 {
        let (mut world, _, _) = conflicting(32 + chosen as u64);
        let conflict = world.the_conflict(2);
        let value = match chosen {
            2 => Sensitive("gravíssima".to_owned()),
            index => conflict.choices[index].value.clone(),
        };
        let resolution = match chosen {
            2 => Resolution::Value(value.clone()),
            index => Resolution::Choice(conflict.choices[index].write),
        };
        world
            .run(2, |client| async move {
                client.conflicts().resolve(conflict, resolution).await
            })
            .expect("decided");
        assert_eq!(world.rows(2).conflicts, [], "here at once");
        world.converge();
        for device in 0..3 {
            let rows = world.rows(device);
            assert_eq!(rows.conflicts, []);
            assert_eq!(rows.chart[0].fields["severity"], value);
        }
        world.assert_same_rows();
        world.assert_rows_follow_from_documents(1);
    }
}

#[test]
fn two_equal_values_are_no_conflict() {
    let mut world = World::new(36, 2);
    let patient = world.patient(0, "Iara Costa");
    let item = set(&mut world, 0, patient, None, &[("display", "Penicilina")]);
    world.converge();
    for device in 0..2 {
        set(&mut world, device, patient, Some(item), &[("status", "active")]);
    }
    world.converge();
    assert_eq!(world.rows(0).conflicts, []);
    world.assert_same_rows();
}

#[test]
fn fields_that_two_change_apart_merge() {
    let mut world = World::new(37, 2);
    let patient = world.patient(0, "João Alves");
    let item = set(&mut world, 0, patient, None, &[("display", "Látex")]);
    world.converge();
    set(&mut world, 0, patient, Some(item), &[("status", "active")]);
    set(&mut world, 1, patient, Some(item), &[("severity", "grave")]);
    world.converge();
    let rows = world.rows(1);
    assert_eq!(rows.conflicts, []);
    assert_eq!(rows.chart[0].fields["status"].as_str(), "active");
    assert_eq!(rows.chart[0].fields["severity"].as_str(), "grave");
    world.assert_same_rows();
}

#[test]
fn c1_c5_a_resource_that_two_import_with_times_in_two_years_is_everywhere_the_first_received() {
    let mut world = World::new(240, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let id =
        EntryId::from_bytes(*uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, b"Observation/1").as_bytes());
    for device in 0..2 {
        let mut entry = NewEntry::note(at(device as i64 * 525_600), format!("lido por {device}"));
        entry.id = Some(id);
        world
            .run(device, |client| async move {
                client.imports().add(patient, vec![entry]).await
            })
            .expect("imported");
    }
    world.sync(1);
    world.advance(1_000);
    world.converge();
    let newcomer = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    world
        .run(
            newcomer,
            |client| async move { client.snapshot(vec![patient]).await },
        )
        .expect("a snapshot");
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.texts(0, patient), ["lido por 1"]);
    for device in 0..3 {
        world.assert_rows_follow_from_documents(device);
    }
}
