//! `admin backup | verify | restore`: copies of the server's store.

use super::{StoreArguments, key_path, keys, make_folder, store_file};
use crate::command::instant;
use crate::device::DeviceOptions;
use crate::failure::{Ending, Failure, Result};
use crate::output::Output;
use crate::words::{Message, Words};
use serde::Serialize;
use std::path::PathBuf;
use vereda_core::client::Clock;
use vereda_core::error::{Code, SyncError};
use vereda_core::platform::native::{SystemClock, SystemEntropy};
use vereda_server::ServerKeys;
use vereda_server::backup::{self, BackupError};
use vereda_server::restore::{RestoreError, Restored, restore};
use vereda_server::verify::{StoreReport, verify, verify_copy};

/// What is copied, where to.
#[derive(clap::Args)]
pub(crate) struct BackupArguments {
    /// The folder; the copy before this one stays beside it.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

/// What is checked.
#[derive(clap::Args)]
pub(crate) struct VerifyArguments {
    /// A copy; the store itself when not given.
    copy: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArguments,
}

/// Which copy becomes the store.
#[derive(clap::Args)]
pub(crate) struct RestoreArguments {
    /// The copy.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The store: `sqlite:FILE`. Refused while a server has it open.
    #[arg(long = "to", value_name = "STORE", value_parser = store_file)]
    file: PathBuf,
    /// Puts the store aside that is there.
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct Copied {
    copy: String,
    verified: bool,
}

#[derive(Serialize)]
struct Verified {
    file: String,
    whole: bool,
    streams: u64,
    items: u64,
    outcomes: u64,
    documents: u64,
    newest_at: Option<String>,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    what: &'static str,
    place: String,
}

#[derive(Serialize)]
struct RestoredDocument {
    restored: String,
    newest_at: Option<String>,
    age_s: Option<i64>,
    items: u64,
    put_aside: Option<String>,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let detail = error.to_string();
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::File(_) => SyncError::new(Code::FileUnreadable, detail).into(),
            BackupError::NotWhole(_) => SyncError::new(Code::StoreDamaged, detail).into(),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        let detail = error.to_string();
        match error {
            RestoreError::Store(error) => error.into(),
            RestoreError::File(_) => SyncError::new(Code::FileUnreadable, detail).into(),
            RestoreError::NotWhole(_) => SyncError::new(Code::StoreDamaged, detail).into(),
            RestoreError::InUse => SyncError::new(Code::StoreInUse, detail).into(),
            RestoreError::Exists => SyncError::new(Code::StoreExists, "see --replace").into(),
        }
    }
}

fn existing(file: &std::path::Path) -> std::result::Result<(), Failure> {
    std::fs::metadata(file)
        .map(drop)
        .map_err(|_| SyncError::new(Code::FileUnreadable, "there is no such file").into())
}

/// Makes a copy in a folder, and checks it.
pub(super) fn copy(arguments: &BackupArguments, device: &DeviceOptions, output: &Output) -> Result {
    existing(&arguments.store.file)?;
    let keys = keys(&arguments.store, device)?;
    let copy = backup::run(&arguments.store.file, &keys, &arguments.to)?;
    let copied = Copied {
        copy: copy.display().to_string(),
        verified: true,
    };
    output.show(&copied, |words| words.with(Message::Copied, &[&copied.copy]));
    Ok(Ending::Done)
}

/// Checks the store or a copy of it, all of it.
pub(super) fn check(arguments: VerifyArguments, device: &DeviceOptions, output: &Output) -> Result {
    let keys = keys_that_are_there(&arguments.store, device)?;
    let (file, report) = match arguments.copy {
        Some(copy) => {
            existing(&copy)?;
            let report = verify_copy(&copy, &keys)?;
            (copy, report)
        }
        None => {
            existing(&arguments.store.file)?;
            let report = verify(&arguments.store.file, &keys)?;
            (arguments.store.file, report)
        }
    };
    let whole = report.is_whole();
    let verified = Verified {
        file: file.display().to_string(),
        whole,
        streams: report.streams,
        items: report.items,
        outcomes: report.outcomes,
        documents: report.documents,
        newest_at: report.newest_ms.map(instant),
        faults: report
            .faults
            .into_iter()
            .map(|fault| Fault {
                what: fault.what,
                place: fault.place,
            })
            .collect(),
    };
    output.show(&verified, |words| verified_text(words, &verified));
    Ok(if whole { Ending::Done } else { Ending::NeedsPerson })
}

fn verified_text(words: Words, verified: &Verified) -> String {
    let mut text = if verified.whole {
        words.with(
            Message::StoreWhole,
            &[&verified.items, &verified.streams, &verified.documents],
        )
    } else {
        words.with(Message::StoreNotWhole, &[&verified.faults.len()])
    };
    for fault in &verified.faults {
        text.push_str(&format!("\n{} {}", fault.what, fault.place));
    }
    text
}

/// A copy is noise without the keys of the server it was made of: none are made here.
fn keys_that_are_there(
    store: &StoreArguments,
    device: &DeviceOptions,
) -> std::result::Result<ServerKeys, Failure> {
    if device.key.is_none() && !key_path(store, device)?.exists() {
        let detail = "a copy opens with the keys of its server alone: name them with --key-file";
        return Err(SyncError::new(Code::KeyFileUnusable, detail).into());
    }
    keys(store, device)
}

/// Puts a checked copy in the store's place.
pub(super) fn put_back(arguments: RestoreArguments, device: &DeviceOptions, output: &Output) -> Result {
    let store = StoreArguments { file: arguments.file };
    let keys = keys_that_are_there(&store, device)?;
    existing(&arguments.from)?;
    make_folder(&store)?;
    let now_ms = SystemClock.now().wall_ms;
    let Restored { report, put_aside } = restore(
        &arguments.from,
        &store.file,
        &keys,
        &mut SystemEntropy,
        now_ms,
        arguments.replace,
    )?;
    let told = told(&store.file, now_ms, &report, put_aside);
    output.show(&told, |words| {
        let mut text = match &told.newest_at {
            Some(newest) => words.with(Message::Restored, &[newest, &(told.age_s.unwrap_or(0) / 60)]),
            None => words.of(Message::RestoredEmpty).to_owned(),
        };
        text.push('\n');
        text.push_str(words.of(Message::RestoredNext));
        if let Some(aside) = &told.put_aside {
            text.push('\n');
            text.push_str(&words.with(Message::RestoredAside, &[aside]));
        }
        text
    });
    Ok(Ending::Done)
}

fn told(
    store: &std::path::Path,
    now_ms: i64,
    report: &StoreReport,
    put_aside: Option<PathBuf>,
) -> RestoredDocument {
    RestoredDocument {
        restored: store.display().to_string(),
        newest_at: report.newest_ms.map(instant),
        age_s: report
            .newest_ms
            .map(|newest_ms| (now_ms - newest_ms).max(0) / 1_000),
        items: report.items,
        put_aside: put_aside.map(|path| path.display().to_string()),
    }
}
