//! Bad requests, hostile bytes, many at once: each gets its answer, and nothing moves that should not.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::Arc;
use support::{Clinic, Device, TestEntropy, codes, poll_once, unfold};
use vereda_core::entropy::Entropy;
use vereda_core::protocol::{
    AuditAnchor, AuditBatch, AuditItem, AuditRecord, Encoding, Frozen, PATH_SYNC, Problem, PushItem,
    advance_audit, encode_body,
};
use vereda_core::record::{FieldChange, Intent, PatientField, Write};
use vereda_core::redact::Sensitive;
use vereda_server::{HttpRequest, Limits, ServerNow, ServerOptions};

fn problem(clinic: &Clinic, request: HttpRequest) -> (u16, String) {
    let response = clinic.send(request);
    assert_eq!(response.content_type, Problem::MEDIA_TYPE);
    let problem: Problem = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(problem.status, response.status);
    assert_eq!(problem.correlation_id, response.correlation.to_string());
    (problem.status, problem.code)
}

fn post(path: &str, content_type: &str, body: &[u8]) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        content_type: Some(content_type.into()),
        body: body.to_vec(),
        ..HttpRequest::default()
    }
}

#[test]
fn every_status_of_a_whole_request_has_its_code() {
    let clinic = Clinic::new();
    let ana = clinic.device("ana");
    let is = |request: HttpRequest| problem(&clinic, request);
    let vereda = "application/vereda";
    assert_eq!(
        is(post(PATH_SYNC, vereda, b"\xff\xff")),
        (400, "request_malformed".into())
    );
    assert_eq!(
        is(post(PATH_SYNC, "application/json", b"{")),
        (400, "request_malformed".into())
    );
    assert_eq!(
        is(post(PATH_SYNC, "text/html", b"")),
        (415, "request_malformed".into())
    );
    assert_eq!(is(post("/v1/nothing", vereda, b"")), (404, "not_found".into()));
    assert_eq!(
        is(post("/v2/sync", vereda, b"")),
        (426, "protocol_unsupported".into())
    );
    let mut get = post(PATH_SYNC, vereda, b"");
    get.method = "GET".into();
    assert_eq!(is(get), (404, "not_found".into()));
    let mut long = post(PATH_SYNC, vereda, b"");
    long.content_length = Some(9_999_999);
    assert_eq!(is(long), (413, "too_large".into()));
    let mut stranger = post(
        PATH_SYNC,
        vereda,
        &encode_body(&ana.request(vec![]), Encoding::Vereda),
    );
    assert_eq!(is(stranger.clone()), (401, "unauthenticated".into()));
    stranger.authorization = Some("Bearer AAAA".into());
    assert_eq!(is(stranger), (401, "unauthenticated".into()));
    let mut twice = ana.request(vec![]);
    twice.cursors.push(twice.cursors[0]);
    assert_eq!(ana.send(&clinic, &twice).unwrap_err().status, 400);
    let item = PushItem {
        write: Frozen::from_bytes(vec![0xff]),
        generation: 0,
        changes: vec![],
    };
    assert_eq!(
        ana.send(&clinic, &ana.request(vec![item.clone()]))
            .unwrap_err()
            .status,
        400
    );
    assert_eq!(
        ana.send(&clinic, &ana.request(vec![item; 501]))
            .unwrap_err()
            .status,
        413
    );
}

#[test]
fn json_is_answered_in_json() {
    let clinic = Clinic::new();
    let ana = clinic.device("ana");
    let mut request = post(
        PATH_SYNC,
        "application/json",
        &serde_json::to_vec(&ana.request(vec![])).unwrap(),
    );
    request.authorization = ana.authorization();
    let response = clinic.send(request);
    assert_eq!(
        (response.status, response.content_type),
        (200, "application/json")
    );
    let answer: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(answer["epoch"], ana.epoch);
}

#[test]
fn too_many_requests_are_told_when_to_come_again_and_then_served() {
    let limits = Limits {
        device: (3, 1),
        ..Limits::default()
    };
    let mut clinic = Clinic::with(ServerOptions {
        limits,
        ..ServerOptions::default()
    });
    let ana = clinic.device("ana");
    for _ in 0..3 {
        ana.send(&clinic, &ana.request(vec![])).unwrap();
    }
    let refused = clinic.post(PATH_SYNC, ana.authorization(), &ana.request(vec![]));
    assert_eq!((refused.status, refused.retry_after), (429, Some(2)));
    clinic.now_ms += 2_000;
    ana.send(&clinic, &ana.request(vec![])).unwrap();
}

#[test]
fn s4_random_bytes_never_break_the_server_and_never_change_its_logs() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let patient = ana.push_many(&clinic, 2);
    let note = ana.note(patient, "honesta");
    let push = ana.encode(&[note]);
    let honest = vereda_core::protocol::encode(&ana.request(push.clone()));
    let mut entropy = TestEntropy(4);
    for round in 0..300 {
        let mut bytes = honest.clone();
        for _ in 0..=entropy.up_to(3) {
            let place = entropy.up_to(bytes.len() as u64 - 1) as usize;
            bytes[place] ^= 1 << entropy.up_to(7);
        }
        bytes.truncate(bytes.len() - entropy.up_to(u64::from(round % 2 == 0) * 40) as usize);
        // Whatever still decodes is sent as the message it then is.
        if let Ok(request) = vereda_core::protocol::decode::<vereda_core::protocol::SyncRequest>(&bytes) {
            let response = clinic.post(PATH_SYNC, ana.authorization(), &request);
            assert_ne!(response.status, 500);
        }
    }
    let mut bia = clinic.device("bia");
    bia.pull(&clinic);
    let honest_or_twisted = bia.received.len();
    assert!(honest_or_twisted >= 3);
}

#[test]
fn s4_hostile_changes_are_refused_and_an_honest_edit_still_succeeds() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let patient = ana.push_many(&clinic, 2);
    let note = ana.note(patient, "honesta");
    let honest = ana.encode(&[note])[0].clone();
    let key = vereda_core::document::operations(honest.write.value().unwrap(), &ana.incarnation)[0].key;
    let made = ana.documents[&key].heads()[0];
    let bytes = ana.documents[&key].change(&made).unwrap();
    let hostile = |twist: &dyn Fn(&mut PushItem)| {
        let mut item = honest.clone();
        twist(&mut item);
        let answer = ana.send(&clinic, &ana.request(vec![item])).unwrap();
        let code = codes(&unfold(&answer)).remove(0);
        assert!(!code.starts_with("accepted"), "{code}");
        code
    };
    let raw = |bytes: &[u8]| Some(vereda_core::bytes::ByteBuf::from(bytes.to_vec()));
    // Nothing of these is an outcome, so that the honest one can still come.
    assert_eq!(
        hostile(&|item| item.changes[0].check ^= 1),
        "retry encoding_mismatch"
    );
    assert_eq!(hostile(&|item| item.changes.clear()), "retry encoding_mismatch");
    assert_eq!(hostile(&|item| item.generation = 9), "retry encoding_mismatch");
    let orphan = vec![vereda_core::bytes::ByteArray::new([9; 32])];
    assert_eq!(
        hostile(&|item| item.changes[0].dependencies = Some(orphan.clone())),
        "retry missing_dependency"
    );
    let answer = ana.send(&clinic, &ana.request(vec![honest.clone()])).unwrap();
    assert_eq!(codes(&unfold(&answer)), ["accepted"]);
    // These are refused for ever, so each is another write.
    let mut n = ana.next;
    let mut refused = |twist: &dyn Fn(&mut PushItem)| {
        let mut item = honest.clone();
        let mut write: Write = item.write.value().unwrap().clone();
        write.n = n;
        n += 1;
        item.write = Frozen::new(write);
        item.changes[0].raw = raw(&bytes);
        twist(&mut item);
        let answer = ana.send(&clinic, &ana.request(vec![item])).unwrap();
        codes(&unfold(&answer)).remove(0)
    };
    let gate = "refused gate_refused";
    assert_eq!(refused(&|_| ()), gate, "a change that is there already");
    assert_eq!(refused(&|item| item.changes[0].raw = raw(&bytes[..20])), gate);
    assert_eq!(refused(&|item| item.changes[0].raw = raw(&[0; 300])), gate);
    let mut noise = vec![0; 400_000];
    TestEntropy(9).fill(&mut noise);
    assert_eq!(refused(&|item| item.changes[0].raw = raw(&noise)), gate);
    let many: Vec<_> = (0..10_000)
        .map(|k| vereda_core::bytes::ByteArray::new(TestEntropy(k).next_32()))
        .collect();
    assert_eq!(
        refused(&|item| {
            item.changes[0].raw = None;
            item.changes[0].dependencies = Some(many.clone());
        }),
        gate
    );
    ana.next = n;
    let edit = ana.note(patient, "depois");
    assert_eq!(codes(&ana.push(&clinic, &[edit])), ["accepted"]);
}

#[test]
fn a_write_of_a_newer_app_is_parked_and_stops_its_lane_only() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let (maria, joana) = (ana.push_many(&clinic, 0), ana.push_many(&clinic, 0));
    let newer = ana.note(maria, "x");
    let text = serde_json::to_string(&newer)
        .unwrap()
        .replace("\"add\"", "\"teleport\"");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    // As a newer app would have frozen it: the same fields, another intent.
    #[derive(serde::Serialize)]
    struct Newer<'a> {
        n: u64,
        patient: vereda_core::id::PatientId,
        intent: std::collections::BTreeMap<&'a str, u8>,
    }
    assert!(value["intent"]["teleport"].is_object());
    let bytes = vereda_core::protocol::encode(&Newer {
        n: newer.n,
        patient: maria,
        intent: [("teleport", 1)].into(),
    });
    let behind = ana.note(maria, "atrás");
    let elsewhere = ana.note(joana, "outra");
    let mut push = vec![PushItem {
        write: Frozen::from_bytes(bytes),
        generation: 0,
        changes: vec![],
    }];
    push.extend(ana.encode(&[behind, elsewhere]));
    let answer = ana.send(&clinic, &ana.request(push)).unwrap();
    assert_eq!(
        codes(&unfold(&answer)),
        ["park protocol_unsupported", "retry waiting_for", "accepted"]
    );
}

#[test]
fn group_commit_of_many_at_once_keeps_every_log_in_order() {
    let clinic = Clinic::new();
    let devices: Vec<Device> = (0..8).map(|k| clinic.device(&format!("p{k}"))).collect();
    let clinic = Arc::new(clinic);
    let reader_done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = devices
        .into_iter()
        .map(|mut device| {
            let clinic = Arc::clone(&clinic);
            std::thread::spawn(move || {
                for _ in 0..5 {
                    device.push_many(&clinic, 4);
                }
            })
        })
        .collect();
    // A reader that pulls all the while sees every item once, in order: its running hash would tell otherwise.
    let mut reader = clinic.device("leitora");
    let watch = {
        let (clinic, done) = (Arc::clone(&clinic), Arc::clone(&reader_done));
        std::thread::spawn(move || {
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                reader.pull(&clinic);
            }
            reader.pull(&clinic);
            reader
        })
    };
    for writer in writers {
        writer.join().unwrap();
    }
    reader_done.store(true, std::sync::atomic::Ordering::Release);
    let reader = watch.join().unwrap();
    assert_eq!(reader.received.len(), 8 * 5 * 5);
}

#[test]
fn an_edit_that_no_longer_starts_from_the_stored_value_stands_in_the_log_and_leaves_the_record() {
    let clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    let patient = ana.push_many(&clinic, 0);
    let change = |to: &str| {
        let json = |text: &str| Sensitive(serde_json::to_string(text).unwrap());
        Intent::EditRecord {
            base_version: 1,
            resolves: Default::default(),
            changes: vec![FieldChange {
                field: PatientField::Name,
                from: json("Maria"),
                to: json(to),
            }],
        }
    };
    let first = ana.write(patient, change("Maria Alice"));
    let second = bia.write(patient, change("Maria Beatriz"));
    assert_eq!(codes(&ana.push(&clinic, &[first])), ["accepted"]);
    assert_eq!(codes(&bia.push(&clinic, &[second])), ["accepted"]);
    let request = vereda_core::protocol::SnapshotRequest {
        patients: vec![patient],
    };
    let answer = clinic.post(
        vereda_core::protocol::PATH_SNAPSHOT,
        ana.authorization(),
        &request,
    );
    let answer: vereda_core::protocol::SnapshotAnswer = support::read(&answer).unwrap();
    assert_eq!(answer.records[0].record.name.0, "Maria Alice");
    assert_eq!(answer.records[0].version, 3);
    ana.pull(&clinic);
    assert_eq!(
        ana.received.len(),
        1,
        "the other edit is in the log for everybody to see"
    );
}

fn opened(k: u64) -> AuditRecord {
    AuditRecord::Did {
        user: vereda_core::id::UserId(uuid::Uuid::from_u128(1)),
        action: "export".into(),
        subject: None,
        reason: Sensitive("pedido".into()),
        at_ms: k as i64,
    }
}

#[test]
fn a1_an_audit_is_anchored_only_as_one_unbroken_chain() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let note = ana.register("Maria");
    let push = ana.encode(std::slice::from_ref(&note));
    let wrote = AuditRecord::Wrote {
        n: note.n,
        hash: vereda_core::bytes::ByteArray::new(push[0].write.hash()),
    };
    let records: Vec<AuditRecord> = std::iter::once(wrote).chain((1..10).map(opened)).collect();
    let heads: Vec<[u8; 32]> = records
        .iter()
        .scan([0; 32], |chain, record| {
            *chain = advance_audit(chain, record);
            Some(*chain)
        })
        .collect();
    let send = |push: Vec<PushItem>, first: u64, items: Vec<AuditItem>, head: [u8; 32]| -> AuditAnchor {
        let mut request = ana.request(push);
        request.audit = Some(AuditBatch {
            first,
            items,
            head: vereda_core::bytes::ByteArray::new(head),
        });
        ana.send(&clinic, &request).unwrap().audit.unwrap()
    };
    let item = |k: usize| AuditItem::Record(records[k].clone());
    let named = AuditItem::Wrote { n: note.n, count: 1 };
    // The server does not know the write yet, and it does not travel along.
    assert_eq!(send(vec![], 1, vec![named.clone()], heads[0]).last, 0);
    let held = send(push, 1, vec![named, item(1), item(2)], heads[2]);
    assert_eq!((held.last, *held.head), (3, heads[2]));
    assert_eq!(send(vec![], 5, vec![item(4)], heads[4]).last, 3, "a gap");
    assert_eq!(
        send(vec![], 4, vec![item(4), item(3)], heads[4]).last,
        3,
        "another order"
    );
    assert_eq!(send(vec![], 4, vec![item(3)], heads[4]).last, 3, "cut off");
    assert_eq!(
        send(vec![], 3, vec![item(2), item(3), item(4)], heads[4]).last,
        5,
        "sent again, and on"
    );
    assert_eq!(
        send(vec![], 2, vec![item(3), item(2)], heads[2]).last,
        5,
        "another past changes nothing"
    );
}

#[test]
fn the_file_is_noise_without_its_key_and_so_are_its_names_and_notes() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let register = ana.register("Marcadora Plantada");
    let patient = register.patient;
    let note = ana.note(patient, "segredo-plantado");
    ana.push(&clinic, &[register, note]);
    let copy = clinic.copy("copy.db");
    let mut wrong = clinic.keys.clone();
    wrong.store[0] ^= 1;
    let refused = vereda_server::admin::open_store(&copy, &wrong, &mut TestEntropy(5));
    assert!(matches!(refused, Err(vereda_server::store::StoreError::Locked)));
    for path in [clinic.path(), clinic.path().with_extension("db-wal"), copy] {
        let bytes = std::fs::read(&path).unwrap_or_default();
        for planted in [
            b"Plantada".as_slice(),
            b"segredo-plantado",
            &clinic.keys.store,
            &clinic.keys.master,
        ] {
            assert!(!bytes.windows(planted.len()).any(|window| window == planted));
        }
        assert!(!bytes.starts_with(b"SQLite format 3"));
    }
}

#[test]
fn d7_a_newer_file_is_refused_and_not_changed() {
    let clinic = Clinic::new();
    let newer = clinic.copy("newer.db");
    {
        let file = rusqlite::Connection::open(&newer).unwrap();
        file.execute_batch(&format!("pragma key = \"x'{}'\"", hex::encode(clinic.keys.store)))
            .unwrap();
        file.execute_batch("pragma user_version = 999").unwrap();
    }
    let before = std::fs::read(&newer).unwrap();
    let refused = vereda_server::admin::open_store(&newer, &clinic.keys, &mut TestEntropy(5));
    assert!(matches!(refused, Err(vereda_server::store::StoreError::TooNew)));
    assert_eq!(before, std::fs::read(&newer).unwrap());
}

#[test]
fn a_checked_copy_makes_its_items_durable_and_a_server_starts_from_it() {
    let mut clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let patient = ana.push_many(&clinic, 3);
    let folder = clinic.folder.path().join("copies");
    assert!(
        ana.send(&clinic, &ana.request(vec![]))
            .unwrap()
            .durable
            .is_empty()
    );
    vereda_server::backup::run(&clinic.path(), &clinic.keys, &folder).unwrap();
    let answer = ana.send(&clinic, &ana.request(vec![])).unwrap();
    assert_eq!(answer.durable, [(0, 1), (1, 3)]);
    ana.push_many(&clinic, 1);
    vereda_server::backup::run(&clinic.path(), &clinic.keys, &folder).unwrap();
    clinic.restore(&folder.join(vereda_server::backup::COPY_NAME));
    let mut bia = clinic.device("bia");
    bia.pull(&clinic);
    assert_eq!(bia.texts(patient).len(), 3);
}

#[test]
fn an_answer_awaits_nothing_but_its_commit() {
    let clinic = Clinic::new();
    let request = HttpRequest {
        method: "GET".into(),
        path: "/health/ready".into(),
        ..HttpRequest::default()
    };
    let now = ServerNow { ms: clinic.now_ms };
    let response = poll_once(clinic.server.handle(now, &mut TestEntropy(1), request));
    assert_eq!(response.status, 200);
}

#[test]
fn s4_a_decompression_bomb_is_refused_before_it_unfolds() {
    let clinic = Clinic::new();
    let bomb = vereda_core::bytes::ByteBuf::from(vec![0; 12 * 1024 * 1024]);
    let mut body = encode_body(&bomb, Encoding::Vereda);
    // Without what an honest sender fills it up with.
    body.truncate(10_000);
    let refused = problem(&clinic, post(PATH_SYNC, "application/vereda", &body));
    assert_eq!(refused, (413, "too_large".into()));
}

#[test]
fn s3_a_draft_cannot_take_the_name_of_another_patients_entry() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let (one, other) = (ana.register("Uma"), ana.register("Outra"));
    let note = ana.note(one.patient, "o que importa");
    let victim = ana.entry(&note);
    let draft = ana.write(
        other.patient,
        Intent::OpenDraft {
            draft: Some(victim),
            kind: vereda_core::record::Kind("note".into()),
            occurred_at: support::at(0),
            text: "em seu lugar".to_owned().into(),
            body: None,
        },
    );
    let outcomes = ana.push(&clinic, &[one, other, note, draft]);
    assert_eq!(
        codes(&outcomes),
        ["accepted", "accepted", "accepted", "refused policy_refused"]
    );
}
