//! Every document that `--json` prints, of the real program and a real server, against its schema in docs/cli.

mod support;

use serde_json::{Value, json};
use support::{Clinic, Device, asked, document, fits};

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().expect("a text")
}

#[test]
fn every_document_fits_its_schema() {
    let clinic = Clinic::new();
    for (name, arguments) in [
        ("admin-tenant", &["tenant", "Outra"][..]),
        ("admin-unit", &["unit", "Norte", "--tenant", "Outra"]),
        (
            "admin-user",
            &[
                "user",
                "Caio",
                "--unit",
                "Norte",
                "--tenant",
                "Outra",
                "--role",
                "clinician",
            ],
        ),
        (
            "admin-scope",
            &[
                "scope",
                "grant",
                "--user",
                "Caio",
                "--unit",
                "Norte",
                "--compartment",
                "sensitive",
                "--tenant",
                "Outra",
            ],
        ),
        ("admin-users", &["users", "--tenant", "Outra"]),
        ("admin-scope-list", &["scope", "list", "--tenant", "Outra"]),
        (
            "admin-scope",
            &[
                "scope",
                "revoke",
                "--user",
                "Caio",
                "--unit",
                "Norte",
                "--compartment",
                "sensitive",
                "--tenant",
                "Outra",
            ],
        ),
        (
            "admin-leave",
            &["leave", "--user", "Caio", "--unit", "Norte", "--tenant", "Outra"],
        ),
        (
            "admin-enrol-code",
            &["enrol-code", "--user", "Caio", "--tenant", "Outra"],
        ),
    ] {
        fits(name, clinic.admin(arguments));
    }
    let clinic = Clinic::new();
    reference(&clinic);
    let server = clinic.serve();
    let ana = clinic.device("ana");
    let code = clinic.admin(&["enrol-code", "--user", "Ana"]);
    asked(
        &ana,
        "enrol",
        &["enrol", "--server", &server.url, "--code", text(&code, "code")],
    );
    let bruno = clinic.enrolled(&server, "bruno", "Bruno");
    let patient = people(&ana);
    let entry = events(&ana, &patient);
    asked(&ana, "sync", &["sync"]);
    asked(&bruno, "sync", &["sync"]);
    let again = asked(&bruno, "sync", &["resync", "--reason", "dúvida"]);
    assert_eq!(again["status"]["resync"], false, "it is over: {again}");
    reference_on(&ana, &patient);
    asked(&ana, "sync", &["sync"]);
    asked(&bruno, "sync", &["sync"]);
    conflict(&ana, &bruno, &patient);
    let timeline = ["timeline", "--patient", &patient];
    let shown = asked(&ana, "timeline", &timeline);
    assert_eq!(shown["entries"], asked(&bruno, "timeline", &timeline)["entries"]);
    asked(
        &ana,
        "event-show",
        &["event", "show", &entry, "--patient", &patient],
    );
    statistics(&ana, &patient);
    imports(&clinic, &ana);
    for (name, arguments) in [
        ("status", &["status"][..]),
        ("outbox", &["outbox"]),
        ("drawer-list", &["drawer", "list"]),
        ("drawer-export", &["drawer", "export"]),
        ("inbox", &["inbox"]),
        ("audit-list", &["audit", "list"]),
        ("audit-verify", &["audit", "verify"]),
        ("audit-export", &["audit", "export"]),
        ("doctor", &["doctor"]),
        ("verify", &["verify"]),
        ("export", &["export", "--patient", &patient, "--format", "json"]),
        (
            "export-list",
            &[
                "export",
                "--patients-list",
                "--search",
                "silva",
                "--format",
                "json",
            ],
        ),
    ] {
        asked(&ana, name, arguments);
    }
    exports(&clinic, &ana, &patient);
    asked(&ana, "signout", &["signout"]);
    clinic.admin(&["user", "Auditora", "--unit", "Fluvial", "--role", "auditor"]);
    clinic.admin(&["user", "Chefe", "--unit", "Fluvial", "--role", "supervisor"]);
    fits(
        "admin-drawer-list",
        clinic.admin(&["drawer", "list", "--as", "Chefe"]),
    );
    let whole = ["audit", "list", "--as", "Auditora", "--limit", "500"];
    let listed = fits("admin-audit-list", clinic.admin(&whole));
    assert!(listed["records"].as_array().expect("records").len() > 20);
    let verified = fits(
        "admin-audit-verify",
        clinic.admin(&["audit", "verify", "--as", "Auditora"]),
    );
    assert_eq!(verified["broken"].as_array().map(Vec::len), Some(0));
    fits("admin-devices", clinic.admin(&["devices"]));
    fits("admin-revoke", clinic.admin(&["revoke", "1"]));
}

/// What the clinic keeps for all its devices, one row of each kind in use and one retired.
fn reference(clinic: &Clinic) {
    let definition = clinic.path().join("dressing.json");
    let kind = serde_json::json!({
        "kind": "x-fluvial.dressing",
        "version": 1,
        "titles": {"pt": "Curativo", "en": "Dressing"},
        "template": {"pt": ["área {area} cm²"], "en": ["area {area} cm²"]},
        "schema": {"type": "object", "properties": {"area": {"type": "number", "x-unit": "cm2"}}}
    });
    std::fs::write(&definition, kind.to_string()).expect("a file");
    let file = definition.display().to_string();
    let titles = ["--pt", "Medicina de família", "--en", "Family medicine"];
    fits(
        "admin-speciality",
        clinic.admin(&[&["speciality", "add", "225130"][..], &titles].concat()),
    );
    clinic.admin(&[&["speciality", "add", "0"][..], &titles].concat());
    fits("admin-speciality", clinic.admin(&["speciality", "retire", "0"]));
    fits("admin-speciality-list", clinic.admin(&["speciality", "list"]));
    let professional = [
        "professional",
        "add",
        "Dra. Lia Costa",
        "--speciality",
        "225130",
        "--unit",
        "Fluvial",
        "--council",
        "CRM-AM",
        "--number",
        "1234",
    ];
    let added = fits("admin-professional", clinic.admin(&professional));
    clinic.admin(&["professional", "add", "Dr. Rui"]);
    fits(
        "admin-professional",
        clinic.admin(&["professional", "retire", text(&added, "id")]),
    );
    fits("admin-professional-list", clinic.admin(&["professional", "list"]));
    fits("admin-kind", clinic.admin(&["kind", "add", &file]));
    fits("admin-kind-list", clinic.admin(&["kind", "list"]));
    let user = ["user", "Ana", "--unit", "Fluvial", "--speciality", "225130"];
    fits("admin-user", clinic.admin(&user));
}

/// The same on a device that synchronised, and an entry of the clinic's own kind.
fn reference_on(device: &Device<'_>, patient: &str) {
    for (kind, rows) in [("unit", 1), ("speciality", 2), ("professional", 2), ("kind", 1)] {
        let list = asked(device, "reference-list", &["reference", "list", "--kind", kind]);
        assert_eq!(list["rows"].as_array().map(Vec::len), Some(rows), "{kind}");
        assert_eq!(list["freshness"], "fresh");
    }
    let add = [
        "event",
        "add",
        "--patient",
        patient,
        "--text",
        "curativo",
        "--kind",
    ];
    let known = ["x-fluvial.dressing", "--body", r#"{"area":4}"#];
    asked(device, "saved", &[&add[..], &known].concat());
    let wrong = ["x-fluvial.dressing", "--body", r#"{"area":"quatro"}"#];
    let (exit, code) = device.refused(&[&add[..], &wrong].concat());
    assert_eq!((exit, code.as_str()), (3, "body_invalid"));
}

fn people(device: &Device<'_>) -> String {
    let add = [
        "patient",
        "add",
        "--name",
        "José da Silva",
        "--birth-date",
        "1970-05-01",
        "--contact",
        "phone=92 1234",
        "--contact",
        "phone=92 5678",
    ];
    let registered = asked(device, "patient-add", &add);
    let again = asked(device, "patient-add", &add);
    assert_eq!(again["duplicates"][0]["patient"]["id"], registered["id"]);
    let patient = text(&registered, "id").to_owned();
    asked(
        device,
        "patient-edit",
        &["patient", "edit", &patient, "--cpf", "529.982.247-25"],
    );
    let shown = asked(device, "patient-show", &["patient", "show", &patient]);
    let contacts = shown["record"]["contacts"].as_array().expect("contacts");
    assert_eq!(contacts.len(), 2, "both telephones");
    asked(device, "patient-duplicates", &["patient", "duplicates", &patient]);
    link(device, &patient, text(&again, "id"));
    let page = asked(device, "patient-list", &["patient", "list", "--limit", "1"]);
    let next = text(&page, "next").to_owned();
    asked(
        device,
        "patient-list",
        &["patient", "list", "--limit", "1", "--after", &next],
    );
    patient
}

fn link(device: &Device<'_>, patient: &str, other: &str) {
    let with = |command: &'static str| {
        [
            ["patient", command, patient, other],
            ["--reason", "a mesma", "", ""],
        ]
        .concat()
    };
    let said = |command| {
        let arguments = with(command);
        asked(device, "patient-link", &arguments[..6])
    };
    assert!(said("link")["saved"].is_object());
    assert_eq!(said("link")["saved"], Value::Null, "they are linked already");
    let listed = asked(device, "patient-list", &["patient", "list", "--limit", "1"]);
    assert_eq!(listed["patients"][0]["linked"].as_array().map(Vec::len), Some(1));
    asked(device, "chart-show", &["chart", "show", "--patient", other]);
    let links = asked(device, "patient-links", &["patient", "links", patient]);
    assert_eq!(links["links"][0]["link"]["other"], other);
    asked(device, "audit-list", &["audit", "list"]);
    said("unlink");
    let links = asked(device, "patient-links", &["patient", "links", patient]);
    assert_eq!(links["links"], serde_json::json!([]));
}

fn events(device: &Device<'_>, patient: &str) -> String {
    let add = |arguments: &[&str]| {
        let all = [&["event", "add", "--patient", patient], arguments].concat();
        text(&asked(device, "saved", &all), "entry").to_owned()
    };
    let draft = add(&["--draft", "--text", "rascunho"]);
    asked(
        device,
        "saved",
        &["event", "edit", &draft, "--text", "rascunho, continuado"],
    );
    asked(device, "saved", &["event", "finalize", &draft]);
    let entry = add(&["--text", "pressão 12 por 8", "--at", "2026-05-04T10:30:00-03:00"]);
    asked(
        device,
        "saved",
        &["event", "amend", &entry, "--text", "pressão 13 por 8"],
    );
    let wrong = add(&["--text", "outro paciente"]);
    asked(
        device,
        "saved",
        &["event", "retract", &wrong, "--reason", "engano"],
    );
    let moved = add(&["--text", "da vizinha"]);
    let neighbour = device.patient("Vizinha");
    asked(
        device,
        "saved",
        &[
            "event",
            "move",
            &moved,
            "--to",
            &neighbour,
            "--reason",
            "prontuário errado",
        ],
    );
    entry
}

fn statistics(device: &Device<'_>, patient: &str) {
    let before = asked(device, "stats", &["stats", "--patient", patient]);
    assert_eq!(before["numeric"], Value::Null);
    for (at, body) in [
        ("2026-05-04T10:30:00-03:00", "{\"systolic\":120}"),
        ("2026-05-05T23:30:00-03:00", "{\"systolic\":130}"),
    ] {
        let vitals = [
            "event",
            "add",
            "--patient",
            patient,
            "--kind",
            "vitals",
            "--text",
            "PA",
        ];
        device.ask(&[&vitals[..], &["--at", at, "--body", body]].concat());
    }
    let of_all = asked(device, "stats-all", &["stats", "--all-patients"]);
    assert!(of_all["entries"].as_u64() > Some(2));
    let refused = device.run(&["stats"]);
    assert_eq!(refused.status.code(), Some(2), "of whom is missing");
    let stats = ["stats", "--patient", patient, "--value", "vitals.systolic"];
    let found = asked(
        device,
        "stats",
        &[&stats[..], &["--kind", "vitals", "--window", "2"]].concat(),
    );
    assert_eq!(
        (&found["entries"], &found["by_kind"]["vitals"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        found["heatmap"][1],
        serde_json::json!({"weekday": 2, "hour": 23, "entries": 1})
    );
    let series = &found["numeric"]["series"][0];
    assert_eq!(
        (series["unit"].as_str(), series["mean"].as_f64()),
        (Some("mm[Hg]"), Some(125.0))
    );
    let narrow = [
        "--from",
        "2026-05-05T00:00:00-03:00",
        "--to",
        "2026-05-06T00:00:00-03:00",
        "--search",
        "pa",
    ];
    let found = asked(device, "stats", &[&stats[..], &narrow].concat());
    assert_eq!(
        (&found["entries"], &found["numeric"]["series"][0]["p95"]),
        (&1.into(), &130.0.into())
    );
}

fn conflict(ana: &Device<'_>, bruno: &Device<'_>, patient: &str) {
    let allergy = ["chart", "set", "--patient", patient, "--kind", "allergy"];
    let new = [&allergy[..], &["--field", "display=Dipirona"]].concat();
    let item = text(&asked(ana, "saved", &new), "chart_item").to_owned();
    ana.ask(&["sync"]);
    bruno.ask(&["sync"]);
    for (device, severity) in [(ana, "severity=mild"), (bruno, "severity=severe")] {
        device.ask(&[&allergy[..], &["--item", &item, "--field", severity]].concat());
    }
    for device in [ana, bruno, ana] {
        device.ask(&["sync"]);
    }
    asked(ana, "chart-show", &["chart", "show", "--patient", patient]);
    let listed = asked(ana, "conflicts-list", &["conflicts", "list"]);
    asked(ana, "inbox", &["inbox"]);
    let diagnosis = ana.run(&["doctor"]);
    assert_eq!(diagnosis.status.code(), Some(1), "a conflict needs a person");
    fits(
        "doctor",
        serde_json::from_slice(&diagnosis.stdout).expect("a document"),
    );
    let conflict = &listed["conflicts"][0];
    let resolve = [
        "conflicts",
        "resolve",
        text(conflict, "id"),
        "--choose",
        text(&conflict["choices"][0], "write"),
    ];
    asked(ana, "saved", &resolve);
    for device in [ana, bruno] {
        device.ask(&["sync"]);
        assert_eq!(
            device.ask(&["conflicts", "list"])["conflicts"],
            serde_json::json!([])
        );
    }
}

/// FHIR goes into an empty store and is the same there; a list is a row for each patient, and audited once.
fn exports(clinic: &Clinic, device: &Device<'_>, patient: &str) {
    let printed = |arguments: &[&str]| {
        let output = device
            .command(&[&["export"], arguments].concat())
            .output()
            .expect("it runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    };
    let bundle: Value =
        serde_json::from_str(&printed(&["--patient", patient, "--format", "fhir"])).expect("a Bundle");
    assert_eq!(bundle["resourceType"], "Bundle");
    let everything = printed(&["--all", "--format", "fhir", "--reason", "a new system"]);
    let folder = clinic.path().join("exported");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("all.ndjson"), &everything).expect("a file");
    let again = asked(
        device,
        "import-fhir",
        &["import", "fhir", &folder.display().to_string()],
    );
    assert_eq!(again["resources"], everything.lines().count());
    assert_eq!(again["problems"], serde_json::json!([]));
    let list = printed(&["--patients-list", "--format", "csv"]);
    let patients = printed(&["--patients-list", "--format", "fhir"]);
    assert_eq!(list.lines().count(), 1 + patients.lines().count());
    assert!(list.contains("\r\n"), "RFC 4180 ends a line so");
    let audit = device.ask(&["audit", "list"]);
    let told = audit["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|entry| &entry["record"]["did"]);
    let lists: Vec<_> = told
        .filter(|did| did["action"] == "export_patients_fhir")
        .collect();
    assert_eq!(lists.len(), 2, "one for each list");
    assert!(
        lists[0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.ends_with(" patients: a new system"))
    );
}

fn imports(clinic: &Clinic, device: &Device<'_>) {
    let folder = clinic.path().join("records");
    std::fs::create_dir(&folder).expect("a folder");
    for (number, bundle) in vereda_data::fhir_bundles(3, 2).enumerate() {
        std::fs::write(folder.join(format!("{number}.json")), bundle).expect("a file");
    }
    let path = folder.display().to_string();
    let first = asked(device, "import-fhir", &["import", "fhir", &path]);
    assert!(first["entries"]["added"].as_u64() > Some(0));
    let second = asked(device, "import-fhir", &["import", "fhir", &path]);
    assert_eq!(second["entries"]["added"], 0);
    std::fs::write(folder.join("broken.json"), "{\"resourceType\":\"Patient\"").expect("a file");
    let third = device.run(&["import", "fhir", &path]);
    assert_eq!(third.status.code(), Some(1), "a broken file needs a person");
    fits(
        "import-fhir",
        serde_json::from_slice(&third.stdout).expect("a document"),
    );
    device.ask(&["sync"]);
}

#[test]
fn every_failure_has_its_code_and_its_exit_status() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let patient = ana.patient("José da Silva");
    let add = ["event", "add", "--patient", &patient];
    let cases: &[(&[&str], &[&str], i32, &str)] = &[
        (&add, &["--text", " "], 3, "text_empty"),
        (
            &add,
            &["--text", "x", "--at", "1066-10-14T00:00:00Z"],
            3,
            "not_a_date",
        ),
        (&add, &["--text", "x", "--body", "{"], 3, "json_malformed"),
        (&add, &["--text", "x", "--kind", "poema"], 3, "kind_unknown"),
        (
            &["patient", "add", "--name", "X"],
            &["--cpf", "111.111.111-11"],
            3,
            "cpf_invalid",
        ),
        (
            &["patient", "show"],
            &["00000000-0000-0000-0000-000000000001"],
            3,
            "unknown_patient",
        ),
        (
            &["enrol", "--code", "x"],
            &["--server", "http://clinic.example"],
            3,
            "address_refused",
        ),
        (
            &["stats", "--patient", &patient],
            &["--from", "ontem"],
            3,
            "not_a_date",
        ),
        (
            &["stats", "--patient"],
            &["00000000-0000-0000-0000-000000000001"],
            3,
            "unknown_patient",
        ),
        (&["import", "fhir"], &["/does/not/exist"], 2, "file_unreadable"),
    ];
    ana.ask(&["sync"]);
    for (command, rest, status, code) in cases {
        let refused = ana.refused(&[*command, *rest].concat());
        assert_eq!(refused, (*status, (*code).to_owned()), "{command:?} {rest:?}");
    }
    let stranger = clinic.device("stranger");
    assert_eq!(
        stranger.refused(&["patient", "list"]),
        (1, "not_enrolled".to_owned())
    );
    let wrong = stranger.refused(&["enrol", "--server", &server.url, "--code", "errado"]);
    assert_eq!(wrong, (3, "enrolment_code_invalid".to_owned()));
    assert_eq!(
        ana.run(&["timeline"]).status.code(),
        Some(2),
        "an argument is missing"
    );
    drop(server);
    ana.ask(&[&add[..], &["--text", "sem servidor"]].concat());
    let output = ana.run(&["sync"]);
    assert_eq!(output.status.code(), Some(4));
    fits(
        "sync",
        serde_json::from_slice(&output.stdout).expect("a document"),
    );
    fits("doctor", ana.ask(&["doctor"]));
}

#[test]
fn a_write_whose_author_left_the_unit_is_held_for_a_supervisor_and_told() {
    let clinic = Clinic::new();
    clinic.admin(&["user", "Sílvia", "--unit", "Fluvial", "--role", "supervisor"]);
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let patient = ana.patient("José da Silva");
    ana.ask(&["sync"]);
    for text in ["antes de sair", "outra"] {
        ana.ask(&["event", "add", "--patient", &patient, "--text", text]);
    }
    clinic.admin(&["leave", "--user", "Ana", "--unit", "Fluvial"]);
    asked(&ana, "sync", &["sync"]);
    let inbox = asked(&ana, "inbox", &["inbox"]);
    let held: Vec<String> = inbox["held"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|held| {
            assert_eq!(held["state"], "waiting");
            held["write"].as_str().expect("an id").to_owned()
        })
        .collect();
    assert_eq!(held.len(), 2);
    assert_eq!(asked(&ana, "status", &["status"])["held_waiting"], 2);
    assert_eq!(
        ana.refused(&["patient", "show", &patient]),
        (3, "unknown_patient".to_owned())
    );
    let waiting = clinic.admin(&["quarantine", "list", "--as", "Sílvia"]);
    let waiting = fits("admin-quarantine-list", waiting);
    assert_eq!(waiting["quarantine"].as_array().expect("a list").len(), 2);
    for (action, write) in [("release", &held[0]), ("discard", &held[1])] {
        let decided = clinic.admin(&["quarantine", action, write, "--as", "Sílvia"]);
        fits("admin-quarantine-decided", decided);
    }
    asked(&ana, "sync", &["sync"]);
    let inbox = asked(&ana, "inbox", &["inbox"]);
    assert_eq!(inbox["held"][0]["state"], "released");
    assert_eq!(inbox["held"][1]["state"], "discarded");
    assert_eq!(asked(&ana, "status", &["status"])["held_decided"], 2);
    let doctor = ana.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&doctor.stdout).expect("a document");
    let codes = findings["findings"].as_array().expect("a list").iter();
    let codes: Vec<&Value> = codes.map(|finding| &finding["code"]).collect();
    // She has no unit any more, and a supervisor decided about what she wrote.
    assert!(codes.contains(&&json!("held_decided")) && codes.contains(&&json!("no_scope")));
    assert!(!codes.contains(&&json!("partial")));
    for write in &held {
        asked(&ana, "inbox-tick", &["inbox", "tick", write]);
    }
    assert_eq!(asked(&ana, "inbox", &["inbox", "list"])["held"], json!([]));
    assert_eq!(
        ana.refused(&["inbox", "tick", &held[0]]),
        (3, "unknown_write".to_owned())
    );
    let bruno = clinic.enrolled(&server, "bruno", "Bruno");
    bruno.ask(&["sync"]);
    assert_eq!(bruno.entries(&patient)[0]["text"], "antes de sair");
    assert_eq!(bruno.entries(&patient).len(), 1);
}

#[test]
fn a_patient_is_shared_with_found_by_and_moved_to_another_unit() {
    let clinic = Clinic::new();
    clinic.admin(&["unit", "Terra Firme"]);
    clinic.admin(&["user", "Tânia", "--unit", "Terra Firme"]);
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let tania = clinic.enrolled(&server, "tania", "Tânia");
    let added = ana.ask(&["patient", "add", "--name", "Rosa Lima", "--cpf", "529.982.247-25"]);
    let patient = added["id"].as_str().expect("an id").to_owned();
    ana.ask(&["event", "add", "--patient", &patient, "--text", "primeira"]);
    ana.ask(&["sync"]);
    tania.ask(&["sync"]);
    let found = asked(
        &tania,
        "patient-find",
        &[
            "patient",
            "find",
            "--cpf",
            "529.982.247-25",
            "--reason",
            "urgência",
        ],
    );
    assert_eq!(found["found"][0]["patient"], patient.as_str());
    tania.ask(&["sync"]);
    assert_eq!(tania.entries(&patient).len(), 1);
    let to = ["--to", "Terra Firme", "--reason", "encaminhada"];
    asked(
        &ana,
        "saved",
        &[&["patient", "share", &patient], &to[..]].concat(),
    );
    ana.ask(&["sync"]);
    let places = asked(&ana, "patient-places", &["patient", "places", &patient]);
    let kinds: Vec<_> = places["places"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|place| &place["kind"])
        .collect();
    assert_eq!(kinds, ["claimed", "shared"]);
    asked(&ana, "saved", &[&["patient", "move", &patient], &to[..]].concat());
    ana.ask(&["sync"]);
    tania.ask(&["sync"]);
    tania.ask(&["event", "add", "--patient", &patient, "--text", "segunda"]);
    tania.ask(&["sync"]);
    assert_eq!(tania.entries(&patient).len(), 2);
    let (code, _) = ana.refused(&["patient", "share", &patient, "--to", "Marte", "--reason", "x"]);
    assert_eq!(code, 2, "no such unit");
}

#[test]
fn a_key_file_that_others_may_read_or_that_is_cut_is_refused() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let key = clinic.path().join("other.key");
    let key_text = key.display().to_string();
    let status = ["--key-file", &key_text, "status"];
    assert_eq!(
        ana.refused(&status),
        (2, "key_file_unusable".to_owned()),
        "a store gets no second key"
    );
    for (content, mode, code, exit) in [
        ("ab".repeat(32), 0o644, "key_file_unusable", 2),
        ("ab".repeat(31), 0o600, "key_file_unusable", 2),
        ("ab".repeat(32), 0o600, "store_locked", 3),
    ] {
        std::fs::write(&key, content).expect("a file");
        #[cfg(unix)]
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("a mode");
        assert_eq!(ana.refused(&status), (exit, code.to_owned()), "{mode:o}");
    }
    let output = ana
        .command(&["status"])
        .env("VEREDA_KEY", "cd".repeat(32))
        .output()
        .expect("it runs");
    assert_eq!(
        output.status.code(),
        Some(3),
        "the environment's key does not open it"
    );
    document(&ana.run(&["status"]));
}

#[test]
fn that_a_device_was_revoked_the_next_program_tells_too() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    clinic.admin(&["revoke", "1"]);
    assert_eq!(ana.run(&["sync"]).status.code(), Some(1));
    let diagnosis = ana.run(&["doctor"]);
    assert_eq!(diagnosis.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&diagnosis.stdout).expect("a document");
    assert_eq!(fits("doctor", told)["needs_person"], true);
}
