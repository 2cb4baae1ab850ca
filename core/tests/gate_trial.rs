//! Admitted changes that refer to what the document does not hold: the trial refuses them.

#[allow(dead_code, reason = "each test program uses a part")]
mod gate_support;

use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, Automerge, Change, ObjType, ROOT};
use gate_support::hostile::{Forged, literals, signed, text, unsigned};
use vereda_core::document::gate::{GateRefusal, inspect_change, limits, try_change};

/// A document of one change with two operations: a list (1) with one item (2).
fn document() -> Automerge {
    let mut document = AutoCommit::new().with_actor(ActorId::from(vec![1; 16]));
    let list = document.put_object(ROOT, "list", ObjType::List).expect("put");
    document.insert(&list, 0, true).expect("insert");
    document.document().clone()
}

/// A change that puts `true` somewhere, after everything in the document; actor 1 in it is the document's.
fn next(document: &Automerge) -> Forged {
    Forged {
        dependencies: document.get_heads().iter().map(|hash| hash.0).collect(),
        start_op: 3,
        others: vec![vec![1; 16]],
        ..Forged::default()
    }
}

fn tried(change: &Forged) -> Result<Automerge, GateRefusal> {
    let bytes = change.bytes();
    inspect_change(&bytes).expect("its own form is right");
    try_change(
        &document(),
        Change::try_from(&bytes[..]).expect("Automerge reads it"),
    )
}

fn code(change: &Forged) -> &'static str {
    tried(change).map_or_else(GateRefusal::code, |_| "taken in")
}

fn at(counter: u64) -> Vec<u8> {
    literals(&[unsigned(counter)])
}

/// Puts the operation into the object with this counter, at the element with that one.
fn in_list(change: Forged, object: u64, element: i64) -> Forged {
    let mut change = change
        .with_column(0x01, at(1))
        .with_column(0x02, at(object))
        .with_column(0x11, at(1))
        .with_column(0x13, literals(&[signed(element)]))
        .with_column(0x34, [unsigned(0), unsigned(1)].concat());
    change.columns.retain(|(column, _)| *column != 0x15);
    change
}

#[test]
fn an_insertion_after_an_element_that_is_there_is_taken_in() {
    let taken_in = tried(&in_list(next(&document()), 1, 2)).expect("taken in");
    assert_eq!(taken_in.get_changes(&[]).len(), 2);
    assert!(Automerge::load(&taken_in.save()).is_ok());
}

#[test]
fn an_object_that_is_not_there_is_refused() {
    assert_eq!(code(&in_list(next(&document()), 2, 2)), "inapplicable");
}

#[test]
fn an_element_that_is_not_there_is_refused() {
    assert_eq!(code(&in_list(next(&document()), 1, 1)), "inapplicable");
}

#[test]
fn a_deletion_of_what_is_not_there_is_refused() {
    let deletion = next(&document())
        .with_column(0x15, literals(&[text("nothing")]))
        .with_column(0x42, at(3))
        .with_column(0x56, at(0))
        .with_column(0x70, at(1))
        .with_column(0x71, at(1))
        .with_column(0x73, literals(&[signed(2)]));
    assert_eq!(code(&deletion), "inapplicable");
}

#[test]
fn an_orphan_is_not_queued() {
    let orphan = Forged {
        dependencies: vec![[1; 32]],
        others: Vec::new(),
        ..next(&document())
    };
    assert_eq!(code(&orphan), "inapplicable");
}

#[test]
fn more_heads_than_an_edit_can_join_are_refused() {
    let mut document = document();
    let heads: Vec<[u8; 32]> = document.get_heads().iter().map(|hash| hash.0).collect();
    let mut refused = None;
    for number in 1..=limits::DEPENDENCIES_MAX + 1 {
        let actor = vec![u8::try_from(number).expect("few"); 8];
        let change = Forged {
            actor,
            dependencies: heads.clone(),
            start_op: 3,
            others: Vec::new(),
            ..Forged::default()
        };
        match try_change(&document, Change::try_from(&change.bytes()[..]).expect("read")) {
            Ok(taken_in) => document = taken_in,
            Err(refusal) => refused = Some((number, refusal.code())),
        }
    }
    assert_eq!(
        refused,
        Some((limits::DEPENDENCIES_MAX + 1, "too_many_dependencies"))
    );
}
