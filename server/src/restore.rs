//! `admin restore`: a checked copy becomes the store. What stood there is put aside, never deleted.

use crate::backup::remove_companions;
use crate::in_use::InUse;
use crate::key_file::ServerKeys;
use crate::store::sqlite::SqliteStore;
use crate::store::{ServerStore, StoreError};
use crate::verify::{StoreReport, check};
use std::path::{Path, PathBuf};
use vereda_core::entropy::Entropy;
use vereda_core::time::EpochMs;

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A store failed, or the keys do not open the copy.
    #[error("the copy does not open")]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("a file cannot be read or written")]
    File(#[from] std::io::Error),
    /// The copy is damaged; the report says where.
    #[error("the copy is not whole: {0}")]
    NotWhole(Box<StoreReport>),
    /// A store is there, and nobody said that it may go.
    #[error("a store is there")]
    Exists,
    /// A server has the store open.
    #[error("a server has it open")]
    InUse,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the copy holds.
    pub report: StoreReport,
    /// Where the store lies now that stood there before.
    pub put_aside: Option<PathBuf>,
}

/// Puts a copy in the place of the store at `to`, once it was checked. A new epoch begins: devices give back what the
/// copy lacks. Refused while a server has that store open.
///
/// # Errors
/// A [`RestoreError`]; the store at `to` is then as it was.
pub fn restore(
    from: &Path,
    to: &Path,
    keys: &ServerKeys,
    entropy: &mut dyn Entropy,
    now_ms: EpochMs,
    replace: bool,
) -> Result<Restored, RestoreError> {
    if to.exists() && !replace {
        return Err(RestoreError::Exists);
    }
    std::fs::metadata(from)?;
    let _alone = InUse::alone(to)?.ok_or(RestoreError::InUse)?;
    let fresh = with_suffix(to, ".restoring");
    remove_companions(&fresh)?;
    // SQLite's own copy: what a log beside the file still holds comes along, and the copy stays as it is.
    copy(from, &fresh, keys)?;
    let checked = begin_epoch(&fresh, keys, entropy, now_ms);
    let report = match checked {
        Ok(report) if report.is_whole() => report,
        other => {
            remove_companions(&fresh)?;
            std::fs::remove_file(&fresh)?;
            return Err(other.map_or_else(RestoreError::Store, |report| {
                RestoreError::NotWhole(Box::new(report))
            }));
        }
    };
    remove_companions(&fresh)?;
    std::fs::File::open(&fresh)?.sync_all()?;
    let put_aside = if to.exists() { Some(put_aside(to)?) } else { None };
    remove_companions(to)?;
    std::fs::rename(&fresh, to)?;
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(Restored { report, put_aside })
}

fn copy(from: &Path, fresh: &Path, keys: &ServerKeys) -> Result<(), RestoreError> {
    if fresh.exists() {
        std::fs::remove_file(fresh)?;
    }
    Ok(SqliteStore::copy_file(from, fresh, &keys.store)?)
}

fn begin_epoch(
    fresh: &Path,
    keys: &ServerKeys,
    entropy: &mut dyn Entropy,
    now_ms: EpochMs,
) -> Result<StoreReport, StoreError> {
    let mut store = SqliteStore::open(fresh, &keys.store, &keys.master, 0)?;
    let report = check(&mut store)?;
    if report.is_whole() {
        store.begin(entropy.next_32())?;
        let before = store.epoch()?;
        let next = entropy.next_u64() >> 33;
        store.set_epoch(if next == before { next + 1 } else { next }, now_ms)?;
        store.commit()?;
    }
    Ok(report)
}

/// Renames the store with its log, under a name that is free.
fn put_aside(to: &Path) -> std::io::Result<PathBuf> {
    let mut aside = with_suffix(to, ".replaced");
    let mut number = 1;
    while aside.exists() {
        number += 1;
        aside = with_suffix(to, &format!(".replaced-{number}"));
    }
    for suffix in ["-wal", "-shm"] {
        let companion = with_suffix(to, suffix);
        if companion.exists() {
            std::fs::rename(companion, with_suffix(&aside, suffix))?;
        }
    }
    std::fs::rename(to, &aside)?;
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
