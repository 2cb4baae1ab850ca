//! `--backup-to DIR`: a copy of the store while it is in use, opened again and checked as `admin restore` checks it. What
//! lies in a checked copy is durable: devices may forget their tails up to there.

use crate::key_file::ServerKeys;
use crate::store::StoreError;
use crate::store::sqlite::SqliteStore;
use crate::verify::{StoreReport, check};
use std::path::{Path, PathBuf};

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A store failed.
    #[error("the store or its copy failed")]
    Store(#[from] StoreError),
    /// The folder cannot be used.
    #[error("the folder for copies cannot be used")]
    File(#[from] std::io::Error),
    /// The copy does not check; the report says where.
    #[error("the copy is not whole: {0}")]
    NotWhole(Box<StoreReport>),
}

/// The newest copy's name; the one before it has `.previous` behind it.
pub const COPY_NAME: &str = "vereda-server.db";

/// Makes a copy in `folder`, checks it, and marks in the store how far it reaches. A copy that fails leaves the one
/// before it in its place. Returns where it lies.
///
/// # Errors
/// A [`BackupError`]; the mark then stays where it was.
pub fn run(store: &Path, keys: &ServerKeys, folder: &Path) -> Result<PathBuf, BackupError> {
    std::fs::create_dir_all(folder)?;
    let fresh = folder.join(format!("{COPY_NAME}.part"));
    remove(&fresh)?;
    let mut source = SqliteStore::open(store, &keys.store, &keys.master, 0)?;
    source.copy_to(&fresh, &keys.store)?;
    let reaches = {
        let mut copy = SqliteStore::open(&fresh, &keys.store, &keys.master, 0)?;
        let report = check(&mut copy)?;
        if !report.is_whole() {
            return Err(BackupError::NotWhole(Box::new(report)));
        }
        copy.reach()?
    };
    remove_companions(&fresh)?;
    std::fs::File::open(&fresh)?.sync_all()?;
    let newest = folder.join(COPY_NAME);
    let previous = folder.join(format!("{COPY_NAME}.previous"));
    if newest.exists() {
        std::fs::rename(&newest, &previous)?;
    }
    std::fs::rename(&fresh, &newest)?;
    std::fs::File::open(folder)?.sync_all()?;
    source.mark_durable(&reaches)?;
    Ok(newest)
}

/// Removes a store's file, if it is there, with its log.
pub(crate) fn remove(path: &Path) -> std::io::Result<()> {
    remove_companions(path)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The write-ahead log of a file that was closed is empty or gone.
pub(crate) fn remove_companions(path: &Path) -> std::io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
