//! The device a command works on: its folder, its key, its open store.

use crate::failure::{Failure, Result, Usage};
use crate::key_file;
use crate::log::DeviceLog;
use crate::words::Message;
use std::path::{Path, PathBuf};
use vereda_core::client::Clock;
use vereda_core::error::{Code, SyncError};
use vereda_core::platform::native::{OpenOptions, OpenStore, SystemClock, SystemEntropy, open};
use vereda_core::time::Zoned;

/// The name of the store's file in the device's folder.
const STORE_FILE: &str = "store.db";

/// Which device.
#[derive(Clone, Debug)]
pub(crate) struct DeviceOptions {
    /// Its folder.
    pub(crate) home: Option<PathBuf>,
    /// Its key file.
    pub(crate) key_file: Option<PathBuf>,
    /// Its key, instead of a file.
    pub(crate) key: Option<String>,
}

impl DeviceOptions {
    /// Opens the store; the first time it is made.
    pub(crate) fn open(&self) -> Result<OpenStore> {
        self.open_with(|options| options)
    }

    /// Opens the store, once every page of its file was looked at.
    pub(crate) fn open_checked(&self, is_whole: &mut bool) -> Result<OpenStore> {
        let options = self.options()?;
        // Where it cannot be read there is none yet, or opening it says what is wrong.
        *is_whole = options.is_file_whole().unwrap_or(true);
        Ok(open(options)?)
    }

    /// Opens the store with further options.
    pub(crate) fn open_with(&self, adjust: impl FnOnce(OpenOptions) -> OpenOptions) -> Result<OpenStore> {
        Ok(open(adjust(self.options()?))?)
    }

    fn options(&self) -> Result<OpenOptions> {
        let home = match &self.home {
            Some(home) => home.clone(),
            None => default_home().ok_or_else(|| Failure::Usage(Usage::new(Message::HomeUnknown, &[])))?,
        };
        create_folder(&home)?;
        let store = home.join(STORE_FILE);
        Ok(OpenOptions::file(&store, self.key(&home, &store)?).log(Box::new(DeviceLog)))
    }

    fn key(&self, home: &Path, store: &Path) -> Result<[u8; 32]> {
        if let Some(key) = &self.key {
            return Ok(key_file::parse(key)?);
        }
        let path = match &self.key_file {
            Some(path) => path.clone(),
            None => key_file::default_path(home)
                .ok_or_else(|| SyncError::new(Code::KeyFileUnusable, "no configuration folder is known"))?,
        };
        Ok(key_file::load_or_create(&path, store, &mut SystemEntropy)?)
    }
}

fn default_home() -> Option<PathBuf> {
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .map(|data| data.join("vereda"))
}

/// Makes a folder for the owner alone, where there is none.
pub(crate) fn create_folder(home: &Path) -> Result<(), SyncError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(home)
        .map_err(|error| SyncError::new(Code::StoreUnavailable, format!("its folder: {}", error.kind())))
}

/// The time an entry gets when none is typed.
pub(crate) fn now() -> Zoned {
    let now = SystemClock.now();
    Zoned {
        utc_ms: now.wall_ms,
        offset_minutes: now.offset_minutes,
    }
}
