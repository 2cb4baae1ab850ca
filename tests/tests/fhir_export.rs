//! What was exported as FHIR and imported into an empty store is the same timeline and chart.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vereda_core::client::{ExportFormat, PageRequest, PatientFilter};
use vereda_core::error::SyncError;
use vereda_core::id::PatientId;
use vereda_core::record::{ChartKind, Contact, Identifier, Kind, NewEntry, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::EntryStatus;
use vereda_fhir::export::{bundle, gather, resources, signatures};
use vereda_fhir::{ClientTarget, Import, ImportReport, Origins, Source, sources};
use vereda_tests::{World, at};

fn import(world: &mut World, files: Vec<Source>) -> ImportReport {
    let report = world.run(0, |client| async move {
        let import = Import::of(files, Origins::unique());
        import.run(&mut ClientTarget::new(&client, |_| ())).await
    });
    let report = report.expect("the store takes all");
    assert!(report.is_complete(), "{report:?}");
    report
}

fn patients(world: &mut World) -> Vec<PatientId> {
    let page = world.run(0, |client| async move {
        let request = PageRequest {
            limit: Some(500),
            after: None,
        };
        client.patients().list(PatientFilter::default(), request).await
    });
    let mut patients: Vec<PatientId> = page.expect("a list").rows.into_iter().map(|row| row.id).collect();
    patients.sort();
    patients
}

/// The resources of every person, once.
fn exported(world: &mut World) -> Vec<Value> {
    let mut known: Vec<PatientId> = Vec::new();
    let mut all = Vec::new();
    for patient in patients(world) {
        if known.contains(&patient) {
            continue;
        }
        let person = world.run(0, |client| async move {
            let view = client.open_patient(patient, "test").await?;
            view.export(ExportFormat::Fhir, "test".to_owned()).await?;
            Ok::<_, SyncError>((gather(&view).await?, signatures(&client).await?))
        });
        let (records, signatures) = person.expect("a person");
        known.extend(records.iter().map(|record| record.patient.id));
        all.extend(resources(&records, &signatures));
    }
    all
}

fn as_files(resources: Vec<Value>) -> Vec<Source> {
    vec![Source::Bytes(
        "export.json".into(),
        bundle(resources).to_string().into_bytes(),
    )]
}

fn without(mut value: Value, fields: &[&str]) -> Value {
    match &mut value {
        Value::Object(inner) => {
            inner.retain(|field, _| !fields.contains(&field.as_str()));
            inner
                .values_mut()
                .for_each(|value| *value = without(value.take(), fields));
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| *value = without(value.take(), fields)),
        _ => {}
    }
    value
}

/// Who signs in a store, where, when and by which write is its own: an import is signed by whoever imports.
const OF_THE_STORE: [&str; 5] = ["author", "unit", "recorded_at", "write", "version"];

/// Records, timelines and charts, with everything a screen shows of them.
fn everything(world: &mut World) -> Vec<Value> {
    let mut all = Vec::new();
    for patient in patients(world) {
        let timeline = serde_json::to_value(world.timeline(0, patient)).expect("JSON");
        let (chart, record) = world
            .run(0, |client| async move {
                let view = client.open_patient(patient, "test").await?;
                Ok::<_, SyncError>((view.chart().await?, view.record().await?))
            })
            .expect("a chart");
        all.push(without(timeline, &OF_THE_STORE));
        all.push(without(serde_json::to_value(chart).expect("JSON"), &OF_THE_STORE));
        all.push(serde_json::to_value(record.record).expect("JSON"));
    }
    all
}

fn assert_same(left: &[Value], right: &[Value]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        let (Value::Array(left), Value::Array(right)) = (left, right) else {
            assert_eq!(left, right);
            continue;
        };
        for (left, right) in left.iter().zip(right) {
            assert_eq!(left, right);
        }
        assert_eq!(left.len(), right.len());
    }
}

fn round_trips(files: Vec<Source>, entries: u64) -> Vec<Value> {
    let mut world = World::new(801, 1);
    world.network.cut = true;
    assert_eq!(import(&mut world, files.clone()).entries.added, entries);
    let before = everything(&mut world);
    let resources = exported(&mut world);
    let mut empty = World::new(802, 1);
    let report = import(&mut empty, as_files(resources.clone()));
    assert_eq!(report.problems, []);
    assert_eq!(report.entries.added, entries);
    assert_same(&before, &everything(&mut empty));
    // The store knows the resources again, in either form.
    let again = import(&mut empty, as_files(resources.clone()));
    assert_eq!(
        (
            again.entries.unchanged,
            again.entries.added,
            again.entries.changed
        ),
        (entries, 0, 0)
    );
    let source = import(&mut empty, files);
    assert_eq!(
        (
            source.entries.unchanged,
            source.entries.added,
            source.entries.changed
        ),
        (entries, 0, 0)
    );
    assert_eq!((source.patients.added, source.patients.changed), (0, 0));
    assert_eq!(exported(&mut empty).len(), resources.len());
    resources
}

/// Without the extensions another program reads: the same entries, but for what FHIR has no field for.
fn says_the_same_in_plain_fhir(resources: Vec<Value>, files: Vec<Source>) {
    const NOT_IN_FHIR: [&str; 1] = ["origin_digest"];
    let mut world = World::new(803, 1);
    world.network.cut = true;
    import(&mut world, files);
    let before = everything(&mut world);
    let plain: Vec<Value> = resources
        .into_iter()
        .map(|resource| without(resource, &["extension", "meta"]))
        .collect();
    let mut other = World::new(804, 1);
    let report = import(&mut other, as_files(plain));
    assert_eq!(report.problems, []);
    let after = everything(&mut other);
    let mut differing: BTreeMap<String, u64> = BTreeMap::new();
    for (left, right) in before.iter().zip(&after) {
        let (left, right) = (
            without(left.clone(), &NOT_IN_FHIR),
            without(right.clone(), &NOT_IN_FHIR),
        );
        let (Value::Array(left), Value::Array(right)) = (left, right) else {
            continue;
        };
        assert_eq!(left.len(), right.len());
        for (left, right) in left.iter().zip(&right) {
            for (field, value) in left.as_object().expect("a row") {
                if *value != right[field] {
                    let resource = left["origin"].as_str().unwrap_or("chart").split('/').next();
                    *differing
                        .entry(format!("{}.{field}", resource.unwrap_or_default()))
                        .or_default() += 1;
                }
            }
        }
    }
    // The titles of an imaging study's instances are in its text alone; R4 gives a goal no encounter.
    differing.retain(|field, _| !["ImagingStudy.text", "Goal.body"].contains(&field.as_str()));
    assert_eq!(differing, BTreeMap::new());
}

#[test]
fn generated_patients_exported_and_imported_into_an_empty_store_are_the_same() {
    let bundles = vereda_data::fhir_bundles(5, 6).enumerate();
    let files: Vec<Source> = bundles
        .map(|(number, bundle)| Source::Bytes(format!("{number}.json"), bundle.into_bytes()))
        .collect();
    let expected: usize = Import::of(files.clone(), Origins::unique())
        .plans()
        .map(|plan| plan.entries())
        .sum();
    let resources = round_trips(files.clone(), expected as u64);
    says_the_same_in_plain_fhir(resources, files);
}

#[test]
fn the_thirty_synthea_patients_exported_and_imported_into_an_empty_store_are_the_same() {
    use std::io::Write;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let archive: Option<PathBuf> = ["../shared", "../../shared"]
        .iter()
        .map(|shared| root.join(shared).join("data/synthea-r4-30.tar.xz"))
        .find(|path| path.exists());
    let Some(archive) = archive else {
        // Past the test harness, which shows nothing of what passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: ../shared/data/synthea-r4-30.tar.xz is not there"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tar = std::process::Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(folder.path())
        .status();
    assert!(
        tar.expect("tar runs").success(),
        "tar (with xz) unpacks the archive"
    );
    let files = sources(&[folder.path().to_owned()]).expect("a folder");
    let resources = round_trips(files.clone(), 4_263);
    says_the_same_in_plain_fhir(resources, files);
}

#[test]
fn s1_what_only_some_may_read_is_imported_into_no_other_compartment() {
    let mut world = World::new(812, 1);
    let patient = world.patient(0, "Maria");
    world.add(0, patient, 1, "clinical");
    world.add(0, patient, 2, "sensitive");
    let resources = exported(&mut world).into_iter().map(|resource| {
        let text = resource.to_string();
        let is_it = text.contains("\"valueString\":\"sensitive\"");
        let text = if is_it {
            text.replace("\"valueCode\":\"clinical\"", "\"valueCode\":\"sensitive\"")
        } else {
            text
        };
        serde_json::from_str(&text).expect("JSON")
    });
    let files = as_files(resources.collect());
    let mut empty = World::new(813, 1);
    let report = import(&mut empty, files);
    assert_eq!((report.entries.added, report.problems.len()), (1, 1));
    assert_eq!(report.problems[0].code, vereda_core::error::Code::OutOfScope);
    let patient = patients(&mut empty)[0];
    assert_eq!(empty.texts(0, patient), ["clinical"]);
}

#[test]
fn what_was_written_here_loses_no_field() {
    let mut world = World::new(810, 1);
    let one = world
        .run(0, |client| async move {
            let record = PatientRecord {
                birth_date: Some(Sensitive("1970-05".into())),
                gender: Some(Sensitive("female".into())),
                identifiers: vec![Identifier::parse("cpf", "529.982.247-25")?],
                contacts: vec![
                    Contact {
                        system: "radio".into(),
                        value: Sensitive("canal 7".into()),
                    },
                    Contact {
                        system: "address".into(),
                        value: Sensitive("Rua A, 1".into()),
                    },
                ],
                deceased: Some(Sensitive("true".into())),
                ..PatientRecord::named("Maria da Silva")
            };
            client.patients().register(record).await
        })
        .expect("registered")
        .patient;
    let other = world.patient(0, "Maria Silva");
    let kinds = vereda_core::record::KindRegistry::standard();
    let mut entries = 0;
    for definition in kinds.kinds() {
        let kind = definition.kind().as_str().to_owned();
        world
            .run(0, |client| async move {
                let text = format!("  {kind}: linha um\n\nlinha dois, \"aspas\"  ");
                let entry = NewEntry::new(Kind(kind), at(1), text);
                client.timeline().add(one, entry).await
            })
            .expect("an entry");
        entries += 1;
    }
    let vitals = NewEntry::new(Kind("vitals".into()), at(2), "PA 12 por 8")
        .with_body("{\"systolic\":120,\"diastolic\":80}");
    world
        .run(
            0,
            |client| async move { client.timeline().add(one, vitals).await },
        )
        .expect("vitals");
    let amended = world.add(0, one, 3, "amended");
    let retracted = world.add(0, one, 4, "retracted");
    let moved = world.add(0, one, 5, "moved");
    let fields = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Sensitive((*value).to_owned())))
            .collect::<BTreeMap<_, _>>()
    };
    for kind in ChartKind::KNOWN {
        let fields = fields(&[
            ("display", kind),
            ("status", if kind == "task" { "ready" } else { "active" }),
            ("note", "n"),
        ]);
        world
            .run(0, |client| async move {
                client
                    .chart()
                    .set(one, None, ChartKind(kind.into()), fields)
                    .await
            })
            .expect("a chart item");
    }
    world
        .run(0, |client| async move {
            client
                .timeline()
                .amend(amended, Some("what it should say".into()), None)
                .await?;
            client
                .timeline()
                .retract(retracted, "another patient's".into())
                .await?;
            client
                .timeline()
                .move_to(moved, other, "wrong chart".into())
                .await?;
            client.patients().link(one, other, "one person".into()).await
        })
        .expect("written");
    world.add(0, other, 6, "of the other");
    entries += 1 + 3 + 2 + 2 + 1;

    let resources = exported(&mut world);
    let same = import(&mut world, as_files(resources.clone()));
    assert_eq!(
        (same.patients.added, same.entries.added, same.chart.added),
        (0, 0, 0),
        "it is all here"
    );
    assert_eq!(
        (
            same.patients.unchanged,
            same.entries.unchanged,
            same.chart.unchanged
        ),
        (2, entries, 5)
    );
    let mut empty = World::new(811, 1);
    let report = import(&mut empty, as_files(resources));
    assert_eq!(report.problems, []);
    assert_eq!(
        (report.entries.added, report.chart.added, report.links),
        (entries, 5, 1)
    );
    // An id that derives from no source becomes one that derives from its resource; everything else is the same.
    let ids = [
        "id",
        "patient",
        "relation",
        "origin",
        "origin_digest",
        "performer",
    ];
    let seen = |world: &mut World, patient: PatientId| -> Vec<Value> {
        let rows = world.timeline(0, patient);
        let mut rows: Vec<Value> = rows
            .into_iter()
            .map(|row| {
                without(
                    serde_json::to_value(row).expect("JSON"),
                    &[&OF_THE_STORE[..], &ids].concat(),
                )
            })
            .collect();
        rows.sort_by_key(Value::to_string);
        rows
    };
    let there = patients(&mut empty);
    assert_eq!(there.len(), 2);
    let (before, after) = (seen(&mut world, one), seen(&mut empty, there[0]));
    assert_eq!(before, after);
    assert_eq!(
        seen(&mut empty, there[0]),
        seen(&mut empty, there[1]),
        "they are linked"
    );
    let chart = |world: &mut World, patient: PatientId| {
        let chart = world.run(0, |client| async move {
            client.open_patient(patient, "test").await?.chart().await
        });
        let mut chart: Vec<_> = chart
            .expect("a chart")
            .into_iter()
            .map(|row| (row.kind, row.fields))
            .collect();
        chart.sort();
        chart
    };
    assert_eq!(chart(&mut world, one), chart(&mut empty, there[0]));
    let record = |world: &mut World, name: &str| {
        let named = Some(Sensitive(name.to_owned()));
        let id = world.run(0, |client| async move {
            let filter = PatientFilter { words: named };
            client.patients().list(filter, PageRequest::default()).await
        });
        let id = id.expect("a list").rows[0].id;
        let row = world.run(0, |client| async move {
            client.open_patient(id, "test").await?.record().await
        });
        PatientRecord {
            origin: None,
            ..row.expect("a record").record
        }
    };
    assert_eq!(
        record(&mut world, "Maria da Silva"),
        record(&mut empty, "Maria da Silva")
    );
    // What says something of another entry says it of the same one.
    let rows = empty.timeline(0, there[0]);
    let by_text = |text: &str| rows.iter().find(|row| row.text.0 == text).expect("an entry");
    assert_eq!(by_text("amended").status, EntryStatus::Amended);
    assert_eq!(by_text("retracted").status, EntryStatus::EnteredInError);
    assert!(
        rows.iter()
            .all(|row| row.performer.as_ref().is_some_and(|name| name.0 == "user-0"))
    );
    // And once more, from there: nothing is new.
    let again = exported(&mut empty);
    let report = import(&mut empty, as_files(again));
    assert_eq!(
        (
            report.entries.unchanged,
            report.entries.added,
            report.entries.changed
        ),
        (entries, 0, 0)
    );
    assert_eq!(
        (report.chart.added, report.chart.changed, report.links),
        (0, 0, 0)
    );
}
