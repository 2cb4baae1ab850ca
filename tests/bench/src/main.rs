//! The figures of `cargo xtask bench`. Each is printed as one JSON line with its goal and, where there is one, its
//! ratio to a floor measured in the same run: raw encrypted SQLite doing the same inserts.

mod clinic;
mod figure;
mod first_sync;
mod floor;
mod gate;
mod measure;
mod opening;
mod reading;
mod wire;
mod writing;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    figures: Figures,
}

#[derive(Subcommand)]
enum Figures {
    /// Single writes: processor time and latency beside the floor.
    Writes {
        /// How many.
        #[arg(long, default_value_t = 3_000)]
        count: u32,
    },
    /// Only writes, for counting system calls from outside.
    OnlyWrites {
        /// How many.
        #[arg(long)]
        count: u32,
    },
    /// Imports in batches beside the floor.
    Import {
        /// How many entries.
        #[arg(long, default_value_t = 100_000)]
        entries: u32,
    },
    /// Pages and searches at a size.
    Read {
        /// How many entries.
        #[arg(long)]
        entries: u32,
    },
    /// Statistics of all patients at a size.
    Stats {
        /// How many entries.
        #[arg(long, default_value_t = 1_000_000)]
        entries: u32,
    },
    /// Opens a store and reads its first page; for measuring the process from outside.
    Open {
        /// The store.
        store: PathBuf,
    },
    /// Opening a store of this many entries.
    Opening {
        /// How many entries.
        #[arg(long, default_value_t = 100_000)]
        entries: u32,
    },
    /// What hostile bytes cost before they are refused.
    Gate,
    /// Bytes on the wire, over loopback HTTP, heads and bodies, both directions.
    Wire {
        /// Single writes.
        #[arg(long, default_value_t = 10_000)]
        writes: u32,
        /// Imported entries.
        #[arg(long, default_value_t = 20_000)]
        imported: u32,
    },
    /// First sync of new devices at a size.
    FirstSync {
        /// How many entries.
        #[arg(long, default_value_t = 100_000)]
        entries: u32,
        /// Over loopback HTTP, the device in a process of its own.
        #[arg(long)]
        http: bool,
    },
    /// A first sync in this process; for measuring it from outside.
    FirstSyncDevice {
        /// The device's store.
        #[arg(long)]
        store: PathBuf,
        /// The server.
        #[arg(long)]
        server: String,
        /// An enrolment code.
        #[arg(long)]
        code: String,
        /// Replies to cut.
        #[arg(long, default_value_t = 0)]
        cuts: u64,
    },
    /// Local writes while entries come in.
    Busy {
        /// How many entries come in.
        #[arg(long, default_value_t = 100_000)]
        entries: u32,
    },
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match Arguments::parse().figures {
            Figures::Writes { count } => writing::writes(count).await,
            Figures::OnlyWrites { count } => writing::only_writes(count).await,
            Figures::Import { entries } => writing::import(entries).await,
            Figures::Read { entries } => reading::run(entries).await,
            Figures::Stats { entries } => reading::statistics(entries).await,
            Figures::Open { store } => opening::open(&store).await,
            Figures::Opening { entries } => opening::run(entries).await,
            Figures::FirstSync { entries, http } => first_sync::run(entries, http).await,
            Figures::FirstSyncDevice {
                store,
                server,
                code,
                cuts,
            } => first_sync::device(&store, &server, &code, cuts).await,
            Figures::Gate => gate::run(),
            Figures::Wire { writes, imported } => wire::run(writes, imported).await,
            Figures::Busy { entries } => reading::busy(entries).await,
        }
    });
}
