//! Amending, retracting, moving; long chapters, many chunks, many documents.

use vereda_core::error::{Code, SyncError};
use vereda_core::id::{EntryId, PatientId};
use vereda_core::limits::{CHAPTER_PART_ENTRIES, CHUNKS_BEFORE_COMPACTION, LOADED_DOCUMENTS_MAX};
use vereda_core::record::NewEntry;
use vereda_core::store::documents;
use vereda_core::store::entries::{EntryFilter, EntryRow, EntryStatus, RelationRow};
use vereda_tests::{World, at, note};

fn row(world: &mut World, device: usize, patient: PatientId, entry: EntryId) -> EntryRow {
    let rows = world.timeline(device, patient);
    rows.into_iter().find(|row| row.id == entry).expect("the entry")
}

#[test]
fn an_amendment_and_what_it_amends_both_stay_readable() {
    let mut world = World::new(21, 2);
    let patient = world.patient(0, "Bento Lima");
    let entry = world.add(0, patient, 1, "glicemia 250");
    world.converge();
    world
        .run(1, |client| async move {
            client
                .timeline()
                .amend(entry, Some("glicemia 150".into()), None)
                .await
        })
        .expect("amended");
    world.converge();
    for device in 0..2 {
        let before = row(&mut world, device, patient, entry);
        assert_eq!(
            (before.status, before.text.0.as_str()),
            (EntryStatus::Amended, "glicemia 250")
        );
        let texts = world.texts(device, patient);
        assert!(texts.contains(&"glicemia 150".to_owned()));
    }
    world.assert_same_rows();
}

#[test]
fn a_retraction_marks_the_entry_and_needs_a_reason_once() {
    let mut world = World::new(22, 2);
    let patient = world.patient(0, "Bia Melo");
    let entry = world.add(0, patient, 1, "paciente errado");
    let codes = world.run(0, |client| async move {
        let empty = client
            .timeline()
            .retract(entry, " ".into())
            .await
            .expect_err("refused")
            .code;
        client
            .timeline()
            .retract(entry, "troca".into())
            .await
            .expect("retracted");
        let twice = client
            .timeline()
            .retract(entry, "troca".into())
            .await
            .expect_err("refused")
            .code;
        (empty, twice)
    });
    assert_eq!(codes, (Code::ReasonRequired, Code::AlreadyRetracted));
    world.converge();
    let row = row(&mut world, 1, patient, entry);
    assert_eq!(
        (row.status, row.text.0.as_str()),
        (EntryStatus::EnteredInError, "paciente errado")
    );
}

/// The retraction lies in an earlier year's chapter than what it retracts in no case; but rows of a rebuilt store
/// come in the documents' order, so the status must not depend on which comes first.
#[test]
fn c2_a_retraction_is_projected_also_when_it_arrives_before_what_it_retracts() {
    let mut world = World::new(23, 1);
    let patient = world.patient(0, "Caio Reis");
    let mut entries = Vec::new();
    // Retractions in chapters of other years: whatever order documents are read in, some come first.
    for year in 0..6 {
        let minutes = -year * 366 * 24 * 60;
        let entry = world.add(0, patient, minutes, &format!("nota {year}"));
        let retraction = NewEntry {
            relation: Some(vereda_core::record::Relation::Retracts(entry)),
            ..NewEntry::new(
                vereda_core::record::Kind("administrative".into()),
                at(-((year + 3) % 6) * 366 * 24 * 60),
                "engano",
            )
        };
        world
            .run(0, |client| async move {
                client.timeline().add(patient, retraction).await
            })
            .expect("retracted");
        entries.push(entry);
    }
    world.converge();
    world.assert_rows_follow_from_documents(0);
    let device = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    world
        .run(
            device,
            |client| async move { client.snapshot(vec![patient]).await },
        )
        .expect("a snapshot");
    for entry in &entries {
        assert_eq!(
            row(&mut world, device, patient, *entry).status,
            EntryStatus::EnteredInError
        );
    }
    world.converge();
    world.assert_same_rows();
}

#[test]
fn a_moved_entry_is_linked_from_both_timelines_and_keeps_its_author() {
    let mut world = World::new(24, 2);
    let (wrong, right) = (world.patient(0, "Davi Luz"), world.patient(0, "David Luz"));
    let entry = world.add(0, wrong, 1, "fratura do rádio");
    world.converge();
    let author = world.enrolment(0).user;
    let before = world
        .run(1, |client| async move { client.status().await })
        .expect("a status")
        .pending;
    let copy = world
        .run(1, |client| async move {
            client.timeline().move_to(entry, right, "homônimo".into()).await
        })
        .expect("moved")
        .entry
        .expect("a copy");
    let after = world
        .run(1, |client| async move { client.status().await })
        .expect("a status")
        .pending;
    assert_eq!(after - before, 1, "one write");
    world.converge();
    for device in 0..2 {
        let stood = row(&mut world, device, wrong, entry);
        assert_eq!(stood.status, EntryStatus::EnteredInError);
        let moved = row(&mut world, device, right, copy);
        assert_eq!(moved.text.0, "fratura do rádio");
        assert_eq!(moved.author, author, "who wrote it stays who wrote it");
        assert_eq!(moved.occurred_at, stood.occurred_at);
        assert_eq!(moved.relation, Some(RelationRow::MovedFrom(wrong, entry)));
        let links = world.timeline(device, wrong);
        let retraction = links
            .iter()
            .find(|row| row.relation == Some(RelationRow::Retracts(entry)))
            .expect("a retraction");
        assert_eq!(retraction.text.0, "homônimo");
    }
    world.assert_same_rows();
    let refused = world.run(1, |client| async move {
        client
            .timeline()
            .move_to(copy, PatientId(uuid_of(7)), "x".into())
            .await
    });
    assert_eq!(refused.expect_err("unknown").code, Code::UnknownPatient);
}

fn uuid_of(byte: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([byte; 16])
}

#[test]
fn the_next_part_of_a_chapter_opens_at_1000_entries() {
    let mut world = World::new(25, 2);
    let patient = world.patient(0, "Eva Pinto");
    // Two imports of 500 fill the part; single notes after it go to the next one.
    for batch in 0..2 {
        let entries: Vec<NewEntry> = (0..500)
            .map(|index| note(batch * 500 + index, &format!("linha {index}")))
            .collect();
        world
            .run(0, |client| async move {
                let imported = entries
                    .into_iter()
                    .enumerate()
                    .map(|(index, entry)| NewEntry {
                        id: Some(EntryId(uuid::Uuid::new_v5(
                            &uuid::Uuid::from_bytes([9; 16]),
                            format!("{batch}/{index}").as_bytes(),
                        ))),
                        ..entry
                    })
                    .collect();
                client.imports().add(patient, imported).await
            })
            .expect("an import");
    }
    let past = world.add(0, patient, 1_100, "a primeira da parte seguinte");
    assert_eq!(row(&mut world, 0, patient, past).chapter, (2026, 1));
    world.converge();
    let connection = world.device_file(1);
    let parts = documents::list(&connection, Some(&patient)).expect("documents");
    let mut counts: Vec<(u32, u64)> = parts
        .iter()
        .map(|part| (part.key.chapter_numbers().1, part.entries))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [(0, CHAPTER_PART_ENTRIES as u64), (1, 1)]);
    world.assert_same_rows();
}

#[test]
fn d4_many_changes_are_compacted_and_the_document_loads_again() {
    let mut world = World::new(26, 2);
    let patient = world.patient(0, "Flora Dias");
    world.converge();
    let count = CHUNKS_BEFORE_COMPACTION as usize * 2 + 6;
    for index in 0..count {
        world.add(0, patient, index as i64, &format!("nota {index}"));
    }
    // None of one's own is compacted before the server has it: it could still be refused.
    let chunks = |world: &World, device| {
        documents::list(&world.device_file(device), Some(&patient)).expect("documents")[0].chunks
    };
    assert_eq!(chunks(&world, 0), count as u64);
    world.converge();
    assert!(
        chunks(&world, 1) < CHUNKS_BEFORE_COMPACTION,
        "{}",
        chunks(&world, 1)
    );
    for index in count..count + CHUNKS_BEFORE_COMPACTION as usize {
        world.add(1, patient, index as i64, &format!("nota {index}"));
    }
    world.converge();
    assert!(
        chunks(&world, 0) < 2 * CHUNKS_BEFORE_COMPACTION,
        "{}",
        chunks(&world, 0)
    );
    for device in 0..2 {
        world.devices[device].reopen().expect("it opens");
    }
    world.add(0, patient, 900, "depois de reabrir");
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.heads(0), world.heads(1));
    world.assert_rows_follow_from_documents(0);
    assert_eq!(
        world.timeline(1, patient).len(),
        count + CHUNKS_BEFORE_COMPACTION as usize + 1
    );
}

#[test]
fn o5_more_documents_than_are_kept_loaded_change_nothing_but_memory() {
    let mut world = World::new(27, 2);
    let patients: Vec<PatientId> = (0..LOADED_DOCUMENTS_MAX + 6)
        .map(|index| world.patient(0, &format!("Paciente {index}")))
        .collect();
    for round in 0..2 {
        for (index, patient) in patients.iter().enumerate() {
            world.add(0, *patient, round, &format!("nota {round} de {index}"));
        }
    }
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.rows(1).entries.len(), 2 * patients.len());
    assert_eq!(world.heads(0), world.heads(1));
}

#[test]
fn a_page_neither_skips_nor_repeats_while_entries_arrive() {
    let mut world = World::new(28, 1);
    let patient = world.patient(0, "Gil Nunes");
    for index in 0..30 {
        world.add(0, patient, index, &format!("nota {index}"));
    }
    let seen = world
        .run(0, |client| async move {
            let view = client.open_patient(patient, "test").await?;
            let (mut seen, mut after, mut arriving) = (Vec::new(), None, 100);
            loop {
                let request = vereda_core::client::PageRequest {
                    limit: Some(7),
                    after,
                };
                let page = view.timeline(EntryFilter::default(), request).await?;
                seen.extend(page.rows.into_iter().map(|row| row.text.0));
                after = page.next;
                if after.is_none() {
                    return Ok::<_, SyncError>(seen);
                }
                client.timeline().add(patient, note(arriving, "chegou")).await?;
                arriving += 1;
            }
        })
        .expect("pages");
    let expected: Vec<String> = (0..30).rev().map(|index| format!("nota {index}")).collect();
    assert_eq!(seen, expected);
}
