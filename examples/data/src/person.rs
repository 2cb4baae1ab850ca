//! People who do not exist, with numbers whose check digits are right.

use crate::entries::patient_id;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vereda_core::id::PatientId;
use vereda_core::record::{Contact, Identifier, IdentifierSystem, PatientRecord};
use vereda_core::redact::Sensitive;

const WOMEN: [&str; 16] = [
    "Aurora",
    "Benedita",
    "Conceição",
    "Dalva",
    "Esmeralda",
    "Francisca",
    "Graça",
    "Iracema",
    "Jandira",
    "Lourdes",
    "Marlene",
    "Nazaré",
    "Quitéria",
    "Raimunda",
    "Socorro",
    "Zilda",
];
const MEN: [&str; 16] = [
    "Abílio",
    "Benedito",
    "Cícero",
    "Damião",
    "Expedito",
    "Firmino",
    "Geraldo",
    "Hilário",
    "Inácio",
    "Josué",
    "Leôncio",
    "Manoel",
    "Nonato",
    "Otacílio",
    "Raimundo",
    "Severino",
];
const FAMILIES: [&str; 20] = [
    "Albuquerque",
    "Barroso",
    "Cavalcante",
    "Damasceno",
    "Evangelista",
    "Figueiredo",
    "Guimarães",
    "Holanda",
    "Junqueira",
    "Lacerda",
    "Magalhães",
    "Nogueira",
    "Peixoto",
    "Queiroz",
    "Rezende",
    "Sampaio",
    "Teles",
    "Uchoa",
    "Vasconcelos",
    "Xavier",
];
const PLACES: [&str; 8] = [
    "Comunidade Boa Esperança",
    "Vila do Igarapé",
    "Assentamento Terra Nova",
    "Sítio Lagoa Funda",
    "Povoado Pedra Branca",
    "Ramal do Km 18",
    "Quilombo Mata Verde",
    "Beira-rio",
];

/// A person.
pub(crate) struct Person {
    pub(crate) given: &'static str,
    pub(crate) family: String,
    pub(crate) female: bool,
    pub(crate) birth_date: String,
    pub(crate) cpf: String,
    pub(crate) cns: String,
    pub(crate) phone: String,
    pub(crate) address: String,
}

impl Person {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let female = rng.random_bool(0.55);
        let names = if female { &WOMEN } else { &MEN };
        let family = format!("{} {}", any(rng, &FAMILIES), any(rng, &FAMILIES));
        let year = rng.random_range(1932..=2023);
        Self {
            given: any(rng, names),
            family,
            female,
            birth_date: format!(
                "{year}-{:02}-{:02}",
                rng.random_range(1..=12),
                rng.random_range(1..=28)
            ),
            cpf: cpf(rng),
            cns: cns(rng),
            // 5555 is given to nobody.
            phone: format!("+55 92 95555-{:04}", rng.random_range(0..10_000)),
            address: format!("{}, {}", any(rng, &PLACES), rng.random_range(1..400)),
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    pub(crate) fn gender(&self) -> &'static str {
        if self.female { "female" } else { "male" }
    }
}

fn any(rng: &mut impl Rng, names: &[&'static str]) -> &'static str {
    names.choose(rng).copied().unwrap_or_default()
}

/// Eleven digits of which the last two check the others.
fn cpf(rng: &mut impl Rng) -> String {
    let mut digits: Vec<u32> = (0..9).map(|_| rng.random_range(0..10)).collect();
    for _ in 0..2 {
        let top = digits.len() as u32 + 1;
        let sum: u32 = digits
            .iter()
            .zip(0..)
            .map(|(digit, place)| digit * (top - place))
            .sum();
        digits.push((sum * 10) % 11 % 10);
    }
    digits.iter().map(u32::to_string).collect()
}

/// Fifteen digits, weighted 15 to 1, that eleven divides; of the provisional kind, which begins with 7, 8 or 9.
fn cns(rng: &mut impl Rng) -> String {
    loop {
        let mut digits: Vec<u32> = vec![rng.random_range(7..10)];
        digits.extend((0..13).map(|_| rng.random_range(0..10_u32)));
        let sum: u32 = digits
            .iter()
            .zip(0..)
            .map(|(digit, place)| digit * (15 - place))
            .sum();
        let last = (11 - sum % 11) % 11;
        if last < 10 {
            digits.push(last);
            return digits.iter().map(u32::to_string).collect();
        }
    }
}

/// Records for the patients of [`crate::entries`], by number.
pub fn patients(seed: u64, patients: u32) -> impl Iterator<Item = (PatientId, PatientRecord)> {
    (0..patients).map(move |number| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7065_7273_6f6e);
        rng.set_stream(u64::from(number));
        let person = Person::new(&mut rng);
        let identifier = |system: &str, value: &str| Identifier {
            system: IdentifierSystem(system.to_owned()),
            value: Sensitive(value.to_owned()),
        };
        let contact = |system: &str, value: &str| Contact {
            system: system.to_owned(),
            value: Sensitive(value.to_owned()),
        };
        let record = PatientRecord {
            name: Sensitive(person.name()),
            birth_date: Some(Sensitive(person.birth_date.clone())),
            gender: Some(Sensitive(person.gender().to_owned())),
            identifiers: vec![identifier("cpf", &person.cpf), identifier("cns", &person.cns)],
            contacts: vec![
                contact("phone", &person.phone),
                contact("address", &person.address),
            ],
            deceased: None,
            origin: None,
        };
        (patient_id(seed, number), record)
    })
}
