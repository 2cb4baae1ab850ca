//! Watched queries: the page at once, then a new one after the commits that touch it, many in a row as one.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use vereda_core::client::{PageRequest, PatientFilter, Watched};
use vereda_core::error::SyncError;
use vereda_core::record::PatientRecord;
use vereda_core::store::entries::{EntryFilter, EntryStatus};
use vereda_tests::{World, note};

/// Whether the next page is not there yet.
async fn waits<T>(watched: &mut Watched<T>) -> bool {
    let mut next = pin!(watched.next());
    poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending())).await
}

#[test]
fn a_watched_timeline_gives_the_page_at_once_and_then_after_each_commit() {
    let mut world = World::new(91, 1);
    let (patient, other) = (world.patient(0, "Mirna Sá"), world.patient(0, "Noé Lins"));
    world.add(0, patient, 1, "a primeira");
    world
        .run(0, |client| async move {
            let view = client.open_patient(patient, "consulta").await?;
            let mut watched = view.watch_timeline(EntryFilter::default(), PageRequest::default());
            assert_eq!(watched.next().await?.rows.len(), 1, "at once");
            client.timeline().add(patient, note(2, "a segunda")).await?;
            assert_eq!(watched.next().await?.rows.len(), 2);
            // Many commits in a row become one page.
            for index in 3..13 {
                client.timeline().add(patient, note(index, "mais")).await?;
            }
            assert_eq!(watched.next().await?.rows.len(), 12);
            assert!(waits(&mut watched).await, "one page for ten commits");
            // Another patient's commits wake nobody here.
            client.timeline().add(other, note(1, "de outro")).await?;
            assert!(waits(&mut watched).await);
            client.timeline().add(patient, note(14, "a última")).await?;
            assert_eq!(watched.next().await?.rows.len(), 13);
            Ok::<_, SyncError>(())
        })
        .expect("watched");
}

#[test]
fn what_a_colleague_wrote_wakes_the_screen() {
    let mut world = World::new(92, 2);
    let patient = world.patient(0, "Olívia Reis");
    world.converge();
    world.add(0, patient, 1, "de um colega");
    world.sync(0);
    world
        .run(1, |client| async move {
            let view = client.open_patient(patient, "consulta").await?;
            let mut watched = view.watch_timeline(EntryFilter::default(), PageRequest::default());
            let mut chart = view.watch_chart();
            assert_eq!(watched.next().await?.rows.len(), 0);
            assert_eq!(chart.next().await?.len(), 0);
            client.sync_once(60_000).await?;
            assert_eq!(watched.next().await?.rows.len(), 1);
            Ok::<_, SyncError>(())
        })
        .expect("watched");
}

#[test]
fn the_watched_list_of_patients_and_the_status_follow() {
    let mut world = World::new(93, 1);
    world
        .run(0, |client| async move {
            let mut list = client
                .patients()
                .watch_list(PatientFilter::default(), PageRequest::default());
            let mut status = client.watch_status();
            assert_eq!(list.next().await?.rows.len(), 0);
            assert_eq!(status.next().await?.pending, 0);
            client
                .patients()
                .register(PatientRecord::named("Pedro Gil"))
                .await?;
            assert_eq!(list.next().await?.rows.len(), 1);
            assert_eq!(status.next().await?.pending, 1);
            client.sync_once(60_000).await?;
            assert_eq!(status.next().await?.pending, 0);
            Ok::<_, SyncError>(())
        })
        .expect("watched");
}

#[test]
fn every_list_and_detail_has_a_watched_twin_that_follows() {
    let mut world = World::new(95, 1);
    let patient = world.patient(0, "Rosa Alves Melo");
    world
        .run(0, |client| async move {
            let twin = PatientRecord::named("Rosa Alves Melo");
            let mut outbox = client.queue().watch_outbox();
            let mut audit = client.audit().watch_list(0, 100);
            let mut duplicates = client.patients().watch_duplicates(twin.clone(), None);
            let mut undecided = client.conflicts().watch_undecided();
            assert_eq!(outbox.next().await?.len(), 1);
            let records = audit.next().await?.len();
            assert_eq!(duplicates.next().await?.len(), 1);
            assert_eq!(undecided.next().await?.len(), 0);

            client.patients().register(twin).await?;
            assert_eq!(outbox.next().await?.len(), 2);
            assert_eq!(duplicates.next().await?.len(), 2);
            // Three lists were shown and one write was saved.
            assert_eq!(audit.next().await?.len(), records + 4);
            assert!(
                waits(&mut audit).await,
                "reading the audit is no access to a patient"
            );

            let saved = client.timeline().add(patient, note(1, "Alta.")).await?;
            let view = client.open_patient(patient, "consulta").await?;
            let entry = saved.entry.expect("an entry");
            let mut detail = view.watch_entry(entry);
            assert_eq!(detail.next().await?.entry.status, EntryStatus::Final);
            client.timeline().retract(entry, "outro paciente".into()).await?;
            assert_eq!(detail.next().await?.entry.status, EntryStatus::EnteredInError);
            assert_eq!(undecided.next().await?.len(), 0);
            Ok::<_, SyncError>(())
        })
        .expect("watched");
}

#[test]
fn a_watcher_of_a_closed_store_is_told() {
    let mut world = World::new(94, 1);
    let patient = world.patient(0, "Quim Sales");
    let code = world.run(0, |client| async move {
        let view = client.open_patient(patient, "consulta").await?;
        let mut watched = view.watch_record();
        watched.next().await?;
        client.close();
        let refused = client.timeline().add(patient, note(1, "tarde demais")).await;
        Ok::<_, SyncError>(refused.expect_err("closed").code.as_str())
    });
    assert_eq!(code, Ok("closed"));
}
