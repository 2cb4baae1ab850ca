//! `verify [--repair]`: whether this device is whole, and has what the server has.

use super::instant;
use crate::device::DeviceOptions;
use crate::failure::{Ending, Result};
use crate::output::Output;
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::{Clock, StoreVerification};
use vereda_core::error::Code;
use vereda_core::platform::native::SystemClock;
use vereda_core::sync::digest::DigestReport;

/// What is done about what is found.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes rows anew that are not as their document has them, and fetches what differs from the server.
    #[arg(long)]
    repair: bool,
}

#[derive(Serialize)]
struct Verified {
    verified_at: String,
    repair: bool,
    whole: bool,
    file_whole: bool,
    store: StoreVerification,
    server: Compared,
}

/// What the server's part came to.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    report: DigestReport,
    /// Differences that are still there.
    standing: u64,
}

impl Verified {
    fn ending(&self) -> Ending {
        let code = self.server.report.code.as_deref().and_then(Code::parse);
        match code {
            _ if !self.whole => Ending::NeedsPerson,
            Some(code) => Ending::of(code),
            None => Ending::Done,
        }
    }
}

/// Checks the file, then what lies in it, then both against the server.
pub(crate) async fn run(arguments: Arguments, device: &DeviceOptions, output: &Output) -> Result {
    let repair = arguments.repair;
    let mut file_whole = true;
    let store = device.open_checked(&mut file_whole)?;
    let client = store.client();
    let mut found = client.verifying().store(repair).await?;
    let report = client.verifying().with_server(repair).await?;
    if report.repaired > 0 && found.damaged > 0 {
        // What did not open came whole from the server.
        let now = client.verifying().store(false).await?;
        found.damaged = now.damaged;
    }
    let server = Compared {
        standing: report.standing(),
        report,
    };
    let verified = Verified {
        verified_at: instant(SystemClock.now().wall_ms),
        repair,
        whole: file_whole && found.is_whole() && server.standing == 0,
        file_whole,
        store: found,
        server,
    };
    output.show(&verified, |words| text(words, &verified));
    Ok(verified.ending())
}

fn text(words: Words, verified: &Verified) -> String {
    let mut lines = Vec::new();
    let mut say = |message, gaps: &[&dyn std::fmt::Display]| lines.push(words.with(message, gaps));
    let store = &verified.store;
    say(
        if verified.file_whole {
            Message::VerifyFileWhole
        } else {
            Message::VerifyFileDamaged
        },
        &[],
    );
    say(
        Message::VerifyStore,
        &[&store.documents, &store.writes, &store.audit_records],
    );
    if store.awaited > 0 {
        say(Message::VerifyAwaited, &[&store.awaited]);
    }
    for (message, count) in [
        (Message::VerifyDamaged, store.damaged),
        (Message::VerifyRows, store.rows - store.rows_repaired),
        (Message::VerifyRowsRepaired, store.rows_repaired),
        (Message::VerifyWrites, store.writes_broken),
    ] {
        if count > 0 {
            say(message, &[&count]);
        }
    }
    if let Some(record) = store.audit_broken_at {
        say(Message::DoctorAuditBroken, &[&record]);
    }
    let server = &verified.server.report;
    match &server.code {
        Some(code) => say(Message::VerifyNotCompared, &[code]),
        None => say(Message::VerifyCompared, &[&server.streams, &server.compared]),
    }
    let only_here = server.only_here.min(verified.server.standing);
    for (message, count) in [
        (Message::VerifySkipped, server.skipped),
        (Message::VerifyFetched, server.repaired),
        (Message::VerifyDiffers, verified.server.standing - only_here),
        (Message::VerifyOnlyHere, only_here),
    ] {
        if count > 0 && (server.code.is_none() || message != Message::VerifySkipped) {
            say(message, &[&count]);
        }
    }
    say(
        if !verified.whole && !verified.repair {
            Message::VerifyRepair
        } else if !verified.whole {
            Message::VerifyStands
        } else {
            Message::VerifyWell
        },
        &[],
    );
    lines.join("\n")
}
