//! The files of vectors.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name)
}

/// The vectors of a file.
pub(crate) fn read(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    file["vectors"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| panic!("{name}: no vectors"))
}

/// Compares what this implementation makes with the file, or writes the file when asked to.
pub(crate) fn write_or_compare(name: &str, about: &str, vectors: Vec<Value>) {
    if std::env::var_os("VEREDA_WRITE_VECTORS").is_some() {
        let file = json!({"about": about, "vectors": vectors});
        let text = serde_json::to_string_pretty(&file).expect("JSON") + "\n";
        std::fs::write(path(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
        return;
    }
    let stored = read(name);
    for (stored, made) in stored.iter().zip(&vectors) {
        assert_eq!(stored, made, "{name}: another vector than the stored one");
    }
    assert_eq!(
        stored.len(),
        vectors.len(),
        "{name}: other vectors than the stored ones"
    );
}

/// A value as canonical CBOR, as JSON, and its hash.
pub(crate) fn encoded<T: Serialize>(name: &str, kind: &str, value: &T) -> Value {
    let bytes = vereda_core::protocol::encode(value);
    json!({
        "name": name,
        "type": kind,
        "cbor": hex::encode(&bytes),
        "json": serde_json::to_value(value).expect("JSON"),
        "sha256": hex::encode(Sha256::digest(&bytes)),
    })
}

/// The bytes of a field.
pub(crate) fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    let text = vector[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is missing: {vector}"));
    hex::decode(text).unwrap_or_else(|error| panic!("{field}: {error}"))
}

/// The text of a field.
pub(crate) fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is missing: {vector}"))
}

/// A field read as JSON.
pub(crate) fn value<T: serde::de::DeserializeOwned>(vector: &Value, field: &str) -> T {
    serde_json::from_value(vector[field].clone()).unwrap_or_else(|error| panic!("{field}: {error}: {vector}"))
}
