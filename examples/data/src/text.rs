//! Sentences of exactly twelve words.

use crate::words::*;
use rand::Rng;
use rand::seq::IndexedRandom;

type Sentence = [Slot; 12];

const NOTE: [Sentence; 3] = [
    [
        WHO, REPORTS, SYMPTOM, DEGREE, SINCE, COUNT, SPAN, JOIN, SIGN, PLAN, OF, WHERE,
    ],
    [
        WHO, STATE, STATE, REPORTS, SYMPTOM, JOIN, SIGN, ADVISE, THING, RETURN, OF, WHEN,
    ],
    [
        EN_WHO, EN_SAYS, EN_DEGREE, EN_SYMPTOM, EN_LINK, EN_SIGN, EN_ON, EN_EXAM, EN_PLAN, EN_THING, EN_AND,
        EN_WHEN,
    ],
];
const MEASURED: [Sentence; 3] = [
    [
        MEASURE, JUDGED, AFTER, ACT, WHO, STATE, REPORTS, SYMPTOM, DEGREE, ADVISE, THING, WHEN,
    ],
    [
        WHO, STATE, MEASURE, JUDGED, AFTER, ACT, JOIN, SIGN, ADVISE, THING, RETURN, WHEN,
    ],
    [
        EN_WHO, EN_SAYS, EN_SYMPTOM, EN_ON, EN_EXAM, EN_LINK, EN_SIGN, EN_PLAN, EN_THING, EN_WHEN, EN_PLAN,
        EN_THING,
    ],
];
const LAB: [Sentence; 2] = [
    [
        SAMPLE, QUALITY, OF, WHERE, AFTER, ACT, WHO, REPORTS, SYMPTOM, ADVISE, THING, WHEN,
    ],
    [
        SAMPLE, QUALITY, JOIN, SIGN, ADVISE, THING, AFTER, COUNT, SPAN, RETURN, OF, WHERE,
    ],
];
const GIVE: [Sentence; 2] = [
    [
        GIVEN, ROUTE, OF, SITE, SIDE, JOIN, BORNE, WHO, STATE, ADVISE, THING, WHEN,
    ],
    [
        TEACH, THING, GIVEN, ROUTE, AFTER, ACT, SINCE, COUNT, SPAN, JOIN, BORNE, WHEN,
    ],
];
const SEND: [Sentence; 2] = [
    [
        WHO, REPORTS, SYMPTOM, DEGREE, SINCE, COUNT, SPAN, JOIN, SIGN, PLAN, SPECIALITY, URGENCY,
    ],
    [
        SPECIALITY, URGENCY, AFTER, ACT, JOIN, SIGN, SIDE, ADVISE, THING, RETURN, OF, WHEN,
    ],
];

/// A text of twelve words for a kind.
pub(crate) fn sentence(rng: &mut impl Rng, kind: &str) -> String {
    let sentences: &[Sentence] = match kind {
        "vitals" | "observation" => &MEASURED,
        "lab" => &LAB,
        "medication" | "immunization" | "procedure" => &GIVE,
        "referral" | "task" => &SEND,
        _ => &NOTE,
    };
    let mut text = String::with_capacity(128);
    for slot in sentences.choose(rng).into_iter().flatten() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(slot.choose(rng).copied().unwrap_or_default());
    }
    text
}
