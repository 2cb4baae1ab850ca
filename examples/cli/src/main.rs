//! `vereda`: a field device on the command line, and the server it reconciles with.
//!
//! Every command prints a table for people, or with `--json` one JSON document whose schema is in `docs/cli/`.
//! Errors go to stderr with their stable code. Exit: 0 done, 1 a person must decide or act, 2 wrong use,
//! 3 refused, 4 no contact.

mod command;
mod device;
mod failure;
mod key_file;
mod log;
mod output;
mod usage;
mod words;

use clap::{Parser, Subcommand};
use command::{
    admin, audit, chart, conflicts, doctor, drawer, enrol, event, export, import, inbox, patient, queue,
    reference, serve, statistics, sync, timeline, verify,
};
use device::DeviceOptions;
use failure::{Ending, Failure, Result};
use output::Output;
use std::path::PathBuf;
use std::process::ExitCode;
use vereda_core::client::Client;

#[derive(Parser)]
#[command(
    name = "vereda",
    version,
    about = "A field device on the command line, and its server"
)]
struct Arguments {
    /// The device's folder.
    #[arg(long, global = true, env = "VEREDA_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// The key's file (mode 0600, outside the device's folder); made on first use.
    #[arg(long, global = true, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// One JSON document instead of tables.
    #[arg(long, global = true)]
    json: bool,
    /// The language of tables and errors: pt or en. By default that of the environment.
    #[arg(long, global = true, value_name = "LANGUAGE")]
    lang: Option<String>,
    /// What is logged on stderr: off, error, warn, info, debug, trace, or TARGET=LEVEL,…; by default info for
    /// `serve`, warn for everything else. Numbers, codes and ids, never patient data.
    #[arg(long, global = true, env = "VEREDA_LOG", value_name = "LEVEL")]
    log: Option<String>,
    /// How log lines look; by default json for `serve` and with --json.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<log::Format>,
    /// The same as `--log vereda=debug`: each request and its answer.
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server. The first line of stdout is `{"listening":"http://…"}`.
    Serve(serve::Arguments),
    /// Administers a server's store: tenants, units, users, enrolment codes, devices.
    Admin(admin::Arguments),
    /// Sends and reads.
    Sync(sync::Arguments),
    /// Fetches everything again. What was not sent stays and is shown all the time.
    Resync(sync::ResyncArguments),
    /// Whether this device is whole and has what the server has; with --repair it is made so. Also offline, for its
    /// own part.
    Verify(verify::Arguments),
    #[command(flatten)]
    Device(DeviceCommand),
}

/// What works on an open store.
#[derive(Subcommand)]
enum DeviceCommand {
    /// Enrols this device with a code from an administrator.
    Enrol(enrol::Arguments),
    /// Signs out; what was not sent is kept.
    Signout,
    /// Patients: register, show, edit, list, find duplicates.
    #[command(subcommand)]
    Patient(patient::Command),
    /// Entries: add, edit a draft, finalize, amend, retract, move.
    #[command(subcommand)]
    Event(event::Command),
    /// The chart: allergies, problems, medication, alerts, tasks.
    #[command(subcommand)]
    Chart(chart::Command),
    /// A patient's timeline.
    Timeline(timeline::Arguments),
    /// What a patient's timeline holds, counted, and the values of a numeric field.
    Stats(statistics::Arguments),
    /// Imports records.
    #[command(subcommand)]
    Import(import::Command),
    /// How it stands.
    Status,
    /// What waits to be sent.
    Outbox(queue::Arguments),
    /// What the server refused.
    #[command(subcommand)]
    Drawer(drawer::Command),
    /// Where two people said different things.
    #[command(subcommand)]
    Conflicts(conflicts::Command),
    /// Everything that waits for a person.
    Inbox {
        #[command(subcommand)]
        command: Option<inbox::InboxCommand>,
    },
    /// Who read and wrote what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// What the organisation keeps for all devices: units, specialities, professionals, kinds.
    #[command(subcommand)]
    Reference(reference::Command),
    /// What waits and why, in plain words; exits with 1 when something needs a person.
    Doctor,
    /// A patient's whole record, the list of patients or all of them, for another program.
    Export(export::Arguments),
}

fn main() -> ExitCode {
    vereda_server::net::quiet_panics();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_use(&error),
    };
    let output = Output {
        json: arguments.json,
        language: words::language(arguments.lang.as_deref()),
    };
    let device = DeviceOptions {
        home: arguments.home,
        key_file: arguments.key_file,
        // Not an argument: arguments can be read by every user of the machine.
        key: std::env::var("VEREDA_KEY").ok().filter(|key| !key.is_empty()),
    };
    let serves = matches!(arguments.command, Command::Serve(_));
    let (level, lines) = (if serves { "info" } else { "warn" }, serves || arguments.json);
    let level = if arguments.verbose { "vereda=debug" } else { level };
    let level = arguments.log.as_deref().unwrap_or(level);
    let format = if lines {
        log::Format::Json
    } else {
        log::Format::Text
    };
    let ended = log::begin(level, arguments.log_format.unwrap_or(format))
        .and_then(|()| runtime(serves))
        .and_then(|runtime| runtime.block_on(run(arguments.command, &device, &output)));
    ended
        .unwrap_or_else(|failure| failure.tell(output.json, output.language))
        .into()
}

/// Help and the version are clap's to show; wrong use is told like every other failure.
fn wrong_use(error: &clap::Error) -> ExitCode {
    let Some(failure) = usage::failure(error) else {
        // Whoever reads may have gone away.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    };
    // What was typed is not known yet as a whole; these two are looked for as they stand.
    let typed: Vec<String> = std::env::args().collect();
    let language = typed
        .iter()
        .enumerate()
        .find_map(|(place, argument)| match argument.as_str() {
            "--lang" => typed.get(place + 1).map(String::as_str),
            other => other.strip_prefix("--lang="),
        });
    let json = typed.iter().any(|argument| argument == "--json");
    failure.tell(json, words::language(language)).into()
}

fn runtime(serves: bool) -> Result<tokio::runtime::Runtime> {
    let mut builder = if serves {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder
        .enable_all()
        .build()
        .map_err(|_| Failure::from(vereda_core::error::Code::Internal))
}

async fn run(command: Command, device: &DeviceOptions, output: &Output) -> Result<Ending> {
    match command {
        Command::Serve(arguments) => serve::run(arguments, device, output).await,
        Command::Admin(arguments) => admin::run(arguments, device, output),
        Command::Sync(arguments) => sync::run(arguments, device, output).await,
        Command::Resync(arguments) => sync::resync(arguments, device, output).await,
        Command::Verify(arguments) => verify::run(arguments, device, output).await,
        Command::Device(command) => {
            let store = device.open()?;
            on_device(command, store.client(), output).await
        }
    }
}

async fn on_device(command: DeviceCommand, client: &Client, output: &Output) -> Result<Ending> {
    match command {
        DeviceCommand::Enrol(arguments) => enrol::run(arguments, client, output).await,
        DeviceCommand::Signout => enrol::sign_out(client, output).await,
        DeviceCommand::Patient(command) => patient::run(command, client, output).await,
        DeviceCommand::Event(command) => event::run(command, client, output).await,
        DeviceCommand::Chart(command) => chart::run(command, client, output).await,
        DeviceCommand::Timeline(arguments) => timeline::run(arguments, client, output).await,
        DeviceCommand::Stats(arguments) => statistics::run(arguments, client, output).await,
        DeviceCommand::Import(command) => import::run(command, client, output).await,
        DeviceCommand::Status => sync::status(client, output).await,
        DeviceCommand::Outbox(arguments) => queue::run(arguments, client, output).await,
        DeviceCommand::Drawer(command) => drawer::run(command, client, output).await,
        DeviceCommand::Conflicts(command) => conflicts::run(command, client, output).await,
        DeviceCommand::Inbox { command } => inbox::run(command, client, output).await,
        DeviceCommand::Audit(command) => audit::run(command, client, output).await,
        DeviceCommand::Reference(command) => reference::run(command, client, output).await,
        DeviceCommand::Doctor => doctor::run(client, output).await,
        DeviceCommand::Export(arguments) => export::run(arguments, client, output).await,
    }
}
