//! Filters that combine, in both directions, in pages of any size: each list against a naive oracle over random data.

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use vereda_core::client::PageRequest;
use vereda_core::error::SyncError;
use vereda_core::id::{PatientId, UserId};
use vereda_core::record::{Kind, NewEntry};
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::{EntryFilter, EntryRow, EntryStatus};
use vereda_tests::{World, at};

const KINDS: [&str; 4] = ["note", "vitals", "task", "consent"];
const WORDS: [&str; 12] = [
    "Pressão",
    "PRESSAO",
    "dispnéia",
    "tosse",
    "avó",
    "Ção",
    "pé",
    "febre",
    "15/9",
    "às",
    "coração",
    "corante",
];
/// What people type: beginnings, with and without accents.
const TYPED: [&str; 8] = ["press", "PÉ", "cora", "coracao", "to fe", "avo", "9", "xyz"];

/// Folded by hand: the oracle knows nothing of the library's.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let letters = lower.chars().map(|letter| match letter {
        'á' | 'à' | 'â' | 'ã' => 'a',
        'é' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ô' | 'õ' => 'o',
        'ú' => 'u',
        'ç' => 'c',
        other => other,
    });
    letters.collect()
}

fn holds(text: &str, typed: &str) -> bool {
    let (text, typed) = (plain(text), plain(typed));
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
    let mut wanted = typed.split(' ').filter(|word| !word.is_empty());
    wanted.all(|wanted| words.iter().any(|word| word.starts_with(wanted)))
}

fn passes(row: &EntryRow, filter: &EntryFilter) -> bool {
    (filter.kinds.is_empty() || filter.kinds.contains(&row.kind))
        && filter.from_ms.is_none_or(|from| row.occurred_at.utc_ms >= from)
        && filter.to_ms.is_none_or(|to| row.occurred_at.utc_ms < to)
        && filter.author.is_none_or(|author| row.author == author)
        && filter.status.is_none_or(|status| row.status == status)
        && filter.words.as_ref().is_none_or(|words| holds(&row.text, words))
}

fn entry(random: &mut ChaCha8Rng) -> NewEntry {
    let words: Vec<&str> = (0..random.random_range(1..6))
        .map(|_| WORDS[random.random_range(0..WORDS.len())])
        .collect();
    let kind = KINDS[random.random_range(0..KINDS.len())];
    // Few minutes: many entries share theirs, and the id alone orders them.
    NewEntry::new(Kind(kind.into()), at(random.random_range(0..12)), words.join(" "))
}

/// A person of three linked records, written on two devices, with drafts, amendments and retractions.
fn written(world: &mut World, random: &mut ChaCha8Rng) -> Vec<PatientId> {
    let patients: Vec<PatientId> = ["A", "B", "C"]
        .iter()
        .map(|name| world.patient(0, name))
        .collect();
    for (one, other) in [(0, 1), (1, 2)] {
        let (one, other) = (patients[one], patients[other]);
        world
            .run(0, |client| async move {
                client.patients().link(one, other, "one person".into()).await
            })
            .expect("linked");
    }
    world.converge();
    for device in [0, 1, 0, 1] {
        for _ in 0..25 {
            let (patient, entry) = (patients[random.random_range(0..3)], entry(random));
            let what = random.random_range(0..8);
            world
                .run(device, |client| async move {
                    if what == 0 {
                        return client
                            .drafts()
                            .open(patient, entry.kind, Some(entry.occurred_at), entry.text.0, None)
                            .await;
                    }
                    let saved = client.timeline().add(patient, entry).await?;
                    let id = saved.entry.expect("an entry");
                    match what {
                        1 => {
                            client
                                .timeline()
                                .amend(id, Some("tosse e febre".into()), None)
                                .await
                        }
                        2 => client.timeline().retract(id, "engano".into()).await,
                        _ => Ok(saved),
                    }
                })
                .expect("written");
        }
        world.converge();
    }
    patients
}

fn filter(random: &mut ChaCha8Rng, authors: &[UserId]) -> EntryFilter {
    let mut maybe = |share: f64| random.random_bool(share);
    let (kinds, from, to, words, author, status, oldest_first) = (
        maybe(0.5),
        maybe(0.4),
        maybe(0.4),
        maybe(0.4),
        maybe(0.3),
        maybe(0.4),
        maybe(0.5),
    );
    let kinds: Vec<String> = KINDS
        .iter()
        .filter(|_| kinds && random.random_bool(0.5))
        .map(|kind| (*kind).to_owned())
        .collect();
    let mut minute = |wanted: bool| wanted.then(|| at(random.random_range(-1..13)).utc_ms);
    let (from_ms, to_ms) = (minute(from), minute(to));
    EntryFilter {
        kinds,
        from_ms,
        to_ms,
        words: words.then(|| Sensitive(TYPED[random.random_range(0..TYPED.len())].to_owned())),
        author: author.then(|| authors[random.random_range(0..authors.len())]),
        status: status.then(|| {
            let statuses = [
                EntryStatus::Final,
                EntryStatus::Draft,
                EntryStatus::Amended,
                EntryStatus::EnteredInError,
            ];
            statuses[random.random_range(0..4)]
        }),
        oldest_first,
    }
}

#[test]
fn every_combination_of_filters_gives_what_a_naive_reading_gives_in_pages_of_any_size() {
    for seed in 820..823_u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new(seed, 2);
        let patients = written(&mut world, &mut random);
        let authors = [world.enrolment(0).user, world.enrolment(1).user];
        let all: Vec<EntryRow> = world.rows(0).entries;
        assert!(all.len() > 100);
        let mut found = 0;
        for number in 0..150 {
            let filter = filter(&mut random, &authors);
            let mut expected: Vec<_> = all
                .iter()
                .filter(|row| passes(row, &filter))
                .map(|row| (row.occurred_at.utc_ms, row.id))
                .collect();
            expected.sort();
            if !filter.oldest_first {
                expected.reverse();
            }
            found += expected.len();
            let (patient, limit) = (patients[random.random_range(0..3)], random.random_range(1..60));
            let wanted = filter.clone();
            let rows = world.run(0, |client| async move {
                let view = client.open_patient(patient, "test").await?;
                let (mut rows, mut after) = (Vec::new(), None);
                loop {
                    let request = PageRequest {
                        limit: Some(limit),
                        after,
                    };
                    let page = view.timeline(wanted.clone(), request).await?;
                    assert!(page.rows.len() == limit || page.next.is_none());
                    rows.extend(page.rows.into_iter().map(|row| (row.occurred_at.utc_ms, row.id)));
                    after = page.next;
                    if after.is_none() {
                        return Ok::<_, SyncError>(rows);
                    }
                }
            });
            assert_eq!(
                rows.expect("pages"),
                expected,
                "filter {number}, pages of {limit}: {filter:?}"
            );
        }
        assert!(found > 1_000, "the filters find something");
    }
}
