//! What is said of copies, and that looking at one leaves it as it is.

use vereda_core::engine::HttpRequest;
use vereda_server::backup::{BackupError, COPY_NAME};
use vereda_server::verify::verify_copy;
use vereda_tests::{World, open_file};

fn readiness(world: &mut World) -> String {
    let reply = world.ask_server(&HttpRequest {
        server: "http://localhost".into(),
        authority: None,
        method: "GET",
        path: "/health/ready",
        bearer: None,
        content_type: "application/json",
        body: Vec::new(),
    });
    String::from_utf8(reply.body).expect("text")
}

#[test]
fn readiness_tells_a_copy_that_failed_from_one_that_was_never_made() {
    let mut world = World::new(395, 0);
    assert!(readiness(&mut world).contains("\"backup\":\"no_backup\""));
    world.note_backup(true);
    assert!(readiness(&mut world).contains("\"backup\":\"verified\""));
    world.note_backup(false);
    assert!(readiness(&mut world).contains("\"backup\":\"last_copy_failed\""));
}

#[test]
fn a_copy_of_an_earlier_version_is_checked_and_stays_byte_for_byte_as_it_is() {
    let mut world = World::new(396, 1);
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "a note");
    world.converge();
    let copy = world.back_up_server();
    let earlier = open_file(&copy, &world.server_key());
    let version: i64 = earlier
        .query_row("pragma user_version", [], |row| row.get(0))
        .expect("a version");
    earlier
        .execute_batch(&format!(
            "pragma journal_mode = delete; drop table entered; drop table moved; pragma user_version = {}",
            version - 1
        ))
        .expect("a store of before");
    drop(earlier);
    let before = std::fs::read(&copy).expect("the copy");
    let report = verify_copy(&copy, &world.server_keys()).expect("it opens");
    assert!(report.is_whole(), "{:?}", report.faults);
    assert!(
        std::fs::read(&copy).expect("the copy") == before,
        "it was written to"
    );
    let folder = std::fs::read_dir(copy.parent().expect("a folder")).expect("a folder");
    let beside = folder.filter_map(Result::ok).map(|file| file.file_name());
    let beside: Vec<_> = beside.collect();
    assert_eq!(
        beside,
        [copy.file_name().expect("a name")],
        "and nothing lies beside it"
    );
}

#[test]
fn what_would_not_be_put_back_is_no_copy_and_nobody_forgets_by_it() {
    let mut world = World::new(397, 1);
    let patient = world.patient(0, "Bia Souza");
    world.add(0, patient, 1, "a note");
    world.converge();
    let good = world.back_up_server();
    let good = std::fs::read(good).expect("the copy");
    world.add(0, patient, 2, "another note");
    world.converge();
    let marks = |world: &World| -> Vec<i64> {
        let file = world.server_file();
        let mut found = file.prepare("select durable from stream_head").expect("it reads");
        let rows = found.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a mark")).collect()
    };
    let before = marks(&world);
    // SQLite sees nothing wrong in it.
    let lost = world
        .server_file()
        .execute("delete from outcome where n = (select max(n) from outcome)", [])
        .expect("an outcome goes");
    assert_eq!(lost, 1);
    let folder = world.server_path().with_file_name("copies");
    let refused = vereda_server::backup::run(&world.server_path(), &world.server_keys(), &folder);
    assert!(
        matches!(&refused, Err(BackupError::NotWhole(report)) if !report.is_whole()),
        "{refused:?}"
    );
    assert_eq!(marks(&world), before);
    assert!(
        std::fs::read(folder.join(COPY_NAME)).expect("the copy") == good,
        "the one before it stays"
    );
}
