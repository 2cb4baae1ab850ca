//! What must be refused, and with what.

use super::file::{bytes, text, value};
use super::hostile::{Forged, run, unsigned};
use super::sample;
use serde_json::{Value, json};
use vereda_core::document::gate::{ChangeContext, ChangeHash, GateRefusal, admit_change};
use vereda_core::document::{LoadedDocument, operations};
use vereda_core::protocol::{
    BodyError, Encoding, EnrolmentCode, SyncAnswer, SyncRequest, columns, decode_body, encode, encode_body,
};
use vereda_core::record::{Compartment, Intent, KindRegistry, Write};
use vereda_core::redact::Sensitive;

fn body_vector(name: &str, kind: &str, encoding: Encoding, body: Vec<u8>, error: &str) -> Value {
    json!({"name": name, "type": kind, "media_type": encoding.media_type(), "body": hex::encode(body), "error": error})
}

/// Bodies.
pub(crate) fn bodies() -> Vec<Value> {
    let request = SyncRequest {
        incarnation: 1,
        ..SyncRequest::default()
    };
    let cbor = encode(&request);
    let vereda = |name, kind, body, error| body_vector(name, kind, Encoding::Vereda, body, error);
    let unknown_outcome = json!({
        "epoch": 1, "time_ms": 0, "outcomes": [{"n": 1, "count": 1, "outcome": {"vanished": {}}}],
        "signature": vec![0; 64],
    });
    let short_signature = json!({"epoch": 1, "time_ms": 0, "signature": vec![0; 63]});
    let newer = json!({"incarnation": 1, "epoch": 1, "scope": 0, "weather": {"sun": [1, 2]}});
    let mut cut = encode_body(&request, Encoding::Vereda);
    cut.truncate(cut.len() / 2);
    let by_columns = columns::split(&cbor).expect("a message").concat();
    vec![
        vereda("empty", "SyncRequest", Vec::new(), "malformed"),
        vereda(
            "a_portals_page",
            "SyncAnswer",
            b"<html><body>Welcome</body></html>".to_vec(),
            "malformed",
        ),
        vereda(
            "cbor_that_is_not_compressed",
            "SyncRequest",
            cbor.clone(),
            "malformed",
        ),
        vereda("cut_in_the_middle", "SyncRequest", cut, "malformed"),
        vereda(
            "bytes_left_over",
            "SyncRequest",
            stored(&[&cbor[..], &[0]].concat()),
            "malformed",
        ),
        vereda(
            "cbor_cut",
            "SyncRequest",
            stored(&cbor[..cbor.len() - 1]),
            "malformed",
        ),
        vereda(
            "another_message",
            "EnrolmentCode",
            encode_body(&request, Encoding::Vereda),
            "malformed",
        ),
        vereda("stored_and_whole", "SyncRequest", stored(&cbor), "taken"),
        vereda(
            "an_unknown_field",
            "SyncRequest",
            stored(&encode(&newer)),
            "taken",
        ),
        vereda(
            "a_missing_field",
            "SyncRequest",
            stored(&encode(&json!({"epoch": 1, "scope": 0}))),
            "malformed",
        ),
        vereda(
            "a_negative_number",
            "SyncRequest",
            stored(&encode(&json!({"incarnation": -1, "epoch": 1, "scope": 0}))),
            "malformed",
        ),
        vereda(
            "a_decompression_bomb",
            "SyncRequest",
            // 9 MiB of one letter, not filled up as an honest sender does.
            hex::decode("8b0380ff02018180c00460fcffff0340222c1e0b24f7fe2f0100200048fc9722870550f7fe01")
                .expect("hexadecimal"),
            "too_large",
        ),
        vereda("by_columns", "SyncRequest", stored(&by_columns), "taken"),
        vereda(
            "by_columns_with_bytes_left_over",
            "SyncRequest",
            stored(&[&by_columns[..], &[0]].concat()),
            "malformed",
        ),
        vereda(
            "by_columns_with_a_column_not_used_up",
            "SyncRequest",
            stored(&columns_of(&[&[0x00], &[0x02, 0x02]])),
            "malformed",
        ),
        vereda(
            "by_columns_with_a_column_nobody_names",
            "SyncRequest",
            stored(&columns_of(&[&[0xf6], &[]])),
            "malformed",
        ),
        vereda(
            "by_columns_deeper_than_allowed",
            "SyncRequest",
            stored(&columns_of(&[&[&[0x81; 33][..], &[0xf6]].concat()])),
            "malformed",
        ),
        vereda(
            "by_columns_with_more_places_than_allowed",
            "SyncRequest",
            stored(&columns_of(&[&many_places()])),
            "malformed",
        ),
        vereda(
            "by_columns_that_join_to_more_than_allowed",
            "SyncRequest",
            encode_body(&many_large_numbers(), Encoding::Vereda),
            "too_large",
        ),
        body_vector(
            "json_cut",
            "SyncRequest",
            Encoding::Json,
            br#"{"incarnation":1,"epoch""#.to_vec(),
            "malformed",
        ),
        body_vector(
            "json_unknown_outcome",
            "SyncAnswer",
            Encoding::Json,
            unknown_outcome.to_string().into_bytes(),
            "malformed",
        ),
        body_vector(
            "json_short_signature",
            "SyncAnswer",
            Encoding::Json,
            short_signature.to_string().into_bytes(),
            "malformed",
        ),
    ]
}

/// A message by columns of these columns, all of them short.
fn columns_of(columns: &[&[u8]]) -> Vec<u8> {
    let lengths = columns.iter().flat_map(|column| {
        let length = column.len() as u16;
        if length < 0x80 {
            vec![length as u8]
        } else {
            vec![length as u8 | 0x80, (length >> 7) as u8]
        }
    });
    let head = [0xff, columns.len() as u8].into_iter().chain(lengths);
    head.chain(columns.concat()).collect()
}

/// 4,097 keys, of a number each: `{"0": null, …}`.
fn many_places() -> Vec<u8> {
    let mut structure = vec![0xb9, 0x10, 0x01];
    for key in 0..4_097 {
        structure.extend(encode(&key.to_string()));
        structure.push(0xf6);
    }
    structure
}

/// Numbers whose differences are a byte and which are nine themselves: 900,000 of them are past the limit.
fn many_large_numbers() -> Vec<u64> {
    (0..1_000_000).map(|n| (1 << 60) + n % 50).collect()
}

/// A brotli stream (RFC 7932) of one stored block: window of 16 bits, no dictionary reference, nothing compressed.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len() - 1).expect("a short one");
    let header = length << 4 | 1 << 20;
    [&header.to_le_bytes()[..3], bytes, &[0b11]].concat()
}

/// Compares a stored body.
pub(crate) fn check_body(vector: &Value) {
    let body = bytes(vector, "body");
    let encoding = Encoding::of_media_type(text(vector, "media_type")).expect("a media type");
    let refused = match text(vector, "type") {
        "SyncRequest" => decode_body::<SyncRequest>(&body, encoding).err(),
        "SyncAnswer" => decode_body::<SyncAnswer>(&body, encoding).err(),
        "EnrolmentCode" => decode_body::<EnrolmentCode>(&body, encoding).err(),
        other => panic!("no message is called {other}"),
    };
    let error = refused.map_or("taken", |error| match error {
        BodyError::TooLarge => "too_large",
        BodyError::Malformed => "malformed",
    });
    assert_eq!(error, text(vector, "error"), "{}", text(vector, "name"));
}

/// Writes, each one of `sample::writes` with something wrong.
pub(crate) fn writes() -> Vec<Value> {
    let mut vectors = Vec::new();
    let mut wrong = |name: &str, of: &str, spoil: &dyn Fn(&mut Write)| {
        let (_, mut write) = sample::writes()
            .into_iter()
            .find(|(name, _)| *name == of)
            .expect("a write");
        spoil(&mut write);
        let error = write
            .validate(&KindRegistry::standard())
            .expect_err("it must be refused");
        vectors.push(json!({
            "name": name, "cbor": hex::encode(write.to_bytes()), "json": write, "code": error.code.as_str(),
        }));
    };
    let entry = |write: &mut Write, change: &dyn Fn(&mut vereda_core::record::NewEntry)| {
        if let Intent::Add { entries } = &mut write.intent {
            change(&mut entries[0]);
        }
    };
    let chart = |write: &mut Write, field: &str, text: &str| {
        if let Intent::SetChart { fields, .. } = &mut write.intent {
            fields.insert(field.into(), Sensitive(text.into()));
        }
    };
    wrong("number_zero", "add_a_note", &|write| write.n = 0);
    wrong("after_itself", "add_a_note", &|write| write.after = vec![write.n]);
    wrong("a_note_in_the_identity_stream", "add_a_note", &|write| {
        write.compartment = Compartment::Identity
    });
    wrong("a_registration_in_the_clinical_stream", "register", &|write| {
        write.compartment = Compartment::Clinical
    });
    wrong("empty_text", "add_a_note", &|write| {
        entry(write, &|entry| entry.text = Sensitive(" \n".into()))
    });
    wrong("text_with_nul", "add_a_note", &|write| {
        entry(write, &|entry| entry.text = Sensitive("a\0b".into()))
    });
    wrong("retraction_without_a_reason", "add_a_retraction", &|write| {
        entry(write, &|entry| entry.text = Sensitive(String::new()))
    });
    wrong("not_a_date", "add_a_note", &|write| {
        entry(write, &|entry| entry.occurred_at.utc_ms = 7_258_118_400_000)
    });
    wrong("unknown_kind", "add_a_note", &|write| {
        entry(write, &|entry| entry.kind.0 = "horoscope".into())
    });
    wrong("body_against_its_schema", "add_several_of_an_import", &|write| {
        entry(write, &|entry| {
            entry.body = Some(Sensitive(r#"{"systolic":"high"}"#.into()))
        });
    });
    wrong("body_not_canonical", "add_several_of_an_import", &|write| {
        entry(write, &|entry| {
            entry.body = Some(Sensitive(r#"{"systolic":120,"diastolic":80}"#.into()))
        });
    });
    wrong("body_no_json", "add_several_of_an_import", &|write| {
        entry(write, &|entry| entry.body = Some(Sensitive("{".into())))
    });
    wrong("one_entry_twice", "add_several_of_an_import", &|write| {
        if let Intent::Add { entries } = &mut write.intent {
            entries[0].id = entries[1].id;
        }
    });
    wrong("no_entry", "add_a_note", &|write| {
        write.intent = Intent::Add { entries: Vec::new() }
    });
    wrong("cpf_with_wrong_check_digits", "register", &|write| {
        if let Intent::Register { record, .. } = &mut write.intent {
            record.identifiers[0].value = Sensitive("52998224724".into());
        }
    });
    wrong("name_empty", "register", &|write| {
        if let Intent::Register { record, .. } = &mut write.intent {
            record.name = Sensitive(String::new());
        }
    });
    wrong("an_edit_of_nothing", "edit_record", &|write| {
        write.intent = Intent::EditRecord {
            base_version: 1,
            changes: Vec::new(),
            resolves: Vec::new(),
        };
    });
    wrong("a_draft_edit_of_nothing", "edit_draft", &|write| {
        if let Intent::EditDraft { edit, .. } = &mut write.intent {
            *edit = Default::default();
        }
    });
    wrong("chapter_of_no_year", "edit_draft", &|write| {
        if let Intent::EditDraft { chapter, .. } = &mut write.intent {
            chapter.0 = 20_260;
        }
    });
    wrong("chart_status_of_no_word", "set_chart", &|write| {
        chart(write, "status", "maybe")
    });
    wrong("chart_field_of_no_word", "set_chart", &|write| {
        chart(write, "A b", "x")
    });
    wrong("move_to_the_same_patient", "move", &|write| {
        write.patient = sample::other_patient()
    });
    wrong("move_without_a_reason", "move", &|write| {
        if let Intent::Move { reason, .. } = &mut write.intent {
            *reason = Sensitive(String::new());
        }
    });
    wrong("link_of_a_record_with_itself", "link", &|write| {
        write.patient = sample::other_patient()
    });
    wrong("link_without_a_reason", "link", &|write| {
        if let Intent::Link { reason, .. } = &mut write.intent {
            *reason = Sensitive(" ".into());
        }
    });
    wrong("unlink_in_the_clinical_stream", "unlink", &|write| {
        write.compartment = Compartment::Clinical
    });
    wrong("share_without_identity", "share", &|write| {
        if let Intent::Share { compartments, .. } = &mut write.intent {
            *compartments = [Compartment::Clinical].into();
        }
    });
    wrong("share_of_the_audit", "share", &|write| {
        if let Intent::Share { compartments, .. } = &mut write.intent {
            compartments.insert(Compartment::Audit);
        }
    });
    wrong("transfer_to_the_same_unit", "transfer", &|write| {
        if let Intent::Transfer { to, .. } = &mut write.intent {
            *to = write.unit;
        }
    });
    wrong("claim_with_a_grant_too_long", "claim", &|write| {
        if let Intent::Claim { grant, .. } = &mut write.intent {
            *grant = vereda_core::bytes::ByteBuf::from(vec![0; 1_000]);
        }
    });
    vectors
}

/// Compares a stored write.
pub(crate) fn check_write(vector: &Value) {
    let name = text(vector, "name");
    let write = Write::from_bytes(&bytes(vector, "cbor")).unwrap_or_else(|| panic!("{name}: it can be read"));
    let code = write
        .validate(&KindRegistry::standard())
        .map_or_else(|error| error.code.as_str(), |()| "taken");
    assert_eq!(code, text(vector, "code"), "{name}");
}

/// A change as an honest device makes it.
fn honest() -> (Vec<u8>, [u8; 16]) {
    let (_, write) = sample::writes().swap_remove(3);
    let actor = sample::incarnation().actor(0);
    let compiled = operations(&write, &sample::incarnation()).swap_remove(0);
    let applied = LoadedDocument::new()
        .apply(&compiled.operations, &actor, None)
        .expect("a change");
    (applied.bytes, actor)
}

/// Changes.
pub(crate) fn changes() -> Vec<Value> {
    let (good, actor) = honest();
    let vector = |name: &str, change: &[u8], actor: Option<&[u8]>, error: &str| json!({"name": name, "change": hex::encode(change), "actor": actor.map(hex::encode), "error": error});
    let spoiled = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let after_genesis = || Forged {
        dependencies: vec![LoadedDocument::genesis_hash()],
        start_op: 5,
        ..Forged::default()
    };
    let forged = |name: &str, change: Forged, error: &str| vector(name, &change.bytes(), None, error);
    let last = good.len() - 1;
    vec![
        vector("honest", &good, Some(&actor), "admitted"),
        forged("forged_as_an_honest_one", after_genesis(), "admitted"),
        vector("another_magic_number", &spoiled(0), None, "unexpected_chunk"),
        vector("another_checksum", &spoiled(4), None, "checksum_mismatch"),
        vector(
            "one_bit_of_the_content",
            &spoiled(last),
            None,
            "checksum_mismatch",
        ),
        vector("cut", &good[..last], None, "truncated"),
        vector(
            "bytes_behind",
            &[&good[..], &[0]].concat(),
            None,
            "trailing_bytes",
        ),
        vector("another_devices_actor", &good, Some(&[7; 16]), "foreign_actor"),
        forged(
            "orphan",
            Forged {
                dependencies: vec![[9; 32]],
                ..after_genesis()
            },
            "unknown_dependency",
        ),
        forged(
            "start_op_too_high",
            Forged {
                start_op: u64::from(u32::MAX) - 1,
                ..after_genesis()
            },
            "start_op_invalid",
        ),
        forged(
            "start_op_too_low",
            Forged {
                start_op: 4,
                ..after_genesis()
            },
            "start_op_invalid",
        ),
        forged(
            "a_gap_in_the_actors_sequence",
            Forged {
                seq: 2,
                ..after_genesis()
            },
            "sequence_gap",
        ),
        forged(
            "a_run_length_bomb",
            Forged {
                columns: Forged::repeated(8_000_000).columns,
                ..after_genesis()
            },
            "too_many_operations",
        ),
        forged(
            "a_run_length_bomb_of_flags",
            after_genesis().with_column(0x34, unsigned(8_000_000)),
            "too_many_operations",
        ),
        forged(
            "a_run_that_could_be_shorter",
            after_genesis().with_column(0x42, run(1, &unsigned(1))),
            "not_canonical",
        ),
        forged(
            "sixty_five_dependencies",
            Forged {
                dependencies: vec![[9; 32]; 65],
                ..after_genesis()
            },
            "too_many_dependencies",
        ),
    ]
}

/// Compares a stored change.
pub(crate) fn check_change(vector: &Value) {
    let genesis = LoadedDocument::genesis_hash();
    let actor: Option<String> = value(vector, "actor");
    let actor = actor.map(|actor| hex::decode(actor).expect("hex"));
    // The genesis change holds four operations, and is its actor's first.
    let dependency = |hash: &ChangeHash| (*hash == genesis).then_some(4);
    let last_seq = |actor: &[u8]| u64::from(actor == b"vereda genesis 1");
    let context = ChangeContext {
        actor: actor.as_deref(),
        dependency: &dependency,
        last_seq: &last_seq,
    };
    let error =
        admit_change(&bytes(vector, "change"), &context).map_or_else(GateRefusal::code, |_| "admitted");
    assert_eq!(error, text(vector, "error"), "{}", text(vector, "name"));
}
