//! Reading a source folder as tokens, so that comments and strings are never mistaken for code.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// One file of a source folder.
pub(crate) struct SourceFile {
    /// Below the source folder, with `/` on every platform.
    pub(crate) path: String,
    /// Everything the compiler sees.
    pub(crate) tokens: Vec<TokenTree>,
    /// Without the items marked `#[cfg(test)]`; empty for a file that is itself such an item.
    pub(crate) shipped: Vec<TokenTree>,
}

impl SourceFile {
    /// The modules from the root to this file: `store/rows.rs` is `["store", "rows"]`, `lib.rs` is empty.
    pub(crate) fn module(&self) -> Vec<&str> {
        let mut modules: Vec<&str> = self.path.trim_end_matches(".rs").split('/').collect();
        let last = modules.last().copied();
        if last == Some("mod") || (modules.len() == 1 && matches!(last, Some("lib" | "main"))) {
            modules.pop();
        }
        modules
    }

    /// The top-level module this file belongs to; none for the root.
    pub(crate) fn top_module(&self) -> Option<&str> {
        self.module().first().copied()
    }
}

/// Reads every Rust file of a folder, in a stable order.
///
/// # Panics
/// On a file that cannot be read or is no Rust: the compiler would refuse it too.
pub(crate) fn read_tree(folder: &Path) -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(folder, &mut paths);
    paths.sort();
    let files = paths.iter().map(|path| {
        let below = path.strip_prefix(folder).expect("it was found below the folder");
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (below.to_string_lossy().replace('\\', "/"), text)
    });
    parse(files)
}

/// Reads files given as (path, text); the checker's own tests make up a tree with it.
pub(crate) fn parse(files: impl IntoIterator<Item = (String, String)>) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = files
        .into_iter()
        .map(|(path, text)| {
            let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
            let tokens: Vec<TokenTree> = stream.into_iter().collect();
            let shipped = without_tests(&tokens);
            SourceFile {
                path,
                tokens,
                shipped,
            }
        })
        .collect();
    let test_modules: Vec<String> = files.iter().flat_map(test_modules).collect();
    for file in &mut files {
        let module = file.module().join("/");
        let is_test = test_modules
            .iter()
            .any(|test| module == *test || module.starts_with(&format!("{test}/")));
        if is_test {
            file.shipped.clear();
        }
    }
    files
}

/// Calls `see` with each list of sibling tokens: the file's own, and those inside every bracket.
pub(crate) fn visit<'a>(tokens: &'a [TokenTree], see: &mut dyn FnMut(&[TokenTree])) {
    see(tokens);
    for token in tokens {
        if let TokenTree::Group(group) = token {
            visit(&inside(group), see);
        }
    }
}

/// The tokens between a group's brackets.
pub(crate) fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// The identifier at a place, if there is one.
pub(crate) fn ident(tokens: &[TokenTree], at: usize) -> Option<&Ident> {
    match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident),
        _ => None,
    }
}

/// Is this identifier at that place?
pub(crate) fn is_ident(tokens: &[TokenTree], at: usize, name: &str) -> bool {
    ident(tokens, at).is_some_and(|ident| ident == name)
}

/// Is this punctuation mark at that place?
pub(crate) fn is_mark(tokens: &[TokenTree], at: usize, mark: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// Does `::` begin at this place?
pub(crate) fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    is_mark(tokens, at, ':') && is_mark(tokens, at + 1, ':')
}

/// The attribute that begins at this place: the tokens between its brackets, and where the next token is.
pub(crate) fn attribute(tokens: &[TokenTree], at: usize) -> Option<(Vec<TokenTree>, usize)> {
    if !is_mark(tokens, at, '#') {
        return None;
    }
    let bracket = if is_mark(tokens, at + 1, '!') {
        at + 2
    } else {
        at + 1
    };
    match tokens.get(bracket) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some((inside(group), bracket + 1))
        }
        _ => None,
    }
}

/// The item that begins at this place ends with the first `;` or `{…}`; the place after it.
pub(crate) fn end_of_item(tokens: &[TokenTree], start: usize) -> usize {
    let end = (start..tokens.len()).find(|&at| match &tokens[at] {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => {
            // `use a::{b};` goes on after its braces.
            group.delimiter() == Delimiter::Brace && !is_mark(tokens, at + 1, ';')
        }
        _ => false,
    });
    end.map_or(tokens.len(), |at| at + 1)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let listed = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in listed {
        let path = entry.expect("a folder that opened can be listed").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn is_cfg_test(attribute: &[TokenTree]) -> bool {
    is_ident(attribute, 0, "cfg")
        && matches!(attribute.get(1), Some(TokenTree::Group(group)) if group.stream().to_string() == "test")
}

fn without_tests(tokens: &[TokenTree]) -> Vec<TokenTree> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some((attribute, after)) = attribute(tokens, at)
            && is_cfg_test(&attribute)
        {
            at = end_of_item(tokens, after);
            continue;
        }
        kept.push(match &tokens[at] {
            TokenTree::Group(group) => {
                let shipped: TokenStream = without_tests(&inside(group)).into_iter().collect();
                let mut rebuilt = Group::new(group.delimiter(), shipped);
                rebuilt.set_span(group.span());
                TokenTree::Group(rebuilt)
            }
            other => other.clone(),
        });
        at += 1;
    }
    kept
}

/// The modules a file declares with `#[cfg(test)] mod name;`, as paths from the root.
fn test_modules(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    for at in 0..file.tokens.len() {
        let Some((attribute, after)) = attribute(&file.tokens, at) else {
            continue;
        };
        let end = end_of_item(&file.tokens, after);
        let name = (after..end)
            .find(|&at| is_ident(&file.tokens, at, "mod") && is_mark(&file.tokens, at + 2, ';'))
            .and_then(|at| ident(&file.tokens, at + 1));
        if let Some(name) = name
            && is_cfg_test(&attribute)
        {
            let mut module: Vec<String> = file.module().iter().map(|part| (*part).to_owned()).collect();
            module.push(name.to_string());
            found.push(module.join("/"));
        }
    }
    found
}
