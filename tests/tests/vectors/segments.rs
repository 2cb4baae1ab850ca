//! Segments of rows: what a device reads from their bytes, and bytes that are none.

use super::file::{bytes, text};
use super::sample;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use vereda_core::document::segment::{Place, Segment, SegmentBuilder};
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::id::{Incarnation, PatientId, UnitId, UserId, WriteId};
use vereda_core::protocol::{Encoding, encode_body};
use vereda_core::record::{Compartment, Stream};

/// A segment of the documents that the sample's writes make: entries, drafts, a move, a chart with a conflict.
fn built() -> Vec<u8> {
    let incarnation = sample::incarnation();
    let mut documents: Vec<(DocumentKey, LoadedDocument)> = Vec::new();
    let mut places: BTreeMap<WriteId, Place> = BTreeMap::new();
    for ((_, write), seq) in sample::writes().into_iter().zip(101..) {
        let place = Place {
            origin: incarnation,
            n: write.n,
            seq,
            received_ms: sample::BEGIN_MS + seq as i64,
        };
        places.insert(write.id(&incarnation), place);
        for compiled in operations(&write, &incarnation) {
            let known = documents.iter().position(|(key, _)| *key == compiled.key);
            let at = known.unwrap_or_else(|| {
                documents.push((compiled.key, LoadedDocument::new()));
                documents.len() - 1
            });
            documents[at]
                .1
                .apply(&compiled.operations, &incarnation.actor(3), None)
                .expect("a change");
        }
    }
    documents.retain(|(key, _)| key.compartment == Compartment::Clinical);
    documents.sort_by_key(|(key, _)| (key.patient, key.chapter_numbers(), key.id()));
    let mut builder = SegmentBuilder::new(sample::stream(), 200);
    for (key, document) in &documents {
        builder.add(key, document, |header| places.get(&header.write).copied());
    }
    builder.finish()
}

fn said(segment: &[u8]) -> Value {
    let mut segment = Segment::decode(segment).expect("a segment");
    let (stream, as_of) = (segment.stream(), segment.as_of());
    let mut documents = Vec::new();
    while let Some(document) = segment.take() {
        let entries = document.entries.iter().map(|entry| {
            json!({"id": entry.id, "header": entry.header, "seq": entry.seq, "received_ms": entry.received_ms})
        });
        documents.push(json!({
            "id": document.key.id(), "bytes": document.bytes, "leaf": document.leaf,
            "entries": entries.collect::<Vec<_>>(), "states": document.states, "items": document.items,
        }));
    }
    json!({"stream": stream, "as_of": as_of, "documents": documents})
}

pub(crate) fn valid() -> Vec<Value> {
    let segment = built();
    vec![json!({
        "name": "entries, drafts and a chart",
        "segment": hex::encode(&segment),
        "hash": hex::encode(Sha256::digest(&segment)),
        "says": said(&segment),
    })]
}

pub(crate) fn check(vector: &Value) {
    let segment = bytes(vector, "segment");
    assert_eq!(hex::encode(Sha256::digest(&segment)), text(vector, "hash"));
    assert_eq!(said(&segment), vector["says"], "{}", text(vector, "name"));
}

/// The message of SPEC 11.6.
#[derive(Clone, Serialize)]
struct Message {
    stream: Stream,
    as_of: u64,
    origins: Vec<Incarnation>,
    people: Vec<UserId>,
    units: Vec<UnitId>,
    kinds: Vec<String>,
    patients: Vec<PatientId>,
    documents: BTreeMap<&'static str, Vec<u64>>,
    entries: BTreeMap<&'static str, Vec<Cell>>,
    states: Vec<u8>,
    items: Vec<u8>,
}

/// A number or a text.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Cell {
    Number(i64),
    Text(String),
}

/// One note, in one chapter.
fn one_note() -> Message {
    let numbers = [
        ("patient", 0),
        ("is_chart", 0),
        ("year", 2026),
        ("part", 0),
        ("bytes", 300),
        ("leaf", 1 << 60),
        ("entries", 1),
        ("states", 0),
        ("items", 0),
    ];
    let cells = [
        ("origin", 0),
        ("n", 1),
        ("index", 0),
        ("seq", 1),
        ("received_ms", sample::BEGIN_MS),
        ("kind", 0),
        ("occurred_ms", sample::BEGIN_MS),
        ("occurred_offset", -180),
        ("recorded_ms", 5),
        ("recorded_offset", -180),
        ("author", 0),
        ("unit", 0),
        ("marks", 0),
    ];
    let mut entries: BTreeMap<_, _> = cells
        .into_iter()
        .map(|(name, number)| (name, vec![Cell::Number(number)]))
        .collect();
    entries.insert("text", vec![Cell::Text("nota".into())]);
    entries.insert("body", vec![Cell::Text(String::new())]);
    entries.extend([("ids", vec![]), ("relations", vec![]), ("sources", vec![])]);
    Message {
        stream: sample::stream(),
        as_of: 1,
        origins: vec![sample::incarnation()],
        people: vec![sample::user()],
        units: vec![sample::unit()],
        kinds: vec!["note".into()],
        patients: vec![sample::patient()],
        documents: numbers
            .into_iter()
            .map(|(name, number)| (name, vec![number]))
            .collect(),
        entries,
        states: Vec::new(),
        items: Vec::new(),
    }
}

fn vector(name: &str, segment: &[u8]) -> Value {
    json!({"name": name, "segment": hex::encode(segment), "error": error_of(segment)})
}

fn error_of(segment: &[u8]) -> Option<String> {
    Segment::decode(segment)
        .err()
        .map(|error| error.code.as_str().to_owned())
}

pub(crate) fn invalid() -> Vec<Value> {
    let changed = |change: fn(&mut Message)| {
        let mut message = one_note();
        change(&mut message);
        encode_body(&message, Encoding::Vereda)
    };
    let one = changed(|_| ());
    assert_eq!(error_of(&one), None, "as it is, it is a segment");
    vec![
        vector("empty", &[]),
        vector("cut in the middle", &one[..one.len() / 2]),
        vector("a portal's page", b"<html><body>Welcome</body></html>"),
        vector(
            "a column of documents is missing",
            &changed(|message| drop(message.documents.remove("leaf"))),
        ),
        vector(
            "a column of documents is longer",
            &changed(|message| message.documents.entry("part").or_default().push(1)),
        ),
        vector(
            "a column of entries is shorter",
            &changed(|message| message.entries.entry("text").or_default().clear()),
        ),
        vector(
            "more entries than its documents have",
            &changed(|message| {
                message.documents.insert("entries", vec![0]);
            }),
        ),
        vector(
            "fewer entries than its documents have",
            &changed(|message| {
                message.documents.insert("entries", vec![u64::from(u32::MAX)]);
            }),
        ),
        vector(
            "a patient that no table has",
            &changed(|message| message.patients.clear()),
        ),
        vector(
            "an origin that no table has",
            &changed(|message| message.origins.clear()),
        ),
        vector(
            "an author that no table has",
            &changed(|message| message.people.clear()),
        ),
        vector(
            "a unit that no table has",
            &changed(|message| message.units.clear()),
        ),
        vector(
            "a kind that no table has",
            &changed(|message| message.kinds.clear()),
        ),
    ]
}

pub(crate) fn check_invalid(vector: &Value) {
    let error = error_of(&bytes(vector, "segment"));
    assert!(error.is_some(), "{} is refused", text(vector, "name"));
    assert_eq!(
        error.as_deref(),
        vector["error"].as_str(),
        "{}",
        text(vector, "name")
    );
}
