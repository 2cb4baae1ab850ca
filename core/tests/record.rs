//! What a write is made of, judged as device and server judge it.
#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

use vereda_core::error::{Code, Language};
use vereda_core::id::{EntryId, PatientId, UnitId, UserId};
use vereda_core::limits::{BODY_BYTES_MAX, TEXT_CHARACTERS_MAX, WRITE_ENTRIES_MAX};
use vereda_core::record::*;
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

fn at() -> Zoned {
    Zoned::parse("2026-05-04T10:30:00-03:00").unwrap()
}

fn code_of<T: std::fmt::Debug>(result: Result<T, vereda_core::error::SyncError>) -> Code {
    result.unwrap_err().code
}

fn validated(entry: NewEntry) -> Result<NewEntry, vereda_core::error::SyncError> {
    entry.validated(&KindRegistry::standard())
}

fn patient(n: u128) -> PatientId {
    PatientId(uuid::Uuid::from_u128(n))
}

fn entry_id(n: u128) -> EntryId {
    EntryId(uuid::Uuid::from_u128(n))
}

fn write(compartment: Compartment, intent: Intent) -> Write {
    Write {
        n: 7,
        user: UserId(uuid::Uuid::from_u128(1)),
        unit: UnitId(uuid::Uuid::from_u128(2)),
        compartment,
        patient: patient(3),
        recorded_at: at(),
        hlc: None,
        time_uncertain: false,
        after: vec![],
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
}

fn clinical(intent: Intent) -> Result<(), vereda_core::error::SyncError> {
    write(Compartment::Clinical, intent).validate(&KindRegistry::standard())
}

// ---- Kinds

#[test]
fn every_kind_of_the_build_is_there_with_titles_and_a_schema_that_compiles() {
    let registry = KindRegistry::standard();
    let names: Vec<&str> = registry.kinds().map(|kind| kind.kind().as_str()).collect();
    assert_eq!(
        names,
        [
            "administrative",
            "allergy",
            "care_plan",
            "consent",
            "document",
            "encounter",
            "goal",
            "imaging",
            "immunization",
            "lab",
            "medication",
            "note",
            "observation",
            "problem",
            "procedure",
            "referral",
            "task",
            "vitals"
        ]
    );
    for kind in registry.kinds() {
        assert!(!kind.title(Language::English).is_empty());
        assert!(!kind.title(Language::Portuguese).is_empty());
        // A body that is no object is refused by the schema itself, which must compile for that.
        assert_eq!(
            code_of(registry.validate_body(kind.kind(), "[]")),
            Code::BodyInvalid,
            "{}",
            kind.kind()
        );
    }
}

#[test]
fn a_body_comes_back_in_canonical_form() {
    let registry = KindRegistry::standard();
    let body = r#" { "systolic" : 120.0, "diastolic": 8e1, "temperature": 36.50, "note": "á\u00e1\t" } "#;
    let canonical = registry.validate_body(&"vitals".into(), body).unwrap();
    assert_eq!(
        canonical,
        r#"{"diastolic":80,"note":"áá\t","systolic":120,"temperature":36.5}"#
    );
}

#[test]
fn a_body_against_its_schema_is_refused_with_the_place_and_the_rule_and_never_the_value() {
    let registry = KindRegistry::standard();
    let error = registry
        .validate_body(&"vitals".into(), r#"{"temperature":365.25}"#)
        .unwrap_err();
    assert_eq!(error.code, Code::BodyInvalid);
    assert!(error.detail.contains("/temperature"), "{}", error.detail);
    assert!(error.detail.contains("maximum"), "{}", error.detail);
    assert!(!error.detail.contains("365"), "{}", error.detail);

    let error = registry
        .validate_body(
            &"lab".into(),
            r#"{"code":{"display":"Hemograma"},"components":[{"value":1}]}"#,
        )
        .unwrap_err();
    assert!(error.detail.contains("/components/0"), "{}", error.detail);
}

#[test]
fn a_key_that_a_person_typed_is_hidden_in_the_pointer() {
    let mut registry = KindRegistry::standard();
    let definition = KindDefinition::from_json(
        r#"{"kind":"x-clinic.scores","version":1,"titles":{"pt":"Escores","en":"Scores"},
            "schema":{"type":"object","properties":{"scores":{"additionalProperties":{"type":"number"}}}}}"#,
    );
    registry.add(definition.unwrap()).unwrap();
    let error = registry
        .validate_body(&"x-clinic.scores".into(), r#"{"scores":{"Maria da Silva":"x"}}"#)
        .unwrap_err();
    assert!(error.detail.contains("/scores/*"), "{}", error.detail);
    assert!(!error.detail.contains("Maria"), "{}", error.detail);
}

#[test]
fn an_unknown_kind_cannot_be_written_and_one_that_passes_on_keeps_it() {
    let kind = Kind::from("x-other.future");
    assert_eq!(
        code_of(KindRegistry::standard().validate_body(&kind, "{}")),
        Code::KindUnknown
    );
    let passing_on = KindRegistry::standard().keeping_unknown();
    assert_eq!(
        passing_on.validate_body(&kind, r#"{"b":1,"a":2}"#).unwrap(),
        r#"{"a":2,"b":1}"#
    );
    assert_eq!(
        code_of(passing_on.validate_body(&"with space".into(), "{}")),
        Code::KindUnknown
    );
}

#[test]
fn an_app_adds_its_kind_and_a_later_version_of_it_only() {
    let definition = |kind: &str, version: u32, most: u32| {
        KindDefinition::from_json(&format!(
            r#"{{"kind":"{kind}","version":{version},"titles":{{"pt":"a","en":"b"}},
                "template":{{"pt":["nível {{level}}"],"en":["level {{level}}"]}},
                "schema":{{"type":"object","properties":{{"level":{{"type":"integer","maximum":{most}}},
                           "drug":{{"$ref":"words.json#/$defs/coded"}}}},"required":["level"]}}}}"#
        ))
        .unwrap()
    };
    let mut registry = KindRegistry::standard();
    assert_eq!(
        code_of(registry.add(definition("vitals", 9, 1))),
        Code::FieldInvalid
    );
    registry.add(definition("x-clinic.triage", 1, 3)).unwrap();
    registry.add(definition("x-clinic.triage", 2, 5)).unwrap();
    assert_eq!(
        code_of(registry.add(definition("x-clinic.triage", 1, 3))),
        Code::FieldInvalid
    );
    let kind = Kind::from("x-clinic.triage");
    assert!(registry.validate_body(&kind, r#"{"level":5}"#).is_ok());
    assert_eq!(
        code_of(registry.validate_body(&kind, r#"{"level":5,"drug":{}}"#)),
        Code::BodyInvalid
    );
    let known = registry.get(&kind).unwrap();
    assert_eq!(
        known.text_of(r#"{"level":5}"#, Language::Portuguese).unwrap(),
        "nível 5"
    );
    assert!(
        KindRegistry::standard().get(&kind).is_none(),
        "the build's own registry is not touched"
    );
}

#[test]
fn a_schema_that_does_not_compile_or_points_elsewhere_is_refused_when_it_is_read() {
    for schema in [
        r#"{"type":"nonsense"}"#,
        r#"{"$ref":"https://example.org/schema.json"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        r#"{"pattern":"("}"#,
    ] {
        let text =
            format!(r#"{{"kind":"x-a.b","version":1,"titles":{{"pt":"a","en":"b"}},"schema":{schema}}}"#);
        assert_eq!(
            code_of(KindDefinition::from_json(&text)),
            Code::FieldInvalid,
            "{schema}"
        );
    }
}

#[test]
fn a_template_says_a_body_in_words() {
    let registry = KindRegistry::standard();
    let say = |kind: &str, body: &str, language| registry.get(&kind.into()).unwrap().text_of(body, language);
    assert_eq!(
        say(
            "vitals",
            r#"{"systolic":120,"diastolic":80,"temperature":36.5}"#,
            Language::Portuguese
        )
        .unwrap(),
        "PA 120/80 mmHg; T 36,5 °C"
    );
    assert_eq!(
        say("vitals", r#"{"systolic":120}"#, Language::English).unwrap(),
        "systolic BP 120 mmHg"
    );
    let panel = r#"{"code":{"display":"Lipids"},"components":[
        {"code":{"display":"HDL"},"value":41,"unit":"mg/dL"},{"code":{"display":"LDL"},"value":{"display":"high"}}]}"#;
    assert_eq!(
        say("lab", panel, Language::English).unwrap(),
        "Lipids; HDL: 41 mg/dL, LDL: high"
    );
    assert_eq!(say("vitals", "{}", Language::English), None);
}

// ---- Canonical JSON

#[test]
fn numbers_are_written_as_ecmascript_writes_them() {
    for (given, written) in [
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("1.5e300", "1.5e+300"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("-1.25e-9", "-1.25e-9"),
        ("333333333.33333329", "333333333.3333333"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        assert_eq!(canonical_json(given).unwrap(), written, "{given}");
    }
}

#[test]
fn keys_are_ordered_by_utf_16_as_rfc_8785_says() {
    let given = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    assert_eq!(
        canonical_json(given).unwrap(),
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
    );
}

#[test]
fn a_repeated_key_a_nul_and_a_bottomless_nesting_are_refused_without_showing_the_text() {
    for text in [
        r#"{"Maria":1,"Maria":2}"#,
        r#"{"a":"Maria\u0000"}"#,
        r#"{"Maria\u0000":1}"#,
        "{\"a\":1",
        "[1e400]",
        "\"\\ud800\"",
        &"[".repeat(100_000),
    ] {
        let error = canonical_json(text).unwrap_err();
        assert_eq!(error.code, Code::JsonMalformed);
        assert!(!error.detail.contains("Maria"));
    }
}

// ---- Entries

#[test]
fn an_empty_text_is_refused() {
    assert_eq!(
        code_of(validated(NewEntry::note(at(), " \n\t "))),
        Code::TextEmpty
    );
}

#[test]
fn a_retraction_without_a_reason_is_refused() {
    let mut entry = NewEntry::note(at(), "");
    entry.relation = Some(Relation::Retracts(entry_id(9)));
    assert_eq!(code_of(validated(entry)), Code::ReasonRequired);
}

#[test]
fn the_limit_of_a_text_counts_characters_and_the_error_tells_both_numbers() {
    assert!(validated(NewEntry::note(at(), "ç".repeat(TEXT_CHARACTERS_MAX))).is_ok());
    let error = validated(NewEntry::note(at(), "ç".repeat(TEXT_CHARACTERS_MAX + 1))).unwrap_err();
    assert_eq!(error.code, Code::TextTooLong);
    assert!(
        error.detail.contains("32769") && error.detail.contains("32768"),
        "{}",
        error.detail
    );
}

#[test]
fn a_nul_in_a_text_is_refused_and_other_control_characters_stay() {
    assert_eq!(
        code_of(validated(NewEntry::note(at(), "a\0b"))),
        Code::FieldInvalid
    );
    let kept = validated(NewEntry::note(at(), "a\r\n\tb\u{1b}")).unwrap();
    assert_eq!(kept.text.0, "a\r\n\tb\u{1b}");
}

#[test]
fn a_body_past_the_limit_is_refused_and_spaces_do_not_count() {
    let body = |count: usize, spaces: usize| {
        format!("{{{}\"t\":\"{}\"}}", " ".repeat(spaces), "x".repeat(count - 8))
    };
    let entry = |body: String| NewEntry::note(at(), "t").with_body(body);
    assert!(validated(entry(body(BODY_BYTES_MAX, 1_000))).is_ok());
    assert_eq!(
        code_of(validated(entry(body(BODY_BYTES_MAX + 1, 0)))),
        Code::BodyTooLarge
    );
    assert_eq!(
        code_of(validated(entry(body(100, 10_000_000)))),
        Code::BodyTooLarge
    );
}

#[test]
fn malformed_json_and_a_body_against_its_schema_have_codes_of_their_own() {
    let vitals = |body: &str| validated(NewEntry::new("vitals".into(), at(), "t").with_body(body));
    assert_eq!(code_of(vitals("{")), Code::JsonMalformed);
    assert_eq!(code_of(vitals(r#"{"systolic":"high"}"#)), Code::BodyInvalid);
    assert_eq!(code_of(vitals("{}")), Code::BodyInvalid);
    assert_eq!(code_of(vitals("3")), Code::BodyInvalid);
    assert_eq!(
        vitals(r#"{"systolic":1.2e2}"#).unwrap().body.unwrap().0,
        r#"{"systolic":120}"#
    );
}

#[test]
fn a_time_outside_1900_to_2200_is_not_a_date() {
    for (utc_ms, offset_minutes) in [
        (-2_208_988_800_001, 0),
        (7_258_118_400_000, 0),
        (0, 1_440),
        (0, i16::MIN),
    ] {
        let at = Zoned {
            utc_ms,
            offset_minutes,
        };
        assert_eq!(code_of(validated(NewEntry::note(at, "t"))), Code::NotADate);
    }
}

// ---- Writes

#[test]
fn what_was_validated_is_accepted_by_the_judgement_of_a_write() {
    let entry =
        NewEntry::new("vitals".into(), at(), "PA 120/80").with_body(r#"{"systolic":120, "diastolic":80.0}"#);
    let raw = Intent::Add {
        entries: vec![entry.clone()],
    };
    assert_eq!(
        code_of(clinical(raw)),
        Code::BodyInvalid,
        "a body that is not canonical"
    );
    let entry = validated(entry).unwrap();
    assert!(clinical(Intent::Add { entries: vec![entry] }).is_ok());
}

#[test]
fn a_write_goes_to_a_compartment_that_fits_it() {
    let add = || Intent::Add {
        entries: vec![NewEntry::note(at(), "t")],
    };
    let register = || Intent::Register {
        record: PatientRecord::named("Ana"),
        patient: None,
    };
    let judge = |compartment, intent| write(compartment, intent).validate(&KindRegistry::standard());
    assert!(judge(Compartment::Clinical, add()).is_ok());
    assert!(judge(Compartment::Sensitive, add()).is_ok());
    assert!(judge(Compartment::Identity, register()).is_ok());
    for wrong in [Compartment::Identity, Compartment::Agenda, Compartment::Audit] {
        assert_eq!(code_of(judge(wrong, add())), Code::FieldInvalid);
    }
    assert_eq!(
        code_of(judge(Compartment::Clinical, register())),
        Code::FieldInvalid
    );
}

#[test]
fn an_import_carries_five_hundred_entries_and_no_more() {
    let entries = |count| Intent::Add {
        entries: vec![NewEntry::note(at(), "t"); count],
    };
    assert!(clinical(entries(WRITE_ENTRIES_MAX)).is_ok());
    assert_eq!(
        code_of(clinical(entries(WRITE_ENTRIES_MAX + 1))),
        Code::FieldInvalid
    );
    assert_eq!(code_of(clinical(entries(0))), Code::FieldInvalid);
    let heavy = Intent::Add {
        entries: vec![NewEntry::note(at(), "x".repeat(TEXT_CHARACTERS_MAX)); 8],
    };
    assert_eq!(code_of(clinical(heavy)), Code::TooLarge);
}

#[test]
fn the_largest_single_entry_fits_in_one_write() {
    let body = format!("{{\"t\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX - 8));
    let entry = validated(NewEntry::note(at(), "😀".repeat(TEXT_CHARACTERS_MAX)).with_body(body)).unwrap();
    assert!(clinical(Intent::Add { entries: vec![entry] }).is_ok());
}

#[test]
fn a_write_names_only_earlier_writes_as_its_predecessors() {
    let mut note = write(
        Compartment::Clinical,
        Intent::Add {
            entries: vec![NewEntry::note(at(), "t")],
        },
    );
    note.after = vec![1, 6];
    assert!(note.validate(&KindRegistry::standard()).is_ok());
    note.after = vec![7];
    assert_eq!(
        code_of(note.validate(&KindRegistry::standard())),
        Code::FieldInvalid
    );
}

#[test]
fn a_move_needs_a_reason_and_another_patient() {
    let header = EntryHeader {
        entry: NewEntry::new("x-old.kind".into(), at(), "t").with_body("{}"),
        recorded_at: at(),
        author: UserId(uuid::Uuid::from_u128(1)),
        unit: UnitId(uuid::Uuid::from_u128(2)),
        write: vereda_core::id::WriteId(uuid::Uuid::from_u128(5)),
        draft_seen: None,
    };
    let to_patient = |to: u128, reason: &str| Intent::Move {
        entry: entry_id(4),
        chapter: (2026, 0),
        to: patient(to),
        to_part: 0,
        reason: Sensitive(reason.into()),
        header: Box::new(header.clone()),
    };
    assert!(
        clinical(to_patient(8, "wrong chart")).is_ok(),
        "also of a kind not known here"
    );
    assert_eq!(code_of(clinical(to_patient(8, "  "))), Code::ReasonRequired);
    assert_eq!(
        code_of(clinical(to_patient(3, "wrong chart"))),
        Code::FieldInvalid
    );
}

#[test]
fn a_draft_may_be_unfinished_but_not_malformed() {
    let open = |text: &str, body: Option<&str>| Intent::OpenDraft {
        draft: None,
        kind: "vitals".into(),
        occurred_at: at(),
        text: Sensitive(text.into()),
        body: body.map(|body| Sensitive(body.into())),
    };
    assert!(clinical(open("", None)).is_ok());
    assert!(
        clinical(open("", Some("{}"))).is_ok(),
        "its schema waits for the final entry"
    );
    assert_eq!(code_of(clinical(open("", Some("{ }")))), Code::BodyInvalid);
    assert_eq!(code_of(clinical(open("a\0", None))), Code::FieldInvalid);
}

#[test]
fn an_edit_of_a_draft_changes_something_within_bounds() {
    let edit = |at: u32, delete: u32, insert: &str| Intent::EditDraft {
        draft: entry_id(4),
        chapter: (2026, 0),
        edit: DraftEdit {
            text: vec![TextEdit {
                at,
                delete,
                insert: Sensitive(insert.into()),
            }],
            ..DraftEdit::default()
        },
    };
    assert!(clinical(edit(3, 0, "x")).is_ok());
    assert_eq!(code_of(clinical(edit(3, 0, ""))), Code::FieldInvalid);
    assert_eq!(code_of(clinical(edit(u32::MAX, 1, "x"))), Code::FieldInvalid);
    assert_eq!(
        code_of(clinical(edit(0, 0, &"x".repeat(TEXT_CHARACTERS_MAX + 1)))),
        Code::TextTooLong
    );
    let nothing = Intent::EditDraft {
        draft: entry_id(4),
        chapter: (2026, 0),
        edit: DraftEdit::default(),
    };
    assert_eq!(code_of(clinical(nothing)), Code::FieldInvalid);
}

#[test]
fn the_removal_of_a_drafts_body_survives_the_way() {
    let edit = |body| DraftEdit {
        body,
        ..DraftEdit::default()
    };
    for edit in [
        edit(None),
        edit(Some(None)),
        edit(Some(Some(Sensitive("{}".into())))),
    ] {
        let bytes = vereda_core::protocol::encode(&edit);
        assert_eq!(vereda_core::protocol::decode(&bytes), Ok(edit.clone()));
        let json = serde_json::to_string(&edit).unwrap();
        assert_eq!(serde_json::from_str::<DraftEdit>(&json).unwrap(), edit);
    }
}
