//! What is given back to a restored server: who may, and what they hear.

use crate::clinic::{Clinic, PLACES, Reader};
use crate::ways::{Heard, ask};
use vereda_core::bytes::ByteArray;
use vereda_core::id::UnitId;
use vereda_core::protocol::{
    Encoding, PATH_TAIL, PageItem, Problem, TailAnswer, TailRequest, TailRun, WholeHeads, chain_tag, decode,
    decode_body,
};
use vereda_core::record::{Compartment, Stream};
use vereda_core::store::cursors;
use vereda_core::store::tail::{self, Stretch};
use vereda_core::sync::Reply;
use vereda_server::Role;
use vereda_tests::note;

/// All of a stream that a device keeps, as the server signed it: what that device would give back.
fn run_of(clinic: &Clinic, device: usize, stream: Stream) -> Option<TailRun> {
    let file = clinic.world.device_file(device);
    let stretch: Stretch = tail::stretches(&file, &stream).expect("it reads").pop()?;
    let last = tail::proofs(&file, &stretch, 0, u64::MAX)
        .expect("it reads")
        .pop()?;
    let mut run = TailRun {
        first: stretch.base_seq + 1,
        before: ByteArray::new(stretch.base_chain),
        origins: Vec::new(),
        items: Vec::new(),
        received_ms: Vec::new(),
        heads: decode::<WholeHeads>(&last.heads).expect("signed heads"),
        signature: ByteArray::new(last.signature),
    };
    for row in tail::items(&file, &stretch, stretch.base_seq, 1_000).expect("it reads") {
        if row.seq > last.seq {
            break;
        }
        let PageItem::Item(mut item) = decode(&row.item).expect("an item") else {
            panic!("an author has all of their stream whole")
        };
        item.origin = run.origins.len() as u32;
        run.origins.push(row.origin);
        run.received_ms.push((1, row.received_ms));
        run.items.push(PageItem::Item(item));
    }
    Some(run)
}

/// A question about a stream's tail that shows and gives nothing yet.
fn tail_of(stream: Stream) -> TailRequest {
    TailRequest {
        stream,
        refresh: None,
        points: Vec::new(),
        run: None,
        reached: None,
    }
}

/// Asks of every stream how far the server holds it, by the very places its author read, and gives all of it back:
/// of a stream out of scope the answer is that of one that does not exist.
pub(crate) fn tail(clinic: &mut Clinic, reader: Reader) -> Heard {
    let mut heard = Heard::default();
    for (index, place) in PLACES.into_iter().enumerate() {
        for compartment in Compartment::ALL {
            let stream = Stream::new(clinic.units[index], compartment);
            let run = run_of(clinic, clinic.authors[index], stream);
            let end =
                cursors::get(&clinic.world.device_file(clinic.authors[index]), &stream).expect("a cursor");
            let shown = TailRequest {
                points: vec![(end.seq, chain_tag(&end.chain))],
                ..tail_of(stream)
            };
            let given = TailRequest {
                run,
                ..tail_of(stream)
            };
            for request in [shown, given] {
                let reply = ask(clinic, reader, "POST", PATH_TAIL, Encoding::Vereda, &request);
                heard.take(PATH_TAIL, Encoding::Vereda, &reply);
                if reader.reads(place, compartment) && compartment != Compartment::Agenda {
                    let answer: TailAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
                    assert_eq!(
                        answer.held,
                        request.points.first().map_or(0, |_| end.seq),
                        "it holds it"
                    );
                    assert_eq!((answer.appended, answer.left), (0, Vec::new()), "it has it");
                    continue;
                }
                let nowhere = TailRequest {
                    stream: Stream::new(UnitId(uuid::Uuid::from_bytes([9; 16])), compartment),
                    ..request
                };
                let absent = ask(clinic, reader, "POST", PATH_TAIL, Encoding::Vereda, &nowhere);
                assert_eq!((reply.status, refusal(&reply)), (404, refusal(&absent)));
            }
        }
    }
    heard
}

/// What a refusal says, but for the name of the request.
fn refusal(reply: &Reply) -> Problem {
    Problem {
        correlation_id: String::new(),
        ..decode_body(&reply.body, Encoding::Json).expect("a problem document")
    }
}

fn log_of(clinic: &Clinic, stream: Stream) -> i64 {
    clinic
        .world
        .server_file()
        .query_row(
            "select count(*) from log where unit = ?1 and compartment = ?2",
            (stream.unit, stream.compartment.code()),
            |row| row.get(0),
        )
        .expect("a count")
}

/// What each place's author wrote after the copy was made is lost. Whoever reads the stream gives it back, whatever
/// they may write; of another stream nothing is taken, and nothing is said.
fn give_back(seed: u64, role: Role, is_granted: bool) {
    let mut clinic = Clinic::new(seed);
    let readers: Vec<Reader> = [PLACES[0], PLACES[2]]
        .map(|place| Reader {
            device: clinic.join(
                place,
                &format!("{} of {}", role.name(), place.unit),
                role,
                is_granted,
            ),
            place,
            role,
            is_granted,
        })
        .into();
    let copy = clinic.world.copy_server("copy.db");
    for (place, author) in clinic.authors.clone().into_iter().enumerate() {
        let patient = clinic.patients[place];
        clinic.world.patient(author, "Since The Copy");
        for compartment in [Compartment::Clinical, Compartment::Sensitive] {
            let entry = note(70, "since the copy");
            let saved = clinic.world.run(author, |client| async move {
                client.timeline().add_in(patient, compartment, entry, false).await
            });
            saved.expect("written");
        }
        clinic.world.sync(author);
    }
    for reader in readers {
        for (index, place) in PLACES.into_iter().enumerate() {
            for compartment in Compartment::ALL {
                let stream = Stream::new(clinic.units[index], compartment);
                let Some(run) = run_of(&clinic, clinic.authors[index], stream) else {
                    continue;
                };
                let case = format!(
                    "{} gives back {} of {}",
                    role.name(),
                    compartment.name(),
                    place.unit
                );
                clinic.world.restore_server(&copy);
                let before = log_of(&clinic, stream);
                let request = TailRequest {
                    run: Some(run),
                    ..tail_of(stream)
                };
                let reply = ask(&mut clinic, reader, "POST", PATH_TAIL, Encoding::Vereda, &request);
                let grown = log_of(&clinic, stream) - before;
                if reader.reads(place, compartment) {
                    assert_eq!(reply.status, 200, "{case}");
                    let answer: TailAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
                    assert!(answer.left.is_empty(), "{case}: {:?}", answer.left);
                    assert_eq!(
                        (answer.appended, grown),
                        (1, 1),
                        "{case}: what was lost since the copy"
                    );
                } else {
                    assert_eq!((reply.status, grown), (404, 0), "{case}");
                }
            }
        }
    }
}

#[test]
fn s1_a_clinician_gives_back_identity_and_clinical_of_their_units() {
    give_back(71, Role::Clinician, false);
}

#[test]
fn s1_a_clinician_with_a_grant_gives_back_the_sensitive_compartment_too() {
    give_back(72, Role::Clinician, true);
}

#[test]
fn s1_reception_gives_back_identity_alone() {
    give_back(73, Role::Reception, false);
}

#[test]
fn s1_a_supervisor_gives_back_what_they_read() {
    give_back(74, Role::Supervisor, false);
}

#[test]
fn s1_auditors_and_administrators_give_back_nothing() {
    give_back(75, Role::Auditor, false);
    give_back(76, Role::Administrator, false);
}
