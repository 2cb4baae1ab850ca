//! Texts as they are searched: without accents, case or runs of spaces, so that `Joao` finds `JOÃO`.

use unicode_normalization::UnicodeNormalization;

/// The folded form: NFD without diacritical marks, lower case, one space between words, none around. Folding
/// twice changes nothing. Used for names and for searching texts alike.
pub fn fold(text: &str) -> String {
    let mut folded = Folded(String::with_capacity(text.len()));
    let mut rest = text;
    // An ASCII letter neither decomposes nor moves, so that only the runs between them need Unicode's tables.
    while !rest.is_empty() {
        let (ascii, after) = split_at_first(rest, |byte| !byte.is_ascii());
        ascii
            .bytes()
            .for_each(|byte| folded.push(char::from(byte.to_ascii_lowercase())));
        let (other, after) = split_at_first(after, |byte| byte.is_ascii());
        // The second NFD puts marks in order again where dropping one has joined two runs of others.
        other
            .nfd()
            .filter(|character| !is_diacritic(*character))
            .flat_map(char::to_lowercase)
            .map(plain_sigma)
            .nfd()
            .for_each(|character| folded.push(character));
        rest = after;
    }
    if folded.0.ends_with(' ') {
        folded.0.pop();
    }
    folded.0
}

fn split_at_first(text: &str, stops: fn(u8) -> bool) -> (&str, &str) {
    // Both stops lie on the border between an ASCII byte and another, where a character begins.
    text.split_at(text.bytes().position(stops).unwrap_or(text.len()))
}

/// A text that grows with one space between words and none before them.
struct Folded(String);

impl Folded {
    fn push(&mut self, character: char) {
        if !character.is_whitespace() {
            self.0.push(character);
        } else if !self.0.is_empty() && !self.0.ends_with(' ') {
            self.0.push(' ');
        }
    }
}

/// The blocks of combining diacritical marks; the vowel signs of other scripts are letters and stay.
fn is_diacritic(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Greek writes a sigma at a word's end otherwise; the case of a letter does not depend on its neighbours here.
fn plain_sigma(character: char) -> char {
    if character == 'ς' { 'σ' } else { character }
}
