//! Rows come by version beside the scope, say how fresh they are, and cost an idle round nothing.

use vereda_core::client::{Client, Freshness, ReferenceList};
use vereda_core::error::SyncError;
use vereda_core::limits::REFERENCE_FRESH_MS;
use vereda_core::protocol::{Encoding, SyncAnswer, SyncRequest, decode_body, encode};
use vereda_core::record::{Council, Professional, ReferenceKind, Speciality};
use vereda_core::testing::SeededEntropy;
use vereda_server::Role;
use vereda_tests::World;

fn add_speciality(world: &mut World, tenant: &str, code: &str, pt: &str) {
    let row = Speciality {
        pt: pt.into(),
        en: format!("{pt} (en)"),
    };
    world
        .administration()
        .put_speciality(Some(tenant), code, &row)
        .expect("added");
}

fn add_professional(world: &mut World, tenant: &str, name: &str, speciality: Option<&str>) -> String {
    let professional = Professional {
        name: name.to_owned().into(),
        speciality: speciality.map(str::to_owned),
        units: Vec::new(),
        council: Some(Council {
            kind: "CRM-AM".into(),
            number: "1234".into(),
        }),
    };
    let mut entropy = SeededEntropy::new(name.len() as u64 + 500);
    let unit = format!("unit-{tenant}");
    world
        .administration()
        .add_professional(&mut entropy, Some(tenant), professional, &[&unit])
        .expect("added")
}

fn professionals(world: &mut World, device: usize) -> ReferenceList<Professional> {
    world
        .run(device, |client| async move {
            client.reference().professionals().await
        })
        .expect("they read")
}

fn specialities(world: &mut World, device: usize) -> ReferenceList<Speciality> {
    world
        .run(
            device,
            |client| async move { client.reference().specialities().await },
        )
        .expect("they read")
}

/// The requests and answers of one round.
fn heard_round(world: &mut World, device: usize) -> Vec<(SyncRequest, SyncAnswer)> {
    world.network.heard = Some(Vec::new());
    world.sync(device);
    let heard = world.network.heard.take().expect("listening");
    heard
        .iter()
        .map(|(request, reply)| {
            (
                decode_body(&request.body, Encoding::Vereda).expect("a request"),
                decode_body(&reply.body, Encoding::Vereda).expect("an answer"),
            )
        })
        .collect()
}

#[test]
fn s1_what_a_tenant_keeps_is_on_its_devices_and_not_a_byte_of_it_on_anothers() {
    let mut world = World::new(81, 1);
    let south = world.add_device("south", "user-south", Role::Clinician);
    add_speciality(&mut world, "north", "225142", "Médico PLANTADO-NORTE");
    let id = add_professional(&mut world, "north", "Dra. PLANTADA-NORTE", Some("225142"));
    add_professional(&mut world, "south", "Dr. Sul", None);
    world.sync(0);
    let there = professionals(&mut world, 0);
    assert_eq!(there.freshness, Freshness::Fresh);
    let [row] = there.rows.as_slice() else {
        panic!("one professional: {there:?}");
    };
    assert_eq!((row.id.as_str(), row.retired), (id.as_str(), false));
    assert_eq!(row.content.speciality.as_deref(), Some("225142"));
    assert_eq!(row.content.units, [world.enrolment(0).scope.units[0].id]);
    assert_eq!(
        specialities(&mut world, 0).rows[0].content.pt,
        "Médico PLANTADO-NORTE"
    );
    let units = world
        .run(0, |client| async move { client.reference().units().await })
        .expect("they read");
    assert_eq!(units.rows[0].content.name, "unit-north");
    assert_eq!(units.rows.len(), 1, "the south's unit is the south's");
    let heard = heard_round(&mut world, south);
    assert!(heard.iter().any(|(_, answer)| answer.reference.is_some()));
    for (_, answer) in heard {
        let bytes = encode(&answer);
        assert!(
            !bytes
                .windows(8)
                .any(|window| window == b"PLANTADA" || window == b"PLANTADO")
        );
    }
    assert_eq!(professionals(&mut world, south).rows[0].content.name.0, "Dr. Sul");
}

#[test]
fn a_change_is_one_page_and_an_idle_round_names_no_reference_data() {
    let mut world = World::new(82, 1);
    world.converge();
    for (request, answer) in heard_round(&mut world, 0) {
        assert_eq!((request.reference, answer.reference), (None, None));
    }
    add_speciality(&mut world, "north", "1", "Uma");
    add_speciality(&mut world, "north", "2", "Outra");
    let heard = heard_round(&mut world, 0);
    assert_eq!(
        heard.len(),
        2,
        "the scope tells of it, and what changed is asked for at once"
    );
    assert_eq!(heard[0].0.reference, None);
    assert!(heard[1].0.reference.is_some_and(|version| version > 0));
    let page = heard[1].1.reference.as_ref().expect("a page");
    assert_eq!(page.rows.len(), 2, "only what changed");
    for (request, answer) in heard_round(&mut world, 0) {
        assert_eq!((request.reference, answer.reference), (None, None));
    }
    // A row that changes or is retired comes again, alone, and takes the place of the one before.
    add_speciality(&mut world, "north", "1", "Uma, com outro título");
    world
        .administration()
        .retire_reference(Some("north"), ReferenceKind::Speciality, "2")
        .expect("retired");
    world.sync(0);
    let rows = specialities(&mut world, 0).rows;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.content.pt.as_str(), row.retired))
        .collect();
    assert_eq!(shown, [("Uma, com outro título", false), ("Outra", true)]);
}

#[test]
fn what_is_fresh_becomes_stale_without_contact_and_fresh_again_with_it() {
    let mut world = World::new(83, 1);
    add_speciality(&mut world, "north", "1", "Uma");
    world.sync(0);
    let confirmed_ms = world.server_clock_ms();
    let list = specialities(&mut world, 0);
    assert_eq!(list.freshness, Freshness::Fresh);
    assert_eq!(list.rows[0].expires_ms, confirmed_ms + REFERENCE_FRESH_MS);
    world.advance(REFERENCE_FRESH_MS as u64);
    let list = specialities(&mut world, 0);
    assert_eq!(list.freshness, Freshness::StaleSince(confirmed_ms));
    assert_eq!(list.rows[0].content.pt, "Uma", "and it is shown all the same");
    world.sync(0);
    let list = specialities(&mut world, 0);
    assert_eq!(list.freshness, Freshness::Fresh);
    assert_eq!(
        list.rows[0].fetched_ms, confirmed_ms,
        "the row itself came before"
    );
    assert!(list.rows[0].expires_ms > world.server_clock_ms());
}

#[test]
fn more_rows_than_one_page_come_whole_in_one_synchronisation() {
    let mut world = World::new(84, 1);
    for number in 0..1_100 {
        add_speciality(&mut world, "north", &format!("{number:04}"), "Uma");
    }
    let heard = heard_round(&mut world, 0);
    assert!(heard.len() <= 5, "{} exchanges", heard.len());
    assert_eq!(specialities(&mut world, 0).rows.len(), 1_100);
}

#[test]
fn rows_of_another_history_take_the_place_of_all() {
    let mut world = World::new(85, 1);
    let patient = world.patient(0, "Rita Lopes");
    world.converge();
    world.stop_server();
    let copy = world.folder.path().join("server-copy.db");
    std::fs::copy(world.server_path(), &copy).expect("a copy");
    world.start_server();
    add_speciality(&mut world, "north", "1", "Antes");
    world.add(0, patient, 1, "depois da cópia");
    world.converge();
    assert_eq!(specialities(&mut world, 0).rows[0].content.pt, "Antes");
    world.stop_server();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", world.server_path().display()));
    }
    std::fs::copy(&copy, world.server_path()).expect("restored");
    world.start_server();
    // The same version, another row.
    add_speciality(&mut world, "north", "2", "Depois");
    world.converge();
    let rows = specialities(&mut world, 0).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].content.pt, "Depois");
}

#[test]
fn a_watched_list_shows_a_row_when_it_comes() {
    let mut world = World::new(86, 1);
    world.sync(0);
    add_speciality(&mut world, "north", "1", "Uma");
    let seen = world.run(0, |client: Client| async move {
        let mut watched = client.reference().watch_specialities();
        let before = watched.next().await?.rows.len();
        client.sync_once(60_000).await?;
        let after = watched.next().await?.rows.len();
        Ok::<_, SyncError>((before, after))
    });
    assert_eq!(seen.expect("it reads"), (0, 1));
}

#[test]
fn a_users_speciality_is_shown_to_colleagues() {
    let mut world = World::new(87, 2);
    add_speciality(&mut world, "north", "225142", "Médica de família");
    let mut admin = world.administration();
    admin
        .set_speciality(Some("north"), "user-0", "225142")
        .expect("set");
    let unknown = admin.set_speciality(Some("north"), "user-0", "nenhuma");
    assert!(unknown.is_err());
    drop(admin);
    world.sync(1);
    let (user, scope) = (world.enrolment(0).user, world.enrolment(1).scope);
    let person = scope
        .people
        .iter()
        .find(|person| person.id == user)
        .expect("a colleague");
    assert_eq!(person.speciality.as_deref(), Some("225142"));
}
