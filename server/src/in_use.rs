//! Whether a server has a store open: a lock of the operating system's on a file beside it. It ends with the process,
//! however that ends; the file stays and says nothing.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A hold on a store, as long as it lives.
#[derive(Debug)]
pub(crate) struct InUse {
    _locked: File,
}

impl InUse {
    /// For a server, beside others; none while the store is being replaced.
    pub(crate) fn shared(store: &Path) -> std::io::Result<Option<Self>> {
        Self::locked(store, File::try_lock_shared)
    }

    /// For who replaces the store; none while a server has it open.
    pub(crate) fn alone(store: &Path) -> std::io::Result<Option<Self>> {
        Self::locked(store, File::try_lock)
    }

    fn locked(
        store: &Path,
        lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> std::io::Result<Option<Self>> {
        // By whatever name it is called.
        let store = std::fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
        // Never the store itself: to close a second handle of it would end SQLite's own locks.
        let mut path = store.into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let writing = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        // Another user's is locked as well as one's own.
        let file = writing.or_else(|error| File::open(&path).map_err(|_| error))?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                tracing::warn!(
                    "this file system has no locks: nothing keeps a store in use from being replaced"
                );
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Some(Self { _locked: file }))
    }
}
