//! Documents: the same write gives the same change everywhere, and what people wrote at once stays.

use uuid::Uuid;
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::id::{Incarnation, PatientId, StoreId, UnitId, UserId};
use vereda_core::record::{ChartKind, Compartment, DraftEdit, Intent, NewEntry, TextEdit, Write};
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

fn device(n: u128) -> Incarnation {
    Incarnation {
        store: StoreId(Uuid::from_u128(n)),
        number: n as u64,
    }
}

fn write(n: u64, intent: Intent) -> Write {
    Write {
        n,
        user: UserId(Uuid::from_u128(7)),
        unit: UnitId(Uuid::from_u128(8)),
        compartment: Compartment::Clinical,
        patient: PatientId(Uuid::from_u128(9)),
        recorded_at: Zoned {
            utc_ms: 1_700_000_000_000 + n as i64,
            offset_minutes: -180,
        },
        hlc: None,
        time_uncertain: false,
        after: vec![],
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
}

fn note(n: u64, text: &str) -> Write {
    let at = Zoned {
        utc_ms: 1_700_000_000_000,
        offset_minutes: 0,
    };
    write(
        n,
        Intent::Add {
            entries: vec![NewEntry::note(at, text)],
        },
    )
}

#[test]
fn c1_a_receiver_computes_the_change_its_author_made_also_on_top_of_other_changes() {
    let (a, b) = (device(1), device(2));
    let mut author = LoadedDocument::new();
    let mut other = LoadedDocument::new();
    let elsewhere = operations(&note(1, "elsewhere"), &b);
    other.apply(&elsewhere[0].operations, &b.actor(0), None).unwrap();
    for n in 1..20 {
        let write = note(n, &format!("note {n}"));
        let compiled = operations(&write, &a);
        let made = author.apply(&compiled[0].operations, &a.actor(0), None).unwrap();
        let computed = other
            .apply(&compiled[0].operations, &a.actor(0), Some(&made.dependencies))
            .unwrap();
        assert_eq!(made.hash, computed.hash);
        assert_eq!(made.bytes, computed.bytes);
    }
    author
        .apply(
            &elsewhere[0].operations,
            &b.actor(0),
            Some(&[LoadedDocument::genesis_hash()]),
        )
        .unwrap();
    assert_eq!(author.heads(), other.heads());
    assert_eq!(author.entry_count(), 20);
    for entry in author.everything().entries {
        assert_eq!(author.entry(&entry), other.entry(&entry));
    }
}

#[test]
fn c3_two_values_of_a_chart_field_set_at_once_are_both_there() {
    let (a, b) = (device(1), device(2));
    let set = |n, value: &str, item| {
        write(
            n,
            Intent::SetChart {
                item,
                kind: ChartKind("allergy".into()),
                fields: [("display".to_owned(), Sensitive(value.to_owned()))].into(),
                entry: None,
            },
        )
    };
    let mut one = LoadedDocument::new();
    let first = operations(&set(1, "penicillin", None), &a);
    let made = one.apply(&first[0].operations, &a.actor(0), None).unwrap();
    let item = *made.touched.chart_items.first().unwrap();
    let mut two = LoadedDocument::load([one.save().as_slice()]).unwrap();
    let x = operations(&set(2, "amoxicillin", Some(item)), &a);
    let y = operations(&set(1, "all beta-lactams", Some(item)), &b);
    let from_x = one.apply(&x[0].operations, &a.actor(0), None).unwrap();
    let from_y = two.apply(&y[0].operations, &b.actor(0), None).unwrap();
    one.apply_raw(&from_y.bytes, &b.actor(0)).unwrap();
    two.apply(&x[0].operations, &a.actor(0), Some(&from_x.dependencies))
        .unwrap();
    assert_eq!(one.chart_item(&item), two.chart_item(&item));
    assert_eq!(one.chart_item(&item).fields["display"].len(), 2);
    assert_eq!(
        one.chart_item(&item).fields["kind"].len(),
        1,
        "equal values are no conflict"
    );
}

#[test]
fn two_people_write_one_draft_and_both_texts_stay() {
    let (a, b) = (device(1), device(2));
    let at = Zoned {
        utc_ms: 1_700_000_000_000,
        offset_minutes: 0,
    };
    let opened = write(
        1,
        Intent::OpenDraft {
            draft: None,
            kind: vereda_core::record::Kind::note(),
            occurred_at: at,
            text: Sensitive("dor".into()),
            body: None,
        },
    );
    let key = DocumentKey::chapter(opened.patient, opened.compartment, 2023, 0);
    let compiled = operations(&opened, &a);
    assert_eq!(compiled[0].key, key);
    let mut one = LoadedDocument::new();
    let made = one.apply(&compiled[0].operations, &a.actor(0), None).unwrap();
    let draft = *made.touched.entries.first().unwrap();
    let mut two = LoadedDocument::load([made.bytes.as_slice()]).unwrap();
    let edit = |n, at, insert: &str| {
        let text = vec![TextEdit {
            at,
            delete: 0,
            insert: Sensitive(insert.to_owned()),
        }];
        write(
            n,
            Intent::EditDraft {
                draft,
                chapter: (2023, 0),
                edit: DraftEdit {
                    text,
                    ..Default::default()
                },
            },
        )
    };
    let x = one
        .apply(
            &operations(&edit(2, 3, " forte"), &a)[0].operations,
            &a.actor(0),
            None,
        )
        .unwrap();
    let y = two
        .apply(
            &operations(&edit(1, 0, "sem "), &b)[0].operations,
            &b.actor(0),
            None,
        )
        .unwrap();
    one.apply_raw(&y.bytes, &b.actor(0)).unwrap();
    two.apply_raw(&x.bytes, &a.actor(0)).unwrap();
    assert_eq!(one.draft(&draft).unwrap().text.0, "sem dor forte");
    assert_eq!(one.draft(&draft), two.draft(&draft));
}
