//! Everything is fetched again, with unsent writes of every sort, damage, and kills in the middle of it.

use crate::{a_clinic, new_device, rows_only};
use std::collections::BTreeSet;
use vereda_core::client::SyncEnd;
use vereda_core::engine::Completeness;
use vereda_core::error::SyncError;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{ChartKind, Kind, PatientRecord};
use vereda_tests::{Fault, World, at, note};

/// The one device of the tests that resynchronises.
const HERE: usize = 0;

/// Writes of every sort, none of them sent, and one that was refused. Returns what they show.
fn unsent(world: &mut World, patients: &[PatientId]) -> Shown {
    let (patient, other) = (patients[0], patients[2]);
    let rows = world.rows(HERE).entries;
    let find = |text: &str| -> EntryId {
        let row = rows.iter().find(|row| row.text.0 == text);
        row.unwrap_or_else(|| panic!("{text} is there")).id
    };
    let (open, wrong, moved) = (find("aberto"), find("nota 1 de 0"), find("nota 2 de 0"));
    let chart = world.rows(HERE).chart;
    let item = chart
        .iter()
        .find(|item| item.patient == patient)
        .expect("an item")
        .id;
    world
        .run(HERE, |client| async move {
            client.timeline().add(patient, note(60, "pendente: nota")).await?;
            client
                .timeline()
                .amend(wrong, Some("pendente: emenda".into()), None)
                .await?;
            client.timeline().retract(moved, "pendente: erro".into()).await?;
            client
                .drafts()
                .write(open, None, "pendente: rascunho editado".into())
                .await?;
            let kind = Kind("note".into());
            let opened = client
                .drafts()
                .open(
                    patient,
                    kind.clone(),
                    Some(at(61)),
                    "pendente: outro".into(),
                    None,
                )
                .await?;
            client
                .drafts()
                .finalize(opened.entry.expect("a draft"), None, false)
                .await?;
            client
                .drafts()
                .open(other, kind, Some(at(62)), "pendente: aberto".into(), None)
                .await?;
            let fields = [("severity".to_owned(), "pendente: grave".to_owned().into())].into();
            client
                .chart()
                .set(patient, Some(item), ChartKind("allergy".into()), fields)
                .await?;
            let fields = [("display".to_owned(), "pendente: látex".to_owned().into())].into();
            client
                .chart()
                .set(other, None, ChartKind("allergy".into()), fields)
                .await?;
            let shown = client.open_patient(other, "test").await?.record().await?;
            let mut record = shown.record.clone();
            record.gender = Some("other".to_owned().into());
            client.patients().edit(shown, record).await?;
            let new = client
                .patients()
                .register(PatientRecord::named("Pendente Nova"))
                .await?
                .patient;
            client
                .timeline()
                .add(new, note(63, "pendente: de quem é nova"))
                .await?;
            client.patients().link(patient, other, "pendente".into()).await?;
            Ok::<_, SyncError>(())
        })
        .expect("written");
    world.hold_back_all(HERE);
    Shown::of(world)
}

/// What of the unsent writes is on the screen, and what is in the queue and the drawer.
#[derive(Clone, PartialEq, Debug)]
struct Shown {
    texts: BTreeSet<String>,
    chart: BTreeSet<String>,
    genders: BTreeSet<String>,
    names: BTreeSet<String>,
    queue: Vec<u64>,
    drawer: usize,
}

impl Shown {
    fn of(world: &mut World) -> Self {
        let rows = world.rows(HERE);
        let ours = |text: &&String| text.starts_with("pendente");
        let fields = rows.chart.iter().flat_map(|item| item.fields.values());
        let record = |name: &str| -> BTreeSet<String> {
            let values = rows
                .patients
                .iter()
                .filter_map(|patient| patient["record"][name].as_str());
            values.map(str::to_owned).collect()
        };
        Self {
            texts: rows
                .entries
                .iter()
                .map(|row| &row.text.0)
                .filter(ours)
                .cloned()
                .collect(),
            chart: fields.map(|value| &value.0).filter(ours).cloned().collect(),
            genders: record("gender"),
            names: record("name"),
            queue: world.outbox(HERE).iter().map(|write| write.n).collect(),
            drawer: world.drawer(HERE).len(),
        }
    }
}

/// A write that the server refused, for the drawer.
fn refuse_one(world: &mut World, patient: PatientId) {
    world.add(HERE, patient, 59, "recusada");
    world.forge_last_write(HERE, |write| {
        write.user = vereda_core::id::UserId(uuid::Uuid::nil())
    });
    world.sync(HERE);
    assert_eq!(world.drawer(HERE).len(), 1, "refused");
}

fn ask(world: &mut World) {
    world
        .run(HERE, |client| async move { client.resync("dúvida".into()).await })
        .expect("it is noted");
}

fn is_over(world: &mut World) -> bool {
    !world.status(HERE).resync
}

/// Everybody has everything, and nothing is left to do.
fn assert_merged(world: &mut World, fresh: usize) {
    world.advance(600_000);
    world.converge();
    assert!(is_over(world));
    assert!(world.outbox(HERE).is_empty());
    assert_eq!(rows_only(world, HERE), 0);
    let (here, fresh_rows) = (world.rows(HERE), world.rows(fresh));
    here.assert_same(&world.rows(1), "a colleague");
    here.assert_same(&fresh_rows, "a new device");
    assert_eq!(world.heads(HERE), world.heads(fresh));
    assert_eq!(world.receipts(HERE), world.receipts(fresh));
    world.assert_rows_follow_from_documents(HERE);
    world.assert_places_name_one_change();
    assert!(world.verify_audit(HERE).broken_at.is_none());
}

#[test]
fn d1_unsent_writes_of_every_sort_are_shown_all_the_time_and_merged_at_the_end() {
    for (seed, by_segments) in [(641, true), (642, false)] {
        let (mut world, patients) = a_clinic(seed, 6);
        if !by_segments {
            world.segments_from_bytes = u64::MAX;
            world.start_server();
        }
        refuse_one(&mut world, patients[0]);
        let shown = unsent(&mut world, &patients);
        assert_eq!(shown.texts.len(), 7, "{:?}", shown.texts);
        world.add(1, patients[0], 70, "enquanto isso");
        world.sync(1);
        ask(&mut world);
        assert_eq!(world.status(HERE).completeness, Completeness::Partial);
        // Without a network nothing changes.
        world.network.cut = true;
        world.sync(HERE);
        world.network.cut = false;
        assert_eq!(Shown::of(&mut world), shown);
        world.advance(100_000);
        world.network.heard = Some(Vec::new());
        let before = world.rows(HERE).entries.len();
        world.sync(HERE);
        let heard = world.network.heard.take().expect("it listened");
        let came = |path: &str| heard.iter().any(|(request, _)| request.path == path);
        assert!(came("/v1/documents"), "documents came again");
        assert_eq!(came("/v1/segment"), by_segments);
        assert!(is_over(&mut world));
        assert_eq!(Shown::of(&mut world), shown, "nothing of ours went");
        assert_eq!(world.rows(HERE).entries.len(), before + 1, "the colleague's came");
        let fresh = new_device(&mut world);
        assert_merged(&mut world, fresh);
    }
}

#[test]
fn d3_a_device_killed_after_any_step_of_fetching_everything_again_shows_all_and_goes_on() {
    let (mut world, patients) = a_clinic(643, 4);
    let shown = unsent(&mut world, &patients);
    let all = world.rows(HERE);
    for crash_after in 1..400 {
        world.hold_back_all(HERE);
        ask(&mut world);
        world.devices[HERE].crash_after = Some(crash_after);
        let crashed = world
            .try_run(HERE, |client| async move { client.sync_once(60_000).await })
            .is_err();
        world.devices[HERE].crash_after = None;
        if crashed {
            world.devices[HERE].reopen().expect("it opens");
        }
        assert_eq!(Shown::of(&mut world), shown, "killed after step {crash_after}");
        world
            .rows(HERE)
            .assert_same(&all, &format!("killed after step {crash_after}"));
        let over = is_over(&mut world);
        assert_eq!(world.status(HERE).completeness == Completeness::Complete, over);
        world.sync(HERE);
        assert!(is_over(&mut world), "it goes on, after step {crash_after}");
        assert_eq!(Shown::of(&mut world), shown);
        if !crashed {
            let fresh = new_device(&mut world);
            return assert_merged(&mut world, fresh);
        }
    }
    panic!("it has more steps than were tried");
}

#[test]
fn what_is_damaged_or_missing_here_is_as_at_the_server_again() {
    let (mut world, patients) = a_clinic(644, 6);
    world.add(HERE, patients[0], 60, "pendente: nota");
    world.hold_back_all(HERE);
    let whole = world.rows(HERE);
    world
        .device_file(HERE)
        .execute_batch(
            "UPDATE entry SET text = 'outra coisa' WHERE text LIKE 'nota 1 %';
             DELETE FROM entry WHERE text LIKE 'nota 3 %';
             UPDATE chart_item SET fields = '{}';
             UPDATE chunk SET bytes = substr(bytes, 1, length(bytes) / 2) WHERE write_n IS NULL
               AND document IN (SELECT id FROM document ORDER BY id LIMIT 1);
             DELETE FROM document WHERE id IN (SELECT id FROM document ORDER BY id DESC LIMIT 1);",
        )
        .expect("damage");
    world.devices[HERE].reopen().expect("it opens");
    ask(&mut world);
    world.network.next.push_back(Fault::AnswerLost);
    for _ in 0..3 {
        world.sync(HERE);
        world.advance(60_000);
    }
    assert!(is_over(&mut world));
    world.rows(HERE).assert_same(&whole, "as before the damage");
    let fresh = new_device(&mut world);
    assert_merged(&mut world, fresh);
    assert!(matches!(world.sync(HERE), SyncEnd::Done));
}
