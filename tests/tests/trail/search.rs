//! Searching a patient's timeline: words without accents, as beginnings, in timelines of any length.

use vereda_core::client::PageRequest;
use vereda_core::id::PatientId;
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::EntryFilter;
use vereda_tests::{World, note};

fn search(world: &mut World, patient: PatientId, words: &str, limit: usize) -> Vec<Vec<String>> {
    let filter = EntryFilter {
        words: Some(Sensitive(words.into())),
        ..EntryFilter::default()
    };
    world
        .run(0, |client| async move {
            let view = client.open_patient(patient, "search").await?;
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let request = PageRequest {
                    limit: Some(limit),
                    after,
                };
                let page = view.timeline(filter.clone(), request).await?;
                pages.push(page.rows.into_iter().map(|row| row.text.0).collect());
                after = page.next;
                if after.is_none() {
                    return Ok::<_, vereda_core::error::SyncError>(pages);
                }
            }
        })
        .expect("a search")
}

#[test]
fn every_word_begins_a_word_of_the_text_whatever_its_accents_and_case() {
    let mut world = World::new(31, 1);
    let patient = world.patient(0, "Ana Lima");
    let other = world.patient(0, "Bia Reis");
    world.add(0, patient, 1, "Hipertensão; pressão 15/9 às 08h");
    world.add(0, patient, 2, "Curativo no PÉ direito");
    world.add(0, other, 3, "Hipertensão");
    for (words, found) in [
        ("hipertensao", 1),
        ("HIPERTENSÃO pressao", 1),
        ("hiper pres", 1),
        ("tensao", 0),
        ("pe", 1),
        ("pé dir", 1),
        ("hipertensao curativo", 0),
        ("15 9", 1),
        ("\"hipertensao\" OR (curativo*)", 0),
        ("  ", 0),
        ("*", 0),
    ] {
        let texts = search(&mut world, patient, words, 50).concat();
        assert_eq!(texts.len(), found, "{words:?}: {texts:?}");
    }
}

#[test]
fn a_word_is_found_in_a_timeline_longer_than_one_step_looks_at() {
    let mut world = World::new(32, 1);
    let patient = world.patient(0, "Ana Lima");
    let rare = [0, 1_999, 2_000, 2_001, 4_100];
    let entries: Vec<_> = (0..4_200)
        .map(|minutes| match rare.contains(&minutes) {
            true => note(minutes, &format!("Dengue {minutes}")),
            false => note(minutes, "Visita de rotina"),
        })
        .collect();
    world
        .run(
            0,
            |client| async move { client.imports().add(patient, entries).await },
        )
        .expect("an import");
    let newest_first = [
        "Dengue 4100",
        "Dengue 2001",
        "Dengue 2000",
        "Dengue 1999",
        "Dengue 0",
    ];
    for limit in [1, 2, 3, 50] {
        let pages = search(&mut world, patient, "dengue", limit);
        assert_eq!(pages.concat(), newest_first, "pages of {limit}");
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(
            pages.len(),
            newest_first.len().div_ceil(limit),
            "no page is empty"
        );
    }
    assert_eq!(search(&mut world, patient, "malaria", 50), [Vec::<String>::new()]);
}
