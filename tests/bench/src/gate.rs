//! What hostile bytes cost before they are refused: the golden vectors that must be, and bombs as large as they come.

use crate::figure::Figure;
use crate::measure::{begin_peak, peak_megabytes, seconds};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::Value;
use std::io::Write;
use vereda_core::document::LoadedDocument;
use vereda_core::limits::BODY_DECODED_BYTES_MAX;
use vereda_core::protocol::{Encoding, SyncRequest, decode_body, encode_body};

const CHANGES: &str = include_str!("../../vectors/invalid/changes.json");
const BODIES: &str = include_str!("../../vectors/invalid/bodies.json");

fn vectors(file: &str, field: &str, taken: &[&str]) -> Vec<(String, Vec<u8>)> {
    let file: Value = serde_json::from_str(file).expect("vectors");
    let vectors = file["vectors"].as_array().expect("vectors").clone();
    let hostile = vectors
        .iter()
        .filter(|vector| !taken.contains(&vector["error"].as_str().unwrap_or_default()))
        .filter(|vector| vector["media_type"] != "application/json")
        // The same bytes may be another message.
        .filter(|vector| vector["type"].is_null() || vector["type"] == "SyncRequest");
    hostile
        .map(|vector| {
            let bytes = hex::decode(vector[field].as_str().expect("hex")).expect("hex");
            (vector["name"].as_str().expect("a name").to_owned(), bytes)
        })
        .collect()
}

/// A deflated change of zeros that inflates to `megabytes`.
fn bomb(megabytes: usize) -> Vec<u8> {
    let mut deflater = DeflateEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1024 * 1024];
    (0..megabytes).for_each(|_| deflater.write_all(&zeros).expect("memory"));
    let content = deflater.finish().expect("memory");
    let mut change = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2];
    let mut length = content.len();
    while length >= 0x80 {
        change.push(length as u8 | 0x80);
        length >>= 7;
    }
    change.push(length as u8);
    [change, content].concat()
}

fn worst(refuse: impl Fn(&[u8]) -> bool, hostile: &[(String, Vec<u8>)]) -> (f64, f64) {
    let before = begin_peak();
    let mut slowest = 0.0_f64;
    for (name, bytes) in hostile {
        let mut fastest = f64::INFINITY;
        for _ in 0..5 {
            let begun = seconds();
            assert!(refuse(bytes), "{name} is refused");
            fastest = fastest.min((seconds() - begun) * 1e3);
        }
        slowest = slowest.max(fastest);
    }
    (slowest, peak_megabytes() - before)
}

fn print(what: &str, (milliseconds, megabytes): (f64, f64), goals: Option<(f64, f64)>) {
    for (name, value, unit, goal) in [
        (
            format!("hostile {what}, slowest refused"),
            milliseconds,
            "ms",
            goals.map(|goals| goals.0),
        ),
        (
            format!("hostile {what}, memory"),
            megabytes,
            "MB",
            goals.map(|goals| goals.1),
        ),
    ] {
        Figure {
            name: &name,
            value,
            unit,
            goal: goal.map(|goal| ("<=", goal)),
            floor: None,
        }
        .print();
    }
}

/// Changes at the gate, then bodies before it.
pub(crate) fn run() {
    let mut changes = vectors(CHANGES, "change", &["admitted"]);
    changes.push(("a bomb of a gigabyte".to_owned(), bomb(1_024)));
    changes.push((
        "noise of a megabyte".to_owned(),
        (0..1 << 20).map(|n: u32| ((n * 31) >> 3) as u8).collect(),
    ));
    print(
        "changes",
        worst(
            |bytes| LoadedDocument::new().apply_raw(bytes, &[7; 16]).is_err(),
            &changes,
        ),
        Some((10.0, 16.0)),
    );
    let mut bodies = vectors(BODIES, "body", &["taken"]);
    // Numbers as long as they come, each a byte of difference: as much as is joined before it is too long.
    let longest: Vec<u64> = (0..BODY_DECODED_BYTES_MAX as u64 / 9)
        .map(|n| (1 << 60) + n % 50)
        .collect();
    bodies.push((
        "numbers by columns".to_owned(),
        encode_body(&longest, Encoding::Vereda),
    ));
    print(
        "bodies as large as they may be",
        worst(
            |bytes| decode_body::<SyncRequest>(bytes, Encoding::Vereda).is_err(),
            &bodies,
        ),
        None,
    );
}
