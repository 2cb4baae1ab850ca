//! Who a patient is: identifiers, dates, names as they are searched, and likely duplicates.
#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

use proptest::prelude::*;
use vereda_core::error::{Code, SyncError};
use vereda_core::id::{PatientId, UnitId, UserId};
use vereda_core::record::*;
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

fn code_of<T: std::fmt::Debug>(result: Result<T, SyncError>) -> Code {
    result.unwrap_err().code
}

fn identifier(system: &str, value: &str) -> Result<String, SyncError> {
    Identifier::parse(system, value).map(|identifier| identifier.value.0)
}

fn born(name: &str, birth_date: &str) -> PatientRecord {
    PatientRecord {
        birth_date: (!birth_date.is_empty()).then(|| Sensitive(birth_date.to_owned())),
        ..PatientRecord::named(name)
    }
}

fn with_identifier(mut record: PatientRecord, system: &str, value: &str) -> PatientRecord {
    record.identifiers.push(Identifier::parse(system, value).unwrap());
    record
}

// ---- Identifiers

#[test]
fn a_cpf_is_kept_as_digits_when_its_check_digits_match() {
    assert_eq!(identifier("cpf", "529.982.247-25").unwrap(), "52998224725");
    assert_eq!(identifier("CPF", " 111 444 777 35 ").unwrap(), "11144477735");
    for wrong in [
        "529.982.247-26",
        "529.982.247-15",
        "111.111.111-11",
        "5299822472",
        "052998224725",
        "5299822472a",
        "",
    ] {
        assert_eq!(code_of(identifier("cpf", wrong)), Code::CpfInvalid, "{wrong}");
    }
}

#[test]
fn a_cns_is_definitive_or_provisional_and_nothing_else() {
    assert_eq!(
        identifier("cns", "898 0000 0004 3208").unwrap(),
        "898000000043208"
    );
    assert_eq!(identifier("cns", "700000000000005").unwrap(), "700000000000005");
    for wrong in [
        "898000000043209",
        "398000000043208",
        "000000000000000",
        "89800000004320",
        "",
    ] {
        assert_eq!(code_of(identifier("cns", wrong)), Code::CnsInvalid, "{wrong}");
    }
}

#[test]
fn the_uris_of_fhir_profiles_name_cpf_and_cns() {
    for uri in [
        "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cpf",
        "urn:oid:2.16.840.1.113883.13.237",
    ] {
        let parsed = Identifier::parse(uri, "529.982.247-25").unwrap();
        assert_eq!(parsed.system.0, "cpf");
        assert_eq!(code_of(identifier(uri, "1")), Code::CpfInvalid);
    }
    let parsed = Identifier::parse(
        "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cns",
        "700000000000005",
    );
    assert_eq!(parsed.unwrap().system.0, "cns");
}

#[test]
fn other_identifiers_are_free_but_not_empty() {
    assert_eq!(
        identifier("https://hospital.example/mrn", "  A-12/7 ").unwrap(),
        "A-12/7"
    );
    for (system, value) in [("", "1"), ("mrn", " "), ("mrn", "a\nb"), ("mrn", "a\0")] {
        assert_eq!(code_of(identifier(system, value)), Code::IdentifierInvalid);
    }
}

#[test]
fn no_error_and_no_debug_text_shows_an_identifier() {
    let error = Identifier::parse("cpf", "12345678900").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("12345678900"));
    let parsed = Identifier::parse("cpf", "52998224725").unwrap();
    assert!(!format!("{parsed:?}").contains("52998224725"));
    assert!(!format!("{:?}", PartialDate::parse("1980-03-04")).contains("1980"));
}

// ---- Records

#[test]
fn a_birth_date_is_a_real_date_as_far_as_it_is_known() {
    for date in ["1980", "1980-02", "1980-02-29", "1900-01-01", "2199-12-31"] {
        assert!(born("Ana", date).validated().is_ok(), "{date}");
    }
    for date in [
        "1981-02-29",
        "1980-13",
        "1980-00-01",
        "1899-12-31",
        "2200",
        "80-01-01",
        "1980-1-1",
        "1980-01-01-01",
        "+980-01-01",
        "1980-",
        "04/03/1980",
        "1980-01-01T00:00:00Z",
    ] {
        assert_eq!(
            code_of(born("Ana", date).validated()),
            Code::BirthDateInvalid,
            "{date}"
        );
    }
}

#[test]
fn a_name_is_needed_and_keeps_one_space_between_words() {
    assert_eq!(code_of(PatientRecord::named(" \t ").validated()), Code::NameEmpty);
    let record = PatientRecord::named("  Ana\u{a0} Lu\u{301}cia\n Souza ")
        .validated()
        .unwrap();
    assert_eq!(record.name.0, "Ana L\u{fa}cia Souza");
    assert_eq!(
        code_of(PatientRecord::named("x".repeat(513)).validated()),
        Code::FieldInvalid
    );
}

#[test]
fn gender_is_one_of_four_words_and_a_death_is_a_date() {
    let record = |gender: &str, deceased: &str| {
        PatientRecord {
            gender: Some(Sensitive(gender.into())),
            deceased: Some(Sensitive(deceased.into())),
            ..PatientRecord::named("Ana")
        }
        .validated()
    };
    for deceased in ["2020", "2020-05-01", "2020-05-01T10:00:00-03:00", "true"] {
        assert!(record("female", deceased).is_ok(), "{deceased}");
    }
    assert_eq!(code_of(record("f", "2020")), Code::FieldInvalid);
    assert_eq!(code_of(record("other", "yesterday")), Code::NotADate);
}

#[test]
fn a_repeated_identifier_is_kept_once() {
    let record = with_identifier(PatientRecord::named("Ana"), "cpf", "52998224725");
    let twice = with_identifier(record, "cpf", "529.982.247-25")
        .validated()
        .unwrap();
    assert_eq!(twice.identifiers.len(), 1);
}

#[test]
fn every_field_reads_back_what_was_set() {
    let mut record = PatientRecord::named("Ana");
    for (field, value, kept) in [
        (PatientField::Name, r#""Bia  Lima""#, r#""Bia Lima""#),
        (PatientField::BirthDate, r#""1980-03""#, r#""1980-03""#),
        (PatientField::Gender, r#""female""#, r#""female""#),
        (PatientField::Deceased, "null", "null"),
        (
            PatientField::Identifiers,
            r#"[{"value":"529.982.247-25","system":"cpf"}]"#,
            r#"[{"system":"cpf","value":"52998224725"}]"#,
        ),
        (
            PatientField::Contacts,
            r#"[{"system":"phone","value":" 123 "}]"#,
            r#"[{"system":"phone","value":"123"}]"#,
        ),
    ] {
        record.set(field, &Sensitive(value.into())).unwrap();
        assert_eq!(record.get(field).0, kept);
        assert_eq!(PatientField::parse(field.name()), Some(field));
    }
}

#[test]
fn a_field_that_is_refused_changes_nothing() {
    let mut record = born("Ana", "1980");
    let before = record.clone();
    for (field, value, code) in [
        (PatientField::Name, "null", Code::FieldInvalid),
        (PatientField::Name, r#""""#, Code::NameEmpty),
        (PatientField::BirthDate, r#""1980-02-31""#, Code::BirthDateInvalid),
        (PatientField::BirthDate, "1980", Code::FieldInvalid),
        (
            PatientField::Identifiers,
            r#"[{"system":"cpf","value":"1"}]"#,
            Code::CpfInvalid,
        ),
        (
            PatientField::Identifiers,
            r#"[{"system":"cpf"}]"#,
            Code::FieldInvalid,
        ),
        (PatientField::Contacts, "{", Code::JsonMalformed),
    ] {
        assert_eq!(code_of(record.set(field, &Sensitive(value.into()))), code);
        assert_eq!(record, before);
    }
}

#[test]
fn a_difference_lists_the_changed_fields_and_applying_it_gives_the_edited_record() {
    let seen = born("Ana", "1980");
    let edited = with_identifier(born("Ana Lima", "1980"), "cpf", "52998224725");
    let changes = seen.diff(&edited);
    assert_eq!(
        changes.iter().map(|change| change.field).collect::<Vec<_>>(),
        [PatientField::Name, PatientField::Identifiers]
    );
    let mut applied = seen.clone();
    for change in &changes {
        assert_eq!(applied.get(change.field), change.from);
        applied.set(change.field, &change.to).unwrap();
    }
    assert_eq!(applied, edited);
    assert!(edited.diff(&edited).is_empty());
}

fn identity(intent: Intent) -> Result<(), SyncError> {
    Write {
        n: 1,
        user: UserId(uuid::Uuid::from_u128(1)),
        unit: UnitId(uuid::Uuid::from_u128(2)),
        compartment: Compartment::Identity,
        patient: PatientId(uuid::Uuid::from_u128(3)),
        recorded_at: Zoned::parse("2026-05-04").unwrap(),
        hlc: None,
        time_uncertain: false,
        after: vec![],
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
    .validate(&KindRegistry::standard())
}

#[test]
fn a_registration_and_an_edit_are_judged_alike_on_both_sides() {
    let register = |record| {
        identity(Intent::Register {
            record,
            patient: None,
        })
    };
    assert_eq!(code_of(register(PatientRecord::default())), Code::NameEmpty);
    assert_eq!(
        code_of(register(PatientRecord::named(" Ana"))),
        Code::FieldInvalid,
        "not normalised"
    );
    assert!(register(PatientRecord::named("Ana")).is_ok());

    let change = |field, from: &str, to: &str| FieldChange {
        field,
        from: Sensitive(from.into()),
        to: Sensitive(to.into()),
    };
    let edit = |changes| {
        identity(Intent::EditRecord {
            base_version: 1,
            changes,
            resolves: vec![],
        })
    };
    let keep_shown = Intent::EditRecord {
        base_version: 1,
        changes: vec![],
        resolves: vec![PatientField::Name],
    };
    assert!(identity(keep_shown).is_ok());
    let fine = || change(PatientField::BirthDate, "null", r#""1980""#);
    assert!(edit(vec![fine()]).is_ok());
    assert!(edit(born("Ana", "").diff(&born("Bia", "1980"))).is_ok());
    assert_eq!(code_of(edit(vec![])), Code::FieldInvalid);
    assert_eq!(code_of(edit(vec![fine(), fine()])), Code::FieldInvalid);
    let bad = change(
        PatientField::Identifiers,
        "[]",
        r#"[{"system":"cpf","value":"1"}]"#,
    );
    assert_eq!(code_of(edit(vec![bad])), Code::CpfInvalid);
}

// ---- The chart

fn chart(kind: &str, fields: &[(&str, &str)], is_new: bool) -> Result<(), SyncError> {
    Intent::SetChart {
        item: (!is_new).then(|| vereda_core::id::ChartItemId(uuid::Uuid::from_u128(9))),
        kind: ChartKind(kind.into()),
        fields: fields
            .iter()
            .map(|(field, value)| ((*field).to_owned(), Sensitive((*value).to_owned())))
            .collect(),
        entry: None,
    }
    .validate(&KindRegistry::standard())
}

#[test]
fn a_new_chart_item_needs_a_display_and_an_existing_one_keeps_it() {
    assert!(chart("allergy", &[("display", "Dipirona"), ("status", "active")], true).is_ok());
    assert_eq!(
        code_of(chart("allergy", &[("status", "active")], true)),
        Code::FieldInvalid
    );
    assert!(chart("allergy", &[("status", "resolved")], false).is_ok());
    assert_eq!(
        code_of(chart("allergy", &[("display", " ")], false)),
        Code::FieldInvalid
    );
    assert!(
        chart("allergy", &[("note", "")], false).is_ok(),
        "an empty value clears"
    );
}

#[test]
fn a_chart_item_is_of_a_kind_this_version_edits_with_a_status_of_its_resource() {
    assert_eq!(code_of(ChartKind::parse("x-later.kind")), Code::KindUnknown);
    assert_eq!(
        code_of(chart("x-later.kind", &[("display", "a")], true)),
        Code::KindUnknown
    );
    for kind in ChartKind::KNOWN {
        let kind = ChartKind::parse(kind).unwrap();
        assert!(!kind.status_words().is_empty());
        for status in kind.status_words() {
            assert!(chart(&kind.0, &[("display", "a"), ("status", status)], true).is_ok());
        }
    }
    let error = chart("problem", &[("display", "a"), ("status", "cured")], true).unwrap_err();
    assert_eq!(error.code, Code::FieldInvalid);
    assert!(!error.detail.contains("cured"));
    assert_eq!(
        code_of(chart("alert", &[("display", "a"), ("Maria Silva", "b")], true)),
        Code::FieldInvalid
    );
}

// ---- Folding

#[test]
fn accents_case_and_spaces_fold_away() {
    for (text, folded) in [
        ("JOÃO  d'Ávila", "joao d'avila"),
        ("Joa\u{303}o", "joao"),
        (" Conceição\n", "conceicao"),
        ("ÎÏ İstanbul", "ii istanbul"),
        ("ΣΟΦΟΣ σοφός", "σοφοσ σοφοσ"),
        ("हिन्दी", "हिन्दी"),
        ("", ""),
    ] {
        assert_eq!(fold(text), folded);
    }
}

// ---- Likely duplicates

#[test]
fn likely_duplicates_are_found_with_the_reason() {
    use DuplicateReason::*;
    let born_1980 = |name| born(name, "1980-03-04");
    let cpf = |name, value| with_identifier(born_1980(name), "cpf", value);
    for (a, b, reason) in [
        (
            with_identifier(born("Ana", ""), "mrn", "1"),
            with_identifier(born("Bia", ""), "mrn", "1"),
            Some(SameIdentifier),
        ),
        (
            born_1980("JOÃO DA SILVA"),
            born_1980("joao silva"),
            Some(SameNameAndBirthDate),
        ),
        (
            born_1980("Luiz Souza"),
            born_1980("Luís Sousa"),
            Some(SimilarNameAndBirthDate),
        ),
        (
            born_1980("Wagner Thaís Lima"),
            born_1980("Vagner Tais Lima"),
            Some(SimilarNameAndBirthDate),
        ),
        (
            born_1980("Mariana Oliveira"),
            born_1980("Marinaa Oliveira"),
            Some(SimilarNameAndBirthDate),
        ),
        (
            born_1980("Ana Lima Souza"),
            born_1980("Ana Souza"),
            Some(SimilarNameAndBirthDate),
        ),
        (
            born_1980("Ana L. Souza"),
            born_1980("Ana Lima Souza"),
            Some(SimilarNameAndBirthDate),
        ),
        (
            born_1980("Souza Ana"),
            born_1980("Ana Souza"),
            Some(SimilarNameAndBirthDate),
        ),
        (
            born("Ana Souza", "1980-03-04"),
            born("Ana Souza", "1980-04-03"),
            Some(SameNameAndSimilarBirthDate),
        ),
        (
            born("Ana Souza", "1980-03-04"),
            born("Ana Souza", "1980"),
            Some(SameNameAndSimilarBirthDate),
        ),
        (
            born("Ana Rita Souza", "1980-03-04"),
            born("Ana Rita Souza", "1980-03-05"),
            Some(SameNameAndSimilarBirthDate),
        ),
        (
            born("Ana Rita Souza", ""),
            born("Ana Rita Souza", "1980-03-05"),
            Some(SameNameOnly),
        ),
        // Twins, namesakes and people with papers of their own.
        (
            born_1980("Maria Clara Souza"),
            born_1980("Maria Luiza Souza"),
            None,
        ),
        (born_1980("Ana Souza"), born_1980("Bia Souza"), None),
        (born("Ana Souza", ""), born("Ana Souza", ""), None),
        (
            born("Ana Souza", "1980-03-04"),
            born("Ana Souza", "1980-03-05"),
            None,
        ),
        (
            born("Ana Souza", "1980-03-04"),
            born("Ana Souza", "1981-03-04"),
            None,
        ),
        (
            cpf("Luiz Souza", "52998224725"),
            cpf("Luis Souza", "11144477735"),
            None,
        ),
        (born("de", "1980"), born("da", "1980"), None),
    ] {
        assert_eq!(likely_duplicate(&a, &b), reason, "{} / {}", a.name.0, b.name.0);
        assert_eq!(likely_duplicate(&b, &a), reason, "{} / {}", b.name.0, a.name.0);
        if reason.is_some() {
            assert!(share_a_key(&a, &b), "{} / {}", a.name.0, b.name.0);
        }
    }
}

fn share_a_key(a: &PatientRecord, b: &PatientRecord) -> bool {
    let keys = duplicate_keys(a);
    duplicate_keys(b).iter().any(|key| keys.contains(key))
}

fn some_record() -> impl Strategy<Value = PatientRecord> {
    let word = prop::sample::select(vec![
        "Ana",
        "Anna",
        "Hanna",
        "Luiz",
        "Luís",
        "Souza",
        "Sousa",
        "da",
        "de",
        "Lima",
        "Limma",
        "Thaís",
        "Tais",
        "J",
        "João",
        "Xuxa",
        "Queiroz",
        "Keiros",
        "Philipe",
        "Felipe",
        "Guilherme",
        "h",
    ]);
    let name = prop::collection::vec(word, 1..5).prop_map(|words| words.join(" "));
    let date = prop::sample::select(vec![
        "",
        "1980",
        "1980-03",
        "1980-03-04",
        "1980-04-03",
        "1980-03-05",
        "1981-03-04",
    ]);
    let number = prop::sample::select(vec!["", "1", "2"]);
    (name, date, number).prop_map(|(name, date, number)| {
        let record = born(&name, date);
        if number.is_empty() {
            record
        } else {
            with_identifier(record, "mrn", number)
        }
    })
}

/// A JSON value whose numbers are of every kind.
fn some_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(
            |double| serde_json::Number::from_f64(double).map_or(0.into(), serde_json::Value::Number)
        ),
        "[^\u{0}]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[^\u{0}]{0,6}", inner, 0..6)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn every_likely_pair_shares_a_key_and_is_judged_alike_from_both_sides(a in some_record(), b in some_record()) {
        let reason = likely_duplicate(&a, &b);
        prop_assert_eq!(likely_duplicate(&b, &a), reason);
        prop_assert!(reason.is_none() || share_a_key(&a, &b));
    }

    #[test]
    fn folding_twice_changes_nothing(text in any::<String>()) {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }

    #[test]
    fn folding_does_not_depend_on_how_accents_are_written(text in "[a-zA-ZÀ-ÿ \u{300}-\u{36f}]{0,24}") {
        use unicode_normalization::UnicodeNormalization;
        prop_assert_eq!(fold(&text.nfc().collect::<String>()), fold(&text.nfd().collect::<String>()));
    }

    #[test]
    fn canonical_json_is_its_own_canonical_form_and_means_the_same(value in some_json()) {
        let once = canonical_text(&value);
        prop_assert_eq!(&canonical_json(&once).unwrap(), &once);
        prop_assert_eq!(&canonical_json(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), &once);
    }

    #[test]
    fn a_double_reads_back_as_itself(double in any::<f64>().prop_filter("finite", |double| double.is_finite())) {
        let text = canonical_json(&format!("{double:e}")).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap(), double);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), field in 0..6_usize) {
        let _ = canonical_json(&text);
        let _ = Identifier::parse("cpf", &text);
        let _ = Identifier::parse("cns", &text);
        let _ = PartialDate::parse(&text);
        let _ = PatientRecord::default().set(PatientField::ALL[field], &Sensitive(text.clone()));
        let _ = duplicate_keys(&PatientRecord::named(text));
    }

    #[test]
    fn a_definitive_cns_has_the_one_tail_that_eleven_divides(first in 1..=2_u64, rest in 0..10_000_000_000_u64) {
        let pis = format!("{first}{rest:010}");
        let weighted = |number: &str| -> u32 {
            number.bytes().zip((1..=15).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum()
        };
        let accepted: Vec<String> = (0..20)
            .map(|tail| format!("{pis}{tail:04}"))
            .filter(|number| Identifier::parse("cns", number).is_ok())
            .collect();
        prop_assert_eq!(accepted.len(), 1);
        prop_assert_eq!(weighted(&accepted[0]) % 11, 0);
    }
}
