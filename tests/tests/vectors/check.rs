//! Reading the stored vectors back, in both directions.

use super::file::{bytes, text, value};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Debug;
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::id::{DocumentId, Incarnation, WriteId};
use vereda_core::protocol::{
    self, AuditRecord, DigestAnswer, DigestRequest, DocumentsAnswer, DocumentsRequest, EnrolAnswer,
    EnrolRequest, EnrolmentCode, FindAnswer, FindRequest, Problem, SegmentRequest, SegmentsAnswer,
    SegmentsRequest, SignedHeads, SnapshotAnswer, SnapshotRequest, SyncAnswer, SyncRequest, TailAnswer,
    TailRequest, WholeHeads,
};
use vereda_core::record::{Class, KindRegistry, Write};

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(vector: &Value) -> T {
    let name = text(vector, "name");
    let stored = bytes(vector, "cbor");
    let read: T = protocol::decode(&stored).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(
        hex::encode(protocol::encode(&read)),
        hex::encode(&stored),
        "{name}: other bytes"
    );
    let from_json: T = value(vector, "json");
    assert_eq!(from_json, read, "{name}: the JSON says something else");
    assert_eq!(
        serde_json::to_value(&read).expect("JSON"),
        vector["json"],
        "{name}: other JSON"
    );
    assert_eq!(
        hex::encode(Sha256::digest(&stored)),
        text(vector, "sha256"),
        "{name}: another hash"
    );
    read
}

/// A message of the wire.
pub(crate) fn message(vector: &Value) {
    match text(vector, "type") {
        "EnrolmentCode" => drop(both_ways::<EnrolmentCode>(vector)),
        "EnrolRequest" => drop(both_ways::<EnrolRequest>(vector)),
        "EnrolAnswer" => drop(both_ways::<EnrolAnswer>(vector)),
        "SyncRequest" => drop(both_ways::<SyncRequest>(vector)),
        "SyncAnswer" => drop(both_ways::<SyncAnswer>(vector)),
        "FindRequest" => drop(both_ways::<FindRequest>(vector)),
        "FindAnswer" => drop(both_ways::<FindAnswer>(vector)),
        "SnapshotRequest" => drop(both_ways::<SnapshotRequest>(vector)),
        "SegmentsRequest" => drop(both_ways::<SegmentsRequest>(vector)),
        "SegmentsAnswer" => drop(both_ways::<SegmentsAnswer>(vector)),
        "SegmentRequest" => drop(both_ways::<SegmentRequest>(vector)),
        "DigestRequest" => drop(both_ways::<DigestRequest>(vector)),
        "DigestAnswer" => drop(both_ways::<DigestAnswer>(vector)),
        "DocumentsRequest" => drop(both_ways::<DocumentsRequest>(vector)),
        "DocumentsAnswer" => drop(both_ways::<DocumentsAnswer>(vector)),
        "SnapshotAnswer" => drop(both_ways::<SnapshotAnswer>(vector)),
        "SignedHeads" => drop(both_ways::<SignedHeads>(vector)),
        "WholeHeads" => drop(both_ways::<WholeHeads>(vector)),
        "TailRequest" => drop(both_ways::<TailRequest>(vector)),
        "TailAnswer" => drop(both_ways::<TailAnswer>(vector)),
        "AuditRecord" => drop(both_ways::<AuditRecord>(vector)),
        "Problem" => drop(both_ways::<Problem>(vector)),
        other => panic!("no message is called {other}"),
    }
}

/// A write: its bytes, its id, and that it may be accepted.
pub(crate) fn write(vector: &Value) {
    let write: Write = both_ways(vector);
    let name = text(vector, "name");
    let incarnation: Incarnation = value(vector, "incarnation");
    assert_eq!(write.id(&incarnation), value::<WriteId>(vector, "id"), "{name}");
    assert_eq!(write.class(), value::<Class>(vector, "class"), "{name}");
    assert_eq!(
        hex::encode(Write::hash(&write.to_bytes())),
        text(vector, "sha256"),
        "{name}"
    );
    let judged = write.validate(&KindRegistry::standard());
    assert!(judged.is_ok(), "{name}: {judged:?}");
}

/// Changes, each computed from its write, and each taken in as bytes.
pub(crate) fn changes(vectors: &[Value]) {
    let mut documents: HashMap<DocumentId, (LoadedDocument, LoadedDocument)> = HashMap::new();
    for vector in vectors {
        let name = text(vector, "name");
        let incarnation: Incarnation = value(vector, "incarnation");
        let actor = incarnation.actor(value(vector, "generation"));
        assert_eq!(hex::encode(actor), text(vector, "actor"), "{name}");
        let write = Write::from_bytes(&bytes(vector, "write")).expect("a write");
        let compiled = operations(&write, &incarnation).swap_remove(value(vector, "ordinal"));
        let described = &vector["document"];
        let key = DocumentKey::from_parts(
            text(described, "kind"),
            value(described, "patient"),
            value(described, "compartment"),
            (value(described, "year"), value(described, "part")),
        );
        assert_eq!(key, Some(compiled.key), "{name}");
        assert_eq!(compiled.key.id(), value::<DocumentId>(described, "id"), "{name}");
        let dependencies: Vec<[u8; 32]> = value::<Vec<String>>(vector, "dependencies")
            .iter()
            .map(|hash| hex::decode(hash).expect("hex").try_into().expect("a hash"))
            .collect();
        let (computing, taking) = documents.entry(compiled.key.id()).or_default();
        let computed = computing
            .apply(&compiled.operations, &actor, Some(&dependencies))
            .expect("a change");
        assert_eq!(
            hex::encode(&computed.bytes),
            text(vector, "change"),
            "{name}: another change"
        );
        assert_eq!(hex::encode(computed.hash), text(vector, "hash"), "{name}");
        assert_eq!(
            protocol::change_check(&computed.hash),
            value::<u32>(vector, "check"),
            "{name}"
        );
        let taken = taking
            .apply_raw(&computed.bytes, &actor)
            .expect("the gate admits it");
        assert_eq!(taken.hash, computed.hash, "{name}");
        assert_eq!(
            taken.touched, computed.touched,
            "{name}: operations and patches touch different things"
        );
        assert!(taking.shows_the_same_as(computing), "{name}");
    }
}
