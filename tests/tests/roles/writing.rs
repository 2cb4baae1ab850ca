//! What each role writes: what it may is at the server, what it may not waits in the drawer or in the queue with its
//! reason, and holds up nothing else.

use crate::clinic::{Clinic, PLACES, holds};
use crate::table::{Cell, cell};
use vereda_core::client::Client;
use vereda_core::error::{Code, SyncError};
use vereda_core::id::{PatientId, UnitId};
use vereda_core::record::{Compartment, PatientRecord, ReferenceRow, Stream};
use vereda_server::{Activity, Role};
use vereda_tests::{BEGIN_MS, World, note};

/// One write of an activity, saved by the device.
async fn write(
    client: Client,
    activity: Activity,
    patient: PatientId,
    row: u8,
    other_unit: UnitId,
) -> Result<(), SyncError> {
    match activity {
        Activity::Registration => {
            let record = PatientRecord::named("Nova Paciente");
            client.patients().register(record).await.map(|_| ())
        }
        Activity::Linking => link_or_unlink(&client, patient).await,
        Activity::Import => {
            let row = ReferenceRow {
                kind: "practitioner".into(),
                // A row that is here already is not written again.
                id: uuid::Uuid::from_bytes([row; 16]),
                name: "Dra. Importada".to_owned().into(),
                details: String::new().into(),
            };
            client.imports().reference(vec![row]).await.map(|_| ())
        }
        Activity::Care => client
            .timeline()
            .add(patient, note(5, "uma nota"))
            .await
            .map(|_| ()),
        Activity::Placement => client
            .placement()
            .share(patient, other_unit, [].into(), "encaminhado".into(), None)
            .await
            .map(|_| ()),
    }
}

/// With whoever else is there; where they are linked already, it is taken back.
async fn link_or_unlink(client: &Client, patient: PatientId) -> Result<(), SyncError> {
    let patients = client.patients();
    let listed = patients.list(Default::default(), Default::default()).await?;
    let other = listed.rows.iter().find(|row| row.id != patient);
    let (other, linked) = other.map_or((PatientId(uuid::Uuid::nil()), false), |row| {
        (row.id, row.linked.contains(&patient))
    });
    let reason = "the same card".to_owned();
    match linked {
        true => patients.unlink(patient, other, reason).await,
        false => patients.link(patient, other, reason).await,
    }
    .map(|_| ())
}

fn try_write(
    world: &mut World,
    device: usize,
    activity: Activity,
    patient: PatientId,
) -> Result<(), SyncError> {
    let other: Vec<u8> = world
        .server_file()
        .query_row("select id from unit where name = 'unit-annex'", [], |row| {
            row.get(0)
        })
        .expect("another unit");
    let other = UnitId::from_slice(&other).expect("an id");
    world.run(device, |client| {
        write(client, activity, patient, device as u8, other)
    })
}

/// Writes in the logs; a copy in another unit's log is none.
fn log_length(world: &World) -> i64 {
    world
        .server_file()
        .query_row("select count(*) from log where is_copy = 0", [], |row| row.get(0))
        .expect("a count")
}

/// The role of a user becomes another one.
fn become_role(clinic: &mut Clinic, user: &str, role: Role) {
    let mut entropy = vereda_core::testing::SeededEntropy::new(77);
    clinic
        .world
        .administration()
        .put_user(&mut entropy, Some("north"), user, role, &["unit-north"])
        .expect("a user");
}

#[test]
fn what_a_role_writes_is_at_the_server_and_what_it_does_not_is_refused_before_it_is_saved() {
    let mut clinic = Clinic::new(41);
    for role in Role::ALL {
        for activity in Activity::ALL {
            let case = format!("{} × {}", role.name(), activity.name());
            let device = clinic.join(PLACES[0], &case, role, false);
            let patient = clinic.patients[0];
            let before = log_length(&clinic.world);
            let saved = try_write(&mut clinic.world, device, activity, patient);
            clinic.world.sync(device);
            let grown = log_length(&clinic.world) - before;
            if cell(role, activity.name()) == Cell::Yes {
                saved.expect(&case);
                assert_eq!(grown, 1, "{case}");
                assert!(clinic.world.outbox(device).is_empty(), "{case}");
                assert!(clinic.world.drawer(device).is_empty(), "{case}");
            } else {
                let code = saved.expect_err(&case).code;
                assert!(
                    matches!(code, Code::OutOfScope | Code::PolicyRefused),
                    "{case}: {code:?}"
                );
                assert_eq!(grown, 0, "{case}");
            }
        }
    }
}

/// What waits when a role changes was right when it was saved: the device cannot know better.
#[test]
fn what_waits_when_a_role_changes_is_refused_with_its_reason_or_held_and_blocks_nothing() {
    let mut clinic = Clinic::new(42);
    for role in Role::ALL {
        for activity in Activity::ALL {
            let case = format!("{} × {}", role.name(), activity.name());
            let device = clinic.join(PLACES[0], &case, Role::Clinician, false);
            let patient = clinic.patients[0];
            try_write(&mut clinic.world, device, activity, patient).expect(&case);
            // A lane of its own behind it, which every role but two may write.
            let other = Activity::Registration;
            try_write(&mut clinic.world, device, other, patient).expect(&case);
            let before = log_length(&clinic.world);
            become_role(&mut clinic, &case, role);
            clinic.world.sync(device);
            let written = |activity: Activity| i64::from(cell(role, activity.name()) == Cell::Yes);
            let grown = log_length(&clinic.world) - before;
            assert_eq!(grown, written(activity) + written(other), "{case}");
            let compartment = match activity {
                Activity::Care => Compartment::Clinical,
                _ => Compartment::Identity,
            };
            let refused: Vec<(String, String)> = clinic
                .world
                .drawer(device)
                .into_iter()
                .filter(|item| Activity::of(&item.write.intent) == activity)
                .map(|item| (item.code, item.detail))
                .collect();
            let parked = clinic
                .world
                .outbox(device)
                .into_iter()
                .filter_map(|item| item.reason)
                .collect::<Vec<_>>();
            if written(activity) == 1 {
                assert!(
                    refused.is_empty() && parked.is_empty(),
                    "{case}: {refused:?} {parked:?}"
                );
            } else if cell(role, compartment.name()) == Cell::Yes {
                let (code, detail) = refused.first().expect(&case);
                assert_eq!(code, "policy_refused", "{case}");
                assert!(
                    detail.starts_with(&format!("the role {} does not write", role.name())),
                    "{case}: {detail}"
                );
            } else {
                assert!(parked.is_empty(), "{case}: {parked:?}");
                let held = clinic
                    .world
                    .run(device, |client| async move { client.queue().held().await });
                assert!(!held.expect("a list").is_empty(), "{case}: the server holds it");
            }
        }
    }
}

#[test]
fn s1_an_outcome_is_not_replayed_to_who_lost_the_scope_of_its_write() {
    let mut clinic = Clinic::new(43);
    let device = clinic.join(PLACES[0], "losing", Role::Clinician, true);
    let patient = clinic.patients[0];
    let saved = clinic.world.run(device, |client| async move {
        let timeline = client.timeline();
        timeline
            .add_in(patient, Compartment::Sensitive, note(9, "sigilosa"), false)
            .await
    });
    saved.expect("saved");
    // The server has it, the device does not know.
    clinic
        .world
        .network
        .next
        .push_back(vereda_tests::Fault::AnswerLost);
    clinic.world.sync(device);
    assert_eq!(clinic.world.outbox(device).len(), 1);
    clinic
        .world
        .administration()
        .revoke_scope(
            Some("north"),
            "losing",
            "unit-north",
            Compartment::Sensitive,
            BEGIN_MS,
        )
        .expect("revoked");
    clinic.world.advance(600_000);
    clinic.world.network.heard = Some(Vec::new());
    clinic.world.sync(device);
    let heard = clinic.world.network.heard.take().expect("listening");
    assert!(!heard.is_empty());
    for (_, reply) in heard {
        assert!(!holds(&reply.body, b"sigilosa") && !holds(&reply.body, b"accepted"));
        let answer: vereda_core::protocol::SyncAnswer =
            vereda_core::protocol::decode_body(&reply.body, vereda_core::protocol::Encoding::Vereda)
                .expect("an answer");
        let accepted = answer
            .outcomes
            .iter()
            .any(|run| matches!(run.outcome, vereda_core::protocol::Outcome::Accepted { .. }));
        assert!(!accepted, "its outcome was told");
    }
    assert!(clinic.world.outbox(device).is_empty(), "the server has it");
    let held = clinic
        .world
        .run(device, |client| async move { client.queue().held().await });
    assert_eq!(held.expect("a list").len(), 1, "and its author knows");
}

#[test]
fn a_grant_ends_with_the_membership_and_is_never_given_to_a_role_without_it() {
    let mut clinic = Clinic::new(44);
    let device = clinic.join(PLACES[0], "coming and going", Role::Clinician, true);
    let has_sensitive = |clinic: &mut Clinic| {
        clinic.world.sync(device);
        let scope = clinic.world.enrolment(device).scope;
        scope
            .streams
            .iter()
            .any(|stream: &Stream| stream.compartment == Compartment::Sensitive)
    };
    assert!(has_sensitive(&mut clinic));
    // A grant sleeps while its user has a role it is never given to.
    become_role(&mut clinic, "coming and going", Role::Reception);
    assert!(!has_sensitive(&mut clinic));
    let refused = clinic.world.administration().grant_scope(
        Some("north"),
        "coming and going",
        "unit-north",
        Compartment::Sensitive,
        BEGIN_MS,
    );
    assert!(refused.is_err(), "reception reads nothing clinical");
    become_role(&mut clinic, "coming and going", Role::Clinician);
    assert!(has_sensitive(&mut clinic));
    clinic
        .world
        .administration()
        .leave_unit(Some("north"), "coming and going", "unit-north")
        .expect("left");
    become_role(&mut clinic, "coming and going", Role::Clinician);
    assert!(!has_sensitive(&mut clinic), "whoever comes back is granted anew");
    let elsewhere = clinic.world.administration().grant_scope(
        Some("north"),
        "coming and going",
        "unit-annex",
        Compartment::Sensitive,
        BEGIN_MS,
    );
    assert!(elsewhere.is_err(), "not a unit of theirs");
}
