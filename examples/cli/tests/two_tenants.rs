//! Two organisations on one server, whose units and people are called the same.

mod support;

use serde_json::Value;
use support::{Clinic, Device, Server, document};

fn enrolled<'a>(clinic: &'a Clinic, server: &Server, home: &str, tenant: &str) -> Device<'a> {
    let device = clinic.device(home);
    let code = clinic.admin(&["enrol-code", "--user", "Ana", "--tenant", tenant]);
    let code = code["code"].as_str().expect("a code");
    device.ask(&["enrol", "--server", &server.url, "--code", code]);
    device
}

fn count(document: &Value, field: &str) -> usize {
    document[field].as_array().expect("a list").len()
}

#[test]
fn s1_namesakes_of_two_tenants_see_nothing_of_one_another() {
    let clinic = Clinic::new();
    for arguments in [
        &["tenant", "Vizinha"][..],
        &["unit", "Fluvial", "--tenant", "Vizinha"],
        &["user", "Ana", "--unit", "Fluvial", "--tenant", "Vizinha"],
        &[
            "user", "Lia", "--unit", "Fluvial", "--role", "auditor", "--tenant", "Vizinha",
        ],
        &[
            "user", "Lia", "--unit", "Fluvial", "--role", "auditor", "--tenant", "Vereda",
        ],
        &[
            "speciality",
            "add",
            "1",
            "--pt",
            "Uma",
            "--en",
            "One",
            "--tenant",
            "Vereda",
        ],
    ] {
        clinic.admin(arguments);
    }
    let server = clinic.serve();
    let (ana, namesake) = (
        enrolled(&clinic, &server, "ana", "Vereda"),
        enrolled(&clinic, &server, "namesake", "Vizinha"),
    );
    let patient = ana.patient("Maria da Silva");
    ana.ask(&[
        "event",
        "add",
        "--patient",
        &patient,
        "--text",
        "pressão 12 por 8",
    ]);
    ana.ask(&["sync"]);
    namesake.ask(&["sync"]);
    assert_eq!(count(&namesake.ask(&["patient", "list"]), "patients"), 0);
    let (_, code) = namesake.refused(&["timeline", "--patient", &patient]);
    assert_eq!(code, "unknown_patient");
    let specialities = |device: &Device<'_>| {
        let list = device.ask(&["reference", "list", "--kind", "speciality"]);
        count(&list, "rows")
    };
    assert_eq!((specialities(&ana), specialities(&namesake)), (1, 0));
    // An auditor reads their own tenant's audit, and a name alone is not enough.
    namesake.ask(&["patient", "list"]);
    namesake.ask(&["sync"]);
    let audit = |tenant: &str| {
        clinic.admin(&[
            "audit", "list", "--as", "Lia", "--limit", "500", "--tenant", tenant,
        ])
    };
    let (own, theirs) = (audit("Vereda").to_string(), audit("Vizinha").to_string());
    assert!(own.contains(&patient) || own.contains("\"wrote\""));
    assert!(!theirs.contains(&patient) && !theirs.contains("\"wrote\""));
    let refused = |arguments: &[&str]| {
        let store = clinic.store();
        let all = [&["admin"], arguments, &["--store", &store, "--json"]].concat();
        let output = clinic.command(&all).output().expect("it runs");
        assert!(!output.status.success(), "{arguments:?}");
    };
    refused(&["audit", "list", "--as", "Lia"]);
    refused(&["audit", "list", "--as", "Ana", "--tenant", "Vereda"]);
    refused(&[
        "scope",
        "grant",
        "--user",
        "Ana",
        "--unit",
        "Fluvial",
        "--compartment",
        "sensitive",
    ]);
    let granted = [
        "scope",
        "grant",
        "--user",
        "Ana",
        "--unit",
        "Fluvial",
        "--compartment",
        "sensitive",
    ];
    clinic.admin(&[&granted[..], &["--tenant", "Vereda"]].concat());
    ana.ask(&["sync"]);
    ana.ask(&[
        "event",
        "add",
        "--patient",
        &patient,
        "--sensitive",
        "--text",
        "em sigilo",
    ]);
    ana.ask(&["sync"]);
    let sensitive = |device: &Device<'_>| {
        let status = document(&device.run(&["status"])).to_string();
        status.matches("\"sensitive\"").count()
    };
    assert_eq!((sensitive(&ana), sensitive(&namesake)), (1, 0));
}
