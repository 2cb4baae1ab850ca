//! What the server logs. In a process of its own: another test's threads would share the subscriber.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::Arc;
use support::Clinic;
use vereda_core::protocol::{Frozen, PATH_SYNC, PushItem};
use vereda_core::record::{FieldChange, Intent, PatientField};
use vereda_core::redact::Sensitive;
use vereda_server::HttpRequest;

fn post(path: &str, content_type: &str, body: &[u8]) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        content_type: Some(content_type.into()),
        body: body.to_vec(),
        ..HttpRequest::default()
    }
}

/// Everything the server logs, at the finest level.
#[derive(Clone, Default)]
struct Captured(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn s5_no_name_note_token_or_code_appears_in_the_log_or_in_a_problem() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let mut problems = Vec::new();
    let mut secrets = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        let mut clinic = Clinic::new();
        let mut ana = clinic.device("ana");
        let register = ana.register("Marcadora Plantada");
        let patient = register.patient;
        let note = ana.note(patient, "segredo-plantado");
        ana.push(&clinic, &[register, note.clone()]);
        // Refused in every way a write can be.
        let mut reused = ana.note(patient, "segredo-plantado outra vez");
        reused.n = note.n;
        let mut strange = ana.note(patient, "segredo-plantado");
        strange.intent = Intent::EditRecord {
            base_version: 1,
            changes: vec![FieldChange {
                field: PatientField::Name,
                from: Sensitive("\"Marcadora Plantada\"".into()),
                to: Sensitive("Marcadora Plantada".into()),
            }],
            resolves: Default::default(),
        };
        strange.compartment = vereda_core::record::Compartment::Identity;
        for write in [reused, strange] {
            let item = PushItem {
                write: Frozen::new(write),
                generation: 0,
                changes: vec![],
            };
            let response = clinic.post(PATH_SYNC, ana.authorization(), &ana.request(vec![item]));
            problems.extend(response.body);
        }
        let planted = post(
            "/v1/Marcadora Plantada",
            "application/vereda",
            b"segredo-plantado",
        );
        problems.extend(clinic.send(planted).body);
        ana.tokens.access.0[10] ^= 1;
        problems.extend(
            clinic
                .post(PATH_SYNC, ana.authorization(), &ana.request(vec![]))
                .body,
        );
        secrets.push(ana.authorization().unwrap());
        clinic.restart();
    });
    let mut log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("synchronised") && log.contains("refused"), "{log}");
    log.push_str(&String::from_utf8_lossy(&problems));
    for planted in ["Plantada", "segredo", "tablet", &secrets[0][7..]] {
        assert!(!log.contains(planted), "{planted}");
    }
}
