//! The people, places and times of the vectors. None of them exists.

use uuid::Uuid;
use vereda_core::id::{EntryId, Incarnation, PatientId, StoreId, TenantId, UnitId, UserId};
use vereda_core::record::{
    ChartFields, ChartKind, Compartment, Contact, DraftEdit, EntryHeader, FieldChange, FirstKey, Identifier,
    Intent, Kind, Marks, NewEntry, Origin, PatientField, PatientRecord, ReferenceRow, Relation, Stream,
    TextEdit, Write,
};
use vereda_core::redact::Sensitive;
use vereda_core::time::{Hlc, Zoned};

/// 2026-05-04T13:30:00Z.
pub(crate) const BEGIN_MS: i64 = 1_777_901_400_000;

fn uuid(tail: u128) -> Uuid {
    Uuid::from_u128(0x0123_4567_89ab_4def_8123_0000_0000_0000 | tail)
}

pub(crate) fn store() -> StoreId {
    StoreId(uuid(1))
}

pub(crate) fn incarnation() -> Incarnation {
    Incarnation {
        store: store(),
        number: 0x1122_3344_5566_7788,
    }
}

pub(crate) fn colleague() -> Incarnation {
    Incarnation {
        store: StoreId(uuid(2)),
        number: 7,
    }
}

pub(crate) fn user() -> UserId {
    UserId(uuid(0x10))
}

pub(crate) fn unit() -> UnitId {
    UnitId(uuid(0x20))
}

pub(crate) fn tenant() -> TenantId {
    TenantId(uuid(0x30))
}

pub(crate) fn stream() -> Stream {
    Stream::new(unit(), Compartment::Clinical)
}

pub(crate) fn patient() -> PatientId {
    PatientId::derive(&incarnation(), 1, BEGIN_MS)
}

pub(crate) fn other_patient() -> PatientId {
    PatientId::derive(&incarnation(), 2, BEGIN_MS)
}

pub(crate) fn at(minutes: i64) -> Zoned {
    Zoned {
        utc_ms: BEGIN_MS + minutes * 60_000,
        offset_minutes: -180,
    }
}

/// A record with every field.
pub(crate) fn record() -> PatientRecord {
    PatientRecord {
        name: Sensitive("Maria da Silva".into()),
        birth_date: Some(Sensitive("1980-02".into())),
        gender: Some(Sensitive("female".into())),
        identifiers: vec![
            Identifier::parse("cpf", "529.982.247-25").expect("a CPF"),
            Identifier::parse("urn:example:chart", "42-B").expect("an identifier"),
        ],
        contacts: vec![Contact {
            system: "phone".into(),
            value: Sensitive("+55 92 0000-0000".into()),
        }],
        deceased: None,
        origin: None,
    }
}

/// A note's text: composed and decomposed accents, a character outside the first plane.
pub(crate) const TEXT: &str = "Refere dor de cabec\u{327}a há dois dias. 𝄞";

/// An entry with a body.
pub(crate) fn vitals(minutes: i64) -> NewEntry {
    NewEntry::new(Kind("vitals".into()), at(minutes), "PA 120/80 mmHg")
        .with_body(r#"{"diastolic":80,"systolic":120}"#)
}

/// An entry with everything an import sets.
fn imported() -> NewEntry {
    NewEntry {
        id: Some(EntryId(Uuid::new_v5(
            &vereda_core::id::NAMESPACE,
            b"Observation/1",
        ))),
        origin: Some(Origin {
            resource: "Observation/1".into(),
            performer: Some(Sensitive("Dr. Ana Prado".into())),
            digest: "00112233445566778899aabbccddeeff".into(),
        }),
        marks: Marks {
            time_inferred: true,
            time_uncertain: true,
        },
        ..vitals(-60)
    }
}

/// The draft that write 6 opens.
pub(crate) fn draft() -> EntryId {
    EntryId::derive(&incarnation(), 6, 0, at(6).utc_ms)
}

/// The note that write 4 adds.
pub(crate) fn note() -> EntryId {
    EntryId::derive(&incarnation(), 4, 0, at(4).utc_ms)
}

fn write(n: u64, compartment: Compartment, patient: PatientId, intent: Intent) -> Write {
    Write {
        n,
        user: user(),
        unit: unit(),
        compartment,
        patient,
        recorded_at: at(n as i64),
        hlc: None,
        time_uncertain: false,
        after: Vec::new(),
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
}

fn clinical(n: u64, intent: Intent) -> Write {
    write(n, Compartment::Clinical, patient(), intent)
}

fn edit(text: Vec<TextEdit>) -> DraftEdit {
    DraftEdit {
        text,
        ..DraftEdit::default()
    }
}

/// Every intent, in an order in which a server takes them.
pub(crate) fn writes() -> Vec<(&'static str, Write)> {
    let mut registered = write(
        1,
        Compartment::Identity,
        patient(),
        Intent::Register {
            record: record(),
            patient: None,
        },
    );
    registered.recorded_at = at(0);
    let mut second = write(
        2,
        Compartment::Identity,
        other_patient(),
        Intent::Register {
            record: PatientRecord::named("José Prado"),
            patient: None,
        },
    );
    second.recorded_at = at(0);
    let change = |field, from: &str, to: &str| FieldChange {
        field,
        from: Sensitive(from.into()),
        to: Sensitive(to.into()),
    };
    let edited = Intent::EditRecord {
        base_version: 1,
        changes: vec![
            change(
                PatientField::Name,
                "\"Maria da Silva\"",
                "\"Maria da Silva Prado\"",
            ),
            change(PatientField::Deceased, "null", "\"2026-05-03\""),
        ],
        resolves: vec![PatientField::BirthDate],
    };
    let mut noted = clinical(
        4,
        Intent::Add {
            entries: vec![NewEntry::note(at(3), TEXT)],
        },
    );
    noted.after = vec![1];
    noted.hlc = Some(Hlc::at(at(4).utc_ms).tick(0));
    noted.time_uncertain = true;
    let mut several = clinical(
        5,
        Intent::Add {
            entries: vec![vitals(5), imported()],
        },
    );
    several.part = 1;
    let opened = Intent::OpenDraft {
        draft: None,
        kind: Kind("vitals".into()),
        occurred_at: at(6),
        text: Sensitive("PA".into()),
        body: Some(Sensitive(r#"{"systolic":120}"#.into())),
    };
    let spliced = Intent::EditDraft {
        draft: draft(),
        chapter: (2026, 0),
        edit: DraftEdit {
            body: Some(Some(Sensitive(r#"{"diastolic":80,"systolic":120}"#.into()))),
            occurred_at: Some(at(5)),
            ..edit(vec![
                TextEdit {
                    at: 2,
                    delete: 0,
                    insert: Sensitive(" 120/80".into()),
                },
                TextEdit {
                    at: 0,
                    delete: 2,
                    insert: Sensitive("BP".into()),
                },
            ])
        },
    };
    let without_body = Intent::EditDraft {
        draft: draft(),
        chapter: (2026, 0),
        edit: DraftEdit {
            body: Some(None),
            ..DraftEdit::default()
        },
    };
    let seen = vereda_core::document::draft_digest("BP 120/80", None, Some(at(5)));
    let finalized = Intent::Finalize {
        draft: draft(),
        chapter: (2026, 0),
        entry: NewEntry::new(Kind("vitals".into()), at(5), "BP 120/80"),
        draft_seen: vereda_core::bytes::ByteArray::new(seen),
    };
    let late = Intent::EditDraft {
        draft: draft(),
        chapter: (2026, 0),
        edit: edit(vec![TextEdit {
            at: 9,
            delete: 0,
            insert: Sensitive(" mmHg".into()),
        }]),
    };
    let dismissed = Intent::DismissLateEdit {
        entry: draft(),
        chapter: (2026, 0),
        draft_seen: vereda_core::bytes::ByteArray::new(vereda_core::document::draft_digest(
            "BP 120/80 mmHg",
            None,
            Some(at(5)),
        )),
    };
    let chosen = Intent::ChooseHeader {
        entry: draft(),
        chapter: (2026, 0),
        chosen: vereda_core::id::WriteId::derive(&incarnation(), 9),
    };
    let related = |relation, text: &str| {
        let mut entry = NewEntry::new(Kind("administrative".into()), at(3), text);
        entry.relation = Some(relation);
        Intent::Add { entries: vec![entry] }
    };
    let moved = Intent::Move {
        entry: note(),
        chapter: (2026, 0),
        to: other_patient(),
        to_part: 0,
        reason: Sensitive("wrong chart".into()),
        header: Box::new(EntryHeader {
            entry: NewEntry::note(at(3), TEXT),
            recorded_at: at(4),
            author: user(),
            unit: unit(),
            write: vereda_core::id::WriteId::derive(&incarnation(), 4),
            draft_seen: None,
        }),
    };
    let fields = |pairs: &[(&str, &str)]| -> ChartFields {
        pairs
            .iter()
            .map(|(field, value)| ((*field).to_owned(), Sensitive((*value).to_owned())))
            .collect()
    };
    let allergy = Intent::SetChart {
        item: None,
        kind: ChartKind("allergy".into()),
        fields: fields(&[("display", "Penicilina"), ("status", "active")]),
        entry: None,
    };
    let problem = Intent::SetChart {
        item: Some(vereda_core::id::ChartItemId(Uuid::new_v5(
            &vereda_core::id::NAMESPACE,
            b"Condition/1",
        ))),
        kind: ChartKind("problem".into()),
        fields: fields(&[("display", "Hipertensão")]),
        entry: Some(Box::new(NewEntry::note(at(14), "Hipertensão"))),
    };
    let reference = Intent::AddReference {
        rows: vec![ReferenceRow {
            kind: "practitioner".into(),
            id: Uuid::new_v5(&vereda_core::id::NAMESPACE, b"Practitioner/1"),
            name: Sensitive("Dr. Ana Prado".into()),
            details: Sensitive(r#"{"active":true}"#.into()),
        }],
    };
    let linked = Intent::Link {
        other: other_patient(),
        reason: Sensitive("cadastro em dobro".into()),
    };
    let unlinked = Intent::Unlink {
        other: other_patient(),
        reason: Sensitive("são irmãs".into()),
    };
    let other_unit = UnitId(Uuid::from_u128(0x0abc));
    let shared = Intent::Share {
        to: other_unit,
        compartments: [Compartment::Identity, Compartment::Clinical].into(),
        reason: Sensitive("encaminhada".into()),
        until_ms: Some(at(60).utc_ms),
    };
    let share_ended = Intent::EndShare {
        share: vereda_core::id::WriteId::derive(&incarnation(), 23),
        reason: Sensitive("alta".into()),
    };
    let transferred = Intent::Transfer {
        to: other_unit,
        reason: Sensitive("mudou de bairro".into()),
    };
    let claimed = Intent::Claim {
        grant: vereda_core::bytes::ByteBuf::from(vec![0x67; 40]),
        reason: Sensitive("urgência".into()),
    };
    let mut resent = clinical(20, related(Relation::Amends(note()), "correção"));
    resent.replaces = Some(vereda_core::id::WriteId::derive(&incarnation(), 19));
    resent.first_key = Some(FirstKey {
        incarnation: incarnation().number,
        n: 19,
        recorded_ms: at(19).utc_ms,
    });
    vec![
        ("register", registered),
        ("register_another", second),
        ("edit_record", write(3, Compartment::Identity, patient(), edited)),
        ("add_a_note", noted),
        ("add_several_of_an_import", several),
        ("open_draft", clinical(6, opened)),
        ("edit_draft", clinical(7, spliced)),
        ("edit_draft_removes_the_body", clinical(8, without_body)),
        ("finalize", clinical(9, finalized)),
        ("edit_draft_late", clinical(10, late)),
        ("dismiss_late_edit", clinical(11, dismissed)),
        ("choose_header", clinical(12, chosen)),
        ("set_chart", clinical(13, allergy)),
        ("set_chart_with_an_entry", clinical(14, problem)),
        (
            "add_an_amendment",
            clinical(15, related(Relation::Amends(note()), "desde ontem")),
        ),
        (
            "add_a_retraction",
            clinical(16, related(Relation::Retracts(note()), "engano")),
        ),
        ("move", clinical(17, moved)),
        (
            "add_reference",
            write(18, Compartment::Identity, patient(), reference),
        ),
        ("add_in_place_of_a_refused_one", resent),
        ("link", write(21, Compartment::Identity, patient(), linked)),
        ("unlink", write(22, Compartment::Identity, patient(), unlinked)),
        ("share", write(23, Compartment::Identity, patient(), shared)),
        (
            "end_share",
            write(24, Compartment::Identity, patient(), share_ended),
        ),
        (
            "transfer",
            write(25, Compartment::Identity, patient(), transferred),
        ),
        ("claim", write(26, Compartment::Identity, patient(), claimed)),
    ]
}
