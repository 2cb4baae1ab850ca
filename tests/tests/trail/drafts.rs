//! Drafts two people write, what becomes final, and what comes too late.

use vereda_core::error::Code;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{DraftEdit, Kind, TextEdit};
use vereda_core::store::conflicts::ConflictSubject;
use vereda_core::store::entries::{EntryRow, EntryStatus};
use vereda_tests::{World, at};

fn open_draft(world: &mut World, patient: PatientId, text: &str) -> EntryId {
    let text = text.to_owned();
    world
        .run(0, |client| async move {
            let kind = Kind("note".into());
            client.drafts().open(patient, kind, Some(at(1)), text, None).await
        })
        .expect("a draft")
        .entry
        .expect("an entry")
}

fn write(world: &mut World, device: usize, draft: EntryId, text: &str) {
    let text = text.to_owned();
    world
        .run(device, |client| async move {
            client.drafts().write(draft, None, text).await
        })
        .expect("the draft is written");
}

fn insert(world: &mut World, device: usize, draft: EntryId, at: u32, text: &str) {
    let edit = DraftEdit {
        text: vec![TextEdit {
            at,
            delete: 0,
            insert: text.to_owned().into(),
        }],
        ..DraftEdit::default()
    };
    world
        .run(
            device,
            |client| async move { client.drafts().edit(draft, edit).await },
        )
        .expect("the draft is edited");
}

fn finalize(world: &mut World, device: usize, draft: EntryId) {
    world
        .run(device, |client| async move {
            client.drafts().finalize(draft, None, false).await
        })
        .expect("the draft is final");
}

fn row(world: &mut World, device: usize, patient: PatientId, entry: EntryId) -> EntryRow {
    let rows = world.timeline(device, patient);
    rows.into_iter().find(|row| row.id == entry).expect("the entry")
}

/// A world of two devices in sync on one patient and one draft.
fn shared_draft(seed: u64, text: &str) -> (World, PatientId, EntryId) {
    let mut world = World::new(seed, 2);
    let patient = world.patient(0, "Ana Souza");
    let draft = open_draft(&mut world, patient, text);
    world.converge();
    (world, patient, draft)
}

#[test]
fn two_write_one_draft_offline_and_both_texts_are_in_it() {
    let (mut world, patient, draft) = shared_draft(11, "PA 120x80. FC 80.");
    write(&mut world, 0, draft, "PA 130x80. FC 80.");
    write(&mut world, 1, draft, "PA 120x80. FC 80. Afebril.");
    world.converge();
    for device in 0..2 {
        let row = row(&mut world, device, patient, draft);
        assert_eq!(row.status, EntryStatus::Draft);
        assert_eq!(row.text.0, "PA 130x80. FC 80. Afebril.");
    }
    finalize(&mut world, 1, draft);
    world.converge();
    let row = row(&mut world, 0, patient, draft);
    assert_eq!(row.status, EntryStatus::Final);
    assert_eq!(row.text.0, "PA 130x80. FC 80. Afebril.");
    assert_eq!(row.late_edit, None);
    world.assert_same_rows();
}

#[test]
fn c3_a_late_edit_shows_apart_never_alters_the_final_text_and_is_dismissed() {
    let (mut world, patient, draft) = shared_draft(12, "Tosse seca");
    finalize(&mut world, 0, draft);
    write(&mut world, 1, draft, "Tosse seca há 3 dias");
    world.converge();
    for device in 0..2 {
        let row = row(&mut world, device, patient, draft);
        assert_eq!(row.text.0, "Tosse seca", "the final text is history");
        assert_eq!(
            row.late_edit.map(|text| text.0),
            Some("Tosse seca há 3 dias".into())
        );
    }
    let undecided = world
        .run(1, |client| async move { client.conflicts().undecided().await })
        .expect("a list");
    assert_eq!(undecided.len(), 1);
    world
        .run(1, |client| async move {
            client.drafts().dismiss_late_edit(draft).await
        })
        .expect("dismissed");
    world.converge();
    for device in 0..2 {
        assert_eq!(row(&mut world, device, patient, draft).late_edit, None);
    }
    // One more edit of a dismissed one is late again.
    insert(&mut world, 1, draft, 0, "!");
    world.converge();
    assert!(row(&mut world, 0, patient, draft).late_edit.is_some());
    world.assert_same_rows();
    world.assert_rows_follow_from_documents(0);
}

#[test]
fn c3_a_late_edit_becomes_an_amendment() {
    let (mut world, patient, draft) = shared_draft(13, "Dor no joelho");
    finalize(&mut world, 0, draft);
    write(&mut world, 1, draft, "Dor no joelho direito");
    world.converge();
    let late = row(&mut world, 0, patient, draft).late_edit.expect("late").0;
    let amendment = world
        .run(0, |client| async move {
            let saved = client.timeline().amend(draft, Some(late), None).await?;
            client.drafts().dismiss_late_edit(draft).await?;
            Ok::<_, vereda_core::error::SyncError>(saved)
        })
        .expect("amended")
        .entry
        .expect("an entry");
    world.converge();
    for device in 0..2 {
        let before = row(&mut world, device, patient, draft);
        assert_eq!(before.status, EntryStatus::Amended);
        assert_eq!(before.text.0, "Dor no joelho");
        assert_eq!(before.late_edit, None);
        assert_eq!(
            row(&mut world, device, patient, amendment).text.0,
            "Dor no joelho direito"
        );
    }
}

#[test]
fn c3_two_finalizes_at_once_keep_both_the_first_in_the_log_shows_until_one_is_chosen() {
    for first in 0..2 {
        let (mut world, patient, draft) = shared_draft(14 + first as u64, "Retorno");
        write(&mut world, 0, draft, "Retorno em 7 dias");
        finalize(&mut world, 0, draft);
        write(&mut world, 1, draft, "Retorno em 30 dias");
        finalize(&mut world, 1, draft);
        world.sync(first);
        world.converge();
        let texts = ["Retorno em 7 dias", "Retorno em 30 dias"];
        for device in 0..2 {
            let row = row(&mut world, device, patient, draft);
            assert_eq!(row.status, EntryStatus::Final);
            assert_eq!(row.text.0, texts[first], "the first in the log shows");
            assert_eq!(row.headers, 2);
        }
        world.assert_same_rows();
        let conflicts = world.rows(1).conflicts;
        let [conflict] = conflicts.as_slice() else {
            panic!("one conflict, not {}", conflicts.len())
        };
        assert_eq!(conflict.subject_kind, ConflictSubject::Entry);
        assert!(conflict.needs_person);
        let values: Vec<&str> = conflict
            .choices
            .iter()
            .map(|choice| choice.value.as_str())
            .collect();
        assert_eq!(values, [texts[first], texts[1 - first]]);
        let users = [world.enrolment(0).user, world.enrolment(1).user];
        assert_eq!(conflict.choices[0].author, users[first]);
        assert_eq!(conflict.choices[1].author, users[1 - first]);
        let detail = world
            .run(0, |client| async move {
                let view = client.open_patient(patient, "test").await?;
                view.entry(draft).await
            })
            .expect("a detail");
        assert_eq!(detail.other_texts.len(), 1, "the other text is one tap away");
        let other = conflict.choices[1].write;
        world
            .run(1, |client| async move {
                let choice = vereda_core::client::Resolution::Choice(other);
                client.conflicts().resolve(conflict.clone(), choice).await
            })
            .expect("chosen");
        world.converge();
        for device in 0..2 {
            assert_eq!(row(&mut world, device, patient, draft).text.0, texts[1 - first]);
            assert_eq!(world.rows(device).conflicts, []);
        }
        world.assert_same_rows();
        for device in 0..2 {
            world.assert_rows_follow_from_documents(device);
        }
    }
}

#[test]
fn a_draft_is_not_amended_and_a_final_entry_is_not_a_draft() {
    let (mut world, patient, draft) = shared_draft(16, "Um rascunho");
    let note = world.add(0, patient, 3, "uma nota");
    let refused = world.run(0, |client| async move {
        let amend = client.timeline().amend(draft, Some("x".into()), None).await;
        let finalize = client.drafts().finalize(note, None, false).await;
        let edit = client.drafts().write(note, None, "y".into()).await;
        [amend, finalize, edit].map(|result| result.expect_err("refused").code)
    });
    assert_eq!(refused, [Code::NotADraft; 3]);
}

#[test]
fn an_empty_draft_may_be_saved_and_not_finalized() {
    let (mut world, patient, draft) = shared_draft(17, "");
    let refused = world.run(0, |client| async move {
        client.drafts().finalize(draft, None, false).await
    });
    assert_eq!(refused.expect_err("empty").code, Code::TextEmpty);
    assert_eq!(row(&mut world, 0, patient, draft).status, EntryStatus::Draft);
}

#[test]
fn c3_of_two_bodies_written_at_once_the_other_is_one_tap_away() {
    let mut world = World::new(18, 2);
    let patient = world.patient(0, "Lara Gomes");
    let draft = open_draft(&mut world, patient, "sinais");
    world.converge();
    for (device, body) in [(0, "{\"a\":1}"), (1, "{\"a\":2}")] {
        let edit = DraftEdit {
            body: Some(Some(body.to_owned().into())),
            occurred_at: Some(at(-10 - device as i64)),
            ..DraftEdit::default()
        };
        world
            .run(
                device,
                |client| async move { client.drafts().edit(draft, edit).await },
            )
            .expect("edited");
    }
    world.converge();
    world.assert_same_rows();
    for device in 0..2 {
        let detail = world
            .run(device, |client| async move {
                client.open_patient(patient, "test").await?.entry(draft).await
            })
            .expect("a detail");
        let mut bodies: Vec<String> = detail
            .other_bodies
            .into_iter()
            .flatten()
            .map(|body| body.0)
            .collect();
        bodies.extend(detail.entry.body.map(|body| body.0));
        bodies.sort();
        assert_eq!(bodies, ["{\"a\":1}", "{\"a\":2}"]);
        let mut times = detail.other_times;
        times.push(detail.entry.occurred_at);
        times.sort();
        assert_eq!(times, [at(-11), at(-10)]);
    }
}

#[test]
fn a_text_written_from_an_old_screen_keeps_what_a_colleague_wrote_meanwhile() {
    let shown = "PA 12/8. Retorno em 7 dias.".to_owned();
    let (mut world, patient, draft) = shared_draft(58, &shown);
    write(&mut world, 1, draft, "PA 14/9. Retorno em 7 dias. Afebril.");
    world.converge();
    let text = "PA 12/8. Retorno em 15 dias.".to_owned();
    world
        .run(0, |client| async move {
            client.drafts().write(draft, Some(shown), text).await
        })
        .expect("written");
    world.converge();
    for device in 0..2 {
        let texts = world.texts(device, patient);
        assert!(texts[0].starts_with("PA 14/9."), "{texts:?}");
        assert!(
            texts[0].contains("15") && texts[0].contains("Afebril"),
            "{texts:?}"
        );
    }
}

#[test]
fn nobody_signs_words_that_came_while_they_read() {
    let (mut world, patient, draft) = shared_draft(59, "Alta.");
    let shown = world.timeline(0, patient)[0].draft_digest;
    assert!(shown.is_some());
    write(&mut world, 1, draft, "Alta com restrições.");
    world.converge();
    let finalize = |world: &mut World, shown| {
        world.run(0, |client| async move {
            client.drafts().finalize(draft, shown, false).await
        })
    };
    let signed = finalize(&mut world, shown);
    assert_eq!(
        signed.expect_err("the text is another").code,
        Code::ContentChanged
    );
    assert_eq!(world.timeline(0, patient)[0].status, EntryStatus::Draft);
    let shown = world.timeline(0, patient)[0].draft_digest;
    finalize(&mut world, shown).expect("signed as shown");
    world.converge();
    assert_eq!(world.texts(1, patient), ["Alta com restrições."]);
}
