//! Where resources come from: files, folders of files, or bytes somebody has read already.

use crate::document::JSON_BYTES_MAX;
use crate::fault::Fault;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use vereda_core::error::{Code, SyncError};

/// A file of resources.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file on disk.
    File(PathBuf),
    /// Bytes with a name, whose ending tells the format (`.ndjson`, otherwise JSON).
    Bytes(String, Vec<u8>),
}

impl Source {
    /// Reads all of a reader; it is gone through twice, because resources name others that come later.
    pub fn from_reader(name: impl Into<String>, mut reader: impl Read) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok(Self::Bytes(name.into(), bytes))
    }

    /// The name for a report.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(name, _) => name.clone(),
        }
    }

    /// Its size in bytes, for a progress bar; 0 where nobody can say.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Bytes(_, bytes) => bytes.len() as u64,
        }
    }

    pub(crate) fn is_ndjson(&self) -> bool {
        let name = match self {
            Self::File(path) => path.as_path(),
            Self::Bytes(name, _) => Path::new(name),
        };
        is(name, &["ndjson", "jsonl"])
    }

    pub(crate) fn open(&self) -> Result<Box<dyn BufRead + Send + '_>, Fault> {
        match self {
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(BufReader::with_capacity(256 * 1024, file))),
                Err(error) => Err(unreadable(&error)),
            },
            Self::Bytes(_, bytes) => Ok(Box::new(Cursor::new(bytes.as_slice()))),
        }
    }

    /// All of a JSON file.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(self.bytes().min(JSON_BYTES_MAX) as usize);
        let read = self.open()?.take(JSON_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(&error))?;
        if bytes.len() as u64 > JSON_BYTES_MAX {
            let reason = format!("it is larger than {JSON_BYTES_MAX} bytes; export it as NDJSON");
            return Err(Fault::new(Code::TooLarge, reason));
        }
        Ok(bytes)
    }
}

/// The operating system's word for it, which names no file.
fn unreadable(error: &std::io::Error) -> Fault {
    Fault::new(
        Code::FileUnreadable,
        format!("the file cannot be read: {}", error.kind()),
    )
}

/// The files meant by paths: a file is itself, a folder its `*.json` and `*.ndjson` files, also in folders below
/// it, by name. A path that cannot be read is an error (`file_unreadable`): whoever typed it wants to know.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, SyncError> {
    let mut files = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let refused = |error: std::io::Error| {
            SyncError::new(
                Code::FileUnreadable,
                format!("path {}: {}", number + 1, error.kind()),
            )
        };
        if std::fs::metadata(path).map_err(refused)?.is_dir() {
            let mut found = Vec::new();
            walk(path, &mut found).map_err(refused)?;
            found.sort();
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files.into_iter().map(Source::File).collect())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        // A link to a folder could lead back here.
        if entry.file_type()?.is_dir() {
            walk(&path, files)?;
        } else if is(&path, &["json", "ndjson", "jsonl"]) {
            files.push(path);
        }
    }
    Ok(())
}

fn is(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}
