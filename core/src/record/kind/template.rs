//! A body in words.
//!
//! A template is a list of pieces, joined by `; `. A piece is one or more alternatives, apart by `|`, of which the
//! first whose `{fields}` (dotted paths) are all there is taken; a piece without one is left out.

use crate::error::Language;
use serde::Deserialize;
use serde_json::Value;

/// How deep a list of components is told.
const DEPTH_MAX: usize = 4;

#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Template(Vec<String>);

impl Template {
    /// The body in words; `None` when no piece has what it needs.
    pub(super) fn render(&self, body: &Value, language: Language) -> Option<String> {
        let pieces: Vec<String> = self
            .0
            .iter()
            .filter_map(|piece| {
                piece
                    .split('|')
                    .find_map(|alternative| fill(alternative, body, language))
            })
            .collect();
        (!pieces.is_empty()).then(|| pieces.join("; "))
    }
}

fn fill(alternative: &str, body: &Value, language: Language) -> Option<String> {
    let mut text = String::new();
    let mut rest = alternative;
    while let Some((before, after)) = rest.split_once('{') {
        let (path, after) = after.split_once('}')?;
        let value = path.split('.').try_fold(body, |value, step| value.get(step))?;
        text.push_str(before);
        text.push_str(&shown(value, language, DEPTH_MAX)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn shown(value: &Value, language: Language, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(
            match (flag, language) {
                (true, Language::English) => "yes",
                (false, Language::English) => "no",
                (true, Language::Portuguese) => "sim",
                (false, Language::Portuguese) => "não",
            }
            .to_owned(),
        ),
        Value::Number(number) => Some(match language {
            Language::English => number.to_string(),
            Language::Portuguese => number.to_string().replace('.', ","),
        }),
        Value::String(string) => (!string.trim().is_empty()).then(|| string.clone()),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .filter_map(|item| shown(item, language, depth))
                .collect();
            (!items.is_empty()).then(|| items.join(", "))
        }
        Value::Object(fields) => {
            let field = |name: &str| fields.get(name).and_then(|value| shown(value, language, depth));
            let measure = field("value").map(|value| {
                let parts = [field("comparator"), Some(value), field("unit")];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            });
            let name = field("display")
                .or_else(|| field("code"))
                .or_else(|| field("title"));
            match (name, measure) {
                (Some(name), Some(measure)) => Some(format!("{name}: {measure}")),
                (name, measure) => name.or(measure),
            }
        }
    }
}
