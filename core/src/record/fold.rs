//! Texts as they are searched: without accents, case or runs of spaces, so that `Joao` finds `JOÃO`.

use unicode_normalization::UnicodeNormalization;

/// The folded form: NFD without diacritical marks, lower case, one space between words, none around. Folding
/// twice changes nothing. Used for names and for full-text search alike.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        collapse(
            text.chars().map(|character| character.to_ascii_lowercase()),
            &mut folded,
        );
    } else {
        // The second NFD puts marks in order again where dropping one has joined two runs of others.
        let plain = text
            .nfd()
            .filter(|character| !is_diacritic(*character))
            .flat_map(char::to_lowercase);
        collapse(plain.map(plain_sigma).nfd(), &mut folded);
    }
    folded
}

fn collapse(characters: impl Iterator<Item = char>, folded: &mut String) {
    let mut space = false;
    for character in characters {
        if character.is_whitespace() {
            space = !folded.is_empty();
        } else {
            if space {
                folded.push(' ');
                space = false;
            }
            folded.push(character);
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
