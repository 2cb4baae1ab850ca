//! A server's store of before there were scopes and reference data.

use rusqlite::Connection;
use std::collections::BTreeSet;
use vereda_core::record::{Compartment, ReferenceKind};
use vereda_server::Role;
use vereda_tests::World;

/// The first version's schema.
const FIRST: &str = include_str!("../../../server/src/store/sqlite/001_first.sql");

fn names(connection: &Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = connection.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("names")
}

/// What the migrations after the first made is taken back, whatever it is: the file is one of the first version again.
fn as_of_the_first_version(world: &mut World) {
    world.stop_server();
    let file = world.server_file();
    let first = Connection::open_in_memory().expect("a database");
    first.execute_batch(FIRST).expect("the first schema");
    for kind in ["trigger", "index", "table"] {
        let of_kind = format!(
            "select name from sqlite_schema where type = '{kind}' and name not like 'sqlite_%' and sql is not null"
        );
        for name in names(&file, &of_kind).difference(&names(&first, &of_kind)) {
            file.execute_batch(&format!("drop {kind} {name}"))
                .expect("dropped");
        }
    }
    for table in names(&first, "select name from sqlite_schema where type = 'table'") {
        let columns = format!("select name from pragma_table_info('{table}')");
        for column in names(&file, &columns).difference(&names(&first, &columns)) {
            file.execute_batch(&format!("alter table {table} drop column {column}"))
                .expect("dropped");
        }
    }
    file.execute_batch(
        "update person set role = 'specialist' where name = 'especialista'; pragma user_version = 1;",
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
