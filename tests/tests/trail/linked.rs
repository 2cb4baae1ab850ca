//! Two records of one person: a link is an event like any other, reversible, and reading shows the union.

use std::collections::BTreeSet;
use vereda_core::client::{NumericRequest, Page, PageRequest, PatientFilter, PatientView};
use vereda_core::engine::Completeness;
use vereda_core::error::{Code, Result};
use vereda_core::id::PatientId;
use vereda_core::protocol::AuditRecord;
use vereda_core::record::{ChartKind, Intent, Kind, NewEntry, NumericField, PatientRecord, Window};
use vereda_core::redact::Sensitive;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::entries::{EntryFilter, EntryRow};
use vereda_tests::{World, at};

fn say(world: &mut World, device: usize, one: PatientId, other: PatientId, linked: bool) -> bool {
    let saved = world.run(device, |client| async move {
        let reason = "the same card".to_owned();
        match linked {
            true => client.patients().link(one, other, reason).await,
            false => client.patients().unlink(one, other, reason).await,
        }
    });
    saved.expect("it is said").is_some()
}

/// Who is shown as one person with a patient.
fn person(world: &mut World, device: usize, patient: PatientId) -> BTreeSet<PatientId> {
    let page = world.run(device, |client| async move {
        let request = PageRequest {
            limit: Some(500),
            after: None,
        };
        client.patients().list(PatientFilter::default(), request).await
    });
    let rows = page.expect("a list").rows;
    let row = rows
        .into_iter()
        .find(|row| row.id == patient)
        .expect("the patient is listed");
    row.linked.into_iter().chain([patient]).collect()
}

fn chart(world: &mut World, device: usize, patient: PatientId) -> Vec<ChartRow> {
    world
        .run(device, |client| async move {
            client.open_patient(patient, "test").await?.chart().await
        })
        .expect("a chart")
}

fn allergy(world: &mut World, device: usize, patient: PatientId, display: &str) {
    let fields = [("display".to_owned(), Sensitive(display.to_owned()))].into();
    world
        .run(device, |client| async move {
            client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await
        })
        .expect("an allergy");
}

fn assert_same_links(world: &World) {
    let links = |device: usize| vereda_core::store::links::dump(&world.device_file(device)).expect("links");
    for device in 1..world.devices.len() {
        assert_eq!(links(0), links(device), "devices 0 and {device}");
    }
}

#[test]
fn opening_either_record_shows_what_is_under_both_and_unlinking_restores_each() {
    let mut world = World::new(701, 2);
    let (one, other) = (
        world.patient(0, "Maria Silva"),
        world.patient(0, "Maria da Silva"),
    );
    for (patient, minutes, text) in [(one, 1, "a1"), (other, 2, "b2"), (one, 3, "a3"), (other, 4, "b4")] {
        world.add(0, patient, minutes, text);
    }
    for (patient, display) in [(one, "Dipirona"), (other, "Dipirona"), (other, "Penicilina")] {
        allergy(&mut world, 0, patient, display);
    }
    world.converge();
    let before: Vec<_> = [one, other]
        .into_iter()
        .map(|patient| (world.timeline(1, patient), chart(&mut world, 1, patient)))
        .collect();

    assert!(say(&mut world, 0, other, one, true));
    assert!(!say(&mut world, 0, one, other, true), "it is said already");
    for settled in [false, true] {
        if settled {
            world.converge();
            assert_same_links(&world);
        }
        let device = usize::from(settled);
        for patient in [one, other] {
            assert_eq!(world.texts(device, patient), ["a1", "b2", "a3", "b4"]);
            let whose: Vec<PatientId> = world
                .timeline(device, patient)
                .iter()
                .map(|row| row.patient)
                .collect();
            assert_eq!(whose, [other, one, other, one], "each row says whose it is");
            let items = chart(&mut world, device, patient);
            let shown: Vec<(&str, usize)> = items
                .iter()
                .map(|item| (item.fields["display"].as_str(), item.also.len()))
                .collect();
            let shown: BTreeSet<_> = shown.into_iter().collect();
            assert_eq!(shown, BTreeSet::from([("Dipirona", 1), ("Penicilina", 0)]));
            assert_eq!(person(&mut world, device, patient), BTreeSet::from([one, other]));
        }
    }

    assert!(say(&mut world, 1, one, other, false));
    world.converge();
    assert_same_links(&world);
    for (patient, (timeline, items)) in [one, other].into_iter().zip(before) {
        assert_eq!(world.timeline(1, patient), timeline);
        assert_eq!(chart(&mut world, 1, patient), items);
        assert_eq!(person(&mut world, 0, patient), BTreeSet::from([patient]));
    }
}

#[test]
fn c1_c2_links_said_on_several_devices_at_once_show_the_same_everywhere() {
    // What each of two devices says of the pairs of four records before they meet.
    type Script<'a> = &'a [(usize, usize, bool)];
    let scripts: [(Script<'_>, Script<'_>); 5] = [
        (&[(0, 1, false)], &[(1, 0, true)]),
        (&[(1, 2, true)], &[(2, 3, true)]),
        (&[(0, 1, false), (0, 1, true)], &[(0, 1, false)]),
        (&[(2, 3, true), (3, 2, false)], &[(3, 2, true)]),
        (
            &[(0, 2, true), (1, 3, true)],
            &[(3, 1, true), (0, 1, false), (2, 0, true)],
        ),
    ];
    for (number, (here, there)) in scripts.into_iter().enumerate() {
        for order in [[0, 1], [1, 0]] {
            let mut world = World::new(710 + number as u64 * 2 + order[0] as u64, 3);
            let patients: Vec<PatientId> = ["A", "B", "C", "D"]
                .iter()
                .map(|name| world.patient(2, name))
                .collect();
            for (index, patient) in patients.iter().enumerate() {
                world.add(2, *patient, index as i64, &format!("note {index}"));
            }
            say(&mut world, 2, patients[0], patients[1], true);
            world.converge();
            for (device, script) in [(0, here), (1, there)] {
                for (one, other, linked) in script {
                    say(&mut world, device, patients[*one], patients[*other], *linked);
                }
            }
            for device in order {
                world.sync(device);
            }
            world.converge();
            world.assert_same_rows();
            assert_same_links(&world);
            // A device that reads the whole log at once comes to the same.
            let late = world.add_device("north", "late", vereda_server::Role::Clinician);
            world.sync(late);
            world.converge();
            assert_same_links(&world);
            for patient in &patients {
                let expected = person(&mut world, 0, *patient);
                for device in 1..4 {
                    assert_eq!(person(&mut world, device, *patient), expected);
                    assert_eq!(world.texts(device, *patient).len(), expected.len());
                }
            }
            for device in 0..4 {
                assert_eq!(world.drawer(device).len(), 0);
                assert_eq!(world.verify_audit(device).broken_at, None);
            }
        }
    }
}

#[test]
fn a_link_waits_for_both_registrations_and_goes_with_the_one_that_is_refused() {
    let mut world = World::new(730, 2);
    let (one, other) = (world.patient(0, "A"), world.patient(0, "B"));
    assert!(say(&mut world, 0, one, other, true));
    let needs = world.outbox(0).last().map(|item| item.n).expect("it waits");
    assert_eq!(needs, 3);
    // The second registration cannot be taken: what names the patient goes with it.
    world.forge_write(0, 2, |write| {
        if let Intent::Register { record, .. } = &mut write.intent {
            *record = PatientRecord::named("");
        }
    });
    world.converge();
    let codes: BTreeSet<String> = world.drawer(0).into_iter().map(|item| item.code).collect();
    assert_eq!(
        codes,
        BTreeSet::from(["name_empty".into(), "needs_refused".into()])
    );
    for device in 0..2 {
        assert_eq!(
            person(&mut world, device, one),
            BTreeSet::from([one]),
            "its effect is undone"
        );
    }
    assert_same_links(&world);
}

#[test]
fn o1_a_refused_link_is_undone_and_lies_in_the_drawer() {
    let mut world = World::new(731, 2);
    let (one, other) = (world.patient(0, "A"), world.patient(0, "B"));
    world.converge();
    assert!(say(&mut world, 0, one, other, true));
    // A patient this unit does not know: absent and elsewhere look the same.
    let stranger = PatientId(uuid::Uuid::from_u128(7));
    world.forge_last_write(0, |write| {
        if let Intent::Link { other, .. } = &mut write.intent {
            *other = stranger;
        }
    });
    assert_eq!(person(&mut world, 0, one).len(), 2);
    world.converge();
    let drawer = world.drawer(0);
    assert_eq!(drawer.len(), 1);
    assert_eq!(drawer[0].code, "unknown_patient");
    assert_eq!(person(&mut world, 0, one), BTreeSet::from([one]));
    assert_same_links(&world);
}

#[test]
fn s1_a_patient_of_another_unit_can_be_linked_by_nobody() {
    let mut world = World::new(732, 1);
    let south = world.add_device("south", "user-s", vereda_server::Role::Clinician);
    let here = world.patient(0, "A");
    let there = world.patient(south, "B");
    world.converge();
    let refused = world.run(0, |client| async move {
        client.patients().link(here, there, "the same".to_owned()).await
    });
    assert_eq!(refused.expect_err("not known here").code, Code::UnknownPatient);
    let other = world.patient(0, "C");
    assert!(say(&mut world, 0, here, other, true));
    world.forge_last_write(0, |write| {
        if let Intent::Link { other, .. } = &mut write.intent {
            *other = there;
        }
    });
    world.converge();
    assert_eq!(world.drawer(0)[0].code, "unknown_patient");
    assert_eq!(person(&mut world, south, there), BTreeSet::from([there]));
}

#[test]
fn a2_one_audit_record_names_all_records_that_are_read_and_a_later_link_is_named_before_it_is_read() {
    let mut world = World::new(733, 1);
    let (one, other, third) = (
        world.patient(0, "A"),
        world.patient(0, "B"),
        world.patient(0, "C"),
    );
    say(&mut world, 0, one, other, true);
    world.converge();
    let view = world
        .run(0, |client| async move { client.open_patient(one, "care").await })
        .expect("a view");
    let opened = |world: &mut World| -> Vec<(PatientId, BTreeSet<PatientId>)> {
        let records = world.run(0, |client| async move { client.audit().list(0, 1_000).await });
        let records = records.expect("the audit").into_iter();
        records
            .filter_map(|entry| match entry.record {
                AuditRecord::Opened { patient, linked, .. } => Some((patient, linked.into_iter().collect())),
                _ => None,
            })
            .collect()
    };
    assert_eq!(opened(&mut world), [(one, BTreeSet::from([other]))]);
    let read = view.clone();
    world
        .run(0, |_| async move { read.chart().await })
        .expect("a chart");
    assert_eq!(
        opened(&mut world).len(),
        1,
        "what is read inside the view needs no other"
    );
    say(&mut world, 0, other, third, true);
    world.add(0, third, 1, "of the third");
    for _ in 0..2 {
        let read = view.clone();
        let rows = world.run(0, |_| async move {
            read.timeline(EntryFilter::default(), PageRequest::default())
                .await
        });
        assert_eq!(rows.expect("a page").rows.len(), 1);
    }
    assert_eq!(opened(&mut world)[1..], [(one, BTreeSet::from([other, third]))]);
    assert_eq!(world.verify_audit(0).broken_at, None);
    world.converge();
    assert_eq!(world.verify_audit(0).broken_at, None);
}

async fn pages(view: &PatientView, filter: &EntryFilter, limit: usize) -> Result<Vec<EntryRow>> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest {
            limit: Some(limit),
            after,
        };
        let page: Page<EntryRow> = view.timeline(filter.clone(), request).await?;
        assert!(page.rows.len() == limit || page.next.is_none());
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(rows);
        }
    }
}

#[test]
fn pages_of_linked_records_neither_skip_nor_repeat_and_statistics_count_all() {
    let mut world = World::new(734, 1);
    let patients: Vec<PatientId> = ["A", "B", "C"]
        .iter()
        .map(|name| world.patient(0, name))
        .collect();
    let mut expected = Vec::new();
    for number in 0..60_i64 {
        let patient = patients[(number * number % 7 % 3) as usize];
        // Many share their minute: the id alone orders them.
        let mut entry = NewEntry::new(Kind("vitals".into()), at(number / 4), format!("pressão {number}"));
        entry.body = Some(Sensitive(format!("{{\"systolic\":{}}}", 100 + number)));
        let saved = world.run(
            0,
            |client| async move { client.timeline().add(patient, entry).await },
        );
        expected.push((
            at(number / 4).utc_ms,
            saved.expect("saved").entry.expect("an entry"),
        ));
    }
    say(&mut world, 0, patients[0], patients[1], true);
    say(&mut world, 0, patients[2], patients[1], true);
    expected.sort();
    for patient in &patients {
        let patient = *patient;
        for oldest_first in [true, false] {
            for limit in [1, 7, 60, 61] {
                for words in [None, Some(Sensitive("PRESSAO".to_owned()))] {
                    let filter = EntryFilter {
                        oldest_first,
                        words,
                        ..EntryFilter::default()
                    };
                    let rows = world.run(0, |client| async move {
                        pages(&client.open_patient(patient, "test").await?, &filter, limit).await
                    });
                    let mut places: Vec<_> = rows
                        .expect("pages")
                        .iter()
                        .map(|row| (row.occurred_at.utc_ms, row.id))
                        .collect();
                    if !oldest_first {
                        places.reverse();
                    }
                    assert_eq!(places, expected);
                }
            }
        }
        let statistics = world.run(0, |client| async move {
            let numeric = NumericRequest {
                field: NumericField::parse("vitals.systolic")?,
                window: Window::new(3).expect("a window"),
            };
            client
                .open_patient(patient, "test")
                .await?
                .statistics(EntryFilter::default(), Some(numeric))
                .await
        });
        let statistics = statistics.expect("statistics");
        assert_eq!(statistics.entries, 60);
        let points = &statistics.numeric.expect("numbers").series[0].points;
        assert!(points.is_sorted_by_key(|point| point.at.utc_ms) && points.len() == 60);
    }
}

#[test]
fn a_linked_record_that_is_not_here_makes_the_person_partial() {
    let mut world = World::new(735, 2);
    let (one, other) = (world.patient(0, "A"), world.patient(0, "B"));
    say(&mut world, 0, one, other, true);
    world.converge();
    let completeness = |world: &mut World| {
        let page = world.run(1, |client| async move {
            let view = client.open_patient(one, "test").await?;
            view.timeline(EntryFilter::default(), PageRequest::default())
                .await
        });
        page.expect("a page").completeness
    };
    assert_eq!(completeness(&mut world), Completeness::Complete);
    world.edit_store(1, |store| {
        store
            .connection()
            .execute("DELETE FROM patient WHERE id = ?1", [other])
            .expect("the record goes");
    });
    assert_eq!(completeness(&mut world), Completeness::Partial);
}

#[test]
fn a_watched_timeline_follows_a_link_and_the_linked_record() {
    let mut world = World::new(736, 1);
    let (one, other) = (world.patient(0, "A"), world.patient(0, "B"));
    world.add(0, other, 1, "b1");
    let counts = world.run(0, |client| async move {
        let view = client.open_patient(one, "test").await?;
        let mut watched = view.watch_timeline(EntryFilter::default(), PageRequest::default());
        let mut counts = vec![watched.next().await?.rows.len()];
        client.patients().link(one, other, "the same".to_owned()).await?;
        counts.push(watched.next().await?.rows.len());
        client.timeline().add(other, NewEntry::note(at(2), "b2")).await?;
        counts.push(watched.next().await?.rows.len());
        client
            .patients()
            .unlink(one, other, "not the same".to_owned())
            .await?;
        counts.push(watched.next().await?.rows.len());
        Ok::<_, vereda_core::error::SyncError>(counts)
    });
    assert_eq!(counts.expect("pages"), [0, 1, 2, 0]);
}
