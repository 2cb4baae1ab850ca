//! The admission gate and hostile devices: every kind of hostile bytes is refused, with its code.

#[allow(dead_code, reason = "each test program uses a part")]
mod gate_support;

use std::collections::HashMap;

use gate_support::hostile::{self, Forged, literals, run, signed, text, unsigned};
use vereda_core::document::gate::{
    AdmittedChange, ChangeContext, GateRefusal, admit_change, admit_document, inspect_change, limits,
    split_chunks,
};

/// What a server knows of one document.
#[derive(Default)]
struct Known {
    actor: Option<Vec<u8>>,
    max_ops: HashMap<[u8; 32], u64>,
    last_sequences: HashMap<Vec<u8>, u64>,
}

impl Known {
    fn after(changes: &[&Forged]) -> Self {
        let mut known = Self::default();
        for change in changes {
            let admitted = inspect_change(&change.bytes()).expect("a right change");
            known.max_ops.insert(admitted.hash, admitted.max_op());
            known.last_sequences.insert(admitted.actor, admitted.seq);
        }
        known
    }

    fn admit(&self, bytes: &[u8]) -> Result<AdmittedChange, GateRefusal> {
        let dependency = |hash: &[u8; 32]| self.max_ops.get(hash).copied();
        let last_seq = |actor: &[u8]| self.last_sequences.get(actor).copied().unwrap_or(0);
        let actor = self.actor.as_deref();
        admit_change(
            bytes,
            &ChangeContext {
                actor,
                dependency: &dependency,
                last_seq: &last_seq,
            },
        )
    }

    fn code(&self, bytes: &[u8]) -> &'static str {
        self.admit(bytes).map_or_else(GateRefusal::code, |_| "admitted")
    }
}

fn code(change: &Forged) -> &'static str {
    Known::default().code(&change.bytes())
}

/// A change of another actor that follows `before`.
fn following(before: &Forged) -> Forged {
    Forged {
        dependencies: vec![before.hash()],
        actor: vec![9; 16],
        start_op: 2,
        ..Forged::default()
    }
}

#[test]
fn a_plain_change_is_admitted() {
    let change = Forged::default();
    let admitted = Known::default().admit(&change.bytes()).expect("admitted");
    assert_eq!(admitted.hash, change.hash());
    assert_eq!((admitted.seq, admitted.start_op, admitted.operations), (1, 1, 1));
    automerge::Change::try_from(&change.bytes()[..]).expect("Automerge takes it too");
    assert_eq!(
        Known::default().code(&hostile::deflated(&change.content())),
        "admitted"
    );
}

#[test]
fn a_run_length_bomb_is_refused_by_its_runs() {
    for operations in [70_001, 8_000_000, i64::from(u32::MAX), i64::MAX] {
        let bomb = Forged::repeated(operations);
        assert!(bomb.bytes().len() < 140);
        assert_eq!(code(&bomb), "too_many_operations");
    }
    assert_eq!(code(&Forged::repeated(70_000)), "admitted");
}

#[test]
fn a_run_length_bomb_in_any_column_is_refused() {
    for column in [0x01, 0x02, 0x11, 0x42, 0x56, 0x70] {
        let bomb = Forged::default().with_column(column, run(8_000_000, &unsigned(1)));
        assert_eq!(code(&bomb), "too_many_operations", "column {column:#x}");
    }
    let of_nothing = [unsigned(0), unsigned(8_000_000)].concat();
    assert_eq!(
        code(&Forged::default().with_column(0x01, of_nothing)),
        "too_many_operations"
    );
    assert_eq!(
        code(&Forged::default().with_column(0x34, unsigned(8_000_000))),
        "too_many_operations"
    );
    assert_eq!(
        code(&Forged::default().with_column(0x70, literals(&[unsigned(1 << 40)]))),
        "too_many_operations"
    );
}

#[test]
fn runs_that_overflow_when_added_are_refused() {
    let halves = [
        run(i64::MAX, &unsigned(1)),
        run(i64::MAX, &unsigned(2)),
        run(i64::MAX, &unsigned(1)),
    ];
    assert_eq!(
        code(&Forged::default().with_column(0x42, halves.concat())),
        "too_many_operations"
    );
    let lengths = [
        run(70_000, &unsigned(u64::MAX)),
        run(70_000, &unsigned(u64::MAX - 16)),
    ]
    .concat();
    assert_eq!(code(&Forged::default().with_column(0x56, lengths)), "malformed");
}

#[test]
fn a_long_key_repeated_by_a_run_is_refused() {
    let column = run(70_000, &text(&"k".repeat(1_000)));
    assert_eq!(
        code(&Forged::repeated(70_000).with_column(0x15, column)),
        "malformed"
    );
}

#[test]
fn a_deflate_bomb_is_refused() {
    let bomb = Forged {
        message: "0".repeat(64 * 1024 * 1024),
        ..Forged::default()
    };
    assert_eq!(
        Known::default().code(&hostile::deflated(&bomb.content())),
        "decompression_bomb"
    );
}

#[test]
fn equal_characters_in_a_long_note_are_no_bomb() {
    let note = "a".repeat(limits::CHANGE_BYTES_MAX - 200);
    let length = note.len() as u64;
    let change = Forged::default()
        .with_column(0x56, literals(&[unsigned(length << 4 | 6)]))
        .with_column(0x57, note.into_bytes());
    assert_eq!(
        Known::default().code(&hostile::deflated(&change.content())),
        "admitted"
    );
}

#[test]
fn a_change_over_the_limit_is_refused_plain_and_deflated() {
    let noise: Vec<u8> = (0..300_000_u64)
        .map(|number| hostile::hash(0, &unsigned(number))[0])
        .collect();
    let change = Forged::default()
        .with_column(0x56, literals(&[unsigned((noise.len() as u64) << 4 | 7)]))
        .with_column(0x57, noise);
    assert_eq!(code(&change), "change_too_large");
    assert_eq!(
        Known::default().code(&hostile::deflated(&change.content())),
        "change_too_large"
    );
}

#[test]
fn a_start_op_near_the_end_of_counters_is_refused() {
    for start_op in [
        0,
        2,
        u64::from(u32::MAX) - 1,
        u64::from(u32::MAX),
        1 << 32,
        i64::MAX as u64,
        u64::MAX,
    ] {
        assert_eq!(
            code(&Forged {
                start_op,
                ..Forged::default()
            }),
            "start_op_invalid",
            "{start_op}"
        );
    }
}

#[test]
fn a_start_op_must_follow_the_highest_dependency() {
    let (first, second) = (
        Forged::repeated(10),
        Forged {
            actor: vec![8; 16],
            ..Forged::repeated(20)
        },
    );
    let known = Known::after(&[&first, &second]);
    let both = vec![first.hash(), second.hash()];
    for (start_op, expected) in [
        (1, "start_op_invalid"),
        (11, "start_op_invalid"),
        (21, "admitted"),
        (22, "start_op_invalid"),
    ] {
        let change = Forged {
            dependencies: both.clone(),
            start_op,
            actor: vec![9; 16],
            ..Forged::default()
        };
        assert_eq!(known.code(&change.bytes()), expected, "{start_op}");
    }
}

#[test]
fn operations_past_the_counters_of_a_document_are_refused() {
    let first = Forged::default();
    let mut known = Known::after(&[&first]);
    known
        .max_ops
        .insert(first.hash(), limits::OPERATION_COUNTER_MAX - 1);
    let last = Forged {
        start_op: limits::OPERATION_COUNTER_MAX,
        ..following(&first)
    };
    assert_eq!(known.code(&last.bytes()), "admitted");
    let over = Forged {
        columns: Forged::repeated(2).columns,
        ..last
    };
    assert_eq!(known.code(&over.bytes()), "too_many_operations");
}

#[test]
fn too_many_dependencies_are_refused() {
    let hashes = |count: u64| {
        (0..count)
            .map(|number| hostile::hash(0, &unsigned(number)))
            .collect::<Vec<_>>()
    };
    let change = |count| Forged {
        dependencies: hashes(count),
        ..Forged::default()
    };
    assert_eq!(code(&change(64)), "unknown_dependency");
    assert_eq!(code(&change(65)), "too_many_dependencies");
    let flood = hostile::deflated(&change(100_000).content());
    assert!(matches!(
        Known::default().code(&flood),
        "change_too_large" | "decompression_bomb"
    ));
    let mut claimed = unsigned(100_000);
    claimed.extend([1; 32]);
    assert_eq!(
        Known::default().code(&hostile::chunk(1, &claimed)),
        "too_many_dependencies"
    );
}

#[test]
fn an_orphan_is_refused() {
    let first = Forged::default();
    let orphan = following(&first);
    assert_eq!(code(&orphan), "unknown_dependency");
    assert_eq!(Known::after(&[&first]).code(&orphan.bytes()), "admitted");
}

#[test]
fn a_forged_actor_is_refused() {
    let known = Known {
        actor: Some(vec![1; 16]),
        ..Known::default()
    };
    assert_eq!(known.code(&Forged::default().bytes()), "foreign_actor");
    assert_eq!(
        known.code(
            &Forged {
                actor: vec![1; 16],
                ..Forged::default()
            }
            .bytes()
        ),
        "admitted"
    );
}

#[test]
fn a_sequence_number_names_one_change() {
    let first = Forged::default();
    let known = Known::after(&[&first]);
    assert_eq!(known.code(&first.bytes()), "already_known");
    let second = Forged {
        time: 1,
        ..first.clone()
    };
    assert_eq!(known.code(&second.bytes()), "sequence_reused");
    let gap = Forged {
        seq: 3,
        dependencies: vec![first.hash()],
        start_op: 2,
        ..first.clone()
    };
    assert_eq!(known.code(&gap.bytes()), "sequence_gap");
    assert_eq!(known.code(&Forged { seq: 2, ..gap }.bytes()), "admitted");
    assert_eq!(
        code(&Forged {
            seq: 0,
            ..first.clone()
        }),
        "malformed"
    );
    assert_eq!(
        code(&Forged {
            seq: u64::MAX,
            ..first
        }),
        "malformed"
    );
}

#[test]
fn a_wrong_checksum_is_refused_before_anything_inside_is_read() {
    let mut bytes = Forged::repeated(8_000_000).bytes();
    bytes[4] ^= 1;
    assert_eq!(Known::default().code(&bytes), "checksum_mismatch");
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = Forged::default().bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Known::default().admit(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = Forged::default().bytes();
    for length in 0..bytes.len() {
        assert_eq!(Known::default().code(&bytes[..length]), "truncated", "{length}");
    }
    let content = Forged::default().content();
    for length in 0..content.len() {
        assert!(
            Known::default()
                .admit(&hostile::chunk(1, &content[..length]))
                .is_err(),
            "{length}"
        );
    }
}

#[test]
fn trailing_garbage_is_refused() {
    let mut bytes = Forged::default().bytes();
    bytes.push(0);
    assert_eq!(Known::default().code(&bytes), "trailing_bytes");
    assert_eq!(
        code(&Forged {
            extra: vec![1, 2, 3],
            ..Forged::default()
        }),
        "trailing_bytes"
    );
    let content = Forged::default().content();
    let stream = [hostile::deflate(&content), vec![0; 9]].concat();
    let mut chunk = hostile::chunk(2, &stream);
    chunk[4..8].copy_from_slice(&Forged::default().hash()[..4]);
    assert_eq!(Known::default().code(&chunk), "trailing_bytes");
}

#[test]
fn damaged_compression_is_refused() {
    let deflated = hostile::deflated(&Forged::default().content());
    let chunk = hostile::chunk(2, &deflated[10..deflated.len() - 3]);
    assert_eq!(Known::default().code(&chunk), "bad_compression");
    assert_eq!(
        Known::default().code(&hostile::chunk(2, &[0xff; 40])),
        "bad_compression"
    );
    assert_eq!(Known::default().code(&hostile::chunk(2, &[])), "bad_compression");
}

#[test]
fn other_chunks_are_refused() {
    for kind in [0, 3, 4, 255] {
        let bytes = hostile::chunk(kind, &Forged::default().content());
        assert_eq!(Known::default().code(&bytes), "unexpected_chunk", "{kind}");
    }
    assert_eq!(Known::default().code(b"%PDF-1.7 and more"), "unexpected_chunk");
    assert_eq!(split_chunks(&[]), Ok(Vec::new()));
    assert_eq!(Known::default().code(&[]), "truncated");
}

#[test]
fn a_length_beyond_memory_is_refused() {
    let frame = [&[0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1], &unsigned(u64::MAX)[..]].concat();
    assert_eq!(Known::default().code(&frame), "truncated");
    let columns = Forged::default().with_column(0x15, Vec::new());
    assert_eq!(code(&columns), "not_canonical");
}

#[test]
fn references_to_what_cannot_exist_are_refused() {
    let missing_actor = Forged::default()
        .with_column(0x70, literals(&[unsigned(1)]))
        .with_column(0x71, literals(&[unsigned(1)]))
        .with_column(0x73, literals(&[signed(1)]));
    assert_eq!(code(&missing_actor), "invalid_reference");
    let itself = missing_actor.clone().with_column(0x71, literals(&[unsigned(0)]));
    assert_eq!(code(&itself), "invalid_reference");
    let negative = itself.clone().with_column(0x73, literals(&[signed(-1)]));
    assert_eq!(code(&negative), "malformed");
    let stranger = Forged {
        others: vec![vec![9; 16]],
        ..missing_actor
    };
    assert_eq!(code(&stranger), "invalid_reference");
    let in_itself = Forged::default()
        .with_column(0x01, literals(&[unsigned(0)]))
        .with_column(0x02, literals(&[unsigned(1)]));
    assert_eq!(code(&in_itself), "invalid_reference");
    let deletion_of_nothing = Forged::default()
        .with_column(0x42, literals(&[unsigned(3)]))
        .with_column(0x56, literals(&[unsigned(0)]));
    assert_eq!(code(&deletion_of_nothing), "invalid_reference");
}

#[test]
fn values_that_differ_from_their_metadata_are_refused() {
    let value = |metadata: u64, bytes: &[u8]| {
        let change = Forged::default().with_column(0x56, literals(&[unsigned(metadata)]));
        if bytes.is_empty() {
            change
        } else {
            change.with_column(0x57, bytes.to_vec())
        }
    };
    assert_eq!(code(&value(3 << 4 | 6, b"abc")), "admitted");
    assert_eq!(code(&value(4 << 4 | 6, b"abc")), "malformed");
    assert_eq!(code(&value(2 << 4 | 6, b"abc")), "malformed");
    assert_eq!(code(&value(u64::MAX << 4 | 6, b"abc")), "malformed");
    assert_eq!(code(&value(2 << 4 | 6, &[0xff, 0xff])), "malformed");
    assert_eq!(code(&value(1 << 4, &[0])), "malformed");
    assert_eq!(code(&value(4 << 4 | 5, &[0; 4])), "truncated");
    assert_eq!(code(&value(2 << 4 | 3, &[0x80, 0])), "not_canonical");
    assert_eq!(code(&value(1 << 4 | 12, &[0])), "unsupported_operation");
}

#[test]
fn what_automerge_would_write_otherwise_is_refused() {
    let two = Forged::repeated(2);
    for (column, bytes) in [
        (0x15, literals(&[text("key"), text("key")])),
        (0x15, [run(1, &text("a")), run(1, &text("b"))].concat()),
        (
            0x42,
            [literals(&[unsigned(1)]), literals(&[unsigned(0)])].concat(),
        ),
        (0x42, run(2, &[0x81, 0x00])),
        (0x34, [unsigned(1), unsigned(0), unsigned(1)].concat()),
    ] {
        assert_eq!(
            code(&two.clone().with_column(column, bytes)),
            "not_canonical",
            "column {column:#x}"
        );
    }
    for others in [
        vec![vec![3; 16]],
        vec![vec![3; 16], vec![2; 16]],
        vec![vec![7; 16]],
    ] {
        let change = Forged {
            others,
            ..Forged::default()
        };
        assert_eq!(
            inspect_change(&change.bytes()).map_err(GateRefusal::code),
            Err("not_canonical")
        );
    }
    let hash = Forged::default().hash();
    assert_eq!(
        code(&Forged {
            dependencies: vec![hash, hash],
            ..Forged::default()
        }),
        "not_canonical"
    );
}

#[test]
fn what_this_library_never_writes_is_refused() {
    for action in [6, 7] {
        let change = Forged::default().with_column(0x42, literals(&[unsigned(action)]));
        assert_eq!(code(&change), "unsupported_operation");
    }
    assert_eq!(
        code(&Forged::default().with_column(0x42, literals(&[unsigned(8)]))),
        "malformed"
    );
    assert_eq!(
        code(&Forged::default().with_column(0x94, unsigned(1))),
        "unsupported_operation"
    );
    assert_eq!(
        code(&Forged::default().with_column(0xf2, unsigned(1))),
        "malformed"
    );
    assert_eq!(
        code(&Forged::default().with_column(0x42 | 8, hostile::deflate(&[1]))),
        "malformed"
    );
}

#[test]
fn headers_beyond_their_limits_are_refused() {
    assert_eq!(
        code(&Forged {
            actor: vec![7; 65],
            ..Forged::default()
        }),
        "malformed"
    );
    assert_eq!(
        code(&Forged {
            actor: Vec::new(),
            ..Forged::default()
        }),
        "malformed"
    );
    assert_eq!(
        code(&Forged {
            message: "m".repeat(1_025),
            ..Forged::default()
        }),
        "malformed"
    );
    assert_eq!(
        code(&Forged {
            time: i64::MIN,
            ..Forged::default()
        }),
        "malformed"
    );
    let others = (0..2_000_u16)
        .map(|number| number.to_be_bytes().to_vec())
        .collect();
    assert_eq!(
        code(&Forged {
            others,
            ..Forged::default()
        }),
        "too_many_actors"
    );
}

#[test]
fn a_refusal_says_nothing_of_the_content() {
    let change = Forged {
        message: "Ana Souza".repeat(200),
        ..Forged::default()
    };
    let refusal = Known::default().admit(&change.bytes()).expect_err("refused");
    assert!(!format!("{refusal} {refusal:?} {}", refusal.code()).contains("Ana"));
    let admitted = Known::default()
        .admit(&Forged::default().bytes())
        .expect("admitted");
    assert!(!format!("{admitted:?}").contains("[7, 7"));
}

#[test]
fn a_chain_of_changes_is_a_document() {
    let first = Forged::default();
    let second = following(&first);
    let whole = [first.bytes(), second.bytes()].concat();
    let admitted = admit_document(&whole).expect("admitted");
    assert_eq!(
        (admitted.changes, admitted.operations, admitted.max_op),
        (2, 2, 2)
    );
    assert_eq!(admitted.heads, [second.hash()]);
    let refused = |chunks: &[Vec<u8>]| admit_document(&chunks.concat()).map_err(GateRefusal::code);
    assert_eq!(
        refused(&[second.bytes(), first.bytes()]),
        Err("unknown_dependency")
    );
    assert_eq!(refused(&[first.bytes(), first.bytes()]), Err("already_known"));
    let forked = Forged {
        time: 1,
        ..first.clone()
    };
    assert_eq!(refused(&[first.bytes(), forked.bytes()]), Err("sequence_reused"));
    assert_eq!(refused(&[whole, b"garbage".to_vec()]), Err("unexpected_chunk"));
}

#[test]
fn many_small_bombs_in_one_document_are_refused_together() {
    let mut bytes = Vec::new();
    let mut last: Option<Forged> = None;
    for seq in 1..=20 {
        let mut change = Forged {
            seq,
            start_op: 1 + 70_000 * (seq - 1),
            ..Forged::repeated(70_000)
        };
        change.dependencies = last.iter().map(Forged::hash).collect();
        bytes.extend(change.bytes());
        last = Some(change);
    }
    assert!(bytes.len() < 4_000);
    assert_eq!(
        admit_document(&bytes).map_err(GateRefusal::code),
        Err("too_many_operations")
    );
}
