//! What a person meets when the server refuses, and a synchronisation that stays: on the real program.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use support::{Clinic, Device, asked, document, fits};

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().expect("a text")
}

fn note(device: &Device<'_>, patient: &str, words: &str) -> String {
    let saved = device.ask(&["event", "add", "--patient", patient, "--text", words]);
    text(&saved, "entry").to_owned()
}

/// A synchronisation that ends with something for a person to do: its code.
fn synchronised(device: &Device<'_>) -> String {
    let output = device.run(&["sync"]);
    assert_eq!(output.status.code(), Some(1), "a person must act");
    let end = fits(
        "sync",
        serde_json::from_slice(&output.stdout).expect("a document"),
    );
    text(&end, "code").to_owned()
}

fn drawer(device: &Device<'_>) -> Vec<Value> {
    let listed = asked(device, "drawer-list", &["drawer", "list"]);
    listed["writes"].as_array().expect("writes").clone()
}

#[test]
fn a_move_to_another_units_patient_is_refused_at_once_and_nothing_is_moved() {
    let clinic = Clinic::new();
    clinic.admin(&["unit", "Ribeira"]);
    clinic.admin(&["user", "Ana", "--unit", "Ribeira"]);
    clinic.admin(&["user", "Caio", "--unit", "Ribeira"]);
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let bruno = clinic.enrolled(&server, "bruno", "Bruno");
    let caio = clinic.enrolled(&server, "caio", "Caio");
    let here = ana.patient("José da Silva");
    let there = ana.ask(&["patient", "add", "--name", "Vizinha", "--unit", "Ribeira"]);
    let there = text(&there, "id").to_owned();
    let elsewhere = ana.refused(&["patient", "add", "--name", "X", "--unit", "Lua"]);
    assert_eq!(elsewhere, (2, "wrong_use".to_owned()));
    let moved = note(&ana, &here, "da vizinha");
    note(&ana, &there, "na Ribeira");
    ana.ask(&["sync"]);
    for (device, patient) in [(&bruno, &here), (&caio, &there)] {
        device.ask(&["sync"]);
        assert_eq!(device.entries(patient).len(), 1, "each unit has its own");
    }
    assert_eq!(
        caio.refused(&["patient", "show", &here]),
        (3, "unknown_patient".to_owned())
    );

    let out = ana.refused(&[
        "event",
        "move",
        &moved,
        "--to",
        &there,
        "--reason",
        "prontuário errado",
    ]);
    assert_eq!(out, (3, "out_of_scope".to_owned()));
    assert_eq!(ana.entries(&here).len(), 1, "it stays where it is");
    assert_eq!(drawer(&ana), Vec::<Value>::new());
    ana.ask(&["sync"]);
}

#[test]
fn a_note_the_server_refuses_is_kept_shown_exported_sent_again_and_discarded() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let patient = ana.patient("José da Silva");
    ana.ask(&["sync"]);
    for words in ["em boa fé", "outra"] {
        note(&ana, &patient, words);
    }
    // What the device knows of the role when she writes is no longer so.
    clinic.admin(&["user", "Ana", "--unit", "Fluvial", "--role", "supervisor"]);
    assert_eq!(synchronised(&ana), "policy_refused");
    let refused = drawer(&ana);
    assert_eq!(refused.len(), 2);
    let said = |words: &str| {
        let mut writes = refused.iter();
        let found = writes.find(|item| item["write"]["intent"]["add"]["entries"][0]["text"] == words);
        let found = found.expect("it is kept");
        assert_eq!(text(found, "code"), "policy_refused");
        text(found, "id")
    };
    let (id, other) = (said("em boa fé"), said("outra"));
    let shown = asked(&ana, "drawer-show", &["drawer", "show", id]);
    assert_eq!(shown["write"]["intent"]["add"]["entries"][0]["text"], "em boa fé");
    let exported = asked(&ana, "drawer-export", &["drawer", "export"]);
    assert_eq!(exported.as_array().map(Vec::len), Some(2));
    assert_eq!(asked(&ana, "inbox", &["inbox"])["drawer"], json!(refused));
    let doctor = ana.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    fits(
        "doctor",
        serde_json::from_slice(&doctor.stdout).expect("a document"),
    );
    let resend = ["drawer", "resend", id, "--text", "editado", "--body", "{}"];
    assert_eq!(ana.refused(&resend), (3, "policy_refused".to_owned()));
    assert_eq!(drawer(&ana), refused, "nothing has changed");

    let discard = ["drawer", "discard", other, "--reason"];
    let silent = ana.refused(&[&discard[..], &[" "]].concat());
    assert_eq!(silent, (3, "reason_required".to_owned()));
    let reason = ["anotada em papel"];
    asked(&ana, "drawer-discard", &[&discard[..], &reason].concat());
    assert_eq!(
        ana.refused(&["drawer", "show", other]),
        (3, "unknown_write".to_owned())
    );

    clinic.admin(&["user", "Ana", "--unit", "Fluvial", "--role", "clinician"]);
    assert_eq!(synchronised(&ana), "policy_refused", "it is still there");
    asked(&ana, "saved", &resend);
    let resent = drawer(&ana);
    assert!(
        resent[0]["resent_as"].is_string(),
        "the old one stays until the new one is in"
    );
    fits("drawer-show", ana.ask(&["drawer", "show", id]));
    asked(&ana, "sync", &["sync"]);
    assert_eq!(drawer(&ana), Vec::<Value>::new());
    assert_eq!(ana.entries(&patient)[0]["text"], "editado");
}

#[test]
fn a_synchronisation_that_stays_prints_how_it_stands_whenever_that_changes() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let bruno = clinic.enrolled(&server, "bruno", "Bruno");
    let patient = ana.patient("José da Silva");
    let mut watching = ana
        .command(&["sync", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let mut statuses = lines.map(|line| {
        let line = line.expect("a line");
        fits(
            "sync-watch",
            serde_json::from_str(&line).expect("a document on each line"),
        )
    });
    let sent = statuses.find(|status| status["online"] == true && status["pending"] == 0);
    assert!(sent.is_some(), "it sends by itself");
    bruno.ask(&["sync"]);
    note(&bruno, &patient, "do colega");
    bruno.ask(&["sync"]);
    let read = statuses.find(|status| status["entries"] == 1);
    assert!(read.is_some(), "it reads by itself, poked by the server");
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &watching.id().to_string()])
        .status();
    assert!(interrupted.expect("it runs").success());
    assert_eq!(watching.wait().expect("it ends").code(), Some(0));
    document(&ana.run(&["status"]));
}
