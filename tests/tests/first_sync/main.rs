//! First sync at size: rows come in segments, documents behind, and nothing differs from a device that read the log.

mod interrupted;
mod resync;

use vereda_core::client::SyncEnd;
use vereda_core::error::Code;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{ChartKind, Kind};
use vereda_core::redact::Sensitive;
use vereda_core::store::documents;
use vereda_server::Role;
use vereda_tests::{World, at};

/// A clinic of two devices that read its log: notes of two years, a draft, one finalized twice, an amendment, a move,
/// a chart with a conflict, a record with one. Its server offers segments.
fn a_clinic(seed: u64, notes: i64) -> (World, Vec<PatientId>) {
    let mut world = World::new(seed, 2);
    let patients: Vec<PatientId> = ["Iara Nunes", "João Prates", "Lia Sena"]
        .iter()
        .map(|name| world.patient(0, name))
        .collect();
    for (index, patient) in patients.iter().enumerate() {
        for note in 0..notes {
            // A third of them lie in the year before.
            let minutes = if note % 3 == 0 { note - 500_000 } else { note };
            world.add(index % 2, *patient, minutes, &format!("nota {note} de {index}"));
            if note % 10 == 0 {
                world.converge();
            }
        }
    }
    world.converge();
    let patient = patients[0];
    let wrong = world.add(0, patient, 3, "pressão 12 por 8");
    let moved = world.add(0, patient, 4, "era de outra pessoa");
    let to = patients[1];
    let (draft, item) = world
        .run(0, |client| async move {
            client
                .timeline()
                .amend(wrong, Some("pressão 13 por 8".into()), None)
                .await?;
            client
                .timeline()
                .move_to(moved, to, "prontuário errado".into())
                .await?;
            let kind = Kind("note".into());
            let draft = client
                .drafts()
                .open(patient, kind.clone(), Some(at(2)), "rascunho".into(), None)
                .await?;
            client
                .drafts()
                .open(patient, kind, Some(at(5)), "aberto".into(), None)
                .await?;
            let fields = [("display".to_owned(), Sensitive("Iodo".to_owned()))].into();
            let item = client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await?;
            Ok::<_, vereda_core::error::SyncError>((draft.entry.expect("a draft"), item.chart_item))
        })
        .expect("written");
    world.converge();
    for device in 0..2 {
        world
            .run(device, |client| async move {
                client
                    .drafts()
                    .write(draft, None, format!("rascunho de {device}"))
                    .await?;
                client.drafts().finalize(draft, None, false).await?;
                let fields = [("severity".to_owned(), Sensitive(format!("grau {device}")))].into();
                client
                    .chart()
                    .set(patient, item, ChartKind("allergy".into()), fields)
                    .await?;
                let shown = client.open_patient(patient, "test").await?.record().await?;
                let mut record = shown.record.clone();
                record.birth_date = Some(format!("1980-01-0{}", device + 1).into());
                client.patients().edit(shown, record).await
            })
            .expect("written");
    }
    world.sync(1);
    world.converge();
    world.segments_from_bytes = 1;
    world.start_server();
    (world, patients)
}

fn new_device(world: &mut World) -> usize {
    world.add_device("north", "user-2", Role::Clinician)
}

fn rows_only(world: &World, device: usize) -> usize {
    documents::rows_only(&world.device_file(device), None, 1_000)
        .expect("a read")
        .len()
}

#[test]
fn a_device_that_came_by_segments_has_the_rows_of_one_that_read_the_log() {
    for seed in 601..604 {
        let (mut world, _) = a_clinic(seed, 12);
        let device = new_device(&mut world);
        world.network.heard = Some(Vec::new());
        assert!(matches!(
            world.sync(device),
            SyncEnd::Done | SyncEnd::NeedsPerson { .. }
        ));
        let heard = world.network.heard.take().unwrap_or_default();
        assert!(
            heard.iter().any(|(request, _)| request.path == "/v1/segment"),
            "segments came"
        );
        world.rows(device).assert_same(&world.rows(0), "rows");
        assert_eq!(world.receipts(device), world.receipts(0));
        assert_eq!(rows_only(&world, device), 0, "the documents came behind");
        assert_eq!(world.heads(device), world.heads(0));
        world.assert_rows_follow_from_documents(device);
        world.assert_as_the_server(device);
        let status = world
            .run(device, |client| async move { client.status().await })
            .expect("a status");
        assert_eq!(status.repaired_rows, 0);
        // It goes on from the log like everybody.
        world.add(0, world_patient(&world), 50, "depois");
        world.converge();
        world.assert_same_rows();
        assert_eq!(world.heads(device), world.heads(0));
    }
}

fn world_patient(world: &World) -> PatientId {
    world.rows(0).entries[0].patient
}

/// An item is one note, or an import of hundreds: what counts is what the log would carry.
#[test]
fn a_log_of_few_long_items_is_read_from_segments_and_a_short_one_is_not() {
    for (characters, expected) in [(20, false), (30_000, true)] {
        let mut world = World::new(621, 1);
        let patient = world.patient(0, "Noel Prado");
        for note in 0..40 {
            world.add(0, patient, note, &"x".repeat(characters));
        }
        world.converge();
        let device = new_device(&mut world);
        world.network.heard = Some(Vec::new());
        world.converge();
        let heard = world.network.heard.take().unwrap_or_default();
        let came = heard.iter().any(|(request, _)| request.path == "/v1/segment");
        assert_eq!(came, expected, "40 notes of {characters} characters");
        assert_eq!(rows_only(&world, device), 0);
        world.assert_same_rows();
    }
}

#[test]
fn what_is_written_before_the_documents_came_is_kept_and_merged() {
    let (mut world, patients) = a_clinic(611, 6);
    let device = new_device(&mut world);
    // The rows are in, the documents are not: the network goes when they are asked for.
    world.network.lose_path = Some("/v1/documents");
    world.sync(device);
    assert!(rows_only(&world, device) > 0);
    world
        .rows(device)
        .assert_same(&world.rows(0), "rows without documents");
    let early = world.add(device, patients[0], 40, "antes dos documentos");
    let open = world
        .rows(device)
        .entries
        .into_iter()
        .find(|row| row.text.0 == "aberto")
        .expect("the open draft");
    let edited = world.run(device, |client| async move {
        client.drafts().write(open.id, None, "outro texto".into()).await
    });
    assert_eq!(
        edited.map_err(|error| error.code).err(),
        Some(Code::DocumentAwaited)
    );
    // Somebody else goes on in the same chapter, and this device reads of it before it has the document.
    world.add(0, patients[0], 41, "enquanto isso");
    world.sync(0);
    world.network.lose_path = None;
    world.advance(600_000);
    world.converge();
    world.assert_same_rows();
    assert!(world.rows(0).entries.iter().any(|row| row.id == early));
    assert_eq!(rows_only(&world, device), 0);
    assert_eq!(world.heads(device), world.heads(0));
    world.assert_rows_follow_from_documents(device);
    world.assert_places_name_one_change();
}

#[test]
fn entries_that_came_in_a_segment_are_counted_and_amended_by_their_id_like_all_others() {
    let (mut world, patients) = a_clinic(621, 6);
    let device = new_device(&mut world);
    world.sync(device);
    let counted = |world: &mut World, device: usize| {
        let statistics = world.run(device, |client| async move {
            client.patients().statistics(None).await
        });
        let statistics = statistics.expect("counted");
        (statistics.by_kind, statistics.heatmap)
    };
    assert_eq!(counted(&mut world, device), counted(&mut world, 0));
    let old: Vec<EntryId> = world
        .rows(device)
        .entries
        .iter()
        .filter(|row| row.text.0.starts_with("nota 1 de"))
        .map(|row| row.id)
        .collect();
    assert_eq!(old.len(), patients.len());
    for entry in old {
        world
            .run(device, |client| async move {
                client
                    .timeline()
                    .amend(entry, Some("corrigida".into()), None)
                    .await?;
                client.timeline().retract(entry, "nome trocado".into()).await
            })
            .expect("saved");
    }
    let unknown = EntryId::from_bytes([9; 16]);
    let refused = world.run(device, |client| async move {
        client.timeline().retract(unknown, "engano".into()).await
    });
    assert_eq!(
        refused.map_err(|error| error.code).err(),
        Some(Code::UnknownEntry)
    );
    world.converge();
    world.assert_same_rows();
    assert_eq!(counted(&mut world, device), counted(&mut world, 0));
    world.assert_rows_follow_from_documents(device);
    assert_eq!(
        counted(&mut world, device),
        counted(&mut world, 0),
        "counted anew"
    );
}
