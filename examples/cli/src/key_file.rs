//! The device's key: 32 random bytes in a file outside the store's folder, or in the environment.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use vereda_core::entropy::Entropy;
use vereda_core::error::{Code, SyncError};

/// Hexadecimal digits of a key.
const DIGITS: usize = 64;

fn unusable(detail: &str) -> SyncError {
    SyncError::new(Code::KeyFileUnusable, detail)
}

/// The key in 64 hexadecimal digits (`VEREDA_KEY`).
pub(crate) fn parse(text: &str) -> Result<[u8; 32], SyncError> {
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim(), &mut key).map_err(|_| unusable("a key is 64 hexadecimal digits"))?;
    Ok(key)
}

/// Where a store's key lies unless told otherwise: in the user's configuration folder, named after the whole path
/// of the device's folder. `None` where there is no such folder.
pub(crate) fn default_path(home: &Path) -> Option<PathBuf> {
    let configuration = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    let home = home.canonicalize().or_else(|_| std::path::absolute(home)).ok()?;
    let name = uuid::Uuid::new_v5(&vereda_core::id::NAMESPACE, home.as_os_str().as_encoded_bytes());
    Some(configuration.join("vereda").join(format!("device-{name}.key")))
}

/// Reads the key file; makes it where there is none and the store is not there either: a store without its key
/// must not get another one.
pub(crate) fn load_or_create(
    path: &Path,
    store: &Path,
    entropy: &mut dyn Entropy,
) -> Result<[u8; 32], SyncError> {
    match read(path) {
        Ok(key) => return key,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(_) => return Err(unusable("it cannot be read")),
    }
    if store.exists() {
        return Err(unusable("it is not there, and the store is"));
    }
    create(path, &entropy.next_32()).map_err(|_| unusable("it cannot be made"))?;
    // Another process may have been faster: what lies there counts.
    read(path).map_err(|_| unusable("it cannot be read"))?
}

/// The outer error is the operating system's, the inner one ours.
fn read(path: &Path) -> std::io::Result<Result<[u8; 32], SyncError>> {
    let file = std::fs::File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Ok(Err(unusable("others may read it; its mode must be 0600")));
        }
    }
    let mut text = String::new();
    file.take(1_024).read_to_string(&mut text)?;
    Ok(match text.trim().len() {
        DIGITS => parse(&text),
        _ => Err(unusable("a key is 64 hexadecimal digits")),
    })
}

/// Writes a whole file beside the place and links it in: nobody ever reads half a key.
fn create(path: &Path, key: &[u8; 32]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    writeln!(file, "{}", hex::encode(key))?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
