//! Devices of an earlier minor version: what they send is read to the byte, and what they are answered is made of
//! the words they know.

use super::{check, file};
use serde::Deserialize;
use serde_json::Value;
use vereda_core::bytes::{ByteArray, ByteBuf};
use vereda_core::engine::HttpRequest;
use vereda_core::id::{Incarnation, UnitId, UserId};
use vereda_core::protocol::{self, Cursor, Encoding, SyncAnswer, decode_body, encode_body};
use vereda_core::record::Stream;
use vereda_tests::World;

const MESSAGES: &str = "v1.8/messages.json";
const WRITES: &str = "v1.8/writes.json";

/// An answer as minor version 8 reads it: the fields it had, and no other variant than its own.
#[derive(Deserialize)]
#[allow(dead_code, reason = "that they can be read is what is tested")]
struct FormerAnswer {
    epoch: u64,
    time_ms: i64,
    #[serde(default)]
    seen: Option<FormerSeen>,
    #[serde(default)]
    outcomes: Vec<FormerRun>,
    #[serde(default)]
    origins: Vec<Incarnation>,
    #[serde(default)]
    pages: Vec<FormerPage>,
    #[serde(default)]
    scope: Option<FormerScope>,
    #[serde(default)]
    tokens: Option<FormerTokens>,
    #[serde(default)]
    durable: Vec<(u32, u64)>,
    signature: ByteArray<64>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerSeen {
    n: u64,
    check: u32,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerRun {
    n: u64,
    count: u32,
    outcome: FormerOutcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "as above")]
enum FormerOutcome {
    Accepted {
        seq: u64,
        received_ms: i64,
        #[serde(default)]
        changes: Vec<ByteArray<32>>,
    },
    Refused {
        code: String,
        detail: String,
    },
    Retry {
        code: String,
    },
    Park {
        code: String,
    },
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerPage {
    stream: Stream,
    first: u64,
    items: Vec<FormerItem>,
    received_ms: Vec<(u32, i64)>,
    more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "as above")]
enum FormerItem {
    Own {
        n: u64,
        count: u32,
    },
    Item {
        origin: u32,
        generation: u32,
        write: ByteBuf,
        #[serde(default)]
        changes: Vec<FormerChange>,
    },
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerChange {
    check: u32,
    #[serde(default)]
    dependencies: Option<Vec<ByteArray<32>>>,
    #[serde(default)]
    raw: Option<ByteBuf>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerScope {
    version: u32,
    units: Vec<FormerUnit>,
    streams: Vec<Stream>,
    people: Vec<FormerPerson>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerUnit {
    id: UnitId,
    name: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerPerson {
    id: UserId,
    name: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct FormerTokens {
    access: ByteBuf,
    refresh: ByteBuf,
    expires_ms: i64,
}

#[test]
fn what_a_device_of_minor_version_8_says_is_understood_to_the_byte() {
    for vector in file::read(MESSAGES) {
        check::message(&vector);
    }
    for vector in file::read(WRITES) {
        check::write(&vector);
    }
}

#[test]
fn today_a_message_of_minor_version_8_is_still_made_of_the_same_bytes() {
    // Those whose sample did not change since: fields that came later are absent where nobody uses them.
    let same: Vec<Value> = file::read(MESSAGES)
        .into_iter()
        .filter(|former| super::messages::vectors().contains(former))
        .collect();
    for name in [
        "sync_request_idle",
        "sync_answer_idle",
        "snapshot_request",
        "enrol_request",
    ] {
        assert!(
            same.iter().any(|vector| vector["name"] == name),
            "{name} has other bytes"
        );
    }
}

#[test]
fn naming_the_minor_version_costs_a_round_with_nothing_new_few_bytes() {
    let vectors = file::read("messages.json");
    let size = |name: &str| {
        let found = vectors
            .iter()
            .find(|vector| vector["name"] == name)
            .expect("a vector");
        let request: protocol::SyncRequest =
            protocol::decode(&file::bytes(found, "cbor")).expect("a request");
        encode_body(&request, Encoding::Vereda).len()
    };
    let more = size("sync_request_that_names_its_minor_version") - size("sync_request_idle");
    assert!(more <= 12, "{more} bytes more");
}

#[test]
fn an_answer_to_a_device_of_minor_version_8_has_nothing_it_cannot_read() {
    for vector in file::read(MESSAGES) {
        if vector["type"] == "SyncAnswer" {
            let read: Result<FormerAnswer, _> = protocol::decode(&file::bytes(&vector, "cbor"));
            assert!(read.is_ok(), "the former reader reads its own time");
        }
    }
    let mut world = World::new(881, 2);
    let patient = world.patient(0, "Maria");
    world.add(0, patient, 1, "Headache.");
    world.converge();
    world.add(1, patient, 2, "Better.");
    world.converge();
    let enrolment = world.enrolment(1);
    let request = protocol::SyncRequest {
        // Nobody's: own items come in full as well.
        incarnation: 0,
        epoch: enrolment.epoch,
        cursors: enrolment
            .scope
            .streams
            .iter()
            .map(|stream| Cursor {
                stream: *stream,
                seq: 0,
                chain: [0; 8].into(),
            })
            .collect(),
        ..protocol::SyncRequest::default()
    };
    let bytes = ask(&mut world, 1, &request);
    let former: FormerAnswer = protocol::decode(&bytes).expect("minor version 8 reads it");
    let items: usize = former.pages.iter().map(|page| page.items.len()).sum();
    assert!(items >= 3, "a registration and two notes");
    assert!(former.scope.is_some(), "the scope it did not name");
    for field in fields(&bytes) {
        assert!(
            [
                "epoch",
                "time_ms",
                "seen",
                "outcomes",
                "origins",
                "pages",
                "scope",
                "signature"
            ]
            .contains(&field.as_str()),
            "{field}: a field it did not ask for"
        );
    }
}

fn fields(bytes: &[u8]) -> Vec<String> {
    let whole: std::collections::BTreeMap<String, serde::de::IgnoredAny> =
        protocol::decode(bytes).expect("a map");
    whole.into_keys().collect()
}

/// What the server says to a request, as bytes.
fn ask(world: &mut World, device: usize, request: &protocol::SyncRequest) -> Vec<u8> {
    let access = world.enrolment(device).tokens.expect("signed in").access.clone();
    let reply = world.ask_server(&HttpRequest {
        server: "http://localhost".into(),
        authority: None,
        method: "POST",
        path: protocol::PATH_SYNC,
        bearer: Some(access),
        content_type: Encoding::Vereda.media_type(),
        body: encode_body(request, Encoding::Vereda),
    });
    assert_eq!(reply.status, 200);
    let answer: SyncAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
    protocol::encode(&answer)
}
