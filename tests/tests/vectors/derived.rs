//! What both sides compute: given and result, by the kind of computation.

use super::file::{bytes, text, value};
use super::{messages, sample};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vereda_core::bytes::ByteBuf;
use vereda_core::document::digest::{DigestNode, record_leaf};
use vereda_core::document::{DocumentKey, LoadedDocument, digest_leaf, draft_digest};
use vereda_core::id::{ChartItemId, ConflictId, DocumentId, EntryId, Incarnation, PatientId, WriteId};
use vereda_core::protocol::{
    ChainHash, CorrelationId, Encoding, Frozen, SignedHeads, advance_audit, advance_chain_by_checks,
    chain_tag, columns, decode, decode_body, encode, encode_body,
};
use vereda_core::record::{Compartment, Write, canonical_json};
use vereda_core::time::Zoned;

/// A leaf as its eight bytes, and its place in the tree.
fn placed(id: &[u8; 16], leaf: u64) -> Value {
    json!({"leaf": hex::encode(leaf.to_be_bytes()), "place": DigestNode::place_of(id)})
}

/// Computes the result of a vector from what it gives.
fn result(vector: &Value) -> Value {
    let given = &vector["given"];
    let incarnation = || value::<Incarnation>(given, "incarnation");
    let number = |field| value::<u64>(given, field);
    let recorded_ms = || value::<i64>(given, "recorded_ms");
    match text(vector, "type") {
        "actor" => json!(hex::encode(incarnation().actor(value(given, "generation")))),
        "write_id" => json!(WriteId::derive(&incarnation(), number("n"))),
        "entry_id" => json!(EntryId::derive(
            &incarnation(),
            number("n"),
            number("index"),
            recorded_ms()
        )),
        "chart_item_id" => json!(ChartItemId::derive(&incarnation(), number("n"), recorded_ms())),
        "patient_id" => json!(PatientId::derive(&incarnation(), number("n"), recorded_ms())),
        "document_id" => {
            let patient = value(given, "patient");
            let compartment: Compartment = value(given, "compartment");
            let (year, part) = (value(given, "year"), value(given, "part"));
            json!(DocumentId::derive(
                text(given, "kind"),
                patient,
                compartment.name(),
                year,
                part
            ))
        }
        "conflict_id" => {
            let compartment: Compartment = value(given, "compartment");
            json!(ConflictId::derive(
                value(given, "patient"),
                compartment.name(),
                &value(given, "subject"),
                text(given, "field")
            ))
        }
        "document_leaf" => {
            let mut heads: Vec<[u8; 32]> = value::<Vec<String>>(given, "heads")
                .iter()
                .map(|hash| hex::decode(hash).expect("hex").try_into().expect("a hash"))
                .collect();
            heads.sort_unstable();
            let id: DocumentId = value(given, "document");
            placed(id.as_bytes(), digest_leaf(&id, &heads))
        }
        "record_leaf" => {
            let id: PatientId = value(given, "patient");
            placed(id.as_bytes(), record_leaf(&id, number("version")))
        }
        "genesis" => json!(hex::encode(LoadedDocument::genesis_hash())),
        "draft_digest" => {
            let body: Option<String> = value(given, "body");
            let occurred_at: Option<Zoned> = value(given, "occurred_at");
            json!(hex::encode(draft_digest(
                text(given, "text"),
                body.as_deref(),
                occurred_at
            )))
        }
        "log_chain" => {
            let previous = hash(given, "previous");
            let checks: Vec<u32> = value(given, "checks");
            let chain = advance_chain_by_checks(
                &previous,
                &incarnation(),
                &hash(given, "write_sha256"),
                &checks,
                value(given, "received_ms"),
            );
            json!({"chain": hex::encode(chain), "tag": hex::encode(*chain_tag(&chain))})
        }
        "audit_chain" => {
            let record = decode(&bytes(given, "record")).expect("a record");
            json!(hex::encode(advance_audit(&hash(given, "previous"), &record)))
        }
        "signed_heads" => {
            let key = SigningKey::from_bytes(&hash(given, "seed"));
            let heads: SignedHeads = value(given, "heads");
            json!({
                "public_key": hex::encode(key.verifying_key().to_bytes()),
                "message": hex::encode(heads.to_bytes()),
                "signature": hex::encode(key.sign(&heads.to_bytes()).to_bytes()),
            })
        }
        "correlation_id" => {
            let bearer = given["bearer"].is_string().then(|| bytes(given, "bearer"));
            json!(CorrelationId::of(bearer.as_deref(), &bytes(given, "body")).to_string())
        }
        "canonical_json" => json!(canonical_json(text(given, "json")).expect("JSON")),
        "dictionary" => {
            let dictionary: &[u8] = include_bytes!("../../../core/src/protocol/dictionary.bin");
            json!({"bytes": dictionary.len(), "sha256": hex::encode(Sha256::digest(dictionary))})
        }
        // Compressors differ; what a body decompresses to does not.
        "body" => {
            let read: Write = decode_body(&bytes(given, "body"), Encoding::Vereda).expect("a body");
            json!(hex::encode(encode(&read)))
        }
        "columns" => {
            let message = bytes(given, "message");
            let columns = columns::split(&message).expect("a message").concat();
            assert_eq!(columns::join(&columns, message.len()), Ok(message));
            json!(hex::encode(columns))
        }
        other => panic!("nothing derives a {other}"),
    }
}

fn hash(given: &Value, field: &str) -> [u8; 32] {
    bytes(given, field).try_into().expect("32 bytes")
}

/// Compares a stored vector.
pub(crate) fn check(vector: &Value) {
    assert_eq!(result(vector), vector["result"], "{}", text(vector, "name"));
}

fn vector(name: &str, kind: &str, given: Value) -> Value {
    let mut vector = json!({"name": name, "type": kind, "given": given});
    vector["result"] = result(&vector);
    vector
}

/// Every computation.
pub(crate) fn vectors() -> Vec<Value> {
    let incarnation = json!(sample::incarnation());
    let mut vectors = vec![
        vector(
            "actor",
            "actor",
            json!({"incarnation": incarnation, "generation": 0}),
        ),
        vector(
            "actor_after_rebuilds",
            "actor",
            json!({"incarnation": incarnation, "generation": 3}),
        ),
        vector(
            "write_id",
            "write_id",
            json!({"incarnation": incarnation, "n": 1}),
        ),
        vector(
            "write_id_large",
            "write_id",
            json!({"incarnation": incarnation, "n": u64::from(u32::MAX) + 1}),
        ),
        vector(
            "entry_id",
            "entry_id",
            json!({"incarnation": incarnation, "n": 4, "index": 0, "recorded_ms": sample::at(4).utc_ms}),
        ),
        vector(
            "entry_id_before_1970",
            "entry_id",
            json!({"incarnation": incarnation, "n": 4, "index": 1, "recorded_ms": -1}),
        ),
        vector(
            "chart_item_id",
            "chart_item_id",
            json!({"incarnation": incarnation, "n": 13, "recorded_ms": sample::BEGIN_MS}),
        ),
        vector(
            "patient_id",
            "patient_id",
            json!({"incarnation": incarnation, "n": 1, "recorded_ms": sample::BEGIN_MS}),
        ),
    ];
    let patient = sample::patient();
    for key in [
        DocumentKey::chapter(patient, Compartment::Clinical, 2026, 0),
        DocumentKey::chapter(patient, Compartment::Sensitive, 1999, 12),
        DocumentKey::chart(patient, Compartment::Clinical),
    ] {
        let (year, part) = key.chapter_numbers();
        let given = json!({
            "kind": key.kind_name(), "patient": patient, "compartment": key.compartment, "year": year, "part": part,
        });
        vectors.push(vector(
            &format!("document_id_{}_{year}_{part}", key.kind_name()),
            "document_id",
            given,
        ));
    }
    vectors.push(vector(
        "conflict_id",
        "conflict_id",
        json!({"patient": patient, "compartment": "identity", "subject": patient, "field": "name"}),
    ));
    vectors.push(vector("genesis", "genesis", json!({})));
    vectors.push(vector(
        "draft_digest",
        "draft_digest",
        json!({"text": sample::TEXT, "body": r#"{"systolic":120}"#, "occurred_at": sample::at(0)}),
    ));
    vectors.push(vector(
        "draft_digest_of_text_alone",
        "draft_digest",
        json!({"text": "PA", "body": null, "occurred_at": null}),
    ));
    vectors.extend(log_chain());
    vectors.extend(audit_chain());
    vectors.push(vector(
        "signed_heads",
        "signed_heads",
        json!({
            "seed": hex::encode([0x42; 32]),
            "heads": {"epoch": 99, "time_ms": sample::BEGIN_MS, "heads": [[17, hex::encode([0xc0; 8])]]},
        }),
    ));
    for (name, input) in [
        ("keys_sorted", r#"{ "b": 1, "a": [true, null, "é\u0301"] }"#),
        (
            "numbers",
            r#"[1.0, 1e21, 1e-7, 0.1, 9007199254740993, -0.0, 333333333.33333329]"#,
        ),
        ("utf16_order", "{\"\u{ff0a}\": 1, \"\u{1d11e}\": 2}"),
        ("escapes", r#""\u001f\n\/\"\\""#),
    ] {
        vectors.push(vector(
            &format!("canonical_json_{name}"),
            "canonical_json",
            json!({"json": input}),
        ));
    }
    vectors.push(vector("dictionary", "dictionary", json!({})));
    for (name, bearer) in [
        ("correlation_id", json!("a1b2c3")),
        ("correlation_id_without_token", json!(null)),
    ] {
        let given = json!({"bearer": bearer, "body": "00ff"});
        vectors.push(vector(name, "correlation_id", given));
    }
    let (name, write) = sample::writes().swap_remove(3);
    let body = encode_body(&write, Encoding::Vereda);
    vectors.push(vector(
        &format!("body_of_{name}"),
        "body",
        json!({"body": hex::encode(body)}),
    ));
    vectors.push(vector(
        "leaf_of_a_document_with_two_heads",
        "document_leaf",
        json!({"document": DocumentId::derive("chapter", sample::patient(), "clinical", 2026, 0),
               "heads": [hex::encode([0x22; 32]), hex::encode([0x11; 32])]}),
    ));
    vectors.push(vector(
        "leaf_of_a_record",
        "record_leaf",
        json!({"patient": sample::patient(), "version": 2}),
    ));
    vectors.extend(by_columns());
    vectors
}

/// Each kind of leaf, the places of short and long arrays, a frozen write, and a message of all writes.
fn by_columns() -> Vec<Value> {
    let frozen: Vec<Frozen<Write>> = sample::writes()
        .into_iter()
        .map(|(_, write)| Frozen::new(write))
        .collect();
    let leaves = json!({
        "unsigned": [0, 1, u64::MAX, 0, 7], "negative": [-1, -70_000], "text": ["", "PA 12/8", "ã"],
        "simple": [true, false, null, 1.5], "pairs": [[1, -3], [2, -3], [3, -3], [4, -3], [5, -3]], "empty": [{}, []],
    });
    let messages = [
        ("leaves", encode(&leaves)),
        ("a_frozen_write", encode(&frozen[0])),
        ("frozen_writes", encode(&frozen)),
        (
            "bytes_that_are_no_map",
            encode(&vec![ByteBuf::from([0xa1, 0x18, 0x01]), ByteBuf::from([7; 16])]),
        ),
    ];
    let given = |message: &Vec<u8>| json!({"message": hex::encode(message)});
    messages
        .iter()
        .map(|(name, message)| vector(&format!("columns_of_{name}"), "columns", given(message)))
        .collect()
}

fn log_chain() -> Vec<Value> {
    let mut previous: ChainHash = [0; 32];
    let mut steps = Vec::new();
    for (index, (name, write)) in sample::writes().into_iter().take(6).enumerate() {
        let checks: Vec<u32> = (0..index as u32 % 3).map(|n| 0xfeed_0000 + n).collect();
        let given = json!({
            "previous": hex::encode(previous),
            "incarnation": sample::incarnation(),
            "write_sha256": hex::encode(Write::hash(&write.to_bytes())),
            "checks": checks,
            "received_ms": sample::BEGIN_MS + index as i64,
        });
        let step = vector(&format!("log_chain_{}_{name}", index + 1), "log_chain", given);
        previous = hash(&step["result"], "chain");
        steps.push(step);
    }
    steps
}

fn audit_chain() -> Vec<Value> {
    let mut previous: ChainHash = [0; 32];
    let mut steps = Vec::new();
    for (name, record) in messages::audit_records() {
        let given = json!({"previous": hex::encode(previous), "record": hex::encode(encode(&record))});
        steps.push(vector(&format!("audit_chain_{name}"), "audit_chain", given));
        previous = advance_audit(&previous, &record);
    }
    steps
}
