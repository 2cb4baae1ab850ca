//! The rules the sources keep. Each returns the places that break it, as `path:line: what`.

use proc_macro2::{Ident, Span, TokenTree};

use crate::source::{
    SourceFile, attribute, end_of_item, ident, inside, is_ident, is_mark, is_path_separator, visit,
};
use crate::table::floor_of;

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

/// A module that stands on a floor uses nothing from the floors above it.
pub(crate) fn upward_imports(files: &[SourceFile]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files {
        let Some(module) = file.top_module() else { continue };
        let Some(floor) = floor_of(module) else {
            broken.push(format!(
                "{}: give it a floor: `{module}` is not in the table of floors",
                file.path
            ));
            continue;
        };
        for used in names_used(file) {
            let name = used.to_string();
            let what = match floor_of(&name) {
                Some(above) if above > floor => {
                    format!("`{module}` (floor {floor}) uses `{name}` (floor {above})")
                }
                Some(_) => continue,
                None => format!("`crate::{name}` hides its floor: name the module it comes from"),
            };
            broken.push(place(file, used.span(), &what));
        }
    }
    broken
}

/// Only `platform` differs between targets; the root may say so where it declares or shows it.
pub(crate) fn platform_differences(files: &[SourceFile]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| file.top_module() != Some("platform")) {
        let is_root = file.top_module().is_none();
        let judged = if is_root {
            without_platform_items(&file.shipped)
        } else {
            file.shipped.clone()
        };
        visit(&judged, &mut |tokens| {
            for at in 0..tokens.len() {
                if let Some(condition) = condition(tokens, at).filter(|condition| names_platform(condition)) {
                    let what = "only platform/ may depend on the target or on the feature `native`";
                    broken.push(place(file, condition[0].span(), what));
                }
            }
        });
    }
    broken
}

/// Time comes in as an argument; only `platform` reads a clock, and tests don't either.
pub(crate) fn clocks(files: &[SourceFile]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| file.top_module() != Some("platform")) {
        visit(&file.tokens, &mut |tokens| {
            for at in 0..tokens.len() {
                let Some(clock) = ident(tokens, at) else { continue };
                let is_clock = ["SystemTime", "Instant", "Utc", "Local"]
                    .iter()
                    .any(|name| clock == name);
                if is_clock && is_path_separator(tokens, at + 1) && is_ident(tokens, at + 3, "now") {
                    broken.push(place(file, clock.span(), "only platform/ may read a clock"));
                }
            }
        });
    }
    broken
}

/// Outside tests a value that may be absent is handled, or `expect` says why it cannot be.
pub(crate) fn bare_unwraps(files: &[SourceFile]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files {
        visit(&file.shipped, &mut |tokens| {
            for at in 0..tokens.len() {
                let called =
                    matches!(tokens.get(at + 2), Some(TokenTree::Group(group)) if group.stream().is_empty());
                if is_mark(tokens, at, '.') && is_ident(tokens, at + 1, "unwrap") && called {
                    broken.push(place(file, tokens[at + 1].span(), "a bare unwrap"));
                }
            }
        });
    }
    broken
}

/// A file or folder is named after the one concept it holds.
pub(crate) fn empty_names(files: &[SourceFile]) -> Vec<String> {
    let says_nothing = |path: &str| {
        path.trim_end_matches(".rs")
            .split('/')
            .any(|part| EMPTY_NAMES.contains(&part))
    };
    let named = files.iter().filter(|file| says_nothing(&file.path));
    named
        .map(|file| format!("{}: name it after the concept it holds", file.path))
        .collect()
}

fn place(file: &SourceFile, span: Span, what: &str) -> String {
    format!("{}:{}: {what}", file.path, span.start().line)
}

/// What a file takes from the root, through `crate::` or a chain of `super::`. Macros are not counted: they stand
/// on no floor.
fn names_used(file: &SourceFile) -> Vec<Ident> {
    let mut used = Vec::new();
    let depth = file.module().len();
    visit(&file.shipped, &mut |tokens| {
        for at in 0..tokens.len() {
            let Some(after) =
                end_of_root(tokens, at, depth).filter(|&after| is_path_separator(tokens, after))
            else {
                continue;
            };
            match tokens.get(after + 2) {
                Some(TokenTree::Ident(name)) if !is_mark(tokens, after + 3, '!') => used.push(name.clone()),
                Some(TokenTree::Group(list)) => used.extend(first_names(&inside(list))),
                _ => {}
            }
        }
    });
    used
}

/// Where a path to the crate's root that begins at this place ends: `crate`, or as many `super` as the file is deep.
fn end_of_root(tokens: &[TokenTree], at: usize, depth: usize) -> Option<usize> {
    if preceded_by_path(tokens, at) {
        return None;
    }
    if is_ident(tokens, at, "crate") {
        return Some(at + 1);
    }
    let is_step =
        |n: &usize| is_ident(tokens, at + 3 * n, "super") && is_path_separator(tokens, at + 3 * n + 1);
    let steps = (0..).take_while(is_step).count();
    // An inline module is one deeper than its file; more steps than the file is deep reach the root from there.
    (steps > 0 && steps >= depth).then(|| at + 3 * steps - 2)
}

fn preceded_by_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_path_separator(tokens, at - 2)
}

/// The first name of each path in the braces of `use crate::{a, b::c}`.
fn first_names(tokens: &[TokenTree]) -> Vec<Ident> {
    let begins = |at: usize| at == 0 || is_mark(tokens, at - 1, ',');
    (0..tokens.len())
        .filter(|&at| begins(at))
        .filter_map(|at| ident(tokens, at))
        .cloned()
        .collect()
}

/// The condition of the `cfg(…)`, `cfg_attr(…)` or `cfg!(…)` at this place.
fn condition(tokens: &[TokenTree], at: usize) -> Option<Vec<TokenTree>> {
    if !is_ident(tokens, at, "cfg") && !is_ident(tokens, at, "cfg_attr") {
        return None;
    }
    let bracket = if is_mark(tokens, at + 1, '!') {
        at + 2
    } else {
        at + 1
    };
    match tokens.get(bracket) {
        Some(TokenTree::Group(group)) => Some(inside(group)).filter(|condition| !condition.is_empty()),
        _ => None,
    }
}

fn names_platform(condition: &[TokenTree]) -> bool {
    let mut found = false;
    visit(condition, &mut |tokens| {
        for at in 0..tokens.len() {
            let Some(name) = ident(tokens, at).map(ToString::to_string) else {
                continue;
            };
            let is_native = name == "feature"
                && tokens
                    .get(at + 2)
                    .is_some_and(|literal| literal.to_string() == "\"native\"");
            found |= name.starts_with("target") || name == "unix" || name == "windows" || is_native;
        }
    });
    found
}

/// The root's tokens without the items, attributes included, that declare or show `platform`.
fn without_platform_items(tokens: &[TokenTree]) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut start = 0;
    while start < tokens.len() {
        let mut item = start;
        while let Some((_, after)) = attribute(tokens, item) {
            item = after;
        }
        let end = end_of_item(tokens, item);
        if !(item..end).any(|at| is_ident(tokens, at, "platform")) {
            kept.extend_from_slice(&tokens[start..end]);
        }
        start = end;
    }
    kept
}
