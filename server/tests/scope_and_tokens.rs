//! Who may see and write what, and how a device stays known.
#![allow(
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "helpers of tests are tests"
)]

mod support;

use support::{Clinic, Device, TENANT, at, codes, unfold};
use uuid::Uuid;
use vereda_core::bytes::ByteArray;
use vereda_core::id::{Incarnation, StoreId};
use vereda_core::limits::{ACCESS_TOKEN_MS, REFRESH_TOKEN_MS};
use vereda_core::protocol::{
    Cursor, EnrolAnswer, EnrolRequest, Frozen, PATH_ENROL, PATH_SNAPSHOT, SnapshotAnswer, SnapshotRequest,
    SyncAnswer,
};
use vereda_core::record::{Compartment, Intent, NewEntry, Stream};
use vereda_core::redact::Sensitive;
use vereda_server::Role;

/// A second unit of the same tenant, with a clinician's device.
fn device_elsewhere(clinic: &Clinic) -> Device {
    {
        let mut entropy = clinic.entropy.lock().unwrap();
        clinic.admin().create_unit(&mut *entropy, TENANT, "Sul").unwrap();
    }
    clinic.user("eva", Role::Clinician, &["Sul"]);
    Device::enrol(clinic, "eva", 77)
}

#[test]
fn s1_a_device_of_another_unit_gets_no_byte_of_a_patient() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let mut eva = device_elsewhere(&clinic);
    let patient = ana.push_many(&clinic, 2);
    eva.pull(&clinic);
    assert!(eva.received.is_empty());
    // Asking for the stream by name brings nothing either, whatever the cursor says.
    eva.streams = ana.streams.clone();
    let mut request = eva.request(vec![]);
    for seq in [0, 1, 9_999] {
        request.cursors[0].seq = seq;
        let answer = eva.send(&clinic, &request).unwrap();
        assert!(answer.pages.is_empty() && answer.origins.is_empty());
        assert_eq!(answer.epoch, eva.epoch, "a stranger's cursor begins no epoch");
    }
    let snapshot = SnapshotRequest {
        patients: vec![patient],
    };
    let answer = clinic.post(PATH_SNAPSHOT, eva.authorization(), &snapshot);
    let answer: SnapshotAnswer = support::read(&answer).unwrap();
    assert!(answer.records.is_empty() && answer.documents.is_empty() && answer.left_out.is_empty());
    let answer = clinic.post(PATH_SNAPSHOT, ana.authorization(), &snapshot);
    let answer: SnapshotAnswer = support::read(&answer).unwrap();
    assert_eq!((answer.records.len(), answer.documents.len()), (1, 1));
}

#[test]
fn s1_a_neighbour_whose_unit_and_people_are_called_the_same_gets_no_byte_of_a_patient() {
    let clinic = Clinic::new();
    let (mut ana, mut namesake) = (clinic.device("ana"), clinic.neighbour("ana"));
    let patient = ana.push_many(&clinic, 2);
    namesake.pull(&clinic);
    assert!(namesake.received.is_empty());
    assert_ne!(ana.unit, namesake.unit);
    // What is theirs by number or id is nobody's here.
    let own = namesake.note(patient, "sobre paciente alheio");
    assert_eq!(
        codes(&namesake.push(&clinic, &[own])),
        ["refused unknown_patient"]
    );
    let mut into = namesake.note(patient, "em unidade alheia");
    into.unit = ana.unit;
    namesake.documents.clear();
    assert_eq!(codes(&namesake.push(&clinic, &[into])), ["park out_of_scope"]);
    let snapshot = SnapshotRequest {
        patients: vec![patient],
    };
    let answer = clinic.post(PATH_SNAPSHOT, namesake.authorization(), &snapshot);
    let answer: SnapshotAnswer = support::read(&answer).unwrap();
    assert!(answer.records.is_empty() && answer.documents.is_empty() && answer.left_out.is_empty());
    // And the neighbour's own work reaches nobody else.
    let theirs = namesake.push_many(&clinic, 1);
    assert_ne!(theirs, patient);
    let before = ana.received.len();
    ana.pull(&clinic);
    assert_eq!(ana.received.len(), before);
}

#[test]
fn s1_s3_a_write_into_another_unit_or_compartment_is_parked_and_the_patient_there_is_unknown() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let mut eva = device_elsewhere(&clinic);
    let patient = ana.push_many(&clinic, 1);
    let mut into_norte = eva.note(patient, "de fora");
    into_norte.unit = ana.unit;
    let own_unit = eva.note(patient, "na minha unidade");
    let mut sensitive = ana.note(patient, "sigilosa");
    sensitive.compartment = Compartment::Sensitive;
    assert_eq!(codes(&eva.push(&clinic, &[into_norte])), ["park out_of_scope"]);
    eva.documents.clear();
    assert_eq!(
        codes(&eva.push(&clinic, &[own_unit])),
        ["refused unknown_patient"]
    );
    assert_eq!(codes(&ana.push(&clinic, &[sensitive])), ["park quarantined"]);
}

#[test]
fn s3_a_write_signed_by_another_user_or_under_anothers_actor_is_refused() {
    let clinic = Clinic::new();
    let (mut ana, bia) = (clinic.device("ana"), clinic.device("bia"));
    let patient = ana.push_many(&clinic, 1);
    let mut forged = ana.note(patient, "em nome de outra");
    forged.user = bia.user;
    assert_eq!(codes(&ana.push(&clinic, &[forged])), ["refused policy_refused"]);
    // A change whose bytes were made under another device's actor.
    ana.documents.clear();
    ana.pull_anew(&clinic);
    let note = ana.note(patient, "de outro ator");
    let mut push = ana.encode(std::slice::from_ref(&note));
    let wanted = vereda_core::document::operations(&note, &ana.incarnation);
    let mut copy = vereda_core::document::LoadedDocument::new();
    let made = copy
        .apply(&wanted[0].operations, &bia.incarnation.actor(0), None)
        .unwrap();
    push[0].changes[0].raw = Some(vereda_core::bytes::ByteBuf::from(made.bytes));
    let answer = ana.send(&clinic, &ana.request(push)).unwrap();
    assert_eq!(codes(&unfold(&answer)), ["refused gate_refused"]);
}

#[test]
fn s3_bytes_that_do_something_else_than_their_write_are_refused() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let patient = ana.push_many(&clinic, 1);
    let honest = ana.note(patient, "o que assino");
    let mut other = honest.clone();
    other.intent = Intent::Add {
        entries: vec![NewEntry::note(at(1_766_000_000_000), "o que se lê")],
    };
    // The bytes are of another text than the write; both are well-formed, of the right actor and number.
    let mut push = ana.encode(&[other]);
    let key = vereda_core::document::operations(&honest, &ana.incarnation)[0].key;
    let bytes = ana.documents[&key]
        .change(&ana.written[&honest.n].changes[0])
        .unwrap();
    push[0].changes[0].raw = Some(vereda_core::bytes::ByteBuf::from(bytes));
    push[0].write = Frozen::new(honest);
    let answer = ana.send(&clinic, &ana.request(push)).unwrap();
    assert_eq!(codes(&unfold(&answer)), ["refused policy_refused"]);
}

#[test]
fn an_honest_change_sent_whole_is_accepted_and_read_like_any_other() {
    let clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    let patient = ana.push_many(&clinic, 1);
    let note = ana.note(patient, "inteira");
    let mut push = ana.encode(std::slice::from_ref(&note));
    let key = vereda_core::document::operations(&note, &ana.incarnation)[0].key;
    let bytes = ana.documents[&key]
        .change(&ana.written[&note.n].changes[0])
        .unwrap();
    push[0].changes[0].raw = Some(vereda_core::bytes::ByteBuf::from(bytes));
    let answer = ana.send(&clinic, &ana.request(push)).unwrap();
    assert_eq!(codes(&unfold(&answer)), ["accepted"]);
    bia.raw = true;
    bia.pull(&clinic);
    assert!(
        bia.received
            .iter()
            .flat_map(|(_, item)| &item.changes)
            .all(|change| change.raw.is_some())
    );
    assert!(bia.texts(patient).contains(&"inteira".to_owned()));
}

#[test]
fn a_scope_that_changed_comes_with_the_next_answer_and_old_streams_stop() {
    let clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    ana.push_many(&clinic, 1);
    bia.pull(&clinic);
    let request = bia.request(vec![]);
    clinic.admin().leave_unit(TENANT, "bia", "Norte").unwrap();
    ana.push_many(&clinic, 1);
    let answer = bia.send(&clinic, &request).unwrap();
    assert!(answer.pages.is_empty());
    let scope = answer.scope.unwrap();
    assert!(scope.streams.is_empty() && scope.people.is_empty());
    assert!(scope.version > request.scope);
}

#[test]
fn an_expired_access_token_costs_no_extra_request() {
    let mut clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    clinic.now_ms += ACCESS_TOKEN_MS;
    let refused = ana.send(&clinic, &ana.request(vec![])).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (401, "unauthenticated"));
    ana.send_refresh = true;
    let register = ana.register("Maria");
    let push = ana.encode(&[register]);
    let request = ana.request(push);
    let answer = ana.send(&clinic, &request).unwrap();
    assert_eq!(codes(&unfold(&answer)), ["accepted"]);
    ana.take(&request, &answer);
    ana.send_refresh = false;
    ana.send(&clinic, &ana.request(vec![])).unwrap();
}

#[test]
fn s6_lost_answers_and_doubled_requests_log_nobody_out_and_an_older_token_destroys_nothing() {
    let mut clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    ana.send_refresh = true;
    let first = ana.tokens.clone();
    let ask =
        |ana: &Device, clinic: &Clinic| -> SyncAnswer { ana.send(clinic, &ana.request(vec![])).unwrap() };
    // Answers that are lost: the device goes on with what it has.
    let lost = ask(&ana, &clinic).tokens.unwrap();
    clinic.now_ms += ACCESS_TOKEN_MS * 2;
    let again = ask(&ana, &clinic).tokens.unwrap();
    assert_eq!(lost.refresh, again.refresh, "the same successor again");
    ana.tokens = again.clone();
    let third = ask(&ana, &clinic).tokens.unwrap();
    // A request that comes twice, late: with the token before the last.
    let doubled = ask(&ana, &clinic).tokens.unwrap();
    assert_eq!(third.refresh, doubled.refresh);
    // Older than that: refused, and the honest one goes on.
    ana.tokens = first;
    let refused = ana.send(&clinic, &ana.request(vec![])).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (401, "unauthenticated"));
    ana.tokens = third;
    ask(&ana, &clinic);
    clinic.now_ms += REFRESH_TOKEN_MS + 1;
    assert_eq!(ana.send(&clinic, &ana.request(vec![])).unwrap_err().status, 401);
}

#[test]
fn a_restored_server_still_knows_tokens_it_issued_after_the_copy() {
    let mut clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let copy = clinic.copy("before.db");
    ana.send_refresh = true;
    for _ in 0..3 {
        let request = ana.request(vec![]);
        let answer = ana.send(&clinic, &request).unwrap();
        ana.take(&request, &answer);
    }
    clinic.restore(&copy);
    clinic.now_ms += ACCESS_TOKEN_MS * 2;
    ana.send(&clinic, &ana.request(vec![])).unwrap();
}

#[test]
fn a_revoked_device_is_told_so_and_nothing_else() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let (device, user) = clinic.admin().devices().unwrap().remove(0);
    assert_eq!(user, "ana");
    clinic.admin().revoke(device.short, clinic.now_ms).unwrap();
    for refresh in [false, true] {
        ana.send_refresh = refresh;
        let refused = ana.send(&clinic, &ana.request(vec![])).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (401, "device_revoked"));
    }
    // Whoever only guesses the device's number learns nothing of it.
    ana.tokens.access.0[12] ^= 1;
    ana.send_refresh = false;
    assert_eq!(
        ana.send(&clinic, &ana.request(vec![])).unwrap_err().code,
        "unauthenticated"
    );
}

#[test]
fn an_enrolment_code_is_used_once_by_one_store_and_not_after_its_time() {
    let mut clinic = Clinic::new();
    clinic.user("ana", Role::Clinician, &["Norte"]);
    let code = clinic.code("ana");
    let request = |number: u64| EnrolRequest {
        secret: code.secret.clone(),
        incarnation: vereda_core::id::Incarnation {
            store: vereda_core::id::StoreId(Uuid::from_u64_pair(number, 1)),
            number,
        },
        hardware: vereda_core::bytes::ByteArray::new([0; 16]),
        label: vereda_core::redact::Sensitive("tablet".into()),
    };
    let enrol = |clinic: &Clinic, number| {
        support::read::<EnrolAnswer>(&clinic.post(PATH_ENROL, None, &request(number)))
    };
    let first = enrol(&clinic, 1).unwrap();
    // Its answer was lost, or the request came twice: the tokens of both answers hold.
    let again = enrol(&clinic, 1).unwrap();
    assert_eq!(first.tokens, again.tokens);
    let refused = enrol(&clinic, 2).unwrap_err();
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (401, "enrolment_code_invalid")
    );
    clinic.now_ms += 2_000;
    assert_eq!(enrol(&clinic, 1).unwrap_err().status, 401);
    // Another user's code does not take the store over.
    clinic.user("bia", Role::Clinician, &["Norte"]);
    let mut foreign = request(1);
    foreign.secret = clinic.code("bia").secret.clone();
    let refused = support::read::<EnrolAnswer>(&clinic.post(PATH_ENROL, None, &foreign)).unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (409, "already_enrolled"));
}

#[test]
fn a_restored_server_takes_a_new_epoch_once_and_starts_the_reader_anew() {
    let mut clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    ana.push_many(&clinic, 2);
    let copy = clinic.copy("before.db");
    ana.push_many(&clinic, 2);
    bia.pull(&clinic);
    let epoch = bia.epoch;
    let far = bia.cursors.clone();
    clinic.restore(&copy);
    let request = bia.request(vec![]);
    let answer = bia.send(&clinic, &request).unwrap();
    assert_ne!(answer.epoch, epoch);
    assert!(answer.pages.iter().all(|page| page.first == 1));
    bia.take(&request, &answer);
    // Whoever else comes with a longer log, still of the old epoch, begins no other one.
    let mut old = bia.request(vec![]);
    old.epoch = epoch;
    old.cursors = far
        .iter()
        .map(|(stream, (seq, chain))| Cursor {
            stream: *stream,
            seq: *seq,
            chain: vereda_core::protocol::chain_tag(chain),
        })
        .collect();
    assert_eq!(bia.send(&clinic, &old).unwrap().epoch, answer.epoch);
    assert!(
        bia.cursors[&Stream::new(bia.unit, Compartment::Clinical)].0
            < far[&Stream::new(bia.unit, Compartment::Clinical)].0
    );
}

#[test]
fn s3_a_write_names_no_ids_but_those_of_a_source_and_keeps_those_of_its_first_key() {
    use vereda_core::id::EntryId;
    let clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    let patient = ana.push_many(&clinic, 0);
    let note = ana.note(patient, "primeira");
    let entry = ana.entry(&note);
    ana.push(&clinic, &[note]);
    // A colleague's entry, or any id of nobody's making.
    for id in [entry, EntryId(Uuid::from_u128(0x7000 << 64))] {
        let mut entry = NewEntry::note(at(1_766_000_000_000), "segunda");
        entry.id = Some(id);
        let named = bia.write(patient, Intent::Add { entries: vec![entry] });
        assert_eq!(codes(&bia.push(&clinic, &[named])), ["refused policy_refused"]);
        bia.documents.clear();
        bia.generation += 1;
    }
    // A write that took another key keeps the ids people saw.
    let mut kept = bia.note(patient, "terceira");
    kept.first_key = Some(vereda_core::record::FirstKey {
        incarnation: 12_345,
        n: 7,
        recorded_ms: 1_767_000_000_000,
    });
    let mut register = bia.register("Joana");
    register.first_key = kept.first_key;
    register.patient = register.patient_id(&bia.incarnation);
    assert_eq!(
        codes(&bia.push(&clinic, &[kept, register])),
        ["accepted", "accepted"]
    );
}

#[test]
fn a_revoked_device_does_not_come_back_with_the_code_it_came_with() {
    let clinic = Clinic::new();
    clinic.user("ana", Role::Clinician, &["Norte"]);
    let code = clinic.code("ana");
    let request = EnrolRequest {
        secret: code.secret.clone(),
        incarnation: Incarnation {
            store: StoreId(Uuid::from_u64_pair(5, 1)),
            number: 1,
        },
        hardware: ByteArray::new([7; 16]),
        label: Sensitive("tablet".into()),
    };
    let enrol = |request: &EnrolRequest| clinic.post(PATH_ENROL, None, request).status;
    assert_eq!(enrol(&request), 200);
    assert_eq!(enrol(&request), 200, "its answer may have been lost");
    let (device, _) = clinic.admin().devices().unwrap().remove(0);
    clinic.admin().revoke(device.short, clinic.now_ms).unwrap();
    assert_eq!(enrol(&request), 401);
    let anew = EnrolRequest {
        secret: clinic.code("ana").secret,
        ..request
    };
    assert_eq!(enrol(&anew), 200, "an administrator gave it another one");
}
