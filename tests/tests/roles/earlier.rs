//! A server's store of before there were scopes and reference data.

use vereda_core::record::{Compartment, ReferenceKind};
use vereda_server::Role;
use vereda_tests::World;

/// What the migrations after the first made is taken back: the file is one of the first version again.
fn as_of_the_first_version(world: &mut World) {
    world.stop_server();
    world
        .server_file()
        .execute_batch(
            "drop table share; drop table identifier; drop table quarantine; drop table past_membership;
             drop index document_by_stream; drop index log_by_patient; drop index log_by_other;
             alter table log drop column is_copy;
             alter table log drop column other;
             drop table scope_grant;
             drop table reference;
             alter table tenant drop column reference_version;
             alter table person drop column speciality;
             update person set role = 'specialist' where name = 'especialista';
             pragma user_version = 1;",
        )
        .expect("the first version's file");
}

#[test]
fn d7_a_specialist_of_an_earlier_store_is_a_clinician_with_a_grant_and_its_units_are_reference_data() {
    let mut world = World::new(71, 0);
    let device = world.add_device("north", "especialista", Role::Clinician);
    let other = world.add_device("south", "clinica", Role::Clinician);
    world.converge();
    as_of_the_first_version(&mut world);
    world.start_server();
    world.sync(device);
    world.sync(other);
    let reads = |world: &World, device: usize| -> Vec<Compartment> {
        let streams = world.enrolment(device).scope.streams;
        streams.iter().map(|stream| stream.compartment).collect()
    };
    let (identity, clinical) = (Compartment::Identity, Compartment::Clinical);
    assert_eq!(
        reads(&world, device),
        [identity, clinical, Compartment::Sensitive]
    );
    assert_eq!(reads(&world, other), [identity, clinical]);
    let grants = world.administration().scopes(Some("north")).expect("grants");
    assert_eq!(grants.len(), 1);
    assert_eq!(
        (grants[0].user.as_str(), grants[0].unit.as_str()),
        ("especialista", "unit-north")
    );
    let unit = world.enrolment(device).scope.units[0].id.to_string();
    let rows = world
        .administration()
        .references(Some("north"), ReferenceKind::Unit)
        .expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].id.clone(), rows[0].content.0.as_str()),
        (unit, r#"{"name":"unit-north"}"#)
    );
    let units = world
        .run(device, |client| async move { client.reference().units().await })
        .expect("units");
    assert_eq!(units.rows.len(), 1);
}
