//! Statistics of all patients: kept while rows are written, and always what counting the rows gives.

use std::collections::BTreeMap;
use vereda_core::client::UnitStatistics;
use vereda_core::error::Code;
use vereda_core::id::{PatientId, UnitId};
use vereda_core::protocol::AuditRecord;
use vereda_core::record::{Heatmap, Intent, Kind, NewEntry};
use vereda_core::store::entries::{EntryStatus, RelationRow};
use vereda_tests::{World, at};

fn statistics(world: &mut World, device: usize) -> UnitStatistics {
    world
        .run(device, |client| async move {
            client.patients().statistics(None).await
        })
        .expect("statistics")
}

/// Counts the rows themselves.
fn assert_counted(world: &mut World, device: usize, what: &str) -> u64 {
    let (mut by_kind, mut heatmap) = (BTreeMap::new(), Heatmap::default());
    for row in world.rows(device).entries {
        if row.status == EntryStatus::Final && !matches!(row.relation, Some(RelationRow::Retracts(_))) {
            *by_kind.entry(row.kind).or_insert(0) += 1;
            heatmap.add(row.occurred_at);
        }
    }
    let found = statistics(world, device);
    assert_eq!((&found.by_kind, &found.heatmap), (&by_kind, &heatmap), "{what}");
    assert_eq!(found.entries, by_kind.values().sum::<u64>(), "{what}");
    found.entries
}

fn add(
    world: &mut World,
    patient: PatientId,
    kind: &str,
    entry_at: vereda_core::time::Zoned,
) -> vereda_core::id::EntryId {
    let entry = NewEntry::new(Kind(kind.into()), entry_at, "texto");
    let saved = world.run(
        0,
        |client| async move { client.timeline().add(patient, entry).await },
    );
    saved.expect("saved").entry.expect("an entry")
}

#[test]
fn what_is_kept_is_what_counting_the_rows_gives_whatever_happens_to_them() {
    let mut world = World::new(840, 2);
    let (one, other) = (world.patient(0, "A"), world.patient(0, "B"));
    let early = vereda_core::time::Zoned::parse("1955-01-02T00:30:00+05:30").expect("a date");
    for (kind, entry_at) in [
        ("note", at(0)),
        ("vitals", at(-700)),
        ("note", early),
        ("consent", at(-5_000)),
    ] {
        add(&mut world, one, kind, entry_at);
    }
    assert_eq!(assert_counted(&mut world, 0, "added"), 4);
    let (amended, retracted, moved) = (
        add(&mut world, one, "note", at(1)),
        add(&mut world, one, "note", at(2)),
        add(&mut world, one, "note", at(3)),
    );
    world
        .run(0, |client| async move {
            client
                .timeline()
                .amend(amended, Some("outro".into()), None)
                .await?;
            client.timeline().retract(retracted, "engano".into()).await?;
            client.timeline().move_to(moved, other, "errado".into()).await?;
            let draft = client
                .drafts()
                .open(one, Kind("note".into()), Some(at(4)), "rascunho".into(), None)
                .await?;
            Ok::<_, vereda_core::error::SyncError>(draft.entry.expect("a draft"))
        })
        .map(|draft| {
            assert_eq!(assert_counted(&mut world, 0, "a draft counts for nothing"), 6);
            world
                .run(0, |client| async move {
                    client.drafts().finalize(draft, None, false).await
                })
                .expect("finalized");
        })
        .expect("written");
    assert_eq!(assert_counted(&mut world, 0, "finalized"), 7);
    // A retraction the server refuses: what it took back counts again.
    let kept = add(&mut world, one, "task", at(9));
    world.converge();
    world
        .run(0, |client| async move {
            client.timeline().retract(kept, "engano".into()).await
        })
        .expect("saved");
    assert_eq!(assert_counted(&mut world, 0, "retracted"), 7);
    world.forge_last_write(0, |write| {
        if let Intent::Add { entries } = &mut write.intent {
            entries[0].text.0.clear();
        }
    });
    world.converge();
    assert_eq!(world.drawer(0).len(), 1);
    assert_eq!(assert_counted(&mut world, 0, "its retraction was refused"), 8);
    assert_eq!(assert_counted(&mut world, 1, "on another device"), 8);
    assert_eq!(statistics(&mut world, 0), statistics(&mut world, 1));
    world.assert_rows_follow_from_documents(0);
    assert_counted(&mut world, 0, "rebuilt");
}

#[test]
fn a2_statistics_of_all_patients_are_one_audit_entry_and_only_of_ones_own_units() {
    let mut world = World::new(841, 1);
    let before = world.verify_audit(0).records;
    statistics(&mut world, 0);
    assert_eq!(world.verify_audit(0).records, before + 1);
    let records = world
        .run(0, |client| async move { client.audit().list(0, 1_000).await })
        .expect("the audit");
    let last = &records.last().expect("a record").record;
    assert!(matches!(last, AuditRecord::Listed { list, .. } if list == "statistics"));
    let unit = UnitId(uuid::Uuid::from_u128(9));
    let refused = world.run(0, |client| async move {
        client.patients().statistics(Some(unit)).await
    });
    assert_eq!(refused.expect_err("not theirs").code, Code::OutOfScope);
}
