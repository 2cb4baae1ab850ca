//! Statistics of a patient's timeline: what counts, what is computed of it, in timelines of any length.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use vereda_core::client::{NumericRequest, NumericSeries, NumericStatistics, TimelineStatistics};
use vereda_core::error::SyncError;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{Kind, NewEntry, NumericField, Window};
use vereda_core::store::entries::{EntryFilter, EntryRow, EntryStatus, RelationRow};
use vereda_core::time::Zoned;
use vereda_tests::{BEGIN_MS, World, at, note};

fn value(field: &str, window: usize) -> Option<NumericRequest> {
    Some(NumericRequest {
        field: NumericField::parse(field).expect("a field"),
        window: Window::new(window).expect("a window"),
    })
}

fn statistics(
    world: &mut World,
    patient: PatientId,
    filter: EntryFilter,
    numeric: Option<NumericRequest>,
) -> TimelineStatistics {
    world
        .run(0, |client| async move {
            let view = client.open_patient(patient, "statistics").await?;
            view.statistics(filter, numeric).await
        })
        .expect("statistics")
}

fn numeric(world: &mut World, patient: PatientId, field: &str, window: usize) -> NumericStatistics {
    statistics(world, patient, EntryFilter::default(), value(field, window))
        .numeric
        .expect("numeric statistics")
}

fn add_all(world: &mut World, patient: PatientId, entries: Vec<NewEntry>) -> Vec<EntryId> {
    let saved = world.run(0, |client| async move {
        let mut saved = Vec::new();
        for entry in entries {
            saved.extend(client.timeline().add(patient, entry).await?.entry);
        }
        Ok::<_, SyncError>(saved)
    });
    saved.expect("entries")
}

fn pressure(minutes: i64, systolic: f64) -> NewEntry {
    NewEntry::new(Kind("vitals".into()), at(minutes), "pressão")
        .with_body(format!("{{\"systolic\":{systolic}}}"))
}

fn observation(minutes: i64, body: &str) -> NewEntry {
    NewEntry::new(Kind("observation".into()), at(minutes), "achado").with_body(body)
}

fn kinds(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let pairs = pairs.iter();
    pairs
        .map(|(kind, entries)| ((*kind).to_owned(), *entries))
        .collect()
}

fn cells(statistics: &TimelineStatistics) -> Vec<(u8, u8, u64)> {
    let cells = statistics.heatmap.cells();
    cells
        .map(|cell| (cell.weekday, cell.hour, cell.entries))
        .collect()
}

fn values(series: &NumericSeries) -> Vec<f64> {
    series.points.iter().map(|point| point.value.get()).collect()
}

fn averages(series: &NumericSeries) -> Vec<f64> {
    let points = series.points.iter();
    points.map(|point| point.moving_average.get()).collect()
}

fn unit(series: &NumericSeries) -> Option<&str> {
    series.measure.unit.as_ref().map(|unit| unit.as_str())
}

#[test]
fn the_figures_are_those_computed_by_hand() {
    let mut world = World::new(300, 1);
    let patient = world.patient(0, "Ana Lima");
    // The world begins on a Monday at 10:30 of its zone.
    let mut in_another_zone = pressure(50, 150.0);
    in_another_zone.occurred_at.offset_minutes = 14 * 60;
    add_all(
        &mut world,
        patient,
        vec![
            note(0, "chegou"),
            pressure(1, 120.0),
            pressure(40, 110.0),
            in_another_zone,
            pressure(2, 130.0),
        ],
    );
    let found = statistics(
        &mut world,
        patient,
        EntryFilter::default(),
        value("vitals.systolic", 2),
    );
    assert_eq!(
        (found.entries, &found.by_kind),
        (5, &kinds(&[("note", 1), ("vitals", 4)]))
    );
    assert_eq!(
        cells(&found),
        [(1, 10, 3), (1, 11, 1), (2, 4, 1)],
        "14:20 UTC is 04:20 of Tuesday there"
    );
    let numeric = found.numeric.expect("numeric statistics");
    let [series] = numeric.series.as_slice() else {
        panic!("one series")
    };
    assert_eq!((unit(series), numeric.left_out), (Some("mm[Hg]"), 0));
    assert_eq!(values(series), [120.0, 130.0, 110.0, 150.0], "the oldest first");
    assert_eq!(averages(series), [120.0, 125.0, 120.0, 130.0]);
    assert_eq!((series.mean.get(), series.p95.get()), (127.5, 150.0));
}

#[test]
fn an_empty_timeline_has_no_figures() {
    let mut world = World::new(301, 1);
    let patient = world.patient(0, "Ana Lima");
    let found = statistics(
        &mut world,
        patient,
        EntryFilter::default(),
        value("vitals.systolic", 3),
    );
    assert_eq!(
        (found.entries, found.by_kind.len(), cells(&found)),
        (0, 0, vec![])
    );
    assert_eq!(found.numeric, Some(NumericStatistics::default()));
    let found = statistics(&mut world, patient, EntryFilter::default(), None);
    assert_eq!(found.numeric, None);
}

#[test]
fn a_timeline_longer_than_one_step_looks_at_is_counted_whole_with_one_record_in_the_audit() {
    let mut world = World::new(302, 1);
    let patient = world.patient(0, "Ana Lima");
    let entries = (0..4_200)
        .map(|minutes| pressure(minutes, 60.0 + (minutes % 10) as f64))
        .collect();
    world
        .run(
            0,
            |client| async move { client.imports().add(patient, entries).await },
        )
        .expect("an import");
    let before = world.verify_audit(0).records;
    let found = statistics(
        &mut world,
        patient,
        EntryFilter::default(),
        value("vitals.systolic", 1),
    );
    assert_eq!(world.verify_audit(0).records, before + 1, "the opening");
    assert_eq!(
        (found.entries, found.by_kind),
        (4_200, kinds(&[("vitals", 4_200)]))
    );
    assert_eq!(found.heatmap.cells().map(|cell| cell.entries).sum::<u64>(), 4_200);
    let series = &found.numeric.expect("numeric statistics").series[0];
    let expected: Vec<f64> = (0..4_200).map(|minutes| 60.0 + f64::from(minutes % 10)).collect();
    assert_eq!(values(series), expected);
    assert_eq!((series.mean.get(), series.p95.get()), (64.5, 69.0));
}

#[test]
fn what_is_amended_while_a_long_timeline_is_read_is_counted_once() {
    let mut world = World::new(308, 1);
    let patient = world.patient(0, "Ana Lima");
    let entries = (0..2_100).map(|minutes| note(minutes, "visita")).collect();
    world
        .run(
            0,
            |client| async move { client.imports().add(patient, entries).await },
        )
        .expect("an import");
    // The last one the first step looks at: its amendment is the first one of the second.
    let last = world.timeline(0, patient)[100].id;
    let (found, amended) = world.run(0, |client| async move {
        let view = client.open_patient(patient, "statistics").await.expect("a view");
        let timeline = client.timeline();
        tokio::join!(
            view.statistics(EntryFilter::default(), None),
            timeline.amend(last, Some("revisita".into()), None)
        )
    });
    amended.expect("amended");
    assert_eq!(found.expect("statistics").entries, 2_100);
}

#[test]
fn drafts_and_errors_do_not_count_and_what_was_amended_counts_as_its_amendment() {
    let mut world = World::new(303, 1);
    let patient = world.patient(0, "Ana Lima");
    let ids = add_all(
        &mut world,
        patient,
        vec![pressure(1, 250.0), pressure(2, 300.0), pressure(3, 120.0)],
    );
    let (amended, wrong) = (ids[0], ids[1]);
    world
        .run(0, |client| async move {
            let body = Some("{\"systolic\":150}".to_owned());
            client.timeline().amend(amended, None, body).await?;
            client
                .timeline()
                .retract(wrong, "troca de paciente".into())
                .await?;
            let body = Some("{\"systolic\":200}".to_owned());
            let kind = Kind("vitals".into());
            client
                .drafts()
                .open(patient, kind, Some(at(4)), "rascunho".into(), body)
                .await
        })
        .expect("saved");
    let found = statistics(
        &mut world,
        patient,
        EntryFilter::default(),
        value("vitals.systolic", 9),
    );
    assert_eq!((found.entries, found.by_kind), (2, kinds(&[("vitals", 2)])));
    assert_eq!(
        values(&found.numeric.expect("numeric statistics").series[0]),
        [150.0, 120.0]
    );
    for status in [
        EntryStatus::Draft,
        EntryStatus::Amended,
        EntryStatus::EnteredInError,
    ] {
        let filter = EntryFilter {
            status: Some(status),
            ..EntryFilter::default()
        };
        assert_eq!(
            statistics(&mut world, patient, filter, None).entries,
            0,
            "{status:?}"
        );
    }
}

#[test]
fn values_of_different_units_and_of_different_concepts_are_not_mixed() {
    let mut world = World::new(304, 1);
    let patient = world.patient(0, "Ana Lima");
    let glucose = |value: &str, unit: &str| {
        format!(
            "{{\"code\":{{\"system\":\"http://loinc.org\",\"code\":\"2339-0\"}},\"value\":{value},\"unit\":\"{unit}\"}}"
        )
    };
    let cholesterol = "{\"code\":{\"display\":\"Colesterol\"},\"value\":190,\"unit\":\"mg/dL\"}";
    let below = "{\"code\":{\"display\":\"Colesterol\"},\"value\":5,\"unit\":\"mg/dL\",\"comparator\":\"<\"}";
    let bodies = [
        glucose("90", "mg/dL"),
        glucose("5.5", "mmol/L"),
        glucose("110", "mg/dL"),
        glucose("\"alta\"", "mg/dL"),
        cholesterol.to_owned(),
        below.to_owned(),
    ];
    let entries = (0..)
        .zip(&bodies)
        .map(|(minutes, body)| observation(minutes, body));
    add_all(&mut world, patient, entries.collect());
    let found = numeric(&mut world, patient, "observation.value", 3);
    let series = found.series.iter().map(|series| {
        let code = series.measure.code.as_ref().map(|code| code.as_str());
        (code, unit(series), values(series), series.mean.get())
    });
    let glucose = Some("http://loinc.org|2339-0");
    assert_eq!(
        series.collect::<Vec<_>>(),
        [
            (Some("Colesterol"), Some("mg/dL"), vec![190.0], 190.0),
            (glucose, Some("mg/dL"), vec![90.0, 110.0], 100.0),
            (glucose, Some("mmol/L"), vec![5.5], 5.5),
        ]
    );
    assert_eq!(found.left_out, 2, "words, and less than 5");
}

#[test]
fn only_what_passes_the_filter_counts() {
    let mut world = World::new(305, 2);
    let patient = world.patient(0, "Ana Lima");
    add_all(
        &mut world,
        patient,
        vec![pressure(1, 110.0), pressure(2, 120.0), note(3, "Pressão alta")],
    );
    world.converge();
    world.add(1, patient, 4, "Visita");
    world.converge();
    let author = Some(world.enrolment(1).user);
    let instant = |minutes: i64| Some(at(minutes).utc_ms);
    let all = EntryFilter::default;
    for (filter, entries, of_values) in [
        (all(), 4, vec![110.0, 120.0]),
        (
            EntryFilter {
                kinds: vec!["note".into()],
                ..all()
            },
            2,
            vec![],
        ),
        (
            EntryFilter {
                from_ms: instant(2),
                ..all()
            },
            3,
            vec![120.0],
        ),
        (
            EntryFilter {
                to_ms: instant(2),
                ..all()
            },
            1,
            vec![110.0],
        ),
        (
            EntryFilter {
                words: Some("pressao".to_owned().into()),
                ..all()
            },
            3,
            vec![110.0, 120.0],
        ),
        (
            EntryFilter {
                words: Some("*".to_owned().into()),
                ..all()
            },
            0,
            vec![],
        ),
        (EntryFilter { author, ..all() }, 1, vec![]),
        (
            EntryFilter {
                kinds: vec!["vitals".into()],
                from_ms: instant(2),
                oldest_first: true,
                ..all()
            },
            1,
            vec![120.0],
        ),
    ] {
        let found = statistics(&mut world, patient, filter.clone(), value("vitals.systolic", 1));
        let series = found.numeric.expect("numeric statistics").series;
        let found_values: Vec<f64> = series.iter().flat_map(values).collect();
        assert_eq!((found.entries, found_values), (entries, of_values), "{filter:?}");
    }
}

#[test]
fn watched_statistics_follow_the_patient() {
    let mut world = World::new(306, 1);
    let patient = world.patient(0, "Ana Lima");
    world
        .run(0, |client| async move {
            let view = client.open_patient(patient, "consulta").await?;
            let mut watched = view.watch_statistics(EntryFilter::default(), value("vitals.systolic", 1));
            assert_eq!(watched.next().await?.entries, 0, "at once");
            let saved = client.timeline().add(patient, pressure(1, 120.0)).await?;
            assert_eq!(watched.next().await?.entries, 1);
            let entry = saved.entry.expect("an entry");
            client.timeline().retract(entry, "engano".into()).await?;
            let found = watched.next().await?;
            assert_eq!(
                (found.entries, found.numeric),
                (0, Some(NumericStatistics::default()))
            );
            Ok::<_, SyncError>(())
        })
        .expect("watched");
}

/// Statistics, computed the plain way.
struct Naive {
    kinds: BTreeMap<String, u64>,
    hours: BTreeMap<(u8, u8), u64>,
    values: Vec<f64>,
    averages: Vec<f64>,
}

/// The same figures from the whole timeline as it is read, without any of the library's arithmetic.
fn naive(rows: &[EntryRow], window: usize) -> Naive {
    let (mut kinds, mut hours, mut values) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for row in rows.iter().rev() {
        let retraction = matches!(row.relation, Some(RelationRow::Retracts(_)));
        if row.status != EntryStatus::Final || retraction {
            continue;
        }
        *kinds.entry(row.kind.clone()).or_insert(0) += 1;
        // 4 May 2026 is a Monday.
        let monday_ms = BEGIN_MS - (13 * 60 + 30) * 60_000;
        let local_hours = (row.occurred_at.utc_ms + i64::from(row.occurred_at.offset_minutes) * 60_000
            - monday_ms)
            .div_euclid(3_600_000)
            .rem_euclid(24 * 7);
        *hours
            .entry((local_hours as u8 / 24 + 1, local_hours as u8 % 24))
            .or_insert(0) += 1;
        if let Some(body) = &row.body {
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            values.push(body["systolic"].as_f64().expect("a number"));
        }
    }
    let averages = (0..values.len())
        .map(|last| {
            let of: Vec<f64> = values[..=last].iter().rev().take(window).copied().collect();
            of.iter().sum::<f64>() / of.len() as f64
        })
        .collect();
    Naive {
        kinds,
        hours,
        values,
        averages,
    }
}

#[test]
fn the_figures_are_those_of_a_naive_computation_whatever_was_written() {
    let mut world = World::new(307, 1);
    let mut random = StdRng::seed_from_u64(307);
    for round in 0..12 {
        let patient = world.patient(0, &format!("Paciente {round}"));
        let entries = (0..random.random_range(0..40)).map(|_| {
            let mut entry = match random.random_bool(0.7) {
                true => pressure(0, f64::from(random.random_range(80..1_400)) / 4.0),
                false => note(0, "nota"),
            };
            entry.occurred_at = Zoned {
                utc_ms: BEGIN_MS - random.random_range(0..90 * 24 * 60) * 60_000,
                offset_minutes: random.random_range(-12..=14) * 60 + 30 * random.random_range(0..2),
            };
            entry
        });
        let entries = entries.collect();
        for id in add_all(&mut world, patient, entries) {
            let (retract, amend) = (random.random_bool(0.2), random.random_bool(0.2));
            world
                .run(0, |client| async move {
                    if amend {
                        client
                            .timeline()
                            .amend(id, Some("corrigido".into()), None)
                            .await?;
                    }
                    if retract {
                        client.timeline().retract(id, "engano".into()).await?;
                    }
                    Ok::<_, SyncError>(())
                })
                .expect("saved");
        }
        let window = random.random_range(1..9);
        let naive = naive(&world.timeline(0, patient), window);
        let (all_values, moving) = (naive.values, naive.averages);
        let found = statistics(
            &mut world,
            patient,
            EntryFilter::default(),
            value("vitals.systolic", window),
        );
        assert_eq!(found.by_kind, naive.kinds);
        let cells = found.heatmap.cells();
        assert_eq!(
            cells
                .map(|cell| ((cell.weekday, cell.hour), cell.entries))
                .collect::<BTreeMap<_, _>>(),
            naive.hours
        );
        let series = found.numeric.expect("numeric statistics").series;
        assert_eq!(series.iter().flat_map(values).collect::<Vec<_>>(), all_values);
        let found_moving: Vec<f64> = series.iter().flat_map(averages).collect();
        assert_eq!(found_moving.len(), moving.len());
        for (found, naive) in found_moving.iter().zip(&moving) {
            assert!((found - naive).abs() < 1e-9, "{found} {naive}");
        }
        for series in &series {
            let mean = all_values.iter().sum::<f64>() / all_values.len() as f64;
            assert!((series.mean.get() - mean).abs() < 1e-9);
            // The smallest value that at least 95 of 100 values do not exceed.
            let at_most = |most: f64| all_values.iter().filter(|value| **value <= most).count() * 100;
            let enough = all_values
                .iter()
                .copied()
                .filter(|value| at_most(*value) >= all_values.len() * 95);
            assert_eq!(Some(series.p95.get()), enough.reduce(f64::min));
        }
    }
}
