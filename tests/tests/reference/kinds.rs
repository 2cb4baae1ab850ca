//! A tenant's own kinds: delivered, judged with what a device has, and kept whole where a side does not know them.

use vereda_core::client::SyncEnd;
use vereda_core::error::Code;
use vereda_core::id::PatientId;
use vereda_core::record::{Kind, KindDefinition, KindRegistry, NewEntry, ReferenceKind};
use vereda_core::store::tenant_reference;
use vereda_server::Role;
use vereda_tests::{World, at};

const DRESSING: &str = "x-posto.dressing";

/// A definition of a dressing: a wound's area, and in a later minor version its colour.
fn definition(version: u32, minor: u32) -> String {
    let mut properties = serde_json::json!({
        "area": { "type": "number", "minimum": 0, "maximum": 500, "x-unit": "cm2" }
    });
    if minor > 0 {
        properties["colour"] = serde_json::json!({ "type": "string" });
    }
    if version > 1 {
        properties["side"] = serde_json::json!({ "type": "string" });
    }
    let required = if version > 1 {
        vec!["area", "side"]
    } else {
        vec!["area"]
    };
    serde_json::json!({
        "kind": DRESSING,
        "version": version,
        "minor": minor,
        "titles": { "pt": "Curativo", "en": "Dressing" },
        "template": { "pt": ["área {area} cm²"], "en": ["area {area} cm²"] },
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": required
        }
    })
    .to_string()
}

fn publish(world: &mut World, version: u32, minor: u32) {
    world
        .administration()
        .put_kind(Some("north"), &definition(version, minor))
        .expect("published");
}

/// What an app built with a version of the kind brings along.
fn app(version: u32) -> KindRegistry {
    let mut kinds = KindRegistry::standard();
    let definition = KindDefinition::from_json(&definition(version, 0)).expect("a definition");
    kinds.add(definition).expect("added");
    kinds
}

fn dress(world: &mut World, device: usize, patient: PatientId, body: &str) -> Result<(), Code> {
    let entry = NewEntry::new(Kind::from(DRESSING), at(1), "curativo feito").with_body(body);
    world
        .run(device, |client| async move {
            client.timeline().add(patient, entry).await
        })
        .map(|_| ())
        .map_err(|error| error.code)
}

fn dressings(world: &mut World, device: usize, patient: PatientId) -> Vec<(String, Option<String>)> {
    world
        .timeline(device, patient)
        .into_iter()
        .filter(|row| row.kind == DRESSING)
        .map(|row| (row.text.0, row.body.map(|body| body.0)))
        .collect()
}

#[test]
fn a_tenants_kind_is_judged_on_its_devices_with_what_they_have() {
    let mut world = World::new(91, 2);
    let south = world.add_device("south", "user-south", Role::Clinician);
    let patient = world.patient(0, "Alda Reis");
    world.converge();
    assert_eq!(
        dress(&mut world, 0, patient, r#"{"area":4}"#),
        Err(Code::KindUnknown)
    );
    publish(&mut world, 1, 0);
    world.converge();
    dress(&mut world, 0, patient, r#"{"area":4}"#).expect("known");
    assert_eq!(
        dress(&mut world, 0, patient, r#"{"area":"quatro"}"#),
        Err(Code::BodyInvalid)
    );
    world.converge();
    let body = Some(r#"{"area":4}"#.to_owned());
    assert_eq!(
        dressings(&mut world, 1, patient),
        [("curativo feito".to_owned(), body)]
    );
    // A later version is judged by as soon as it is there.
    publish(&mut world, 2, 0);
    world.converge();
    assert_eq!(
        dress(&mut world, 1, patient, r#"{"area":4}"#),
        Err(Code::BodyInvalid)
    );
    dress(&mut world, 1, patient, r#"{"area":4,"side":"esquerdo"}"#).expect("the later version");
    // What was written under the earlier one stays.
    assert_eq!(dressings(&mut world, 0, patient).len(), 1);
    // And the other tenant knows nothing of it.
    let theirs = world.patient(south, "Do Sul");
    assert_eq!(
        dress(&mut world, south, theirs, r#"{"area":4}"#),
        Err(Code::KindUnknown)
    );
    let kinds = world
        .run(0, |client| async move { client.reference().kinds().await })
        .expect("they read");
    assert_eq!(kinds.rows.len(), 1);
    assert_eq!(
        (kinds.rows[0].content.version, kinds.rows[0].content.needs_update),
        (2, false)
    );
}

#[test]
fn c3_a_device_that_does_not_know_a_kind_keeps_shows_and_passes_it_on_and_edits_none() {
    let mut world = World::new(92, 2);
    let patient = world.patient(0, "Bento Dias");
    world.converge();
    // An app's own kind, which neither the tenant nor the colleague's device knows.
    world.devices[0].reopen_with(app(1)).expect("it opens");
    dress(&mut world, 0, patient, r#"{"area":7}"#).expect("the app knows it");
    world.converge();
    let shown = dressings(&mut world, 1, patient);
    let body = Some(r#"{"area":7}"#.to_owned());
    assert_eq!(shown, [("curativo feito".to_owned(), body)]);
    let entry = world.timeline(1, patient)[0].id;
    let amended = world.run(1, |client| async move {
        client
            .timeline()
            .amend(entry, Some("outro texto".into()), None)
            .await
    });
    assert_eq!(amended.expect_err("not edited").code, Code::KindUnknown);
    let draft = world
        .run(0, |client| async move {
            let kind = Kind::from(DRESSING);
            client
                .drafts()
                .open(patient, kind, Some(at(3)), "rascunho".into(), None)
                .await
        })
        .expect("the app knows it")
        .entry
        .expect("a draft");
    world.converge();
    let written = world.run(1, |client| async move {
        client.drafts().write(draft, None, "outro rascunho".into()).await
    });
    assert_eq!(written.expect_err("not edited").code, Code::KindUnknown);
    let finalized = world.run(1, |client| async move {
        client.drafts().finalize(draft, None, false).await
    });
    assert_eq!(finalized.expect_err("nor signed").code, Code::KindUnknown);
    let shown = dressings(&mut world, 1, patient);
    assert_eq!(shown.len(), 2, "and both are shown");
    // It writes beside it into the same chapter, and nothing of the entry goes.
    world.add(1, patient, 2, "uma nota ao lado");
    world.converge();
    assert_eq!(dressings(&mut world, 0, patient), shown);
    world.assert_same_rows();
    world.assert_rows_follow_from_documents(1);
    // Retracting it and moving it to the right chart are no edits.
    let right = world.patient(1, "Beto Dias");
    let moved = world.run(1, |client| async move {
        client
            .timeline()
            .move_to(entry, right, "prontuário errado".into())
            .await
    });
    moved.expect("moved");
    world.converge();
    assert_eq!(dressings(&mut world, 0, right).len(), 1);
    let copy = world.timeline(1, right)[0].id;
    let retracted = world.run(1, |client| async move {
        client.timeline().retract(copy, "engano".into()).await
    });
    retracted.expect("retracted");
    world.converge();
    world.assert_same_rows();
}

#[test]
fn c3_an_old_client_reads_on_when_the_tenant_adds_kinds_and_a_new_one_reads_what_came_before() {
    let mut world = World::new(93, 2);
    let patient = world.patient(0, "Célia Nunes");
    publish(&mut world, 1, 0);
    world.converge();
    dress(&mut world, 0, patient, r#"{"area":1}"#).expect("known");
    world.converge();
    // Device 1 is one of before there was reference data: it reads none of it.
    world.edit_store(1, |store| {
        tenant_reference::clear(store.connection()).expect("cleared");
    });
    assert_eq!(
        dress(&mut world, 1, patient, r#"{"area":2}"#),
        Err(Code::KindUnknown)
    );
    assert_eq!(dressings(&mut world, 1, patient).len(), 1);
    // A minor version adds a field: what lacks it is whole, what has it is kept by who does not know it.
    publish(&mut world, 1, 1);
    world.sync(0);
    dress(&mut world, 0, patient, r#"{"area":3,"colour":"rosa"}"#).expect("the minor version");
    world.sync(0);
    world.sync(1);
    assert_eq!(
        dressings(&mut world, 1, patient),
        dressings(&mut world, 0, patient)
    );
}

#[test]
fn a_higher_major_version_parks_what_an_older_app_writes_and_reading_goes_on() {
    let mut world = World::new(94, 2);
    let (patient, other) = (world.patient(0, "Davi Lima"), world.patient(0, "Elza Lima"));
    world.converge();
    world.devices[0].reopen_with(app(1)).expect("it opens");
    publish(&mut world, 2, 0);
    world.converge();
    // Device 1 writes under the new version; the older app shows it.
    dress(&mut world, 1, patient, r#"{"area":5,"side":"direito"}"#).expect("the new version");
    world.converge();
    assert_eq!(dressings(&mut world, 0, patient).len(), 1);
    // Its own writes are saved and shown, and wait; other patients' go out.
    dress(&mut world, 0, patient, r#"{"area":6,"side":"direito"}"#).expect("saved");
    world.add(0, other, 1, "uma nota");
    let end = world.sync(0);
    assert_eq!(
        end,
        SyncEnd::NeedsPerson {
            code: Code::AppTooOld.as_str().into()
        }
    );
    assert_eq!(dressings(&mut world, 0, patient).len(), 2);
    let waiting = world.outbox(0);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].reason.as_deref(), Some("app_too_old"));
    // A person cannot send it by force.
    let unparked = world.run(0, |client| async move { client.queue().unpark().await });
    assert_eq!(unparked.expect("it answers"), 0);
    world.sync(0);
    assert_eq!(world.outbox(0).len(), 1);
    // The update lets it go.
    world.devices[0].reopen_with(app(2)).expect("it opens");
    world.converge();
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(dressings(&mut world, 1, patient).len(), 2);
}

#[test]
fn a_kind_that_is_none_is_not_published_and_a_retired_one_is_still_shown() {
    let mut world = World::new(95, 1);
    let patient = world.patient(0, "Fábio Melo");
    publish(&mut world, 2, 0);
    let mut admin = world.administration();
    for refused in [
        "{}".to_owned(),
        definition(1, 0),
        definition(2, 0).replace(DRESSING, "note"),
        definition(2, 0).replace("\"minimum\":0", "\"minimum\":\"a\""),
    ] {
        assert!(admin.put_kind(Some("north"), &refused).is_err(), "{refused}");
    }
    drop(admin);
    world.sync(0);
    dress(&mut world, 0, patient, r#"{"area":5,"side":"direito"}"#).expect("known");
    world
        .administration()
        .retire_reference(Some("north"), ReferenceKind::Kind, DRESSING)
        .expect("retired");
    world.converge();
    assert_eq!(dressings(&mut world, 0, patient).len(), 1);
    let kinds = world
        .run(0, |client| async move { client.reference().kinds().await })
        .expect("they read");
    assert!(kinds.rows[0].retired);
}

#[test]
fn the_definition_of_the_guide_is_one() {
    const GUIDE: &str = include_str!("../../../docs/guide/kinds.md");
    let definition = GUIDE
        .split("```json")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let definition = definition.expect("a definition");
    let mut world = World::new(96, 1);
    let kind = world
        .administration()
        .put_kind(Some("north"), definition)
        .expect("published");
    assert_eq!(kind, DRESSING);
    let patient = world.patient(0, "Gil Prado");
    world.converge();
    dress(&mut world, 0, patient, r#"{"area":12.5,"site":"calcâneo"}"#).expect("judged by it");
    let known = KindDefinition::from_json(definition).expect("a definition");
    let text = known.text_of(
        r#"{"area":12.5,"site":"calcâneo"}"#,
        vereda_core::error::Language::Portuguese,
    );
    assert_eq!(text.as_deref(), Some("área 12,5 cm²; calcâneo"));
}
