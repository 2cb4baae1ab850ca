//! The ways in: whatever the server says to a device, and whatever the device then holds. A new endpoint is a new
//! row of [`WAYS`].

use crate::clinic::{Clinic, PLACES, Reader};
use crate::tails::tail;
use vereda_core::bytes::ByteArray;
use vereda_core::client::{ExportFormat, PageRequest, PatientFilter};
use vereda_core::document::digest::DigestNode;
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::engine::HttpRequest;
use vereda_core::id::{Incarnation, PatientId, UnitId};
use vereda_core::protocol::{
    ChangeReference, Cursor, DigestAnswer, DigestAsked, DigestRequest, DocumentsAnswer, DocumentsRequest,
    Encoding, EnrolAnswer, FindAnswer, FindRequest, Frozen, PATH_DIGEST, PATH_DOCUMENTS, PATH_ENROL,
    PATH_FIND, PATH_SEGMENT, PATH_SEGMENTS, PATH_SNAPSHOT, PATH_SYNC, PATH_TAIL, PushItem, SegmentName,
    SegmentRequest, SegmentsAnswer, SegmentsRequest, SnapshotAnswer, SnapshotRequest, SyncAnswer,
    SyncRequest, TailAnswer, change_check, decode_body, encode, encode_body,
};
use vereda_core::record::{Compartment, Intent, PatientRecord, Stream, Write};
use vereda_core::store::entries::EntryFilter;
use vereda_core::store::meta;
use vereda_core::sync::Reply;
use vereda_tests::note;

/// What came in by one way.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Bytes as they came, and as they read once they are decompressed and decoded.
    pub(crate) bytes: Vec<Vec<u8>>,
}

impl Heard {
    pub(crate) fn take(&mut self, path: &str, encoding: Encoding, reply: &Reply) {
        self.bytes.push(reply.body.clone());
        if reply.status == 200 {
            self.bytes.push(plain(path, encoding, &reply.body));
        }
        self.bytes.push(reply.content_type.clone().into_bytes());
    }
}

/// A way in.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) go: fn(&mut Clinic, Reader) -> Heard,
    /// Whether whoever may read something finds it here: words that are in the scope of the reader are expected.
    pub(crate) shows: &'static [Compartment],
}

const ALL: &[Compartment] = &[
    Compartment::Identity,
    Compartment::Clinical,
    Compartment::Sensitive,
];

/// The way by which whoever may claim a patient of another unit of the tenant learns that they are there.
pub(crate) const FIND: &str = "find by identifier";

/// Every way in.
pub(crate) const WAYS: &[Way] = &[
    Way {
        name: "enrol and pull",
        go: enrol_and_pull,
        shows: ALL,
    },
    Way {
        name: "pull with others' cursors",
        go: others_cursors,
        shows: &[],
    },
    Way {
        name: "pull of everything as JSON",
        go: pull_json,
        shows: ALL,
    },
    Way {
        name: "pull of whole changes",
        go: pull_raw,
        shows: ALL,
    },
    Way {
        name: "snapshot",
        go: snapshot,
        shows: &[Compartment::Identity],
    },
    Way {
        name: "snapshot as JSON",
        go: snapshot_json,
        shows: &[Compartment::Identity],
    },
    Way {
        name: "segments",
        go: segments,
        shows: &[],
    },
    Way {
        name: "documents by id",
        go: documents,
        shows: &[],
    },
    Way {
        name: "digests",
        go: digests,
        shows: &[],
    },
    Way {
        name: "the tail of a log",
        go: tail,
        shows: &[],
    },
    Way {
        name: FIND,
        go: find,
        shows: &[],
    },
    Way {
        name: "push onto others' patients",
        go: push_anywhere,
        shows: &[],
    },
    Way {
        name: "requests that are none",
        go: nonsense,
        shows: &[],
    },
    Way {
        name: "lists, search and timelines",
        go: lists,
        shows: ALL,
    },
    Way {
        name: "export and statistics",
        go: exports,
        shows: &[Compartment::Identity],
    },
    Way {
        name: "the device's file",
        go: file,
        shows: ALL,
    },
];

fn plain(path: &str, encoding: Encoding, body: &[u8]) -> Vec<u8> {
    let decoded = match path {
        PATH_SYNC => decode_body::<SyncAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_ENROL => decode_body::<EnrolAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_SNAPSHOT => decode_body::<SnapshotAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_SEGMENTS => decode_body::<SegmentsAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_DOCUMENTS => decode_body::<DocumentsAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_DIGEST => decode_body::<DigestAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_FIND => decode_body::<FindAnswer>(body, encoding).map(|answer| encode(&answer)),
        PATH_TAIL => decode_body::<TailAnswer>(body, encoding).map(|answer| encode(&answer)),
        _ => return body.to_vec(),
    };
    decoded.expect("an answer of this path")
}

/// The same device enrols and pulls again, from nothing: a second store of the same user.
fn enrol_and_pull(clinic: &mut Clinic, reader: Reader) -> Heard {
    clinic.world.network.heard = Some(Vec::new());
    let name = format!("second device of {}", reader.device);
    let second = clinic.join(reader.place, &name, reader.role, reader.is_granted);
    clinic.world.sync(second);
    let mut heard = Heard::default();
    for (request, reply) in clinic.world.network.heard.take().expect("listening") {
        heard.take(request.path, Encoding::Vereda, &reply);
    }
    heard
}

pub(crate) fn ask<T: serde::Serialize>(
    clinic: &mut Clinic,
    reader: Reader,
    method: &'static str,
    path: &'static str,
    encoding: Encoding,
    message: &T,
) -> Reply {
    let access = clinic
        .world
        .enrolment(reader.device)
        .tokens
        .expect("signed in")
        .access;
    clinic.world.ask_server(&HttpRequest {
        server: "http://localhost".into(),
        authority: None,
        method,
        path,
        bearer: Some(access),
        content_type: encoding.media_type(),
        body: encode_body(message, encoding),
    })
}

fn posted<T: serde::Serialize>(
    clinic: &mut Clinic,
    reader: Reader,
    path: &'static str,
    encoding: Encoding,
    message: &T,
) -> Heard {
    let reply = ask(clinic, reader, "POST", path, encoding, message);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let mut heard = Heard::default();
    heard.take(path, encoding, &reply);
    heard
}

fn incarnation(clinic: &Clinic, device: usize) -> Incarnation {
    meta::get(&clinic.world.device_file(device), "incarnation")
        .expect("the store reads")
        .expect("an incarnation")
}

/// A request of this device with cursors at the beginning of every stream there is.
fn everything(clinic: &Clinic, reader: Reader) -> SyncRequest {
    let streams = clinic.units.iter().flat_map(|unit| {
        Compartment::ALL
            .into_iter()
            .map(|compartment| Stream::new(*unit, compartment))
    });
    SyncRequest {
        // Nobody's: own items come in full as well.
        incarnation: 0,
        epoch: clinic.world.enrolment(reader.device).epoch,
        cursors: streams
            .map(|stream| Cursor {
                stream,
                seq: 0,
                chain: [0; 8].into(),
            })
            .collect(),
        minor: vereda_core::protocol::MINOR,
        ..SyncRequest::default()
    }
}

fn others_cursors(clinic: &mut Clinic, reader: Reader) -> Heard {
    let own: Vec<Stream> = clinic.world.enrolment(reader.device).scope.streams;
    let mut heard = Heard::default();
    for (seq, chain) in [(0, [0; 8]), (1, [7; 8]), (9_999, [1; 8])] {
        let mut request = everything(clinic, reader);
        request.cursors.retain(|cursor| !own.contains(&cursor.stream));
        for cursor in &mut request.cursors {
            (cursor.seq, cursor.chain) = (seq, chain.into());
        }
        let reply = ask(clinic, reader, "POST", PATH_SYNC, Encoding::Vereda, &request);
        let answer: SyncAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
        assert!(answer.pages.is_empty() && answer.origins.is_empty() && answer.durable.is_empty());
        assert_eq!(answer.epoch, request.epoch, "a stranger's cursor begins no epoch");
        // What the streams of others hold shows nowhere: streams that do not exist are answered the same.
        request.digest = true;
        let mut absent = request.clone();
        for (cursor, index) in absent.cursors.iter_mut().zip(0_u8..) {
            cursor.stream.unit = UnitId(uuid::Uuid::from_bytes([index; 16]));
        }
        let nothing = ask(clinic, reader, "POST", PATH_SYNC, Encoding::Vereda, &absent);
        let nothing: SyncAnswer = decode_body(&nothing.body, Encoding::Vereda).expect("an answer");
        assert_eq!(nothing, answer, "forbidden and absent look the same");
        heard.take(PATH_SYNC, Encoding::Vereda, &reply);
    }
    heard
}

fn pull_json(clinic: &mut Clinic, reader: Reader) -> Heard {
    let request = everything(clinic, reader);
    posted(clinic, reader, PATH_SYNC, Encoding::Json, &request)
}

fn pull_raw(clinic: &mut Clinic, reader: Reader) -> Heard {
    let request = SyncRequest {
        raw: true,
        ..everything(clinic, reader)
    };
    posted(clinic, reader, PATH_SYNC, Encoding::Vereda, &request)
}

fn all_patients(clinic: &Clinic) -> SnapshotRequest {
    SnapshotRequest {
        patients: clinic.patients.clone(),
    }
}

fn snapshot(clinic: &mut Clinic, reader: Reader) -> Heard {
    let request = all_patients(clinic);
    posted(clinic, reader, PATH_SNAPSHOT, Encoding::Vereda, &request)
}

fn snapshot_json(clinic: &mut Clinic, reader: Reader) -> Heard {
    let request = all_patients(clinic);
    posted(clinic, reader, PATH_SNAPSHOT, Encoding::Json, &request)
}

/// The lists of every stream's segments, and every segment there is by its name.
fn segments(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut heard = Heard::default();
    for place in 0..clinic.units.len() {
        // The author reads all of the place, and so knows every name.
        let author = Reader {
            device: clinic.authors[place],
            ..reader
        };
        for compartment in Compartment::ALL {
            let stream = Stream::new(clinic.units[place], compartment);
            let names = listed(clinic, author, stream, &mut Heard::default());
            let own = listed(clinic, reader, stream, &mut heard);
            let is_read = clinic
                .world
                .enrolment(reader.device)
                .scope
                .streams
                .contains(&stream);
            assert!(own.is_empty() || is_read, "names of segments out of scope");
            for name in names {
                let request = SegmentRequest {
                    hash: name.hash,
                    from: 0,
                };
                let reply = ask(clinic, reader, "POST", PATH_SEGMENT, Encoding::Vereda, &request);
                assert_eq!(
                    reply.status == 200,
                    is_read,
                    "a segment out of scope, or none in it"
                );
                if is_read {
                    continue;
                }
                heard.bytes.push(reply.body);
            }
        }
    }
    heard
}

/// A stream's whole list of segments.
fn listed(clinic: &mut Clinic, reader: Reader, stream: Stream, heard: &mut Heard) -> Vec<SegmentName> {
    let (mut names, mut as_of) = (Vec::new(), 0);
    loop {
        let request = SegmentsRequest {
            stream,
            from: names.len() as u32,
            as_of,
        };
        let reply = ask(clinic, reader, "POST", PATH_SEGMENTS, Encoding::Vereda, &request);
        heard.take(PATH_SEGMENTS, Encoding::Vereda, &reply);
        let answer: SegmentsAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
        as_of = answer.as_of;
        names.extend(answer.segments);
        if !answer.more {
            return names;
        }
    }
}

/// Every document there is, by its id.
fn documents(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut keys = Vec::new();
    for patient in clinic.patients.clone() {
        for compartment in Compartment::ALL {
            keys.push((patient, DocumentKey::chapter(patient, compartment, 2026, 0)));
            keys.push((patient, DocumentKey::chart(patient, compartment)));
        }
    }
    let request = DocumentsRequest {
        documents: keys.iter().map(|(_, key)| key.id()).collect(),
        records: clinic.patients.clone(),
    };
    let mut heard = posted(clinic, reader, PATH_DOCUMENTS, Encoding::Vereda, &request);
    let json = posted(clinic, reader, PATH_DOCUMENTS, Encoding::Json, &request);
    heard.bytes.extend(json.bytes);
    let reply = ask(clinic, reader, "POST", PATH_DOCUMENTS, Encoding::Vereda, &request);
    let answer: DocumentsAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
    assert!(answer.left_out.is_empty());
    for record in &answer.records {
        let place = clinic.patients.iter().position(|known| *known == record.patient);
        let place = PLACES[place.expect("asked for")];
        assert!(
            reader.reads(place, Compartment::Identity),
            "a record out of scope"
        );
    }
    for document in &answer.documents {
        let (patient, key) = keys
            .iter()
            .find(|(_, key)| key.id() == document.id)
            .expect("asked for");
        let place = clinic
            .patients
            .iter()
            .position(|known| known == patient)
            .expect("a place");
        assert!(
            reader.reads(PLACES[place], key.compartment),
            "a document out of scope"
        );
        let text = LoadedDocument::load([document.saved.as_slice()]).expect("it loads");
        heard
            .bytes
            .push(format!("{} entries", text.entry_count()).into_bytes());
    }
    heard
}

/// The digests of every stream, asked for by their true place and root.
fn digests(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut heard = Heard::default();
    let own = clinic.world.enrolment(reader.device).scope.streams;
    for author in clinic.authors.clone() {
        let author = Reader {
            device: author,
            ..reader
        };
        for (stream, seq, root) in roots(clinic, author, &mut Heard::default()) {
            let request = |stream| DigestRequest {
                stream,
                seq,
                root,
                nodes: vec![DigestAsked::new(DigestNode::ROOT, &[0; DigestNode::CHILDREN])],
            };
            let absent = Stream::new(UnitId(uuid::Uuid::from_bytes([7; 16])), stream.compartment);
            for encoding in [Encoding::Vereda, Encoding::Json] {
                let reply = ask(clinic, reader, "POST", PATH_DIGEST, encoding, &request(stream));
                heard.take(PATH_DIGEST, encoding, &reply);
                if own.contains(&stream) {
                    let answer: DigestAnswer = decode_body(&reply.body, encoding).expect("an answer");
                    assert!(!answer.moved && answer.differing.is_empty() == (root == [0; 8].into()));
                } else {
                    let nothing = ask(clinic, reader, "POST", PATH_DIGEST, encoding, &request(absent));
                    let (one, other) = (problem(&reply), problem(&nothing));
                    assert_eq!(one, other, "forbidden and absent look the same");
                }
            }
        }
    }
    for (stream, ..) in roots(clinic, reader, &mut heard) {
        assert!(own.contains(&stream), "a root out of scope");
    }
    heard
}

/// A refusal, without what names its request.
fn problem(reply: &Reply) -> (u16, serde_json::Value) {
    let mut problem: serde_json::Value = serde_json::from_slice(&reply.body).expect("a problem");
    problem["correlation_id"] = serde_json::Value::Null;
    (reply.status, problem)
}

/// What a sync that asks says of every stream there is: where it ends, and its root there.
fn roots(clinic: &mut Clinic, reader: Reader, heard: &mut Heard) -> Vec<(Stream, u64, ByteArray<8>)> {
    let request = SyncRequest {
        digest: true,
        ..everything(clinic, reader)
    };
    let reply = ask(clinic, reader, "POST", PATH_SYNC, Encoding::Vereda, &request);
    heard.take(PATH_SYNC, Encoding::Vereda, &reply);
    let answer: SyncAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
    let ends = clinic.world.server_log();
    let found = answer.digests.iter().map(|(index, root)| {
        let stream = request.cursors[*index as usize].stream;
        let seqs = ends.iter().filter(|(unit, compartment, ..)| {
            unit == stream.unit.as_bytes().as_slice() && *compartment == stream.compartment.code()
        });
        (stream, seqs.map(|place| place.2 as u64).max().unwrap_or(0), *root)
    });
    found.collect()
}

/// Everybody's identifiers, for every unit.
fn find(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut heard = Heard::default();
    for identifier in clinic.identifiers.clone() {
        for unit in clinic.units.clone() {
            let request = FindRequest {
                identifier: identifier.clone(),
                unit,
                reason: String::new().into(),
            };
            for encoding in [Encoding::Vereda, Encoding::Json] {
                let reply = ask(clinic, reader, "POST", PATH_FIND, encoding, &request);
                heard.take(PATH_FIND, encoding, &reply);
            }
        }
    }
    heard
}

fn forged(clinic: &Clinic, reader: Reader, n: u64, stream: Stream, patient: PatientId) -> Write {
    let intent = match stream.compartment {
        Compartment::Identity => Intent::Register {
            record: PatientRecord::named("x"),
            patient: Some(patient),
        },
        _ => Intent::Add {
            entries: vec![note(1, "x")],
        },
    };
    Write {
        n,
        user: clinic.world.enrolment(reader.device).user,
        unit: stream.unit,
        compartment: stream.compartment,
        patient,
        recorded_at: vereda_tests::at(1),
        hlc: None,
        time_uncertain: false,
        after: Vec::new(),
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
}

/// Writes onto every patient of other places, into every stream, and once more: outcomes are replayed.
fn push_anywhere(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut heard = Heard::default();
    let origin = incarnation(clinic, reader.device);
    let mut n = 5_000;
    let own_unit = clinic.world.enrolment(reader.device).scope.units[0].id;
    for (place, patient) in clinic.patients.clone().into_iter().enumerate() {
        for unit in [own_unit, clinic.units[place]] {
            if clinic.units[place] == own_unit {
                continue;
            }
            for compartment in Compartment::ALL {
                n += 1;
                let write = forged(clinic, reader, n, Stream::new(unit, compartment), patient);
                let changes = operations(&write, &origin)
                    .into_iter()
                    .map(|compiled| {
                        let mut document = LoadedDocument::new();
                        let applied = document
                            .apply(&compiled.operations, &origin.actor(0), None)
                            .expect("a change");
                        ChangeReference {
                            check: change_check(&applied.hash),
                            dependencies: None,
                            raw: None,
                        }
                    })
                    .collect();
                let request = SyncRequest {
                    incarnation: origin.number,
                    epoch: clinic.world.enrolment(reader.device).epoch,
                    push: vec![PushItem {
                        write: Frozen::from_bytes(write.to_bytes()),
                        generation: 0,
                        changes,
                    }],
                    ..SyncRequest::default()
                };
                for _ in 0..2 {
                    let reply = ask(clinic, reader, "POST", PATH_SYNC, Encoding::Vereda, &request);
                    heard.take(PATH_SYNC, Encoding::Vereda, &reply);
                }
            }
        }
    }
    heard
}

fn nonsense(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut heard = Heard::default();
    let patients = all_patients(clinic);
    for (method, path) in [
        ("GET", PATH_SNAPSHOT),
        ("POST", "/v1/patients"),
        ("POST", "/v2/sync"),
        ("GET", "/health/ready"),
    ] {
        let reply = ask(clinic, reader, method, path, Encoding::Json, &patients);
        heard.bytes.push(reply.body);
    }
    let reply = ask(clinic, reader, "POST", PATH_SYNC, Encoding::Json, &patients);
    heard.bytes.push(reply.body);
    let many = SnapshotRequest {
        patients: [clinic.patients.clone(), vec![clinic.patients[0]; 300]].concat(),
    };
    let reply = ask(clinic, reader, "POST", PATH_SNAPSHOT, Encoding::Vereda, &many);
    heard.bytes.push(reply.body);
    heard
}

/// What a person sees: lists, a search for every word, every patient by id.
fn lists(clinic: &mut Clinic, reader: Reader) -> Heard {
    let patients = clinic.patients.clone();
    let words: Vec<String> = clinic
        .needles
        .iter()
        .filter_map(|needle| String::from_utf8(needle.bytes.clone()).ok())
        .collect();
    let shown = clinic.world.run(reader.device, |client| async move {
        let mut shown: Vec<Vec<u8>> = Vec::new();
        let mut show = |value: serde_json::Value| shown.push(value.to_string().into_bytes());
        for words in std::iter::once(None).chain(words.iter().cloned().map(Some)) {
            let filter = PatientFilter {
                words: words.map(Into::into),
            };
            let page = client.patients().list(filter, PageRequest::default()).await?;
            show(serde_json::to_value(&page.rows).expect("JSON"));
        }
        for patient in patients {
            let view = match client.open_patient(patient, "a test").await {
                Ok(view) => view,
                // Absent and forbidden look the same, and name nothing.
                Err(error) => {
                    show(serde_json::json!({ "error": error.detail }));
                    continue;
                }
            };
            for words in std::iter::once(None).chain(words.iter().cloned().map(Some)) {
                let filter = EntryFilter {
                    words: words.map(Into::into),
                    ..EntryFilter::default()
                };
                let page = view.timeline(filter, PageRequest::default()).await?;
                show(serde_json::to_value(&page.rows).expect("JSON"));
            }
            show(serde_json::to_value(view.chart().await?).expect("JSON"));
        }
        Ok::<_, vereda_core::error::SyncError>(shown)
    });
    Heard {
        bytes: shown.expect("it reads"),
    }
}

/// What leaves the device for another program, and what is counted on it: of units out of scope nothing is.
fn exports(clinic: &mut Clinic, reader: Reader) -> Heard {
    let units = clinic.units.clone();
    let own = clinic.world.enrolment(reader.device).scope.units[0].id;
    let exported = clinic.world.run(reader.device, |client| async move {
        let mut shown: Vec<Vec<u8>> = Vec::new();
        for format in [ExportFormat::Json, ExportFormat::Csv, ExportFormat::Fhir] {
            let patients = client.patients();
            let rows = patients.export(PatientFilter::default(), format, "a test".into());
            let rows = rows.await?;
            shown.push(serde_json::to_vec(&rows).expect("JSON"));
        }
        for unit in units {
            let counted = client.patients().statistics(Some(unit)).await;
            assert_eq!(counted.is_ok(), unit == own, "a unit of others is not counted");
        }
        Ok::<_, vereda_core::error::SyncError>((shown, client.patients().statistics(None).await?.entries))
    });
    let (bytes, entries) = exported.expect("it reads");
    if !reader.reads(reader.place, Compartment::Clinical) {
        assert_eq!(entries, 0, "a count of what is out of scope");
    }
    Heard { bytes }
}

/// Everything in the device's file, decrypted. Of what the device did itself (its audit, its own writes) nothing is
/// looked at: it was told the ids by this test.
fn file(clinic: &mut Clinic, reader: Reader) -> Heard {
    let name = format!("store of {}", reader.device);
    let fresh = clinic.join(reader.place, &name, reader.role, reader.is_granted);
    clinic.world.sync(fresh);
    let path = clinic.world.folder.path().join(format!("plain-{fresh}.db"));
    let connection = clinic.world.device_file(fresh);
    connection
        .execute_batch(&format!(
            "ATTACH DATABASE '{}' AS plain KEY ''; SELECT sqlcipher_export('plain'); DETACH DATABASE plain;",
            path.display()
        ))
        .expect("a plain copy");
    let bytes = std::fs::read(&path).expect("its bytes");
    assert!(bytes.starts_with(b"SQLite format 3"), "it is decrypted");
    Heard { bytes: vec![bytes] }
}
