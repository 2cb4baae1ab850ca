//! Several processes may write one store; one of them sends. Who does holds a lock of the operating system, which
//! goes with the process however it ends.

use crate::store::Location;
use std::fs::File;

/// The right to send.
#[derive(Debug)]
pub(super) struct SendingRight {
    file: Option<File>,
    held: bool,
}

impl SendingRight {
    /// Prepares the lock file beside the store.
    pub(super) fn of(location: &Location) -> Self {
        match location {
            Location::Memory => Self {
                file: None,
                held: true,
            },
            Location::File(path) => {
                let mut lock = path.clone().into_os_string();
                lock.push("-sending");
                let file = File::options()
                    .create(true)
                    .write(true)
                    .truncate(false)
                    .open(lock)
                    .ok();
                // Without a lock file (a read-only folder) there is nobody to share with.
                Self {
                    held: file.is_none(),
                    file,
                }
            }
        }
    }

    /// Whether this process may send; asks again while it may not.
    pub(super) fn held(&mut self) -> bool {
        if !self.held {
            self.held = self.file.as_ref().is_some_and(|file| file.try_lock().is_ok());
        }
        self.held
    }

    /// Gives the right back, for another process.
    pub(super) fn release(&mut self) {
        if let Some(file) = &self.file
            && self.held
            && file.unlock().is_ok()
        {
            self.held = false;
        }
    }
}
