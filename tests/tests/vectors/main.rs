//! The golden vectors of docs/SPEC.md (`tests/vectors`): what they say, this implementation says too, in both
//! directions. Another implementation of the protocol is held to the same files.
//!
//! `VEREDA_WRITE_VECTORS=1 cargo test -p vereda-tests --test vectors` writes them anew, for a vector that was added.
//! A vector of a released version never changes.

mod check;
mod derived;
mod file;
mod former;
#[path = "../../../core/tests/gate_support/hostile.rs"]
#[allow(dead_code, reason = "the gate's own tests use the rest")]
mod hostile;
mod invalid;
mod messages;
mod sample;
mod segments;
mod tails;
mod writes;

use serde_json::Value;

fn written(name: &str, about: &str, vectors: Vec<Value>) {
    file::write_or_compare(name, about, vectors);
}

#[test]
fn every_message_has_the_bytes_and_the_json_of_its_vector() {
    written(
        "messages.json",
        "Every message: canonical CBOR, the same as JSON, SHA-256 of the CBOR.",
        messages::vectors(),
    );
    for vector in file::read("messages.json") {
        check::message(&vector);
    }
}

#[test]
fn every_write_has_the_bytes_the_hash_and_the_id_of_its_vector() {
    written(
        "writes.json",
        "Every intent as a write: canonical CBOR, JSON, its SHA-256 (the hash of the idempotency key), its id.",
        writes::vectors(),
    );
    for vector in file::read("writes.json") {
        check::write(&vector);
    }
}

#[test]
fn every_write_becomes_the_change_of_its_vector() {
    written(
        "changes.json",
        "The change each write is encoded as, document by document, in this order from the genesis change on.",
        writes::changes(),
    );
    check::changes(&file::read("changes.json"));
}

#[test]
fn ids_digests_and_chains_come_out_as_their_vectors_say() {
    written(
        "derived.json",
        "What is computed and does not travel: ids, actors, digests, running hashes, signatures.",
        derived::vectors(),
    );
    for vector in file::read("derived.json") {
        derived::check(&vector);
    }
}

#[test]
fn a_body_that_must_be_refused_is_refused() {
    written(
        "invalid/bodies.json",
        "Bodies that are no message: what comes, and why it is refused.",
        invalid::bodies(),
    );
    for vector in file::read("invalid/bodies.json") {
        invalid::check_body(&vector);
    }
}

#[test]
fn a_write_that_must_be_refused_is_refused_with_its_code() {
    written(
        "invalid/writes.json",
        "Writes that can be read and may not be accepted, with the code.",
        invalid::writes(),
    );
    for vector in file::read("invalid/writes.json") {
        invalid::check_write(&vector);
    }
}

#[test]
fn a_change_that_must_be_refused_is_refused_at_the_gate() {
    written(
        "invalid/changes.json",
        "Changes that may not reach the merge library, with the gate's code. The document holds the genesis change \
         alone; `actor`, where given, is the only one that may write.",
        invalid::changes(),
    );
    for vector in file::read("invalid/changes.json") {
        invalid::check_change(&vector);
    }
}

#[test]
fn a_run_of_a_tail_is_believed_only_as_it_was_signed() {
    written(
        "tails.json",
        "A run given back to the server whose key is `signing_key`: it is what was signed.",
        tails::valid(),
    );
    written(
        "invalid/tails.json",
        "Runs that are refused whole, with the flaw.",
        tails::invalid(),
    );
    for name in ["tails.json", "invalid/tails.json"] {
        for vector in file::read(name) {
            tails::check(&vector);
        }
    }
}

#[test]
fn a_segment_says_what_its_vector_says_and_what_is_none_is_refused() {
    written(
        "segments.json",
        "A segment's bytes, the hash that names it, and what its documents say.",
        segments::valid(),
    );
    for vector in file::read("segments.json") {
        segments::check(&vector);
    }
    written(
        "invalid/segments.json",
        "Bytes that are no segment, with the code of the device: its rows are not read.",
        segments::invalid(),
    );
    for vector in file::read("invalid/segments.json") {
        segments::check_invalid(&vector);
    }
}
