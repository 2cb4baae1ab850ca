//! The admission gate and hostile saved documents.

#[allow(dead_code, reason = "each test program uses a part")]
mod gate_support;

use automerge::{Automerge, ReadDoc};
use gate_support::hostile::{self, Forged, ForgedDocument, literals, run, signed, text, unsigned};
use vereda_core::document::gate::{GateRefusal, admit_document, limits};

fn code(document: &ForgedDocument) -> &'static str {
    admit_document(&document.bytes()).map_or_else(GateRefusal::code, |_| "admitted")
}

/// `changes` changes of one actor, `operations` operations each, all of them on one key, each over the one before.
fn long_history(changes: u64, operations: i64) -> ForgedDocument {
    let rows = i64::try_from(changes).expect("few");
    ForgedDocument::default()
        .with_change_column(0x01, run(rows, &unsigned(0)))
        .with_change_column(0x03, run(rows, &signed(1)))
        .with_change_column(0x13, run(rows, &signed(operations)))
        .with_change_column(0x23, run(rows, &signed(0)))
        .with_change_column(
            0x40,
            [literals(&[unsigned(0)]), run(rows - 1, &unsigned(1))].concat(),
        )
        .with_change_column(0x43, [literals(&[signed(0)]), run(rows - 2, &signed(1))].concat())
        .with_change_column(0x56, run(rows, &unsigned(7)))
}

#[test]
fn a_plain_document_is_admitted_and_loads() {
    let document = ForgedDocument::default();
    let admitted = admit_document(&document.bytes()).expect("admitted");
    assert_eq!(
        (admitted.changes, admitted.operations, admitted.max_op),
        (1, 1, 1)
    );
    let loaded = Automerge::load(&document.bytes()).expect("Automerge takes it too");
    assert_eq!(loaded.length(automerge::ROOT), 1);
}

#[test]
fn a_run_length_bomb_in_any_column_is_refused() {
    for column in [0x01, 0x02, 0x11, 0x21, 0x42, 0x56, 0x80] {
        let bomb = ForgedDocument::default().with_operation_column(column, run(1 << 40, &unsigned(1)));
        assert_eq!(code(&bomb), "too_many_operations", "column {column:#x}");
    }
    for column in [0x13, 0x23] {
        let bomb = ForgedDocument::default().with_operation_column(column, run(1 << 40, &signed(1)));
        assert_eq!(code(&bomb), "too_many_operations", "column {column:#x}");
    }
    let bomb = ForgedDocument::default().with_operation_column(0x80, literals(&[unsigned(1 << 40)]));
    assert_eq!(code(&bomb), "too_many_operations");
    for column in [0x01, 0x40, 0x56] {
        let bomb = ForgedDocument::default().with_change_column(column, run(1 << 40, &unsigned(7)));
        assert_eq!(code(&bomb), "too_many_changes", "column {column:#x}");
    }
}

#[test]
fn a_highest_operation_that_claims_memory_is_refused() {
    for max_op in [70_001, 1 << 31, i64::from(u32::MAX), i64::MAX] {
        let bomb = ForgedDocument::default().with_change_column(0x13, literals(&[signed(max_op)]));
        assert_eq!(code(&bomb), "too_many_operations", "{max_op}");
    }
    let without_operations = ForgedDocument::default().with_change_column(0x13, literals(&[signed(2)]));
    assert_eq!(code(&without_operations), "malformed");
    assert_eq!(code(&long_history(100, 70_000)), "too_many_operations");
}

#[test]
fn too_many_changes_are_refused() {
    let changes = limits::DOCUMENT_CHANGES_MAX + 1;
    assert_eq!(code(&long_history(changes, 0)), "too_many_changes");
}

#[test]
fn too_many_heads_are_refused() {
    let heads = (0..65)
        .map(|number| hostile::hash(0, &unsigned(number)))
        .collect();
    assert_eq!(
        code(&ForgedDocument {
            heads,
            ..ForgedDocument::default()
        }),
        "too_many_dependencies"
    );
}

#[test]
fn a_deflate_bomb_in_a_column_is_refused() {
    let zeros = vec![0; 64 * 1024 * 1024];
    let bomb = ForgedDocument::default().with_operation_column(0x57 | 8, hostile::deflate(&zeros));
    assert_eq!(code(&bomb), "decompression_bomb");
}

#[test]
fn many_deflated_columns_are_bounded_together() {
    let noise: Vec<u8> = (0..300_000_u64)
        .flat_map(|number| hostile::hash(0, &unsigned(number / 8)))
        .collect();
    let deflated = hostile::deflate(&noise);
    assert!(deflated.len() < limits::DOCUMENT_BYTES_MAX && noise.len() > limits::DOCUMENT_COLUMN_BYTES_MAX);
    let document = ForgedDocument::default().with_operation_column(0x57 | 8, deflated);
    assert_eq!(code(&document), "document_too_large");
}

#[test]
fn a_document_over_the_limit_is_refused_before_it_is_read() {
    let bytes = vec![0; limits::DOCUMENT_BYTES_MAX + 1];
    assert_eq!(
        admit_document(&bytes).map_err(GateRefusal::code),
        Err("document_too_large")
    );
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let document = ForgedDocument::default;
    assert_eq!(
        code(&document().with_change_column(0x03, literals(&[signed(2)]))),
        "malformed"
    );
    assert_eq!(
        code(&document().with_change_column(0x01, literals(&[unsigned(1)]))),
        "invalid_reference"
    );
    let forward = document()
        .with_change_column(0x40, literals(&[unsigned(1)]))
        .with_change_column(0x43, literals(&[signed(5)]));
    assert_eq!(code(&forward), "invalid_reference");
    assert_eq!(
        code(&document().with_change_column(0x40, literals(&[unsigned(65)]))),
        "too_many_dependencies"
    );
    assert_eq!(
        code(&ForgedDocument {
            heads: Vec::new(),
            ..document()
        }),
        "malformed"
    );
    assert_eq!(
        code(&ForgedDocument {
            head_indices: vec![1],
            ..document()
        }),
        "invalid_reference"
    );
    assert_eq!(
        code(&ForgedDocument {
            head_indices: Vec::new(),
            ..document()
        }),
        "truncated"
    );
    assert_eq!(
        code(&ForgedDocument {
            head_indices: vec![0, 0],
            ..document()
        }),
        "trailing_bytes"
    );
    let stranger = ForgedDocument {
        actors: vec![vec![7; 16], vec![8; 16]],
        ..document()
    };
    assert_eq!(code(&stranger), "not_canonical");
}

#[test]
fn operations_that_contradict_the_table_are_refused() {
    let document = ForgedDocument::default;
    assert_eq!(
        code(&document().with_operation_column(0x23, literals(&[signed(2)]))),
        "invalid_reference"
    );
    assert_eq!(
        code(&document().with_operation_column(0x21, literals(&[unsigned(1)]))),
        "invalid_reference"
    );
    let deletion = document()
        .with_operation_column(0x42, literals(&[unsigned(3)]))
        .with_operation_column(0x56, literals(&[unsigned(0)]));
    assert_eq!(code(&deletion), "malformed");
    let own_successor = document()
        .with_operation_column(0x80, literals(&[unsigned(1)]))
        .with_operation_column(0x81, literals(&[unsigned(0)]))
        .with_operation_column(0x83, literals(&[signed(1)]));
    assert_eq!(code(&own_successor), "invalid_reference");
    let in_nowhere = document()
        .with_operation_column(0x01, literals(&[unsigned(0)]))
        .with_operation_column(0x02, literals(&[unsigned(1)]));
    assert_eq!(code(&in_nowhere), "invalid_reference");
}

#[test]
fn one_operation_twice_is_refused() {
    let mut document = ForgedDocument::default().with_change_column(0x13, literals(&[signed(2)]));
    document.operations = vec![
        (0x15, literals(&[text("a"), text("b")])),
        (0x21, run(2, &unsigned(0))),
        (0x23, literals(&[signed(1), signed(0)])),
        (0x34, unsigned(2)),
        (0x42, run(2, &unsigned(1))),
        (0x56, run(2, &unsigned(2))),
        (0x80, run(2, &unsigned(0))),
    ];
    assert_eq!(code(&document), "invalid_reference");
    let both = document.clone().with_operation_column(0x23, run(2, &signed(1)));
    assert_eq!(code(&both), "admitted");
    let swapped = both.with_operation_column(0x15, literals(&[text("b"), text("a")]));
    assert_eq!(code(&swapped), "not_canonical");
}

#[test]
fn a_change_behind_a_document_follows_it() {
    let document = ForgedDocument::default();
    let next = Forged {
        dependencies: document.heads.clone(),
        seq: 2,
        start_op: 2,
        ..Forged::default()
    };
    let code = |change: &Forged| {
        let bytes = [document.bytes(), change.bytes()].concat();
        admit_document(&bytes).map_or_else(GateRefusal::code, |_| "admitted")
    };
    assert_eq!(code(&next), "admitted");
    assert_eq!(
        code(&Forged {
            start_op: 3,
            ..next.clone()
        }),
        "start_op_invalid"
    );
    assert_eq!(
        code(&Forged {
            seq: 1,
            ..next.clone()
        }),
        "sequence_reused"
    );
    assert_eq!(
        code(&Forged {
            seq: 3,
            ..next.clone()
        }),
        "sequence_gap"
    );
    assert_eq!(code(&Forged::default()), "already_known");
    let second_document = [document.bytes(), document.bytes()].concat();
    assert_eq!(
        admit_document(&second_document).map_err(GateRefusal::code),
        Err("unexpected_chunk")
    );
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let bytes = ForgedDocument::default().bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(admit_document(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(
            admit_document(&bytes[..length]).map_err(GateRefusal::code),
            Err("truncated"),
            "{length}"
        );
    }
}
