//! A stored document's heads without opening it.

use super::gate::{Links, links, split_chunks};
use super::{ChangeId, DocumentError, LoadedDocument};
use std::collections::BTreeSet;

/// The heads of stored chunks, sorted. They are read from the frames where these tell: one saved document, if any, and
/// changes behind it that build on what is named there. Otherwise the document is opened.
///
/// # Errors
/// A chunk is damaged, or what one of them builds on is missing.
pub fn heads_of_chunks<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]> + Clone,
) -> Result<Vec<ChangeId>, DocumentError> {
    match heads_by_frames(chunks.clone())? {
        Some(heads) => Ok(heads),
        None => Ok(LoadedDocument::load(chunks)?.heads().to_vec()),
    }
}

fn heads_by_frames<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Vec<ChangeId>>, DocumentError> {
    let mut known = BTreeSet::from([LoadedDocument::genesis_hash()]);
    let mut heads = known.clone();
    let mut is_first = true;
    for bytes in chunks {
        for chunk in split_chunks(bytes)? {
            match links(&chunk)? {
                Links::Document(saved) if is_first => {
                    heads = saved.into_iter().collect();
                    known.extend(&heads);
                }
                // Which of two contains the other does not show.
                Links::Document(_) => return Ok(None),
                Links::Change(hash, dependencies) => {
                    if !dependencies.iter().all(|hash| known.contains(hash)) || !known.insert(hash) {
                        return Ok(None);
                    }
                    for dependency in &dependencies {
                        heads.remove(dependency);
                    }
                    heads.insert(hash);
                }
            }
            is_first = false;
        }
    }
    Ok(Some(heads.into_iter().collect()))
}
