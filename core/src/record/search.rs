//! Words a person searches for: without accents or case, each the beginning of a word.

use super::fold;

/// Words taken from one search: more narrow nothing a person would notice.
const WORDS_MAX: usize = 16;

/// The words of a search, folded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchWords(Vec<String>);

impl SearchWords {
    /// The words in what a person typed; `None` when there is none. Signs between words are no operators.
    pub fn of(typed: &str) -> Option<Self> {
        let folded = fold(typed);
        let words: Vec<String> = words(&folded).take(WORDS_MAX).map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// Whether every word begins a word of the text.
    pub fn are_in(&self, text: &str) -> bool {
        let folded = fold(text);
        self.0
            .iter()
            .all(|searched| words(&folded).any(|word| word.starts_with(searched.as_str())))
    }
}

fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
}
