//! Writes, and the changes they are encoded as.

use super::{file, sample};
use serde_json::{Value, json};
use std::collections::HashMap;
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::protocol::change_check;

/// Every intent.
pub(crate) fn vectors() -> Vec<Value> {
    let incarnation = sample::incarnation();
    let vector = |(name, write): (&str, vereda_core::record::Write)| {
        let mut vector = file::encoded(name, "Write", &write);
        vector["incarnation"] = json!(incarnation);
        vector["id"] = json!(write.id(&incarnation));
        vector["class"] = json!(write.class());
        vector
    };
    sample::writes().into_iter().map(vector).collect()
}

/// The changes of the same writes, each on top of what stands before it.
pub(crate) fn changes() -> Vec<Value> {
    let incarnation = sample::incarnation();
    let generation = 3;
    let mut documents: HashMap<DocumentKey, LoadedDocument> = HashMap::new();
    let mut vectors = Vec::new();
    for (name, write) in sample::writes() {
        for (ordinal, compiled) in operations(&write, &incarnation).into_iter().enumerate() {
            let document = documents.entry(compiled.key).or_default();
            let applied = document
                .apply(&compiled.operations, &incarnation.actor(generation), None)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let (year, part) = compiled.key.chapter_numbers();
            vectors.push(json!({
                "name": name,
                "write": hex::encode(write.to_bytes()),
                "incarnation": incarnation,
                "generation": generation,
                "actor": hex::encode(incarnation.actor(generation)),
                "ordinal": ordinal,
                "document": {
                    "kind": compiled.key.kind_name(), "patient": compiled.key.patient,
                    "compartment": compiled.key.compartment, "year": year, "part": part, "id": compiled.key.id(),
                },
                "dependencies": applied.dependencies.iter().map(hex::encode).collect::<Vec<_>>(),
                "change": hex::encode(&applied.bytes),
                "hash": hex::encode(applied.hash),
                "check": change_check(&applied.hash),
            }));
        }
    }
    vectors
}
