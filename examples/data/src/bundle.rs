//! FHIR R4 transaction Bundles of a field clinic, one per patient.

use crate::body::{LABS, MEDICATIONS, PROCEDURES, VACCINES, coded, number};
use crate::entries::patient_rng;
use crate::person::Person;
use crate::text::sentence;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;
use vereda_core::id::NAMESPACE;
use vereda_core::time::{EpochMs, Zoned};

const MINUTE_MS: EpochMs = 60_000;
const DAY_MS: EpochMs = 24 * 60 * MINUTE_MS;
/// 2023-01-09T11:00:00Z, the clinic's first day.
const OPENED_MS: EpochMs = 1_673_262_000_000;
const CLINIC: &str = "Unidade Fluvial Vereda";
const PROFESSIONALS: [&str; 4] = [
    "Tereza Lima Nogueira",
    "Anselmo Prado",
    "Iolanda Meira",
    "Caetano Brandão",
];
const SNOMED: &str = "http://snomed.info/sct";
const CONDITIONS: [(&str, &str); 8] = [
    ("38341003", "Hipertensão arterial"),
    ("44054006", "Diabetes mellitus tipo 2"),
    ("195967001", "Asma"),
    ("61462000", "Malária"),
    ("186431008", "Doença de Chagas"),
    ("271737000", "Anemia"),
    ("279039007", "Dor lombar"),
    ("77386006", "Gestação"),
];
const ALLERGIES: [(&str, &str, &str); 6] = [
    ("91936005", "Alergia a penicilina", "medication"),
    ("293586001", "Alergia a ácido acetilsalicílico", "medication"),
    ("300916003", "Alergia a látex", "environment"),
    ("91935009", "Alergia a amendoim", "food"),
    ("300913006", "Alergia a frutos do mar", "food"),
    ("424213003", "Alergia a picada de abelha", "environment"),
];
const VITALS: [(&str, &str, f64, f64, i32, &str); 5] = [
    ("8867-4", "Frequência cardíaca", 54.0, 120.0, 0, "/min"),
    ("8310-5", "Temperatura corporal", 35.4, 39.4, 1, "Cel"),
    ("59408-5", "Saturação de oxigênio", 88.0, 100.0, 0, "%"),
    ("29463-7", "Peso corporal", 8.0, 112.0, 1, "kg"),
    ("9279-1", "Frequência respiratória", 12.0, 32.0, 0, "/min"),
];

/// A transaction Bundle for each of so many patients, as JSON. The clinic and its professionals are in each one,
/// under the same ids.
pub fn fhir_bundles(seed: u64, patients: u32) -> impl Iterator<Item = String> {
    (0..patients).map(move |number| {
        let mut rng = patient_rng(seed ^ 0x6668_6972, number);
        let mut bundle = Bundle::default();
        bundle.staff(seed);
        bundle.patient(&mut rng);
        let mut day = rng.random_range(0..200);
        for visit in 0..rng.random_range(4..=9) {
            let begins = OPENED_MS + day * DAY_MS + rng.random_range(0..480) * MINUTE_MS;
            bundle.visit(&mut rng, seed, begins, visit);
            day += rng.random_range(7..=120);
        }
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": bundle.entries }).to_string()
    })
}

#[derive(Default)]
struct Bundle {
    entries: Vec<Value>,
    patient: String,
}

/// An id that draws on the seed alone.
fn fresh(rng: &mut ChaCha8Rng) -> String {
    uuid::Builder::from_random_bytes(rng.random())
        .into_uuid()
        .to_string()
}

fn staff_id(seed: u64, name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("staff/{seed}/{name}").as_bytes()).to_string()
}

fn reference(id: &str) -> Value {
    json!({ "reference": format!("urn:uuid:{id}") })
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }], "text": display })
}

fn at(utc_ms: EpochMs) -> String {
    Zoned {
        utc_ms,
        offset_minutes: -240,
    }
    .to_string()
}

impl Bundle {
    fn push(&mut self, id: &str, mut resource: Value) {
        resource["id"] = json!(id);
        let kind = resource["resourceType"].clone();
        self.entries.push(json!({
            "fullUrl": format!("urn:uuid:{id}"), "resource": resource, "request": { "method": "POST", "url": kind },
        }));
    }

    fn staff(&mut self, seed: u64) {
        self.push(
            &staff_id(seed, CLINIC),
            json!({ "resourceType": "Organization", "name": CLINIC, "active": true }),
        );
        for name in PROFESSIONALS {
            let resource =
                json!({ "resourceType": "Practitioner", "active": true, "name": [{ "text": name }] });
            self.push(&staff_id(seed, name), resource);
        }
    }

    fn patient(&mut self, rng: &mut ChaCha8Rng) {
        let person = Person::new(rng);
        self.patient = fresh(rng);
        let resource = json!({
            "resourceType": "Patient",
            "identifier": [
                { "system": "https://saude.gov.br/fhir/sid/cpf", "value": person.cpf },
                { "system": "https://saude.gov.br/fhir/sid/cns", "value": person.cns },
            ],
            "name": [{ "use": "official", "given": [person.given], "family": person.family }],
            "gender": person.gender(), "birthDate": person.birth_date,
            "telecom": [{ "system": "phone", "value": person.phone }],
            "address": [{ "line": [person.address], "state": "AM", "country": "BR" }],
        });
        let id = self.patient.clone();
        self.push(&id, resource);
    }

    fn visit(&mut self, rng: &mut ChaCha8Rng, seed: u64, begins: EpochMs, visit: u32) {
        let encounter = fresh(rng);
        let practitioner = staff_id(
            seed,
            PROFESSIONALS.choose(rng).copied().unwrap_or(PROFESSIONALS[0]),
        );
        let home = rng.random_bool(0.4);
        let (class, kind, shown) = match home {
            true => ("HH", "439708006", "Visita domiciliar"),
            false => ("AMB", "185349003", "Consulta na unidade"),
        };
        self.push(
            &encounter,
            json!({
                "resourceType": "Encounter", "status": "finished",
                "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": class },
                "type": [concept(SNOMED, kind, shown)], "subject": reference(&self.patient),
                "participant": [{ "individual": reference(&practitioner) }],
                "serviceProvider": reference(&staff_id(seed, CLINIC)),
                "period": { "start": at(begins), "end": at(begins + 30 * MINUTE_MS) },
            }),
        );
        let mut scene = Scene {
            bundle: self,
            encounter,
            practitioner,
            clock: begins,
        };
        scene.pressure(rng);
        for _ in 0..rng.random_range(2..=4) {
            scene.vital(rng);
        }
        if visit == 0 || rng.random_bool(0.25) {
            scene.condition(rng);
        }
        if rng.random_bool(if visit == 0 { 0.5 } else { 0.08 }) {
            scene.allergy(rng);
        }
        if rng.random_bool(0.5) {
            scene.medication(rng);
        }
        if rng.random_bool(0.4) {
            scene.immunization(rng);
        }
        if rng.random_bool(0.3) {
            scene.procedure(rng);
        }
        if rng.random_bool(0.4) {
            scene.laboratory(rng);
        }
        if rng.random_bool(0.2) {
            scene.plan(rng);
        }
        scene.note(rng);
    }
}

/// A visit in progress: who, with whom, what time it is.
struct Scene<'a> {
    bundle: &'a mut Bundle,
    encounter: String,
    practitioner: String,
    clock: EpochMs,
}

impl Scene<'_> {
    /// Adds a resource of the visit; `subject` and `performer` are the fields of its type.
    fn add(&mut self, rng: &mut ChaCha8Rng, subject: &str, mut resource: Value) -> String {
        let id = fresh(rng);
        resource[subject] = reference(&self.bundle.patient);
        if resource.get("context").is_none() {
            resource["encounter"] = reference(&self.encounter);
        }
        self.clock += rng.random_range(1..=4) * MINUTE_MS;
        self.bundle.push(&id, resource);
        id
    }

    fn who(&self) -> Value {
        reference(&self.practitioner)
    }

    fn pressure(&mut self, rng: &mut ChaCha8Rng) {
        let part = |code: &str, display: &str, value: Value| {
            json!({
                "code": concept("http://loinc.org", code, display),
                "valueQuantity": {
                    "value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]",
                },
            })
        };
        let resource = json!({
            "resourceType": "Observation", "status": "final", "category": [category("vital-signs")],
            "code": concept("http://loinc.org", "85354-9", "Pressão arterial"),
            "effectiveDateTime": at(self.clock), "performer": [self.who()],
            "component": [
                part("8480-6", "Pressão sistólica", number(rng, 92.0, 188.0, 0)),
                part("8462-4", "Pressão diastólica", number(rng, 52.0, 112.0, 0)),
            ],
        });
        self.add(rng, "subject", resource);
    }

    fn vital(&mut self, rng: &mut ChaCha8Rng) {
        let (code, display, low, high, decimals, unit) = VITALS.choose(rng).copied().unwrap_or(VITALS[0]);
        let value = number(rng, low, high, decimals);
        self.observation(
            rng,
            "vital-signs",
            concept("http://loinc.org", code, display),
            value,
            unit,
        );
    }

    fn observation(
        &mut self,
        rng: &mut ChaCha8Rng,
        kind: &str,
        code: Value,
        value: Value,
        unit: &str,
    ) -> String {
        let resource = json!({
            "resourceType": "Observation", "status": "final", "category": [category(kind)], "code": code,
            "effectiveDateTime": at(self.clock), "performer": [self.who()],
            "valueQuantity": { "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit },
        });
        self.add(rng, "subject", resource)
    }

    fn condition(&mut self, rng: &mut ChaCha8Rng) {
        let (code, display) = CONDITIONS.choose(rng).copied().unwrap_or(CONDITIONS[0]);
        let status = if rng.random_bool(0.7) {
            "active"
        } else {
            "resolved"
        };
        let resource = json!({
            "resourceType": "Condition", "code": concept(SNOMED, code, display),
            "clinicalStatus": clinical("condition-clinical", status),
            "verificationStatus": clinical("condition-ver-status", "confirmed"),
            "onsetDateTime": at(self.clock), "recordedDate": at(self.clock), "recorder": self.who(),
        });
        self.add(rng, "subject", resource);
    }

    fn allergy(&mut self, rng: &mut ChaCha8Rng) {
        let (code, display, category) = ALLERGIES.choose(rng).copied().unwrap_or(ALLERGIES[0]);
        let criticality = if rng.random_bool(0.3) { "high" } else { "low" };
        let resource = json!({
            "resourceType": "AllergyIntolerance", "code": concept(SNOMED, code, display), "type": "allergy",
            "clinicalStatus": clinical("allergyintolerance-clinical", "active"),
            "verificationStatus": clinical("allergyintolerance-verification", "confirmed"),
            "category": [category], "criticality": criticality, "recordedDate": at(self.clock),
            "recorder": self.who(),
        });
        self.add(rng, "patient", resource);
    }

    fn medication(&mut self, rng: &mut ChaCha8Rng) {
        let (code, dose, unit) = MEDICATIONS.choose(rng).copied().unwrap_or(MEDICATIONS[0]);
        let hours = [8, 12, 24].choose(rng).copied().unwrap_or(24);
        let resource = json!({
            "resourceType": "MedicationRequest", "status": "active", "intent": "order",
            "medicationCodeableConcept": { "coding": [coded(code)], "text": code.2 },
            "authoredOn": at(self.clock), "requester": self.who(),
            "dosageInstruction": [{
                "text": format!("{dose} {unit} via oral de {hours} em {hours} horas"),
                "doseAndRate": [{ "doseQuantity": {
                    "value": dose, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit,
                } }],
            }],
        });
        self.add(rng, "subject", resource);
    }

    fn immunization(&mut self, rng: &mut ChaCha8Rng) {
        let vaccine = VACCINES.choose(rng).copied().unwrap_or(VACCINES[0]);
        let resource = json!({
            "resourceType": "Immunization", "status": "completed", "occurrenceDateTime": at(self.clock),
            "vaccineCode": { "coding": [coded(vaccine)], "text": vaccine.2 },
            "lotNumber": format!("BR{:05}", rng.random_range(0..100_000)),
            "protocolApplied": [{ "doseNumberPositiveInt": rng.random_range(1..=3) }],
            "performer": [{ "actor": self.who() }],
        });
        self.add(rng, "patient", resource);
    }

    fn procedure(&mut self, rng: &mut ChaCha8Rng) {
        let procedure = PROCEDURES.choose(rng).copied().unwrap_or(PROCEDURES[0]);
        let resource = json!({
            "resourceType": "Procedure", "status": "completed", "performedDateTime": at(self.clock),
            "code": { "coding": [coded(procedure)], "text": procedure.2 },
            "performer": [{ "actor": self.who() }],
        });
        self.add(rng, "subject", resource);
    }

    fn laboratory(&mut self, rng: &mut ChaCha8Rng) {
        let mut results = Vec::new();
        for _ in 0..rng.random_range(1..=4) {
            let (code, low, high, decimals, unit) = LABS.choose(rng).copied().unwrap_or(LABS[0]);
            let value = number(rng, low, high, decimals);
            let concept = concept(code.0, code.1, code.2);
            results.push(reference(&self.observation(
                rng,
                "laboratory",
                concept,
                value,
                unit,
            )));
        }
        let resource = json!({
            "resourceType": "DiagnosticReport", "status": "final", "effectiveDateTime": at(self.clock),
            "category": [{ "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB", "display": "Laboratório",
            }] }],
            "code": concept("http://loinc.org", "11502-2", "Relatório de laboratório"), "result": results,
            "performer": [self.who()],
        });
        self.add(rng, "subject", resource);
    }

    fn plan(&mut self, rng: &mut ChaCha8Rng) {
        // No startDate: its time is the plan's.
        let goal = self.add(rng, "subject", json!({
            "resourceType": "Goal", "lifecycleStatus": "active", "description": { "text": "Manter pressão abaixo de 140/90" },
        }));
        let resource = json!({
            "resourceType": "CarePlan", "status": "active", "intent": "plan", "title": "Plano de autocuidado",
            "period": { "start": at(self.clock) }, "goal": [reference(&goal)], "author": self.who(),
            "activity": [{ "detail": {
                "code": { "text": "Aferição semanal da pressão pela agente comunitária" }, "status": "scheduled",
            } }],
        });
        self.add(rng, "subject", resource);
    }

    fn note(&mut self, rng: &mut ChaCha8Rng) {
        let text = sentence(rng, "note");
        let resource = json!({
            "resourceType": "DocumentReference", "status": "current", "date": at(self.clock),
            "type": concept("http://loinc.org", "11506-3", "Evolução"), "description": text,
            "content": [{ "attachment": { "contentType": "text/plain", "title": "Evolução" } }],
            "author": [self.who()], "context": { "encounter": [reference(&self.encounter)] },
        });
        self.add(rng, "subject", resource);
    }
}

fn category(code: &str) -> Value {
    concept(
        "http://terminology.hl7.org/CodeSystem/observation-category",
        code,
        code,
    )
}

fn clinical(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code }] })
}
