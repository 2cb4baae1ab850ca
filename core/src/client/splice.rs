//! What somebody changed in a text they were shown, when the text has changed meanwhile.

use crate::record::TextEdit;
use crate::redact::Sensitive;

/// One replacement in a text. Positions count Unicode scalar values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Splice {
    at: usize,
    delete: usize,
    insert: Vec<char>,
}

impl Splice {
    /// The one splice that turns `old` into `new`: what is equal at both ends stays. `None` when nothing differs.
    pub(super) fn between(old: &str, new: &str) -> Option<Self> {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        let at = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let tail = old[at..]
            .iter()
            .rev()
            .zip(new[at..].iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
        let splice = Self {
            at,
            delete: old.len() - tail - at,
            insert: new[at..new.len() - tail].to_vec(),
        };
        (splice.delete > 0 || !splice.insert.is_empty()).then_some(splice)
    }

    /// This splice as edits of the text that `theirs` has made of the one it was meant for. What they inserted stays,
    /// also where both replaced the same words.
    pub(super) fn after(self, theirs: Option<Self>) -> Vec<TextEdit> {
        let Some(theirs) = theirs else {
            return vec![edit(self.at, self.delete, &self.insert)];
        };
        let (end, their_end) = (self.at + self.delete, theirs.at + theirs.delete);
        // What is left to delete before the words they put in, and behind them.
        let before = end.min(theirs.at).saturating_sub(self.at);
        let behind = end.saturating_sub(self.at.max(their_end));
        let behind_at = self.at.max(their_end) - theirs.delete + theirs.insert.len();
        let edits = match (before > 0 || self.at < theirs.at, behind > 0) {
            // The later place first: the earlier one does not move.
            (true, true) => vec![edit(behind_at, behind, &[]), edit(self.at, before, &self.insert)],
            (true, false) => vec![edit(self.at, before, &self.insert)],
            (false, _) => vec![edit(behind_at, behind, &self.insert)],
        };
        edits
            .into_iter()
            .filter(|edit| edit.delete > 0 || !edit.insert.0.is_empty())
            .collect()
    }
}

fn edit(at: usize, delete: usize, insert: &[char]) -> TextEdit {
    TextEdit {
        at: at as u32,
        delete: delete as u32,
        insert: Sensitive(insert.iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn merged(old: &str, theirs: &str, ours: &str) -> String {
        let Some(splice) = Splice::between(old, ours) else {
            return theirs.to_owned();
        };
        let mut text: Vec<char> = theirs.chars().collect();
        for edit in splice.after(Splice::between(old, theirs)) {
            let (at, delete) = (edit.at as usize, edit.delete as usize);
            text.splice(at..at + delete, edit.insert.0.chars());
        }
        text.into_iter().collect()
    }

    #[test]
    fn a_splice_keeps_what_is_equal_at_both_ends() {
        let splice = Splice::between("dor de cabeça", "dor forte de cabeça").expect("they differ");
        assert_eq!((splice.at, splice.delete), (4, 0));
        assert_eq!(splice.insert.iter().collect::<String>(), "forte ");
        assert_eq!(Splice::between("a", "a"), None);
    }

    #[test]
    fn what_a_colleague_wrote_meanwhile_stays() {
        let old = "PA 12/8. Dor de cabeça. Retorno em 7 dias.";
        for (theirs, ours, both) in [
            (
                "PA 14/9. Dor de cabeça. Retorno em 7 dias.",
                "PA 12/8. Dor de cabeça. Retorno em 15 dias.",
                "PA 14/9. Dor de cabeça. Retorno em 15 dias.",
            ),
            (
                "PA 12/8. Dor de cabeça. Retorno em 15 dias.",
                "PA 14/9. Dor de cabeça. Retorno em 7 dias.",
                "PA 14/9. Dor de cabeça. Retorno em 15 dias.",
            ),
            (
                "PA 12/8. Dor forte de cabeça. Retorno em 7 dias.",
                "PA 12/8. Retorno em 7 dias.",
                "PA 12/8. forte Retorno em 7 dias.",
            ),
            (
                "PA 12/8. Dor de cabeça. Retorno em 7 dias. Afebril.",
                "PA 12/8. Dor de cabeça. Retorno em 7 dias. Hidratado.",
                "PA 12/8. Dor de cabeça. Retorno em 7 dias. Afebril. Hidratado.",
            ),
        ] {
            assert_eq!(merged(old, theirs, ours), both);
        }
    }

    proptest! {
        #[test]
        fn no_edit_lies_outside_the_text_and_nothing_anybody_inserted_is_lost(
            old in "[a-c ]{0,12}",
            theirs in (0usize..12, 0usize..12, "[X]{0,4}"),
            ours in (0usize..12, 0usize..12, "[Y]{0,4}"),
        ) {
            let changed = |(from, to, insert): &(usize, usize, String)| {
                let from = *from.min(&old.len());
                let to = (*to).clamp(from, old.len());
                format!("{}{insert}{}", &old[..from], &old[to..])
            };
            let merged = merged(&old, &changed(&theirs), &changed(&ours));
            prop_assert_eq!(merged.matches('X').count(), theirs.2.len());
            prop_assert_eq!(merged.matches('Y').count(), ours.2.len());
            prop_assert!(merged.len() <= old.len() + theirs.2.len() + ours.2.len());
        }
    }
}
