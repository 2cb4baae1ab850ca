//! The server's keys: in a file of mode 0600 beside the configuration, never in the store.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use vereda_core::entropy::Entropy;

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("the key file cannot be read or written")]
    File(#[from] std::io::Error),
    /// It is not a key file.
    #[error("this is not a key file of ours")]
    Malformed,
    /// Others may read it.
    #[error("the key file is readable by others; its mode must be 0600")]
    Exposed,
}

/// The keys. `Debug` shows nothing of them.
#[derive(Clone)]
pub struct ServerKeys {
    /// Opens the store (SQLCipher).
    pub store: [u8; 32],
    /// Wraps the patients' keys.
    pub master: [u8; 32],
    /// Ed25519 seed of the signed heads; its public key is pinned by every device.
    pub signing: [u8; 32],
    /// Under every token.
    pub token: [u8; 32],
}

impl std::fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKeys(‹hidden›)")
    }
}

/// The file: JSON of hexadecimal keys.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    store: String,
    master: String,
    signing: String,
    token: String,
}

impl ServerKeys {
    /// Random keys.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self {
            store: entropy.next_32(),
            master: entropy.next_32(),
            signing: entropy.next_32(),
            token: entropy.next_32(),
        }
    }

    /// Every key from one secret (`VEREDA_KEY`).
    pub fn derive(secret: &[u8; 32]) -> Self {
        let key = |purpose: &str| {
            let mut bytes = [0; 32];
            // HMAC takes a key of any length.
            if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) {
                mac.update(b"vereda server key ");
                mac.update(purpose.as_bytes());
                bytes.copy_from_slice(&mac.finalize().into_bytes());
            }
            bytes
        };
        Self {
            store: key("store"),
            master: key("master"),
            signing: key("signing"),
            token: key("token"),
        }
    }

    /// Reads the file, or makes it with random keys (and its folder) where there is none.
    ///
    /// # Errors
    /// Where it cannot be read or made, is malformed, or others may read it.
    pub fn load_or_create(path: &Path, entropy: &mut dyn Entropy) -> Result<Self, KeyFileError> {
        match Self::load(path) {
            Err(KeyFileError::File(error)) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        let keys = Self::generate(entropy);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = match options.open(path) {
            Ok(file) => file,
            // Another process was faster: its keys count.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Self::load(path),
            Err(error) => return Err(error.into()),
        };
        file.write_all(&keys.to_json())?;
        file.sync_all()?;
        Ok(keys)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Where it cannot be read, is malformed, or others may read it.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let mut file = std::fs::File::open(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                return Err(KeyFileError::Exposed);
            }
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let file: KeyFile = serde_json::from_str(&text).map_err(|_| KeyFileError::Malformed)?;
        let key = |text: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyFileError::Malformed)?;
            Ok::<_, KeyFileError>(bytes)
        };
        Ok(Self {
            store: key(&file.store)?,
            master: key(&file.master)?,
            signing: key(&file.signing)?,
            token: key(&file.token)?,
        })
    }

    /// Where a store's keys lie unless told otherwise: in the user's configuration folder, named after the store's
    /// whole path. None where there is no such folder.
    pub fn default_path(store: &Path) -> Option<PathBuf> {
        use sha2::Digest;
        let configuration = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
        let store = std::path::absolute(store).ok()?;
        let name = hex::encode(&Sha256::digest(store.as_os_str().as_encoded_bytes())[..8]);
        Some(configuration.join("vereda").join(format!("server-{name}.keys")))
    }

    fn to_json(&self) -> Vec<u8> {
        let file = KeyFile {
            store: hex::encode(self.store),
            master: hex::encode(self.master),
            signing: hex::encode(self.signing),
            token: hex::encode(self.token),
        };
        // Four strings always serialize.
        serde_json::to_vec_pretty(&file).unwrap_or_default()
    }
}
