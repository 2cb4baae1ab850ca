//! Every message.

use super::{file, sample, tails};
use serde_json::Value;
use vereda_core::bytes::{ByteArray, ByteBuf};
use vereda_core::document::digest::{DigestLeaf, DigestNode, record_leaf};
use vereda_core::document::{LoadedDocument, operations};
use vereda_core::error::{Code, SyncError};
use vereda_core::id::{Incarnation, UserId};
use vereda_core::protocol::{
    AuditAnchor, AuditBatch, AuditItem, AuditRecord, ChangeReference, Credential, Cursor, DigestAnswer,
    DigestAsked, DigestBelow, DigestDiffering, DigestRequest, DocumentChange, DocumentsAnswer,
    DocumentsRequest, EnrolAnswer, EnrolRequest, EnrolmentCode, FindAnswer, FindRequest, Found, Frozen,
    LogItem, Outcome, OutcomeRun, Page, PageItem, PartChange, PartItem, Person, Problem, PushItem,
    QuarantineAnswer, ReferenceItem, ReferencePage, SEGMENT_FORM, Scope, Seen, SegmentName, SegmentRequest,
    SegmentsAnswer, SegmentsRequest, SignedHeads, SnapshotAnswer, SnapshotDocument, SnapshotRecord,
    SnapshotRequest, SyncAnswer, SyncRequest, Tokens, Unit, WholeHeads, change_check, share_tag,
};
use vereda_core::record::{Compartment, Identifier, Stream};
use vereda_core::redact::Sensitive;

fn credential(byte: u8) -> Credential {
    Credential(vec![byte; 24])
}

fn tokens() -> Tokens {
    Tokens {
        access: credential(0xaa),
        refresh: credential(0xbb),
        expires_ms: sample::BEGIN_MS + 600_000,
    }
}

fn scope() -> Scope {
    Scope {
        version: 2,
        units: vec![Unit {
            id: sample::unit(),
            name: Sensitive("Posto da vila".into()),
        }],
        streams: vec![identity(), sample::stream()],
        people: vec![Person {
            id: sample::user(),
            name: Sensitive("Ana".into()),
            speciality: Some("225142".into()),
        }],
        withheld: vec!["add_reference".into()],
        reference: 7,
    }
}

fn identity() -> Stream {
    Stream::new(sample::unit(), Compartment::Identity)
}

fn cursor(seq: u64) -> Cursor {
    let chain = ByteArray::new(if seq == 0 { [0; 8] } else { [0xc0; 8] });
    Cursor {
        stream: sample::stream(),
        seq,
        chain,
    }
}

fn idle_request() -> SyncRequest {
    SyncRequest {
        incarnation: sample::incarnation().number,
        epoch: 99,
        scope: 2,
        cursors: vec![cursor(17)],
        ..SyncRequest::default()
    }
}

pub(super) fn pushed(n: usize, dependencies: Option<Vec<ByteArray<32>>>, raw: bool) -> PushItem {
    let (_, write) = sample::writes().swap_remove(n);
    let incarnation = sample::incarnation();
    let changes = operations(&write, &incarnation)
        .into_iter()
        .map(|compiled| {
            let mut document = LoadedDocument::new();
            let made = document
                .apply(&compiled.operations, &incarnation.actor(0), None)
                .expect("a change");
            ChangeReference {
                check: change_check(&made.hash),
                dependencies: dependencies.clone(),
                raw: raw.then(|| ByteBuf::from(made.bytes)),
            }
        })
        .collect();
    PushItem {
        write: Frozen::new(write),
        generation: 0,
        changes,
    }
}

fn opened() -> AuditRecord {
    AuditRecord::Opened {
        user: sample::user(),
        patient: sample::patient(),
        purpose: "consultation".into(),
        at_ms: sample::BEGIN_MS,
        correlation: ByteArray::new([1, 2, 3, 4, 5, 6, 7, 8]),
        linked: Vec::new(),
    }
}

fn opened_with_another() -> AuditRecord {
    let AuditRecord::Opened {
        user,
        patient,
        purpose,
        at_ms,
        correlation,
        ..
    } = opened()
    else {
        unreachable!("it is one")
    };
    AuditRecord::Opened {
        user,
        patient,
        purpose,
        at_ms,
        correlation,
        linked: vec![sample::other_patient()],
    }
}

/// One record of the audit of each kind.
pub(crate) fn audit_records() -> Vec<(&'static str, AuditRecord)> {
    let user: UserId = sample::user();
    vec![
        (
            "audit_wrote",
            AuditRecord::Wrote {
                n: 1,
                hash: ByteArray::new([0x11; 32]),
            },
        ),
        ("audit_opened", opened()),
        (
            "audit_listed",
            AuditRecord::Listed {
                user,
                list: "patients".into(),
                count: 12,
                words: ByteArray::new([9; 8]),
                at_ms: sample::BEGIN_MS,
            },
        ),
        (
            "audit_did",
            AuditRecord::Did {
                user,
                action: "discard".into(),
                subject: Some(sample::patient().0),
                reason: Sensitive("typed twice".into()),
                at_ms: sample::BEGIN_MS,
            },
        ),
        ("audit_opened_with_a_linked_record", opened_with_another()),
    ]
}

fn full_request() -> SyncRequest {
    SyncRequest {
        refresh: Some(credential(0xbb)),
        push: vec![
            pushed(0, None, false),
            pushed(3, None, false),
            pushed(
                12,
                Some(vec![ByteArray::new(LoadedDocument::genesis_hash())]),
                true,
            ),
        ],
        audit: Some(AuditBatch {
            first: 1,
            items: vec![AuditItem::Wrote { n: 1, count: 2 }, AuditItem::Record(opened())],
            head: ByteArray::new([0x44; 32]),
        }),
        raw: true,
        reference: Some(5),
        segments: true,
        ..idle_request()
    }
}

fn whole_heads_request() -> SyncRequest {
    SyncRequest {
        heads: WholeHeads::VERSION,
        accepted: Some(19),
        reached: vec![cursor(29)],
        ..idle_request()
    }
}

/// A restored server's: it does not hold the cursor's place.
fn another_epoch() -> SyncAnswer {
    SyncAnswer {
        epoch: 100,
        outcomes: vec![OutcomeRun {
            n: 20,
            count: 1,
            outcome: Outcome::Retry {
                code: Code::HistoryChanged.as_str().into(),
            },
        }],
        audit: Some(AuditAnchor {
            last: 3,
            head: ByteArray::new([0x44; 32]),
            durable: Some(2),
        }),
        unproven: vec![0],
        ..idle_answer()
    }
}

fn idle_answer() -> SyncAnswer {
    SyncAnswer {
        epoch: 99,
        time_ms: sample::BEGIN_MS,
        seen: Some(Seen {
            n: 19,
            check: 0x0102_0304,
        }),
        outcomes: Vec::new(),
        origins: Vec::new(),
        pages: Vec::new(),
        scope: None,
        tokens: None,
        audit: None,
        durable: Vec::new(),
        reference: None,
        quarantine: Vec::new(),
        segments: Vec::new(),
        unproven: Vec::new(),
        digests: Vec::new(),
        signature: ByteArray::new([0x5a; 64]),
    }
}

fn outcomes() -> Vec<OutcomeRun> {
    let run = |n, count, outcome| OutcomeRun { n, count, outcome };
    let accepted = |seq, changes| Outcome::Accepted {
        seq,
        received_ms: sample::BEGIN_MS,
        changes,
    };
    vec![
        run(1, 3, accepted(18, Vec::new())),
        run(4, 1, accepted(21, vec![ByteArray::new([0x77; 32])])),
        run(
            5,
            1,
            Outcome::Refused {
                code: Code::PolicyRefused.as_str().into(),
                detail: "the draft is not there".into(),
            },
        ),
        run(
            6,
            2,
            Outcome::Retry {
                code: Code::WaitingFor.as_str().into(),
            },
        ),
        run(
            8,
            1,
            Outcome::Park {
                code: Code::OutOfScope.as_str().into(),
            },
        ),
    ]
}

fn page() -> Page {
    let PushItem {
        write,
        generation,
        changes,
    } = pushed(3, None, false);
    Page {
        stream: sample::stream(),
        first: 18,
        items: vec![
            PageItem::Own { n: 1, count: 2 },
            PageItem::Item(Box::new(LogItem {
                origin: 0,
                generation,
                write,
                changes,
            })),
        ],
        received_ms: vec![(2, sample::BEGIN_MS), (1, sample::BEGIN_MS + 5)],
        more: true,
    }
}

fn full_answer() -> SyncAnswer {
    let colleague: Incarnation = sample::colleague();
    SyncAnswer {
        outcomes: outcomes(),
        origins: vec![colleague],
        pages: vec![page()],
        scope: Some(scope()),
        tokens: Some(tokens()),
        audit: Some(AuditAnchor {
            last: 3,
            head: ByteArray::new([0x44; 32]),
            durable: None,
        }),
        durable: vec![(0, 17)],
        reference: Some(ReferencePage {
            from: 5,
            version: 7,
            rows: vec![
                ReferenceItem {
                    kind: "speciality".into(),
                    id: "225142".into(),
                    content: Sensitive(r#"{"en":"Family physician","pt":"Médico de família"}"#.into()),
                    retired: false,
                },
                ReferenceItem {
                    kind: "professional".into(),
                    id: sample::user().to_string(),
                    content: Sensitive(r#"{"name":"Ana","speciality":"225142"}"#.into()),
                    retired: true,
                },
            ],
        }),
        segments: vec![1],
        ..idle_answer()
    }
}

/// What a reader gets of items about patients who left its stream, and of a write that names two.
fn departed_answer() -> SyncAnswer {
    let part = PartItem {
        origin: 0,
        generation: 1,
        n: 17,
        hash: ByteArray::new([0x66; 32]),
        changes: vec![
            PartChange {
                check: 0x0102_0304,
                change: None,
            },
            PartChange {
                check: 0x0506_0708,
                change: Some(DocumentChange {
                    patient: sample::patient(),
                    chapter: (2026, 0),
                    raw: ByteBuf::from(vec![0x85, 0x6f, 0x4a, 0x83]),
                }),
            },
        ],
    };
    let share = vereda_core::id::WriteId::derive(&sample::incarnation(), 23);
    let withheld = PageItem::Withheld {
        count: 3,
        chain: ByteArray::new([0x33; 32]),
        ended: vec![share_tag(&share)],
    };
    SyncAnswer {
        origins: vec![sample::colleague()],
        pages: vec![Page {
            items: vec![PageItem::Part(Box::new(part)), withheld],
            received_ms: vec![(4, sample::BEGIN_MS)],
            more: false,
            ..page()
        }],
        quarantine: vec![(7, QuarantineAnswer::Released), (8, QuarantineAnswer::Discarded)],
        ..idle_answer()
    }
}

fn snapshot() -> SnapshotAnswer {
    let (_, write) = sample::writes().swap_remove(3);
    let compiled = operations(&write, &sample::incarnation()).swap_remove(0);
    let mut document = LoadedDocument::new();
    document
        .apply(&compiled.operations, &sample::incarnation().actor(0), None)
        .expect("a change");
    SnapshotAnswer {
        epoch: 99,
        records: vec![SnapshotRecord {
            patient: sample::patient(),
            stream: identity(),
            record: sample::record(),
            version: 2,
            as_of: 3,
        }],
        documents: vec![SnapshotDocument {
            id: compiled.key.id(),
            kind: compiled.key.kind_name().into(),
            patient: sample::patient(),
            stream: sample::stream(),
            chapter: compiled.key.chapter_numbers(),
            as_of: 17,
            saved: ByteBuf::from(document.save()),
        }],
        left_out: vec![sample::other_patient()],
    }
}

fn segments() -> SegmentsAnswer {
    SegmentsAnswer {
        epoch: 99,
        form: SEGMENT_FORM,
        as_of: 17,
        chain: ByteArray::new([0xc0; 32]),
        first: 2,
        segments: vec![SegmentName {
            hash: ByteArray::new([0x77; 32]),
            bytes: 400_000,
            rows: 8_192,
        }],
        more: true,
        signature: ByteArray::new([0x5a; 64]),
    }
}

/// What is asked and answered of digests.
fn digests() -> Vec<Value> {
    let mut sums = [0; DigestNode::CHILDREN];
    (sums[0], sums[63]) = (1, u64::MAX);
    let bucket = DigestNode::new(2, 4_095).expect("a bucket");
    let request = DigestRequest {
        stream: sample::stream(),
        seq: 17,
        root: ByteArray::new([0xd1; 8]),
        nodes: vec![
            DigestAsked::new(DigestNode::ROOT, &sums),
            DigestAsked::new(bucket, &sums),
        ],
    };
    let leaf = DigestLeaf {
        id: *sample::patient().as_bytes(),
        leaf: record_leaf(&sample::patient(), 2),
    };
    let differing = |depth, place, below| DigestDiffering { depth, place, below };
    let answer = DigestAnswer {
        epoch: 99,
        moved: false,
        differing: vec![
            differing(1, 63, DigestBelow::of_sums(&sums)),
            differing(3, 262_143, DigestBelow::of_leaves(&[leaf])),
            differing(3, 262_142, DigestBelow::of_leaves(&[])),
        ],
        more: true,
    };
    let moved = DigestAnswer {
        epoch: 99,
        moved: true,
        ..DigestAnswer::default()
    };
    let asked = SyncRequest {
        digest: true,
        ..idle_request()
    };
    let said = SyncAnswer {
        digests: vec![(0, ByteArray::new([0xd1; 8]))],
        ..idle_answer()
    };
    let records = DocumentsRequest {
        documents: Vec::new(),
        records: vec![sample::patient()],
    };
    let brought = DocumentsAnswer {
        epoch: 99,
        records: snapshot().records,
        ..DocumentsAnswer::default()
    };
    vec![
        file::encoded("digest_request", "DigestRequest", &request),
        file::encoded("digest_answer", "DigestAnswer", &answer),
        file::encoded("digest_answer_moved", "DigestAnswer", &moved),
        file::encoded("sync_request_for_digests", "SyncRequest", &asked),
        file::encoded("sync_answer_with_digests", "SyncAnswer", &said),
        file::encoded("documents_request_for_records", "DocumentsRequest", &records),
        file::encoded("documents_answer_with_records", "DocumentsAnswer", &brought),
    ]
}

/// Every message, small and whole.
pub(crate) fn vectors() -> Vec<Value> {
    let code = EnrolmentCode {
        secret: Credential(vec![0xcc; 16]),
        signing_key: ByteArray::new([0xd0; 32]),
        authority: Some(ByteArray::new([0xa0; 32])),
    };
    let enrol = EnrolRequest {
        secret: Credential(vec![0xcc; 16]),
        incarnation: sample::incarnation(),
        hardware: ByteArray::new([0xee; 16]),
        label: Sensitive("tablet 1".into()),
    };
    let enrolled = EnrolAnswer {
        tenant: sample::tenant(),
        user: sample::user(),
        scope: scope(),
        tokens: tokens(),
        epoch: 99,
        time_ms: sample::BEGIN_MS,
        signing_key: ByteArray::new([0xd0; 32]),
    };
    let heads = SignedHeads {
        epoch: 99,
        time_ms: sample::BEGIN_MS,
        heads: vec![(17, ByteArray::new([0xc0; 8]))],
    };
    let named = SnapshotRequest {
        patients: vec![sample::patient(), sample::other_patient()],
    };
    let find = FindRequest {
        identifier: Identifier::parse("cpf", "529.982.247-25").expect("a CPF"),
        unit: sample::stream().unit,
        reason: "desacordada na rua".to_owned().into(),
    };
    let found = FindAnswer {
        found: vec![
            Found {
                patient: sample::patient(),
                grant: Some(ByteBuf::from(vec![0x67; 40])),
            },
            Found {
                patient: sample::other_patient(),
                grant: None,
            },
        ],
    };
    let mut problem = Problem::new(429, &SyncError::new(Code::ServerBusy, "too many requests"));
    problem.correlation_id = "00f1e2d3c4b5a697".into();
    let mut vectors = vec![
        file::encoded("enrolment_code", "EnrolmentCode", &code),
        file::encoded(
            "enrolment_code_public_authority",
            "EnrolmentCode",
            &EnrolmentCode {
                authority: None,
                ..code
            },
        ),
        file::encoded("enrol_request", "EnrolRequest", &enrol),
        file::encoded("enrol_answer", "EnrolAnswer", &enrolled),
        file::encoded("sync_request_idle", "SyncRequest", &idle_request()),
        file::encoded("sync_request_full", "SyncRequest", &full_request()),
        file::encoded("sync_answer_idle", "SyncAnswer", &idle_answer()),
        file::encoded("sync_answer_full", "SyncAnswer", &full_answer()),
        file::encoded(
            "sync_request_with_writes_in_quarantine",
            "SyncRequest",
            &SyncRequest {
                quarantined: vec![7, 8, 9],
                ..idle_request()
            },
        ),
        file::encoded(
            "sync_answer_of_patients_who_left",
            "SyncAnswer",
            &departed_answer(),
        ),
        file::encoded(
            "sync_request_that_names_its_minor_version",
            "SyncRequest",
            &SyncRequest {
                minor: 9,
                ..idle_request()
            },
        ),
        file::encoded("find_request", "FindRequest", &find),
        file::encoded("find_answer", "FindAnswer", &found),
        file::encoded("sync_request_whole_heads", "SyncRequest", &whole_heads_request()),
        file::encoded("sync_answer_another_epoch", "SyncAnswer", &another_epoch()),
        file::encoded("whole_heads", "WholeHeads", &tails::run().heads),
        file::encoded("tail_request_points", "TailRequest", &tails::points()),
        file::encoded("tail_request_run", "TailRequest", &tails::request(tails::run())),
        file::encoded("tail_answer", "TailAnswer", &tails::answer()),
        file::encoded("signed_heads", "SignedHeads", &heads),
        file::encoded("snapshot_request", "SnapshotRequest", &named),
        file::encoded("snapshot_answer", "SnapshotAnswer", &snapshot()),
        file::encoded(
            "segments_request",
            "SegmentsRequest",
            &SegmentsRequest {
                stream: sample::stream(),
                from: 2,
                as_of: 17,
            },
        ),
        file::encoded("segments_answer", "SegmentsAnswer", &segments()),
        file::encoded(
            "segment_request",
            "SegmentRequest",
            &SegmentRequest {
                hash: ByteArray::new([0x77; 32]),
                from: 131_072,
            },
        ),
        file::encoded(
            "documents_request",
            "DocumentsRequest",
            &DocumentsRequest {
                documents: snapshot().documents.iter().map(|document| document.id).collect(),
                records: Vec::new(),
            },
        ),
        file::encoded(
            "documents_answer",
            "DocumentsAnswer",
            &DocumentsAnswer {
                epoch: 99,
                documents: snapshot().documents,
                records: Vec::new(),
                left_out: snapshot().documents.iter().map(|document| document.id).collect(),
            },
        ),
        file::encoded("problem", "Problem", &problem),
    ];
    vectors.extend(digests());
    let records = audit_records();
    vectors.extend(
        records
            .iter()
            .map(|(name, record)| file::encoded(name, "AuditRecord", record)),
    );
    vectors
}
