//! Structured bodies that satisfy the kinds' schemas, in values a field clinic measures.

use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

/// (system, code, display).
type Code = (&'static str, &'static str, &'static str);

const LOINC: &str = "http://loinc.org";
const CIAP: &str = "https://ciap2.example/code";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";
const ATC: &str = "http://www.whocc.no/atc";

const VISITS: [Code; 8] = [
    (CIAP, "A98", "Medicina preventiva/manutenção da saúde"),
    (CIAP, "K86", "Hipertensão sem complicações"),
    (CIAP, "T90", "Diabetes não insulino-dependente"),
    (CIAP, "W78", "Gravidez"),
    (CIAP, "R74", "Infecção aguda do aparelho respiratório superior"),
    (CIAP, "D73", "Gastroenterite, presumível infecção"),
    (CIAP, "L03", "Sinais/sintomas da região lombar"),
    (CIAP, "S18", "Laceração/corte"),
];
pub(crate) const LABS: [(Code, f64, f64, i32, &str); 10] = [
    ((LOINC, "718-7", "Hemoglobina"), 7.0, 17.0, 1, "g/dL"),
    ((LOINC, "2345-7", "Glicose"), 60.0, 320.0, 0, "mg/dL"),
    ((LOINC, "4548-4", "Hemoglobina glicada"), 4.5, 12.0, 1, "%"),
    ((LOINC, "2160-0", "Creatinina"), 0.4, 4.5, 2, "mg/dL"),
    ((LOINC, "2093-3", "Colesterol total"), 110.0, 320.0, 0, "mg/dL"),
    ((LOINC, "2571-8", "Triglicerídeos"), 50.0, 480.0, 0, "mg/dL"),
    ((LOINC, "2823-3", "Potássio"), 2.8, 6.1, 1, "mmol/L"),
    ((LOINC, "777-3", "Plaquetas"), 60.0, 480.0, 0, "10*3/uL"),
    ((LOINC, "6690-2", "Leucócitos"), 2.0, 19.0, 1, "10*3/uL"),
    ((LOINC, "1742-6", "ALT (TGP)"), 8.0, 240.0, 0, "U/L"),
];
const OBSERVATIONS: [(Code, f64, f64, i32, &str); 6] = [
    (
        (LOINC, "8280-0", "Circunferência da cintura"),
        55.0,
        140.0,
        0,
        "cm",
    ),
    ((LOINC, "11881-0", "Altura uterina"), 10.0, 40.0, 0, "cm"),
    (
        (LOINC, "55283-6", "Batimentos cardíacos fetais"),
        110.0,
        165.0,
        0,
        "/min",
    ),
    (
        (LOINC, "33452-4", "Pico de fluxo expiratório"),
        120.0,
        620.0,
        0,
        "L/min",
    ),
    ((LOINC, "56072-2", "Circunferência do braço"), 9.0, 42.0, 1, "cm"),
    (
        (LOINC, "72514-3", "Escala numérica de dor"),
        0.0,
        10.0,
        0,
        "{score}",
    ),
];
pub(crate) const VACCINES: [Code; 8] = [
    (CVX, "19", "BCG"),
    (CVX, "08", "Hepatite B"),
    (CVX, "10", "VIP (poliomielite inativada)"),
    (CVX, "03", "Tríplice viral"),
    (CVX, "37", "Febre amarela"),
    (CVX, "115", "dTpa"),
    (CVX, "88", "Influenza"),
    (CVX, "62", "HPV quadrivalente"),
];
pub(crate) const MEDICATIONS: [(Code, f64, &str); 10] = [
    ((ATC, "C09AA01", "Captopril"), 25.0, "mg"),
    ((ATC, "C03AA03", "Hidroclorotiazida"), 25.0, "mg"),
    ((ATC, "A10BA02", "Metformina"), 850.0, "mg"),
    ((ATC, "C09CA01", "Losartana"), 50.0, "mg"),
    ((ATC, "J01CA04", "Amoxicilina"), 500.0, "mg"),
    ((ATC, "N02BE01", "Paracetamol"), 750.0, "mg"),
    ((ATC, "B03AA07", "Sulfato ferroso"), 40.0, "mg"),
    ((ATC, "A02BC01", "Omeprazol"), 20.0, "mg"),
    ((ATC, "R03AC02", "Salbutamol"), 100.0, "ug"),
    ((ATC, "P02CA03", "Albendazol"), 400.0, "mg"),
];
const SIGTAP: &str = "http://sigtap.datasus.gov.br";
pub(crate) const PROCEDURES: [Code; 7] = [
    (SIGTAP, "0401010023", "Curativo grau I"),
    (SIGTAP, "0301100039", "Aferição de pressão arterial"),
    (
        SIGTAP,
        "0201020033",
        "Coleta de material para exame citopatológico",
    ),
    (SIGTAP, "0301100101", "Inalação/nebulização"),
    (SIGTAP, "0401010066", "Sutura de ferimento superficial"),
    (SIGTAP, "0301100152", "Retirada de pontos"),
    (SIGTAP, "0214010015", "Glicemia capilar"),
];
const SPECIALITIES: [Code; 6] = [
    ("http://snomed.info/sct", "394579002", "Cardiologia"),
    ("http://snomed.info/sct", "394537008", "Pediatria"),
    ("http://snomed.info/sct", "394801008", "Ortopedia"),
    ("http://snomed.info/sct", "394582007", "Dermatologia"),
    ("http://snomed.info/sct", "394585009", "Obstetrícia e ginecologia"),
    ("http://snomed.info/sct", "394594003", "Oftalmologia"),
];

pub(crate) fn coded(code: Code) -> Value {
    json!({ "system": code.0, "code": code.1, "display": code.2 })
}

/// A number within bounds, with so many decimals.
pub(crate) fn number(rng: &mut impl Rng, low: f64, high: f64, decimals: i32) -> Value {
    let scale = 10_f64.powi(decimals);
    let steps = ((high - low) * scale).round() as i64;
    let value = (low * scale).round() as i64 + rng.random_range(0..=steps);
    if decimals == 0 {
        json!(value)
    } else {
        json!(value as f64 / scale)
    }
}

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    // Never empty: the tables above are constants.
    from.choose(rng).copied().unwrap_or(from[0])
}

fn measured(rng: &mut impl Rng, table: &[(Code, f64, f64, i32, &str)], category: &str) -> Value {
    let (code, low, high, decimals, unit) = pick(rng, table);
    let value = number(rng, low, high, decimals);
    let interpretation = pick(rng, &["normal", "alto", "baixo", "limítrofe"]);
    json!({
        "code": coded(code), "value": value, "unit": unit, "status": "final", "category": category,
        "interpretation": interpretation,
    })
}

/// A body for a kind.
pub(crate) fn body(rng: &mut impl Rng, kind: &str, year: i32) -> Value {
    match kind {
        "vitals" => json!({
            "systolic": number(rng, 90.0, 190.0, 0), "diastolic": number(rng, 50.0, 110.0, 0),
            "heart_rate": number(rng, 52.0, 128.0, 0), "respiratory_rate": number(rng, 12.0, 34.0, 0),
            "temperature": number(rng, 35.2, 39.8, 1), "spo2": number(rng, 86.0, 100.0, 0),
            "weight": number(rng, 6.0, 120.0, 1), "position": pick(rng, &["sentado", "deitado", "em pé"]),
        }),
        "encounter" => json!({
            "code": coded(pick(rng, &VISITS)), "class": pick(rng, &["AMB", "HH", "VR"]), "status": "finished",
            "location": pick(rng, &["Unidade fluvial", "Posto de saúde", "Visita domiciliar", "Escola rural"]),
        }),
        "lab" => measured(rng, &LABS, "laboratory"),
        "observation" => measured(rng, &OBSERVATIONS, "exam"),
        "medication" => {
            let (code, dose, unit) = pick(rng, &MEDICATIONS);
            json!({
                "code": coded(code), "dose": { "value": dose, "unit": unit }, "status": "active",
                "route": "oral", "frequency": pick(rng, &["1×/1 d", "2×/1 d", "3×/1 d", "1×/1 wk"]),
                "as_needed": rng.random_bool(0.2),
            })
        }
        "immunization" => json!({
            "code": coded(pick(rng, &VACCINES)), "status": "completed", "dose_number": rng.random_range(1..=4),
            "lot": format!("{}{:05}", pick(rng, &["FA", "BR", "LM", "IB"]), rng.random_range(0..100_000)),
            "expires_on": format!("{}-{:02}", year + 1, rng.random_range(1..=12)),
            "site": pick(rng, &["deltoide direito", "deltoide esquerdo", "vasto lateral da coxa"]),
        }),
        "procedure" => json!({
            "code": coded(pick(rng, &PROCEDURES)), "status": "completed",
            "body_site": pick(rng, &["mão direita", "perna esquerda", "antebraço", "couro cabeludo", "pé direito"]),
            "outcome": pick(rng, &["sem intercorrências", "bem tolerado", "repetir", "cicatrização adequada"]),
        }),
        "referral" => json!({
            "speciality": coded(pick(rng, &SPECIALITIES)), "status": "active",
            "priority": pick(rng, &["routine", "urgent", "emergency"]),
            "to": pick(rng, &["Hospital regional", "Policlínica municipal", "Centro de especialidades"]),
        }),
        "task" => json!({
            "title": pick(rng, &["Visita domiciliar", "Repetir exame", "Busca ativa", "Renovar receita"]),
            "status": pick(rng, &["requested", "accepted", "completed"]), "priority": "routine",
            "due": format!("{}-{:02}-{:02}", year, rng.random_range(1..=12), rng.random_range(1..=28)),
            "assignee": pick(rng, &["agente comunitária", "enfermagem", "medicina", "farmácia"]),
            "about": pick(rng, &["hipertensão", "pré-natal", "vacinação", "diabetes", "curativo"]),
        }),
        _ => json!({
            "title": pick(rng, &["Evolução", "Acolhimento", "Visita domiciliar", "Consulta de enfermagem"]),
            "category": pick(rng, &["progress-note", "nursing", "home-visit", "telehealth", "counselling"]),
            "place": pick(rng, &["Comunidade São Tomé", "Vila do Rio Claro", "Assentamento Boa Vista"]),
            "language": "pt-BR", "template": "evolução livre, sem roteiro",
        }),
    }
}
