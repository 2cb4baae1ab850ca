//! What a newcomer types wrong: every refusal has its code and its exit status, in the language asked for, and says
//! back no more than the name of the argument.

mod support;

use support::{Clinic, fits};

/// A well-formed id that no patient has.
const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

#[test]
fn what_is_typed_wrong_is_told_with_its_code_and_without_what_was_typed() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    for (arguments, said) in [
        (
            &["event", "add", "--text", "segredo"][..],
            "Missing: --patient <PATIENT>.",
        ),
        (
            &["event", "add", "--patient", "segredo"],
            "The value of --patient <PATIENT> cannot be understood.",
        ),
        (&["event", "ad"], "There is no such command. Perhaps: add."),
        (&["42424242segredo"], "There is no such command; see --help."),
        (&["status", "segredo"], "There is no such argument here."),
        (
            &["status", "--segredo=segredo"],
            "There is no such argument here.",
        ),
        (&["timeline", "--patient"], "--patient <PATIENT> needs a value."),
        (
            &[
                "export",
                "--patient",
                "00000000-0000-0000-0000-000000000001",
                "--format",
                "segredo",
            ],
            "--format <FORMAT> takes one of: json, csv, fhir.",
        ),
        (
            &["event", "amend", "00000000-0000-0000-0000-000000000001"],
            "One of these is needed: --text, --body.",
        ),
        (
            &["patient", "add", "--contact", "segredo"],
            "The value of --contact <SYSTEM=VALUE> cannot be understood.",
        ),
        (
            &["stats", "--patient", NOBODY, "--value", "segredo"],
            "The value of --value <KIND.FIELD> cannot be understood.",
        ),
        (
            &[
                "stats",
                "--patient",
                NOBODY,
                "--value",
                "vitals.systolic",
                "--window",
                "0segredo",
            ],
            "The value of --window <VALUES> cannot be understood.",
        ),
        (
            &["stats", "--patient", NOBODY, "--window", "3"],
            "Missing: --value <KIND.FIELD>.",
        ),
        (
            &["--log", "segredo", "status"],
            "--log takes off, error, warn, info, debug, trace, or TARGET=LEVEL with commas between.",
        ),
    ] {
        let output = ana.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let error = fits(
            "error",
            serde_json::from_slice(&output.stderr).expect("a document"),
        );
        assert_eq!(
            (
                error["error"]["code"].as_str(),
                error["error"]["message"].as_str()
            ),
            (Some("wrong_use"), Some(said))
        );
        let said = String::from_utf8_lossy(&output.stderr).replace("--segredo", "");
        assert!(!said.contains("segredo"), "{said}");
    }
    let told = clinic
        .command(&["--lang", "pt", "event", "add"])
        .output()
        .expect("it runs");
    let told = String::from_utf8(told.stderr).expect("text");
    assert!(
        told.starts_with("vereda: wrong_use: Falta: --patient <PATIENT>"),
        "{told}"
    );
    assert!(told.contains("Usage: vereda event add"), "{told}");
    let help = clinic.command(&["event", "--help"]).output().expect("it runs");
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stderr.is_empty() && !help.stdout.is_empty());
}

#[test]
fn a_device_that_is_not_enrolled_says_so_and_how_to_become_one() {
    let clinic = Clinic::new();
    let device = clinic.device("new");
    for arguments in [
        &["patient", "list"][..],
        &["sync", "--watch"],
        &["inbox"],
        &["signout"],
    ] {
        assert_eq!(
            device.refused(arguments),
            (1, "not_enrolled".to_owned()),
            "{arguments:?}"
        );
    }
    let home = device.home.display().to_string();
    let told = clinic
        .command(&["--home", &home, "--lang", "pt", "patient", "list"])
        .output();
    let told = String::from_utf8(told.expect("it runs").stderr).expect("text");
    assert!(
        told.contains("Este aparelho não está cadastrado.") && told.contains("vereda enrol"),
        "{told}"
    );
}

#[test]
fn an_administrator_is_told_what_cannot_be_in_their_language() {
    let clinic = Clinic::new();
    let store = clinic.store();
    let refused = |arguments: &[&str]| {
        let all = [&["--lang", "pt", "admin"], arguments, &["--store", &store]].concat();
        let output = clinic.command(&all).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let told = String::from_utf8(output.stderr).expect("text");
        let told = told
            .strip_prefix("vereda: administration_refused: ")
            .expect("a code");
        told.trim_end().to_owned()
    };
    for (arguments, told) in [
        (&["tenant", " "][..], "O nome está vazio."),
        (&["tenant", "Vereda"], "Já há uma organização com este nome."),
        (&["unit", "Fluvial"], "Já há uma unidade com este nome."),
        (&["user", "Davi", "--unit", "Lua"], "Não há esta unidade."),
        (&["enrol-code", "--user", "Zoe"], "Não há este usuário."),
        (
            &["revoke", "7"],
            "Não há este aparelho; veja `vereda admin devices`.",
        ),
    ] {
        assert_eq!(refused(arguments), told);
    }
    clinic.admin(&["tenant", "Outra"]);
    assert_eq!(
        refused(&["unit", "Sul"]),
        "Há várias organizações: informe uma com --tenant."
    );
}
