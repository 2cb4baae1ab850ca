//! Likely duplicates: two records that may be one person. They are shown, never refused.
//!
//! `duplicate_keys` is what SQL indexes; `likely_duplicate` judges a pair that shares a key. Every likely pair
//! shares one.

use super::{Identifier, IdentifierSystem, PartialDate, PatientRecord, fold};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why two records may be one person, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateReason {
    /// They share an identifier.
    SameIdentifier,
    /// The same name, accents and particles aside, and the same date of birth.
    SameNameAndBirthDate,
    /// A name that sounds alike, is a slip of the pen away or left a part out, and the same date of birth.
    SimilarNameAndBirthDate,
    /// The same name, and a date of birth that is a slip of the pen away or known only in part.
    SameNameAndSimilarBirthDate,
    /// The same name of three or more words, and no date of birth in one of them.
    SameNameOnly,
}

/// Words of a name below which equality says little.
const TELLING_WORDS: usize = 3;

/// Judges a pair.
pub fn likely_duplicate(a: &PatientRecord, b: &PatientRecord) -> Option<DuplicateReason> {
    if a.identifiers
        .iter()
        .any(|identifier| b.identifiers.contains(identifier))
    {
        return Some(DuplicateReason::SameIdentifier);
    }
    let (name_a, name_b) = (Name::of(a), Name::of(b));
    let same_name = !name_a.words.is_empty() && name_a.words == name_b.words;
    match (birth_date(a), birth_date(b)) {
        (Some(born_a), Some(born_b)) if born_a == born_b => {
            if same_name {
                Some(DuplicateReason::SameNameAndBirthDate)
            } else if born_a.is_whole() && !cpf_differs(a, b) && name_a.resembles(&name_b) {
                Some(DuplicateReason::SimilarNameAndBirthDate)
            } else {
                None
            }
        }
        (Some(born_a), Some(born_b)) => (same_name
            && !cpf_differs(a, b)
            && resembling_dates(born_a, born_b, name_a.words.len() >= TELLING_WORDS))
        .then_some(DuplicateReason::SameNameAndSimilarBirthDate),
        _ => (same_name && !cpf_differs(a, b) && name_a.words.len() >= TELLING_WORDS)
            .then_some(DuplicateReason::SameNameOnly),
    }
}

/// The keys to index of a record. They hold patient data and belong in the encrypted store only.
pub fn duplicate_keys(record: &PatientRecord) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for Identifier { system, value } in &record.identifiers {
        keys.insert(format!("i|{}|{}", system.0, value.0));
    }
    let name = Name::of(record);
    if name.words.is_empty() {
        return keys.into_iter().collect();
    }
    let whole = name.words.join(" ");
    if name.words.len() >= TELLING_WORDS {
        keys.insert(format!("n|{whole}"));
    }
    if let Some(born) = birth_date(record) {
        keys.insert(format!("y|{}|{whole}", born.year));
        if let (Some(date), true) = (&record.birth_date, born.is_whole()) {
            for initial in name.outer_initials() {
                keys.insert(format!("b|{}|{initial}", date.0));
            }
        }
    }
    keys.into_iter().collect()
}

fn birth_date(record: &PatientRecord) -> Option<PartialDate> {
    record
        .birth_date
        .as_ref()
        .and_then(|date| PartialDate::parse(date))
}

/// A person has one CPF, so two different ones outweigh a mere resemblance. (Of CNS a person may have several.)
fn cpf_differs(a: &PatientRecord, b: &PatientRecord) -> bool {
    fn cpf(record: &PatientRecord) -> Option<&str> {
        let is_cpf = |identifier: &&Identifier| identifier.system.0 == IdentifierSystem::CPF;
        record
            .identifiers
            .iter()
            .find(is_cpf)
            .map(|identifier| identifier.value.as_str())
    }
    matches!((cpf(a), cpf(b)), (Some(a), Some(b)) if a != b)
}

/// Known in part and not contradicting, day and month exchanged, or (for a telling name) one digit apart.
fn resembling_dates(a: PartialDate, b: PartialDate, name_tells: bool) -> bool {
    if a.year != b.year {
        return false;
    }
    let (Some(month_a), Some(month_b)) = (a.month, b.month) else {
        return true;
    };
    let (Some(day_a), Some(day_b)) = (a.day, b.day) else {
        return month_a == month_b;
    };
    let digits = |month: u8, day: u8| [month / 10, month % 10, day / 10, day % 10];
    let apart = digits(month_a, day_a)
        .into_iter()
        .zip(digits(month_b, day_b))
        .filter(|(a, b)| a != b)
        .count();
    (month_a == day_b && day_a == month_b) || (name_tells && apart == 1)
}

/// A name as words without accents and particles, and how each of them sounds.
struct Name {
    words: Vec<String>,
    sounds: Vec<String>,
}

impl Name {
    fn of(record: &PatientRecord) -> Self {
        let words: Vec<String> = fold(&record.name)
            .split(|character: char| !character.is_alphanumeric())
            .filter(|word| {
                !matches!(
                    *word,
                    "" | "da" | "de" | "do" | "das" | "dos" | "e" | "d" | "di" | "del"
                )
            })
            .map(str::to_owned)
            .collect();
        let sounds = words.iter().map(|word| sound(word)).collect();
        Self { words, sounds }
    }

    fn outer_initials(&self) -> BTreeSet<char> {
        [self.sounds.first(), self.sounds.last()]
            .into_iter()
            .flatten()
            .filter_map(|sound| sound.chars().next())
            .collect()
    }

    /// Whether the names may be one person's: the same words in another order, or each word of the shorter one
    /// found in the longer one, in order and from the first on.
    fn resembles(&self, other: &Self) -> bool {
        let (short, long) = if self.words.len() <= other.words.len() {
            (self, other)
        } else {
            (other, self)
        };
        if short.words.len() < 2 || self.outer_initials().is_disjoint(&other.outer_initials()) {
            return false;
        }
        let mut sorted = [self.sounds.clone(), other.sounds.clone()];
        sorted.iter_mut().for_each(|sounds| sounds.sort_unstable());
        if sorted[0] == sorted[1] {
            return true;
        }
        let mut candidates = 0..long.words.len();
        (0..short.words.len()).all(|index| {
            candidates.any(|candidate| {
                (index > 0 || candidate == 0) && resembling_words(short, index, long, candidate, index > 0)
            })
        })
    }
}

fn resembling_words(a: &Name, at: usize, b: &Name, bt: usize, may_be_initial: bool) -> bool {
    let (a, sound_a, b, sound_b) = (&a.words[at], &a.sounds[at], &b.words[bt], &b.sounds[bt]);
    let shorter = a.chars().count().min(b.chars().count());
    if a == b || sound_a == sound_b {
        return true;
    }
    if shorter == 1 {
        return may_be_initial && a.chars().next() == b.chars().next();
    }
    match shorter {
        0..=3 => false,
        4..=8 => within_distance(a, b, 1),
        _ => within_distance(a, b, 2),
    }
}

/// How a word sounds in Brazilian Portuguese, roughly: spellings of one name (Luís, Luiz; Thaís, Taís; Souza,
/// Sousa; Wagner, Vagner) come out alike.
fn sound(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut sound = String::with_capacity(word.len());
    let mut index = 0;
    while let Some(&letter) = letters.get(index) {
        let next = letters.get(index + 1).copied().unwrap_or(' ');
        let soft = matches!(next, 'e' | 'i' | 'y');
        let (heard, taken) = match (letter, next) {
            ('p', 'h') => ('f', 2),
            ('c' | 's', 'h') => ('x', 2),
            ('t' | 'l' | 'n' | 'r' | 'd', 'h') => (letter, 2),
            ('q' | 'g', 'u') if matches!(letters.get(index + 2), Some('e' | 'i' | 'y')) => {
                (if letter == 'q' { 'c' } else { 'g' }, 2)
            }
            ('s', 'c') if matches!(letters.get(index + 2), Some('e' | 'i' | 'y')) => ('s', 2),
            ('c', _) if soft => ('s', 1),
            ('g', _) if soft => ('j', 1),
            ('q' | 'k', _) => ('c', 1),
            ('z', _) => ('s', 1),
            ('y', _) => ('i', 1),
            ('w', _) => ('v', 1),
            ('x', ' ') => ('s', 1),
            ('m', ' ') => ('n', 1),
            ('h', _) => {
                index += 1;
                continue;
            }
            _ => (letter, 1),
        };
        if !sound.ends_with(heard) {
            sound.push(heard);
        }
        index += taken;
    }
    if sound.is_empty() { word.to_owned() } else { sound }
}

/// Whether at most `limit` letters were added, dropped, exchanged or swapped with their neighbour
/// (optimal string alignment).
fn within_distance(a: &str, b: &str, limit: usize) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return false;
    }
    let mut before: Vec<usize> = vec![];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let exchanged = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = exchanged.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()] <= limit
}
