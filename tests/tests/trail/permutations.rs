//! C2: any permutation, duplication or batching of a change set gives the same document.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use uuid::Uuid;
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::id::{EntryId, Incarnation, PatientId, StoreId, UnitId, UserId};
use vereda_core::record::{ChartKind, Compartment, DraftEdit, Intent, Kind, NewEntry, TextEdit, Write};
use vereda_core::redact::Sensitive;
use vereda_tests::at;

struct Author {
    incarnation: Incarnation,
    n: u64,
    documents: BTreeMap<DocumentKey, LoadedDocument>,
}

type Changes = Vec<(DocumentKey, [u8; 16], Vec<u8>)>;

fn write(author: &Author, intent: Intent) -> Write {
    Write {
        n: author.n,
        user: UserId(Uuid::from_bytes([author.incarnation.number as u8; 16])),
        unit: UnitId(Uuid::from_bytes([8; 16])),
        compartment: Compartment::Clinical,
        patient: PatientId(Uuid::from_bytes([7; 16])),
        recorded_at: at(author.n as i64),
        hlc: None,
        time_uncertain: false,
        after: Vec::new(),
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
}

fn intent(random: &mut StdRng, draft: EntryId, fresh: bool) -> Intent {
    match random.random_range(0..4) {
        0 => Intent::Add {
            entries: vec![NewEntry::note(at(random.random_range(0..9)), "uma nota")],
        },
        1 if !fresh => Intent::EditDraft {
            draft,
            chapter: (2026, 0),
            edit: DraftEdit {
                text: vec![TextEdit {
                    at: random.random_range(0..3),
                    delete: 0,
                    insert: Sensitive("á".repeat(random.random_range(1..4))),
                }],
                ..DraftEdit::default()
            },
        },
        2 if !fresh => Intent::Finalize {
            draft,
            chapter: (2026, 0),
            entry: NewEntry::note(at(1), "o que vi"),
            draft_seen: [random.random_range(0..9); 32].into(),
        },
        _ => Intent::SetChart {
            item: Some(vereda_core::id::ChartItemId(Uuid::from_bytes([5; 16]))),
            kind: ChartKind("allergy".into()),
            fields: [(
                "display".into(),
                Sensitive(format!("{}", random.random_range(0..9))),
            )]
            .into(),
            entry: None,
        },
    }
}

/// What three authors write who hear of one another now and then.
fn history(random: &mut StdRng) -> Changes {
    let mut authors: Vec<Author> = (1..4)
        .map(|number| Author {
            incarnation: Incarnation {
                store: StoreId(Uuid::from_bytes([number; 16])),
                number: u64::from(number),
            },
            n: 0,
            documents: BTreeMap::new(),
        })
        .collect();
    let draft = EntryId::derive(&authors[0].incarnation, 1, 0, at(1).utc_ms);
    let opening = Intent::OpenDraft {
        draft: Some(draft),
        kind: Kind("note".into()),
        occurred_at: at(1),
        text: Sensitive("rascunho".into()),
        body: None,
    };
    let mut changes: Changes = Vec::new();
    let mut known = [0; 3];
    for step in 0..40 {
        let index = if step == 0 { 0 } else { random.random_range(0..3) };
        if random.random_bool(0.3) {
            // This author hears of everything so far.
            for (key, actor, bytes) in &changes[known[index]..] {
                let document = authors[index].documents.entry(*key).or_default();
                let _ = document.apply_raw(bytes, actor);
            }
            known[index] = changes.len();
        }
        let author = &mut authors[index];
        author.n += 1;
        let fresh = author
            .documents
            .values()
            .all(|document| document.draft(&draft).is_none());
        let intent = if step == 0 {
            opening.clone()
        } else {
            intent(random, draft, fresh)
        };
        let write = write(author, intent);
        let actor = author.incarnation.actor(0);
        for compiled in operations(&write, &author.incarnation) {
            let document = author.documents.entry(compiled.key).or_default();
            let applied = document
                .apply(&compiled.operations, &actor, None)
                .expect("a change");
            changes.push((compiled.key, actor, applied.bytes));
        }
    }
    changes
}

fn assert_same(left: &LoadedDocument, right: &LoadedDocument) {
    assert_eq!(left.heads(), right.heads());
    assert!(left.shows_the_same_as(right));
    let everything = left.everything();
    assert_eq!(everything, right.everything());
    for entry in &everything.entries {
        assert_eq!(left.entry(entry), right.entry(entry));
    }
    for item in &everything.chart_items {
        assert_eq!(left.chart_item(item), right.chart_item(item));
    }
}

#[test]
fn c2_any_order_duplication_and_batching_of_changes_gives_the_same_documents() {
    for seed in 0..24 {
        let mut random = StdRng::seed_from_u64(seed);
        let changes = history(&mut random);
        let mut straight: BTreeMap<DocumentKey, LoadedDocument> = BTreeMap::new();
        for (key, actor, bytes) in &changes {
            straight
                .entry(*key)
                .or_default()
                .apply_raw(bytes, actor)
                .expect("in order");
        }
        for _ in 0..4 {
            let mut waiting: Vec<_> = changes.iter().chain(changes.iter().step_by(3)).collect();
            waiting.shuffle(&mut random);
            let mut shuffled: BTreeMap<DocumentKey, LoadedDocument> = BTreeMap::new();
            while !waiting.is_empty() {
                let before = waiting.len();
                // What lacks a dependency changes nothing and waits; what came before changes nothing either.
                waiting.retain(|(key, actor, bytes)| {
                    let document = shuffled.entry(*key).or_default();
                    let heads = document.heads().to_vec();
                    let taken = document.apply_raw(bytes, actor);
                    if taken.is_err() {
                        assert_eq!(document.heads(), heads, "a refused change left a trace");
                    }
                    let known = straight[key].heads() == document.heads();
                    taken.is_err() && !known
                });
                assert!(waiting.len() < before, "seed {seed}: changes wait for ever");
            }
            for (key, document) in &straight {
                assert_same(document, &shuffled[key]);
            }
        }
        // Batches: parts saved apart, merged in any order, twice.
        let cut = random.random_range(1..changes.len());
        let mut parts: Vec<BTreeMap<DocumentKey, LoadedDocument>> = vec![BTreeMap::new(), BTreeMap::new()];
        for (index, (key, actor, bytes)) in changes.iter().enumerate() {
            if index < cut {
                parts[0]
                    .entry(*key)
                    .or_default()
                    .apply_raw(bytes, actor)
                    .expect("in order");
            }
            parts[1]
                .entry(*key)
                .or_default()
                .apply_raw(bytes, actor)
                .expect("in order");
        }
        parts.shuffle(&mut random);
        for (key, document) in &straight {
            let mut merged = LoadedDocument::new();
            for part in parts.iter().chain(&parts) {
                if let Some(part) = part.get(key) {
                    merged.merge_saved(&part.save()).expect("a saved document");
                }
            }
            assert_same(document, &merged);
        }
    }
}
